"""Which requests fetch the wanted byte ranges of an object best: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coldframe.memory import scratch
from coldframe.stores.base import Buffer

# Reading this many unwanted bytes costs about as much as another request beside the others.
GAP = 64 * 1024
# A longer piece is fetched by several requests at once: one connection is slower than the network.
PIECE = 8 * 1024 * 1024
# From so many bytes on it is worth while to read a piece from the connection straight to where it belongs.
DIRECT = 2 * 1024 * 1024


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


class Run(NamedTuple):
    """Bytes of an object from `start` on, in one run of memory."""

    start: int
    data: Buffer


def lay(piece: Piece, places: Sequence[Run]) -> list[Run]:
    """Memory for all bytes of a piece, in their order: the places given for some, new memory for the others.

    Examples
    --------
    >>> memory = memoryview(bytearray(10))
    >>> [(run.start, len(run.data)) for run in lay(Piece(5, 25), [Run(0, memory), Run(12, memory)])]
    [(5, 5), (10, 2), (12, 10), (22, 3)]
    """
    runs = []
    at = piece.start
    for start, place in sorted(places, key=lambda run: run.start):
        first, last = max(start, piece.start), min(start + len(place), piece.stop)
        if first < at or first >= last:
            continue  # these bytes are elsewhere, or have their place already
        if at < first:
            runs.append(Run(at, scratch(first - at)))
        runs.append(Run(first, memoryview(place)[first - start : last - start]))
        at = last
    if at < piece.stop:
        runs.append(Run(at, scratch(piece.stop - at)))
    return runs


def cut(ranges: Sequence[tuple[int, int]], pieces: Sequence[Piece], found: Sequence[Sequence[Run]]) -> list[Buffer]:
    """The wanted ranges out of the fetched pieces; short where the object was.

    Examples
    --------
    >>> [bytes(data) for data in cut([(1, 3), (2, 9)], [Piece(0, 4)], [[Run(0, b"abcd")]])]
    [b'bc', b'cd']
    """
    return [_cut_one(start, stop, pieces, found) for start, stop in ranges]


def _cut_one(start: int, stop: int, pieces: Sequence[Piece], found: Sequence[Sequence[Run]]) -> Buffer:
    parts: list[Buffer] = []
    for piece, runs in zip(pieces, found, strict=True):
        if piece.start >= stop or start >= piece.stop:
            continue
        end = piece.start
        for run in runs:
            end = run.start + len(run.data)
            if run.start < stop and start < end:
                parts.append(memoryview(run.data)[max(start - run.start, 0) : stop - run.start])
        if end < min(stop, piece.stop):
            break
    if len(parts) == 1:
        return parts[0]
    return b"".join(parts)
