"""Where the keys to an object store come from, and how they are kept fresh."""

from __future__ import annotations
