"""Segments: a row slice x a group of columns as one object. `Encoder` writes the segments of a table.

    header | block | block | ... | directory | footer

Blocks begin at multiples of eight bytes. `docs/format.md` has every byte.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from struct import Struct
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.format import blocks, choice, text
from coldframe.format.blocks import BLOCK
from coldframe.format.buffers import Buffers
from coldframe.format.checksums import Buffer, checksum
from coldframe.format.codecs import ids
from coldframe.format.directory import (
    DICTIONARIES,
    HEADER_SIZE,
    NO_COLUMNS,
    SEGMENT,
    Directory,
    describe,
    header,
    read_directory,
    tail,
    verify_segment,
)
from coldframe.format.dtypes import DType
from coldframe.format.table import Band, StringColumn, Table

__all__ = ["BLOCK", "Directory", "EncodedSegment", "Encoder", "column_groups", "read_directory", "verify_segment"]

BLOCK_VALUES = 131_072
"""A block holds about this many values, and at least one column."""
ALONE_ROWS = 32_768
"""Over so many rows a column is a block by itself: reading it moves no other column's bytes."""
SEGMENT_BYTES = 8 * 1024 * 1024
COLUMNS_PER_SEGMENT = 127
SLICE_ROWS = 100_000
_JOINED = 64 * 1024
"""Segments up to this size are joined from pieces; larger ones are laid out in memory that is written once."""
_RECORD = Struct("<IIQQQQQQiBBH")


class EncodedSegment(msgspec.Struct, frozen=True):
    """A segment ready to be stored.

    Attributes
    ----------
    data : buffer
    first, count : int
        The range of stored columns in it.
    rows : int
    blocks : array of BLOCK
        For the manifest; the same records as in the segment's directory.
    """

    data: Buffer
    first: int
    count: int
    rows: int
    blocks: NDArray[Any]


class _Piece(msgspec.Struct):
    """A block before its place is known; `values` are to be copied behind `data` where they are not None."""

    first: int
    count: int
    codec: int
    data: bytes
    nulls: int = 0
    min: int = 0
    max: int = 0
    stats: int = 0
    dictionary: int = -1
    flags: int = 0
    dtype: DType | None = None
    values: NDArray[Any] | None = None
    valid: NDArray[Any] | None = None

    def record(self, offset: int, length: int, check: int) -> bytes:
        """The block's BLOCK record."""
        return _RECORD.pack(
            self.first, self.count, offset, length, check, self.nulls, self.min, self.max,
            self.dictionary, self.codec, self.stats, self.flags,
        )  # fmt: skip

    def length(self) -> int:
        """The bytes of the block."""
        return len(self.data) + (0 if self.values is None else self.values.size * self.values.itemsize)


class Encoder:
    """Writes the segments of one table.

    What each column is stored as is found out once, on samples, and kept for all slices. The methods may be called
    from many threads at once; most of their work is done without the GIL.

    Parameters
    ----------
    table : Table
    symbol : str
        Goes into each segment's directory.
    segment_bytes : int
        Columns are grouped into segments of about this many bytes before encoding.
    columns_per_segment : int
        No group has fewer columns than this, unless the table has.
    slice_rows : int
        The rows that the caller means to put into each slice.

    Examples
    --------
    >>> from coldframe.format.schema import Schema
    >>> schema = Schema.of(["a", "b"], [DType("int"), DType("int")])
    >>> table = Table(schema, 3, [Band(np.array([[1, 2, 3], [4, 5, 6]]))])
    >>> [segment] = Encoder(table, symbol="prices").slice(0, 3)
    >>> segment.count, segment.rows, segment.blocks["max"].tolist()
    (2, 3, [6])
    >>> read_directory(segment.data).schema.names
    ['a', 'b']
    """

    def __init__(
        self,
        table: Table,
        *,
        symbol: str = "",
        segment_bytes: int = SEGMENT_BYTES,
        columns_per_segment: int = COLUMNS_PER_SEGMENT,
        slice_rows: int = SLICE_ROWS,
    ) -> None:
        self.table = table
        self.symbol = symbol
        self.segment_bytes = segment_bytes
        self.columns_per_segment = columns_per_segment
        self._starts = table.schema.bounds.tolist()
        self._choices: dict[tuple[int, int], choice.Choice] = {}
        self._buffers = Buffers()
        self._columns: dict[tuple[int, int], Any] = {}
        self._texts: dict[int, text.TextPlan] = {}
        self._shared: list[tuple[int, bytes]] = []
        self._plan_texts(shared=table.rows > slice_rows)

    def _plan_texts(self, *, shared: bool) -> None:
        for start, dtype, band in zip(self._starts, self.table.schema.types, self.table.bands, strict=False):
            if dtype.fixed:
                continue
            for stored, column in enumerate(cast("list[StringColumn]", band.values), start):
                plan, dictionary = text.plan(column, shared=shared, number=len(self._shared))
                self._texts[stored] = plan
                if dictionary is not None:
                    self._shared.append((stored, dictionary))

    def dictionaries(self) -> EncodedSegment | None:
        """The dictionaries that the slices of this write share, as one segment; None if there are none."""
        if not self._shared:
            return None
        pieces = [_Piece(stored, 1, ids.STRINGS, data) for stored, data in self._shared]
        first = self._shared[0][0]
        return _lay_out(
            DICTIONARIES, self.symbol, 0, first, self._shared[-1][0] + 1 - first, NO_COLUMNS, pieces, self._buffers
        )

    def groups(self, rows: int) -> list[tuple[int, int]]:
        """The column groups of a slice of so many rows: stored position of the first column, and their number."""
        width = self.table.schema.width
        if width < 2 * self.columns_per_segment:
            return [(0, width)] if width else []
        widths = np.empty(width)
        for start, stop, dtype in zip(self._starts, self._starts[1:], self.table.schema.types, strict=False):
            widths[start:stop] = dtype.bits // 8 if dtype.fixed and dtype.kind != "bool" else 1
        for stored, plan in self._texts.items():
            widths[stored] = plan.width()
        return column_groups(widths * max(rows, 1), self.segment_bytes, self.columns_per_segment)

    def slice(self, start: int, stop: int) -> list[EncodedSegment]:
        """The rows from `start` to `stop`, one segment per column group."""
        return [self.encode(start, stop, first, count) for first, count in self.groups(stop - start)]

    def encode(self, start: int, stop: int, first: int, count: int) -> EncodedSegment:
        """The rows from `start` to `stop` of one column group, as one segment."""
        pieces = [
            self._text_piece(begin, start, stop)
            if not self.table.schema.types[kind].fixed
            else self._number_piece(kind, begin, end, start, stop)
            for kind, begin, end in self._runs(first, count, stop - start)
        ]
        columns = self._columns.get((first, count))
        if columns is None:
            columns = self._columns[first, count] = describe(self.table.schema, first, count)
        return _lay_out(SEGMENT, self.symbol, stop - start, first, count, columns, pieces, self._buffers)

    def _runs(self, first: int, count: int, rows: int) -> Iterator[tuple[int, int, int]]:
        """The blocks of a column group: their type's position and their range of stored columns."""
        most = 1 if rows >= ALONE_ROWS else max(1, BLOCK_VALUES // max(rows, 1))
        for kind, (low, high) in enumerate(pairwise(self._starts)):
            step = most if self.table.schema.types[kind].fixed else 1
            stop = min(high, first + count)
            for begin in range(max(low, first), stop, step):
                yield kind, begin, min(begin + step, stop)

    def _text_piece(self, stored: int, start: int, stop: int) -> _Piece:
        payload = self._texts[stored].encode(start, stop)
        return _Piece(stored, 1, payload.codec, payload.data, nulls=payload.nulls, dictionary=payload.dictionary)

    def _number_piece(self, kind: int, begin: int, end: int, start: int, stop: int) -> _Piece:
        dtype, band, base = self.table.schema.types[kind], self.table.bands[kind], self._starts[kind]
        values = _columns_of(band, begin - base, end - base, start, stop)
        valid = None if band.valid is None else band.valid[begin - base : end - base, start:stop]
        how = None
        if values.size * values.itemsize >= blocks.TINY:
            how = self._choices.get((begin, end))
            if how is None:
                # Two threads may both find out; they find the same.
                how = self._choices[begin, end] = _choose(band, begin - base, end - base)
        payload = blocks.encode(dtype, values, valid, how)
        found, flags = payload.statistics, blocks.VALIDITY if payload.prefix else 0
        if payload.data is not None:
            return _Piece(
                begin, end - begin, payload.codec, payload.prefix + payload.data, *found, -1, flags, dtype
            )  # fmt: skip
        return _Piece(
            begin, end - begin, payload.codec, payload.prefix, *found, -1, flags, dtype, values,
            valid if flags else None,
        )  # fmt: skip


def _choose(band: Band, begin: int, end: int) -> choice.Choice:
    """How to pack columns of a band, going by all rows of the table."""
    if isinstance(band.values, list) and end - begin > 1:
        end = begin + 2  # each column is memory of its own: two of them tell enough
    return choice.choose(choice.sample(_columns_of(band, begin, end, 0, sys.maxsize)))


def column_groups(sizes: NDArray[Any], segment_bytes: int, columns_per_segment: int) -> list[tuple[int, int]]:
    """Cut columns of these sizes into runs of about `segment_bytes`: each run's first column and its length.

    Examples
    --------
    >>> column_groups(np.full(10, 1000.0), 3000, 2)
    [(0, 3), (3, 3), (6, 4)]
    >>> column_groups(np.full(10, 1000.0), 3000, 127)
    [(0, 10)]
    """
    width = len(sizes)
    if not width:
        return []
    ends = np.cumsum(sizes)
    parts = int(max(1, min(ends[-1] // segment_bytes, width // max(columns_per_segment, 1))))
    if parts == 1:
        return [(0, width)]
    # Cut where the bytes say, then move the cuts so that no run is too short.
    least = max(columns_per_segment, 1)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts, side="right")
    numbers = np.arange(1, parts)
    cuts = np.maximum.accumulate(cuts - numbers * least) + numbers * least
    cuts = np.clip(cuts, numbers * least, width - (parts - numbers) * least)
    bounds = [0, *cuts.tolist(), width]
    return [(low, high - low) for low, high in pairwise(bounds)]


def _columns_of(band: Band, begin: int, end: int, start: int, stop: int) -> NDArray[Any]:
    """Columns of a band over some rows, as an array of shape (columns, rows)."""
    values = cast("NDArray[Any] | list[NDArray[Any]]", band.values)
    if not isinstance(values, list):
        return values[begin:end, start:stop]
    if end - begin == 1:
        return values[begin][None, start:stop]
    return np.stack([column[start:stop] for column in values[begin:end]])


def _lay_out(
    kind: bytes, symbol: str, rows: int, first: int, count: int, columns: Any, pieces: list[_Piece], buffers: Buffers
) -> EncodedSegment:
    """Put pieces one after the other, each at a multiple of eight bytes, and describe them."""
    offsets = []
    position = HEADER_SIZE
    for piece in pieces:
        offsets.append(position)
        position += -(-piece.length() // 8) * 8
    if position <= _JOINED and all(piece.values is None for piece in pieces):
        body = [header(kind)]
        records = []
        for offset, piece in zip(offsets, pieces, strict=True):
            body += (piece.data, b"\0" * (-len(piece.data) % 8))
            records.append(piece.record(offset, len(piece.data), checksum(piece.data)))
        known = b"".join(records)
        body.append(tail(kind, symbol, rows, first, columns, known))
        return EncodedSegment(b"".join(body), first, count, rows, np.frombuffer(known, BLOCK))
    # How long the end will be does not depend on what the records say.
    blank = tail(kind, symbol, rows, first, columns, bytes(BLOCK.itemsize * len(pieces)))
    memory = buffers.take(position + len(blank))
    memory[:HEADER_SIZE] = np.frombuffer(header(kind), np.uint8)
    known = _fill(memory, offsets, pieces)
    memory[position:] = np.frombuffer(tail(kind, symbol, rows, first, columns, known), np.uint8)
    return EncodedSegment(memory.data, first, count, rows, np.frombuffer(known, BLOCK))


def _fill(memory: NDArray[np.uint8], offsets: list[int], pieces: list[_Piece]) -> bytes:
    """Write the blocks to their places; their records."""
    records = []
    for offset, piece in zip(offsets, pieces, strict=True):
        length = piece.length()
        body = memory[offset : offset + length]
        memory[offset + length : offset + -(-length // 8) * 8] = 0
        if piece.data:
            body[: len(piece.data)] = np.frombuffer(piece.data, np.uint8)
        if piece.values is not None and piece.dtype is not None:
            values = body[len(piece.data) :].view(piece.values.dtype).reshape(piece.values.shape)
            np.copyto(values, piece.values)
            piece.nulls, piece.min, piece.max, piece.stats = blocks.statistics(piece.dtype, values, piece.valid)
        records.append(piece.record(offset, length, checksum(body.data)))
    return b"".join(records)
