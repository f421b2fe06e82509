"""Time ranges: the rows that a search finds, and that what it has decoded on the way is right for loading them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe.arctic import Arctic
from coldframe.library import Library
from coldframe.options import LibraryOptions
from coldframe.query.builder import QueryBuilder

ROWS = 10_000
EPOCH = pd.Timestamp("2024-01-01")


def times(step: str) -> pd.DatetimeIndex:
    if step == "equal":
        return pd.date_range(EPOCH, periods=ROWS, freq="s", name="time")
    gaps = np.random.default_rng(3).integers(0, 3 if step == "repeated" else 5_000, ROWS)
    return pd.DatetimeIndex(EPOCH + pd.to_timedelta(np.cumsum(gaps) * (1 if step == "any" else 10**9)), name="time")


def frame(index: pd.Index, kind: str) -> pd.DataFrame:
    n = np.arange(ROWS)
    if kind == "numbers":
        return pd.DataFrame({"a": n, "b": n / 7}, index=index)
    if kind == "times":  # of the index's own type: they may share its block
        stamps = index.to_numpy()
        return pd.DataFrame({"t": stamps, "u": stamps[::-1], "a": n}, index=index)
    if kind == "levels":
        return pd.DataFrame({"a": n}, index=pd.MultiIndex.from_arrays([index, n % 7], names=["time", "k"]))
    return pd.DataFrame(n[:, None] + np.arange(60), index=index, columns=[f"c{i}" for i in range(60)])


@pytest.fixture
def lib(tmp_path) -> Library:
    return Arctic(f"lmdb://{tmp_path}").create_library("l", LibraryOptions(rows_per_segment=3_000))


def inside(data: pd.DataFrame, low: pd.Timestamp | None, high: pd.Timestamp | None) -> pd.DataFrame:
    index = data.index.get_level_values(0)
    wanted = np.ones(len(data), dtype=bool)
    if low is not None:
        wanted &= index >= low
    if high is not None:
        wanted &= index <= high
    return data[wanted]


@pytest.mark.parametrize("kind", ["numbers", "times", "levels", "wide"])
@pytest.mark.parametrize("step", ["equal", "any", "repeated"])
def test_any_range_of_time(lib, step, kind):
    data = frame(times(step), kind)
    lib.write("s", data.iloc[:8_000])
    lib.append("s", data.iloc[8_000:])
    index = data.index.get_level_values(0)
    for low, high in [(0, 0), (10, 2_000), (2_999, 3_000), (2_500, 9_500), (7_999, 8_001), (0, 9_999), (9_999, 9_999)]:
        for tick in (pd.Timedelta(0), pd.Timedelta(1, "ns"), pd.Timedelta(-1, "ns")):
            span = index[low] + tick, index[high] - tick
            expected = inside(data, *span)
            pd.testing.assert_frame_equal(lib.read("s", date_range=span).data, expected, check_freq=False)
            if kind != "wide":
                query = QueryBuilder().date_range(span)
                found = lib.read("s", query_builder=query[query["a"] >= 0]).data
                pd.testing.assert_frame_equal(found, expected, check_freq=False)
    name = data.columns[-1]
    span = index[3_100], None
    found = lib.read("s", date_range=span, columns=[name]).data
    pd.testing.assert_frame_equal(found, inside(data, *span)[[name]], check_freq=False)


@pytest.mark.parametrize("step", ["equal", "any"])
def test_ranges_of_rows_that_were_updated(lib, step):
    data = frame(times(step), "numbers")
    lib.write("s", data)
    new = data.iloc[2_900:3_100] * 2
    lib.update("s", new.astype(data.dtypes))
    expected = data.copy()
    expected.iloc[2_900:3_100] = new
    for low, high in [(2_899, 2_901), (2_890, 3_200), (3_099, 3_101), (0, 9_000)]:
        span = data.index[low], data.index[high]
        pd.testing.assert_frame_equal(
            lib.read("s", date_range=span).data, inside(expected, *span), check_freq=False, check_dtype=False
        )


def test_ranges_where_slices_lack_columns(tmp_path):
    lib = Arctic(f"lmdb://{tmp_path}").create_library("l", LibraryOptions(dynamic_schema=True, rows_per_segment=3_000))
    data = frame(times("equal"), "numbers")
    lib.write("s", data[["a"]].iloc[:5_000])
    lib.append("s", data[["b"]].iloc[5_000:])
    found = lib.read("s", date_range=(data.index[4_990], data.index[5_009]), columns=["b"]).data
    assert found.index.equals(data.index[4_990:5_010])
    assert found["b"].isna().tolist() == [True] * 10 + [False] * 10
