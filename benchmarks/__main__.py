"""Run the benchmarks: `python -m benchmarks [--only TEXT] [--quick]` in the environment with both libraries."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import footprint, growth, history, importing, memory, queries, reading, report, small, writing
from benchmarks.cases import QUICK, Case, Sizes
from benchmarks.limits import Limit
from benchmarks.sides import SIDES, both
from benchmarks.timing import Timing, measure

GROUPS: dict[str, Callable[[Sizes], list[Case]]] = {
    "small": small.cases,
    "history": history.cases,
    "reading": reading.cases,
    "writing": writing.cases,
    "queries": queries.cases,
}
LIMITS: dict[str, Callable[[Path, Sizes], list[Limit]]] = {
    "importing": importing.measure,
    "growth": growth.measure,
    "memory": memory.measure,
    "footprint": footprint.measure,
}


def main() -> int:
    """Measure, print as it goes, write the results of a whole run; 1 if anything failed."""
    options = arguments()
    sizes = QUICK if options.quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="coldframe-bench-", dir=options.folder) as place:
        limits = run_limits(Path(place), sizes, options.only)
        timings = run_cases(Path(place), sizes, options.only, options.rounds)
    if not timings and not limits:
        print(f"nothing is called like {options.only!r}", file=sys.stderr)
        return 2
    page = report.markdown(facts := report.machine(), timings, limits, quick=options.quick)
    print(f"\n{page}")
    if options.only is None and not options.quick:
        here = Path(__file__).parent
        (here / "results.md").write_text(page)
        (here / "results.json").write_text(report.as_json(facts, timings, limits))
    return int(any(row.error for row in timings) or any(row.error for row in limits))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="groups and cases whose name contains this; nothing is written")
    parser.add_argument("--quick", action="store_true", help="small data, to try the benchmarks; nothing is written")
    parser.add_argument("--rounds", type=int, help="how often the turn passes (default: as each case says)")
    parser.add_argument("--folder", help="where the libraries stand while measured (default: the system's choice)")
    return parser.parse_args()


def run_cases(place: Path, sizes: Sizes, only: str | None, rounds: int | None) -> list[Timing]:
    """Every wanted case, group by group; the cases of a group share their libraries."""
    timings = []
    for group, cases in GROUPS.items():
        wanted = [case for case in cases(sizes) if only is None or only in group or only in case.name]
        if not wanted:
            continue
        with both(place, group) as libraries:
            prepared = set()
            for case in wanted:
                if case.prepare not in prepared:
                    prepared.add(case.prepare)
                    for side in SIDES:
                        case.prepare(libraries[side])
                timings.append(timing := measure(case, libraries, rounds=rounds))
                print(report.timing_row(timing), flush=True)
    return timings


def run_limits(place: Path, sizes: Sizes, only: str | None) -> list[Limit]:
    """Every wanted limit."""
    limits = []
    for name, take in LIMITS.items():
        if only is not None and only not in name:
            continue
        try:
            rows = take(place, sizes)
        except Exception as error:  # noqa: BLE001 - the others are still worth measuring
            rows = [Limit(name, "", float("nan"), float("nan"), None, f"{type(error).__name__}: {error}")]
        limits += rows
        for row in rows:
            print(report.limit_row(row), flush=True)
    return limits


if __name__ == "__main__":
    sys.exit(main())
