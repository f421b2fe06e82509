"""How much of the processors the operating system lets this process use: affinity, and the quota of its control group.

A container that was given two processors of a machine with sixty-four still sees sixty-four: its quota is what counts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def processors() -> int:
    """How many processors this process may use, at least one."""
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    allowed = _quota(GROUPS, MEMBERSHIP)
    return seen if allowed is None else max(1, min(seen, math.ceil(allowed)))


@cache
def _quota(groups: Path, membership: Path) -> float | None:
    """Processors that the control groups of this process allow, the strictest of them; None where none limits."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    found = [limit for line in lines for limit in _limits(groups, *line.split(":", 2)[1:])]
    return min(found, default=None)


def _limits(groups: Path, controllers: str, path: str) -> Iterator[float]:
    """The limits that a group and those above it set; the group's own folder may lie outside of a container's view."""
    if controllers and "cpu" not in controllers.split(","):
        return
    mounts = [groups / controllers, groups / "cpu"] if controllers else [groups, groups / "unified"]
    inside = PurePosixPath(path.lstrip("/"))
    for folder in mounts:
        for group in (inside, *inside.parents):
            limit = _limit(folder / group, old=bool(controllers))
            if limit is not None:
                yield limit


def _limit(folder: Path, *, old: bool) -> float | None:
    """Quota over period of one group, as either version of control groups writes it."""
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if old else ("cpu.max",)
    try:
        quota, period = " ".join((folder / name).read_text() for name in names).split()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None  # no such group, or no limit: "max", or -1
