"""Transactions of LMDB stores: publications, views, and what happens to them while others grow, close or break."""

import os
import threading
from pathlib import Path

import lmdb
import pytest
from tests.stores.lmdb_libraries import library

from coldframe.exceptions import (
    ErrorCode,
    KeyNotFoundException,
    StorageException,
)
from coldframe.stores import lmdb_environment
from coldframe.stores.base import Conflict, Publication, Swap, UnknownOutcome
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.lmdb_view import SIZED
from coldframe.testing.conformance import noise, run_threads


@pytest.fixture
def store(tmp_path):
    return library(tmp_path)


def test_a_publication_is_one_transaction(store):
    environment = store.environment()
    before = environment.handle.info()["last_txnid"]
    puts = [(f"data/{number}", noise(10_000)) for number in range(20)]
    store.publish(Publication(puts, Swap("head", b"1", None), ["library"]))
    assert environment.handle.info()["last_txnid"] == before + 1
    store.delete([key for key, _ in puts])
    assert environment.handle.info()["last_txnid"] == before + 2


def test_the_write_lock_is_not_held_while_objects_are_made(store):
    other = library(Path(store.storage.path))
    blocked = []

    def write_elsewhere(key):
        thread = threading.Thread(target=other.put, args=(key, b""))
        thread.start()
        thread.join(20)
        blocked.append(thread.is_alive())

    def puts():
        for number in range(12):
            write_elsewhere(f"other/{number}")
            yield f"data/{number}", noise(8 << 20, number)

    store.publish(Publication(puts(), Swap("head", b"1", None)))
    assert blocked == [False] * 12
    assert len([*store.list("data/")]) == len([*store.list("other/")]) == 12


def test_objects_taken_for_garbage_before_the_publish_step_are_missed(store):
    def puts():
        for number in range(12):
            yield f"data/{number}", noise(8 << 20, number)
        store.delete(["data/0"])  # as a careless collector would

    with pytest.raises(Conflict):
        store.publish(Publication(puts(), Swap("head", b"1", None)))
    assert [entry.key for entry in store.list("")] == ["library"]


def test_a_publication_that_cannot_win_any_more_stops_encoding(store):
    tag = store.swap("head", b"1", None)
    made = []

    def puts():
        for number in range(40):
            made.append(number)
            if number == 2:
                store.swap("head", b"2", tag)
            yield f"data/{number}", noise(8 << 20, 0)

    with pytest.raises(Conflict):
        store.publish(Publication(puts(), Swap("head", b"3", tag)))
    assert len(made) < 20


def test_an_error_in_the_middle_of_a_large_publication_leaves_nothing(store):
    def puts():
        for number in range(12):
            yield f"data/{number}", noise(8 << 20, 0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.publish(Publication(puts(), Swap("head", b"1", None)))
    assert [entry.key for entry in store.list("")] == ["library"]


class BrokenTransaction:
    """A transaction that cannot be committed."""

    def __init__(self, txn, error):
        self._txn, self._error = txn, error

    def __getattr__(self, name):
        return getattr(self._txn, name)

    def commit(self):
        self._txn.abort()
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lmdb.Error("mdb_txn_commit: Input/output error"), UnknownOutcome),
        (lmdb.DiskError("mdb_txn_commit: No space left on device"), StorageException),
    ],
)
def test_a_commit_that_breaks_off(store, error, expected):
    environment = store.environment()
    begin = environment.begin

    def broken(write=False, **options):
        txn = begin(write=write, **options)
        return BrokenTransaction(txn, error) if write else txn

    environment.begin = broken
    with pytest.raises(expected) as caught:
        store.publish(Publication([("a", b"1")], Swap("head", b"1", None)))
    if expected is UnknownOutcome:
        assert caught.value.key == "head"
    else:
        assert caught.value.code is ErrorCode.E_QUOTA_EXCEEDED
    environment.begin = broken
    with pytest.raises(StorageException):
        store.put("a", b"1")
    environment.begin = environment.handle.begin
    store.put("a", b"1")


def test_sizes_are_listed_without_touching_large_objects(store):
    sizes = [0, SIZED - 1, SIZED, SIZED + 1, 1 << 20]
    for size in sizes:
        store.put(f"k{size:07}", noise(size))
    with store.reading() as view:
        touched = []
        real = view._get
        view._get = lambda key: touched.append(key) or real(key)
        assert [entry.size for entry in view.list("k")] == sizes
    assert touched == [b"k0000000", b"k%07d" % (SIZED - 1)]


def test_a_view_after_its_end_is_an_error(store):
    store.put_many((f"k{number}", b"") for number in range(9))
    with store.reading() as view:
        view.get("library")
        listing = view.list("")
        next(listing)
    for use in (lambda: view.get("library"), lambda: next(listing), lambda: next(view.list(""))):
        with pytest.raises(StorageException):
            use()


def test_views_nest(store):
    with store.reading() as outer:
        store.put("a", b"1")
        with store.reading() as inner:
            assert outer.get_many(["a"]) == [None]
            assert bytes(inner.get("a").data) == b"1"
        assert outer.get_many(["a"]) == [None]


def test_a_view_ends_with_an_error_inside(store):
    def read():
        with store.reading() as view:
            view.get("missing")

    with pytest.raises(KeyNotFoundException):
        read()
    assert store.environment().views == set()


def test_closing_under_threads_that_read_write_and_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_environment, "FIRST_MAP", 1 << 16)
    library(tmp_path).put("fixed", noise(70_000))

    def work(number):
        store = library(tmp_path, map_size=None if number % 2 else 10**9)
        reader = LmdbStorage(str(tmp_path), read_only=True).store("lib")
        for step in range(40):
            if number == 0:
                store.close()
            elif number == 1:
                assert reader.get("fixed").data == noise(70_000)
                reader.close()
            elif number == 2:
                store.put(f"grow/{step}", noise(50_000, step))
            elif number == 3:
                store.swap(f"head/{step}", b"", None)
                store.close()
            else:
                with store.reading() as view:
                    assert bytes(view.get("fixed").data) == noise(70_000)
                    assert {entry.size for entry in view.list("grow/")} <= {50_000}

    run_threads(work, 6)
    store = library(tmp_path)
    assert len([*store.list("grow/")]) == len([*store.list("head/")]) == 40
    assert store.damage() is None


def test_reads_and_writes_do_not_ask_for_the_times_of_the_file(store, monkeypatch):
    """After that question Linux (since 6.13) gives the file a finer time, and each commit takes far longer."""
    store.get("library")
    asked = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *more, **options: asked.append(path) or real(path, *more, **options))
    store.get("library")
    store.publish(Publication([("a", b"1")], Swap("head", b"1", None)))
    store.put("b", b"1")
    monkeypatch.undo()
    assert {Path(path).name for path in asked} == {"lock.mdb"}


def test_a_lock_file_that_disappears_is_no_deleted_library(store):
    store.put("a", b"1")
    (Path(store.folder) / "lock.mdb").unlink()
    environment = store.environment()
    assert store.get("a").data == b"1"
    store.put("b", b"1")
    assert store.environment() is environment
