"""Reads of a distant store: begun on the head seen last, as fresh as ever; of many symbols, several at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import pandas as pd
import pytest

from coldframe.catalog.catalog import Catalog
from coldframe.exceptions import ErrorCode, NoSuchVersionException, StorageException
from coldframe.operations.delete import delete
from coldframe.operations.query import QueryItem, read_joined, read_query, read_query_batch
from coldframe.operations.read import read, read_batch
from coldframe.operations.reclaim import reclaim
from coldframe.operations.results import ReadItem
from coldframe.operations.snapshots import snapshot
from coldframe.operations.write import write
from coldframe.query.builder import QueryBuilder
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore
from coldframe.testing.counting import CountingStore

NAMES = [f"s{number}" for number in range(4)]


class Distant(CountingStore):
    """A store that says it is far away, and notes what it is asked for, in order."""

    distant = True

    def __init__(self, inner) -> None:
        super().__init__(inner)
        self.log: list[str] = []
        self.fail = False
        self.together: threading.Barrier | None = None

    @contextmanager
    def reading(self) -> Iterator[Distant]:
        yield self

    def begin(self, key):
        self.log.append("begin")
        return partial(self.inner.get, key)

    def get(self, key):
        self.log.append("get")
        return self.inner.get(key)

    def fetch(self, wanted):
        self.log.append("fetch")
        if self.fail:
            raise StorageException("no answer", code=ErrorCode.E_S3_RETRYABLE)
        if self.together is not None:
            self.together.wait(timeout=10)
        return self.inner.fetch(wanted)

    def concurrently(self, work, items):
        self.log.append("concurrently")
        with ThreadPoolExecutor(len(items), thread_name_prefix="coldframe-test") as pool:
            return list(pool.map(work, items))


def frame(seed: int, rows: int = 500) -> pd.DataFrame:
    values = np.random.default_rng(seed).standard_normal((rows, 3))
    return pd.DataFrame(values, columns=list("abc"), index=pd.date_range("2024", periods=rows, freq="s"))


def same(found, wanted) -> bool:
    pd.testing.assert_frame_equal(found, wanted, check_freq=False)
    return True


@pytest.fixture
def objects() -> MemoryStore:
    store = MemoryStore()
    store.limits = Limits(inline_piece=600, head=6_000, segment=100_000)
    return store


@pytest.fixture
def store(objects) -> Distant:
    return Distant(objects)


@pytest.fixture
def catalog(store) -> Catalog:
    return Catalog(store, "library")


@pytest.fixture
def other(objects) -> Catalog:
    """The library as another process has it open."""
    return Catalog(Distant(objects), "library")


def asked(store: Distant, what) -> tuple[object, list[str]]:
    store.log.clear()
    found = what()
    return found, [*store.log]


class TestTheHeadSeenLast:
    def test_is_where_a_read_begins(self, catalog, store):
        write(catalog, "s", frame(1))
        for _ in range(2):
            found, log = asked(store, lambda: read(catalog, "s"))
            assert same(found.data, frame(1))
            assert log == ["begin", "fetch"]

    def test_is_where_a_query_begins(self, catalog, store):
        write(catalog, "s", frame(1))
        query = QueryBuilder()
        found, log = asked(store, lambda: read_query(catalog, ReadItem("s"), query[query["a"] > 0].clauses))
        assert same(found.data, frame(1).query("a > 0"))
        assert log[0] == "begin"
        assert "get" not in log

    def test_counts_for_nothing_once_another_has_changed_it(self, catalog, store, other):
        write(catalog, "s", frame(1))
        for seed, wanted in ((2, ["begin", "fetch", "fetch"]), (3, ["get", "fetch"])):
            write(other, "s", frame(seed))
            found, log = asked(store, lambda: read(catalog, "s"))
            assert found.version == seed - 1
            assert same(found.data, frame(seed))
            assert log == wanted, "once it was in vain, it is not tried again"
        _, log = asked(store, lambda: read(catalog, "s"))
        assert log == ["get", "fetch"]
        _, log = asked(store, lambda: read(catalog, "s"))
        assert log == ["begin", "fetch"], "it has stayed as it was"

    def test_may_name_what_is_gone(self, catalog, other):
        write(catalog, "s", frame(1))
        write(other, "s", frame(2), prune=True)
        reclaim(other, grace=0.0)
        found = read(catalog, "s")
        assert found.version == 1
        assert same(found.data, frame(2))

    def test_may_be_of_a_symbol_that_was_deleted(self, catalog, other):
        write(catalog, "s", frame(1))
        delete(other, "s")
        with pytest.raises(NoSuchVersionException, match="no live version"):
            read(catalog, "s")

    def test_may_lack_a_version_that_is_there(self, catalog, other):
        write(catalog, "s", frame(1))
        write(other, "s", frame(2))
        assert same(read(catalog, "s", 1).data, frame(2))
        with pytest.raises(NoSuchVersionException, match="no version 2"):
            read(catalog, "s", 2)

    def test_shows_older_versions(self, catalog, store):
        for seed in range(4):
            write(catalog, "s", frame(seed))
        for as_of, seed in ((1, 1), (-2, 2), (None, 3)):
            found, log = asked(store, lambda as_of=as_of: read(catalog, "s", as_of))
            assert same(found.data, frame(seed))
            assert log[0] == "begin"

    def test_has_no_part_in_what_a_snapshot_holds(self, catalog, store):
        write(catalog, "s", frame(1))
        snapshot(catalog, "then")
        write(catalog, "s", frame(2))
        found, log = asked(store, lambda: read(catalog, "s", "then"))
        assert same(found.data, frame(1))
        assert "begin" not in log

    def test_is_not_tried_where_nothing_is_known(self, catalog, store, other):
        write(other, "s", frame(1))
        assert asked(store, lambda: read(catalog, "s"))[1] == ["get", "fetch"]

    def test_a_store_that_does_not_answer_is_waited_for_once(self, catalog, store):
        write(catalog, "s", frame(1))
        store.fail = True
        with pytest.raises(StorageException, match="no answer"):
            read(catalog, "s")
        assert store.log.count("fetch") == 1


class TestBatches:
    @pytest.fixture(autouse=True)
    def written(self, catalog, store):
        for seed, name in enumerate(NAMES):
            write(catalog, name, frame(seed))
        store.together = threading.Barrier(len(NAMES))

    def test_symbols_are_read_at_once(self, catalog):
        found = read_batch(catalog, [ReadItem(name) for name in NAMES])
        assert all(same(one.data, frame(seed)) for seed, one in enumerate(found))

    def test_older_versions_are_read_at_once(self, catalog, store):
        store.together = None
        for name in NAMES:
            write(catalog, name, frame(9))
        store.together = threading.Barrier(len(NAMES))
        found = read_batch(catalog, [ReadItem(name, 0) for name in NAMES])
        assert all(same(one.data, frame(seed)) for seed, one in enumerate(found))

    def test_what_is_not_there_leaves_its_error(self, catalog):
        items = [ReadItem(NAMES[0]), ReadItem("none"), ReadItem(NAMES[1], 7), *map(ReadItem, NAMES[1:])]
        found = read_batch(catalog, items)
        assert [isinstance(one, NoSuchVersionException) for one in found] == [False, True, True, False, False, False]
        assert same(found[-1].data, frame(3))

    def test_small_symbols_need_their_heads_only(self, catalog, store):
        store.together = None
        for seed, name in enumerate(NAMES):
            write(catalog, name, frame(seed, 5))
        found, log = asked(store, lambda: read_batch(catalog, [ReadItem(name) for name in NAMES]))
        assert all(same(one.data, frame(seed, 5)) for seed, one in enumerate(found))
        assert log == []

    def test_queries_are_run_at_once(self, catalog):
        query = QueryBuilder()
        clauses = query[query["a"] > 0].clauses
        found = read_query_batch(catalog, [QueryItem(ReadItem(name), clauses) for name in NAMES])
        assert all(same(one.data, frame(seed).query("a > 0")) for seed, one in enumerate(found))

    @pytest.mark.parametrize("condition", [False, True])
    def test_symbols_are_joined_at_once(self, catalog, condition):
        query = QueryBuilder()
        clauses = query[query["a"] > 0].clauses if condition else ()
        versions, data = read_joined(catalog, [QueryItem(ReadItem(name), clauses) for name in NAMES], "outer", ())
        whole = pd.concat([frame(seed) for seed in range(len(NAMES))])
        assert [version.symbol for version in versions] == NAMES
        assert same(data, whole.query("a > 0") if condition else whole)
