"""The results as a page to read and as JSON to compute with."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.limits import Limit
from benchmarks.timing import Timing

PACKAGES = ["coldframe", "arcticdb", "pandas", "numpy", "pyarrow", "lmdb", "pcodec", "zstandard"]
QUICK = "**Quick run: the data are far smaller than the names say, and the verdicts mean nothing.**"


def machine() -> dict[str, Any]:
    """Facts about the machine that bear on the figures, and nothing that says whose it is."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def processor() -> str:
    """The model of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def number(value: float, digits: int = 3) -> str:
    """A figure with as many digits as it deserves."""
    if math.isnan(value):
        return "–"
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def timing_row(timing: Timing) -> str:
    """One line of the table of operations."""
    case = timing.case
    goal, floor = ("–", "–") if case.goal is None or case.floor is None else (f"{case.goal:g}", f"{case.floor:g}")
    verdict = timing.verdict if not timing.error else f"failed: {timing.error[:120]}"
    return (
        f"| {case.name} | {number(timing.theirs)} | {number(timing.ours)} | {number(timing.ratio, 2)} "
        f"| {goal} | {floor} | {verdict} |"
    )


def limit_row(limit: Limit) -> str:
    """One line of the table of limits."""
    wanted = "–" if limit.wanted is None else f"≤ {number(limit.wanted)}"
    verdict = limit.verdict if not limit.error else f"failed: {limit.error[:120]}"
    return f"| {limit.name} | {limit.unit} | {number(limit.theirs)} | {number(limit.ours)} | {wanted} | {verdict} |"


def markdown(facts: dict[str, Any], timings: list[Timing], limits: list[Limit], *, quick: bool = False) -> str:
    """The page; `quick` says on it that the data are smaller than the names of the cases tell."""
    packages = ", ".join(f"{name} {release}" for name, release in facts["packages"].items())
    lines = [
        "# Measured against ArcticDB",
        "",
        "Written by `make bench`. Both libraries run in one process, on LMDB in the same file system, call by call in",
        "turn after a warm-up; figures are medians, ratio is ArcticDB's time divided by ours. Only the call itself is",
        "timed; what a read returns is compared with what the other side returns. What is below its floor, and why,",
        "is in `docs/design/011-speed.md`, and for queries in `docs/design/031-query-speed.md`.",
        "",
        f"{facts['date']}, {facts['system']}, {facts['processor']}, {facts['cores']} cores, Python {facts['python']},",
        f"{packages}.",
        *(["", QUICK] if quick else []),
        "",
        "| operation | ArcticDB ms | coldframe ms | ratio | goal | floor | verdict |",
        "|---|--:|--:|--:|--:|--:|---|",
        *map(timing_row, timings),
        "",
        "| measure | unit | ArcticDB | coldframe | wanted | verdict |",
        "|---|---|--:|--:|--:|---|",
        *map(limit_row, limits),
        "",
        "Peak memory counts anonymous memory, sampled every millisecond from a second process. Pages of the map that a",
        "read or write has touched belong to the file and the system's cache: they are shared with other processes and",
        "given back when memory is wanted, so they are not counted.",
        "",
    ]
    return "\n".join(lines)


def as_json(facts: dict[str, Any], timings: list[Timing], limits: list[Limit]) -> str:
    """The same for programs."""
    return (
        json.dumps(
            {
                "machine": facts,
                "operations": [
                    {
                        "name": timing.case.name,
                        "arcticdb_ms": timing.theirs,
                        "coldframe_ms": timing.ours,
                        "ratio": timing.ratio,
                        "goal": timing.case.goal,
                        "floor": timing.case.floor,
                        "spread": timing.spread,
                        "verdict": timing.verdict,
                        "error": timing.error,
                    }
                    for timing in timings
                ],
                "limits": [asdict(limit) | {"verdict": limit.verdict} for limit in limits],
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )
