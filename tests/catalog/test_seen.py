"""Commits that start from a head seen earlier: what is remembered, what refused tries leave, what failing deletes do.
"""

from __future__ import annotations

import os
import threading

import numpy as np
import pandas as pd
import pytest

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig, create
from coldframe.catalog.seen import _OVERHEAD, ABSENT, SeenHeads
from coldframe.exceptions import ArcticException, PermissionException
from coldframe.operations.append import append
from coldframe.operations.delete import prune_previous_versions
from coldframe.operations.read import read
from coldframe.operations.reclaim import reclaim
from coldframe.operations.write import write
from coldframe.stores.base import Limits, Stored
from coldframe.stores.memory import MemoryStorage, MemoryStore
from coldframe.testing.counting import CountingStore


def frame(rows: int, column: str = "a") -> pd.DataFrame:
    return pd.DataFrame({column: np.random.default_rng(rows).integers(0, 1 << 60, rows)})


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.limits = Limits(inline_piece=600, head=6_000, segment=100_000)
    return store


def another(store: MemoryStore) -> Catalog:
    """The library as another process sees it."""
    return Catalog(CountingStore(store), "library")


class TestWhatIsRemembered:
    def test_what_was_not_used_for_longest_is_forgotten(self):
        heads = SeenHeads(budget=3 * (_OVERHEAD + 10))
        for name in "abc":
            heads.note(name, Stored(b"0123456789", name))
        assert heads.last("a") is not None
        heads.note("d", Stored(b"0123456789", "d"))
        assert [name for name in "abcd" if heads.last(name) is None] == ["b"]
        heads.note("a", Stored(b"01234", "newer"))
        heads.forget("c")
        heads.note("e", Stored(b"0123456789", "e"))
        assert [name for name in "abcde" if heads.last(name) is None] == ["b", "c"]
        heads.note("large", Stored(bytes(10_000), "large"))
        assert heads.last("large") is None

    def test_a_head_without_a_tag_is_not_kept(self):
        heads = SeenHeads()
        heads.note("s", Stored(b"head", ""))
        assert heads.last("s") is None
        heads.note("s", ABSENT)
        assert heads.last("s") is ABSENT

    def test_what_others_change_is_not_steady(self):
        heads = SeenHeads()
        assert heads.steady("s") is None
        for tag, ours, steady in [("a", False, True), ("b", True, True), ("c", False, False), ("c", False, True)]:
            heads.note("s", Stored(b"head", tag), ours=ours)
            assert (heads.steady("s") is not None) == steady
        heads.note("s", Stored(b"head", "d"))
        heads.forget("s")
        heads.note("s", Stored(b"head", "e"))
        assert heads.steady("s").tag == "e", "nothing is known against it"
        heads.note("s", ABSENT)
        assert heads.steady("s") is None

    def test_unknown_symbols_are_taken_for_new_ones_where_that_is_likely(self, store):
        storage = MemoryStorage()
        create(storage, "lib", LibraryConfig())
        made = Catalog(storage.store("lib"), "lib")
        assert made.seen is Catalog(storage.store("lib"), "lib").seen
        assert made.seen.last("x") is ABSENT
        opened = another(store)
        assert opened.seen.last("x") is None
        write(opened, "x", frame(3))
        assert opened.seen.last("y") is ABSENT
        write(another(store), "y", frame(3))
        write(opened, "y", frame(3))
        assert opened.seen.last("z") is None
        storage.drop("lib")
        create(storage, "lib", LibraryConfig())
        made.seen.note("x", Stored(b"", "old"))
        storage.drop("lib")
        create(storage, "lib", LibraryConfig())
        assert made.seen.last("x") is ABSENT

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_fork_while_another_thread_notes(self):
        heads = SeenHeads()
        with heads._lock:
            child = os.fork()
            if child == 0:
                done = threading.Thread(target=heads.note, args=("s", Stored(b"head", "tag")), daemon=True)
                done.start()
                done.join(20)
                os._exit(1 if done.is_alive() else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class TestRefusedTries:
    def test_they_leave_nothing(self, store):
        mine = Catalog(store, "library")
        write(mine, "s", frame(3))
        write(another(store), "s", frame(3, column="b"))
        before = dict(store._objects)
        with pytest.raises(ArcticException):
            append(mine, "s", frame(500))
        assert store._objects == before

    def test_their_objects_are_stored_once_and_named_in_the_end(self, store):
        mine = Catalog(CountingStore(store), "library")
        write(mine, "s", frame(3))
        write(another(store), "s", frame(3))
        mine.store.reset()
        write(mine, "s", frame(500))
        assert mine.store.counts["put"].keys == 1
        pd.testing.assert_frame_equal(read(mine, "s").data, frame(500))

    def test_what_a_lost_reply_may_have_published_is_not_removed(self, store):
        """The swap goes through, its reply is lost, and so is the look at what has become of it."""

        class Deaf(MemoryStore):
            lost = False

            def swap(self, key, data, expected):
                tag = super().swap(key, data, expected)
                if self.lost:
                    raise PermissionException("the answer did not come")
                return tag

        store = Deaf()
        store.limits = Limits(inline_piece=600, head=6_000, segment=100_000)
        mine = Catalog(store, "library")
        write(mine, "s", frame(3))
        write(another(store), "s", frame(3))
        real = mine.seen.forget

        def forget(symbol):
            real(symbol)
            store.lost = True

        mine.seen.forget = forget  # after the first try
        with pytest.raises(PermissionException):
            write(mine, "s", frame(500))
        store.lost = False
        pd.testing.assert_frame_equal(read(another(store), "s").data, frame(500))


class TestFreeing:
    class Undeletable(MemoryStore):
        def delete(self, keys):
            raise PermissionException("no s3:DeleteObject")

    def test_a_commit_stands_where_what_it_frees_cannot_be_removed(self):
        ticks = iter(range(10**18, 2 * 10**18, 100 * 10**9))
        store = self.Undeletable(grace=1.0)
        store.limits = Limits(inline_piece=600, head=60_000, segment=100_000)
        catalog = Catalog(store, "library", clock=lambda: next(ticks))
        for number in range(200):
            assert write(catalog, "s", frame(200), prune=True).version == number
        prune_previous_versions(catalog, "s")
        write(catalog, "s", frame(200), prune=True)
        with pytest.raises(PermissionException):
            reclaim(catalog)

    def test_due_keys_alone_cause_a_look_at_snapshots(self, store):
        counting = CountingStore(store)
        catalog = Catalog(counting, "library")
        for _ in range(100):
            write(catalog, "s", frame(200), prune=True)
        assert "list" not in counting.counts
        assert len(list(store.list("data/"))) == 100
