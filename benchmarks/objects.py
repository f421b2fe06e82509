"""Measure in a bucket: `python -m benchmarks.objects [--only TEXT] [--quick]` in the environment with both libraries.

Ceph's gateway is started here, in memory. Every operation is timed on ArcticDB and coldframe in turn, first directly
and then through a proxy that adds 20 ms to each request and counts requests and bytes.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.objects_cases import QUICK, BucketCase, BucketSizes, cases
from benchmarks.objects_place import Place, Traffic, started
from benchmarks.sides import OURS, SIDES, THEIRS
from benchmarks.timing import same

LATENCIES = (0, 20)
COLUMNS = ("operation", "ArcticDB, 0 ms", "coldframe", "ratio", "floor", "ArcticDB, 20 ms", "coldframe", "ratio",
           "floor", "requests, ArcticDB", "kB", "requests, coldframe", "kB", "floors")


@dataclass
class Measured:
    """One case: median milliseconds by latency and side, and what one call asked of the server."""

    case: BucketCase
    times: dict[int, dict[str, float]] = field(default_factory=dict)
    traffic: dict[str, Traffic] = field(default_factory=dict)
    error: str = ""

    def ratio(self, latency: int) -> float:
        """How many times faster ours is."""
        return self.times[latency][THEIRS] / self.times[latency][OURS]

    def verdict(self) -> str:
        """Whether both ratios reach their floors."""
        if self.error:
            return f"failed: {self.error[:120]}"
        if self.case.floors is None:
            return ""
        below = [f"{ms} ms" for ms, floor in zip(LATENCIES, self.case.floors, strict=True) if self.ratio(ms) < floor]
        return f"below at {' and '.join(below)}" if below else "met"


def main() -> int:
    """Measure, print as it goes, write the results of a whole run; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objects", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="cases whose name contains this; nothing is written")
    parser.add_argument("--quick", action="store_true", help="small data, to try the benchmarks; nothing is written")
    options = parser.parse_args()
    os.environ.setdefault("ARCTICDB_ALL_LOGLEVEL", "ERROR")
    logging.getLogger("arcticdb").setLevel(logging.ERROR)
    wanted = [each for each in cases(QUICK if options.quick else BucketSizes())
              if options.only is None or options.only in each.name]
    if not wanted:
        print(f"nothing is called like {options.only!r}", file=sys.stderr)
        return 2
    results = []
    with started() as place:
        prepared: set[Callable[[Any], None]] = set()
        for case in wanted:
            results.append(measured := measure(case, place, prepared))
            print(row(measured), flush=True)
    page = markdown(results, quick=options.quick)
    print(f"\n{page}")
    if options.only is None and not options.quick:
        here = Path(__file__).parent
        (here / "results_s3.md").write_text(page)
        (here / "results_s3.json").write_text(as_json(results))
    return int(any(measured.error for measured in results))


def measure(case: BucketCase, place: Place, prepared: set[Callable[[Any], None]]) -> Measured:
    """Time a case on either side, in turn, without and with latency."""
    found = Measured(case)
    try:
        for side in SIDES:
            if case.prepare not in prepared:
                case.prepare(place.open(side, through_proxy=False))
        prepared.add(case.prepare)
        for latency in LATENCIES:
            found.times[latency] = timed(case, place, latency, found.traffic)
    except Exception as error:  # noqa: BLE001 - the other cases are still worth measuring
        found.error = f"{type(error).__name__}: {error}"
    return found


def timed(case: BucketCase, place: Place, latency: int, traffic: dict[str, Traffic]) -> dict[str, float]:
    """Median milliseconds of each side; with latency, also the traffic of the last call."""
    place.proxy.latency(latency / 1000)
    helpers = {side: place.open(side, through_proxy=False) for side in SIDES}
    warm = {side: place.open(side, through_proxy=latency > 0) for side in SIDES}
    samples: dict[str, list[float]] = {side: [] for side in SIDES}
    rounds = case.calls if not latency else max(2, case.calls // 3)
    results: dict[str, Any] = {}
    for number in range(rounds + 1):
        for side in SIDES if number % 2 else reversed(SIDES):
            argument = case.argument(helpers[side], number)
            library = place.open(side, through_proxy=latency > 0) if case.cold else warm[side]
            results.pop(side, None)
            gc.collect()
            place.proxy.traffic()
            begun = time.perf_counter()
            results[side] = case.run(library, argument)
            samples[side].append((time.perf_counter() - begun) * 1e3)
            if latency:
                traffic[side] = place.proxy.traffic()
        if number == 0 and case.compare is not None:
            same(case.compare(results[THEIRS]), case.compare(results[OURS]))
    return {side: median(values[1:]) for side, values in samples.items()}


def row(measured: Measured) -> str:
    """One line of the table."""
    case = measured.case
    if measured.error:
        return f"| {case.name} | {measured.verdict()} |"
    cells = []
    for at, latency in enumerate(LATENCIES):
        times = measured.times[latency]
        floor = "–" if case.floors is None else f"{case.floors[at]:g}"
        cells += [report.number(times[THEIRS]), report.number(times[OURS]), report.number(measured.ratio(latency), 2),
                  floor]
    for side in SIDES:
        seen = measured.traffic[side]
        cells += [str(seen.requests), f"{seen.bytes / 1e3:,.0f}"]
    return f"| {case.name} | {' | '.join(cells)} | {measured.verdict()} |"


def markdown(results: list[Measured], *, quick: bool) -> str:
    """The page of results."""
    facts = report.machine()
    packages = ", ".join(f"{name} {release}" for name, release in facts["packages"].items())
    return "\n".join([
        "# Measured against ArcticDB in a bucket",
        "",
        "Written by `make bench-s3`. Both libraries run in one process against one Ceph gateway, whose objects lie",
        "in memory, on the same cores; call by call in turn. Milliseconds are medians of single calls; ratio is",
        "ArcticDB's time divided by ours. *20 ms*: a proxy in a process of its own lets every request take so much",
        "longer; it also counts the requests of one call, and the kilobytes that they moved both ways. *Cold*: the",
        "first call of a new connection, which was opened before the clock started.",
        "",
        f"{facts['date']}, {facts['system']}, {facts['processor']}, {facts['cores']} cores, Python {facts['python']},",
        f"{packages}.",
        *(["", report.QUICK] if quick else []),
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        *map(row, results),
        "",
    ])


def as_json(results: list[Measured]) -> str:
    """The same for programs."""
    operations = [
        {
            "name": each.case.name,
            "milliseconds": {f"{latency} ms": times for latency, times in each.times.items()},
            "floors": each.case.floors,
            "traffic": {side: asdict(seen) for side, seen in each.traffic.items()},
            "verdict": each.verdict(),
        }
        for each in results
    ]
    return json.dumps({"machine": report.machine(), "operations": operations}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
