"""``python -m coldframe.testing.servers NAME``: start a server, print its connection string, wait for Ctrl-C."""

# ruff: noqa: T201 - a program talks
from __future__ import annotations

import contextlib
import importlib
import sys
import time

from coldframe.testing.servers.processes import Unavailable

NAMES = ("ministack", "ceph", "azurite", "rclone", "swift", "gcs")


def main(arguments: list[str]) -> int:
    """Start the named server and keep it until interrupted; ``install`` before the name only installs it."""
    only_install = arguments[:1] == ["install"]
    names = arguments[1:] if only_install else arguments
    if not names or any(name not in NAMES for name in names):
        print(f"usage: python -m coldframe.testing.servers [install] {{{','.join(NAMES)}}} ...", file=sys.stderr)
        return 2
    try:
        with contextlib.ExitStack() as stack:
            for name in names:
                module = importlib.import_module(f"coldframe.testing.servers.{name}")
                print(name, stack.enter_context(module.running()).uri(), flush=True)
            while not only_install:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except Unavailable as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
