"""Tables for the tests of the format: drawn at random, written, read back and compared bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from numpy.typing import NDArray

from coldframe.format.assembly import Assembly, Dictionaries
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.segments import EncodedSegment, Encoder
from coldframe.format.table import NAN, NONE, Band, StringColumn, Table

FIXED = [
    *(DType("int", bits) for bits in (8, 16, 32, 64)),
    *(DType("uint", bits) for bits in (8, 16, 32, 64)),
    *(DType("float", bits) for bits in (16, 32, 64)),
    DType("bool", 8),
    *(DType("timestamp", unit=unit) for unit in ("s", "ms", "us", "ns")),
    DType("timestamp", unit="ns", zone="Europe/Berlin"),
    DType("duration", unit="ms"),
    *(DType("category", bits) for bits in (8, 16, 32)),
    DType("category", 8, ordered=True),
]
STRING = DType("string", 0)
BINARY = DType("binary", 0)
LARGE = {STRING: pa.large_string(), BINARY: pa.large_binary()}

STYLES = ["bits", "constant", "few", "steps", "decimals", "sorted", "mostly zero", "blocks"]


def numbers(dtype: DType, shape: tuple[int, int], style: str, rng: np.random.Generator) -> NDArray[Any]:
    """Numbers as they occur, or as they should not."""
    storage = dtype.storage
    if dtype.kind == "bool":
        return rng.random(shape) < (0.0 if style == "constant" else 0.5)
    if style == "bits":
        size = int(np.prod(shape)) * storage.itemsize
        made = np.frombuffer(rng.bytes(size), storage).reshape(shape)
        return np.where(made < 0, -1, made).astype(storage) if dtype.kind == "category" else made.copy()
    plain = {
        "constant": lambda: np.broadcast_to(rng.integers(0, 100, (shape[0], 1)), shape),
        "few": lambda: rng.integers(0, 5, shape),
        "steps": lambda: np.cumsum(rng.integers(0, 3, shape), axis=1),
        "decimals": lambda: rng.integers(-3000, 9000, shape) / 100,
        "sorted": lambda: np.sort(rng.standard_normal(shape) * 50, axis=1),
        "mostly zero": lambda: np.where(rng.random(shape) < 0.05, rng.integers(0, 100, shape), 0),
        "blocks": lambda: np.broadcast_to(np.arange(shape[1]) // 7, shape),
    }[style]()
    made = np.clip(plain, -1 if dtype.kind == "category" else 0, 127).astype(storage)
    if dtype.kind == "float" and style in ("few", "decimals"):
        made[rng.random(shape) < 0.1] = np.nan
    if dtype.temporal and style in ("few", "sorted"):
        made[rng.random(shape) < 0.1] = np.iinfo(np.int64).min
    return made


WORDS = ["", "a", "AAPL", "naïve", "漢字", "\0", "a\0b", "🙂", "x" * 300, " ", "None", "nan"]


def strings(dtype: DType, rows: int, style: str, rng: np.random.Generator) -> StringColumn:
    """A column of strings or bytes, coded or plain, some missing in either way."""
    words: list[Any] = WORDS if style == "few" else [f"{style}-{i}" for i in range(max(rows, 1))]
    if dtype == BINARY:
        words = [word.encode() + b"\xff\x00" for word in words]
    if style == "constant":
        words = words[:1]
    values = pa.array(words, LARGE[dtype])
    codes = rng.integers(0, len(words), rows).astype(np.int32)
    gone = rng.random(rows) < (0.2 if style in ("few", "sorted") else 0.0)
    codes[gone] = rng.choice([NONE, NAN], int(gone.sum()))
    coded = StringColumn(values, codes)
    return coded if rng.random() < 0.5 else coded.plain()


def band(dtype: DType, columns: int, rows: int, style: str, layout: str, rng: np.random.Generator) -> Band:
    """All columns of a type, in some layout of memory."""
    if not dtype.fixed:
        return Band([strings(dtype, rows, style, rng) for _ in range(columns)])
    values = numbers(dtype, (columns, rows), style, rng)
    valid = None
    if dtype.kind not in ("category", "timestamp", "duration") and rng.random() < 0.3:
        valid = rng.random((columns, rows)) < rng.choice([0.0, 0.5, 1.0])
    if layout == "arrays":
        return Band(list(values), valid)
    if layout == "rows":
        values = np.ascontiguousarray(values.T).T
    elif layout == "strided":
        wide = np.zeros((columns * 2, rows * 3), values.dtype)
        wide[::2, 1::3] = values
        values = wide[::2, 1::3]
    elif layout == "reversed":
        values = values[:, ::-1].copy()[:, ::-1]
    return Band(values, valid)


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 400, max_columns: int = 9) -> Table:
    """Tables of any types, shapes and layouts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.one_of(st.sampled_from([0, 1, 2, 7, 64]), st.integers(0, max_rows)))
    dtypes = draw(st.lists(st.sampled_from([*FIXED, STRING, BINARY]), max_size=max_columns))
    categories = {i: b"categories" for i, dtype in enumerate(dtypes) if dtype.kind == "category"}
    levels = draw(st.integers(0, len(dtypes)))
    names: list[Any] = [draw(st.sampled_from([f"c{i}", i, None, "twice", "naïve"])) for i in range(len(dtypes))]
    schema = Schema.of(names, dtypes, levels, categories, b"frame")
    counts = np.diff(schema.bounds).tolist()
    layouts = st.sampled_from(["columns", "rows", "strided", "reversed", "arrays"])
    bands = [
        band(dtype, count, rows, draw(st.sampled_from(STYLES)), draw(layouts), rng)
        for dtype, count in zip(schema.types, counts, strict=True)
    ]
    return Table(schema, rows, bands)


@dataclass
class Written:
    """What a write made: per slice its first row, its rows and its segments; and the shared dictionaries."""

    schema: Schema
    slices: list[tuple[int, int, list[EncodedSegment]]]
    dictionaries: Dictionaries | None
    shared: EncodedSegment | None

    @property
    def segments(self) -> list[EncodedSegment]:
        return [segment for _, _, segments in self.slices for segment in segments]


def write(table: Table, slice_rows: int = 100_000, **options: Any) -> Written:
    """Encode all rows in slices."""
    encoder = Encoder(table, symbol="symbol", slice_rows=slice_rows, **options)
    starts = range(0, max(table.rows, 1), slice_rows)
    stops = [min(start + slice_rows, table.rows) for start in starts]
    slices = [(a, b - a, encoder.slice(a, b)) for a, b in zip(starts, stops, strict=True)]
    shared = encoder.dictionaries()
    return Written(table.schema, slices, None if shared is None else open_dictionaries(shared), shared)


def open_dictionaries(shared: EncodedSegment) -> Dictionaries:
    return Dictionaries(shared.blocks, dict(enumerate(payloads(shared, shared.blocks))))


def payloads(segment: EncodedSegment, blocks: NDArray[Any]) -> list[memoryview]:
    view = memoryview(segment.data)
    return [view[int(b["offset"]) : int(b["offset"] + b["length"])] for b in blocks]


def add(
    assembly: Assembly, written: Written, start: int, stop: int, at: int, *, placing: Callable[[], bool] | None = None
) -> int:
    """Add rows `start` to `stop` of what was written to an assembly, as its rows from `at` on.

    Where `placing` says so, a payload is first put where it may be put; the number of those that were.
    """
    placed = 0
    for begin, rows, segments in written.slices:
        first, last = max(start, begin), min(stop, begin + rows)
        if first > last or (first == last and rows):
            continue
        for segment in segments:
            blocks = segment.blocks[assembly.wanted(segment.blocks, written.schema)]
            where = {"rows": rows, "from_row": first - begin, "to_row": last - begin, "at": at + first - start}
            found = payloads(segment, blocks)
            if placing is not None:
                for number, place in enumerate(assembly.places(written.schema, blocks, **where)):
                    if place is not None and placing():
                        place[:] = found[number]
                        found[number] = place
                        placed += 1
            assembly.add(written.schema, blocks, found, dictionaries=written.dictionaries, **where)
    return placed


def read(written: Written, columns: NDArray[Any] | None = None, start: int = 0, stop: int | None = None) -> Table:
    """Some rows of some columns of what was written."""
    end = sum(rows for _, rows, _ in written.slices) if stop is None else stop
    assembly = Assembly(written.schema, columns, end - start)
    add(assembly, written, start, end, 0)
    return assembly.finish()


def texts(column: StringColumn) -> list[Any]:
    """The values of a string column as Python objects; "NaN" of type float for NaN."""
    plain = column.plain()
    marks = np.zeros(len(plain), np.int8) if plain.missing is None else plain.missing
    gone = {0: None, NONE: ("None",), NAN: ("NaN",)}
    return [gone[mark] or value for value, mark in zip(plain.values.to_pylist(), marks.tolist(), strict=True)]


def bits(values: Any) -> list[bytes]:
    """Each column's bytes."""
    return [np.ascontiguousarray(column).tobytes() for column in values]


def assert_same(found: Table, expected: Table) -> None:
    """The tables have the same schema and the same bits."""
    assert found.rows == expected.rows
    assert found.schema == expected.schema
    assert len(found.bands) == len(expected.bands)
    for dtype, mine, theirs in zip(expected.schema.types, found.bands, expected.bands, strict=True):
        if not dtype.fixed:
            assert [texts(c) for c in mine.values] == [texts(c) for c in theirs.values]
            continue
        assert all(column.dtype == dtype.storage for column in mine.values)
        assert bits(mine.values) == bits(theirs.values)
        everywhere = np.ones((len(theirs.values), expected.rows), dtype=bool)
        left = everywhere if mine.valid is None else mine.valid
        right = everywhere if theirs.valid is None else theirs.valid
        assert (left == right).all()


def take(table: Table, stored: NDArray[Any]) -> Table:
    """The expected result of reading some columns."""
    schema = table.schema.select(stored)
    bands = []
    for kind, low in enumerate(table.schema.bounds[:-1].tolist()):
        mine = [s - low for s in stored.tolist() if low <= s < table.schema.bounds[kind + 1]]
        if mine:
            band = table.bands[kind]
            bands.append(Band([band.values[i] for i in mine], None if band.valid is None else band.valid[mine]))
    return Table(schema, table.rows, bands)
