"""Small symbols: what one call costs when there is little to move."""

from __future__ import annotations

from typing import Any

from benchmarks import data
from benchmarks.cases import Case, Library, Sizes


def _first(library: Library) -> None:
    library.write("small", data.small())


def _grown(library: Library) -> None:
    library.write("growing", data.piece(0))


def cases(sizes: Sizes) -> list[Case]:
    """Every case of this group."""
    names = [f"symbol_{number:04d}" for number in range(sizes.symbols)]

    def many(library: Library) -> None:
        for name in names:
            library.write(name, data.small())

    def first_and_last(items: Any) -> Any:
        return [items[0].data, items[-1].data, len(items)]

    return [
        Case(
            name="write 100 rows",
            prepare=_first,
            run=lambda library, _: library.write("small", data.small()),
            goal=2.2,
            floor=1.8,
            rounds=10,
            calls=20,
        ),
        Case(
            name="read 100 rows",
            prepare=_first,
            run=lambda library, _: library.read("small"),
            goal=5,
            floor=3,
            rounds=10,
            calls=200,
            compare=lambda item: item.data,
        ),
        Case(
            name="append 100 rows",
            prepare=_grown,
            argument=lambda _, turn: data.piece(turn + 1),
            run=lambda library, rows: library.append("growing", rows),
            goal=2.5,
            floor=2,
            rounds=10,
            calls=20,
        ),
        Case(
            name="read_batch of 1,000 small symbols",
            prepare=many,
            run=lambda library, _: library.read_batch(names),
            goal=4,
            floor=2,
            rounds=9,
            compare=first_and_last,
        ),
    ]
