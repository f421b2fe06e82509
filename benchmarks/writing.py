"""Writing large symbols, and correcting a piece in the middle of one."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from benchmarks import data
from benchmarks.cases import Case, Library, Sizes


def fresh(library: Library, _turn: int) -> None:
    """Forget what the write before has left, and let the disk finish it, so that every write starts alike."""
    library.delete("written")
    os.sync()


def cases(sizes: Sizes) -> list[Case]:
    """Every case of this group."""

    def correction(_library: Library, turn: int) -> pd.DataFrame:
        os.sync()
        return data.normals(data.seconds(sizes.tall // 2, 1_000), 8, seed=100 + turn)

    def write(name: str, frame: pd.DataFrame, goal: float | None, floor: float | None) -> Case:
        return Case(
            name=name,
            argument=fresh,
            run=lambda library, _: library.write("written", frame),
            goal=goal,
            floor=floor,
            rounds=7,
        )

    def update(library: Library, rows: Any) -> Any:
        return library.update("corrected", rows)

    return [
        write("write 5M × 8 random floats", data.tall(sizes.tall), 1.2, 1.0),
        write("write 5M ticks", data.ticks(sizes.ticks), 1.3, 1.0),
        write("write 1,000 × 20,000", data.wide(sizes.wide_rows, sizes.wide_columns), 5, 3),
        write("write 2M strings, 200k distinct", data.strings(sizes.strings, sizes.distinct), 2, 1.5),
        write(
            "write 2M strings, an object for each row",
            data.unshared_strings(sizes.strings, sizes.distinct),
            None,
            None,
        ),
        Case(
            name="update 1,000 rows in 5M",
            prepare=lambda library: library.write("corrected", data.tall(sizes.tall)),
            argument=correction,
            run=update,
            goal=2,
            floor=1.5,
            rounds=15,
        ),
    ]
