"""Random sequences of all calls of a library, compared step by step with a dict of lists of frames.

Several handles on one library take turns; libraries are of both kinds, of static and dynamic schema, and some have
limits so small that logs, chunks and segments of their own come up within a few steps.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
    run_state_machine_as_test,
)
from tests.model.held import SYMBOLS, Held, maybe_seconds, seconds, symbols
from tests.model.shadow import Ticks, Version, at, continued, frame_of

from coldframe.exceptions import (
    ArcticException,
    InternalException,
    NoDataFoundException,
    NoSuchVersionException,
    StorageException,
)
from coldframe.items import DeleteRequest, UpdatePayload, WritePayload
from coldframe.stores.base import Limits
from coldframe.testing import strategies

EXAMPLES = {"quick": 5, "ci": 50, "soak": 2000}[os.environ.get("COLDFRAME_TESTS", "quick")]
STEPS = 50
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Nothing here needs to outlive the power."""
SNAPSHOTS = ("one", "two")
NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float32", "float64")
SMALL = Limits(inline_piece=600, head=1_500, segment=100_000)

metadatas = st.sampled_from([None, None, 7, {"k": [1, "x"]}, "m" * 3_000])
seeds = st.integers(0, 1 << 16)
sizes = st.sampled_from([0, 1, 1, 2, 3, 5, 8, 40])


class Model(Held):
    """All that changes the library: writing, deleting, snapshots."""

    # ------------------------------------------------------------------------------------------------- the data

    def ticks(self, rows: int, start: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        times = start + np.cumsum(random.integers(0, 3, rows))
        index = pd.DatetimeIndex(np.array([at(0).value]) + times * 1_000_000_000, name="time")
        words = np.array(["x", "y", None, np.nan, ""], dtype=object)
        columns = {
            "price": random.random(rows),
            "size": random.integers(0, 100, rows),
            "side": words[random.integers(0, 5, rows)],
        }
        if self.dynamic:
            names = [name for name in columns if random.random() < 0.8]
            columns = {name: columns[name] for name in random.permutation(names).tolist()}
            if random.random() < 0.5:
                columns["extra"] = random.integers(0, 100, rows).astype(random.choice(NUMBERS))
        return frame_of(columns, index.astype("M8[ns]"))

    def numbered(self, rows: int, start: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        columns = {"x": random.integers(0, 9, rows, dtype="int32"), "ok": random.random(rows) < 0.5}
        return pd.DataFrame(columns, index=pd.RangeIndex(start, start + rows))

    def extended(self, latest: Version | None, new: pd.DataFrame) -> tuple[Any, str]:
        """What a symbol holds after an append, and its kind."""
        if latest is None:
            return Ticks([new]), "ticks"
        if latest.kind == "ticks":
            return latest.rows.appended(new), "ticks"
        return continued(latest.data, new), latest.kind

    def made(self, symbol: str, item: Any, data: Any, metadata: Any, kind: str, *, prune: bool = False) -> None:
        """Note a version that was made."""
        known = self.shadow[symbol]
        assert item.version == known.next_number
        assert item.timestamp > known.last_created
        known.add(data, metadata, item.timestamp, kind, prune=prune or self.always_prune)
        self.touched = symbol

    # ---------------------------------------------------------------------------------------------- rules: writing

    @rule(symbol=symbols, rows=sizes, start=seconds, seed=seeds, metadata=metadatas, prune=st.booleans())
    def write_ticks(self, symbol: str, rows: int, start: int, seed: int, metadata: Any, prune: bool) -> None:
        frame = self.ticks(rows, start, seed)
        item = self.lib.write(symbol, frame, metadata, prune_previous_versions=prune or self.always_prune)
        self.made(symbol, item, Ticks([frame]), metadata, "ticks", prune=prune)

    @rule(symbol=symbols, rows=sizes, start=st.integers(0, 9), seed=seeds, metadata=metadatas)
    def write_numbered(self, symbol: str, rows: int, start: int, seed: int, metadata: Any) -> None:
        frame = self.numbered(rows, start, seed)
        item = self.lib.write(symbol, frame, metadata, prune_previous_versions=self.always_prune)
        self.made(symbol, item, frame, metadata, "range")

    @rule(symbol=symbols, data=st.data())
    def write_anything(self, symbol: str, data: st.DataObject) -> None:
        names = "distinct" if self.dynamic else "any"
        frame = data.draw(strategies.frames(max_rows=4, max_columns=4, names=names) | strategies.series(max_rows=4))
        item = self.lib.write(symbol, frame, validate_index=False, prune_previous_versions=self.always_prune)
        self.made(symbol, item, frame, None, "other")

    @rule(symbol=symbols, seed=seeds)
    def write_pickle(self, symbol: str, seed: int) -> None:
        thing = {"seed": seed, "list": [seed] * (seed % 300)}
        item = self.lib.write_pickle(symbol, thing, prune_previous_versions=self.always_prune)
        self.made(symbol, item, thing, None, "pickled")

    @rule(symbol=symbols, metadata=metadatas, prune=st.booleans())
    def write_metadata(self, symbol: str, metadata: Any, prune: bool) -> None:
        latest = self.shadow[symbol].latest
        item = self.lib.write_metadata(symbol, metadata, prune_previous_versions=prune or self.always_prune)
        data, kind = (None, "pickled") if latest is None else (latest.rows, latest.kind)
        self.made(symbol, item, data, metadata, kind, prune=prune)

    def follows(self, symbol: str, rows: int, gap: int, seed: int) -> pd.DataFrame:
        """Rows that may be appended to a symbol."""
        latest = self.shadow[symbol].latest
        if latest is not None and latest.kind == "range":
            stop = latest.data.index.start + len(latest.data)
            return self.numbered(rows, stop if seed % 2 else 0, seed)
        start = gap
        if latest is not None and latest.kind == "ticks" and len(latest.data):
            start += (latest.data.index[-1] - at(0)) // pd.Timedelta(1, "s")
        return self.ticks(rows, start, seed)

    @rule(symbol=symbols, rows=sizes, gap=st.integers(0, 3), seed=seeds, metadata=metadatas, prune=st.booleans())
    def append(self, symbol: str, rows: int, gap: int, seed: int, metadata: Any, prune: bool) -> None:
        latest = self.shadow[symbol].latest
        frame = self.follows(symbol, rows, gap, seed)
        if latest is not None and latest.kind == "pickled":
            with pytest.raises(InternalException, match="pickled"):
                self.lib.append(symbol, frame)
            return
        if latest is not None and latest.kind == "other":
            return
        item = self.lib.append(symbol, frame, metadata, prune_previous_versions=prune or self.always_prune)
        rows_, kind = self.extended(latest, frame)
        self.made(symbol, item, rows_, metadata, kind, prune=prune)

    @rule(symbol=symbols, count=st.integers(2, 12), seed=seeds)
    def append_often(self, symbol: str, count: int, seed: int) -> None:
        for n in range(count):
            self.append(symbol, 1 + (seed + n) % 3, n % 2, seed + n, n, False)

    @rule(symbol=symbols, rows=st.integers(1, 4), key=st.sampled_from(["k1", "k2"]), seed=seeds)
    def append_once(self, symbol: str, rows: int, key: str, seed: int) -> None:
        known = self.shadow[symbol]
        latest = known.latest
        if latest is not None and latest.kind in ("pickled", "other"):
            return
        frame = self.follows(symbol, rows, 1, seed)
        before = known.keys.get(key)
        if before is not None and before not in known.live:
            with pytest.raises(NoSuchVersionException, match="idempotency"):
                self.lib.append(symbol, frame, idempotency_key=key)
            return
        item = self.lib.append(
            symbol,
            frame,
            idempotency_key=key,
            prune_previous_versions=False if before is not None else self.always_prune,
        )
        if before is not None:
            assert (item.version, item.timestamp) == (before, known.live[before].created)
            return
        known.keys[key] = item.version
        rows_, kind = self.extended(latest, frame)
        self.made(symbol, item, rows_, None, kind)

    @rule(symbol=symbols, rows=st.integers(1, 3), seed=seeds)
    def append_what_does_not_fit(self, symbol: str, rows: int, seed: int) -> None:
        latest = self.shadow[symbol].latest
        if latest is None or latest.kind in ("other", "pickled") or not len(latest.data):
            return
        if latest.kind == "range":
            bad = (
                self.ticks(rows, 0, seed)
                if seed % 2
                else self.numbered(rows, latest.data.index.start + len(latest.data) + 1, seed)
            )
        else:
            first = (latest.data.index[-1] - at(0)) // pd.Timedelta(1, "s") - 30
            bad = self.ticks(rows, first, seed) if seed % 2 else self.numbered(rows, 0, seed)
        with pytest.raises(ArcticException):
            self.lib.append(symbol, bad)

    @rule(
        symbol=symbols,
        rows=sizes,
        start=seconds,
        seed=seeds,
        span=st.none() | st.tuples(maybe_seconds, maybe_seconds),
        upsert=st.booleans(),
        metadata=metadatas,
    )
    def update(self, symbol: str, rows: int, start: int, seed: int, span: Any, upsert: bool, metadata: Any) -> None:
        latest = self.shadow[symbol].latest
        frame = self.ticks(rows, start, seed)
        given = span
        if span is not None:
            span = tuple(None if each is None else at(each) for each in span)
            given = span
        reversed_ = span is not None and None not in span and span[0] > span[1]
        if latest is not None and latest.kind == "other":
            return
        if reversed_ or (latest is None and not upsert) or (latest is not None and latest.kind == "pickled"):
            with pytest.raises(ArcticException):
                self.lib.update(symbol, frame, date_range=given, upsert=upsert)
            return
        if latest is not None and latest.kind == "range":
            if rows and len(latest.data):
                with pytest.raises(ArcticException):
                    self.lib.update(symbol, frame, date_range=given, upsert=upsert)
            return
        item = self.lib.update(
            symbol, frame, metadata, date_range=given, upsert=upsert, prune_previous_versions=self.always_prune
        )
        old = Ticks([frame.iloc[:0]]) if latest is None else latest.rows
        self.made(symbol, item, old.updated(frame, span), metadata, "ticks")

    @rule(symbol=symbols, low=maybe_seconds, high=maybe_seconds)
    def delete_data_in_range(self, symbol: str, low: int | None, high: int | None) -> None:
        latest = self.shadow[symbol].latest
        span = tuple(None if each is None else at(each) for each in (low, high))
        if latest is not None and latest.kind == "other":
            return
        if latest is None or latest.kind != "ticks" or (None not in span and span[0] > span[1]):
            with pytest.raises(ArcticException):
                self.lib.delete_data_in_range(symbol, span)
            return
        lib = self.lib
        lib.delete_data_in_range(symbol, span, prune_previous_versions=self.always_prune)
        item = lib.read_metadata(symbol)
        self.made(symbol, item, latest.rows.without(span), latest.metadata, "ticks")

    # ---------------------------------------------------------------------------------------------- rules: batches

    @rule(seed=seeds, rows=sizes, chosen=st.lists(symbols, min_size=1, unique=True), metadata=metadatas)
    def write_batch(self, seed: int, rows: int, chosen: list[str], metadata: Any) -> None:
        frames = [self.ticks(rows, n, seed + n) for n in range(len(chosen))]
        payloads = [WritePayload(s, f, metadata) for s, f in zip(chosen, frames, strict=True)]
        for item, frame in zip(self.lib.write_batch(payloads, self.always_prune), frames, strict=True):
            self.made(item.symbol, item, Ticks([frame]), metadata, "ticks")

    @rule(seed=seeds, rows=sizes, chosen=st.lists(symbols, min_size=1, unique=True))
    def append_batch(self, seed: int, rows: int, chosen: list[str]) -> None:
        chosen = [s for s in chosen if (v := self.shadow[s].latest) is None or v.kind not in ("other", "pickled")]
        frames = [self.follows(s, rows, n, seed + n) for n, s in enumerate(chosen)]
        payloads = [WritePayload(s, f, n) for n, (s, f) in enumerate(zip(chosen, frames, strict=True))]
        results = self.lib.append_batch(payloads, self.always_prune)
        for n, (item, frame) in enumerate(zip(results, frames, strict=True)):
            rows_, kind = self.extended(self.shadow[item.symbol].latest, frame)
            self.made(item.symbol, item, rows_, n, kind)

    @rule(seed=seeds, rows=st.integers(1, 5), start=seconds)
    def update_batch(self, seed: int, rows: int, start: int) -> None:
        chosen = [s for s in SYMBOLS if (v := self.shadow[s].latest) is None or v.kind == "ticks"]
        frames = {s: self.ticks(rows, start, seed + n) for n, s in enumerate(chosen)}
        payloads = [UpdatePayload(s, f, 5) for s, f in frames.items()]
        for item in self.lib.update_batch(payloads, upsert=True, prune_previous_versions=self.always_prune):
            latest, frame = self.shadow[item.symbol].latest, frames[item.symbol]
            old = Ticks([frame.iloc[:0]]) if latest is None else latest.rows
            self.made(item.symbol, item, old.updated(frame, None), 5, "ticks")

    # ----------------------------------------------------------------------------- rules: deleting and snapshots

    @rule(symbol=symbols)
    def delete(self, symbol: str) -> None:
        self.lib.delete(symbol)
        self.shadow[symbol].live.clear()
        self.touched = symbol

    @rule(symbol=symbols, data=st.data())
    def delete_versions(self, symbol: str, data: st.DataObject) -> None:
        known = self.shadow[symbol]
        numbers = data.draw(st.lists(st.integers(0, known.next_number), max_size=4))
        if numbers and max(numbers) >= known.next_number:
            with pytest.raises(NoSuchVersionException):
                self.lib.delete(symbol, numbers)
            return
        self.lib.delete(symbol, numbers)
        for number in numbers:
            known.live.pop(number, None)
        self.touched = symbol

    @rule(symbol=symbols, data=st.data())
    def delete_oldest_but(self, symbol: str, data: st.DataObject) -> None:
        known = self.shadow[symbol]
        numbers = sorted(known.live)[: data.draw(st.integers(0, 3))]
        assert self.lib.delete_batch([DeleteRequest(symbol, numbers)]) == [None]
        for number in numbers:
            known.live.pop(number, None)

    @rule(symbol=symbols)
    def prune(self, symbol: str) -> None:
        if not self.shadow[symbol].live:
            with pytest.raises(StorageException):
                self.lib.prune_previous_versions(symbol)
            return
        self.lib.prune_previous_versions(symbol)
        self.shadow[symbol].prune()
        self.touched = symbol

    @rule(name=st.sampled_from(SNAPSHOTS), data=st.data(), metadata=metadatas)
    def snapshot(self, name: str, data: st.DataObject, metadata: Any) -> None:
        live = {s: known for s, known in self.shadow.items() if known.live}
        versions, skip = None, None
        held = {s: known.latest for s, known in live.items()}
        how = data.draw(st.sampled_from(["all", "versions", "skip"]))
        if how == "versions" and live:
            chosen = data.draw(st.lists(st.sampled_from(sorted(live)), min_size=1, unique=True))
            held = {s: live[s].live[data.draw(st.sampled_from(sorted(live[s].live)))] for s in chosen}
            versions = {s: version.number for s, version in held.items()}
        elif how == "skip":
            skip = [SYMBOLS[0]]
            held.pop(SYMBOLS[0], None)
        if name in self.snapshots or not live:
            with pytest.raises((InternalException, NoSuchVersionException)):
                self.lib.snapshot(name, metadata, skip, versions)
            return
        self.lib.snapshot(name, metadata, skip, versions)
        self.snapshots[name] = (metadata, held)

    @rule(name=st.sampled_from(SNAPSHOTS))
    def delete_snapshot(self, name: str) -> None:
        if name not in self.snapshots:
            with pytest.raises(NoDataFoundException):
                self.lib.delete_snapshot(name)
            return
        self.lib.delete_snapshot(name)
        del self.snapshots[name]

    @rule(orphans=st.booleans())
    def reclaim(self, orphans: bool) -> None:
        lib = self.lib
        lib.reclaim(grace=0, orphans=orphans)
        report = lib.verify()
        assert report.damaged == []
        assert report.unreachable == []


class InMemory(Model):
    kind = "mem"


class InMemorySmall(Model):
    kind = "mem"
    limits = SMALL


class InLmdb(Model):
    kind = "lmdb"


class InLmdbSmall(Model):
    kind = "lmdb"
    limits = SMALL


@pytest.mark.parametrize("machine", [InMemory, InMemorySmall, InLmdb, InLmdbSmall])
def test_model(machine):
    machine.folder = tempfile.mkdtemp(dir=FAST)
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        shutil.rmtree(machine.folder, ignore_errors=True)
