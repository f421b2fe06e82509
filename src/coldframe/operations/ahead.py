"""Bytes that are fetched from a distant store before it is known whether all of them are wanted.

To find the rows of a stretch of time, the times of the first and the last slice must be looked at, and then blocks of
these same slices are wanted. Fetching them together spares one or two round trips, and no byte more is moved than
otherwise, but where a stretch ends just between two slices. A little is always fetched at once, all of it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Sequence
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

AT_ONCE = 8 * 1024 * 1024
"""So many bytes take about as long as the round trips that a look at some of them first would take."""


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
    reader: Reader,
    version: Version,
    first: int,
    last: int,
    columns: NDArray[np.intp] | None = None,
    surely: NDArray[np.intp] | None = None,
) -> Reader:
    """A reader that has what is wanted of the times from `first` to `last`, in the unit of the time index.

    That is all columns, or some (ascending stored positions): of all slices of the stretch if that is little, else of
    those that hold its two ends. Of these, some columns may be all that is `surely` wanted. A near store is asked when
    something is needed.
    """
    if not reader.distant or first > last or version.record.sorted != ASCENDING:
        return reader
    inside, ends = _stretch(version, first, last)
    wanted = few(_fetches(version, inside, columns))
    if wanted is None:
        wanted = list(_fetches(version, ends, columns if surely is None else surely))
    return Ahead(reader, wanted) if wanted else reader


def few(wanted: Iterable[Fetch]) -> list[Fetch] | None:
    """What is wanted, if that is little; None as soon as it turns out to be much.

    No range of an object is there twice: slices that were cut out of one lie in the same object.
    """
    spans: dict[str, dict[tuple[int, int], None]] = {}
    left = AT_ONCE
    for item in wanted:
        mine = spans.setdefault(item.key, {})
        new = [span for span in item.ranges if span not in mine]
        mine.update(dict.fromkeys(new))
        left -= sum(stop - start for start, stop in new)
        if left < 0:
            return None
    return [Fetch(key, list(ranges)) for key, ranges in spans.items()]


def _fetches(version: Version, slices: list[Slices], columns: NDArray[np.intp] | None) -> Iterator[Fetch]:
    """What has to be fetched for some columns of slices."""
    schema = version.contents.schema()
    for one in slices:
        parts = wanted_parts(version, Assembly(schema, columns, one.rows), one, 0, 0, one.rows, None)
        yield from (fetch_of(part) for part in parts if part.inlined is None)


def _stretch(version: Version, first: int, last: int) -> tuple[list[Slices], list[Slices]]:
    """Of the slices that may have rows between two times: all, and the first and the last; each by itself.

    Where they lie in more than two chunks, those between are not looked for.
    """
    chunks = version.contents.manifest.chunks
    inside = [number for number, chunk in enumerate(chunks) if chunk.last >= first and chunk.first <= last]
    found: list[Slices] = []
    for chunk in sorted({inside[0], inside[-1]}) if inside else ():
        slices = version.contents.chunk(chunk)
        mine = np.flatnonzero((slices.slices["last"] >= first) & (slices.slices["first"] <= last)).tolist()
        if len(inside) > 2:
            mine = mine[:1] if chunk == inside[0] else mine[-1:]
        found += [slices.run(number, number + 1) for number in mine]
    return found, found[:1] + found[1:][-1:]
