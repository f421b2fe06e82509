"""How string columns are stored: as codes where they repeat, as strings where they do not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.format.tables import STRING, assert_same, read, texts, write

from coldframe.format import text
from coldframe.format.codecs import ids
from coldframe.format.schema import Schema
from coldframe.format.table import NAN, NONE, Band, StringColumn, Table

LARGE = pa.large_string()


def coded(values: list[str], codes) -> StringColumn:
    return StringColumn(pa.array(values, LARGE), np.asarray(codes, np.int32))


def plain(values: list[str], missing=None) -> StringColumn:
    return StringColumn(pa.array(values, LARGE), None, None if missing is None else np.asarray(missing, np.int8))


def table(*columns: StringColumn) -> Table:
    return Table(
        Schema.of([f"s{i}" for i in range(len(columns))], [STRING] * len(columns)),
        len(columns[0]),
        [Band(list(columns))],
    )


def codecs(column: StringColumn, slice_rows: int = 100_000) -> set[int]:
    written = write(table(column), slice_rows)
    assert_same(read(written), table(column))
    return {int(block["codec"]) for segment in written.segments for block in segment.blocks}


def test_what_repeats_is_coded():
    rng = np.random.default_rng(0)
    assert codecs(coded(["a", "b", "c"], rng.integers(-2, 3, 1000))) == {ids.DICTIONARY}
    assert codecs(plain([f"{i % 7}" for i in range(1000)])) == {ids.DICTIONARY}
    assert codecs(plain([f"{i % 7}" for i in range(1000)], np.arange(1000) % 3 - 2), 300) == {ids.DICTIONARY}


def test_what_does_not_repeat_is_plain():
    values = [f"value {i}" for i in range(1000)]
    shuffled = np.random.default_rng(0).permutation(1000)
    assert codecs(plain(values)) == {ids.STRINGS}
    assert codecs(coded(values, np.arange(1000))) == {ids.STRINGS}
    assert codecs(coded(values, shuffled)) == {ids.STRINGS}
    assert codecs(coded(values, np.where(shuffled % 5, shuffled, NAN)), 300) == {ids.STRINGS}


def test_few_rows_are_plain():
    assert codecs(coded(["a"], [0, 0, NONE])) == {ids.STRINGS}
    assert codecs(coded([], [NONE, NAN])) == {ids.STRINGS}
    assert codecs(plain([""], [NONE])) == {ids.STRINGS}


def test_a_column_without_any_value_costs_next_to_nothing():
    for column in (coded([], [NONE] * 10_000), plain([""] * 10_000, [NONE] * 10_000)):
        written = write(table(column))
        assert sum(len(s.data) for s in written.segments) < 300
        assert texts(read(written).bands[0].values[0]) == [("None",)] * 10_000


def test_rows_cut_from_a_large_table_do_not_drag_its_dictionary_along():
    values = [f"value number {i}" for i in range(50_000)]
    column = coded(values, np.arange(100_000) % 50_000).rows(500, 700)
    [segment] = write(table(column)).segments
    assert len(segment.data) < 6000
    repeated = coded(values, np.repeat(np.arange(40_000, 40_020), 50))
    [segment] = write(table(repeated)).segments
    assert len(segment.data) < 3000
    assert_same(read(write(table(repeated))), table(repeated))


def test_plain_strings_that_repeat_are_coded_once_for_all_slices():
    rng = np.random.default_rng(0)
    values = [f"name number {i}" for i in rng.integers(0, 3000, 40_000)]
    missing = np.where(rng.random(40_000) < 0.1, rng.integers(-2, 0, 40_000), 0)
    kept = ["" if gone else value for value, gone in zip(values, missing, strict=True)]
    written = write(table(plain(kept, missing)), 10_000)
    assert [int(s.blocks["codec"][0]) for s in written.segments] == [ids.DICTIONARY] * 4
    assert written.shared is not None
    assert_same(read(written), table(plain(kept, missing)))


@pytest.mark.parametrize(("distinct", "codec"), [(20_000, ids.DICTIONARY), (40_000, ids.STRINGS)])
def test_how_often_strings_repeat_is_told_by_a_sample(distinct, codec):
    """Ten times each is worth while, five times is not."""
    values = [f"{i}" for i in np.random.default_rng(0).integers(0, distinct, 210_000)]
    assert codecs(plain(values)) == {codec}


def test_plain_columns_that_only_seem_to_repeat_are_stored_as_they_are():
    values = [f"unique {i}" if 20_000 <= i < 180_000 else "a" for i in range(200_000)]
    values[66_000:84_000] = values[116_000:134_000] = ["a"] * 18_000
    assert codecs(plain(values)) == {ids.STRINGS}


def test_each_column_finds_its_own_dictionary():
    rng = np.random.default_rng(0)
    columns = [
        coded([f"{i} {rng.integers(0, 2**60)}" for i in range(500)], rng.permutation(3000) % 500) for _ in range(3)
    ]
    columns.insert(1, coded(["a", "b"], rng.integers(0, 2, 3000)))
    written = write(table(*columns), 1000)
    assert written.shared.blocks["first"].tolist() == [0, 2, 3]
    assert_same(read(written), table(*columns))


def test_a_dictionary_that_repeats_the_empty_string():
    column = coded(["", "", ""], np.arange(100) % 5 - 2)
    assert codecs(column) == {ids.DICTIONARY}
    assert read(write(table(column))).bands[0].values[0].values.to_pylist() == [""]


@pytest.mark.parametrize("kind", ["coded", "plain"])
def test_very_long_and_odd_strings(kind):
    values = ["x" * 100_000, "", "\0", "a\0b", "\U0010ffff", "é" * 70_000, "\n\r\t", "\ud7ff"] * 2
    column = plain(values)
    if kind == "coded":
        column = coded(values[:8], np.arange(200) % 8)
    assert_same(read(write(table(column))), table(column))


def test_slices_of_arrow_arrays_are_read_where_they_begin():
    values = pa.array([f"s{i}" for i in range(100)], LARGE)[37:59]
    column = StringColumn(values)
    found = read(write(table(column), 5)).bands[0].values[0]
    assert texts(found) == [f"s{i}" for i in range(37, 59)]


@given(st.lists(st.one_of(st.text(max_size=5), st.sampled_from(["a", "b"])), max_size=80), st.data())
def test_any_strings_come_back(values, data):
    missing = data.draw(st.lists(st.sampled_from([0, 0, NONE, NAN]), min_size=len(values), max_size=len(values)))
    kept = [value if not gone else "" for value, gone in zip(values, missing, strict=True)]
    column = plain(kept, missing)
    assert_same(read(write(table(column), 30)), table(column))
    distinct = sorted(set(kept))
    codes = [gone or distinct.index(value) for value, gone in zip(kept, missing, strict=True)]
    column = coded(distinct, codes)
    assert_same(read(write(table(column), 30)), table(column))


def test_widths_are_about_right():
    plan, _ = text.plan(plain(["x" * 100] * 10 + ["y" * 50] * 10), shared=False, number=0)
    assert 70 < plan.width() < 80
