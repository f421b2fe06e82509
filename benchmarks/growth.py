"""A symbol grown one row at a time: whether reads and appends stay what they were."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks import data
from benchmarks.cases import Sizes
from benchmarks.limits import Limit
from benchmarks.sides import OURS, SIDES, THEIRS, both
from benchmarks.timing import in_turn

TURN = 50


def measure(folder: Path, sizes: Sizes) -> list[Limit]:
    """Read of the grown symbol ÷ read of one written at once; last appends ÷ first ones."""
    count = sizes.one_row_appends
    rows = data.normals(data.seconds(0, count), 8, seed=7)
    pieces = [rows.iloc[at : at + 1] for at in range(count)]
    edge = min(100, count // 4)
    with both(folder, "growth") as libraries:
        times: dict[str, list[float]] = {side: [] for side in SIDES}
        for start in range(0, count, TURN):
            for side in SIDES:
                append = libraries[side].append
                for piece in pieces[start : start + TURN]:
                    started = time.perf_counter()
                    append("grown", piece)
                    times[side].append((time.perf_counter() - started) * 1e3)
        for side in SIDES:
            libraries[side].write("once", rows)
            pd.testing.assert_frame_equal(libraries[side].read("grown").data, rows, check_freq=False)
        reads = in_turn(
            {f"{side} {name}": partial(libraries[side].read, name) for name in ("grown", "once") for side in SIDES},
            rounds=101,
        )
        ratios = {side: reads[f"{side} grown"] / reads[f"{side} once"] for side in SIDES}
    first = {side: median(values[:edge]) for side, values in times.items()}
    last = {side: median(values[-edge:]) for side, values in times.items()}
    return [
        Limit(
            "read after 3,000 one-row appends ÷ read of the same rows written at once",
            "×",
            ratios[THEIRS],
            ratios[OURS],
            2.0,
        ),
        Limit(
            f"last of 3,000 one-row appends ÷ first (medians of {edge})",
            "×",
            last[THEIRS] / first[THEIRS],
            last[OURS] / first[OURS],
            1.5,
        ),
        Limit("one-row append, the first", "ms", first[THEIRS], first[OURS]),
        Limit("one-row append, the last", "ms", last[THEIRS], last[OURS]),
    ]
