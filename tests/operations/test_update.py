"""Update and delete_data_in_range: rows of a time range replaced, neighbours untouched."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import canonical, in_memory, ticks

from coldframe.exceptions import InternalException

START = pd.Timestamp("2024-01-01")


def at(second: float) -> pd.Timestamp:
    return START + pd.Timedelta(second, "s")


def small_library(rows_per_segment: int = 10, **options):
    return in_memory(rows_per_segment=rows_per_segment, **options)


def replaced(old: pd.DataFrame, new: pd.DataFrame, low: pd.Timestamp | None, high: pd.Timestamp | None) -> pd.DataFrame:
    before = old.iloc[:0] if low is None else old[old.index < low]
    after = old.iloc[:0] if high is None else old[old.index > high]
    return pd.concat([before, new, after])


@pytest.mark.parametrize("rows_per_segment", [1, 3, 10, 100_000])
@pytest.mark.parametrize(
    ("first", "count"), [(5, 3), (-10, 3), (-3, 6), (200, 2), (95, 20), (0, 1), (99, 1), (-5, 200), (40.5, 1)]
)
def test_the_range_of_the_rows(rows_per_segment, first, count):
    lib = small_library(rows_per_segment=rows_per_segment)
    old, new = ticks(100), ticks(count, at(first), 7)
    new.index = new.index.as_unit(old.index.unit)
    lib.write("s", old)
    lib.update("s", new, metadata="m")
    assert canonical(lib.read("s").data) == canonical(replaced(old, new, new.index[0], new.index[-1]))
    assert lib.read("s").metadata == "m"
    assert canonical(lib.read("s", as_of=0).data) == canonical(old)


@pytest.mark.parametrize(
    ("low", "high"), [(5, 50), (None, 50), (5, None), (None, None), (38, 42), (500, 600), (41.5, 41.7), (41, 41)]
)
def test_a_range_of_its_own(low, high):
    lib = small_library()
    old, new = ticks(100), ticks(5, at(40), 7)
    span = (None if low is None else at(low), None if high is None else at(high))
    lib.write("s", old)
    lib.update("s", new, date_range=span)
    clipped = new[(new.index >= (span[0] or pd.Timestamp.min)) & (new.index <= (span[1] or pd.Timestamp.max))]
    expected = replaced(old, clipped, *span) if len(clipped) else old
    assert canonical(lib.read("s").data) == canonical(expected)
    assert lib.read("s").version == 1


def test_repeated_instants_are_replaced_whole():
    lib = small_library(rows_per_segment=2)
    times = pd.DatetimeIndex([at(n) for n in (0, 1, 1, 1, 2, 2, 3)], name="time")
    old = ticks(7).set_axis(times)
    new = ticks(3, seed=4).set_axis(pd.DatetimeIndex([at(1), at(2), at(2)], name="time"))
    lib.write("s", old)
    lib.update("s", new)
    assert canonical(lib.read("s").data) == canonical(replaced(old, new, at(1), at(2)))


def test_no_rows_change_nothing_and_make_a_version():
    lib = small_library()
    lib.write("s", ticks(20))
    none = ticks(3).iloc[:0]
    lib.update("s", none, metadata=1)
    lib.update("s", none, date_range=(None, None))
    assert lib.read("s").version == 2
    assert canonical(lib.read("s").data) == canonical(ticks(20))


def test_upsert_creates_what_lies_in_the_range():
    lib = small_library()
    lib.update("s", ticks(10), upsert=True, date_range=(at(2), at(4)))
    assert canonical(lib.read("s").data) == canonical(ticks(10).iloc[2:5])
    with pytest.raises(InternalException, match="upsert"):
        lib.update("t", ticks(2))


def test_an_update_keeps_the_segments_it_does_not_touch():
    lib = small_library(rows_per_segment=100)
    lib.write("s", ticks(1_000))
    before = {e.key for e in lib._catalog.store.list("data/")}
    lib.update("s", ticks(50, at(425), 3))
    after = {e.key for e in lib._catalog.store.list("data/")}
    assert before <= after
    assert len(after - before) <= 3
    lib.prune_previous_versions("s")
    lib.reclaim(grace=0)
    left = {e.key for e in lib._catalog.store.list("data/")}
    assert len(before & left) >= 9
    expected = replaced(ticks(1_000), ticks(50, at(425), 3), at(425), at(474))
    assert canonical(lib.read("s").data) == canonical(expected)


def test_many_updates_leave_few_slices():
    lib = small_library(rows_per_segment=100)
    expected = ticks(1_000)
    lib.write("s", expected)
    random = np.random.default_rng(3)
    for n in range(120):
        new = ticks(int(random.integers(1, 4)), at(int(random.integers(0, 1_000))), n)
        lib.update("s", new, prune_previous_versions=True)
        expected = replaced(expected, new, new.index[0], new.index[-1])
    assert canonical(lib.read("s").data) == canonical(expected)
    assert sum(1 for _ in lib._catalog.store.list("data/s/")) < 80
    lib.reclaim(grace=0)
    assert lib.verify().unreachable == []


def test_rows_of_a_multiindex_go_by_the_first_level():
    lib = small_library(rows_per_segment=2)
    index = pd.MultiIndex.from_product([[at(0), at(1), at(2)], ["x", "y"]], names=["time", "who"])
    lib.write("s", pd.DataFrame({"v": range(6)}, index=index))
    lib.update("s", pd.DataFrame({"v": [9]}, index=pd.MultiIndex.from_tuples([(at(1), "z")], names=["time", "who"])))
    assert lib.read("s").data["v"].tolist() == [0, 1, 9, 4, 5]


@pytest.mark.parametrize(("low", "high"), [(5, 50), (None, 50), (50, None), (None, None), (500, 600), (41.5, 41.7)])
def test_delete_data_in_range(low, high):
    lib = small_library()
    span = (None if low is None else at(low), None if high is None else at(high))
    lib.write("s", ticks(100), metadata={"kept": 1})
    lib.delete_data_in_range("s", span)
    found = lib.read("s")
    assert canonical(found.data) == canonical(replaced(ticks(100), ticks(100).iloc[:0], *span))
    assert found.metadata == {"kept": 1}
    assert found.version == 1
    about = lib.get_description("s")
    assert about.row_count == len(found.data)
    if len(found.data):
        assert about.date_range == (found.data.index[0], found.data.index[-1])


def test_ranges_with_a_zone_are_instants():
    lib = small_library()
    frame = ticks(48, freq="h").tz_localize("UTC").tz_convert("America/New_York")
    lib.write("s", frame)
    paris = pd.Timestamp("2024-01-01 06:00", tz="Europe/Paris")
    expected = frame[(frame.index < paris)]
    lib.delete_data_in_range("s", (paris, None))
    assert canonical(lib.read("s").data) == canonical(expected)
    naive = pd.Timestamp("2024-01-01 02:00")  # UTC
    assert len(lib.read("s", date_range=(naive, None)).data) == 3


def test_a_dynamic_update_fills_the_columns_it_lacks():
    lib = small_library(dynamic_schema=True)
    old = ticks(30)
    lib.write("s", old)
    lib.update("s", pd.DataFrame({"new": np.array([7], "int8")}, pd.DatetimeIndex([at(5)], name="time")))
    found = lib.read("s").data
    assert list(found.columns) == ["price", "size", "side", "new"]
    assert np.isnan(found["price"].iloc[5])
    assert found["size"].iloc[5] == 0
    assert found["side"].iloc[5] is None
    assert found["new"].tolist() == [7 if n == 5 else 0 for n in range(30)]
    rest = found.drop(columns="new").drop(index=at(5))
    assert canonical(rest) == canonical(old.drop(index=at(5)))


def test_what_a_row_lacks_does_not_depend_on_how_rows_are_cut():
    """A column that becomes a float shows NaN where it was missing, whether an update took the row along or not."""
    found = []
    for rows_per_segment in (1, 100_000):
        lib = small_library(rows_per_segment=rows_per_segment, dynamic_schema=True)
        lib.write("s", pd.DataFrame({"a": [1.0], "e": np.array([1], "int8")}, pd.DatetimeIndex([at(0)], name="time")))
        lib.append("s", pd.DataFrame({"a": [3.0, 4.0]}, pd.DatetimeIndex([at(10), at(11)], name="time")))
        both = pd.DataFrame({"a": [5.0], "e": np.array([5], "int8")}, pd.DatetimeIndex([at(11)], name="time"))
        lib.update("s", both)
        lib.append("s", pd.DataFrame({"a": [6.0], "e": [0.5]}, pd.DatetimeIndex([at(20)], name="time")))
        found.append(canonical(lib.read("s").data))
    assert found[0] == found[1]
