"""Write: versions, metadata, pruning, deduplication; what goes in comes out whatever the limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operations.states import canonical, in_memory, ticks

from coldframe.stores.base import Limits
from coldframe.testing import strategies

LIMITS = {"inlined": Limits(), "apart": Limits(inline_piece=0, head=600, segment=2_000)}


@pytest.mark.parametrize("limits", LIMITS)
@given(
    data=strategies.frames() | strategies.series(), rows=st.sampled_from([1, 2, 5, 100_000]), columns=st.integers(1, 5)
)
def test_what_goes_in_comes_out(limits, data, rows, columns):
    lib = in_memory(LIMITS[limits], rows_per_segment=rows, columns_per_segment=columns)
    lib.write("s", data, validate_index=False)
    assert canonical(lib.read("s").data, freq=True) == canonical(data, freq=True)
    if not isinstance(data.index, pd.RangeIndex):
        assert canonical(lib.read("s", row_range=(1, -1)).data) == canonical(data.iloc[1:-1])
    assert lib.verify().damaged == []


def test_the_object_that_was_written_is_not_changed():
    frame = ticks(5)
    frame.index.name = None
    before = canonical(frame, freq=True)
    in_memory().write("s", frame)
    assert canonical(frame, freq=True) == before


def test_two_reads_are_independent_and_writable():
    lib = in_memory()
    lib.write("s", ticks(5))
    first = lib.read("s").data
    first.iloc[0, 0] = -1.0
    first["price"] *= 2
    assert canonical(lib.read("s").data) == canonical(ticks(5))


def test_versions_go_on_after_everything_was_deleted():
    lib = in_memory()
    assert [lib.write("s", ticks(2)).version for _ in range(3)] == [0, 1, 2]
    lib.delete("s", 2)
    assert lib.write("s", ticks(2)).version == 3
    lib.delete("s")
    assert lib.write("s", ticks(2)).version == 4


def test_metadata_of_any_size_belongs_to_its_version():
    lib = in_memory()
    long = {"text": "x" * 100_000}
    for metadata in (None, 1, long, {"a": pd.Timestamp("2024", tz="UTC")}, (1, 2)):
        lib.write("s", ticks(2), metadata=metadata)
        assert lib.read("s").metadata == metadata
    assert [lib.read_metadata("s", as_of=n).metadata for n in range(5)][2] == long
    lib.write_metadata("s", None)
    assert lib.read("s").metadata is None
    lib.write_metadata("s", long)
    lib.prune_previous_versions("s")
    lib.reclaim(grace=0)
    assert lib.read("s").metadata == long
    assert lib.verify().unreachable == []


def test_write_metadata_stores_no_rows():
    lib = in_memory()
    lib.write("s", ticks(500))
    before = [e.key for e in lib._catalog.store.list("data/")]
    for n in range(5):
        lib.write_metadata("s", n)
    assert [e.key for e in lib._catalog.store.list("data/")] == before
    assert canonical(lib.read("s").data) == canonical(ticks(500))


def test_pruning_frees_what_no_version_names():
    lib = in_memory()
    for seed in range(4):
        lib.write("s", ticks(500, seed=seed), prune_previous_versions=seed % 2 == 1)
    lib.prune_previous_versions("s")
    lib.reclaim(grace=0)
    assert [key.version for key in lib.list_versions("s")] == [3]
    assert lib.verify().unreachable == []
    assert lib.verify().objects < 8
    assert canonical(lib.read("s").data) == canonical(ticks(500, seed=3))


def test_dedup_names_the_segments_that_are_there():
    lib = in_memory(dedup=True, rows_per_segment=100)
    frame = ticks(1_000).drop(columns="side")
    lib.write("s", frame)
    stored = {e.key for e in lib._catalog.store.list("data/")}
    changed = frame.copy()
    changed.iloc[950, 0] = -1.0
    lib.write("s", changed)
    added = {e.key for e in lib._catalog.store.list("data/")} - stored
    assert len(added) == 1
    shifted = frame.shift(1, fill_value=0)
    lib.write("s", shifted)
    for version, expected in enumerate([frame, changed, shifted]):
        assert canonical(lib.read("s", as_of=version).data) == canonical(expected)
    lib.delete("s", [0, 2])
    lib.reclaim(grace=0, orphans=True)
    assert canonical(lib.read("s").data) == canonical(changed)
    assert lib.verify().unreachable == []


def test_dedup_never_names_what_lies_inlined_in_another_version():
    lib = in_memory(Limits(inline_piece=1_500, head=1_500, segment=100_000), dedup=True, rows_per_segment=3)
    frame = pd.DataFrame({"x": np.arange(3, dtype="int32")})
    for n in range(12):
        lib.write("s", frame if n % 2 else pd.concat([frame, frame], ignore_index=True), metadata="m" * 300)
        for version in range(n + 1):
            assert len(lib.read("s", as_of=version).data) == (3 if version % 2 else 6)
    assert lib.verify().damaged == []
