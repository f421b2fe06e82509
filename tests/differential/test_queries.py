"""Random queries on both libraries; goes on after ArcticDB has ended the process, which it does now and then."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.differential.test_differential import ROOT, both, run

FRAMES = 300  # for every commit
CRASHES = 10

__all__ = ["both"]


def reports(first: int, last: int) -> tuple[list[dict[str, Any]], int]:
    """What the frames of these seeds gave, and how often ArcticDB brought the process down with it."""
    made: list[dict[str, Any]] = []
    crashes = 0
    while first < last:
        done = run("-m", "differential.queries", str(first), str(last))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        made += lines
        if done.returncode == 0:
            break
        assert done.returncode < 0, done.stderr[-3000:]
        assert "arcticdb/version_store" in done.stderr, done.stderr[-3000:]
        crashes += 1
        assert crashes <= CRASHES, "ArcticDB crashes too often to compare"
        first = (lines[-1]["seed"] if lines else first - 1) + 2  # the frame after the one that was asked for
    return made, crashes


def test_random_queries(both: None, runs: Callable[[int], int]) -> None:
    frames = runs(FRAMES)
    made, crashes = reports(0, frames)
    outcomes: Counter[str] = Counter()
    for report in made:
        outcomes += Counter(report["outcomes"])
    differences = [found for report in made for found in report["differences"]]
    assert differences == [], "\n\n".join(differences[:12])
    assert len(made) >= frames - crashes
    assert min(outcomes["rows"], outcomes["groups"]) > 0


def test_single_queries(both: None) -> None:
    """Each kind of literal, error and documented difference by itself."""
    done = run("-m", "differential.query_calls")
    assert done.stdout, f"no report:\n{done.stderr[-3000:]}"
    made = json.loads(done.stdout.splitlines()[-1])
    assert made["differences"] == [], "\n\n".join(made["differences"])
    assert made["agreeing"] == [], "said to differ, and does not"


def test_every_difference_of_queries_is_documented(both: None) -> None:
    done = run("-c", "from differential.query_calls import CALLS; print(*{c.heading for c in CALLS}, sep='\\n')")
    assert done.returncode == 0, done.stderr
    lines = (ROOT / "docs" / "differences.md").read_text().splitlines()
    headings = {line.lstrip("# ").strip() for line in lines if line[:1] == "#"}
    assert set(done.stdout.split("\n")) - {""} - headings == set()
