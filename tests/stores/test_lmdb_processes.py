"""LMDB stores in many processes: fork, spawn, forkserver, hundreds of readers, and writers that are killed."""

import ctypes
import gc
import multiprocessing
import os
import pickle
import pwd
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from coldframe.exceptions import NoDataFoundException, PermissionException, StorageException
from coldframe.stores import lmdb_environment
from coldframe.stores.base import Conflict, Fetch, Publication, Swap
from coldframe.stores.lmdb import LmdbStorage
from coldframe.testing.conformance import noise

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def library(path, **options):
    storage = LmdbStorage(str(path), **options)
    if not storage.has("lib"):
        storage.create("lib", "library", b"options")
    return storage.store("lib")


@pytest.fixture
def store(tmp_path):
    return library(tmp_path)


def start(work):
    """Start `work()` in a forked child."""
    sys.stdout.flush()
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
    return pid


def run_child(work):
    """Run `work()` in a forked child; whether it succeeded."""
    return os.waitpid(start(work), 0)[1] == 0


def check(condition):
    if not condition:
        raise AssertionError


def slots(store):
    """The process and the transaction of each slot in the lock file."""
    return [(int(pid), number) for pid, number in re.findall(r"(\d+) \w+ (\S+)", store.environment().handle.readers())]


# ------------------------------------------------------------------------------------------------------------ fork


def test_a_child_uses_the_store_of_its_parent(store):
    store.put("a", noise(100_000))

    def child():
        check(store.get("a").data == noise(100_000))
        store.put("child", b"1")
        tag = store.swap("head", b"1", None)
        with store.reading() as view:
            check(view.get("head").tag == tag)
        check(run_child(lambda: store.put("grandchild", store.get("child").data)))
        check(store.get("grandchild").data == b"1")

    for _ in range(3):
        store.delete(["head"])
        assert run_child(child)
        assert store.get("grandchild").data == b"1"
        store.put("parent", b"2")
        assert run_child(lambda: check(store.get("parent").data == b"2"))


def test_a_child_leaves_the_reads_of_its_parent_alone(store):
    store.put("a", noise(300_000, 1))
    with store.reading() as view:
        data = view.get("a").data
        before = slots(store)

        def child():
            # Everything that could end an inherited transaction or environment.
            check(store.get("a").data == noise(300_000, 1))
            store.close()
            gc.collect()
            with pytest.raises(StorageException, match="before a fork"):
                view.get("a")
            with pytest.raises(StorageException, match="before a fork"):
                next(view.list(""))
            view.__exit__(None, None, None)
            store.put("child", b"1")

        assert run_child(child)
        assert slots(store) == before
        for seed in range(20):  # would reuse the pages that are being read, were they not protected
            store.put("a", noise(300_000, seed + 2))
        assert bytes(data) == noise(300_000, 1)
        assert view.get_many(["child"]) == [None]
    assert bytes(store.get("a").data) == noise(300_000, 21)


def test_a_child_that_ends_as_programs_do_leaves_its_parent_alone(tmp_path):
    code = f"""
import os, sys
from coldframe.stores.lmdb import LmdbStorage
storage = LmdbStorage({str(tmp_path)!r})
storage.create("lib", "library", b"options")
store = storage.store("lib")
view = store.reading()
view.__enter__()
before = store.environment().handle.readers()
pid = os.fork()
if pid == 0:
    store.get("library")
    sys.exit(0)  # modules and objects are taken down
assert os.waitpid(pid, 0)[1] == 0
assert store.environment().handle.readers() == before, store.environment().handle.readers()
assert bytes(view.get("library").data) == b"options"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_forking_while_other_threads_read_and_write(store):
    stop = threading.Event()

    def work(number):
        while not stop.is_set():
            store.put(f"t{number}", noise(5000, number))
            with store.reading() as view:
                assert bytes(view.get(f"t{number}").data) == noise(5000, number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(15):
            pid = start(lambda number=number: store.put(f"child{number}", store.get("library").data))
            deadline = time.monotonic() + 30
            while (done := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
                time.sleep(0.002)
            if done == (0, 0):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            assert done[1] == 0, "the child failed or hangs"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len([*store.list("child")]) == 15


def test_a_child_finds_its_way_after_gc_freeze(store):
    store.get("library")
    gc.collect()
    gc.freeze()
    try:
        assert run_child(lambda: store.put("child", b""))
    finally:
        gc.unfreeze()
    store.get("child")


def test_the_nameless_list_of_open_files_is_found_and_nobodys_else(store):
    """How a child finds its way with py-lmdb 2.x, whose list of open paths survives the fork."""
    key = ("ino", 1, 2)
    foreign = {key, "other"}
    named = {"foreign": foreign}
    nameless = {key, "other"}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(nameless))  # held by C alone
    address = id(nameless)
    del nameless
    assert lmdb_environment._strike({key})
    found = next(item for item in gc.get_objects() if id(item) == address)
    assert found == {"other"}
    assert named["foreign"] == {key, "other"}
    assert not lmdb_environment._strike({key})
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(found))


# ----------------------------------------------------------------------------------------- spawn, forkserver, pickle


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_store_goes_to_another_process(store, method):
    context = multiprocessing.get_context(method)
    children = [context.Process(target=store.put, args=(f"child{number}", noise(1000))) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    assert store.get("child1").data == noise(1000)


def test_pickles_of_read_only_stores_stay_read_only(store):
    reader = LmdbStorage(store.storage.path, read_only=True).store("lib")
    code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read()).put('a', b'')"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(reader), capture_output=True, check=False)
    assert b"PermissionException" in done.stderr


# ------------------------------------------------------------------------------------------------------ many at once


def test_counting_processes_lose_nothing(store):
    store.swap("count", b"0", None)

    def count(number):
        done = 0
        while done < 40:
            with store.reading() as view:
                stored = view.get("count")
                value, tag = int(bytes(stored.data)), stored.tag
            try:
                puts = [(f"data/{number}-{done}", noise(2000, done))]
                store.publish(Publication(puts, Swap("count", b"%d" % (value + 1), tag)))
                done += 1
            except Conflict:
                pass

    pids = [start(lambda number=number: count(number)) for number in range(5)]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 5
    assert store.get("count").data == b"200"
    assert len([*store.list("data/")]) == 200


def test_one_of_many_creating_processes_wins(tmp_path):
    storage = LmdbStorage(str(tmp_path))

    def create(number):
        try:
            storage.create("lib", "library", b"%d" % number)
        except Conflict:
            os._exit(3)

    for _ in range(4):
        pids = [start(lambda number=number: create(number)) for number in range(5)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        assert sorted(codes) == [0, 3, 3, 3, 3]
        assert storage.store("lib").get("library").data == b"%d" % codes.index(0)
        assert [entry.name for entry in tmp_path.iterdir()] == ["lib"]
        storage.drop("lib")


def test_dropping_and_recreating_under_other_processes(tmp_path):
    storage = LmdbStorage(str(tmp_path))
    stop = tmp_path / "stop"

    def use():
        store = LmdbStorage(str(tmp_path)).store("lib")
        while not stop.exists():
            try:
                generation = bytes(store.get("library").data)
                tag = store.swap(f"{os.getpid()}", generation, None)
                with store.reading() as view:
                    if view.get_many([f"{os.getpid()}"])[0] is not None:
                        check(view.get(f"{os.getpid()}").tag == tag)
                store.delete([f"{os.getpid()}"])
            except (StorageException, NoDataFoundException, Conflict):
                continue

    storage.create("lib", "library", b"0")
    pids = [start(use) for _ in range(3)]
    for generation in range(1, 15):
        time.sleep(0.02)
        storage.drop("lib")
        storage.create("lib", "library", b"%d" % generation)
    stop.touch()
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    assert storage.store("lib").get("library").data == b"14"


@pytest.mark.slow
def test_two_hundred_reading_processes(store):
    two_hundred_readers(store, 200)


def test_forty_reading_processes(store):
    two_hundred_readers(store, 40)


def two_hundred_readers(store, count):
    """All hold a read transaction at the same moment, while the parent goes on writing."""
    store.publish(Publication([("data", noise(100_000, 0))], Swap("head", b"0", None)))
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()

    def read():
        os.close(go_write)
        with store.reading() as view:
            head = bytes(view.get("head").data)
            os.write(ready_write, b"x")
            os.read(go_read, 1)  # returns when the parent closes its end
            check(bytes(view.get("head").data) == head)
            check(bytes(view.fetch([Fetch("data", [(0, 100_000)])])[0][0]) == noise(100_000, int(head)))

    begun = time.monotonic()
    pids = [start(read) for _ in range(count)]
    waiting = count
    while waiting:
        waiting -= len(os.read(ready_read, waiting))
        tag = store.get("head").tag
        number = int(bytes(store.get("head").data)) + 1
        store.publish(Publication([("data", noise(100_000, number))], Swap("head", b"%d" % number, tag)))
    assert len(slots(store)) >= count
    os.close(go_write)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * count
    for end in (ready_read, ready_write, go_read):
        os.close(end)
    assert time.monotonic() - begun < 60
    store.environment().handle.reader_check()
    assert len([slot for slot in slots(store) if slot[1] != "-"]) == 0


# ---------------------------------------------------------------------------------------------------------- kill -9

WRITER = """
import os, sys
from coldframe.stores.base import Publication, Swap
from coldframe.stores.lmdb import LmdbStorage
from coldframe.testing.conformance import noise
path, size = sys.argv[1], int(sys.argv[2])
store = LmdbStorage(path).store("lib")
while True:
    stored = store.get_many(["head"])[0]
    number = 0 if stored is None else int(bytes(stored.data)) + 1
    pieces = ((f"data/{number:06}/{piece:02}", noise(size, number)) for piece in range(3))
    old = [f"data/{number - 5:06}/{piece:02}" for piece in range(3)] if number >= 5 else []
    store.publish(Publication(pieces, Swap("head", b"%d" % number, None if stored is None else stored.tag), old))
    os.write(1, b"%d\\n" % number)
"""


def kill_writers(tmp_path, rounds, size):
    store = library(tmp_path)
    dice = random.Random(7)
    acknowledged = -1
    for _ in range(rounds):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(size)], stdout=subprocess.PIPE, bufsize=0
        )
        assert writer.stdout is not None
        output = writer.stdout.readline()
        time.sleep(dice.random() * 0.1)
        writer.kill()
        output += writer.stdout.read()
        writer.wait()
        writer.stdout.close()
        done = [int(line) for line in output.splitlines()]
        assert done == [*range(done[0], done[0] + len(done))]
        assert done[0] > acknowledged, "an acknowledged publication was lost"
        acknowledged = done[-1]
        with store.reading() as view:
            head = int(bytes(view.get("head").data))
            assert head in {acknowledged, acknowledged + 1}
            for number in range(max(0, head - 4), head + 1):
                for piece in range(3):
                    assert bytes(view.get(f"data/{number:06}/{piece:02}").data) == noise(size, number)
            versions = {entry.key.split("/")[1] for entry in view.list("data/")}
            if size * 3 < 32 << 20:  # nothing is stored ahead of the publish step
                assert versions == {f"{number:06}" for number in range(max(0, head - 4), head + 1)}
        assert store.damage() is None
        store.put("parent", b"goes on")


def test_writers_that_are_killed(tmp_path):
    kill_writers(tmp_path, 2, 20_000)


@pytest.mark.slow
def test_fifty_writers_that_are_killed(tmp_path, runs):
    kill_writers(tmp_path, runs(50), 20_000)


@pytest.mark.slow
def test_writers_of_much_that_are_killed(tmp_path, runs):
    kill_writers(tmp_path, runs(10), 24 << 20)


def test_a_creator_that_is_killed_leaves_no_library(tmp_path, monkeypatch):
    storage = LmdbStorage(str(tmp_path))
    for name in ("sync_folder", "write_name"):
        monkeypatch.setattr(f"coldframe.stores.lmdb_folders.{name}", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        assert not run_child(lambda: storage.create("x" * 254, "library", b""))
        monkeypatch.undo()
        assert storage.names() == []
        assert not storage.has("x" * 254)
    assert len([*tmp_path.iterdir()]) == 2
    storage.create("x" * 254, "library", b"")
    assert storage.names() == ["x" * 254]


# ------------------------------------------------------------------------------------------------------- permissions


@pytest.fixture
def open_folder():
    """A folder that any user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(work):
    """Run `work()` in a child without the rights of root; whether it succeeded."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")

    def become():
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        work()

    return run_child(become)


def test_a_user_who_may_only_read(open_folder):
    store = library(open_folder)
    store.put("a", noise(100_000))
    store.close()
    names = {path.name for path in (open_folder / "lib").iterdir()}

    def read():
        reader = LmdbStorage(str(open_folder), read_only=True)
        check(reader.names() == ["lib"])
        check(reader.store("lib").get("a").data == noise(100_000))
        with reader.store("lib").reading() as view:
            check(len([*view.list("")]) == 2)

    assert as_nobody(read)
    (open_folder / "lib" / "lock.mdb").unlink()
    assert as_nobody(read)
    assert {path.name for path in (open_folder / "lib").iterdir()} == names - {"lock.mdb"}


def test_a_user_who_may_only_read_but_connects_to_write(open_folder):
    store = library(open_folder)
    store.close()

    def write():
        writer = LmdbStorage(str(open_folder))
        for use in (
            lambda: writer.store("lib").get("library"),
            lambda: writer.store("lib").put("a", b""),
            lambda: writer.create("new", "library", b""),
            lambda: writer.drop("lib"),
            lambda: LmdbStorage(str(open_folder / "below")),
        ):
            with pytest.raises(PermissionException, match=str(open_folder)):
                use()

    assert as_nobody(write)
    assert LmdbStorage(str(open_folder)).names() == ["lib"]


def test_a_user_who_may_not_read(open_folder):
    library(open_folder).close()
    (open_folder / "lib" / "data.mdb").chmod(0o600)

    def read():
        reader = LmdbStorage(str(open_folder), read_only=True)
        with pytest.raises(PermissionException, match=str(open_folder)):
            reader.store("lib").get("library")

    assert as_nobody(read)
    (open_folder / "lib").chmod(0o700)
    assert as_nobody(read)
