"""Which requests fetch the wanted byte ranges of an object best: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coldframe.stores.base import Buffer

# Reading this many unwanted bytes costs about as much as another request beside the others.
GAP = 64 * 1024
# A longer piece is fetched by several requests at once: one connection is slower than the network.
PIECE = 8 * 1024 * 1024


class Piece(NamedTuple):
    """Bytes `start` to `stop` of an object, fetched by one request."""

    start: int
    stop: int


def plan(ranges: Sequence[tuple[int, int]], *, gap: int = GAP, piece: int = PIECE) -> list[Piece]:
    """The pieces to fetch, ascending, not overlapping, each at most `piece` long.

    Examples
    --------
    >>> plan([(0, 10), (20, 30), (1_000_000, 1_000_001)])
    [Piece(start=0, stop=30), Piece(start=1000000, stop=1000001)]
    """
    merged: list[list[int]] = []
    for start, stop in sorted(wanted for wanted in ranges if wanted[0] < wanted[1]):
        if merged and start - merged[-1][1] <= gap:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    pieces = []
    for start, stop in merged:
        count = -(-(stop - start) // piece)
        step = -(-(stop - start) // count)
        pieces += [Piece(at, min(at + step, stop)) for at in range(start, stop, step)]
    return pieces


def cut(ranges: Sequence[tuple[int, int]], pieces: Sequence[Piece], data: Sequence[Buffer]) -> list[Buffer]:
    """The wanted ranges out of the fetched pieces; short where the object was.

    Examples
    --------
    >>> [bytes(found) for found in cut([(1, 3), (2, 9)], [Piece(0, 4)], [b"abcd"])]
    [b'bc', b'cd']
    """
    return [_cut_one(start, stop, pieces, data) for start, stop in ranges]


def _cut_one(start: int, stop: int, pieces: Sequence[Piece], data: Sequence[Buffer]) -> Buffer:
    parts: list[Buffer] = []
    for piece, found in zip(pieces, data, strict=True):
        if piece.start < stop and start < piece.stop:
            view = memoryview(found)[max(start - piece.start, 0) : stop - piece.start]
            parts.append(view)
            if piece.start + len(found) < min(stop, piece.stop):
                break
    if len(parts) == 1:
        return parts[0]
    return b"".join(parts)
