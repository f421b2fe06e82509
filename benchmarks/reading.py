"""Reading large symbols: tall, ticking, strings, wide."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import data
from benchmarks.cases import Case, Library, Sizes


def frame(item: Any) -> pd.DataFrame:
    """What a read returned, as both libraries should return it."""
    return item.data


def cases(sizes: Sizes) -> list[Case]:
    """Every case of this group."""
    day = data.middle_day(sizes.tall)
    few = [f"instrument_{number:05d}" for number in range(0, sizes.wide_columns, sizes.wide_columns // 10)]

    def tall(library: Library) -> None:
        library.write("tall", data.tall(sizes.tall))

    def ticks(library: Library) -> None:
        library.write("ticks", data.ticks(sizes.ticks))

    def strings(library: Library) -> None:
        library.write("strings", data.strings(sizes.strings, sizes.distinct))

    def wide(library: Library) -> None:
        library.write("wide", data.wide(sizes.wide_rows, sizes.wide_columns))

    return [
        Case(
            name="read 5M × 8 random floats",
            prepare=tall,
            run=lambda library, _: library.read("tall"),
            goal=1.4,
            floor=1.2,
            compare=frame,
        ),
        Case(
            name="read 2 of 8 columns",
            prepare=tall,
            run=lambda library, _: library.read("tall", columns=["b", "g"]),
            goal=1.6,
            floor=1.3,
            rounds=15,
            compare=frame,
        ),
        Case(
            name="read one day of 5M seconds",
            prepare=tall,
            run=lambda library, _: library.read("tall", date_range=day),
            goal=4,
            floor=2,
            rounds=15,
            calls=3,
            compare=frame,
        ),
        Case(
            name="read 5M ticks",
            prepare=ticks,
            run=lambda library, _: library.read("ticks"),
            goal=3,
            floor=2,
            compare=frame,
        ),
        Case(
            name="read 2M strings, 200k distinct",
            prepare=strings,
            run=lambda library, _: library.read("strings"),
            goal=4,
            floor=3,
            compare=frame,
        ),
        Case(
            name="read 1,000 × 20,000",
            prepare=wide,
            run=lambda library, _: library.read("wide"),
            goal=10,
            floor=6,
            compare=frame,
        ),
        Case(
            name="read 10 columns of 20,000",
            prepare=wide,
            run=lambda library, _: library.read("wide", columns=few),
            goal=20,
            floor=10,
            rounds=15,
            calls=3,
            compare=frame,
        ),
    ]
