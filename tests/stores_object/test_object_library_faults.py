"""Every fault of network and server at every request of every call: success or a typed error, in time, and no waste."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import canonical, state_of

from coldframe.arctic import Arctic
from coldframe.exceptions import ArcticException
from coldframe.library import Library
from coldframe.options import LibraryOptions
from coldframe.testing.proxy import FAULTS, FaultProxy
from coldframe.testing.servers import S3Server

LIMIT = 12.0  # seconds: a request that is not answered ends after 1, retries end after another
OPTIONS = LibraryOptions(rows_per_segment=2_000)


def frame(start: int, rows: int = 10) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=rows, freq="s") + pd.Timedelta(start, "s")
    return pd.DataFrame({"a": np.arange(start, start + rows), "b": np.arange(rows) * 0.5}, index=index)


_random = np.random.default_rng(1)
MUCH = pd.DataFrame({"a": _random.integers(0, 1 << 60, 9_000), "b": _random.normal(size=9_000)},
                    index=pd.date_range("2024-01-01", periods=9_000, freq="s"))


def fill(library: Library) -> None:
    library.write("s", frame(0))
    library.append("s", frame(10))
    library.snapshot("kept")
    library.write("much", MUCH)
    library.write("gone", frame(0))
    library.write("gone", frame(5))


Calls = dict[str, Callable[[Library], object]]
CHANGES: Calls = {
    "write": lambda library: library.write("s", frame(50)),
    "write of much": lambda library: library.write("s", MUCH),
    "write of a new symbol": lambda library: library.write("new", frame(0)),
    "write that prunes": lambda library: library.write("much", frame(50), prune_previous_versions=True),
    "append": lambda library: library.append("s", frame(50)),
    "append to much": lambda library: library.append("much", frame(20_000)),
    "update": lambda library: library.update("much", frame(100)),
    "write_metadata": lambda library: library.write_metadata("s", {"a": 1}),
    "snapshot": lambda library: library.snapshot("another"),
    "delete": lambda library: library.delete("gone"),
    "delete of much": lambda library: library.delete("much"),
    "delete of a version": lambda library: library.delete("gone", 0),
    "delete_snapshot": lambda library: library.delete_snapshot("kept"),
    "prune_previous_versions": lambda library: library.prune_previous_versions("gone"),
    "reclaim": lambda library: library.reclaim(grace=0, orphans=True),
}
READS: Calls = {
    "read": lambda library: canonical(library.read("s").data),
    "read of much": lambda library: canonical(library.read("much", columns=["b"]).data),
    "read of an old version": lambda library: canonical(library.read("s", as_of=0).data),
    "read of a snapshot": lambda library: canonical(library.read("s", as_of="kept").data),
    "list_symbols": lambda library: sorted(library.list_symbols()),
    "list_versions": lambda library: sorted(library.list_versions()),
    "list_snapshots": lambda library: library.list_snapshots(),
}
CALLS = CHANGES | READS


@dataclass(frozen=True)
class Left:
    """What a library holds and how many objects of each kind that takes once everything that can be is freed."""

    state: dict[str, Any]
    objects: Counter[str]


def left(library: Library) -> Left:
    library.reclaim(grace=0, orphans=True)
    report = library.verify()
    assert (report.damaged, report.unreachable) == ([], [])
    objects = Counter(entry.key.partition("/")[0] for entry in library._catalog.store.list(""))
    return Left(state_of(library, created=False), objects)


class Runs:
    """Runs of calls behind proxies of their own, each on a library of its own."""

    def __init__(self, server: S3Server, prefix: str, changes: Calls = CHANGES, reads: Calls = READS) -> None:
        self.calls = changes | reads
        self.reads = reads
        self.server = server
        self.prefix = prefix
        self.arctic = Arctic(server.uri(path_prefix=prefix))
        self.before = left(self.filled("before"))
        self.results: dict[str, object] = {}
        self.requests: dict[str, int] = {}
        self.after: dict[str, Left] = {}
        for name, call in self.calls.items():
            owner = self.filled(f"after {name}")
            with FaultProxy(server.endpoint) as proxy:
                library = self.behind(proxy, f"after {name}")
                proxy.forget()
                self.results[name] = call(library)
                self.requests[name] = proxy.count()
            self.after[name] = left(owner)

    def filled(self, name: str) -> Library:
        library = self.arctic.create_library(name, OPTIONS)
        fill(library)
        return library

    def behind(self, proxy: FaultProxy, name: str) -> Library:
        return Arctic(self.server.uri(endpoint=proxy.endpoint, path_prefix=self.prefix, retry_timeout=1,
                                      request_timeout=1))[name]

    def run(self, fault: str, name: str, **strikes: int) -> bool:
        """Whether the fault struck a call; what came of it is as it should be."""
        key = f"{fault} {name} {strikes.get('skip', 'always')}"
        owner = self.filled(key)
        with FaultProxy(self.server.endpoint) as proxy:
            library = self.behind(proxy, key)
            proxy.stall = LIMIT
            # A listing has no checksum that would tell that a byte of it is another.
            proxy.inject(fault, path=r"^[^?]+$" if fault == "corrupt" else "", **strikes)
            started = time.monotonic()
            failed = False
            try:
                result = self.calls[name](library)
            except ArcticException:
                failed = True
            assert time.monotonic() - started < LIMIT, key
            struck = any(seen.fault for seen in proxy.log)
        if name in self.reads and not failed:
            assert result == self.results[name], key
        found = left(owner)
        allowed = [self.after[name]] + ([self.before] if failed else [])
        assert found in allowed, f"{key}: {found}"
        return struck


@pytest.fixture(scope="module")
def runs_on_server(ministack_server):
    return Runs(ministack_server, "library-faults")


def in_parallel(work: Callable[[str], object], names: Iterable[str] = CALLS) -> None:
    """Each call in a thread: most of the time goes by in waiting."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, names))


@pytest.mark.parametrize("fault", [
    pytest.param(fault, marks=[] if fault in ("drop_after", "stall") else pytest.mark.slow) for fault in FAULTS])
def test_one_fault_at_any_request(runs_on_server, fault, runs):
    """At each request of each call in a soak, else at one, which is another with each fault."""
    whole = runs(1) > 1

    def one_fault(name: str) -> None:
        count = runs_on_server.requests[name]
        chosen = (FAULTS.index(fault) + list(CALLS).index(name)) % count
        for skip in range(count) if whole else [chosen]:
            assert runs_on_server.run(fault, name, skip=skip, times=1) or fault == "corrupt", (name, skip)

    in_parallel(one_fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_lasts(runs_on_server, fault, runs):
    """Met by every call in a soak, else by every other."""
    names = list(CALLS) if runs(1) > 1 else list(CALLS)[FAULTS.index(fault) % 2 :: 2]
    in_parallel(lambda name: runs_on_server.run(fault, name), names)
