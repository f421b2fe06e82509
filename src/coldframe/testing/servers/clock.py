"""Child processes whose clock is wrong, by Debian's libfaketime."""

from __future__ import annotations

import os
from pathlib import Path

from coldframe.testing.servers.processes import Unavailable, debian_packages


def wrong_clock(seconds: int) -> dict[str, str]:
    """The environment of a child process that thinks it is so many seconds later; raises `Unavailable`."""
    debian_packages(["faketime"], ["faketime"])
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Unavailable("libfaketime is not where Debian puts it")
    # The steady clock stays as it is: timeouts are measured by it.
    return {**os.environ, "LD_PRELOAD": str(found[0]), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
