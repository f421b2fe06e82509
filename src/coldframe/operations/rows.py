"""Loading rows of a version into a table: only the slices, blocks and bytes that are wanted, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, compress
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.catalog.keys import data_key, head_key
from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.format.assembly import Assembly, Dictionaries
from coldframe.format.blocks import packed
from coldframe.format.checksums import Damage
from coldframe.format.codecs.linear import Numbers
from coldframe.format.columns import decode_column
from coldframe.format.schema import Schema
from coldframe.format.segments import BLOCK
from coldframe.format.table import Table
from coldframe.frames.strings import to_objects, to_pool
from coldframe.parallel import map_jobs
from coldframe.stores.base import Buffer, Fetch, Reader

PARALLEL = 1024 * 1024
"""Fewer encoded bytes than this are decoded in the calling thread,"""
SHARED_PARTS = 4
"""and fewer segments than this: waking a second thread costs as much as it saves."""
PACKED = 256 * 1024
"""But not so many packed numbers: unpacking them takes half a millisecond. Of few segments each block is then a job."""
WAVE = 32 * 1024 * 1024
"""At most about this many encoded bytes are held at once,"""
DISTANT_WAVE = 128 * 1024 * 1024
"""or so many that are on their way from a store whose answers take their time."""
PLACED = 1024 * 1024
"""Of so many bytes of a segment a distant store is told where they go: what it puts there need not be copied."""
MANY_OBJECTS = 256 * 1024
"""From so many rows on, Python objects are made while other columns are decoded."""


class Part(msgspec.Struct):
    """The wanted blocks of one segment of one slice, and which rows of it go where."""

    key: str
    source: Schema
    blocks: NDArray[Any]
    stored: int
    from_row: int
    to_row: int
    at: int
    dictionary: int
    inlined: bytes | None
    payloads: list[Buffer]
    size: int

    def only(self, chosen: NDArray[np.bool_]) -> Part:
        """The same with some of its blocks."""
        blocks = self.blocks[chosen]
        payloads = list(compress(self.payloads, chosen))
        return msgspec.structs.replace(self, blocks=blocks, payloads=payloads, size=int(blocks["length"].sum()))


def load(
    reader: Reader,
    version: Version,
    start: int,
    stop: int,
    columns: NDArray[Any] | None = None,
    objects: Callable[[], Sequence[int]] | None = None,
) -> Table:
    """Rows `start` to `stop` of a version, whole or some columns (ascending stored positions).

    `objects` tells the stored positions in the result of the columns of strings that are wanted as Python objects:
    where it saves time these are made while other columns are decoded.
    """
    schema = version.contents.schema()
    slices, begin = version.contents.slices(start, stop)
    return load_slices(reader, version, slices, begin, start, stop, schema, columns, objects)


def load_slices(
    reader: Reader,
    version: Version,
    slices: Slices,
    begin: int,
    start: int,
    stop: int,
    schema: Schema,
    columns: NDArray[Any] | None = None,
    objects: Callable[[], Sequence[int]] | None = None,
) -> Table:
    """Rows `start` to `stop` out of slices of which the first begins at row `begin`."""
    assembly = Assembly(schema, columns, stop - start)
    if stop <= start:
        return assembly.finish()
    parts = wanted_parts(version, assembly, slices, begin, start, stop, None if columns is not None else schema)
    dictionaries = SharedDictionaries(reader, version, slices)
    if reader.distant and sum(part.inlined is None for part in parts) > 1:
        _load_from_afar(reader, assembly, parts, dictionaries)
        return assembly.finish()
    meanwhile = None
    if objects is not None and stop - start >= MANY_OBJECTS and (wanted := objects()):
        meanwhile, parts = _texts_first(reader, assembly, parts, dictionaries, wanted)
    for wave in _waves(parts, WAVE):
        fetch_parts(reader, wave, assembly)
        dictionaries.fetch(wave)
        jobs, little = _jobs(wave)
        map_jobs(partial(decode_part, assembly, dictionaries), jobs, inline=little, meanwhile=meanwhile)
        meanwhile = None
        for part in chain(wave, jobs):
            part.payloads = []
    return assembly.finish()


def _texts_first(
    reader: Reader, assembly: Assembly, parts: list[Part], dictionaries: SharedDictionaries, objects: Sequence[int]
) -> tuple[Callable[[], None], list[Part]]:
    """Decode the strings: what makes Python objects of them, to be called while the rest of the parts is decoded.

    Making an object needs the GIL, and decoding numbers does not: both are done at once. So are making the strings of
    a dictionary that all slices share and decoding the codes.
    """
    texts, rest = [], []
    for part in parts:
        fixed = np.array([dtype.fixed for dtype in part.source.types], dtype=np.bool_)
        mine = np.repeat(fixed, np.diff(part.source.bounds))[part.blocks["first"]]
        texts.append(part.only(~mine))
        rest.append(part.only(mine))
    fetch_parts(reader, texts)
    dictionaries.fetch(texts)
    pools: dict[int, NDArray[Any]] = {}

    def make_pools() -> None:
        for values in dictionaries.fetched(pa.large_string()):
            pools[id(values)] = to_pool(values)

    def make_objects() -> None:
        for position in objects:
            column = assembly.strings(position)
            column.objects = to_objects(column, pools.get(id(column.values)))

    # Whose a dictionary is can only be told where all columns of strings are wanted as objects.
    columns = np.diff(assembly.schema.bounds)[[not dtype.fixed for dtype in assembly.schema.types]]
    meanwhile = make_pools if len(objects) == columns.sum() else None
    map_jobs(partial(decode_part, assembly, dictionaries), texts, meanwhile=meanwhile)
    return make_objects, [part for part in rest if len(part.blocks)]


def load_times(reader: Reader, version: Version, slices: Slices, number: int) -> Numbers:
    """The time index of one of the slices: a search's short way, past all that a table takes.

    It is kept with the version, so that loading the rows that the search has found does not decode it again.
    """
    rows, offset, stored, _, _, _, schema_number, _, _ = slices.slices[number].tolist()
    schema = version.contents.schema(schema_number)
    # The index comes first: it is the first block of the slice's first segment.
    segment = int(slices.segment_starts[number])
    block = int(slices.block_starts[segment])
    identifier = slices.ids[segment]
    known = version.contents.times
    if identifier not in known:
        key, inlined = place_of(version, identifier)
        part = Part(key, schema, slices.blocks[block : block + 1], stored, 0, stored, 0, -1, inlined, [], 0)
        fetch_parts(reader, [part])
        try:
            known[identifier] = decode_column(schema, 0, part.blocks[0], part.payloads[0], stored)
        except Damage as damage:
            raise Damage(damage.reason, damage.key or key) from damage
    return known[identifier][offset : offset + rows]


def _load_from_afar(reader: Reader, assembly: Assembly, parts: list[Part], dictionaries: SharedDictionaries) -> None:
    """Decode each segment as soon as it is there, while others are on their way."""

    def load_part(part: Part) -> None:
        fetch_parts(reader, [part], assembly)
        decode_part(assembly, dictionaries, part)
        part.payloads = []

    for wave in _waves(parts, DISTANT_WAVE):
        dictionaries.fetch(wave)
        reader.concurrently(load_part, wave)


def decode_part(assembly: Assembly, dictionaries: SharedDictionaries, part: Part) -> None:
    """Decode the blocks of a part into the memory of a table."""
    try:
        assembly.add(
            part.source,
            part.blocks,
            part.payloads,
            rows=part.stored,
            from_row=part.from_row,
            to_row=part.to_row,
            at=part.at,
            dictionaries=dictionaries.of(part.dictionary),
        )
    except Damage as damage:
        raise Damage(damage.reason, damage.key or part.key) from damage


def wanted_parts(
    version: Version, assembly: Assembly, slices: Slices, begin: int, start: int, stop: int, all_of: Schema | None
) -> list[Part]:
    """The blocks that are wanted; of slices with the schema `all_of` that is every block."""
    contents = version.contents
    low = int(np.searchsorted(slices.starts, start - begin, side="right")) - 1
    high = int(np.searchsorted(slices.starts, stop - begin, side="left"))
    parts: list[Part] = []
    starts = slices.starts.tolist()
    rows = slices.slices[low:high].tolist()
    segment_starts, block_starts = slices.segment_starts.tolist(), slices.block_starts.tolist()
    sizes = slices.segments["size"].tolist()
    for number, row in zip(range(low, high), rows, strict=True):
        _, offset, stored, _, _, _, schema_number, dictionary, _ = row
        slice_begin = begin + starts[number]
        slice_end = begin + starts[number + 1]
        first, last = max(start, slice_begin), min(stop, slice_end)
        source = contents.schema(schema_number)
        from_row, to_row = first - slice_begin + offset, last - slice_begin + offset
        found = len(parts)
        for segment in range(segment_starts[number], segment_starts[number + 1]):
            blocks = slices.blocks[block_starts[segment] : block_starts[segment + 1]]
            size = sizes[segment]
            if source is not all_of:
                blocks = blocks[assembly.wanted(blocks, source)]
                if not len(blocks):
                    continue
                size = int(blocks["length"].sum())
            identifier = slices.ids[segment]
            at = first - start
            times = contents.times.get(identifier)
            if times is not None:
                column, count, *_ = blocks[0].item()
                if (column, count) == (0, 1) and assembly.put(source, 0, times[from_row:to_row], at):
                    blocks = blocks[1:]
                    if not len(blocks):
                        continue
            key, inlined = place_of(version, identifier)
            parts.append(
                Part(key, source, blocks, stored, from_row, to_row, at, dictionary, inlined, [], size)
            )
        if len(parts) == found and source is not all_of:
            # Nothing of this slice is wanted, but the result may have columns that it lacks.
            nothing = slices.blocks[:0]
            parts.append(Part("", source, nothing, stored, from_row, to_row, first - start, -1, b"", [], 0))
    return parts


def place_of(version: Version, identifier: bytes) -> tuple[str, bytes | None]:
    """The key of the object that a segment is in, and its bytes where that is the head."""
    inlined = version.contents.pieces.inlined(identifier)
    return data_key(version.symbol, identifier) if inlined is None else head_key(version.symbol), inlined


def _jobs(parts: list[Part]) -> tuple[list[Part], bool]:
    """The parts as jobs, and whether the calling thread does them all, because others would come too late to help."""
    if _packed_numbers(parts) < PACKED:
        return parts, len(parts) < SHARED_PARTS or sum(part.size for part in parts) < PARALLEL
    if len(parts) >= SHARED_PARTS:
        return parts, False
    return [piece for part in parts for piece in _by_block(part)], False


def _by_block(part: Part) -> list[Part]:
    """A part for each block; one without blocks stays, for it tells that its rows are there all the same."""
    numbers = np.arange(len(part.blocks))
    return [part.only(numbers == number) for number in numbers] if len(numbers) > 1 else [part]


def _packed_numbers(parts: list[Part]) -> int:
    """How many numbers and codes of these parts have to be unpacked, unless they are few in any case."""
    if sum(part.stored * part.source.width for part in parts) < PACKED:
        return 0
    return sum(part.stored * int(part.blocks["count"][packed(part.blocks)].sum()) for part in parts)


def _waves(parts: list[Part], most: int) -> list[list[Part]]:
    waves: list[list[Part]] = [[]]
    held = 0
    for part in parts:
        if held and held + part.size > most:
            waves.append([])
            held = 0
        waves[-1].append(part)
        held += part.size
    return waves


def fetch_parts(reader: Reader, parts: list[Part], assembly: Assembly | None = None) -> None:
    """Give each part the bytes of its blocks, where it can be done straight to their places in an assembly."""
    placing = assembly if reader.distant else None
    wanted = [(fetch_of(part, placing), part.inlined) for part in parts]
    for part, payloads in zip(parts, fetch_pieces(reader, wanted), strict=True):
        part.payloads = payloads


def fetch_of(part: Part, assembly: Assembly | None = None) -> Fetch:
    """What is to be fetched for a part, and where it goes in an assembly."""
    offsets, lengths = part.blocks["offset"].tolist(), part.blocks["length"].tolist()
    ranges = [(offset, offset + length) for offset, length in zip(offsets, lengths, strict=True)]
    if assembly is None or part.inlined is not None or sum(lengths) < PLACED:
        return Fetch(part.key, ranges)
    places = assembly.places(
        part.source, part.blocks, rows=part.stored, from_row=part.from_row, to_row=part.to_row, at=part.at
    )
    return Fetch(part.key, ranges, places)


def fetch_pieces(reader: Reader, wanted: Sequence[tuple[Fetch, bytes | None]]) -> list[list[Buffer]]:
    """Byte ranges of segments, of which some are inlined: their bytes are given beside what is wanted of them."""
    answers: Iterator[list[Buffer]] = iter(())
    stored = [fetch for fetch, inlined in wanted if inlined is None]
    if stored:
        answers = iter(reader.fetch(stored))
    return [next(answers) if inlined is None else _cut(inlined, fetch.ranges) for fetch, inlined in wanted]


def _cut(inlined: bytes, ranges: Sequence[tuple[int, int]]) -> list[Buffer]:
    view = memoryview(inlined)
    return [view[start:stop] for start, stop in ranges]


class SharedDictionaries:
    """The dictionary segments of the slices being read, of which the needed blocks are fetched once."""

    def __init__(self, reader: Reader, version: Version, slices: Slices) -> None:
        self.reader = reader
        self.version = version
        self.slices = slices
        self.blocks = [np.frombuffer(d.blocks, BLOCK) for d in slices.dictionaries]
        self.payloads: list[dict[int, Buffer]] = [{} for _ in slices.dictionaries]
        self.dictionaries = [Dictionaries(b, p) for b, p in zip(self.blocks, self.payloads, strict=True)]

    def fetch(self, parts: list[Part]) -> None:
        """Fetch the dictionaries that the blocks of these parts refer to."""
        if not self.payloads:
            return
        self.fetch_numbers((part.dictionary, n) for part in parts for n in part.blocks["dictionary"].tolist())

    def fetch_numbers(self, wanted: Iterable[tuple[int, int]]) -> None:
        """Fetch dictionaries by the number of their segment and their own; negative: there is none to fetch."""
        needed: dict[int, set[int]] = {}
        for segment, number in wanted:
            if segment >= 0 and number >= 0 and number not in self.payloads[segment]:
                needed.setdefault(segment, set()).add(number)
        for segment, numbers in needed.items():
            ordered = sorted(numbers)
            if ordered[-1] >= len(self.blocks[segment]):
                raise Damage(f"there is no dictionary number {ordered[-1]}")
            rows = self.blocks[segment][ordered]
            ends = (rows["offset"] + rows["length"]).tolist()
            key, inlined = place_of(self.version, self.slices.dictionaries[segment].id)
            fetch = Fetch(key, list(zip(rows["offset"].tolist(), ends, strict=True)))
            payloads = fetch_pieces(self.reader, [(fetch, inlined)])[0]
            self.payloads[segment].update(zip(ordered, payloads, strict=True))

    def fetched(self, kind: Any) -> Iterator[Any]:
        """The strings of every dictionary that was fetched, as an Arrow array of the given type each."""
        for payloads, dictionaries in zip(self.payloads, self.dictionaries, strict=True):
            for number in payloads:
                yield dictionaries.values(number, kind)

    def of(self, segment: int) -> Dictionaries | None:
        """One of the dictionary segments, by its number; None for -1."""
        return self.dictionaries[segment] if segment >= 0 else None
