"""Notes on what an object was: shortest form, choice of columns, names of zones."""

# ruff: noqa: PD011 -- a band has values; it is no pandas object

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.format.dtypes import DType
from coldframe.format.table import Band, Table
from coldframe.frames.meta import dtype_of, encode_meta, frame_meta, numpy_of, replace_meta, select
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.frames.zones import zone_name, zone_of
from coldframe.testing import strategies

pytestmark = pytest.mark.filterwarnings("ignore:assert_index_equal will check")


def chosen(table: Table, positions: np.ndarray) -> Table:
    """Some columns of a table, as a read of them gives it."""
    schema = select(table.schema, positions)
    stored = [values for band in table.bands for values in band.values]
    by_place = dict(zip(table.schema.order.tolist(), stored, strict=True))
    bands = []
    for kind in range(len(schema.types)):
        places = schema.order[schema.bounds[kind] : schema.bounds[kind + 1]]
        bands.append(Band([by_place[int(positions[place])] for place in places]))
    return Table(schema, table.rows, bands)


@given(strategies.frames(), st.data())
def test_some_columns(frame, data):
    table = normalize(frame, symbol="s")
    levels = table.schema.index_columns
    wanted = sorted(data.draw(st.sets(st.integers(0, frame.shape[1] - 1)))) if frame.shape[1] else []
    result = denormalize(chosen(table, np.array([*range(levels), *(levels + p for p in wanted)], dtype=np.intp)))
    expected = frame.iloc[:, wanted]
    names = result.columns.tolist()
    assert list(map(type, names)) == list(map(type, expected.columns.tolist()))
    if isinstance(frame.columns, pd.RangeIndex):
        expected = expected.set_axis(result.columns, axis=1)
    pd.testing.assert_frame_equal(result, expected, check_exact=True)


@given(strategies.frames(), st.data())
def test_chosen_columns_stand_as_the_format_reads_them(frame, data):
    """The format picks columns by their stored positions; only the note differs from its choice."""
    schema = normalize(frame, symbol="s").schema
    levels = list(range(schema.index_columns))
    rest = st.integers(len(levels), schema.width - 1)
    wanted = sorted({*levels, *(data.draw(st.sets(rest)) if schema.width > len(levels) else ())})
    positions = np.array(wanted, dtype=np.intp)
    chosen_by_format = schema.select(np.sort(schema.place[positions]))
    picked = select(schema, positions)
    assert replace_meta(picked, frame_meta(chosen_by_format)) == chosen_by_format


@given(strategies.frames())
def test_the_note_is_read_back(frame):
    schema = normalize(frame, symbol="s").schema
    meta = frame_meta(schema)
    assert replace_meta(schema, meta) == schema
    assert encode_meta(meta) == schema.frame


def test_notes_are_short():
    wide = pd.DataFrame({f"c{i}": ["x"] for i in range(1000)})
    assert len(normalize(wide, symbol="s").schema.frame) < 50


def test_a_table_of_nobodys_object():
    table = normalize(pd.DataFrame({"a": [1, 2]}), symbol="s")
    bare = Table(type(table.schema).of(["a"], [DType("int", 64)]), 2, table.bands)
    pd.testing.assert_frame_equal(denormalize(bare), pd.DataFrame({"a": [1, 2]}), check_column_type=False)


@pytest.mark.parametrize(
    "name", [*strategies.INTEGERS, *strategies.FLOATS, "bool", *strategies.INSTANTS, *strategies.DURATIONS]
)
def test_types_there_and_back(name):
    stored = dtype_of(np.dtype(name))
    assert numpy_of(stored) == np.dtype(name)
    assert str(stored) == name


@pytest.mark.parametrize("name", ["complex64", "longdouble", "O", "S3", "U3", "M8[D]", "M8[10s]", "M8", "m8", "i4,i4"])
def test_types_that_are_not_stored(name):
    assert dtype_of(np.dtype(name)) is None


@given(st.integers(-86_399, 86_399))
def test_offsets(seconds):
    zone = dt.timezone(dt.timedelta(seconds=seconds))
    name = zone_name(zone)
    restored = zone_of(name)
    assert isinstance(restored, dt.timezone)
    assert restored.utcoffset(None) == dt.timedelta(seconds=seconds)
    assert zone_name(restored) == name
