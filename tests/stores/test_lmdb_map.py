"""The map of an LMDB library: it grows up to map_size, with readers and other processes about; full disks."""

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coldframe.exceptions import ErrorCode, LmdbMapFullError, StorageException
from coldframe.stores import lmdb_environment
from coldframe.stores.base import Publication, Swap, UnknownOutcome
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.open import open_storage
from coldframe.testing.conformance import noise


def library(path, **options):
    storage = LmdbStorage(str(path), **options)
    if not storage.has("lib"):
        storage.create("lib", "library", b"options")
    return storage.store("lib")


def run_child(work):
    """Run `work()` in a forked child; whether it succeeded."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:  # noqa: BLE001 - the child must not return into pytest
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def publish_until_full(store, tags, size):
    for number in range(100):
        puts = [(f"data/{number:02}", noise(size))]
        tags.append(store.publish(Publication(puts, Swap("head", b"%d" % number, tags[-1]))))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(lmdb_environment, "FIRST_MAP", 1 << 16)


def test_the_map_is_large_and_costs_no_disk(tmp_path):
    store = library(tmp_path)
    assert store.environment().map_size >= 1 << 30
    assert (tmp_path / "lib" / "data.mdb").stat().st_size < 1 << 16


def test_it_grows_until_everything_fits(tmp_path, small):
    store = library(tmp_path)
    assert store.environment().map_size == 1 << 16
    tag = store.publish(Publication([("data", noise(5 << 20))], Swap("head", b"1", None)))
    assert store.get("head").tag == tag
    assert store.get("data").data == noise(5 << 20)
    assert store.environment().map_size == 8 << 20


def test_map_size_is_an_upper_bound(tmp_path):
    store = open_storage(f"lmdb://{tmp_path}?map_size=1MB")
    store.create("lib", "library", b"")
    store = store.store("lib")
    tag = store.swap("head", b"0", None)
    tags = [tag]
    with pytest.raises(LmdbMapFullError) as caught:
        publish_until_full(store, tags, 50_000)
    tag = tags[-1]
    message = str(caught.value)
    assert message.startswith("E_LMDB_MAP_FULL")
    assert str(tmp_path / "lib") in message
    assert "map_size=2MB" in message
    assert "983,040" in message or "999,424" in message
    assert (tmp_path / "lib" / "data.mdb").stat().st_size <= 10**6
    written = [entry.key for entry in store.list("data/")]
    assert 5 < len(written) < 20
    assert store.get("head").data == b"%d" % (len(written) - 1)
    assert store.get("head").tag == tag
    # As the message says: a larger one, while the old handle is still around.
    larger = open_storage(f"lmdb://{tmp_path}?map_size=2MB").store("lib")
    larger.put("more", noise(300_000))
    assert store.get("more").data == noise(300_000)
    with pytest.raises(LmdbMapFullError):
        store.put("even more", noise(300_000))
    larger.put("even more", noise(300_000))
    store.delete(written)
    store.put("again", noise(100_000))


@pytest.mark.parametrize("size", [1, 1000, 5000, 10**5, 3 * 10**5])
def test_a_tiny_map_size_works_or_says_so(tmp_path, size):
    storage = LmdbStorage(str(tmp_path), map_size=size)
    storage.create("lib", "library", b"")
    store = storage.store("lib")
    store.put("a", b"1")
    with pytest.raises(LmdbMapFullError):
        store.put("b", noise(1 << 20))
    assert store.get("a").data == b"1"
    with pytest.raises(LmdbMapFullError):
        storage.create("other", "library", noise(1 << 20))
    assert storage.names() == ["lib"]


def test_a_library_larger_than_map_size_can_be_read(tmp_path):
    store = library(tmp_path)
    store.put("a", noise(3 << 20))
    store.close()
    bounded = library(tmp_path, map_size=10**6)
    assert bounded.get("a").data == noise(3 << 20)
    with pytest.raises(LmdbMapFullError):
        bounded.put("b", noise(1 << 20))


def test_growing_waits_for_a_read_of_another_thread(tmp_path, small):
    store = library(tmp_path)
    store.put("a", noise(20_000))
    reading, seen = threading.Event(), []

    def read():
        with store.reading() as view:
            data = view.get("a").data
            reading.set()
            time.sleep(0.2)
            seen.append(bytes(data) == noise(20_000))

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait()
    store.put("b", noise(1 << 20))
    thread.join()
    assert seen == [True]
    assert store.get("b").data == noise(1 << 20)


def test_growing_cannot_wait_for_its_own_thread(tmp_path, small):
    store = library(tmp_path)
    with store.reading() as view, pytest.raises(StorageException, match="this thread itself is reading"):
        store.put("b", noise(1 << 20))
    with store.reading() as view:
        store.put("small", b"1")  # no need to grow
        assert bytes(view.get("library").data) == b"options"
    store.put("b", noise(1 << 20))


def test_growing_gives_up_on_a_read_without_end(tmp_path, small, monkeypatch):
    monkeypatch.setattr(lmdb_environment, "PATIENCE", 0.2)
    store = library(tmp_path)
    stop, reading = threading.Event(), threading.Event()

    def read():
        with store.reading():
            reading.set()
            stop.wait(30)

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait()
    with pytest.raises(StorageException, match="1 reads have been running"):
        store.put("b", noise(1 << 20))
    assert store.get("library").data == b"options"
    stop.set()
    thread.join()
    store.put("b", noise(1 << 20))


def test_a_read_that_waits_for_a_read_does_not_hang(tmp_path, small):
    store = library(tmp_path)
    growing = threading.Thread(target=store.put, args=("big", noise(1 << 20)))
    with ThreadPoolExecutor(1) as pool, store.reading() as view:
        growing.start()
        time.sleep(0.05)
        for _ in range(10):  # in a worker, while this thread's view keeps the map as it is
            assert pool.submit(store.get, "library").result(20).data == b"options"
        with store.reading() as nested:
            assert bytes(nested.get("library").data) == bytes(view.get("library").data)
    growing.join(20)
    assert not growing.is_alive()
    assert store.get("big").data == noise(1 << 20)


def test_growing_under_many_readers(tmp_path, small):
    store = library(tmp_path)
    store.put("a", noise(30_000))
    stop = threading.Event()
    errors = []

    def read():
        while not stop.is_set():
            try:
                with store.reading() as view:
                    data = view.get("a").data
                    size = sum(entry.size for entry in view.list("data/"))
                    assert bytes(data) == noise(30_000)
                    assert size % 100_000 == 0
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        store.put(f"data/{number}", noise(100_000, number))
    stop.set()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert store.environment().map_size >= 6_000_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_another_process_grows_the_map(tmp_path, small):
    store = library(tmp_path)
    assert store.get("library").data == b"options"

    def grow():
        for number in range(10):
            store.put(f"child/{number}", noise(300_000, number))

    assert run_child(grow)
    assert store.environment().map_size == 1 << 16
    with store.reading() as view:  # MDB_MAP_RESIZED on the way
        assert bytes(view.get("child/9").data) == noise(300_000, 9)
    assert run_child(lambda: store.put("child/more", noise(6 << 20)))
    store.put("parent", noise(100_000))  # the same for a write
    assert store.get("child/more").data == noise(6 << 20)
    for round_ in range(5):
        assert run_child(lambda name=f"c{round_}": store.put(name, noise(1 << 20, 1)))
        store.put(f"p{round_}", noise(1 << 20, 2))
    assert [store.get(f"c{number}").data == noise(1 << 20, 1) for number in range(5)] == [True] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_two_processes_grow_the_map_at_once(tmp_path, small):
    store = library(tmp_path)

    def grow(name):
        for number in range(20):
            store.put(f"{name}/{number:02}", noise(200_000, number))
            assert len(store.get(f"{name}/{number:02}").data) == 200_000

    pids = []
    for name in ("x", "y", "z"):
        pid = os.fork()
        if pid == 0:
            try:
                grow(name)
            except BaseException as error:  # noqa: BLE001 - the child must not return into pytest
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    grow("parent")
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    assert len([*store.list("")]) == 81


def test_little_address_space_is_enough(tmp_path):
    library(tmp_path).close()
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from coldframe.stores.lmdb import LmdbStorage
store = LmdbStorage({str(tmp_path)!r}).store("lib")
store.put("a", b"1")
assert store.environment().map_size <= 4 << 30
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------------------------ a full disk


@pytest.fixture
def small_disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk(small_disk):
    store = library(small_disk)
    tag = store.swap("head", b"0", None)
    tags = [tag]
    with pytest.raises(StorageException) as caught:
        publish_until_full(store, tags, 70_000)
    tag, number = tags[-1], len(tags) - 1
    assert caught.value.code is ErrorCode.E_QUOTA_EXCEEDED
    assert "free some space" in str(caught.value)
    assert str(small_disk) in str(caught.value)
    assert 10 < number < 60
    assert store.get("head").tag == tag
    assert len([*store.list("data/")]) == number
    with pytest.raises(StorageException):
        store.storage.create("other", "library", noise(1 << 20))
    assert store.storage.names() == ["lib"]
    store.delete([f"data/{number:02}" for number in range(10)])
    store.put("again", noise(70_000))
    store.put("and again", noise(70_000))
    assert store.damage() is None


def test_a_file_that_may_not_grow(tmp_path):
    """Unlike a full disk this is not known to LMDB by name: the publication's outcome is settled by reading it back."""
    store = library(tmp_path)
    tag = store.swap("head", b"0", None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises((StorageException, UnknownOutcome)):
            store.publish(Publication([("data", noise(3 << 20))], Swap("head", b"1", tag)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.get("head").tag == tag
    assert store.get_many(["data"]) == [None]
    store.publish(Publication([("data", noise(3 << 20))], Swap("head", b"1", tag)))
    assert store.get("head").data == b"1"


# ---------------------------------------------------------------------------------------------------- reader slots


def test_more_readers_than_slots(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_environment, "MAX_READERS", 4)
    monkeypatch.setattr(lmdb_environment, "_LOCK_BYTES", 0)
    store = library(tmp_path)
    views = [store.reading() for _ in range(4)]
    for view in views:
        view.__enter__()
    with pytest.raises(StorageException, match="end some of them"):
        store.get("library")
    for view in views:
        view.__exit__(None, None, None)
    assert store.get("library").data == b"options"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_slots_of_killed_readers_are_taken_back(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_environment, "MAX_READERS", 6)
    monkeypatch.setattr(lmdb_environment, "_LOCK_BYTES", 0)
    store = library(tmp_path)
    store.get("library")

    def die_reading():
        view = store.reading()
        view.__enter__()
        os.kill(os.getpid(), 9)

    for _ in range(20):
        run_child(die_reading)
    with store.reading() as view:
        assert bytes(view.get("library").data) == b"options"
    assert run_child(lambda: store.get("library"))


def test_more_libraries_than_file_descriptors(tmp_path):
    storage = LmdbStorage(str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len([*Path("/dev/fd").iterdir()])
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 30, hard))
    try:
        for number in range(40):
            storage.create(f"lib{number}", "library", b"")
        for _ in range(2):
            for number in range(40):
                storage.store(f"lib{number}").put("a", b"1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
