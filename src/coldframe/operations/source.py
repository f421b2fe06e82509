"""The row slices of a stored version as a source for queries: columns loaded when asked for, statistics to prune by."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.records import ASCENDING, UNKNOWN
from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.format.codecs import ids
from coldframe.format.schema import Schema
from coldframe.operations.rows import WAVE
from coldframe.operations.slice_columns import Fetched, SliceColumns
from coldframe.query.columns import Column
from coldframe.query.source import Statistics
from coldframe.stores.base import Reader

_Key = tuple[int, tuple[int, ...]]
"""A slice and the columns wanted of it (positions in table order)."""


class StoredSource:
    """Rows `start` to `stop` of a version, slice by slice.

    Attributes
    ----------
    schema : Schema
    rows : int64 array
        Of each slice.
    ordered : bool or None
        Whether the rows ascend by their time; None: not known.
    symbol : str

    Parameters
    ----------
    reader : Reader
        One transaction serves all worker threads; it looks up one thing at a time.
    version : Version
    start, stop : int
    lock : Lock, optional
        Of the reader, where several sources share it.
    """

    def __init__(
        self, reader: Reader, version: Version, start: int, stop: int, lock: threading.Lock | None = None
    ) -> None:
        self.version = version
        self.schema: Schema = version.contents.schema()
        self.symbol = version.symbol
        order = version.record.sorted
        self.ordered = None if order == UNKNOWN else order == ASCENDING
        slices, begin = version.contents.slices(start, stop)
        self.slices: Slices = slices.tail(start - begin).head(stop - start)
        self.rows: NDArray[np.int64] = self.slices.slices["rows"].astype(np.int64)
        self._columns = SliceColumns(reader, version, self.slices)
        self._distant = reader.distant
        self._lock = lock if lock is not None else threading.Lock()
        self._announced: dict[_Key, None] = {}
        self._ready: dict[_Key, Fetched] = {}
        self._sources = [version.contents.schema(number) for number in range(len(version.contents.manifest.schemas))]

    def load(self, index: int, columns: Sequence[int]) -> list[Column]:
        """The given columns (positions in table order) of a slice. May be called from any thread."""
        key = (index, tuple(columns))
        with self._lock:
            fetched = self._ready.pop(key, None)
            if fetched is None:
                fetched = self._fetch_wave(key)
        return self._columns.decode(fetched)

    def prefetch(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Announce what will be loaded, in this order: it is fetched in waves, each when its first part is wanted."""
        with self._lock:
            self._announced.update(((index, tuple(columns)), None) for index, columns in wanted)

    def _fetch_wave(self, key: _Key) -> Fetched:
        """Fetch a slice's columns together with what was announced after it, up to the size of a wave."""
        self._announced.pop(key, None)
        wave = [key]
        size = int(self.slices.sizes[key[0]])
        for other in self._announced:
            if size > WAVE:
                break
            wave.append(other)
            size += int(self.slices.sizes[other[0]])
        fetched = self._columns.fetch(wave)
        for other, part in zip(wave[1:], fetched[1:], strict=True):
            del self._announced[other]
            self._ready[other] = part
        return fetched[0]

    def missing(self, index: int) -> Collection[int]:
        """The columns (positions in table order) that a slice was written without."""
        source = self._sources[int(self.slices.slices["schema"][index])]
        if source is self.schema or source.names == self.schema.names:
            return ()
        return [
            position
            for position, name in enumerate(self.schema.names)
            if position >= self.schema.index_columns and str(name) not in source.columns_named
        ]

    def statistics(self, column: int) -> Statistics | None:
        """What is known of a column in each slice."""
        dtype = self.schema.dtype(column)
        if not dtype.fixed or dtype.kind == "category":
            return None
        count = len(self.slices)
        known = np.zeros(count, dtype=np.bool_)
        least, most = np.zeros(count, dtype.storage), np.zeros(count, dtype.storage)
        nulls = np.full(count, -1, dtype=np.int64)
        per_segment = np.diff(self.slices.block_starts)
        slice_of = np.repeat(np.repeat(np.arange(count), np.diff(self.slices.segment_starts)), per_segment)
        blocks = self.slices.blocks
        numbers = self.slices.slices["schema"][slice_of]
        for number, source in enumerate(self._sources):
            stored = self._place(source, column)
            if stored is None:
                continue
            mine = np.flatnonzero(
                (numbers == number) & (blocks["first"] <= stored) & (stored < blocks["first"] + blocks["count"])
            )
            where, found = slice_of[mine], blocks[mine]
            known[where] = found["stats"] == 1
            least[where] = _values(found["min"], dtype.storage)
            most[where] = _values(found["max"], dtype.storage)
            whole = self.slices.slices["rows"][where] == self.slices.slices["stored"][where]
            exact = whole & (found["count"] == 1)
            nulls[where[exact]] = found["nulls"][exact]
        return Statistics(known, least, most, nulls)

    def without_gil(self, columns: Collection[int]) -> bool:
        """Whether most of what loading these columns takes needs no GIL: unpacking, or waiting for a distant store."""
        if self._distant:
            return True
        stored = np.sort(self.schema.place[list(columns)])
        blocks = self.slices.blocks
        first = blocks["first"].astype(np.intp)
        holding = np.searchsorted(stored, first + blocks["count"]) > np.searchsorted(stored, first)
        packed = ~np.isin(blocks["codec"][holding], (ids.RAW, ids.CONSTANT, ids.LINEAR))
        return 2 * int(np.count_nonzero(packed)) > len(packed)

    def stored_bytes(self, slices: NDArray[np.intp], columns: NDArray[np.intp]) -> int:
        """The encoded bytes of some columns of some slices."""
        wanted = columns.tolist()
        return sum(self._columns.size(index, wanted) for index in slices.tolist())

    def _place(self, source: Schema, column: int) -> int | None:
        """The stored position of a column in a slice's own schema, where it has it in the same type."""
        position = column
        if column >= self.schema.index_columns and source.names != self.schema.names:
            found = source.columns_named.get(str(self.schema.names[column]))
            if found is None:
                return None
            position = found[0]
        return int(source.place[position]) if source.dtype(position) == self.schema.dtype(column) else None


def _values(raw: NDArray[Any], storage: np.dtype[np.generic]) -> NDArray[Any]:
    """Numbers whose bits are in the low bytes of 64."""
    low = np.ascontiguousarray(raw).view(np.uint8).reshape(len(raw), 8)[:, : storage.itemsize]
    return np.ascontiguousarray(low).view(storage)[:, 0]
