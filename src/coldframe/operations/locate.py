"""Where in a sorted version the rows of a time range lie: slices by their bounds, then a search in one block."""

from __future__ import annotations

from typing import Literal

import numpy as np

from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.operations.rows import load_times
from coldframe.stores.base import Reader


def rows_between(reader: Reader, version: Version, first: int, last: int) -> tuple[int, int]:
    """The rows from `first` to `last`, both inclusive, in units of the time index, as half-open positions."""
    total = version.record.rows
    if first > last or not total:
        return 0, 0
    chunks = version.contents.manifest.chunks
    begin = 0
    low: int | None = None
    high = total
    for number, chunk in enumerate(chunks):
        end = begin + chunk.rows
        wanted_low = low is None and chunk.last >= first
        wanted_high = chunk.last > last
        if wanted_low or wanted_high:
            slices = version.contents.chunk(number)
            if wanted_low:
                low = _search(reader, version, slices, begin, first, "left")
                if low == end and number + 1 < len(chunks):
                    low = None  # the chunk's bound is an upper one; the row is in a later chunk
            if wanted_high:
                high = _search(reader, version, slices, begin, last, "right")
                if high < end:
                    break
        begin = end
    low = total if low is None else min(low, total)
    return low, max(low, min(high, total))


def time_at(reader: Reader, version: Version, row: int) -> int:
    """The time index of one row."""
    slices, begin = version.contents.slices(row, row + 1)
    number = int(np.searchsorted(slices.starts, row - begin, side="right")) - 1
    return int(load_times(reader, version, slices, number)[row - begin - int(slices.starts[number])])


def _search(
    reader: Reader, version: Version, slices: Slices, begin: int, value: int, side: Literal["left", "right"]
) -> int:
    """The first row at or after (left), or after (right) a time, within one chunk that begins at row `begin`."""
    firsts, lasts = slices.slices["first"], slices.slices["last"]
    number = int(np.argmax(lasts >= value)) if side == "left" else int(np.argmax(lasts > value))
    ends: list[int] = slices.starts.tolist()
    while number < len(slices):
        start, stop = begin + ends[number], begin + ends[number + 1]
        if firsts[number] > value or (side == "left" and firsts[number] == value):
            return start
        stop = min(stop, version.record.rows)
        if start >= stop:
            return start
        times = load_times(reader, version, slices, number)[: stop - start]
        found = int(times.searchsorted(value, side))
        if found < len(times):
            return start + found
        number += 1
    return begin + ends[-1]
