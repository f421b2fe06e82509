"""Every byte of every object of a small library, changed; every object cut short, made longer, taken away.

Whatever is damaged, a call gives the right answer, where it does not need those bytes, or a typed error that says where
the damage is; a call that writes changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import pandas as pd
import pytest
from tests.operations.states import canonical, library, objects_of, ticks

from coldframe.catalog import commit as committing
from coldframe.catalog import manifest
from coldframe.catalog.config import LibraryConfig, create, load
from coldframe.exceptions import ArcticException, DamagedDataException
from coldframe.items import DataError
from coldframe.library import Library
from coldframe.stores.base import Limits, Store
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.memory import MemoryStorage
from coldframe.testing.faults import FaultStore

NAME = "damaged library"
LIMITS = Limits(inline_piece=350, head=1_100, segment=100_000)
EVERY = {"quick": 17, "ci": 1, "soak": 1}[os.environ.get("COLDFRAME_TESTS", "quick")]
KINDS = ["library", "heads", "logs", "manifests", "data", "snapshots"]

Call = Callable[[Library], Any]


def fill(lib: Library) -> None:
    days = pd.date_range("2024-01-01", periods=6, name="time")
    words = pd.Series(["a", None, "b", "a", "c", ""], index=days, dtype=object)
    lib.write(
        "s", pd.DataFrame({"x": [1.5, 2.0, 3.25, 4, 5, 6], "n": [1, 7, 3, 9, 5, 2], "w": words}, index=days), "m" * 200
    )
    for n in range(5):
        day = [pd.Timestamp("2024-02-01") + pd.Timedelta(n, "D")]
        more = pd.DataFrame(
            {"x": [0.5], "n": [n], "w": pd.Series(["z"], dtype=object).to_numpy()}, pd.DatetimeIndex(day, name="time")
        )
        lib.append("s", more, {"n": n})
        if n == 1:
            lib.snapshot("snap", metadata={"why": "damage"})
    lib.write("t", pd.DataFrame({"a": [1, 2]}))
    lib.write("gone", pd.DataFrame({"a": [1, 2]}))
    lib.delete("gone")


SPAN = (pd.Timestamp("2024-01-02"), pd.Timestamp("2024-02-02"))
READS: dict[str, Call] = {
    "read": lambda lib: lib.read("s"),
    "read of a version": lambda lib: lib.read("s", as_of=0),
    "read of a sealed version": lambda lib: lib.read("s", as_of=2),
    "read of a snapshot": lambda lib: lib.read("s", as_of="snap"),
    "read of a time": lambda lib: lib.read("s", as_of=lib.clocked),  # type: ignore[attr-defined]
    "read of a range": lambda lib: lib.read("s", date_range=SPAN, columns=["w"]),
    "tail": lambda lib: lib.tail("s", 2, columns=["n"]),
    "read_metadata": lambda lib: lib.read_metadata("s", as_of=0),
    "read_batch": lambda lib: lib.read_batch(["s", "t"]),
    "get_description": lambda lib: lib.get_description("s"),
    "has_symbol": lambda lib: lib.has_symbol("s", as_of=1),
    "list_symbols": lambda lib: sorted(lib.list_symbols()),
    "list_symbols of a snapshot": lambda lib: sorted(lib.list_symbols("snap")),
    "list_versions": lambda lib: lib.list_versions(),
    "list_versions of a snapshot": lambda lib: lib.list_versions(snapshot="snap"),
    "list_snapshots": lambda lib: lib.list_snapshots(),
}
WRITES: dict[str, Call] = {
    "write": lambda lib: lib.write("s", ticks(2)),
    "append": lambda lib: lib.append("s", lib_rows("2025-01-01")),
    "update": lambda lib: lib.update("s", lib_rows("2024-01-02")),
    "delete_data_in_range": lambda lib: lib.delete_data_in_range("s", SPAN),
    "write_metadata": lambda lib: lib.write_metadata("s", 1),
    "delete": lambda lib: lib.delete("s"),
    "delete of a version": lambda lib: lib.delete("s", 4),
    "prune": lambda lib: lib.prune_previous_versions("s"),
    "snapshot": lambda lib: lib.snapshot("new"),
    "reclaim": lambda lib: lib.reclaim(grace=0, orphans=True),
}


def lib_rows(day: str) -> pd.DataFrame:
    index = pd.DatetimeIndex([pd.Timestamp(day)], name="time")
    return pd.DataFrame({"x": [9.5], "n": [9], "w": pd.Series(["y"], dtype=object).to_numpy()}, index)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(committing.time, "sleep", lambda seconds: None)


class Damaged:
    """A library with one object after the other damaged, and what it answers when whole."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.limits = LIMITS
        self.lib = library(store, name=NAME)
        fill(self.lib)
        self.lib.clocked = pd.Timestamp(self.lib.read_metadata("s", as_of=3).timestamp)  # type: ignore[attr-defined]
        self.objects = objects_of(store)
        self.expected = {name: answer(call(self.lib)) for name, call in READS.items()}
        self.touched = {name: self._touched(call) for name, call in READS.items()}

    def _touched(self, call: Call) -> set[str]:
        """The keys that a call reads; what it does not read cannot change its answer."""
        manifest._schema_cache.clear()
        watching = FaultStore(self.store)
        lib = library(watching, name=NAME)
        lib.clocked = self.lib.clocked  # type: ignore[attr-defined]
        call(lib)
        return {key for each in watching.calls for key in each.keys}

    def keys(self, kind: str) -> list[str]:
        return [key for key in self.objects if key.partition("/")[0] == kind]

    def each(self, key: str, changes: Iterable[bytes | None]) -> Iterator[bytes | None]:
        """Put one after the other in the place of an object (None: take it away), and at last what was there."""
        try:
            for data in changes:
                if data is None:
                    self.store.delete([key])
                else:
                    self.store.put(key, data)
                yield data
        finally:
            self.restore()

    def restore(self) -> None:
        there = objects_of(self.store)
        self.store.delete(sorted(there.keys() - self.objects.keys()))
        for key, data in self.objects.items():
            if there.get(key) != data:
                self.store.put(key, data)

    def check_reads(self, key: str, data: bytes | None) -> None:
        """Every call that needs the object answers rightly or says what is wrong."""
        # Nothing says that a head or snapshot that is gone was ever there, and listings tell symbols whose every
        # version is deleted by an odd size.
        root = key.startswith(("heads/", "snapshots/"))
        unknown = root and (data is None or len(data) % 2 != len(self.objects[key]) % 2)
        for name, call in READS.items():
            if not any(key == k or (k.endswith("/") and key.startswith(k)) for k in self.touched[name]):
                continue
            manifest._schema_cache.clear()
            try:
                found = answer(call(self.lib))
            except ArcticException as error:
                check_message(error, key, gone=data is None)
                continue
            if name == "read_batch":
                pairs = zip(found, self.expected[name], strict=True)
                assert all(each == right or each[0] == "error" for each, right in pairs), name
            else:
                assert found == self.expected[name] or unknown, f"{name} gave a wrong answer"


def answer(found: Any) -> Any:
    """What a call gave, as values that can be compared."""
    if isinstance(found, list) and found and not isinstance(found[0], str):
        return [answer(each) for each in found]
    if isinstance(found, DataError):
        assert found.error_code is not None
        return ("error", found.symbol)
    if hasattr(found, "timestamp"):
        data = None if found.data is None else canonical(found.data)
        return (found.symbol, found.version, found.timestamp, found.metadata, data)
    return found


def check_message(error: ArcticException, key: str, *, gone: bool = False, symbol: bool = True) -> None:
    text = str(error)
    if isinstance(error, DamagedDataException):
        assert NAME in text, text
        assert key in text, text
        if symbol and key.startswith(("logs/", "manifests/", "data/")):
            assert "symbol 's'" in text, text
    else:
        assert gone, f"{type(error).__name__}: {text}"


@pytest.fixture(scope="module")
def memory() -> Damaged:
    storage = MemoryStorage(grace=0)
    create(storage, NAME, LibraryConfig())
    return Damaged(storage.store(NAME))


@pytest.fixture(scope="module")
def lmdb(tmp_path_factory) -> Damaged:
    storage = LmdbStorage(str(tmp_path_factory.mktemp("damage")))
    create(storage, NAME, LibraryConfig())
    return Damaged(storage.store(NAME))


def flips(data: bytes, every: int) -> Iterator[bytes]:
    for at in range(0, len(data), every):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        yield bytes(changed)


def cuts(data: bytes, most: int) -> Iterator[bytes]:
    step = max(1, len(data) // most)
    for size in chain(range(0, len(data), step), [len(data) - 1]):
        yield data[:size]
    for surplus in (b"\0", b"x" * 9):
        yield data + surplus


def test_every_kind_of_object_is_there(memory):
    assert {key.partition("/")[0] for key in memory.objects} == set(KINDS)
    assert sum(map(len, memory.objects.values())) < 40_000
    read = set().union(*memory.touched.values())
    unread = [
        key for key in memory.objects if key not in read and key != "library" and key.partition("/")[0] != "heads"
    ]
    assert len(unread) < len(memory.objects) / 3, "most objects are needed by some call"


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_changed_byte_is_found_or_not_needed(memory, kind):
    for key in memory.keys(kind):
        for data in memory.each(key, flips(memory.objects[key], EVERY)):
            memory.check_reads(key, data)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_an_object_cut_short_or_gone_is_found_or_not_needed(memory, kind):
    for key in memory.keys(kind):
        for data in memory.each(key, chain(cuts(memory.objects[key], 400 // EVERY), [None])):
            memory.check_reads(key, data)


def test_damaged_options_of_a_library(memory):
    whole = memory.objects["library"]
    for _ in memory.each("library", chain(flips(whole, 1), cuts(whole, 400))):
        with pytest.raises(DamagedDataException, match=NAME) as caught:
            load(memory.store, NAME)
        check_message(caught.value, "library")


@pytest.mark.parametrize("kind", KINDS)
def test_verify_names_what_is_damaged(memory, kind):
    waste = memory.lib.verify().unreachable
    for key in memory.keys(kind):
        if key in waste:
            continue
        whole = memory.objects[key]
        gone = [] if kind in ("heads", "snapshots") else [None]
        for _ in memory.each(key, chain(flips(whole, 5 * EVERY), cuts(whole, 100 // EVERY), gone)):
            found = memory.lib.verify().damaged
            assert key in {each.key for each in found}, f"verify does not see that {key} is damaged"
            assert all(each.reason for each in found)
    assert memory.lib.verify().damaged == []


def test_verify_of_a_symbol_names_versions(memory):
    waste = memory.lib.verify().unreachable
    for key in sorted(set(memory.keys("data")) - set(waste)):
        for _ in memory.each(key, flips(memory.objects[key], 600)):
            (found,) = memory.lib.verify("s").damaged
            assert (found.key, found.symbol) == (key, "s")
            unreadable = {number for number in range(6) if not readable(memory.lib, number)}
            assert unreadable <= set(found.versions)


def readable(lib: Library, number: int) -> bool:
    try:
        return lib.read("s", as_of=number) is not None
    except DamagedDataException as error:
        return f"version {number}" not in str(error)


def test_verify_does_not_blame_versions_that_end_before_the_damage(memory):
    newest = max(set(memory.keys("data")) - set(memory.lib.verify().unreachable))  # ids are in the order of time
    for _ in memory.each(newest, flips(memory.objects[newest], 600)):
        (found,) = memory.lib.verify("s").damaged
        assert 0 not in found.versions
        assert 5 in found.versions


@pytest.mark.parametrize("name", WRITES)
def test_writing_on_a_damaged_head_changes_nothing(memory, name):
    key = "heads/s"
    whole = memory.objects[key]
    changes = chain(flips(whole, 7 * EVERY), (cut for cut in cuts(whole, 60 // EVERY) if len(cut) % 2 == 0))
    for _ in memory.each(key, changes):
        before = objects_of(memory.store)
        with pytest.raises(DamagedDataException, match=NAME) as caught:
            WRITES[name](memory.lib)
        check_message(caught.value, key)
        assert objects_of(memory.store) == before


@pytest.mark.parametrize("name", WRITES)
def test_writing_where_something_else_is_damaged_raises_or_is_right(memory, name):
    """What a write needs of other objects it checks; what it does not need it leaves alone."""
    heads = objects_of(memory.store, ["heads/"])
    for key, whole in memory.objects.items():
        if key == "library" or key.startswith("heads/"):
            continue
        for data in memory.each(key, [*flips(whole, len(whole) // 2), None]):
            try:
                WRITES[name](memory.lib)
            except ArcticException as error:
                check_message(error, key, gone=data is None, symbol=name != "reclaim")
                # What reclaim has freed before it met the damage stays freed.
                assert name == "reclaim" or objects_of(memory.store, ["heads/"]) == heads
            memory.restore()


def test_lmdb(lmdb):
    for key, whole in lmdb.objects.items():
        if key == "library":
            continue
        for data in lmdb.each(key, chain(flips(whole, max(29, 6 * EVERY)), cuts(whole, 4), [None])):
            lmdb.check_reads(key, data)
            if not key.startswith(("heads/", "snapshots/")):
                assert key in {each.key for each in lmdb.lib.verify().damaged}
    assert lmdb.lib.verify().damaged == []
