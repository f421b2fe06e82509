"""What goes in comes out: every pandas object through a table and back, with nothing changed on the way."""

# ruff: noqa: PD011 -- a band has values; it is no pandas object

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.frames.meta import frame_meta
from coldframe.frames.pandas_compat import MAJOR
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.testing import strategies

# Frequencies are compared by `same_index`; pandas 3.1 says that its own comparison will, some day.
pytestmark = pytest.mark.filterwarnings("ignore:assert_index_equal will check")


def through(data: Any) -> Any:
    return denormalize(normalize(data, symbol="s"))


def same_missing(left: Any, right: Any) -> None:
    """None and NaN are different values, which pandas takes for the same."""
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        assert (a is None) == (b is None), (a, b)
        assert (a is pd.NaT) == (b is pd.NaT), (a, b)


def same_index(left: pd.Index, right: pd.Index) -> None:
    pd.testing.assert_index_equal(left, right, exact=True)
    assert type(left) is type(right)
    assert list(map(type, left.names)) == list(map(type, right.names))
    if isinstance(left, pd.MultiIndex):
        for level in range(left.nlevels):
            assert left.levels[level].dtype == right.levels[level].dtype
            same_missing(left.get_level_values(level), right.get_level_values(level))
        return
    same_missing(left, right)
    assert getattr(left, "freq", None) == getattr(right, "freq", None)
    if isinstance(left, pd.RangeIndex):
        assert (left.start, left.stop, left.step) == (right.start, right.stop, right.step)


def bits(values: Any) -> bytes:
    return np.ascontiguousarray(values).tobytes()


def same_column(left: pd.Series, right: pd.Series) -> None:
    assert left.dtype == right.dtype
    if isinstance(left.dtype, pd.CategoricalDtype):
        assert left.cat.ordered == right.cat.ordered
        same_index(left.cat.categories, right.cat.categories)
        assert bits(left.cat.codes) == bits(right.cat.codes)
        assert left.cat.codes.dtype == right.cat.codes.dtype
    elif isinstance(left.dtype, np.dtype) and left.dtype.kind != "O":
        assert bits(left.to_numpy()) == bits(right.to_numpy())
    else:
        same_missing(left, right)


def same_frame(left: pd.DataFrame, right: pd.DataFrame) -> None:
    assert type(right) is pd.DataFrame
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    same_index(left.index, right.index)
    same_index(left.columns, right.columns)
    for position in range(left.shape[1]):
        same_column(left.iloc[:, position], right.iloc[:, position])


def objects(*values: object) -> pd.Series:
    return pd.Series(values, dtype=object)


def test_the_comparison_can_fail():
    frame = pd.DataFrame({"a": objects("x", None)})
    with pytest.raises(AssertionError):
        same_frame(frame, pd.DataFrame({"a": objects("x", np.nan)}))
    with pytest.raises(AssertionError):
        same_frame(frame, frame.set_axis(pd.Index(np.array([0, 1])), axis=0))


@given(strategies.frames())
def test_frames(frame):
    same_frame(frame, through(frame))


@given(strategies.frames(names="distinct", max_rows=3, max_columns=12))
def test_frames_of_many_types(frame):
    same_frame(frame, through(frame))


@given(strategies.time_frames())
def test_frames_indexed_by_time(frame):
    same_frame(frame, through(frame))


@given(strategies.series())
def test_series(data):
    result = through(data)
    assert type(result) is pd.Series
    pd.testing.assert_series_equal(data, result, check_exact=True)
    same_index(data.index, result.index)
    same_column(data, result)
    assert (type(data.name), data.name) == (type(result.name), result.name)


@given(strategies.frames(), st.data())
def test_slices_are_slices_of_the_frame(frame, data):
    start = data.draw(st.integers(0, len(frame)))
    stop = data.draw(st.integers(start, len(frame)))
    result = denormalize(normalize(frame, symbol="s").slice(start, stop))
    expected = frame.iloc[start:stop]
    if isinstance(frame.index, pd.RangeIndex):
        # The range starts again at its start.
        step = frame.index.step
        expected = expected.set_axis(
            pd.RangeIndex(frame.index.start, frame.index.start + (stop - start) * step, step, name=frame.index.name)
        )
    if isinstance(frame.index, pd.MultiIndex):
        expected = expected.set_axis(expected.index.remove_unused_levels(), axis=0)
    pd.testing.assert_frame_equal(expected, result, check_exact=True)
    if isinstance(frame.index, pd.DatetimeIndex):
        assert result.index.freq == frame.index.freq


@given(strategies.frames(min_rows=1, min_columns=1))
def test_input_is_left_alone(frame):
    before = frame.copy(deep=True)
    result = through(frame)
    same_frame(before, frame)
    assert list(result.columns) == list(frame.columns)


@given(strategies.frames(min_rows=1))
def test_results_belong_to_the_reader(frame):
    table = normalize(frame.copy(deep=True), symbol="s")
    first, second = denormalize(table), denormalize(table)
    first.columns.name = "mine"
    first.index.name = "mine"
    assert second.columns.name != "mine"
    assert second.index.name != "mine"


def test_a_result_can_be_written_to():
    frame = pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5], "c": ["x", None], "d": pd.to_datetime(["2024", "2025"])})
    result = through(frame.copy(deep=True))
    result.loc[0, "a"] = 7
    result.iloc[1, 1] = 9.0
    result.loc[0, "c"] = "changed"
    result["e"] = 1
    assert result.loc[0].tolist()[:3] == [7, 1.5, "changed"]


def test_subclasses_come_back_as_frames():
    class Mine(pd.DataFrame):
        pass

    assert type(through(Mine({"a": [1]}))) is pd.DataFrame


def test_attrs_are_not_kept():
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = "here"
    assert through(frame).attrs == {}


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=pd.RangeIndex(5)),
        pd.DataFrame(index=pd.date_range("2024", periods=3, tz="Asia/Tokyo", name="t")),
        pd.DataFrame(index=pd.MultiIndex.from_product([["a", "b"], [1, 2]])),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame(columns=pd.Index([], dtype=object)),
        pd.DataFrame({"a": []}),
        pd.DataFrame({"a": pd.Series([], dtype="int8")}, index=pd.DatetimeIndex([], tz="UTC", name="t")),
        pd.DataFrame({"a": pd.Series([], dtype="int8")}, index=pd.MultiIndex.from_arrays([[], []], names=["x", None])),
        pd.DataFrame({"a": pd.Series(pd.Categorical([], categories=["x"]))}),
    ],
    ids=lambda frame: f"{frame.shape} {type(frame.index).__name__}",
)
def test_empty_frames(frame):
    same_frame(frame, through(frame))


@pytest.mark.parametrize("kind", [">i2", ">u4", ">i8", ">f4", ">f8"])
def test_other_byte_order_is_swapped(kind):
    frame = pd.DataFrame({"a": np.array([1, 2, 300], dtype=kind), "b": [1, 2, 3]})
    assert through(frame)["a"].tolist() == [1, 2, 300]
    assert through(frame)["a"].dtype == np.dtype(kind).newbyteorder("=")


def test_long_double_and_half():
    frame = pd.DataFrame({"a": np.array([0.5, -0.0, np.nan], dtype="float16")})
    same_frame(frame, through(frame))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("width", [3, 200])
def test_one_array_under_a_frame_is_not_copied(order, width):
    values = np.asarray(np.arange(10.0 * width).reshape(10, width), order=order)
    frame = pd.DataFrame(values, copy=False)
    table = normalize(frame, symbol="s")
    assert np.shares_memory(table.bands[0].values, values)
    same_frame(frame, denormalize(table))


def test_index_and_columns_of_one_type():
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=pd.Index([9, 8], name="b"))
    table = normalize(frame, symbol="s")
    assert len(table.bands) == 1
    assert [values.tolist() for values in table.bands[0].values] == [[9, 8], [1, 2], [3, 4]]
    same_frame(frame, denormalize(table))


def test_columns_in_another_order_than_their_blocks():
    frame = pd.DataFrame(np.arange(300.0).reshape(2, 150))
    frame.insert(0, "first", [1, 2])
    frame["last"] = 0.5
    frame = frame[frame.columns[::-1]]
    same_frame(frame, through(frame))


def test_wide_frames_of_a_few_types():
    parts = [
        pd.DataFrame(np.arange(300.0).reshape(3, 100)),
        pd.DataFrame(np.arange(300).reshape(3, 100)),
        pd.DataFrame(np.arange(300).reshape(3, 100).astype("M8[ns]")),
        pd.DataFrame({i: pd.date_range("2024", periods=3, tz="UTC") for i in range(100)}),
        pd.DataFrame({i: objects("x", None, "y") for i in range(100)}),
        pd.DataFrame({i: pd.Series(["x", None, "y"], dtype="str") for i in range(3)}),
    ]
    frame = pd.concat(parts, axis=1)
    frame.columns = range(frame.shape[1])
    mixed = frame[np.random.default_rng(0).permutation(frame.shape[1])]
    same_frame(mixed, through(mixed))


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_arrays([[1, 2], ["a", "b"]], names=["x", "x"]),
        pd.MultiIndex.from_arrays([[1, 2], ["a", "b"]], names=[None, 3]),
        pd.MultiIndex.from_arrays([pd.date_range("2024", periods=2, tz="UTC"), pd.to_datetime(["2024", None])]),
        pd.MultiIndex.from_arrays([["a", None], [1.5, np.nan]]),
        pd.MultiIndex(levels=[[2**53 + 1, 5], [True]], codes=[[0, -1], [-1, 0]], names=["big", None]),
        pd.MultiIndex(levels=[np.array([7, 9], dtype="uint8")], codes=[[0, -1]]),
        pd.MultiIndex.from_arrays([[1, 2]], names=["alone"]),
        pd.MultiIndex.from_arrays([pd.Categorical(["a", "b"], ordered=True), [1, 2]]),
    ],
)
def test_multi_indexes(index):
    frame = pd.DataFrame({"x": [1, 2]}, index=index)
    same_frame(frame, through(frame))


def test_a_number_too_long_for_a_float_survives_in_a_level_with_missing():
    index = pd.MultiIndex(levels=[[2**53 + 1], ["a"]], codes=[[0, -1], [0, 0]])
    assert through(pd.DataFrame({"x": [1, 2]}, index=index)).index.levels[0][0] == 2**53 + 1


@pytest.mark.parametrize(
    "name",
    ["pytz.timezone('Europe/Paris')", "pytz.UTC", "zoneinfo.ZoneInfo('Europe/Paris')", "zoneinfo.ZoneInfo('UTC')"],
)
def test_zones_of_every_library(name):
    library = pytest.importorskip(name.partition(".")[0])
    zone = eval(name, {library.__name__: library})
    frame = pd.DataFrame({"a": pd.date_range("2024", periods=2, tz=zone)})
    result = through(frame)
    assert str(result["a"].dtype) == str(frame["a"].dtype)
    assert bits(result["a"].array.asi8) == bits(frame["a"].array.asi8)
    if library.__name__ == ("zoneinfo" if MAJOR >= 3 else "pytz"):  # the library this pandas takes names to
        same_frame(frame, result)


@pytest.mark.parametrize("offset", ["+05:30", "-00:30", "+00:00:01"])
def test_fixed_offsets(offset):
    sign, *parts = offset[0], *map(int, offset[1:].split(":"))
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)) * (1 if sign == "+" else -1)
    import datetime as dt

    zone = dt.timezone(dt.timedelta(seconds=seconds))
    frame = pd.DataFrame({"a": pd.to_datetime(["2024-01-01", None]).tz_localize(zone)})
    table = normalize(frame, symbol="s")
    assert table.schema.types[0].zone == offset
    same_frame(frame, denormalize(table))


def test_timestamps_among_objects_become_instants():
    values = np.array([pd.Timestamp("2024-01-01"), None, pd.NaT, np.nan], dtype=object)
    result = through(pd.DataFrame({"a": pd.Series(values, dtype=object)}))
    assert result["a"].dtype == "datetime64[ns]"
    assert result["a"].isna().tolist() == [False, True, True, True]
    zoned = np.array([pd.Timestamp("2024-01-01", tz="Europe/Paris"), None], dtype=object)
    assert str(through(pd.Series(zoned, dtype=object)).dtype) == "datetime64[ns, Europe/Paris]"
    gone = through(pd.Series(np.array([pd.NaT, None], dtype=object), dtype=object))
    assert gone.dtype == "datetime64[ns]"
    assert gone.isna().all()


def test_freq_only_where_rows_are_whole():
    frame = pd.DataFrame({"a": range(5)}, index=pd.date_range("2024", periods=5, freq="B"))
    table = normalize(frame, symbol="s")
    assert denormalize(table).index.freqstr == "B"
    assert denormalize(table, whole=False).index.freq is None
    assert denormalize(table.slice(2, 2)).index.freqstr == "B"


def test_a_frequency_no_string_restores_is_left_out():
    freq = pd.offsets.CustomBusinessDay(holidays=["2024-01-02"])
    frame = pd.DataFrame({"a": range(3)}, index=pd.date_range("2024", periods=3, freq=freq))
    assert through(frame).index.freq is None
    assert through(frame).index.equals(frame.index)


def test_str_by_pandas_version():
    frame = pd.DataFrame({"a": pd.Series(["x", None], dtype=object)})
    assert through(frame)["a"].dtype == object
    if MAJOR >= 3:
        frame = pd.DataFrame({"a": ["x", None]})
        assert str(through(frame)["a"].dtype) == "str"
        python = pd.DataFrame({"a": pd.Series(["x", None], dtype=pd.StringDtype("python", na_value=np.nan))})
        assert through(python)["a"].dtype.storage == "python"


def test_infer_string_is_followed():
    if MAJOR >= 3:
        pytest.skip("always on")
    with pd.option_context("future.infer_string", True):
        table = normalize(pd.DataFrame({"a": ["x", None]}), symbol="s")
        assert isinstance(denormalize(table)["a"].dtype, pd.StringDtype)
    assert denormalize(table)["a"].dtype == object
    assert denormalize(table).columns.dtype == object


def test_flavours_that_differ_are_told_apart():
    frame = pd.DataFrame(
        {"a": pd.Series(["x", None], dtype=object), "b": pd.Series(["x", None], dtype=strategies._str_dtype())}
    )
    assert frame_meta(normalize(frame, symbol="s").schema).flavours
    same_frame(frame, through(frame))
