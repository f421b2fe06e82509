"""A library and its shadow, and the rules that only read: every version, by every name, whole and in part."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import pandas as pd
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from tests.model.shadow import Symbol, Version, at, rows_of, within
from tests.operations.states import canonical

from coldframe.arctic import Arctic
from coldframe.exceptions import (
    InternalException,
    NoDataFoundException,
)
from coldframe.items import ReadRequest
from coldframe.library import Library
from coldframe.options import LibraryOptions
from coldframe.stores.base import Limits

SYMBOLS = ("a", "b", "c/d")

symbols = st.sampled_from(SYMBOLS)
seconds = st.integers(-5, 60)
maybe_seconds = st.none() | seconds


class Held(RuleBasedStateMachine):
    """One library and its shadow; rules that read."""

    kind = "mem"
    limits: Limits | None = None
    numbers = itertools.count()
    folder = ""

    # ---------------------------------------------------------------------------------------------- the library

    @initialize(
        dynamic=st.booleans(),
        dedup=st.booleans(),
        rows=st.sampled_from([2, 3, 7, 100_000]),
        prune=st.sampled_from([False] * 3 + [True]),
    )
    def create(self, dynamic: bool, dedup: bool, rows: int, prune: bool) -> None:
        self.dynamic, self.always_prune = dynamic, prune
        self.uri = "mem://" if self.kind == "mem" else f"lmdb://{self.folder}"
        self.name = f"library{next(self.numbers)}"
        self.arctic = Arctic(self.uri)
        options = LibraryOptions(dynamic_schema=dynamic, dedup=dedup, rows_per_segment=rows)
        self.arctic.create_library(self.name, options)
        self.handles: list[Library] = []
        self.open()
        self.shadow: dict[str, Symbol] = {name: Symbol() for name in SYMBOLS}
        self.snapshots: dict[str, tuple[Any, dict[str, Version]]] = {}
        self.touched = SYMBOLS[0]

    def open(self) -> None:
        first = self.arctic.get_library(self.name)
        other = Arctic(self.uri).get_library(self.name) if self.kind == "lmdb" else self.arctic[self.name]
        self.handles = [first, other, pickle.loads(pickle.dumps(first))]
        if self.limits is not None:
            for handle in self.handles:
                handle._catalog.store.limits = self.limits

    @property
    def lib(self) -> Library:
        """The handles take turns."""
        self.handles.append(self.handles.pop(0))
        return self.handles[0]

    @precondition(lambda self: self.kind == "lmdb")
    @rule()
    def reopen(self) -> None:
        for handle in self.handles:
            handle._catalog.store.close()
        self.arctic = Arctic(self.uri)
        self.open()

    def teardown(self) -> None:
        if not hasattr(self, "shadow"):
            return
        self.everything()
        lib = self.lib
        lib.reclaim(grace=0, orphans=True)
        report = lib.verify()
        assert report.damaged == []
        assert report.unreachable == []
        self.everything()
        self.arctic.delete_library(self.name)

    # ---------------------------------------------------------------------------------------------- rules: reading

    def wanted(self, symbol: str, data: st.DataObject) -> tuple[Any, Version | None]:
        """Something to read, and the version it means."""
        known = self.shadow[symbol]
        how = data.draw(st.sampled_from(["newest", "number", "negative", "time", "snapshot"]))
        if how == "number":
            number = data.draw(st.integers(0, known.next_number))
            return number, known.live.get(number)
        if how == "negative":
            back = data.draw(st.integers(1, known.next_number + 1))
            return -back, known.live.get(known.next_number - back)
        if how == "time" and known.live:
            moment = known.live[data.draw(st.sampled_from(sorted(known.live)))].created + data.draw(st.integers(-1, 1))
            return pd.Timestamp(moment), known.made_by(moment)
        if how == "snapshot" and self.snapshots:
            name = data.draw(st.sampled_from(sorted(self.snapshots)))
            return name, self.snapshots[name][1].get(symbol)
        return None, known.latest

    @rule(symbol=symbols, data=st.data())
    def read(self, symbol: str, data: st.DataObject) -> None:
        as_of, version = self.wanted(symbol, data)
        lib = self.lib
        if version is None:
            for call in (lib.read, lib.read_metadata, lib.get_description):
                with pytest.raises(NoDataFoundException):
                    call(symbol, as_of)
            assert not lib.has_symbol(symbol, as_of)
            return
        assert lib.has_symbol(symbol, as_of)
        self.same(lib.read(symbol, as_of), version)
        found = lib.read_metadata(symbol, as_of)
        assert (found.version, found.metadata, found.timestamp) == (version.number, version.metadata, version.created)
        about = lib.get_description(symbol, as_of)
        assert about.row_count == (None if version.kind == "pickled" else len(version.data))
        assert about.last_update_time.value == version.created

    @rule(symbol=symbols, data=st.data())
    def read_part(self, symbol: str, data: st.DataObject) -> None:
        as_of, version = self.wanted(symbol, data)
        if version is None:
            return
        lib = self.lib
        if version.kind == "pickled":
            with pytest.raises(InternalException):
                lib.head(symbol, as_of=as_of)
            return
        expected = version.data
        arguments: dict[str, Any] = {"as_of": as_of}
        ends = st.none() | st.integers(-45, 45)
        how = data.draw(st.sampled_from(["rows", "times", "head", "tail", "all"]))
        if how == "rows":
            rows = data.draw(st.tuples(ends, ends))
            arguments["row_range"] = rows
            expected = rows_of(version, *rows)
        elif how == "times" and version.kind == "ticks":
            low, high = (None if e is None else at(e) for e in data.draw(st.tuples(maybe_seconds, maybe_seconds)))
            arguments["date_range"] = (low, high)
            expected = expected[within(expected, (low, high))]
        names = None
        if version.kind in ("ticks", "range") and data.draw(st.booleans()):
            names = data.draw(
                st.lists(st.sampled_from(["price", "size", "side", "x", "ok", "extra", "none"]), min_size=1)
            )
            arguments["columns"] = names
        if how in ("head", "tail"):
            n = data.draw(st.integers(-10, 45))
            expected = (
                rows_of(version, None, n) if how == "head" else rows_of(version, *((0, 0) if n == 0 else (-n, None)))
            )
            found = getattr(lib, how)(symbol, n, as_of, names).data
        else:
            found = lib.read(symbol, **arguments).data
        if names is not None:
            expected = expected[[name for name in expected.columns if name in names]]
        assert canonical(found) == canonical(expected)

    @rule(data=st.data())
    def read_batch(self, data: st.DataObject) -> None:
        wanted = [(symbol, *self.wanted(symbol, data)) for symbol in SYMBOLS]
        results = self.lib.read_batch([ReadRequest(symbol, as_of) for symbol, as_of, _ in wanted])
        for result, (symbol, _, version) in zip(results, wanted, strict=True):
            assert result.symbol == symbol
            if version is None:
                assert result.error_code is not None
            else:
                self.same(result, version)

    def same(self, item: Any, version: Version) -> None:
        assert (item.version, item.timestamp) == (version.number, version.created)
        assert item.metadata == version.metadata
        assert canonical(item.data) == canonical(version.data)

    @rule()
    def listings(self) -> None:
        self.check_listings(self.lib)

    def check_listings(self, lib: Library) -> None:
        held: dict[tuple[str, int], list[str]] = {}
        for name, (_, versions) in self.snapshots.items():
            for symbol, version in versions.items():
                held.setdefault((symbol, version.number), []).append(name)
        live = {(s, n) for s, known in self.shadow.items() for n in known.live}
        found = lib.list_versions()
        assert {key: (row.deleted, sorted(row.snapshots)) for key, row in found.items()} == {
            key: (key not in live, sorted(held.get(key, []))) for key in live | held.keys()
        }
        order = [(s, -n) for s, n in found]
        assert order == sorted(order)
        assert all(found[s, n].date.value == self.shadow[s].live[n].created for s, n in live)
        assert set(lib.list_versions(skip_snapshots=True)) == live
        assert lib.list_snapshots() == {name: metadata for name, (metadata, _) in self.snapshots.items()}
        for name, (_, versions) in self.snapshots.items():
            assert sorted(lib.list_symbols(name)) == sorted(versions)
            assert set(lib.list_versions(snapshot=name)) == {(s, v.number) for s, v in versions.items()}

    @rule()
    def everything(self) -> None:
        lib = self.lib
        self.check_listings(lib)
        for symbol, known in self.shadow.items():
            for version in known.live.values():
                self.same(lib.read(symbol, as_of=version.number), version)
        for name, (_, versions) in self.snapshots.items():
            for symbol, version in versions.items():
                self.same(lib.read(symbol, as_of=name), version)

    @invariant()
    def what_was_touched_is_right(self) -> None:
        if not hasattr(self, "shadow"):
            return
        lib = self.lib
        assert sorted(lib.list_symbols()) == sorted(s for s, known in self.shadow.items() if known.live)
        latest = self.shadow[self.touched].latest
        if latest is None:
            assert self.touched not in lib
        else:
            self.same(lib.read(self.touched), latest)
