"""What is refused: the type of error, and that it names symbol, column, row, type and remedy."""

from __future__ import annotations

import datetime as dt
import decimal
import re

import numpy as np
import pandas as pd
import pytest

from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticException,
    ArcticUnsupportedDataTypeException,
    InternalException,
    UserInputException,
)
from coldframe.frames import refusals
from coldframe.frames.pandas_in import normalize

NYI, BASE, INTERNAL, INPUT = ArcticDbNotYetImplemented, ArcticException, InternalException, UserInputException


class Text(str):
    __slots__ = ()


def objects(*values: object) -> pd.Series:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return pd.Series(made, dtype=object)


@pytest.mark.parametrize(
    ("values", "error", "row", "what"),
    [
        ([None, 1, 2], NYI, 1, "int"),
        ([np.nan, 1.5], NYI, 1, "float"),
        ([True], NYI, 0, "bool"),
        ([np.int64(3)], NYI, 0, "numpy.int64"),
        ([None, dt.date(2024, 1, 1)], NYI, 1, "datetime.date"),
        ([dt.datetime(2024, 1, 1)], NYI, 0, "datetime.datetime"),  # noqa: DTZ001
        ([dt.timedelta(1)], NYI, 0, "datetime.timedelta"),
        ([[1, 2]], NYI, 0, "list"),
        ([{"a": 1}], NYI, 0, "dict"),
        ([np.array([1])], NYI, 0, "numpy.ndarray"),
        ([decimal.Decimal(1)], NYI, 0, "decimal.Decimal"),
        ([decimal.Decimal("NaN")], NYI, 0, "decimal.Decimal"),
        ([pd.Period("2024")], NYI, 0, "Period"),
        ([pd.Interval(0, 1)], NYI, 0, "Interval"),
        ([b"bytes"], NYI, 0, "bytes"),
        ([pd.NA], NYI, 0, "NAType"),
        ([None, pd.NA], NYI, 1, "NAType"),
        ([np.str_("x")], NYI, 0, "numpy.str_"),
        (["a", Text("x")], NYI, 1, "Text"),
        (["a", None, 3], INPUT, 2, "int"),
        (["a", b"b"], INPUT, 1, "bytes"),
        (["a", pd.NA], INPUT, 1, "NAType"),
        (["a", pd.NaT], INPUT, 1, "NaTType"),
        ([pd.NaT, "a"], INPUT, 0, "NaTType"),
        (["a", 1.5], INPUT, 1, "float"),
        (["a", pd.Timestamp("2024")], INPUT, 1, "Timestamp"),
        (["a", "\ud800"], INPUT, 1, "surrogate"),
        ([1, pd.Timestamp("2024")], NYI, 0, "int"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("many", [False, True])
def test_objects(values, error, row, what, many):
    if many:  # long enough that nothing repeats is seen, and the other way is taken
        front = [f"s{i}" for i in range(3000)] if isinstance(values[0], str) else [None] * 3000
        values, row = [*front, *values], row + 3000
    frame = pd.DataFrame({"fine": range(len(values)), "bad": objects(*values)})
    with pytest.raises(error, match="'bad'") as caught:
        normalize(frame, symbol="sym")
    assert type(caught.value) is error
    assert f"row {row}" in str(caught.value)
    assert what in str(caught.value)
    assert "'sym'" in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([pd.Timestamp("2024"), "x"], "str"),
        ([pd.Timestamp("2024"), 1], "int"),
        ([pd.Timestamp("2024"), 1.5], "float"),
        ([pd.Timestamp("2024", tz="UTC"), pd.Timestamp("2024")], "time zones"),
        ([pd.Timestamp("2024", tz="UTC"), pd.Timestamp("2024", tz="Asia/Tokyo")], "Asia/Tokyo"),
        ([pd.Timestamp(-(10**11), unit="s")], "nanoseconds"),
    ],
    ids=repr,
)
def test_timestamps_that_make_no_type(values, reason):
    with pytest.raises(ArcticException, match=r"to_datetime") as caught:
        normalize(pd.DataFrame({"t": objects(*values)}), symbol="sym")
    assert type(caught.value) is ArcticException
    assert reason in str(caught.value)
    assert "'t'" in str(caught.value)


ARROW = pd.array([1, 2], dtype="int64[pyarrow]")


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (pd.array([1, None], dtype="Int64"), BASE),
        (pd.array([True, None], dtype="boolean"), BASE),
        (pd.array([1.5, None], dtype="Float64"), BASE),
        (pd.arrays.SparseArray([0, 1]), BASE),
        (pd.arrays.IntervalArray.from_breaks([0, 1, 2]), NYI),
        (pd.period_range("2024", periods=2, freq="D").array, NYI),
        (pd.array(["a", None], dtype=pd.StringDtype("python")), NYI),
        (pd.array(["a", None], dtype=pd.StringDtype("pyarrow")), NYI),
        (ARROW, NYI),
        (np.array([1j, 2]), INTERNAL),
        (np.array([1, 2], dtype="longdouble"), INTERNAL),
        (pd.Categorical([pd.Interval(0, 1), pd.Interval(1, 2)]), BASE),
        (pd.Categorical(objects(1, "a")), NYI),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
@pytest.mark.parametrize("of", ["frame", "series", "index"])
def test_types(values, error, of):
    if of == "frame":
        data = pd.DataFrame({"fine": [1, 2], "bad": pd.Series(values)})
    elif of == "series":
        data = pd.Series(values, name="bad")
    else:
        if getattr(values, "dtype", None) in (np.dtype("complex128"), np.dtype("longdouble")):
            pytest.skip("pandas makes another index of it")
        data = pd.DataFrame({"a": [1, 2]}, index=pd.Index(values, name="bad"))
        if isinstance(data.index, pd.IntervalIndex):
            error = BASE
        if isinstance(data.index, pd.CategoricalIndex):
            error = BASE
    with pytest.raises(error, match="'bad'") as caught:
        normalize(data, symbol="sym")
    assert type(caught.value) is error
    assert "'sym'" in str(caught.value)


@pytest.mark.parametrize(
    "name", [("a", 1), pd.Timestamp("2024"), np.nan, b"x", 2**64, "\ud800", frozenset()], ids=ascii
)
def test_column_names(name):
    frame = pd.DataFrame([[1, 2]])
    frame.columns = pd.Index(["fine", name], dtype=object, tupleize_cols=False)
    with pytest.raises(ArcticException, match="column name") as caught:
        normalize(frame, symbol="sym")
    assert type(caught.value) is ArcticException
    assert ascii(name) in str(caught.value)


@pytest.mark.parametrize("name", [("a", 1), pd.Timestamp("2024"), 1.5, True, b"x"], ids=repr)
def test_index_names(name):
    frame = pd.DataFrame({"a": [1]}, index=pd.Index([5]))
    frame.index.name = name
    with pytest.raises(ArcticException, match="index name"):
        normalize(frame, symbol="sym")
    plain = pd.DataFrame({"a": [1]})
    plain.columns.name = name
    with pytest.raises(ArcticException, match="index name"):
        normalize(plain, symbol="sym")
    many = pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_arrays([[1], [2]], names=["fine", name]))
    with pytest.raises(ArcticException, match="index name"):
        normalize(many, symbol="sym")


@pytest.mark.parametrize("name", [("a", 1), pd.Timestamp("2024"), np.nan], ids=repr)
def test_series_names(name):
    with pytest.raises(ArcticException, match="Series name"):
        normalize(pd.Series([1], name=name), symbol="sym")


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), NYI, "MultiIndex"),
        (pd.CategoricalIndex(["a", "b"]), BASE, "category"),
        (pd.date_range("2024", periods=2), BASE, "Timestamp"),
        (pd.period_range("2024", periods=2, freq="D"), BASE, "period"),
        (pd.Index(["a", "b"], dtype=pd.StringDtype("python")), BASE, "string"),
        (pd.timedelta_range("1s", periods=2), BASE, "Timedelta"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_columns_indexes(columns, error, words):
    frame = pd.DataFrame([[1, 2]])
    frame.columns = columns
    with pytest.raises(error, match=words) as caught:
        normalize(frame, symbol="sym")
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (pd.CategoricalIndex(["a", "b"]), BASE),
        (pd.IntervalIndex.from_breaks([0, 1, 2]), BASE),
        (pd.period_range("2024", periods=2, freq="D"), NYI),
        (pd.Index([1, "a"], dtype=object), NYI),
        (pd.Index(["a", 1], dtype=object), INPUT),
        (pd.Index([(1, 2), (3, 4)], tupleize_cols=False), NYI),
        (pd.MultiIndex.from_arrays([[1, 2], pd.period_range("2024", periods=2, freq="D")]), NYI),
    ],
    ids=lambda value: type(value).__name__,
)
def test_indexes(index, error):
    with pytest.raises(error, match="index") as caught:
        normalize(pd.DataFrame({"a": [1, 2]}, index=index), symbol="sym")
    assert type(caught.value) is error


def test_a_range_beyond_64_bits():
    with pytest.raises(ArcticException, match="64 bits"):
        normalize(pd.DataFrame({"a": [1]}, index=pd.RangeIndex(2**70, 2**70 + 1)), symbol="sym")


class Local(dt.tzinfo):
    def utcoffset(self, _when):
        return dt.timedelta(hours=1)

    def dst(self, _when):
        return dt.timedelta(0)

    def tzname(self, _when):
        return "local"


@pytest.mark.parametrize("zone", [Local(), dt.timezone(dt.timedelta(microseconds=7))], ids=["local", "microseconds"])
def test_zones_without_a_name(zone):
    frame = pd.DataFrame({"t": pd.DatetimeIndex(["2024-01-01"], tz="UTC").tz_convert(zone)})
    with pytest.raises(ArcticException, match=r"time zone .* tz_convert"):
        normalize(frame, symbol="sym")


@pytest.mark.parametrize(
    "data",
    [None, 1, "text", [1], {"a": 1}, np.array([1]), pd.Index([1]), object()],
    ids=lambda data: type(data).__name__,
)
def test_other_objects(data):
    with pytest.raises(ArcticUnsupportedDataTypeException, match=re.escape(type(data).__name__)) as caught:
        normalize(data, symbol="sym")
    assert "write_pickle" in str(caught.value)


def test_a_value_whose_repr_fails():
    class Rude:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(ArcticDbNotYetImplemented, match="not printable"):
        normalize(pd.DataFrame({"a": objects(Rude())}), symbol="sym")


@pytest.mark.parametrize(("name", "why"), [(2**70, "64 bits"), ("\ud800", "valid Unicode")])
def test_names_of_an_allowed_type_that_are_refused_say_why(name, why):
    frame = pd.DataFrame([[1, 2]], columns=pd.Index(["good", name], dtype=object))
    with pytest.raises(ArcticException, match=why) as caught:
        normalize(frame, symbol="sym")
    str(caught.value).encode()


def test_values_stand_in_messages_on_one_line_and_short():
    frame = pd.DataFrame({"a": range(100)})
    assert "\n" not in refusals.short(frame)
    assert len(refusals.short(frame)) <= 60
