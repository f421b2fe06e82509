"""From a table to row slices: encoding on all cores, segments inlined, kept or streamed to the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.ids import new_id
from coldframe.catalog.keys import data_key
from coldframe.catalog.slices import SEGMENT, SLICE, Dictionary, Slices
from coldframe.format.segments import BLOCK, EncodedSegment, Encoder
from coldframe.format.table import Table
from coldframe.parallel import stream_jobs
from coldframe.stores.base import Buffer

DEFAULT_ROWS = 100_000
STREAMED = 32 * 1024 * 1024
"""A table of more bytes than this goes to the store while it is being encoded, before the commit."""
PARALLEL = 1024 * 1024
"""A table of fewer bytes than this is encoded in the calling thread."""
SLICE_BYTES = 192 * 1024 * 1024
"""A slice holds fewer rows than the library's option says rather than more bytes than this."""


@dataclass(slots=True)
class Encoded:
    """Slices of new rows; `segments` are those that are not in the store yet."""

    slices: Slices
    segments: dict[bytes, Buffer] = field(default_factory=dict)


def table_bytes(table: Table) -> int:
    """About how many bytes the rows of a table take in memory."""
    total = 0
    for dtype, band in zip(table.schema.types, table.bands, strict=True):
        if dtype.fixed:
            total += len(band.values) * table.rows * dtype.bits // 8
        else:
            for column in band.values:
                total += column.values.nbytes + (0 if column.codes is None else column.codes.nbytes)
    return total


def encode(catalog: Catalog, symbol: str, table: Table, times: NDArray[np.int64] | None) -> Encoded:
    """Encode the rows of a table; `times` is its time index, None where it has none."""
    encoder = Encoder(
        table,
        symbol=symbol,
        segment_bytes=catalog.store.limits.segment,
        columns_per_segment=catalog.config.columns_per_segment,
    )
    builder = _Builder(times)
    shared = encoder.dictionaries()
    if shared is not None:
        builder.dictionary = Dictionary(new_id(), len(shared.data), shared.blocks.tobytes())
    size = table_bytes(table)
    ranges = _row_ranges(table, size, catalog.config.rows_per_segment or DEFAULT_ROWS)

    def objects() -> Iterator[tuple[bytes, Buffer]]:
        if shared is not None and builder.dictionary is not None:
            yield builder.dictionary.id, shared.data
        if size < PARALLEL:
            parts: Any = (encoder.slice(*rows) for rows in ranges)
        else:
            parts = stream_jobs(lambda rows: encoder.slice(*rows), ranges)
        for rows, segments in zip(ranges, parts, strict=True):
            yield from builder.add(rows, segments)

    if size <= STREAMED:
        kept = dict(objects())
        return Encoded(builder.slices(), kept)
    catalog.store.put_many((data_key(symbol, identifier), data) for identifier, data in objects())
    return Encoded(builder.slices())


def _row_ranges(table: Table, size: int, rows_per_segment: int) -> list[tuple[int, int]]:
    if not table.rows:
        return []
    most = max(1, SLICE_BYTES * table.rows // max(size, 1))
    step = min(rows_per_segment, most)
    return [(start, min(start + step, table.rows)) for start in range(0, table.rows, step)]


class _Builder:
    """Collects what encoded segments say about themselves into the arrays of a manifest."""

    def __init__(self, times: NDArray[np.int64] | None) -> None:
        self.times = times
        self.dictionary: Dictionary | None = None
        self.slice_rows: list[tuple[Any, ...]] = []
        self.segment_rows: list[tuple[Any, ...]] = []
        self.blocks: list[NDArray[Any]] = []

    def add(self, rows: tuple[int, int], segments: list[EncodedSegment]) -> Iterator[tuple[bytes, Buffer]]:
        """Note one slice; yields its segments with their new ids."""
        start, stop = rows
        first, last = (0, 0) if self.times is None else (int(self.times[start]), int(self.times[stop - 1]))
        dictionary = -1 if self.dictionary is None else 0
        self.slice_rows.append((stop - start, 0, stop - start, first, last, len(segments), 0, dictionary, 0))
        for segment in segments:
            identifier = new_id()
            self.segment_rows.append(
                (identifier, len(segment.data), segment.first, segment.count, len(segment.blocks), 0)
            )
            self.blocks.append(segment.blocks)
            yield identifier, segment.data

    def slices(self) -> Slices:
        """All slices that were added."""
        return Slices(
            np.array(self.slice_rows, SLICE),
            np.array(self.segment_rows, SEGMENT),
            np.concatenate(self.blocks) if self.blocks else np.empty(0, BLOCK),
            [] if self.dictionary is None else [self.dictionary],
        )
