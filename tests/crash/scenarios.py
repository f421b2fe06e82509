"""The libraries on which every operation is interrupted, and the operations themselves."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tests.operations.states import library, ticks

from coldframe.catalog.config import LibraryConfig, create
from coldframe.items import DeleteRequest, UpdatePayload, WriteMetadataPayload, WritePayload
from coldframe.library import Library
from coldframe.stores.base import Limits, Store
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.memory import MemoryStorage, MemoryStore
from coldframe.testing.faults import READS, WRITES

NOW = time.time_ns()
HOUR = 3_600_000_000_000
ROWS_PER_SEGMENT = 12
LATER = pd.Timestamp("2024-06-01")

Act = Callable[[Library], object]


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that changes a library; `parts` are its commits where it makes several, each a state of its own."""

    act: Act
    parts: tuple[Act, ...] = ()


def _operations(rows: int) -> dict[str, Operation]:
    def more(seed: int) -> pd.DataFrame:
        return ticks(rows, LATER, seed)

    middle = ticks(max(2, rows // 3), "2024-01-01 00:00:01", 77)
    span = (pd.Timestamp("2024-01-01 00:00:01"), pd.Timestamp("2024-01-01 00:00:04"))
    long = "m" * 5_000

    def append_with_key(lib: Library) -> None:
        lib.append("s", more(5), idempotency_key="only once")

    found: dict[str, Act | Operation] = {
        "write": lambda lib: lib.write("s", more(1), metadata={"by": "write"}),
        "write of a new symbol": lambda lib: lib.write("new", more(1)),
        "write of a deleted symbol": lambda lib: lib.write("gone", more(1)),
        "write with long metadata": lambda lib: lib.write("s", more(1), metadata=long),
        "write that prunes": lambda lib: lib.write("s", more(1), prune_previous_versions=True),
        "write_metadata": lambda lib: lib.write_metadata("s", {"by": "metadata"}),
        "write_metadata of a new symbol": lambda lib: lib.write_metadata("new", 7),
        "write_pickle": lambda lib: lib.write_pickle("s", {"a": list(range(rows))}),
        "append": lambda lib: lib.append("s", more(4)),
        "append to a new symbol": lambda lib: lib.append("new", more(4)),
        "append that prunes": lambda lib: lib.append("s", more(4), prune_previous_versions=True),
        "append with a key": append_with_key,
        "append in place of a deleted version": lambda lib: lib.append("cut", more(4)),
        "update": lambda lib: lib.update("s", middle, metadata="corrected"),
        "update of a range": lambda lib: lib.update("s", middle, date_range=span),
        "update that prunes": lambda lib: lib.update("s", middle, prune_previous_versions=True),
        "update that creates": lambda lib: lib.update("new", middle, upsert=True),
        "delete_data_in_range": lambda lib: lib.delete_data_in_range("s", span),
        "delete_data_in_range of all": lambda lib: lib.delete_data_in_range("s", (None, None)),
        "delete": lambda lib: lib.delete("s"),
        "delete of what a snapshot holds": lambda lib: lib.delete("t"),
        "delete of the first version": lambda lib: lib.delete("s", 0),
        "delete of middle versions": lambda lib: lib.delete("s", [1, 2, 4]),
        "delete of the newest version": lambda lib: lib.delete("s", lib.read_metadata("s").version),
        "prune_previous_versions": lambda lib: lib.prune_previous_versions("s"),
        "snapshot": lambda lib: lib.snapshot("evening", metadata={"at": 6}),
        "snapshot of versions": lambda lib: lib.snapshot("evening", versions={"s": 1}),
        "snapshot without a symbol": lambda lib: lib.snapshot("evening", skip_symbols=["s"]),
        "delete_snapshot": lambda lib: lib.delete_snapshot("held"),
        "reclaim": lambda lib: lib.reclaim(grace=0),
        "reclaim of orphans": lambda lib: lib.reclaim(grace=0, orphans=True),
        "write_batch": Operation(
            lambda lib: lib.write_batch([WritePayload(name, more(6)) for name in ("s", "new")]),
            tuple(lambda lib, n=n: lib.write(n, more(6)) for n in ("s", "new")),
        ),
        "append_batch": Operation(
            lambda lib: lib.append_batch([WritePayload(name, more(6)) for name in ("s", "t")]),
            tuple(lambda lib, n=n: lib.append(n, more(6)) for n in ("s", "t")),
        ),
        "update_batch": Operation(
            lambda lib: lib.update_batch([UpdatePayload(name, middle) for name in ("s", "t")]),
            tuple(lambda lib, n=n: lib.update(n, middle) for n in ("s", "t")),
        ),
        "write_metadata_batch": Operation(
            lambda lib: lib.write_metadata_batch([WriteMetadataPayload(name, 8) for name in ("s", "t")]),
            tuple(lambda lib, n=n: lib.write_metadata(n, 8) for n in ("s", "t")),
        ),
        "delete_batch": Operation(
            lambda lib: lib.delete_batch(["s", DeleteRequest("t", [0])]),
            (lambda lib: lib.delete("s"), lambda lib: lib.delete("t", 0)),
        ),
    }
    return {name: each if isinstance(each, Operation) else Operation(each) for name, each in found.items()}


OPERATIONS = {"small": _operations(6), "large": _operations(30)}
LIMITS: dict[str, Limits | None] = {"small": None, "large": Limits(inline_piece=700, head=1_400, segment=100_000)}


def fill(lib: Library, size: str) -> None:
    """A library in which everything there is to free, share or seal is there."""
    rows, history = (6, 6) if size == "small" else (30, 8)
    lib.write("s", ticks(rows), metadata={"n": 0})
    for n in range(1, history):
        if n % 5 == 4:
            lib.update("s", ticks(3, "2024-01-01 00:00:02", n), metadata={"n": n})
        else:
            lib.append("s", ticks(max(2, rows // 10), pd.Timestamp("2024-02-01") + pd.Timedelta(n, "D"), n), metadata=n)
    lib.write("t", ticks(rows, seed=50))
    lib.append("t", ticks(rows, "2024-02-01", 51), metadata="x" * 5_000)
    lib.write("gone", ticks(rows, seed=52))
    lib.append("gone", ticks(2, "2024-02-01", seed=53))
    for n in range(3):
        lib.append("cut", ticks(rows, pd.Timestamp("2024-02-01") + pd.Timedelta(n, "D"), n))
    lib.delete("cut", 2)
    lib.snapshot("held", metadata=["kept"])
    lib.delete("gone")
    lib.delete("t", 1)


class Kept:
    """A filled library, kept so that each run starts on a copy of it; `verbs` are the calls that are interrupted."""

    verbs = READS | WRITES

    def __init__(self, size: str) -> None:
        self.limits = LIMITS[size]

    def copy(self) -> Store:
        """The library's objects in a store of their own."""
        raise NotImplementedError

    def limited(self, store: Store) -> Store:
        if self.limits is not None:
            store.limits = self.limits
        return store


class KeptInMemory(Kept):
    """In memory."""

    def __init__(self, size: str, path: Path) -> None:
        super().__init__(size)
        self.storage = MemoryStorage()
        create(self.storage, "base", LibraryConfig())
        self.store = self.limited(self.storage.store("base"))
        fill(opened(self.store, NOW - HOUR), size)

    def copy(self) -> Store:
        made = MemoryStore()
        made._objects = dict(self.store._objects)
        return self.limited(made)


class KeptInLmdb(Kept):
    """In a folder that is copied. Whatever reads do changes nothing in it, so they are interrupted in memory only."""

    verbs = WRITES

    def __init__(self, size: str, path: Path) -> None:
        super().__init__(size)
        self.storage = LmdbStorage(str(path))
        create(self.storage, "base", LibraryConfig())
        self.numbers = itertools.count()
        self.last = ""
        store = self.limited(self.storage.store("base"))
        fill(opened(store, NOW - HOUR), size)
        store.close()

    def copy(self) -> Store:
        if self.last:
            self.storage.drop(self.last)
        self.last = f"copy{next(self.numbers)}"
        shutil.copytree(self.storage.folder("base"), self.storage.folder(self.last))
        return self.limited(self.storage.store(self.last))


KEPT = {"mem": KeptInMemory, "lmdb": KeptInLmdb}


def opened(store: Store, now: int = NOW) -> Library:
    """A handle whose clock stands still, so that two runs make the same versions."""
    return library(store, clock=lambda: now, rows_per_segment=ROWS_PER_SEGMENT)
