"""Single columns decoded in place say what the same blocks say in a table; damage is told."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.format.tables import STRING, Written, bits, payloads, read, tables, texts, write

from coldframe.format.checksums import Damage
from coldframe.format.codecs.linear import Steps
from coldframe.format.columns import ColumnDecoder
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.table import Band, StringColumn, Table


def blocks_of(written: Written):
    """Every block of every slice: its first row, its rows, its record and its payload."""
    for begin, rows, segments in written.slices:
        for segment in segments:
            for record, payload in zip(segment.blocks.tolist(), payloads(segment, segment.blocks), strict=True):
                yield begin, rows, record, payload


def written_out(found) -> tuple[np.ndarray, np.ndarray | None]:
    if isinstance(found, Steps):
        values = np.empty((1, len(found)), np.int64)
        found.write(values[0])
        return values, None
    return found


@given(tables(), st.sampled_from([1, 3, 50, 1000]), st.sampled_from([1, 2, 100]))
def test_columns_are_those_of_the_table(table, slice_rows, columns_per_segment):
    if table.rows > 60:
        slice_rows = max(slice_rows, 50)
    written = write(table, slice_rows, columns_per_segment=columns_per_segment, segment_bytes=1000)
    decoder, whole = ColumnDecoder(table.schema), read(written)
    kinds = np.searchsorted(table.schema.bounds, np.arange(table.schema.width), side="right") - 1
    for begin, rows, record, payload in blocks_of(written):
        kind, at = int(kinds[record[0]]), record[0] - int(table.schema.bounds[kinds[record[0]]])
        band = whole.slice(begin, begin + rows).bands[kind]
        if not table.schema.types[kind].fixed:
            assert texts(decoder.strings(record, payload, rows, written.dictionaries)) == texts(band.values[at])
            continue
        values, valid = written_out(decoder.numbers(record, payload, rows))
        assert bits(values) == bits(band.values[at : at + record[1]])
        expected = np.ones(values.shape, bool) if band.valid is None else band.valid[at : at + record[1]]
        assert ((np.ones(values.shape, bool) if valid is None else valid) == expected).all()


def floats(rows: int) -> Table:
    schema = Schema.of(["a", "b"], [DType("float")] * 2)
    return Table(schema, rows, [Band(np.random.default_rng(0).normal(size=(2, rows)))])


def test_random_numbers_are_looked_at_where_they_lie():
    written = write(floats(30_000))
    ((_, rows, record, payload),) = list(blocks_of(written))
    values, _ = ColumnDecoder(written.schema).numbers(record, payload, rows)
    assert np.shares_memory(values, np.frombuffer(payload, np.uint8))


def test_numbers_that_lie_askew_are_moved():
    written = write(floats(100))
    ((_, rows, record, payload),) = list(blocks_of(written))
    askew = memoryview(b"." + bytes(payload))[1:]
    values, _ = ColumnDecoder(written.schema).numbers(record, askew, rows)
    assert values.flags.aligned
    assert bits(values) == bits(written_out(ColumnDecoder(written.schema).numbers(record, payload, rows))[0])


def test_equal_steps_are_not_written_out():
    schema = Schema.of(["t"], [DType("timestamp", unit="ns")])
    written = write(Table(schema, 40_000, [Band(np.arange(40_000)[np.newaxis] * 7 + 5)]))
    ((_, rows, record, payload),) = list(blocks_of(written))
    found = ColumnDecoder(schema).numbers(record, payload, rows)
    assert isinstance(found, Steps)
    some = np.empty(3, np.int64)
    found.put(np.array([0, 39_999, 3]), some)
    assert some.tolist() == [5, 39_999 * 7 + 5, 26]


@pytest.mark.parametrize("of_strings", [False, True])
def test_damage_names_the_column(of_strings):
    table = floats(100)
    if of_strings:
        words = pa.array([f"word {number}" for number in range(100)], pa.large_string())
        table = Table(Schema.of(["a"], [STRING]), 100, [Band([StringColumn(words)])])
    written = write(table)
    _, rows, record, payload = next(iter(blocks_of(written)))
    decoder = ColumnDecoder(table.schema)
    decode = partial(decoder.strings, dictionaries=None) if of_strings else decoder.numbers
    for broken in (payload[:-1], bytes([payload[0] ^ 1]) + bytes(payload[1:])):
        with pytest.raises(Damage, match="column 'a'"):
            decode(record, broken, rows)


def test_a_dictionary_that_is_missing_is_damage():
    values = pa.array([np.random.default_rng(number).bytes(40).hex() for number in range(300)], pa.large_string())
    codes = np.tile(np.arange(300, dtype=np.int32), 4)
    table = Table(Schema.of(["s"], [STRING]), 1200, [Band([StringColumn(values, codes)])])
    written = write(table, 600)
    assert written.dictionaries is not None
    _, rows, record, payload = next(iter(blocks_of(written)))
    assert len(ColumnDecoder(table.schema).strings(record, payload, rows, written.dictionaries)) == rows
    with pytest.raises(Damage, match="dictionary is missing"):
        ColumnDecoder(table.schema).strings(record, payload, rows, None)


def of_words(words: list[str]):
    """The one block of a column of strings that repeat, and the schema."""
    values = pa.array(words, pa.large_string())
    codes = np.tile(np.arange(len(words), dtype=np.int32), 12)
    table = Table(Schema.of(["s"], [STRING]), len(codes), [Band([StringColumn(values, codes)])])
    return table.schema, next(iter(blocks_of(write(table))))


def test_slices_with_the_same_words_share_them():
    schema, (_, rows, record, payload) = of_words(["a", "b"])
    decoder = ColumnDecoder(schema)
    first, second = (decoder.strings(record, payload, rows, None) for _ in range(2))
    assert first.values is second.values


def test_few_and_short_dictionaries_are_kept():
    schema, _ = of_words(["a", "b"])
    decoder = ColumnDecoder(schema)
    for number in range(600):
        _, (_, rows, record, payload) = of_words([f"a{number}", f"b{number}"])
        decoder.strings(record, payload, rows, None)
    assert 0 < len(decoder._embedded) <= 256
    kept = len(decoder._embedded)
    _, (_, rows, record, payload) = of_words([np.random.default_rng(at).bytes(2_500).hex() for at in range(2)])
    assert len(decoder.strings(record, payload, rows, None)) == rows
    assert len(decoder._embedded) == kept
