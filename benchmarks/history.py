"""A symbol with a history of small appends: reading it, its tail, its past."""

from __future__ import annotations

from typing import Any

from benchmarks import data
from benchmarks.cases import Case, Library, Sizes


def cases(sizes: Sizes) -> list[Case]:
    """Every case of this group."""

    def history(library: Library) -> None:
        library.write("history", data.piece(0))
        for turn in range(1, sizes.appends + 1):
            library.append("history", data.piece(turn))

    def past(_library: Library, turn: int) -> int:
        # Several old versions in turn, so that neither side answers from what it looked up a moment ago.
        return sizes.appends * (1 + turn % 9) // 10

    def versions(listing: Any) -> list[int]:
        return sorted(key.version for key in listing)

    return [
        Case(
            name="read after 300 appends",
            prepare=history,
            run=lambda library, _: library.read("history"),
            goal=6,
            floor=3,
            calls=10,
            compare=lambda item: item.data,
        ),
        Case(
            name="tail after 300 appends",
            prepare=history,
            run=lambda library, _: library.tail("history", n=10),
            goal=5,
            floor=2,
            calls=20,
            compare=lambda item: item.data,
        ),
        Case(
            name="read an old version of 300",
            prepare=history,
            argument=past,
            run=lambda library, version: library.read("history", as_of=version),
            goal=5,
            floor=3,
            calls=9,
            compare=lambda item: item.data,
        ),
        Case(
            name="list_versions of 300",
            prepare=history,
            run=lambda library, _: library.list_versions("history"),
            goal=2,
            floor=1,
            calls=10,
            compare=versions,
        ),
    ]
