"""How rows are cut into slices: as many as the library says, more where the store wants few objects and rows pack."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import library

from coldframe.catalog.versions import resolve
from coldframe.library import Library
from coldframe.operations import encode
from coldframe.operations.encode import HELD, LONGEST, times_longer
from coldframe.stores.base import Limits
from coldframe.stores.lmdb import LmdbStore
from coldframe.stores.memory import MemoryStore
from coldframe.stores.object_store import ObjectStore

ROWS = 10_000
PACKED = 64 * 1024


def packing(rows: int) -> pd.DataFrame:
    """Two columns of which a slice takes some hundred bytes."""
    return pd.DataFrame({"a": np.arange(rows) // 100, "b": np.arange(rows) % 2})


def random(rows: int) -> pd.DataFrame:
    """Two columns of which a slice takes as many bytes as in memory."""
    return pd.DataFrame(np.random.default_rng(1).standard_normal((rows, 2)), columns=["a", "b"])


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch):
    monkeypatch.setattr(encode, "DEFAULT_ROWS", ROWS)


def make(packed: int = PACKED, **options) -> Library:
    store = MemoryStore()
    store.limits = Limits(packed=packed)
    return library(store, **{"rows_per_segment": 0, **options})


def cut(lib: Library) -> list[int]:
    """The rows of the slices of the newest version."""
    with lib._catalog.store.reading() as reader:
        return resolve(reader, lib._catalog, "s", None).contents.all_slices().slices["rows"].tolist()


@pytest.mark.parametrize(("encoded", "held", "times"), [
    (100, 100, LONGEST), (PACKED // 4, 100, 4), (PACKED // 4 + 1, 100, 2), (PACKED // 2, 100, 2),
    (PACKED // 2 + 1, 100, 1), (2 * PACKED, 100, 1), (100, HELD // 4, 4), (100, HELD // 3, 2), (100, HELD, 1),
    (0, 0, 4),
])
def test_how_much_longer_slices_become(encoded, held, times):
    assert times_longer(encoded, held, 8, Limits(packed=PACKED)) == times


@pytest.mark.parametrize(("slices", "times"), [(1, 1), (47, 1), (48, 2), (95, 2), (96, 4), (10_000, LONGEST)])
def test_enough_slices_are_left_for_all_cores(slices, times):
    assert times_longer(100, 100, slices, Limits(packed=PACKED, slices=24)) == times


def test_rows_that_pack_make_longer_slices_after_the_first():
    lib = make()
    frame = packing(105_000)
    lib.write("s", frame)
    assert cut(lib) == [10_000, 40_000, 40_000, 15_000]
    pd.testing.assert_frame_equal(lib.read("s").data, frame)
    across = lib.read("s", row_range=(49_998, 50_003)).data
    pd.testing.assert_frame_equal(across, frame.iloc[49_998:50_003].reset_index(drop=True))


def test_appended_rows_are_cut_by_the_same_rule():
    lib = make()
    frame = packing(105_000)
    lib.write("s", frame.iloc[:5_000])
    lib.append("s", frame.iloc[5_000:])
    assert cut(lib) == [5_000, 10_000, 40_000, 40_000, 10_000]
    pd.testing.assert_frame_equal(lib.read("s").data, frame)


def test_rows_that_do_not_pack_are_cut_as_ever():
    lib = make()
    lib.write("s", random(45_000))
    assert cut(lib) == [10_000] * 4 + [5_000]


def test_what_is_in_memory_is_bounded_too(monkeypatch):
    monkeypatch.setattr(encode, "HELD", 3 * ROWS * 16)
    lib = make()
    lib.write("s", packing(45_000))
    assert cut(lib) == [10_000, 20_000, 15_000]


def test_few_rows_are_not_worth_it():
    lib = make()
    lib.write("s", packing(20_000))
    assert cut(lib) == [10_000, 10_000]


def test_a_library_that_says_how_many_rows_has_its_way():
    lib = make(rows_per_segment=9_000)
    lib.write("s", packing(45_000))
    assert cut(lib) == [9_000] * 5


def test_groups_of_columns_stay_as_they_are():
    lib = make(columns_per_segment=1)
    store = lib._catalog.store
    store.limits = Limits(segment=8 * ROWS, packed=PACKED)
    lib.write("s", packing(45_000))
    assert cut(lib) == [10_000] * 4 + [5_000]


def test_a_near_store_wants_it_only_where_many_slices_are_left():
    lib = make()
    lib._catalog.store.limits = Limits(packed=PACKED, slices=4)
    lib.write("s", packing(79_000))
    assert cut(lib) == [10_000] * 7 + [9_000]
    lib.write("s", packing(85_000))
    assert cut(lib) == [10_000, *[20_000] * 3, 15_000]


def test_what_stores_want():
    assert (ObjectStore.limits.packed, ObjectStore.limits.slices) == (1024 * 1024, 0)
    assert (LmdbStore.limits.packed, LmdbStore.limits.slices) == (512 * 1024, 24)
    assert not MemoryStore.limits.packed
    lib = make(packed=0)
    lib.write("s", packing(45_000))
    assert cut(lib) == [10_000] * 4 + [5_000]


def test_the_same_rows_again_are_cut_alike_and_so_deduplicated():
    lib = make(dedup=True)
    lib._catalog.store.limits = Limits(inline_piece=0, packed=PACKED)
    frame = packing(105_000)
    lib.write("s", frame)
    before = {entry.key for entry in lib._catalog.store.list("data/")}
    frame.loc[104_999, "a"] = -1
    lib.write("s", frame)
    after = {entry.key for entry in lib._catalog.store.list("data/")}
    assert (len(before), len(after)) == (4, 5)
