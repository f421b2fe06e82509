"""Stretches of time in a distant store: the slices at the ends are fetched before it is known which rows are in it.

To find the rows, the times of the first and the last slice must be looked at, and then blocks of these same slices are
wanted. Fetching them together spares one or two round trips, and no byte more is moved than otherwise, but where a
stretch ends just between two slices.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.records import ASCENDING
from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.format.assembly import Assembly
from coldframe.operations.rows import fetch_of, wanted_parts
from coldframe.stores.base import Buffer, Entry, Fetch, Reader, Stored

T = TypeVar("T")
R = TypeVar("R")


class Ahead(Reader):
    """A reader that has some byte ranges already, and asks another for everything else."""

    def __init__(self, reader: Reader, wanted: Sequence[Fetch]) -> None:
        self.distant = reader.distant
        self._reader = reader
        self._have: dict[tuple[str, int, int], Buffer] = {}
        for item, payloads in zip(wanted, reader.fetch(wanted), strict=True):
            for (start, stop), payload in zip(item.ranges, payloads, strict=True):
                self._have[item.key, start, stop] = payload

    def get(self, key: str) -> Stored:
        """As the other reader."""
        return self._reader.get(key)

    def get_many(self, keys: Sequence[str]) -> builtins.list[Stored | None]:
        """As the other reader."""
        return self._reader.get_many(keys)

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """As the other reader."""
        return self._reader.list(prefix, start_after)

    def concurrently(self, work: Callable[[T], R], items: Sequence[T]) -> builtins.list[R]:
        """As the other reader."""
        return self._reader.concurrently(work, items)

    def fetch(self, wanted: Sequence[Fetch]) -> builtins.list[builtins.list[Buffer]]:
        """Byte ranges, of which those that are here are not asked for."""
        here = [self._known(item) for item in wanted]
        lacking = [item for item, known in zip(wanted, here, strict=True) if known is None]
        answers = iter(self._reader.fetch(lacking) if lacking else ())
        return [next(answers) if known is None else known for known in here]

    def _known(self, item: Fetch) -> builtins.list[Buffer] | None:
        try:
            return [self._have[item.key, start, stop] for start, stop in item.ranges]
        except KeyError:
            return None


def ahead(
    reader: Reader, version: Version, first: int, last: int, columns: NDArray[np.intp] | None = None
) -> Reader:
    """A reader that has what is surely wanted of the times from `first` to `last`, in the unit of the time index.

    That is all columns, or some (ascending stored positions), of the slices that hold the two ends. A near store is
    asked when it is needed.
    """
    if not reader.distant or first > last or version.record.sorted != ASCENDING:
        return reader
    schema = version.contents.schema()
    wanted: list[Fetch] = []
    for slices in _at_the_ends(version, first, last):
        assembly = Assembly(schema, columns, slices.rows)
        parts = wanted_parts(version, assembly, slices, 0, 0, slices.rows, None)
        wanted += [fetch_of(part) for part in parts if part.inlined is None]
    return Ahead(reader, wanted) if wanted else reader


def _at_the_ends(version: Version, first: int, last: int) -> list[Slices]:
    """The first and the last slice of those that may have rows between two times, each by itself."""
    chunks = version.contents.manifest.chunks
    inside = [number for number, chunk in enumerate(chunks) if chunk.last >= first and chunk.first <= last]
    found: dict[tuple[int, int], Slices] = {}
    for chunk in sorted({inside[0], inside[-1]}) if inside else ():
        slices = version.contents.chunk(chunk)
        mine = np.flatnonzero((slices.slices["last"] >= first) & (slices.slices["first"] <= last)).tolist()
        ends = {mine[0]} if mine and chunk == inside[0] else set()
        ends |= {mine[-1]} if mine and chunk == inside[-1] else set()
        found |= {(chunk, number): slices.run(number, number + 1) for number in sorted(ends)}
    return list(found.values())
