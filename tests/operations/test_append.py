"""Append: small rows that merge by themselves, old versions that stay, keys that make it safe to try again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import SMALL, canonical, in_memory, ticks

from coldframe.catalog.versions import History, read_head
from coldframe.exceptions import NoSuchVersionException, UnsortedDataException
from coldframe.stores.base import Limits

TINY = Limits(inline_piece=400, head=1_000, segment=100_000)


def row(n: int) -> pd.DataFrame:
    return ticks(1, pd.Timestamp("2024-01-01") + pd.Timedelta(n, "s"), n)


def head_of(lib, symbol: str = "s"):
    return read_head(lib._catalog.store, lib._catalog, symbol)


def slices_of(lib, symbol: str = "s") -> int:
    version = History(lib._catalog.store, head_of(lib, symbol)).latest()
    return len(version.contents.all_slices())


@pytest.mark.parametrize("limits", [Limits(), SMALL, TINY], ids=["default", "small", "tiny"])
def test_every_version_of_many_appends_is_the_rows_up_to_it(limits):
    lib = in_memory(limits)
    count = 150
    whole = pd.concat([row(n) for n in range(count)])
    for n in range(count):
        lib.append("s", row(n), metadata=n)
    for n in (0, 1, 2, 7, 8, 63, 64, 65, 100, count - 2, count - 1):
        item = lib.read("s", as_of=n)
        assert canonical(item.data) == canonical(whole.iloc[: n + 1])
        assert item.metadata == n
    assert [key.version for key in lib.list_versions("s")] == list(range(count - 1, -1, -1))
    if limits.inline_piece > 10_000:
        assert slices_of(lib) < 16, "small slices merge"
    if limits is TINY:
        assert len(head_of(lib).logs) > 3, "older versions are sealed"
        size = len(lib._catalog.store.get("heads/s").data)
        assert size < 4_000
    lib.reclaim(grace=0, orphans=True)
    for n in range(0, count, 9):
        assert canonical(lib.read("s", as_of=n).data) == canonical(whole.iloc[: n + 1])
    assert lib.verify().unreachable == []


def test_versions_sealed_in_logs_can_be_deleted():
    lib = in_memory(TINY)
    count = 60
    whole = pd.concat([row(n) for n in range(count)])
    for n in range(count):
        lib.append("s", row(n))
    live = set(range(count))
    for doomed in ([3, 4, 5], [0], [30, 59], list(range(10, 29)), [58, 57, 56], [1, 2, 6, 7, 8, 9]):
        lib.delete("s", doomed)
        live -= set(doomed)
        lib.reclaim(grace=0)
        assert [key.version for key in lib.list_versions("s")] == sorted(live, reverse=True)
        for n in sorted(live):
            assert canonical(lib.read("s", as_of=n).data) == canonical(whole.iloc[: n + 1])
        assert lib.verify().damaged == []
        assert lib.verify().unreachable == []
    newest = max(live)
    assert lib.append("s", row(100)).version == count
    assert len(lib.read("s").data) == newest + 2


def test_deleting_the_newest_versions_lets_appends_go_on_from_the_older():
    lib = in_memory(TINY)
    for n in range(40):
        lib.append("s", row(n))
    lib.delete("s", range(20, 40))
    lib.append("s", row(500))
    found = lib.read("s")
    assert found.version == 40
    assert canonical(found.data) == canonical(pd.concat([*(row(n) for n in range(20)), row(500)]))
    lib.reclaim(grace=0, orphans=True)
    assert canonical(lib.read("s").data) == canonical(found.data)


def test_two_thousand_versions():
    lib = in_memory(Limits())
    frame = pd.DataFrame({"a": np.arange(1)})
    for _ in range(2_000):
        lib.append("s", frame)
    assert len(lib.list_versions("s")) == 2_000
    for n in (0, 999, 1_500, 1_999):
        assert len(lib.read("s", as_of=n).data) == n + 1
    assert slices_of(lib) < 20
    assert len(lib._catalog.store.get("heads/s").data) < 150_000
    lib.prune_previous_versions("s")
    lib.reclaim(grace=0)
    assert lib.verify().unreachable == []
    assert len(lib.read("s").data) == 2_000


def test_time_travel_with_a_clock_that_jumps():
    lib = in_memory(TINY)
    made = []
    for n, now in enumerate([100, 50, 50, 7, 200, 199, 1_000, 0]):
        lib._catalog.clock = lambda now=now: now
        made.append(lib.append("s", row(n)).timestamp)
    assert made == [100, 101, 102, 103, 200, 201, 1_000, 1_001]
    lib._catalog.clock = lambda: 5_000
    for n, created in enumerate(made):
        assert lib.read("s", as_of=pd.Timestamp(created)).version == n
        if n:
            assert lib.read("s", as_of=pd.Timestamp(created - 1)).version == n - 1
    with pytest.raises(NoSuchVersionException):
        lib.read("s", as_of=pd.Timestamp(99))
    lib.delete("s")
    lib._catalog.clock = lambda: 1
    assert lib.append("s", row(0)).timestamp == 1_002, "a tombstone remembers the time, too"


def test_a_key_adds_rows_once():
    lib = in_memory(TINY)
    lib.append("s", row(0), idempotency_key="a")
    first = lib.append("s", row(1), idempotency_key="b", metadata="m")
    for n in range(2, 30):
        lib.append("s", row(n))
    again = lib.append("s", row(1), idempotency_key="b")
    assert (again.version, again.timestamp) == (first.version, first.timestamp)
    assert len(lib.read("s").data) == 30
    assert lib.append("other", row(1), idempotency_key="b").version == 0, "a key is a symbol's own"
    lib.delete("s", first.version)
    with pytest.raises(NoSuchVersionException, match="idempotency key"):
        lib.append("s", row(1), idempotency_key="b")


def test_the_same_instant_may_follow():
    lib = in_memory()
    lib.write("s", ticks(3))
    last = ticks(3).index[-1]
    lib.append("s", ticks(2, last, 5))
    assert canonical(lib.read("s").data) == canonical(pd.concat([ticks(3), ticks(2, last, 5)]))


def test_no_rows_make_a_version_with_its_metadata():
    lib = in_memory()
    lib.write("s", ticks(3), metadata="old")
    item = lib.append("s", ticks(3).iloc[:0], metadata="new")
    assert item.version == 1
    assert lib.read("s").metadata == "new"
    assert canonical(lib.read("s").data) == canonical(ticks(3))
    lib.append("s", ticks(1, "2025-01-01"))
    assert lib.read("s").metadata is None, "metadata is not inherited"


def test_rows_out_of_order_without_the_check():
    lib = in_memory()
    lib.write("s", ticks(3))
    unsorted = ticks(3, "2025-01-01").iloc[[2, 0, 1]]
    lib.append("s", unsorted, validate_index=False)
    assert lib.get_description("s").sorted == "UNSORTED"
    assert canonical(lib.read("s").data) == canonical(pd.concat([ticks(3), unsorted]))
    with pytest.raises(UnsortedDataException):
        lib.append("s", ticks(3, "2026-01-01"))


def test_range_indexes_go_on():
    lib = in_memory()
    lib.write("s", pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 7, name="row")))
    lib.append("s", pd.DataFrame({"a": [3]}, index=pd.RangeIndex(7, 8, name="row")))
    lib.append("s", pd.DataFrame({"a": [4]}))
    assert canonical(lib.read("s").data) == canonical(
        pd.DataFrame({"a": [1, 2, 3, 4]}, index=pd.RangeIndex(5, 9, name="row"))
    )


def test_a_dynamic_schema_takes_new_columns_and_wider_types():
    lib = in_memory(dynamic_schema=True)
    at = pd.date_range("2024-01-01", periods=6, name="time")
    lib.append("s", pd.DataFrame({"i": np.array([1, 2], "int8"), "f": np.array([0.5, 1.5], "float32")}, at[:2]))
    lib.append("s", pd.DataFrame({"new": [True, False], "i": np.array([300, 4], "int16")}, at[2:4]))
    lib.append(
        "s", pd.DataFrame({"i": np.array([1.25, 2.5]), "t": pd.Series(["x", None], at[4:], dtype=object)}, at[4:])
    )
    found = lib.read("s").data
    assert list(found.columns) == ["i", "f", "new", "t"]
    assert found["i"].tolist() == [1, 2, 300, 4, 1.25, 2.5]
    assert found.dtypes.astype(str).tolist() == ["float64", "float32", "bool", "object"]
    assert found["f"].isna().tolist() == [False, False, True, True, True, True]
    assert found["new"].tolist() == [False, False, True, False, False, False]
    assert found["t"].tolist() == [None, None, None, None, "x", None]
    assert str(lib.read("s", as_of=0).data["i"].dtype) == "int8", "older versions keep their types"
    assert str(lib.head("s", 1).data["i"].dtype) == "float64"


def test_wide_rows_of_text_merge_too():
    lib = in_memory(Limits())
    frame = pd.DataFrame({f"c{n}": pd.Series(["abc"], dtype=object) for n in range(200)})
    for _ in range(60):
        lib.append("s", frame)
    assert len(lib.read("s").data) == 60
    assert slices_of(lib) < 16
