"""A library on a server on which operations are interrupted, and what is left of them.

Each run costs requests, so each is made once: the identifiers that an operation draws are the same in each run, so that
the same interruption leaves the same bytes, and what bytes hold is looked at once, whichever test met them first.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from tests.crash.scenarios import LIMITS, NOW, OPERATIONS, ROWS_PER_SEGMENT, fill, opened
from tests.crash.test_crash_points import states
from tests.operations.states import canonical, library, state_of, ticks

from coldframe.catalog import commit as committing
from coldframe.catalog import ids
from coldframe.catalog.config import LibraryConfig, create
from coldframe.exceptions import ArcticException
from coldframe.stores.base import Store
from coldframe.stores.memory import MemoryStore
from coldframe.stores.object_uri import parse
from coldframe.testing.faults import CONDITIONAL, WRITES, Call, Crash, FaultStore

HOUR = 3_600_000_000_000
SWAPPED = ("heads/", "snapshots/")
"""Only objects under these prefixes ever change."""

Objects = dict[str, bytes]


class Torn:
    """A filled library on a server, set back to what it was before each run.

    Parameters
    ----------
    uri : str
        An empty storage.
    size : str
        One of `OPERATIONS`.
    """

    def __init__(self, uri: str, size: str) -> None:
        self.size = size
        storage = parse(uri)
        create(storage, "base", LibraryConfig())
        self.store = storage.store("base")
        self.store.limits = LIMITS[size] or self.store.limits
        fill(opened(self.store, NOW - HOUR), size)
        self.base = self._objects({})
        self._calls: dict[str, list[Call]] = {}
        self._allowed: dict[str, list[dict[str, Any]]] = {}
        self._seen: dict[frozenset[tuple[str, bytes]], dict[str, Any]] = {}

    def allowed(self, name: str) -> list[dict[str, Any]]:
        """The states that an operation may leave: the first is the one before, the last the one after."""
        if name not in self._allowed:
            self._allowed[name] = states(self, OPERATIONS[self.size][name])
        return self._allowed[name]

    def copy(self) -> Store:
        """The library in memory, for what `allowed` does."""
        return self._in_memory(self.base)

    def calls(self, name: str) -> list[Call]:
        """The calls that an operation makes when nothing happens to it."""
        if name not in self._calls:
            faults, error = self.interrupted(name, lambda faults: None)
            assert error is None
            self.check(self.allowed(name)[-1:])
            self._calls[name] = faults.calls
        return self._calls[name]

    def some_calls(self, name: str, most: int) -> list[Call]:
        """Those of the calls that commit, and of the others the first, the last, and some between, up to `most`."""
        calls = self.calls(name)
        others = [call.number for call in calls if call.verb not in CONDITIONAL]
        chosen = {others[at * (len(others) - 1) // max(most - 1, 1)] for at in range(most)} if others else set()
        return [call for call in calls if call.verb in CONDITIONAL or call.number in chosen]

    def interrupted(self, name: str, plan: Callable[[FaultStore], None]) -> tuple[FaultStore, BaseException | None]:
        """An operation that goes as planned: the store that it met, what it raised."""
        self._reset()
        faults = FaultStore(self.store, verbs=WRITES)
        plan(faults)
        error = None
        with same_ids(name):
            try:
                OPERATIONS[self.size][name].act(opened(faults))
            except (Crash, ArcticException) as raised:
                error = raised
        put = [key for call in faults.calls if call.verb == "put" for key in call.keys]
        assert not set(put) & set(self.base), "an object that may be read is overwritten"
        return faults, error

    def check(self, allowed: list[dict[str, Any]]) -> None:
        """What is on the server is one of these states; reclaiming and writing go well from there."""
        objects = self._objects(self.base)
        key = frozenset(objects.items())
        if key not in self._seen:
            self._seen[key] = self._look(objects)
        assert self._seen[key] in allowed, "neither the state before nor the one after"

    def _look(self, objects: Objects) -> dict[str, Any]:
        found = state_of(opened(self._in_memory(objects)))
        assert library(self._in_memory(objects)).verify().damaged == []
        now = library(self.store, rows_per_segment=ROWS_PER_SEGMENT)
        now.reclaim(grace=0, orphans=True)
        left = self._in_memory(self._objects(objects))
        report = library(left).verify()
        assert report.damaged == []
        assert report.unreachable == [], "an orphan is left"
        assert state_of(opened(left)) == found, "reclaiming changed what is there"
        more = ticks(2, "2025-01-01", 99)
        assert now.append("cut", more).version == (4 if ("cut", 3) in found["versions"] else 3)
        assert canonical(now.read("cut", row_range=(-2, None)).data) == canonical(more)
        return found

    def _reset(self) -> None:
        there = self._objects(self.base)
        self.store.delete([key for key in there if key not in self.base])
        self.store.put_many((key, data) for key, data in self.base.items() if there.get(key) != data)

    def _objects(self, known: Objects) -> Objects:
        """What is on the server; what is `known` and never changes is not fetched again."""
        entries = list(self.store.list(""))
        wanted = [entry.key for entry in entries if entry.key not in known or entry.key.startswith(SWAPPED)]
        fetched = dict(zip(wanted, self.store.get_many(wanted), strict=True))
        found = {entry.key: bytes(fetched[entry.key].data) if entry.key in fetched else known[entry.key]
                 for entry in entries}
        assert [len(data) for data in found.values()] == [entry.size for entry in entries]
        return found

    def _in_memory(self, objects: Objects) -> MemoryStore:
        made = MemoryStore(grace=self.store.grace)
        made.limits = self.store.limits
        for key, data in objects.items():
            made.put(key, data)
        return made


@contextmanager
def same_ids(name: str) -> Iterator[None]:
    """New identifiers are those of this operation, counted from one on, and commits that lose do not wait."""
    numbers = itertools.count(zlib.crc32(name.encode()) << 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "os", SimpleNamespace(urandom=lambda size: next(numbers).to_bytes(size, "big")))
        patch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: NOW))
        patch.setattr(committing, "_pause", lambda *_, **__: 0)
        yield
