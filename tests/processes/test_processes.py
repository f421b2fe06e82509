"""Real processes on one library: nothing lost, nothing torn, whatever starts them and whatever ends them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from tests.processes import workers

import coldframe
from coldframe.library import Library

METHODS = ["fork", "spawn", "forkserver"]

# The children of these tests end with os._exit or are killed; that other threads live in the parent is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def uri(tmp_path) -> str:
    return f"lmdb://{tmp_path / 'storage'}"


@pytest.fixture
def lib(uri) -> Library:
    made = coldframe.Arctic(uri).create_library("shared")
    made.write("shared", workers.rows(0, 0, 3))
    return made


def check(lib: Library, expected: dict[int, int]) -> None:
    """Every writer's rows are there once, in its own order."""
    found = lib.read("s").data
    assert len(found) == sum(expected.values())
    for writer, count in expected.items():
        assert found["n"][found["writer"] == writer].tolist() == list(range(count)), f"rows of writer {writer}"
    report = lib.verify()
    assert report.damaged == []


def test_eight_processes_append_to_one_symbol(uri, lib):
    count, appends = 8, 250
    call = f"append_many({uri!r}, int(sys.argv[1]), {appends})"
    script = f"import sys; from tests.processes.workers import append_many; {call}"
    processes = [subprocess.Popen([sys.executable, "-c", script, str(n)], cwd=Path.cwd()) for n in range(count)]
    assert [process.wait(300) for process in processes] == [0] * count
    check(lib, dict.fromkeys(range(count), appends))
    versions = lib.list_versions("s")
    assert [key.version for key in versions] == list(range(count * appends - 1, -1, -1))
    dates = [row.date for row in versions.values()]
    assert all(later > earlier for later, earlier in pairwise(dates)), "times increase strictly"
    middle = lib.read("s", as_of=count * appends // 2).data
    assert len(middle) == count * appends // 2 + 1


def started(uri: str, writer: int) -> tuple[int, int]:
    """A forked writer that tells what was acknowledged: its process and the pipe."""
    receive, send = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(receive)
        with suppress(BaseException):
            workers.append_and_tell(uri, writer, send)
        os._exit(1)
    os.close(send)
    return process, receive


def acknowledged(pipe: int, *, most: int = 1 << 16) -> int:
    """The newest number in the pipe, 0 if there is none."""
    told = os.read(pipe, most)
    return int.from_bytes(told[-8:], "big")


def test_a_killed_writer_loses_nothing_that_was_acknowledged(uri, lib):
    """What was not acknowledged is there whole or not at all.

    It may turn up only when the next process writes: LMDB then looks what the dead one had finished.
    """
    dice = random.Random(8)
    told: list[int] = []
    for writer in range(50):
        process, pipe = started(uri, writer)
        last = 0
        for _ in range(dice.randrange(1, 6)):
            last = acknowledged(pipe, most=8)
            assert last, "the writer ended by itself"
        time.sleep(dice.random() * 0.01)
        os.kill(process, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
        told.append(acknowledged(pipe) or last)
        os.close(pipe)
        found = lib.read("s").data
        assert found["writer"].is_monotonic_increasing
        for each, count in enumerate(told):
            numbers = found["n"][found["writer"] == each]
            assert numbers.tolist() == list(range(len(numbers))), "rows are torn or out of order"
            assert len(numbers) in {count, count + workers.appended_at(count)}
    assert lib.verify().damaged == []
    lib.append("s", workers.rows(50, 0))
    lib.reclaim(grace=0, orphans=True)
    assert lib.verify().unreachable == []


@pytest.mark.parametrize("method", METHODS)
def test_a_handle_goes_to_other_processes(lib, method):
    context = multiprocessing.get_context(method)
    lib.write("s", workers.rows(100, 0))  # the handle has been used before
    queue = context.Queue()
    processes = [context.Process(target=workers.use_and_put, args=(lib, n, queue)) for n in range(3)]
    for process in processes:
        process.start()
    found = dict(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(found) == [0, 1, 2]
    assert os.getpid() not in found.values()
    check(lib, {0: 3, 1: 3, 2: 3, 100: 1})
    assert sorted(lib.list_symbols()) == ["own 0", "own 1", "own 2", "s", "shared"]


@pytest.mark.parametrize("method", METHODS)
def test_pools_of_processes(lib, method):
    lib.write("s", workers.rows(100, 0))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        done = list(pool.map(workers.use, [lib] * 6, range(6)))
    assert [writer for writer, _ in done] == list(range(6))
    check(lib, {**dict.fromkeys(range(6), 3), 100: 1})


def test_a_child_forked_in_the_middle_of_a_read_and_its_parent_go_on(uri, lib):
    lib.write("s", workers.rows(1, 0))
    with lib._catalog.store.reading() as reader:
        head = bytes(reader.get("heads/s").data)
        process = os.fork()
        if process == 0:
            code = 1
            with suppress(BaseException):
                lib.append("s", workers.rows(1, 1))
                code = 0 if lib.read("s").data["n"].tolist() == [0, 1] else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        assert bytes(reader.get("heads/s").data) == head, "the view is that of the time when it was opened"
    lib.append("s", workers.rows(1, 2))
    check(lib, {1: 3})


def test_a_child_forked_while_threads_work(uri, lib):
    lib.write("s", workers.rows(1, 0))
    stop = threading.Event()

    def work(number: int) -> None:
        while not stop.is_set():
            lib.write(f"busy {number}", workers.rows(number, 0, 200_000), prune_previous_versions=True)
            lib.read(f"busy {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for n in range(1, 6):
            process = os.fork()
            if process == 0:
                code = 1
                with suppress(BaseException):
                    signal.alarm(30)  # a lock that a thread of the parent holds would be held for ever
                    lib.append("s", workers.rows(1, n))
                    code = 0 if len(lib.read("busy 0" if "busy 0" in lib else "shared").data) else 2
                os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    check(lib, {1: 6})


@pytest.mark.parametrize("kind", ["mem", "lmdb"])
def test_threads_share_a_handle(uri, kind):
    lib = coldframe.Arctic(uri if kind == "lmdb" else "mem://").create_library("shared")
    lib.write("shared", workers.rows(0, 0, 3))

    def work(writer: int) -> None:
        for n in range(25):
            lib.append("s", workers.rows(writer, n))
            found = lib.read("s").data
            assert found["n"][found["writer"] == writer].tolist() == list(range(n + 1)), "a writer reads what it wrote"
            if n % 5 == 0:
                lib.write(f"own {writer}", workers.rows(writer, n, 100))
                assert len(lib.read_batch(["shared", f"own {writer}"])[1].data) == 100

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    check(lib, dict.fromkeys(range(6), 25))


def test_pickled_handles_are_the_same_library(uri, lib):
    again = pickle.loads(pickle.dumps(lib))
    again.append("shared", workers.rows(0, 3))
    assert lib.read("shared").data["n"].tolist() == [0, 1, 2, 3]
    assert again.name == lib.name
    assert again.options() == lib.options()


def test_a_handle_in_memory_does_not_leave_its_process():
    lib = coldframe.Arctic("mem://").create_library("shared")
    lib.write("shared", workers.rows(0, 0, 3))
    data = pickle.dumps(lib)
    assert pickle.loads(data).read("shared").data.equals(lib.read("shared").data)
    code = f"import pickle; pickle.loads({data!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "StorageException" in done.stderr
    assert "mem://" in done.stderr


def test_a_handle_in_memory_after_a_fork_is_a_copy():
    lib = coldframe.Arctic("mem://").create_library("shared")
    lib.write("shared", workers.rows(0, 0, 3))
    process = os.fork()
    if process == 0:
        code = 1
        with suppress(BaseException):
            lib.append("shared", workers.rows(0, 3))
            code = 0 if len(lib.read("shared").data) == 4 else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert len(lib.read("shared").data) == 3


def test_readers_in_other_processes_see_whole_versions(uri, lib):
    """A writer replaces everything; readers see one version or another, never a mixture."""
    lib.write("s", workers.rows(0, 0, 5_000))
    script = f"""
import coldframe, time
lib = coldframe.Arctic({uri!r})["shared"]
end = time.time() + 3
count = 0
last = 0
while time.time() < end:
    data = lib.read("s").data
    assert data["writer"].nunique() == 1 and len(data) == 5000, data
    assert data["writer"].iloc[0] >= last, "an older version than before"
    last = data["writer"].iloc[0]
    count += 1
print(count)
"""
    readers = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    version = 0
    while any(reader.poll() is None for reader in readers):
        version += 1
        frame = workers.rows(version, 0, 5_000)
        lib.write("s", frame, prune_previous_versions=True)
    for reader in readers:
        assert int(reader.stdout.read()) > 0
        assert reader.returncode == 0
    assert isinstance(lib.read("s").data, pd.DataFrame)
