"""The row slices of a stored version as a source for queries: columns loaded when asked for, statistics to prune by."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.records import ASCENDING, UNKNOWN
from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.format.blocks import packed
from coldframe.format.schema import Schema
from coldframe.operations.batches import several
from coldframe.operations.rows import WAVE
from coldframe.operations.slice_columns import Fetched, SliceColumns
from coldframe.query.columns import Column
from coldframe.query.source import Statistics
from coldframe.stores.base import Reader

Key = tuple[int, tuple[int, ...]]
"""A slice and the columns wanted of it (positions in table order)."""


class Waves:
    """Bytes for sources that share a view of a store: each part is fetched with what was announced to be wanted next.

    Parameters
    ----------
    reader : Reader
        One transaction serves all worker threads; it looks up one thing at a time.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._announced: dict[tuple[StoredSource, Key], None] = {}
        self._ready: dict[tuple[StoredSource, Key], Fetched] = {}

    def announce(self, source: StoredSource, wanted: Iterable[Key]) -> None:
        """Say what will be wanted, in this order."""
        with self._lock:
            self._announced.update(((source, key), None) for key in wanted)

    def take(self, source: StoredSource, key: Key) -> Fetched:
        """What was fetched; what was not is fetched together with what was announced, up to the size of a wave."""
        with self._lock:
            if (source, key) not in self._ready:
                self._fetch(source, key)
            return self._ready.pop((source, key))

    def _fetch(self, source: StoredSource, key: Key) -> None:
        self._announced.pop((source, key), None)
        wave = {source: [key]}
        size = source.size(key)
        for other, announced in self._announced:
            if size > WAVE:
                break
            wave.setdefault(other, []).append(announced)
            size += other.size(announced)
        jobs = list(wave.items())
        for (one, keys), fetched in zip(jobs, several(self._reader, _fetch_one, jobs), strict=True):
            for mine, part in zip(keys, fetched, strict=True):
                self._announced.pop((one, mine), None)
                self._ready[one, mine] = part


def _fetch_one(job: tuple[StoredSource, list[Key]]) -> list[Fetched]:
    source, keys = job
    return source.fetch(keys)


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
    waves : Waves
        Sources that are loaded from at the same time share them.

    Parameters
    ----------
    reader : Reader
    version : Version
    start, stop : int
    """

    def __init__(self, reader: Reader, version: Version, start: int, stop: int) -> None:
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
        self.waves = Waves(reader)
        self._sources = [version.contents.schema(number) for number in range(len(version.contents.manifest.schemas))]

    def load(self, index: int, columns: Sequence[int]) -> list[Column]:
        """The given columns (positions in table order) of a slice. May be called from any thread."""
        return self._columns.decode(self.waves.take(self, (index, tuple(columns))))

    def expect(self, slices: Sequence[int], columns: Sequence[int]) -> None:
        """What may be loaded: of a distant store it is fetched at once where it is little."""
        if self._distant:
            self._columns.fetch_ahead(slices, columns)

    def prefetch(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Announce what will be loaded, in this order: it is fetched in waves, each when its first part is wanted."""
        self.waves.announce(self, ((index, tuple(columns)) for index, columns in wanted))

    def fetch(self, wanted: Sequence[Key]) -> list[Fetched]:
        """The bytes of some columns of some slices."""
        return self._columns.fetch(wanted)

    def size(self, key: Key) -> int:
        """About how many encoded bytes fetching may move: those of the whole slice."""
        return int(self.slices.sizes[key[0]])

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
        taking = packed(blocks[holding])
        return 2 * int(np.count_nonzero(taking)) > len(taking)

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
