"""Read: rows by time and position, columns, versions by number, time and snapshot."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import SMALL, canonical, library, ticks

from coldframe.stores.memory import MemoryStore

START = pd.Timestamp("2024-01-01")
NS = pd.Timedelta(1, "ns")


@pytest.fixture(params=[3, 100_000], ids=["cut", "whole"])
def lib(request):
    store = MemoryStore(grace=0.0)
    store.limits = SMALL
    made = library(store, rows_per_segment=request.param, columns_per_segment=2)
    made.write("s", frame())
    return made


def frame() -> pd.DataFrame:
    made = ticks(40)
    return made.set_axis(made.index.as_unit("ns"))


def test_both_ends_of_a_time_range_count(lib):
    index = frame().index
    for low, high, rows in [
        (index[3], index[7], (3, 8)),
        (index[3] + NS, index[7] - NS, (4, 7)),
        (index[3] - NS, index[7] + NS, (3, 8)),
        (None, index[0], (0, 1)),
        (index[39], None, (39, 40)),
        (index[39] + NS, None, (40, 40)),
        (None, index[0] - NS, (0, 0)),
        (None, None, (0, 40)),
        (index[7], index[3], (0, 0)),
    ]:
        found = lib.read("s", date_range=(low, high)).data
        assert canonical(found) == canonical(frame().iloc[slice(*rows)])


def test_ways_to_say_a_time_range(lib):
    index = frame().index
    expected = canonical(frame().iloc[3:8])
    for span in ((index[3], index[7]), [index[3], index[7]], index[3:8], (index[3].to_pydatetime(), index[7])):
        assert canonical(lib.read("s", date_range=span).data) == expected
    assert len(lib.read("s", date_range=(index[3],)).data) == 1
    assert len(lib.read("s", date_range=(dt.date(2024, 1, 1), dt.date(2024, 1, 1))).data) == 1, "a date is midnight"


def test_repeated_instants_at_the_ends():
    for rows_per_segment in (1, 2, 100):
        store = MemoryStore()
        store.limits = SMALL
        lib = library(store, rows_per_segment=rows_per_segment)
        times = pd.DatetimeIndex([START + pd.Timedelta(n, "s") for n in (0, 1, 1, 1, 2, 2, 3)])
        lib.write("s", pd.DataFrame({"n": range(7)}, index=times))
        for low in range(-1, 5):
            for high in range(low, 5):
                span = (START + pd.Timedelta(low, "s"), START + pd.Timedelta(high, "s"))
                expected = [n for n, t in enumerate(times) if span[0] <= t <= span[1]]
                assert lib.read("s", date_range=span).data["n"].tolist() == expected


def test_row_ranges_are_those_of_iloc(lib):
    ends = [None, 0, 1, 3, 39, 40, 41, -1, -40, -41, 1_000]
    for start in ends:
        for stop in ends:
            found = lib.read("s", row_range=(start, stop)).data
            assert canonical(found) == canonical(frame().iloc[start:stop])


def test_head_and_tail(lib):
    for n in (0, 1, 5, 40, 50, -1, -40, -50):
        assert canonical(lib.head("s", n).data) == canonical(frame().head(n))
        assert canonical(lib.tail("s", n).data) == canonical(frame().tail(n))


def test_columns(lib):
    for asked in (["side", "price"], ["price", "price"], ["price", "nothing"], ("size",), np.array(["side"])):
        kept = [name for name in frame().columns if name in list(asked)]
        assert canonical(lib.read("s", columns=asked).data) == canonical(frame()[kept])
    for asked in ([], ["nothing"]):
        found = lib.read("s", columns=asked).data
        assert found.shape == (40, 0)
        assert found.index.equals(frame().index)
    assert canonical(lib.read("s", columns=["side"], row_range=(-3, None)).data) == canonical(
        frame()[["side"]].iloc[-3:]
    )


def test_range_indexes_start_again(lib):
    lib.write("range", pd.DataFrame({"a": range(10)}, index=pd.RangeIndex(100, 120, 2)))
    found = lib.read("range", row_range=(2, 5)).data
    assert found.index.equals(pd.RangeIndex(100, 106, 2))
    assert found["a"].tolist() == [2, 3, 4]


def test_columns_named_by_numbers_are_chosen_as_text(lib):
    lib.write("n", pd.DataFrame({1: [1], 2: [2]}))
    assert lib.read("n", columns=["2"]).data.columns.tolist() == [2]


def test_levels_of_an_index_are_always_there(lib):
    index = pd.MultiIndex.from_product([frame().index[:3], ["x", "y"]], names=["time", "who"])
    lib.write("m", pd.DataFrame({"a": range(6), "b": range(6)}, index=index))
    found = lib.read("m", columns=["b"]).data
    assert found.index.equals(index)
    assert list(found.columns) == ["b"]
    middle = index.levels[0][1]
    assert lib.read("m", date_range=(middle, middle)).data["b"].tolist() == [2, 3]


def test_negative_numbers_count_versions_ever_written(lib):
    for n in range(3):
        lib.write("s", frame().iloc[: n + 1])
    lib.delete("s", 3)
    assert lib.read("s").version == 2
    assert lib.read("s", as_of=-2).version == 2
    assert lib.read("s", as_of=True).version == 1
    assert not lib.has_symbol("s", as_of=-1)


def test_zones_of_times(lib):
    item = lib.write("s", frame())
    moment = pd.Timestamp(item.timestamp)
    assert lib.read("s", as_of=moment).version == item.version
    assert lib.read("s", as_of=moment.tz_localize("UTC").tz_convert("Asia/Tokyo")).version == item.version
    assert lib.read("s", as_of=moment - NS).version == item.version - 1
    assert lib.read("s", as_of=pd.Timestamp.now("UTC").to_pydatetime()).version == item.version


def test_an_empty_symbol_has_any_range(lib):
    lib.write("s", frame().iloc[:0])
    assert len(lib.read("s", date_range=(START, None)).data) == 0
    assert len(lib.read("s", row_range=(3, 5)).data) == 0
