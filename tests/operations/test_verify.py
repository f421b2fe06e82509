"""Verify: what is unreachable, what is damaged, and logs that live on for a manifest alone."""

from __future__ import annotations

import pandas as pd
from tests.operations.states import canonical, in_memory, ticks

import coldframe
from coldframe.catalog.versions import read_head
from coldframe.stores.base import Limits


def row(n: int) -> pd.DataFrame:
    return ticks(1, pd.Timestamp("2024-01-01") + pd.Timedelta(n, "s"), n)


def library_with_a_lonely_log(uri):
    """The versions of a log are deleted, but older ones share the manifest that lies in it."""
    lib = coldframe.Arctic(uri).create_library("lib")
    store = lib._catalog.store
    store.limits = Limits(inline_piece=400, head=1_000, segment=100_000)
    for n in range(30):
        lib.append("s", row(n))
    lib.write("s", row(0))
    for n in range(1, 20):
        lib.append("s", row(n))
    head = read_head(store, lib._catalog, "s")
    homes = {ref.home for ref in head.logs if ref.home is not None}
    home = next(ref for ref in head.logs if ref.id in homes)
    lib.delete("s", list(range(home.first_number, home.last_number + 1)))
    head = read_head(store, lib._catalog, "s")
    alone = {ref.home for ref in head.logs if ref.home} - {ref.id for ref in head.logs}
    assert alone, "a log is left for its manifest alone"
    return lib, pd.concat([row(n) for n in range(30)])


def test_a_log_that_is_left_for_its_manifest_alone_is_reachable(uri):
    lib, whole = library_with_a_lonely_log(uri)
    lib.reclaim(grace=0)
    assert lib.verify().unreachable == []
    lib.reclaim(grace=0, orphans=True)
    assert lib.verify().damaged == []
    for key in lib.list_versions("s"):
        expected = whole.iloc[: key.version + 1] if key.version < 30 else whole.iloc[: key.version - 29]
        assert canonical(lib.read("s", as_of=key.version).data) == canonical(expected)


def test_a_log_that_was_left_for_its_manifest_goes_with_the_last_version_that_needs_it(uri):
    lib, _ = library_with_a_lonely_log(uri)
    for n in sorted((key.version for key in lib.list_versions("s") if key.version < 30), reverse=True):
        lib.delete("s", n)
    lib.reclaim(grace=0)
    assert lib.verify().unreachable == []


def test_numbers_of_a_report(uri):
    lib = coldframe.Arctic(uri).create_library("lib")
    lib.write("s", ticks(3))
    lib.append("s", ticks(2, "2025-01-01"))
    lib.write("t", ticks(3))
    lib.snapshot("snap")
    report = lib.verify()
    assert report.ok
    assert report.versions == 5
    assert report.objects >= 4
    assert report.bytes > 1_000
    assert lib.verify("s").versions == 3


def test_a_log_deleted_together_with_the_one_that_has_its_manifest_leaves_nothing():
    lib = in_memory(Limits(inline_piece=600, head=1_000, segment=100_000))
    lib.append("s", ticks(1))
    lib.write_metadata("s", None)
    lib.write("s", ticks(1).iloc[:0])
    assert read_head(lib._catalog.store, lib._catalog, "s").logs[0].home is not None
    lib.delete("s", [0, 1])
    lib.reclaim(grace=0)
    assert lib.verify().unreachable == []
