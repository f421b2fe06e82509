"""The order of time, and its units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.frames.meta import index_kind, is_timeseries
from coldframe.frames.pandas_in import normalize
from coldframe.frames.timeline import first_missing, index_values, sortedness, to_ns, to_unit


def table(index):
    return normalize(pd.DataFrame({"a": np.arange(len(index))}, index=index), symbol="s")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_order(numbers):
    index = pd.DatetimeIndex(np.array(numbers, dtype="M8[us]"))
    wanted = "UNSORTED"
    if numbers == sorted(numbers):
        wanted = "ASCENDING"
    elif numbers == sorted(numbers, reverse=True):
        wanted = "DESCENDING"
    assert sortedness(table(index)) == wanted
    levels = pd.MultiIndex.from_arrays([index, numbers])
    assert sortedness(table(levels)) == wanted


@pytest.mark.parametrize("at", [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 199_999])
def test_order_of_many(at):
    values = np.arange(200_000)
    assert sortedness(table(pd.DatetimeIndex(values.astype("M8[s]")))) == "ASCENDING"
    assert sortedness(table(pd.DatetimeIndex(values[::-1].astype("M8[s]")))) == "DESCENDING"
    values[at] = 70_000 if at != 70_000 else 0
    expected = "ASCENDING" if (np.diff(values) >= 0).all() else "UNSORTED"
    assert sortedness(table(pd.DatetimeIndex(values.astype("M8[s]")))) == expected


@pytest.mark.parametrize(
    "numbers",
    [["NaT", "2024"], ["2024", "NaT"], ["NaT"], ["NaT", "NaT"], ["2025", "NaT", "2024"], ["2025", "2024", "NaT"]],
)
def test_missing_times(numbers):
    one = table(pd.DatetimeIndex(numbers, name="t"))
    assert sortedness(one) == "UNSORTED"
    assert first_missing(one) == numbers.index("NaT")


def test_no_missing_times():
    assert first_missing(table(pd.DatetimeIndex(["2025", "2024"]))) is None
    assert first_missing(table(pd.DatetimeIndex([]))) is None


def test_other_indexes_have_no_order():
    for index in (pd.RangeIndex(2), pd.Index([2, 1]), pd.Index(["b", "a"]), pd.timedelta_range("1s", periods=2)):
        one = table(index)
        assert sortedness(one) == "UNKNOWN"
        assert not is_timeseries(one.schema)
        assert sortedness(table(index[:0])) == "ASCENDING"


def test_kinds():
    kinds = {
        "range": pd.RangeIndex(1),
        "timestamp": pd.to_datetime(["2024"]),
        "duration": pd.to_timedelta(["1s"]),
        "int": pd.Index([5]),
        "uint": pd.Index([5], dtype="uint8"),
        "float": pd.Index([0.5]),
        "bool": pd.Index([True]),
        "string": pd.Index(["a"]),
        "multi": pd.MultiIndex.from_arrays([[1]]),
    }
    assert {kind: index_kind(table(index).schema) for kind, index in kinds.items()} == {kind: kind for kind in kinds}


def test_values_are_in_their_own_unit_and_utc():
    index = pd.DatetimeIndex(["2024-01-01"], tz="Asia/Tokyo").as_unit("ms")
    assert index_values(table(index)).tolist() == [1704034800000]
    both = pd.DataFrame({"a": pd.to_datetime(["2030"]).as_unit("ms").tz_localize("Asia/Tokyo")}, index=index)
    assert index_values(normalize(both, symbol="s")).tolist() == [1704034800000]


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["s", "ms", "us", "ns"]))
def test_units(ns, unit):
    down, up = to_unit(ns, unit), to_unit(ns, unit, up=True)
    assert to_ns(down, unit) <= ns <= to_ns(up, unit)
    assert up - down <= 1
    assert (up == down) == (to_ns(down, unit) == ns)
