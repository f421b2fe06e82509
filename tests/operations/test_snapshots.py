"""Snapshots hold versions whatever happens to their symbols; tombstones, listings, what is freed and when."""

from __future__ import annotations

import msgspec
import pandas as pd
import pytest
from tests.operations.states import SMALL, canonical, ticks

import coldframe
from coldframe.exceptions import NoDataFoundException, NoSuchVersionException
from coldframe.stores.base import Limits


@pytest.fixture(params=["default", "small"])
def lib(request, uri):
    made = coldframe.Arctic(uri).create_library("lib")
    if request.param == "small":
        made._catalog.store.limits = SMALL
    return made


def data_keys(lib) -> set[str]:
    return {entry.key for entry in lib._catalog.store.list("data/")}


def test_a_snapshot_reads_after_everything_else_is_gone(lib):
    for n in range(12):
        lib.append("s", ticks(60, pd.Timestamp("2024-01-01") + pd.Timedelta(n, "D"), n), metadata="m" * 1_000)
    lib.write("t", ticks(300))
    whole = lib.read("s").data
    lib.snapshot("new", metadata={"why": 1})
    lib.snapshot("old", versions={"s": 4})
    for symbol in ("s", "t"):
        lib.delete(symbol)
    lib.reclaim(grace=0, orphans=True)
    assert lib.list_symbols() == []
    assert sorted(lib.list_symbols("new")) == ["s", "t"]
    assert canonical(lib.read("s", as_of="new").data) == canonical(whole)
    assert canonical(lib.read("s", as_of="old").data) == canonical(whole.iloc[:300])
    assert lib.read_metadata("s", as_of="old").metadata == "m" * 1_000
    assert canonical(lib.tail("s", 3, as_of="new").data) == canonical(whole.tail(3))
    assert lib.get_description("t", as_of="new").row_count == 300
    rows = lib.list_versions()
    assert {key.version: row.deleted for key, row in rows.items() if key.symbol == "s"} == {11: True, 4: True}
    assert rows["s", 4].snapshots == ["old"]
    assert lib.verify().damaged == []
    with pytest.raises(NoSuchVersionException):
        lib.read("s", as_of=4)
    lib.delete_snapshot("new")
    lib.reclaim(grace=0)
    assert canonical(lib.read("s", as_of="old").data) == canonical(whole.iloc[:300])
    lib.delete_snapshot("old")
    lib.reclaim(grace=0)
    assert lib.verify().unreachable == []
    assert data_keys(lib) == set()
    assert lib.list_versions() == {}
    assert lib.append("s", ticks(1)).version == 12


def test_what_a_snapshot_holds_is_not_freed_by_pruning(lib):
    lib._catalog.store.limits = Limits(inline_piece=0, head=2_000, segment=100_000)
    for n in range(5):
        lib.write("s", ticks(50, seed=n))
        if n == 2:
            lib.snapshot("two")
    lib.prune_previous_versions("s")
    lib.reclaim(grace=0, orphans=True)
    assert len(data_keys(lib)) == 2
    assert canonical(lib.read("s", as_of="two").data) == canonical(ticks(50, seed=2))
    rows = lib.list_versions("s")
    assert [(key.version, row.deleted) for key, row in rows.items()] == [(4, False), (2, True)]
    lib.snapshot("again", versions={"s": 2})
    lib.delete_snapshot("two")
    lib.reclaim(grace=0, orphans=True)
    assert canonical(lib.read("s", as_of="again").data) == canonical(ticks(50, seed=2))


def test_default_and_choice(lib):
    lib.write("a", ticks(1))
    lib.write("a", ticks(2))
    lib.write("b", ticks(3))
    lib.write("gone", ticks(3))
    lib.delete("gone")
    lib.snapshot("all", versions={})
    lib.snapshot("some", skip_symbols=["b", "unknown"])
    lib.snapshot("first", versions={"a": 0})
    assert {name: sorted(lib.list_symbols(name)) for name in lib.list_snapshots()} == {
        "all": ["a", "b"],
        "first": ["a"],
        "some": ["a"],
    }
    assert len(lib.read("a", as_of="first").data) == 1
    assert set(lib.list_versions(snapshot="first")) == {("a", 0)}
    assert not lib.has_symbol("b", as_of="some")
    lib.delete_snapshot("all")
    with pytest.raises(NoDataFoundException):
        lib.read("a", as_of="all")


def test_a_symbol_that_is_deleted_leaves_a_tombstone_that_remembers(lib):
    for _ in range(3):
        lib.write("s", ticks(1))
    created = lib.read("s").timestamp
    lib.delete("s")
    lib.delete("s")
    assert lib.list_symbols() == []
    assert lib.list_versions() == {}
    assert not lib.has_symbol("s")
    item = lib.write("s", ticks(1))
    assert item.version == 3
    assert item.timestamp > created
    assert lib.list_symbols() == ["s"]


def test_listings_across_many_symbols(lib):
    names = [f"symbol/{n} %" for n in range(30)]
    for n, name in enumerate(names):
        lib.write(name, ticks(1))
        if n % 3 == 0:
            lib.write(name, ticks(2))
        if n % 5 == 0:
            lib.delete(name)
    live = sorted(name for n, name in enumerate(names) if n % 5)
    assert sorted(lib.list_symbols()) == live
    assert sorted(lib.list_symbols(regex="/1. ")) == [name for name in live if "/1" in name and len(name) == 11]
    newest = lib.list_versions(latest_only=True)
    assert sorted(key.symbol for key in newest) == live
    assert all(key.version == (1 if names.index(key.symbol) % 3 == 0 else 0) for key in newest)
    assert all(str(row.date.tz) == "UTC" for row in newest.values())
    assert lib.list_versions("unknown") == {}


def test_reclaim_says_what_it_freed(lib):
    lib._catalog.store.limits = Limits(inline_piece=0, head=2_000, segment=100_000)
    lib.write("s", ticks(300))
    lib._catalog.store.put("data/s/" + "0" * 26, b"x" * 100)  # what a killed writer left, long ago
    assert len(lib.verify().unreachable) == 1
    kept = lib.reclaim()
    assert (kept.objects, kept.orphans) == (0, 0)
    done = lib.reclaim(orphans=True)
    assert (done.orphans, done.bytes) == (1, 100)
    assert lib.verify().unreachable == []
    assert canonical(lib.read("s").data) == canonical(ticks(300))


def test_what_a_snapshot_and_a_live_version_share_outlives_the_snapshot(lib):
    """Pruning retires older tables of contents, whose segments the newest version and a snapshot may share."""
    lib._catalog.store.limits = Limits(inline_piece=0, head=2_000, segment=100_000)
    config = msgspec.structs.replace(lib._catalog.config, rows_per_segment=10)
    lib._catalog = msgspec.structs.replace(lib._catalog, config=config)
    lib.write("s", ticks(100))
    lib.update("s", ticks(5, "2024-01-01 00:00:40", 3))
    expected = canonical(lib.read("s").data)
    lib.snapshot("snap")
    lib.prune_previous_versions("s")
    lib.reclaim(grace=0)
    lib.delete_snapshot("snap")
    lib.reclaim(grace=0)
    assert lib.verify().damaged == []
    assert canonical(lib.read("s").data) == expected
    assert lib.verify().unreachable == []


def test_the_versions_of_a_snapshot_say_which_others_hold_them(lib):
    lib.write("a", ticks(3))
    lib.write("b", ticks(3))
    lib.snapshot("one")
    lib.snapshot("two")
    lib.write("a", ticks(4))
    lib.snapshot("three")
    lib.delete("b")

    def held(**arguments) -> dict[tuple[str, int], list[str]]:
        rows = lib.list_versions(**arguments)
        assert not any(row.deleted for row in rows.values())
        return {tuple(key): sorted(row.snapshots) for key, row in rows.items()}

    assert held(snapshot="two") == {("a", 0): ["one", "two"], ("b", 0): ["one", "three", "two"]}
    assert held(snapshot="two", latest_only=True) == held(snapshot="two")
    assert held(snapshot="three") == {("a", 1): ["three"], ("b", 0): ["one", "three", "two"]}
    assert held(symbol="a", snapshot="two") == {("a", 0): ["one", "two"]}
    assert held(symbol="a", snapshot="two", skip_snapshots=True) == {("a", 0): []}
    assert held(symbol="c", snapshot="two") == {}
    lib.delete_snapshot("one")
    assert held(symbol="b", snapshot="two") == {("b", 0): ["three", "two"]}
