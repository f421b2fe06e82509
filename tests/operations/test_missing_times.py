"""Rows whose time is missing (NaT): stored only where the order is not checked, and in no order ever after."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.operations.states import objects_of

import coldframe
from coldframe import QueryBuilder, UpdatePayload, WritePayload
from coldframe.exceptions import InternalException, UnsortedDataException

DAYS = pd.date_range("2024-01-01", periods=4, name="day")
FRAME = pd.DataFrame({"a": [1, 2, 3, 4]}, index=DAYS)
PLACES = [(0,), (1,), (3,), (0, 3), (0, 1, 2, 3)]


def without(rows, frame=FRAME, zone=None, unit="us") -> pd.DataFrame:
    """The frame with the times of these rows missing."""
    times = [pd.NaT if row in rows else time for row, time in enumerate(frame.index)]
    index = pd.DatetimeIndex(times, name=frame.index.name).as_unit(unit)
    return frame.set_axis(index if zone is None else index.tz_localize(zone))


@pytest.fixture
def lib(uri):
    return coldframe.Arctic(uri).create_library("lib", coldframe.LibraryOptions(rows_per_segment=3))


@pytest.mark.parametrize("rows", PLACES)
@pytest.mark.parametrize(("zone", "unit"), [(None, "us"), ("Asia/Tokyo", "s"), ("UTC", "ns")])
def test_they_come_back(lib, rows, zone, unit):
    frame = without(rows, zone=zone, unit=unit)
    lib.write("s", frame, validate_index=False)
    pd.testing.assert_frame_equal(lib.read("s").data, frame)
    pd.testing.assert_frame_equal(lib.tail("s", 2).data, frame.tail(2))
    pd.testing.assert_series_equal(lib.write("t", frame["a"], validate_index=False) and lib.read("t").data, frame["a"])
    about = lib.get_description("s")
    assert (about.sorted, about.date_range, about.row_count) == ("UNSORTED", (pd.NaT, pd.NaT), 4)
    assert lib.verify().ok


@pytest.mark.parametrize("rows", PLACES)
def test_they_are_refused_where_order_is_checked(lib, rows):
    bad = without(rows)
    lib.write("s", FRAME)
    before = objects_of(lib._catalog.store)
    for call, optional in (
        (lambda: lib.write("s", bad), True),
        (lambda: lib.append("s", bad), True),
        (lambda: lib.update("s", bad), False),
        (lambda: lib.update("new", bad, upsert=True), False),
    ):
        with pytest.raises(UnsortedDataException, match=rf"'(s|new)'.*NaT, first in row {rows[0]}") as caught:
            call()
        assert ("validate_index" in str(caught.value)) == optional
    assert objects_of(lib._catalog.store) == before
    for found in (
        lib.write_batch([WritePayload("s", bad)])[0],
        lib.append_batch([WritePayload("s", bad)])[0],
        lib.update_batch([UpdatePayload("s", bad)])[0],
    ):
        assert isinstance(found, coldframe.DataError)
        assert "NaT" in found.exception_string
    assert objects_of(lib._catalog.store) == before


def test_pickles_and_levels_of_an_index(lib):
    frame = without([1])
    lib.write_pickle("s", frame)
    assert lib.write_pickle_batch([WritePayload("p", frame)])[0].version == 0
    for symbol in ("s", "p"):
        pd.testing.assert_frame_equal(lib.read(symbol).data, frame)
    assert lib.get_description("s").row_count == 4
    lib.write_pickle("s", FRAME[::-1])
    assert lib.get_description("s").sorted == "DESCENDING"
    levels = FRAME.set_axis(pd.MultiIndex.from_arrays([without([2]).index, list("abcd")]))
    with pytest.raises(UnsortedDataException, match="NaT, first in row 2"):
        lib.write("m", levels)
    lib.write("m", levels, validate_index=False)
    pd.testing.assert_frame_equal(lib.read("m").data, levels)


def test_what_order_is_needed_for_is_refused(lib):
    lib.write("s", without([1]), validate_index=False)
    for call in (
        lambda: lib.read("s", date_range=(DAYS[0], None)),
        lambda: lib.read("s", query_builder=QueryBuilder().date_range((DAYS[0], None))),
        lambda: lib.append("s", FRAME.shift(9, freq="D")),
        lambda: lib.update("s", FRAME),
        lambda: lib.delete_data_in_range("s", (DAYS[0], None)),
    ):
        with pytest.raises(UnsortedDataException, match="'s'"):
            call()


def test_appends_without_the_check(lib):
    lib.write("s", FRAME)
    later = without([1, 2], FRAME.shift(9, freq="D"))
    lib.append("s", later, validate_index=False)
    assert lib.get_description("s").sorted == "UNSORTED"
    lib.append("s", FRAME.shift(20, freq="D"), validate_index=False)
    lib.append("s", without([3], FRAME.shift(30, freq="D")), validate_index=False)
    lib.append("s", FRAME, validate_index=False)  # after a time that is missing comes any
    whole = pd.concat(
        [FRAME, later, FRAME.shift(20, freq="D"), without([3], FRAME.shift(30, freq="D")), FRAME]
    )
    pd.testing.assert_frame_equal(lib.read("s").data, whole, check_freq=False)
    with pytest.raises(InternalException, match="NaT, before the last one stored"):
        lib.append("s", without([0], FRAME.shift(40, freq="D")), validate_index=False)


def test_queries_take_them_for_missing_values(lib):
    frame = without([1], FRAME)
    lib.write("s", frame, validate_index=False)
    q = QueryBuilder()
    q = q[q["day"] >= DAYS[0]]
    pd.testing.assert_frame_equal(lib.read("s", query_builder=q).data, frame.iloc[[0, 2, 3]], check_freq=False)
    q = QueryBuilder()
    q = q[q["day"].isna()]
    assert lib.read("s", query_builder=q).data["a"].tolist() == [2]
    found = lib.read("s", query_builder=QueryBuilder().resample("1D").agg({"a": "sum"})).data
    assert found["a"].tolist() == [1, 3, 4]
    assert found.index.tolist() == [DAYS[0], DAYS[2], DAYS[3]]
    assert lib.read("s", query_builder=QueryBuilder().groupby("day").agg({"a": "sum"})).data["a"].tolist() == [1, 3, 4]
