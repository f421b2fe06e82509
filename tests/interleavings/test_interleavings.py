"""Several actors on one symbol, interleaved at every store call: nothing acknowledged is lost, no read is torn.

Every commit returns its version number, so the numbers put all commits of a run into one order. Replaying them in
that order on a plain list must give what was read, whenever and by whomever it was read.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time

import msgspec
import pandas as pd
import pytest
from tests.interleavings.schedule import GatedStore, Scheduler

from coldframe.catalog import commit as committing
from coldframe.catalog import draft as drafting
from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig
from coldframe.exceptions import ConflictException, NoDataFoundException, NoSuchVersionException
from coldframe.format.checksums import seal
from coldframe.operations.append import append
from coldframe.operations.delete import delete, prune_previous_versions
from coldframe.operations.listing import list_versions
from coldframe.operations.read import read
from coldframe.operations.reclaim import reclaim
from coldframe.operations.snapshots import delete_snapshot, snapshot
from coldframe.operations.update import update
from coldframe.operations.verify import verify
from coldframe.operations.write import write, write_metadata
from coldframe.stores.base import Limits
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.memory import MemoryStore

EARLY = pd.date_range("2024-01-01", periods=3, freq="h")
LATE = pd.Timestamp("2024-06-01")
SMALL = Limits(inline_piece=700, head=4_000, segment=100_000)
SCHEDULES = int(os.environ.get("COLDFRAME_SCHEDULES", "2400"))


def frame(times, values) -> pd.DataFrame:
    return pd.DataFrame({"v": pd.Series(values, dtype="int64").to_numpy()}, index=pd.DatetimeIndex(times))


class Run:
    """One interleaving: what each commit did, by version number, and what each read saw."""

    def __init__(self, seed: int, store, clock) -> None:
        self.random = random.Random(seed)
        self.scheduler = Scheduler(seed)
        self.plain = Catalog(store, "library", LibraryConfig(rows_per_segment=4), clock)
        # In half of the runs every actor is a process of its own: none knows of the heads that the others saw.
        self._apart = self.random.random() < 0.5
        self._catalogs: dict[str, Catalog] = {}
        self.done: dict[int, tuple[str, object]] = {}
        self.reads: list[tuple[int, list[int]]] = []
        self.names = itertools.count()

    @property
    def catalog(self) -> Catalog:
        """The library as the calling actor has it open."""
        process = threading.current_thread().name if self._apart else ""
        found = self._catalogs.get(process)
        if found is None:
            gated = GatedStore(self.plain.store, self.scheduler)
            found = self._catalogs[process] = Catalog(gated, "library", self.plain.config, self.plain.clock)
        return found

    def note(self, commit, what: str, value: object) -> None:
        assert commit.version not in self.done, "two commits were given one version number"
        self.done[commit.version] = (what, value)

    def contents(self) -> dict[int, list[int]]:
        """What each version must hold, by replaying the commits in the order of their numbers."""
        state: list[int] = []
        found = {}
        for number in sorted(self.done):
            what, value = self.done[number]
            if what == "write":
                state = list(value)
            elif what == "append":
                state = [*state, *value]
            elif what == "update":
                state = [value] * len(EARLY) + state[len(EARLY) :]
            found[number] = list(state)
        return found

    def see(self, as_of=None) -> None:
        loaded = read(self.catalog, "s", as_of)
        self.reads.append((loaded.version, loaded.data["v"].tolist()))


def appender(run: Run, mark: int):
    def act() -> None:
        for k in range(2):
            rows = [mark * 100 + k * 10 + j for j in range(run.random.choice([1, 2, 30]))]
            run.note(append(run.catalog, "s", frame([LATE] * len(rows), rows)), "append", rows)

    return act


def writer(run: Run, mark: int):
    def act() -> None:
        # Too many and too random to be inlined: real segments, which prunes and reclaims free.
        rows = [run.random.getrandbits(62) for _ in range(run.random.choice([3, 150]))]
        prune = run.random.random() < 0.5
        times = [*EARLY, *[LATE] * (len(rows) - len(EARLY))]
        run.note(write(run.catalog, "s", frame(times, rows), prune=prune), "write", rows)

    return act


def updater(run: Run, mark: int):
    def act() -> None:
        for k in range(2):
            value = mark * 100 + 50 + k
            run.note(update(run.catalog, "s", frame(EARLY, [value] * len(EARLY))), "update", value)

    return act


def namer(run: Run, mark: int):
    def act() -> None:
        run.note(write_metadata(run.catalog, "s", {"by": mark}), "metadata", mark)

    return act


def pruner(run: Run, mark: int):
    def act() -> None:
        prune_previous_versions(run.catalog, "s")

    return act


def deleter(run: Run, mark: int):
    def act() -> None:
        older = [row.version for row in list_versions(run.catalog, "s")][1:]
        if older:
            delete(run.catalog, "s", [run.random.choice(older)])

    return act


def reader(run: Run, mark: int):
    def act() -> None:
        for as_of in (None, run.random.choice([None, 0, 1, -1])):
            try:
                run.see(as_of)
            except NoSuchVersionException:
                assert as_of is not None

    return act


def snapshotter(run: Run, mark: int):
    def act() -> None:
        name = f"snap{next(run.names)}"
        snapshot(run.catalog, name)
        run.see(name)
        run.see(name)
        if run.random.random() < 0.3:
            delete_snapshot(run.catalog, name)

    return act


def reclaimer(run: Run, mark: int):
    def act() -> None:
        reclaim(run.catalog)

    return act


ACTORS = [appender, appender, writer, updater, namer, pruner, deleter, reader, reader, snapshotter, reclaimer]


def play(seed: int, store, ticks, actors=ACTORS) -> None:
    run = Run(seed, store, ticks)
    rows = [1, 2, 3]
    run.note(write(run.plain, "s", frame(EARLY, [0, 0, 0])), "write", [0, 0, 0])
    run.note(write(run.plain, "s", frame(EARLY, rows), prune=True), "write", rows)
    bulk = [run.random.getrandbits(62) for _ in range(150)]
    run.note(append(run.plain, "s", frame([LATE] * len(bulk), bulk)), "append", bulk)
    ticks.jump()  # what was retired so far may be reclaimed while the actors run
    chosen = run.random.choices(actors, k=run.random.randint(2, 4))
    run.scheduler.run({f"{make.__name__}{i}": make(run, i + 1) for i, make in enumerate(chosen)})
    contents = run.contents()
    assert sorted(run.done) == list(range(len(run.done))), "version numbers have a gap"
    for version, seen in run.reads:
        assert seen == contents[version], f"version {version} was read torn"
    newest = read(run.plain, "s")
    assert newest.version == max(contents)
    for row in list_versions(run.plain, "s"):
        if not row.deleted:
            assert read(run.plain, "s", row.version).data["v"].tolist() == contents[row.version]
        for name in row.snapshots:
            assert read(run.plain, "s", name).data["v"].tolist() == contents[row.version]
    assert verify(run.plain).damaged == []
    reclaim(run.plain, grace=0, orphans=True)
    assert read(run.plain, "s").data["v"].tolist() == contents[newest.version]
    assert verify(run.plain).unreachable == []


class Ticks:
    """A clock that goes on a little with every look at it."""

    def __init__(self) -> None:
        self.now = time.time_ns()

    def __call__(self) -> int:
        self.now += 1_000
        return self.now

    def jump(self) -> None:
        self.now += 3_600_000_000_000


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(committing.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("block", range(8))
def test_memory(block, monkeypatch):
    # In half of the runs logs are sealed and merged all the time.
    head = 4_000 if block % 2 else 1_600
    monkeypatch.setattr(drafting, "LOG_FAN", 8 if block % 2 else 2)
    size = SCHEDULES // 8
    for seed in range(block * size, (block + 1) * size):
        store = MemoryStore()
        store.limits = msgspec.structs.replace(SMALL, head=head)
        store.put("library", seal(b"LIBR", b""))
        _played(seed, store)


UNHELD = [appender, writer, writer, updater, pruner, deleter, reader, reader, reclaimer, reclaimer]


def test_memory_without_a_grace_period():
    """Objects go while they are being read: readers and rebasing writers look at the newest head again.

    Snapshots need the grace period (or a transaction), so they do not take part.
    """
    for seed in range(SCHEDULES // 8):
        store = MemoryStore(grace=0.0)
        store.limits = SMALL
        store.put("library", seal(b"LIBR", b""))
        _played(seed, store, UNHELD)


@pytest.mark.parametrize("block", range(2))
def test_lmdb(block, tmp_path):
    storage = LmdbStorage(str(tmp_path))
    size = SCHEDULES // 8
    for seed in range(block * size, (block + 1) * size):
        name = f"l{seed}"
        storage.create(name, "library", seal(b"LIBR", b""))
        store = storage.store(name)
        store.limits = SMALL
        _played(seed, store)
        storage.drop(name)


def _played(seed: int, store, actors=ACTORS) -> None:
    try:
        play(seed, store, Ticks(), actors)
    except (AssertionError, ConflictException, NoDataFoundException, TimeoutError) as error:
        error.add_note(f"replay with: play({seed}, store, Ticks())")
        raise
