"""The command line: `coldframe check` and `coldframe policy`."""

from __future__ import annotations

from coldframe.cli.main import main

__all__ = ["main"]
