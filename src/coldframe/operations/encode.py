"""From a table to row slices: encoding on all cores, segments inlined, kept or streamed to the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.commit import commit
from coldframe.catalog.draft import Draft
from coldframe.catalog.ids import new_id
from coldframe.catalog.keys import data_key
from coldframe.catalog.slices import SEGMENT, SLICE, Dictionary, Slices
from coldframe.format.schema import Schema
from coldframe.format.segments import BLOCK, EncodedSegment, Encoder
from coldframe.format.table import StringColumn, Table
from coldframe.frames.evolve import index_values, is_timeseries
from coldframe.parallel import stream_jobs
from coldframe.stores.base import Buffer, Limits

T = TypeVar("T")

DEFAULT_ROWS = 100_000
LONGEST = 4
"""Where rows pack well a slice has up to this many times as many of them,"""
HELD = 16 * 1024 * 1024
"""but not more than take about this many bytes in memory: that is what reading a few of them may decode."""
STREAMED = 32 * 1024 * 1024
"""A table of more bytes than this goes to the store while it is being encoded, before the commit."""
PARALLEL = 1024 * 1024
"""A table of fewer bytes than this is encoded in the calling thread."""


class Encoded(msgspec.Struct):
    """Slices of new rows; `segments` are those that are not in the store yet."""

    slices: Slices
    segments: dict[bytes, Buffer] = msgspec.field(default_factory=dict)


def table_bytes(table: Table) -> int:
    """About how many bytes the rows of a table take in memory."""
    total = 0
    for dtype, band in zip(table.schema.types, table.bands, strict=True):
        if dtype.fixed:
            total += len(band.values) * table.rows * dtype.bits // 8
        else:
            for column in cast("list[StringColumn]", band.values):
                total += column.values.nbytes + (0 if column.codes is None else column.codes.nbytes)
    return total


class EncodeFirst(Exception):
    """Raised inside a commit: these rows are many and must be in the store before the head is read."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table


class NewRows:
    """The rows of one operation, encoded at most once for each schema, however often its commit is tried.

    A commit looks at the head within a view of the store, in which nothing may be stored. Many rows are therefore
    stored before it: the first try says what they must look like by raising `EncodeFirst`.
    """

    def __init__(self, catalog: Catalog, symbol: str) -> None:
        self.catalog = catalog
        self.symbol = symbol
        self._schema: Schema | None = None
        self._encoded: Encoded | None = None

    def encoded(self, table: Table) -> Encoded:
        """The rows as slices."""
        if self._encoded is None or self._schema != table.schema:
            if table_bytes(table) > STREAMED:
                raise EncodeFirst(table)
            self.store(table)
        assert self._encoded is not None  # noqa: S101 - for the type checker
        return self._encoded

    def store(self, table: Table) -> None:
        """Encode the rows now."""
        times = index_values(table) if is_timeseries(table.schema) else None
        self._encoded = encode(self.catalog, self.symbol, table, times)
        self._schema = table.schema

    def commit(self, edit: Callable[[Draft], T], *, operation: str) -> T:
        """Commit `edit`, which calls `encoded`; rows that must be stored first are."""
        while True:
            try:
                return commit(self.catalog, self.symbol, edit, operation=operation)
            except EncodeFirst as many:
                self.store(many.table)


def encode(
    catalog: Catalog, symbol: str, table: Table, times: NDArray[np.int64] | None, *, stream: bool = True
) -> Encoded:
    """Encode the rows of a table.

    `times` is its time index, None where it has none. Many rows go to the store at once unless `stream` is off, as it
    must be within a commit.
    """
    rows_per_segment = catalog.config.rows_per_segment or DEFAULT_ROWS
    encoder = Encoder(
        table,
        symbol=symbol,
        segment_bytes=catalog.store.limits.segment,
        columns_per_segment=catalog.config.columns_per_segment,
        slice_rows=rows_per_segment,
    )
    builder = _Builder(times)
    shared = encoder.dictionaries()
    if shared is not None:
        builder.dictionary = Dictionary(new_id(), len(shared.data), shared.blocks.tobytes())
    size = table_bytes(table)
    jobs: list[tuple[int, int, int, int]] = []
    step, begin = rows_per_segment, 0
    done = _trial(catalog, encoder, table, rows_per_segment)
    if done is not None:
        step *= times_longer(
            len(done.data), size * done.rows // table.rows, table.rows // done.rows, catalog.store.limits
        )
        begin = done.rows
        builder.add_slice(0, begin, 1)
    for start in range(begin, table.rows, step):
        stop = min(start + step, table.rows)
        groups = encoder.groups(stop - start)
        builder.add_slice(start, stop, len(groups))
        jobs.extend((start, stop, first, count) for first, count in groups)

    def objects() -> Iterator[tuple[bytes, Buffer]]:
        if shared is not None and builder.dictionary is not None:
            yield builder.dictionary.id, shared.data
        rest = (encoder.encode(*job) for job in jobs) if size < PARALLEL else _in_parallel(encoder, jobs)
        for segment in chain([] if done is None else [done], rest):
            yield builder.add_segment(segment), segment.data

    if not jobs:
        return Encoded(builder.slices())
    if size <= STREAMED or not stream:
        kept = dict(objects())
        return Encoded(builder.slices(), kept)
    catalog.store.put_many((data_key(symbol, identifier), data) for identifier, data in objects())
    return Encoded(builder.slices())


def _trial(catalog: Catalog, encoder: Encoder, table: Table, rows: int) -> EncodedSegment | None:
    """The first slice, where its size is to tell how many rows the next ones get; else None.

    Only where the store wants it, the library's `rows_per_segment` is the default, and a longer slice would still be
    one segment.
    """
    limits = catalog.store.limits
    if not limits.packed or rows != DEFAULT_ROWS or table.rows <= 2 * rows:
        return None
    if times_longer(0, 0, table.rows // rows, limits) < 2:
        return None
    groups = encoder.groups(LONGEST * rows)
    return encoder.encode(0, rows, *groups[0]) if len(groups) == 1 else None


def times_longer(encoded: int, held: int, slices: int, limits: Limits) -> int:
    """How many times as many rows the slices after the first get: a power of two.

    `encoded` and `held` are the first one's bytes in the store and in memory, `slices` are as many as there would be
    without this. Only powers of two: a table that is written again is to be cut where it was, because deduplication
    compares slices.
    """
    times = 1
    while (
        2 * times <= LONGEST
        and 2 * times * encoded <= limits.packed
        and 2 * times * held <= HELD
        and 2 * times * limits.slices <= slices
    ):
        times *= 2
    return times


def _in_parallel(encoder: Encoder, jobs: list[tuple[int, int, int, int]]) -> Iterator[EncodedSegment]:
    return stream_jobs(lambda job: encoder.encode(*job), jobs)


class _Builder:
    """Collects what encoded segments say about themselves into the arrays of a manifest."""

    def __init__(self, times: NDArray[np.int64] | None) -> None:
        self.times = times
        self.dictionary: Dictionary | None = None
        self.slice_rows: list[tuple[Any, ...]] = []
        self.segment_rows: list[tuple[Any, ...]] = []
        self.blocks: list[NDArray[Any]] = []

    def add_slice(self, start: int, stop: int, segments: int) -> None:
        """Note a slice of so many segments, which follow in order."""
        first, last = (0, 0) if self.times is None else (int(self.times[start]), int(self.times[stop - 1]))
        dictionary = -1 if self.dictionary is None else 0
        self.slice_rows.append((stop - start, 0, stop - start, first, last, segments, 0, dictionary, 0))

    def add_segment(self, segment: EncodedSegment) -> bytes:
        """Note a segment; its new id."""
        identifier = new_id()
        self.segment_rows.append((identifier, len(segment.data), segment.first, segment.count, len(segment.blocks), 0))
        self.blocks.append(segment.blocks)
        return identifier

    def slices(self) -> Slices:
        """All slices that were added."""
        return Slices(
            np.array(self.slice_rows, SLICE),
            np.array(self.segment_rows, SEGMENT),
            np.concatenate(self.blocks) if self.blocks else np.empty(0, BLOCK),
            [] if self.dictionary is None else [self.dictionary],
        )
