"""A storage in other processes: forked, spawned, by forkserver, in pools; nothing hangs and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from coldframe.stores.base import Conflict
from coldframe.stores.object_uri import parse

TIMEOUT = 60


def append(uri: str, number: int, turns: int) -> int:
    """What a worker process does: open the storage and append tokens to one object."""
    storage = parse(uri)
    store = storage.store("lib")
    for turn in range(turns):
        while True:
            found = store.get("count")
            try:
                store.swap("count", bytes(found.data) + b"%d-%d;" % (number, turn), found.tag)
            except Conflict:
                continue
            break
    return number


def tokens(store) -> list[bytes]:
    return bytes(store.get("count").data).split(b";")[:-1]


@pytest.fixture
def uri(ministack_server, prefix):
    return ministack_server.uri(path_prefix=prefix)


@pytest.fixture
def store(uri):
    store = parse(uri).store("lib")
    store.swap("count", b"", None)  # obstore is in use in this process
    return store


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, uri, store):
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=append, args=(uri, number, 5)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(TIMEOUT)
        assert process.exitcode == 0
    assert len(set(tokens(store))) == 15


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_concurrent_futures(method, uri, store):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        found = [pool.submit(append, uri, number, 4).result(TIMEOUT) for number in range(3)]
    assert found == [0, 1, 2]
    assert len(set(tokens(store))) == 12


def in_child(work, seconds=TIMEOUT):
    """Run `work` in a forked child; its exit code. A child that hangs is killed."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        code = 1
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_store_that_the_parent_used(store):
    """Every operation, through the very objects of the parent."""
    store.put("data/a", b"0123456789")

    def work():
        from coldframe.exceptions import KeyNotFoundException
        from coldframe.stores.base import Fetch

        assert store.get("data/a").data == b"0123456789"
        assert [bytes(part) for part in store.fetch([Fetch("data/a", [(1, 3), (8, 20)])])[0]] == [b"12", b"89"]
        store.put_many((f"data/{number}", b"x" * number) for number in range(30))
        assert len(list(store.list("data/"))) == 31
        assert [found.data if found else None for found in store.get_many(["data/3", "none"])] == [b"xxx", None]
        store.delete(["data/a", "data/none"])
        tag = store.swap("new", b"one", None)
        for expected, right in ((None, False), ("0" * 32, False), (tag, True)):
            try:
                store.swap("new", b"two", expected)
                assert right
            except Conflict:
                assert not right
        try:
            store.get("none")
        except KeyNotFoundException:
            return 0
        return 2

    assert in_child(work) == 0
    assert store.get("new").data == b"two"
    assert len(list(store.list("data/"))) == 30


def test_a_grandchild(store):
    def work():
        store.put("child", b"1")
        return in_child(lambda: store.put("grandchild", b"2"), 40)

    assert in_child(work) == 0
    assert store.get("grandchild").data == b"2"


def test_a_fork_while_requests_are_under_way(store):
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            store.put_many((f"busy/{number}", b"x" * 1000) for number in range(20))

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            assert in_child(lambda number=number: store.put(f"child/{number}", b"x")) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(list(store.list("child/"))) == 4


def test_the_helper_does_not_outlive_its_process(store):
    read, write = os.pipe()

    def work():
        store.put("x", b"x")
        helper = store._requests.client._process.pid
        os.write(write, str(helper).encode())
        return 0

    assert in_child(work) == 0
    helper = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with Path(f"/proc/{helper}/stat").open() as file:
                if file.read().split(")")[1].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the helper still runs")


def test_a_helper_that_is_killed_is_replaced(store):
    def work():
        store.put("x", b"x")
        os.kill(store._requests.client._process.pid, signal.SIGKILL)
        time.sleep(0.1)
        store.put("y", b"y")
        return 0 if store.get("y").data == b"y" else 2

    assert in_child(work) == 0


def test_a_child_that_ends_normally_ends_at_once(uri):
    """Not by os._exit: the interpreter takes everything down, including objects made before the fork."""
    script = textwrap.dedent(f"""
        import os, sys
        from coldframe.stores.object_uri import parse
        store = parse({uri!r}).store("lib")
        store.put("a", b"a")
        child = os.fork()
        if child == 0:
            store.put("b", b"b")
            sys.exit(7)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    done = subprocess.run([sys.executable, "-c", script], timeout=TIMEOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr


def test_a_child_of_a_parent_that_never_used_obstore_needs_no_helper(uri):
    script = textwrap.dedent(f"""
        import os, sys
        from coldframe.stores.object_uri import parse
        store = parse({uri!r}).store("lib")
        child = os.fork()
        if child == 0:
            store.put("b", b"b")
            os._exit(0 if type(store._requests.client).__name__ == "ObstoreClient" else 2)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    done = subprocess.run([sys.executable, "-c", script], timeout=TIMEOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def stalled(proxy, script: str, path: str = "") -> subprocess.Popen[str]:
    """A process that has said that it is ready, and then asks a server that does not answer (what has this `path`)."""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready", process.stderr.read()
    proxy.inject("stall", path=path)
    process.stdin.write("\n")
    process.stdin.flush()
    return process


@pytest.mark.parametrize("operation", ["get", "put_many", "list"])
def test_ctrl_c_works_within_a_second(ministack_server, prefix, proxy, operation):
    proxy.stall = 20
    uri = ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix)
    script = textwrap.dedent(f"""
        import signal, sys
        from coldframe.stores.object_uri import parse
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
        store = parse({uri!r}).store("lib")
        store.put("a", b"a")
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            {{"get": lambda: store.get("a"),
              "put_many": lambda: store.put_many((str(n), b"x") for n in range(200)),
              "list": lambda: list(store.list(""))}}[{operation!r}]()
        except KeyboardInterrupt:
            sys.exit(9)
    """)
    process = stalled(proxy, script)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 9, process.stderr.read()
    assert time.monotonic() - started < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("call", [
    "library.read('much')", "library.read_batch([f's{n}' for n in range(30)])", "library.write('much', much)",
    "library.write_batch([WritePayload(f's{n}', much) for n in range(5)])", "library.append('s1', small)",
    "library.snapshot('x')", "library.list_versions()", "library.delete('s1')", "library.verify()",
    "arctic.list_libraries()", ("library.read('much')", "/data/"),
    ("library.read('much', query_builder=q[q['a'] > 0])", "/data/"),
    ("library.read('much', query_builder=q.groupby('b').agg({'c': 'sum'}))", "/data/"),
    ("list(library.read('much', lazy=True).collect_batches(1_000))", "/data/"),
    ("library.read_batch_and_join(['much', 'much'], q.concat('outer'))", "/data/")])
def test_ctrl_c_ends_a_call_on_a_library(ministack_server, prefix, proxy, call):
    """And the process with it: nothing waits for the threads that still wait for the server."""
    call, path = call if isinstance(call, tuple) else (call, "")
    proxy.stall = 20
    uri = ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix)
    script = textwrap.dedent(f"""
        import signal, sys, time
        import numpy as np, pandas as pd
        from coldframe import Arctic, LibraryOptions, QueryBuilder, WritePayload
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
        arctic = Arctic({uri!r})
        library = arctic.create_library("lib", LibraryOptions(rows_per_segment=20_000))
        much = pd.DataFrame(np.random.default_rng(1).normal(size=(200_000, 3)), columns=list("abc"))
        small = pd.DataFrame({{"a": [1]}})
        library.write("much", much)
        for n in range(30):
            library.write(f"s{{n}}", small)
        q = QueryBuilder()
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            {call}
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)
            sys.exit(9)
    """)
    process = stalled(proxy, script, path)
    while not any(seen.fault for seen in proxy.log):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 9, process.stderr.read()
    assert float(process.stdout.readline()) - started < 1.0
    assert time.monotonic() - started < 5.0


def test_a_refused_connection_is_reported_in_five_seconds():
    from coldframe.exceptions import StorageException
    from coldframe.testing.servers.processes import free_port

    store = parse(f"s3://127.0.0.1:b?port={free_port()}&access=a&secret=b").store("lib")
    for work in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: list(store.list(""))):
        started = time.monotonic()
        with pytest.raises(StorageException, match="connection refused"):
            work()
        assert time.monotonic() - started < 5


def test_an_unknown_host_is_reported_in_five_seconds():
    from coldframe.exceptions import StorageException

    store = parse("s3://no-such-host.invalid:b?access=a&secret=b").store("lib")
    started = time.monotonic()
    with pytest.raises(StorageException, match="host name not found"):
        store.get("a")
    assert time.monotonic() - started < 5
