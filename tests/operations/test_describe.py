"""Descriptions: what is known of a version without its rows."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.operations.states import ticks

import coldframe


@pytest.fixture
def lib(uri):
    return coldframe.Arctic(uri).create_library("lib")


def test_indexes_of_every_kind(lib):
    frame = ticks(3)
    multi = frame.set_index("side", append=True)
    for data, index, kind in [
        (frame, ["time"], "index"),
        (frame.reset_index(drop=True), [None], "index"),
        (frame.reset_index(drop=True).rename_axis("row"), ["row"], "index"),
        (frame.set_axis(["x", "y", "z"]), [None], "index"),
        (multi, ["time", "side"], "multi_index"),
        (frame["price"], ["time"], "index"),
    ]:
        lib.write("s", data)
        about = lib.get_description("s")
        assert [level.name for level in about.index] == index
        assert about.index_type == kind
        assert about.row_count == 3
        names = list(data.columns) if isinstance(data, pd.DataFrame) else [data.name]
        assert [column.name for column in about.columns] == names


def test_order_and_range_of_times(lib):
    frame = ticks(3)
    for data, order in [
        (frame, "ASCENDING"),
        (frame.iloc[::-1], "DESCENDING"),
        (frame.iloc[[1, 0, 2]], "UNSORTED"),
        (frame.reset_index(drop=True), "UNKNOWN"),
        (frame.iloc[:0], "ASCENDING"),
    ]:
        lib.write("s", data, validate_index=False)
        about = lib.get_description("s")
        assert about.sorted == order
        if order == "ASCENDING" and len(data):
            assert about.date_range == (frame.index[0], frame.index[-1])
        elif order != "DESCENDING":
            assert all(end is pd.NaT for end in about.date_range)


def test_versions_and_pickles(lib):
    lib.write("s", ticks(3))
    lib.snapshot("snap")
    lib.append("s", ticks(2, "2025-01-01"))
    lib.write_pickle("p", [1, 2])
    assert lib.get_description("s").row_count == 5
    assert lib.get_description("s", as_of=0).row_count == 3
    assert lib.get_description("s", as_of="snap").row_count == 3
    assert lib.get_description("p").row_count is None
    found = lib.get_description_batch(["s", "missing", "p"])
    assert [type(each).__name__ for each in found] == ["SymbolDescription", "DataError", "SymbolDescription"]
