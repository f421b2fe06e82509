"""Columns of single slices of a version, for queries: in place where they lie, as far as codecs allow it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.format.assembly import Assembly
from coldframe.format.blocks import Decoded, Unwritten
from coldframe.format.checksums import Damage
from coldframe.format.codecs.linear import Numbers
from coldframe.format.columns import ColumnDecoder, Record
from coldframe.format.dtypes import DType
from coldframe.operations.ahead import Ahead, few
from coldframe.operations.rows import (
    Part,
    SharedDictionaries,
    decode_part,
    fetch_of,
    fetch_parts,
    fetch_pieces,
    place_of,
    wanted_parts,
)
from coldframe.query.columns import Column, Lazy, columns_of
from coldframe.stores.base import Buffer, Fetch, Reader


class _Stored(NamedTuple):
    """A segment of a slice: where it lies, its bytes where that is the head, and the records of its blocks."""

    identifier: bytes
    key: str
    inlined: bytes | None
    blocks: list[Record]


class _Segment(msgspec.Struct):
    """The wanted blocks of one segment, and which of the stored columns in each are wanted."""

    fetch: Fetch
    inlined: bytes | None
    blocks: list[Record]
    wanted: list[Sequence[int]]
    payloads: list[Buffer]


class Fetched(msgspec.Struct):
    """Some columns of one slice and the bytes of their blocks."""

    index: int
    columns: Sequence[int]
    segments: list[_Segment]
    times: Numbers | None = None
    assembly: Assembly | None = None
    parts: list[Part] = msgspec.field(default_factory=list)


class SliceColumns:
    """Slices of a version one by one, in two steps: fetching bytes for many, decoding each on any thread.

    Arrays that come out may be views of what the reader gave, and live as long as its view of the store; they cannot
    be written to.
    """

    def __init__(self, reader: Reader, version: Version, slices: Slices) -> None:
        self._reader = reader
        self._version = version
        self._slices = slices
        self._schema = version.contents.schema()
        self._decoder = ColumnDecoder(self._schema)
        self._place: list[int] = self._schema.place.tolist()
        kinds = self._schema.kind_of[self._schema.order].tolist()
        self._types: list[DType] = [self._schema.types[kind] for kind in kinds]  # by stored position
        self._shared = SharedDictionaries(reader, version, slices)
        self._alike = [self._is_alike(number) for number in range(len(version.contents.manifest.schemas))]
        self._rows: list[tuple[int, ...]] = slices.slices.tolist()
        self._segment_starts: list[int] = slices.segment_starts.tolist()
        self._stored: dict[int, _Stored] = {}

    def fetch(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> list[Fetched]:
        """The bytes of some columns (positions in table order) of some slices."""
        found = [self._find(index, columns) for index, columns in wanted]
        segments = [segment for each in found for segment in each.segments]
        payloads = fetch_pieces(self._reader, [(segment.fetch, segment.inlined) for segment in segments])
        for segment, mine in zip(segments, payloads, strict=True):
            segment.payloads = mine
        parts = [part for each in found for part in each.parts]
        fetch_parts(self._reader, parts)
        self._shared.fetch(parts)
        self._shared.fetch_numbers(self._dictionaries(found))
        return found

    def fetch_ahead(self, slices: Sequence[int], columns: Sequence[int]) -> None:
        """Get the bytes of some columns of some slices at once and keep them, if they are few."""
        wanted = few(fetch for index in slices for fetch in self._fetches(index, columns))
        if wanted:
            self._reader = Ahead(self._reader, wanted)

    def _fetches(self, index: int, columns: Sequence[int]) -> Iterator[Fetch]:
        found = self._find(index, columns)
        yield from (segment.fetch for segment in found.segments if segment.inlined is None)
        yield from (fetch_of(part) for part in found.parts if part.inlined is None)

    def decode(self, fetched: Fetched) -> list[Column]:
        """The columns, in the order in which they were wanted."""
        if fetched.assembly is not None:
            for part in fetched.parts:
                decode_part(fetched.assembly, self._shared, part)
            by_position = dict(zip(sorted(fetched.columns), columns_of(fetched.assembly.finish()), strict=True))
            return [by_position[column] for column in fetched.columns]
        rows, offset, stored, _, _, _, _, dictionary, _ = self._rows[fetched.index]
        span = None if rows == stored else (offset, offset + rows)
        found: dict[int, Column] = {}
        if fetched.times is not None:
            found[0] = _column(self._types[0], fetched.times, span)
        for segment in fetched.segments:
            try:
                self._decode_segment(segment, stored, span, dictionary, found)
            except Damage as damage:
                raise Damage(damage.reason, damage.key or segment.fetch.key) from damage
        place = self._place
        try:
            return [found[place[column]] for column in fetched.columns]
        except KeyError:
            raise Damage("a block of a wanted column is missing") from None

    def size(self, index: int, columns: Sequence[int]) -> int:
        """The encoded bytes of some columns of a slice."""
        found = self._find(index, columns)
        direct = sum(stop - start for segment in found.segments for start, stop in segment.fetch.ranges)
        return direct + sum(part.size for part in found.parts)

    def _is_alike(self, number: int) -> bool:
        """Whether slices of one of the manifest's schemas hold the version's columns in its types and places."""
        own, schema = self._version.contents.schema(number), self._schema
        return own is schema or (
            own.kinds == schema.kinds and own.types == schema.types and own.names == schema.names
        )

    def _find(self, index: int, columns: Sequence[int]) -> Fetched:
        if not self._alike[self._rows[index][6]]:
            return self._find_other(index, columns)
        segments: list[_Segment] = []
        found = Fetched(index, columns, segments)
        wanted = sorted([self._place[column] for column in columns])
        known = self._version.contents.times
        for number in range(self._segment_starts[index], self._segment_starts[index + 1]):
            stored = self._segment(number)
            blocks, mine = _holding(stored.blocks, wanted)
            if known and blocks and blocks[0][:2] == (0, 1) and stored.identifier in known:
                # A search has decoded the time index, and checked it.
                found.times, blocks, mine = known[stored.identifier], blocks[1:], mine[1:]
            if blocks:
                fetch = Fetch(stored.key, [(block[2], block[2] + block[3]) for block in blocks])
                segments.append(_Segment(fetch, stored.inlined, blocks, mine, []))
        return found

    def _segment(self, number: int) -> _Stored:
        stored = self._stored.get(number)
        if stored is None:
            slices = self._slices
            identifier = slices.ids[number]
            start, stop = slices.block_starts[number : number + 2].tolist()
            stored = _Stored(identifier, *place_of(self._version, identifier), slices.blocks[start:stop].tolist())
            self._stored[number] = stored
        return stored

    def _find_other(self, index: int, columns: Sequence[int]) -> Fetched:
        """Columns of a slice that was written with other columns or types: they are made to fit while decoded."""
        slices = self._slices.run(index, index + 1)
        stored = np.sort(self._schema.place[np.array(columns, dtype=np.intp)])
        assembly = Assembly(self._schema, stored, slices.rows)
        # The dictionaries of all slices are numbered as in the whole run.
        slices = Slices(self._slices.slices[index : index + 1], slices.segments, slices.blocks, [])
        parts = wanted_parts(self._version, assembly, slices, 0, 0, slices.rows, None)
        return Fetched(index, columns, [], None, assembly, parts)

    def _dictionaries(self, found: list[Fetched]) -> Iterator[tuple[int, int]]:
        if self._slices.dictionaries:
            for each in found:
                for segment in each.segments:
                    yield from ((self._rows[each.index][7], block[8]) for block in segment.blocks)

    def _decode_segment(
        self, segment: _Segment, stored: int, span: tuple[int, int] | None, dictionary: int, found: dict[int, Column]
    ) -> None:
        decoder = self._decoder
        for block, wanted, payload in zip(segment.blocks, segment.wanted, segment.payloads, strict=True):
            first = block[0]
            dtype = self._types[first]
            if not dtype.fixed:
                strings = decoder.strings(block, payload, stored, self._shared.of(dictionary))
                found[first] = Column(dtype, strings if span is None else strings.rows(*span))
                continue
            numbers = decoder.numbers(block, payload, stored)
            if not isinstance(numbers, Decoded):
                found[first] = _column(dtype, numbers, span)
                continue
            values, valid = numbers
            if span is not None:
                values = values[:, span[0] : span[1]]
                valid = None if valid is None else valid[:, span[0] : span[1]]
            for column in wanted:
                at = column - first
                found[column] = Column(dtype, values[at], None if valid is None else valid[at])


def _holding(blocks: list[Record], wanted: list[int]) -> tuple[list[Record], list[Sequence[int]]]:
    """The blocks that hold any of some stored columns (ascending), and which each holds."""
    holding: list[Record] = []
    columns: list[Sequence[int]] = []
    for block in blocks:
        low = bisect_left(wanted, block[0])
        high = bisect_left(wanted, block[0] + block[1], low)
        if low < high:
            holding.append(block)
            columns.append(wanted[low:high])
    return holding, columns


def _column(dtype: DType, numbers: NDArray[Any] | Unwritten, span: tuple[int, int] | None) -> Column:
    mine = numbers if span is None else numbers[span[0] : span[1]]
    return Column(dtype, mine) if isinstance(mine, np.ndarray) else Lazy(dtype, mine)
