"""Memory stores: the conformance suite, pickling within the process and nowhere else, fork."""

import gc
import multiprocessing
import os
import pickle
import subprocess
import sys

import pytest

from coldframe.exceptions import PermissionException, StorageException
from coldframe.stores.base import Publication, Swap
from coldframe.stores.memory import MemoryStorage, MemoryStore
from coldframe.stores.open import open_storage
from coldframe.testing.conformance import StoreConformance
from coldframe.testing.storage_conformance import StorageConformance


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestMemoryStoreOfAStorage(StoreConformance):
    @pytest.fixture
    def storage(self):
        storage = MemoryStorage(grace=0.0)
        storage.create("lib", "x", b"")
        storage.store("lib").delete(["x"])
        return storage

    @pytest.fixture
    def store(self, storage):
        return storage.store("lib")

    @pytest.fixture
    def other(self, storage):
        return pickle.loads(pickle.dumps(storage.store("lib")))


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()


def test_it_is_not_atomic_and_keeps_retired_keys_a_minute():
    assert MemoryStore().grace == 60.0
    assert MemoryStore(0.5).grace == 0.5
    assert MemoryStorage(grace=3.0).store("lib").grace == 3.0
    assert not MemoryStore().atomic


def test_a_lost_publication_leaves_its_objects_as_on_an_object_store():
    store = MemoryStore()
    store.swap("head", b"", None)
    with pytest.raises(Exception, match="head"):
        store.publish(Publication([("data", b"1")], Swap("head", b"2", None)))
    assert store.get("data").data == b"1"


def test_each_mem_uri_is_a_storage_of_its_own():
    first, second = open_storage("mem://"), open_storage("mem://anything?at=all")
    first.create("lib", "library", b"")
    assert second.names() == []
    assert repr(first) == "MEM()"


def test_read_only():
    storage = open_storage("mem://", read_only=True)
    store = storage.store("lib")
    for write in (
        lambda: storage.create("lib", "k", b""),
        lambda: storage.drop("lib"),
        lambda: store.put("k", b""),
        lambda: store.put_many([("k", b"")]),
        lambda: store.swap("k", b"", None),
        lambda: store.delete(["k"]),
        lambda: store.delete([]),
        lambda: store.publish(Publication([], Swap("k", b"", None))),
    ):
        with pytest.raises(PermissionException, match="read only"):
            write()


def test_pickles_within_the_process():
    storage = MemoryStorage()
    assert pickle.loads(pickle.dumps(storage)) is storage
    assert pickle.loads(pickle.dumps(storage.store("lib"))) is storage.store("lib")
    with pytest.raises(StorageException, match="belongs to no storage"):
        pickle.dumps(MemoryStore())


def test_a_storage_that_is_gone_cannot_be_unpickled():
    pickled = pickle.dumps(MemoryStorage())
    gc.collect()
    with pytest.raises(StorageException, match="cannot be shared"):
        pickle.loads(pickled)


def test_another_process_cannot_unpickle_it():
    storage = MemoryStorage()
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(storage), capture_output=True, check=False)
    assert done.returncode != 0
    assert b"StorageException" in done.stderr
    assert b"cannot be shared" in done.stderr


def _in_child(queue, store, pickled):
    try:
        pickle.loads(pickled)
    except StorageException as error:
        queue.put(str(error))
    store.put("child", b"")
    queue.put([entry.key for entry in store.list("")])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_copy_and_its_locks_work():
    storage = MemoryStorage()
    storage.create("lib", "library", b"")
    store = storage.store("lib")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with store._lock:  # as if another thread were writing
        child = context.Process(target=_in_child, args=(queue, store, pickle.dumps(storage)))
        child.start()
    assert "cannot be shared" in queue.get(timeout=30)
    assert queue.get(timeout=30) == ["child", "library"]
    child.join(30)
    assert child.exitcode == 0
    assert [entry.key for entry in store.list("")] == ["library"]
