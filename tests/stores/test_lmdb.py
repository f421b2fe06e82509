"""LMDB stores: the conformance suite, libraries as folders, sharing of environments, reading only."""

import os
import pickle
import shutil
import sys
import time
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores.lmdb_libraries import library

from coldframe.exceptions import (
    ErrorCode,
    NoDataFoundException,
    PermissionException,
    StorageException,
)
from coldframe.stores import lmdb_environment, lmdb_folders
from coldframe.stores.base import Conflict, Entry, Fetch, Publication, Swap
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.open import open_storage
from coldframe.testing.conformance import StoreConformance, noise, run_threads
from coldframe.testing.storage_conformance import StorageConformance


@pytest.fixture
def store(tmp_path):
    return library(tmp_path)


class TestLmdbStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        store = library(tmp_path)
        store.delete(["library"])
        return store

    @pytest.fixture
    def other(self, store, tmp_path):
        """Another storage on the same folder, under another name of it."""
        link = tmp_path / "link"
        link.symlink_to(tmp_path)
        return LmdbStorage(str(link)).store("lib")


class TestLmdbStoreWithASmallMap(StoreConformance):
    """Every test passes while the map starts tiny and has to be replaced again and again."""

    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lmdb_environment, "FIRST_MAP", 1 << 16)
        store = library(tmp_path)
        store.delete(["library"])
        return store

    def test_a_view_is_consistent(self, store, other):
        """Not here: a map cannot be replaced while the thread that asks for it is reading (see test_lmdb_map)."""


class TestLmdbStorage(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path):
        return open_storage(f"lmdb://{tmp_path / 'deep' / 'path'}")


def test_what_it_promises(store):
    assert store.atomic
    assert store.grace == 0.0
    assert (store.limits.inline_piece, store.limits.head, store.limits.segment) == (16 << 10, 64 << 10, 8 << 20)


def test_keys_that_are_too_long_or_empty(store):
    for key in ("", "k" * 512):
        for write in (store.put, lambda key, data: store.swap(key, data, None)):
            with pytest.raises(StorageException, match=r"480 bytes|there is no object"):
                write(key, b"")
        for read in (store.get, lambda key: store.fetch([Fetch(key, [])])):
            with pytest.raises(StorageException, match=r"480 bytes|there is no object"):
                read(key)


# -------------------------------------------------------------------------------------------------------- folders


def test_folders_have_readable_names(tmp_path):
    storage = LmdbStorage(str(tmp_path))
    for name in ("prices", "a/b", ".hidden", "ends.", "100%", "x" * 254, "%41"):
        storage.create(name, "library", b"")
    found = sorted(entry.name for entry in tmp_path.iterdir())
    assert found[:6] == ["%2541", "%2Ehidden", "100%25", "a%2Fb", "ends%2E", "prices"]
    assert found[6].startswith("x" * 150 + "%~")
    assert len(found[6]) < 200


@given(st.text(min_size=1, max_size=300))
def test_a_folder_name_is_safe(name):
    encoded = lmdb_folders.encode_name(name)
    assert 0 < len(encoded) <= 200
    assert encoded.isascii()
    assert not set(encoded) & set('/\\:*?"<>|\0\n')
    assert encoded[0] != "."
    assert encoded[-1] not in ". "


@given(st.text(min_size=1, max_size=90), st.text(min_size=1, max_size=90))
def test_different_names_have_different_folders(first, second):
    assert (lmdb_folders.encode_name(first) == lmdb_folders.encode_name(second)) == (first == second)


@given(st.text("a%/~2F.", min_size=1, max_size=400), st.text("a%/~2F.", min_size=1, max_size=400))
def test_long_and_awkward_names_have_different_folders(first, second):
    assert (lmdb_folders.encode_name(first) == lmdb_folders.encode_name(second)) == (first == second)


def test_half_made_and_half_removed_libraries_are_none(tmp_path):
    storage = LmdbStorage(str(tmp_path))
    storage.create("lib", "library", b"")
    for name in (".creating-1", ".dropping-1", "empty folder", ".creating-old", ".dropping-old"):
        (tmp_path / name).mkdir()
    for name in (".creating-1", ".creating-old", ".dropping-old"):
        shutil.copy(tmp_path / "lib" / "data.mdb", tmp_path / name)
    (tmp_path / "a file").write_text("")
    for name in (".creating-old", ".dropping-old"):
        os.utime(tmp_path / name, (time.time() - 7200, time.time() - 7200))
    assert storage.names() == ["lib"]
    assert not storage.has("empty folder")
    storage.create("lib2", "library", b"")
    left = {entry.name for entry in tmp_path.iterdir()}
    assert {".creating-1", ".dropping-1"} <= left
    assert not {".creating-old", ".dropping-old"} & left


def test_a_failed_creation_leaves_nothing(tmp_path, monkeypatch):
    storage = LmdbStorage(str(tmp_path))
    monkeypatch.setattr(lmdb_folders, "sync_folder", lambda path: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StorageException, match="full"):
        storage.create("lib", "library", b"")
    assert [*tmp_path.iterdir()] == []


def test_the_creator_that_comes_second_gets_a_conflict(tmp_path, monkeypatch):
    first, second = LmdbStorage(str(tmp_path)), LmdbStorage(str(tmp_path))
    build = LmdbStorage._build

    def slow(self, *arguments):
        build(self, *arguments)
        monkeypatch.undo()
        second.create("lib", "library", b"second")

    monkeypatch.setattr(LmdbStorage, "_build", slow)
    with pytest.raises(Conflict):
        first.create("lib", "library", b"first")
    assert bytes(first.store("lib").get("library").data) == b"second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["lib"]


def test_a_path_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in ("file", "file/below"):
        with pytest.raises(StorageException, match="file"):
            LmdbStorage(str(tmp_path / path))


def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = open_storage("lmdb://here")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    storage.create("lib", "library", b"")
    assert (tmp_path / "here" / "lib" / "data.mdb").exists()
    assert repr(storage) == f"LMDB(path={tmp_path / 'here'})"


# ------------------------------------------------------------------------------------------------ drop and recreate


def test_a_dropped_library_frees_its_files(tmp_path):
    store = library(tmp_path)
    store.put("a", noise(10_000))
    store.storage.drop("lib")
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(NoDataFoundException, match="deleted"):
        store.get("a")
    with pytest.raises(NoDataFoundException):
        store.publish(Publication([("a", b"")], Swap("head", b"", None)))
    if sys.platform == "linux":
        open_files = [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]
        assert not [name for name in open_files if str(tmp_path) in name]


def test_a_running_read_survives_the_drop(tmp_path):
    store = library(tmp_path)
    store.put("a", noise(200_000))
    with store.reading() as view:
        store.storage.drop("lib")
        assert bytes(view.get("a").data) == noise(200_000)


@pytest.mark.parametrize("by", ["drop", "rmtree", "rename"])
def test_a_recreated_library_is_not_taken_for_the_old_one(tmp_path, by):
    stores = [library(tmp_path), library(tmp_path)]
    for round_ in range(3):
        for store in stores:
            store.put(f"old{round_}", b"old")
        if by == "drop":
            stores[0].storage.drop("lib")
        elif by == "rmtree":
            shutil.rmtree(tmp_path / "lib")
        else:
            (tmp_path / "lib").rename(tmp_path / f"moved{round_}")
        with pytest.raises(NoDataFoundException):
            stores[round_ % 2].get("library")
        stores[1].storage.create("lib", "library", b"%d" % round_)
        for store in stores:
            assert bytes(store.get("library").data) == b"%d" % round_
            assert [entry.key for entry in store.list("")] == ["library"]
    if by == "rename":
        assert bytes(LmdbStorage(str(tmp_path)).store("moved1").get("old1").data) == b"old"


def test_a_moved_or_copied_storage_opens_unchanged(tmp_path):
    store = library(tmp_path / "one", "a/b")
    tag = store.publish(Publication([("data", noise(100_000))], Swap("head", b"1", None)))
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    (tmp_path / "one").rename(tmp_path / "two")
    for path in ("two", "copy"):
        storage = LmdbStorage(str(tmp_path / path))
        assert storage.names() == ["a/b"]
        moved = storage.store("a/b")
        assert moved.get("head").tag == tag
        assert bytes(moved.get("data").data) == noise(100_000)
        moved.swap("head", path.encode(), tag)
    assert bytes(LmdbStorage(str(tmp_path / "two")).store("a/b").get("head").data) == b"two"
    with pytest.raises(NoDataFoundException):
        store.get("head")


# ------------------------------------------------------------------------------------------------------- sharing


def test_one_environment_for_all_handles(tmp_path):
    one, two = library(tmp_path), library(tmp_path)
    three = pickle.loads(pickle.dumps(one))
    (tmp_path / "link").symlink_to(tmp_path / "lib")
    four = LmdbStorage(str(tmp_path)).store("link")
    assert len({store.environment() for store in (one, two, three, four)}) == 1
    assert len(lmdb_environment._open) >= 1


def test_closing(tmp_path):
    store, other = library(tmp_path), library(tmp_path)
    store.get("library")
    other.get("library")
    environment = store.environment()
    with other.reading() as view:
        store.close()
        assert bytes(view.get("library").data) == b"options"
        assert other.environment() is environment
    store.get("library")
    store.close()
    assert environment not in lmdb_environment._open.values()
    lmdb.open(str(tmp_path / "lib")).close()  # which is an error while it is open here
    assert other.get("library").data == store.get("library").data == b"options"
    assert store.environment() is other.environment()


def test_opening_and_closing_in_many_threads(tmp_path):
    library(tmp_path)

    def work(number):
        for _ in range(100):
            store = library(tmp_path)
            assert store.get("library").data == b"options"
            if number % 3 == 0:
                store.close()
            elif number % 3 == 1:
                store.put(f"a{number}", b"")

    run_threads(work, 6)
    assert library(tmp_path).get("library").data == b"options"


def test_only_so_many_environments_stay_open(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_environment, "KEPT", 5)
    storage = LmdbStorage(str(tmp_path))
    stores = []
    for number in range(12):
        storage.create(f"lib{number}", "library", b"%d" % number)
        stores.append(storage.store(f"lib{number}"))
    for number in [*range(12), 3, 4, 5, 11, 0]:
        assert stores[number].get("library").data == b"%d" % number
        assert len(lmdb_environment._open) <= 5
    with stores[1].reading() as one, stores[2].reading() as two:
        for store in stores:
            store.put("a", b"")
        assert bytes(one.get("library").data) == b"1"
        assert bytes(two.get("library").data) == b"2"


def test_files_that_others_removed_are_let_go(tmp_path):
    storage = LmdbStorage(str(tmp_path))
    for name in ("gone", "stays"):
        storage.create(name, "library", b"")
    gone = storage.store("gone").environment()
    shutil.rmtree(tmp_path / "gone")
    storage.store("stays").get("library")
    assert gone.handle is None
    assert gone not in lmdb_environment._open.values()


@pytest.mark.skipif(lmdb.__version__ < "2", reason="py-lmdb 1 does not notice")
def test_a_file_that_somebody_else_has_open_is_a_typed_error(tmp_path, monkeypatch):
    library(tmp_path).close()
    foreign = lmdb.open(str(tmp_path / "lib"))
    monkeypatch.setattr(lmdb_environment, "_REOPEN_SECONDS", 0.05)
    with pytest.raises(StorageException, match="already open"):
        library(tmp_path).get("library")
    foreign.close()
    library(tmp_path).get("library")


def test_pickles_by_path(tmp_path):
    store = library(tmp_path, map_size=10**9)
    store.put("a", b"1")
    copy = pickle.loads(pickle.dumps(store))
    assert copy.get("a").data == b"1"
    assert copy.storage.uri == store.storage.uri == f"lmdb://{tmp_path}?map_size=1GB"
    assert pickle.loads(pickle.dumps(LmdbStorage(str(tmp_path), read_only=True))).read_only


# ------------------------------------------------------------------------------------------------------ read only


def test_read_only_writes_nothing(tmp_path):
    writable = library(tmp_path)
    writable.put("a", b"1")
    writable.close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("data.mdb")}
    storage = open_storage(f"lmdb://{tmp_path}", read_only=True)
    store = storage.store("lib")
    assert store.read_only
    assert store.get("a").data == b"1"
    assert [*store.list("")] == [Entry("a", 1), Entry("library", 7)]
    with store.reading() as view:
        assert bytes(view.fetch([Fetch("a", [(0, 1)])])[0][0]) == b"1"
    for write in (
        lambda: store.put("b", b""),
        lambda: store.put_many([]),
        lambda: store.put_many([("b", b"")]),
        lambda: store.swap("b", b"", None),
        lambda: store.delete(["a"]),
        lambda: store.delete([]),
        lambda: store.publish(Publication([], Swap("b", b"", None))),
        lambda: storage.create("new", "library", b""),
        lambda: storage.drop("lib"),
    ):
        with pytest.raises(PermissionException, match="read only"):
            write()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("data.mdb")} == before
    assert storage.names() == ["lib"]


def test_read_only_creates_no_path(tmp_path):
    with pytest.raises(StorageException, match="not there") as caught:
        open_storage(f"lmdb://{tmp_path / 'missing'}", read_only=True)
    assert caught.value.code is ErrorCode.E_RESOURCE_NOT_FOUND
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(NoDataFoundException):
        open_storage(f"lmdb://{tmp_path}", read_only=True).store("missing").get("a")
    assert [*tmp_path.iterdir()] == []


def test_read_only_and_writable_handles_share_a_process(tmp_path):
    library(tmp_path).close()
    reader = open_storage(f"lmdb://{tmp_path}", read_only=True).store("lib")
    assert reader.get("library").data == b"options"
    assert reader.environment().read_only
    writer = library(tmp_path)
    with writer.reading() as view:
        assert bytes(view.get("library").data) == b"options"
    writer.put("a", b"1")
    assert reader.get("a").data == b"1"
    with pytest.raises(PermissionException):
        reader.put("a", b"2")


def test_read_only_where_the_lock_file_cannot_be_written(tmp_path, monkeypatch):
    store = library(tmp_path)
    store.put("a", noise(100_000))
    store.close()
    (tmp_path / "lib" / "lock.mdb").unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    store = LmdbStorage(str(tmp_path), read_only=True).store("lib")
    assert store.get("a").data == noise(100_000)
    assert [entry.name for entry in (tmp_path / "lib").iterdir()] == ["data.mdb"]
