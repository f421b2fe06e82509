"""Results that come piece by piece: the same rows as at once, and what happens while they are consumed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.operations.states import library
from tests.query import random_frames
from tests.query.random_queries import queries

from coldframe.exceptions import DamagedDataException, NoSuchVersionException, SchemaException
from coldframe.library import Library
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore

ROWS = 4_000


class Interrupted(MemoryStore):
    """Calls `meanwhile` once, before a fetch."""

    def __init__(self) -> None:
        super().__init__(grace=0.0)
        self.limits = Limits(inline_piece=0, head=1 << 20, segment=1 << 20)
        self.meanwhile: Callable[[], None] | None = None

    def fetch(self, wanted: Any) -> Any:
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        return super().fetch(wanted)


def frame(seed: int) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(ROWS, 2))
    return pd.DataFrame(values, columns=["a", "b"], index=pd.date_range("2024", periods=ROWS, freq="s", name="t"))


@pytest.fixture
def lib() -> Library:
    return library(Interrupted(), rows_per_segment=100)


def replaced(lib: Library) -> Callable[[], None]:
    """The version is deleted and its data freed."""

    def act() -> None:
        lib.write("s", frame(1), prune_previous_versions=True)
        lib.reclaim(grace=0)

    return act


@pytest.mark.parametrize("most", [1, 5, 1000])
def test_pieces_make_what_is_read_at_once(most: int, runs: Any) -> None:
    for seed in range(runs(60)):
        random = Random(seed)
        data = random_frames.frame(random)
        lib = library(MemoryStore(), rows_per_segment=random.choice([1, 7, 100_000]))
        lib.write("s", data, validate_index=False)
        query = queries(random, data)
        whole = next(lib.read("s", lazy=True).then(query).collect_batches(1 << 20))
        pieces = list(lib.read("s", lazy=True).then(query).collect_batches(most))
        assert all(piece.num_rows <= most for piece in pieces)
        assert sum(piece.num_rows for piece in pieces) == len(lib.read("s", query_builder=query).data)
        joined = pa.Table.from_batches(pieces).combine_chunks()
        if pieces[0].num_rows:
            assert joined.to_pylist() == whole.to_pylist() or "nan" in str(whole.to_pylist())


def test_memory_is_bounded(lib: Library) -> None:
    lib.write("s", frame(0))
    store = lib._catalog.store
    assert isinstance(store, Interrupted)
    fetched: list[int] = []
    plain = store.fetch
    store.fetch = lambda wanted: fetched.append(len(wanted)) or plain(wanted)  # type: ignore[method-assign]
    pieces = lib.read("s", lazy=True)[col("a") < 0].collect_batches(10)
    first = next(pieces)
    assert first.num_rows == 10
    early = sum(fetched)
    assert early <= 40, "of 40 slices and two columns"
    assert 10 + sum(piece.num_rows for piece in pieces) == (frame(0)["a"] < 0).sum()
    assert sum(fetched) > early


def test_a_time_in_the_future_is_no_version(lib: Library) -> None:
    lib.write("s", frame(0))
    future = pd.Timestamp.now(tz="UTC") + pd.Timedelta(days=1)
    with pytest.raises(NoSuchVersionException, match="future"):
        next(lib.read("s", as_of=future, lazy=True).collect_batches())
    now = pd.Timestamp.now(tz="UTC")
    assert next(lib.read("s", as_of=now, lazy=True).collect_batches(7)).num_rows == 7


def test_no_symbol_and_no_column(lib: Library) -> None:
    with pytest.raises(NoSuchVersionException):
        next(lib.read("nothing", lazy=True).collect_batches())
    lib.write("s", frame(0))
    with pytest.raises(SchemaException, match="E_COLUMN_DOESNT_EXIST"):
        next(lib.read("s", lazy=True)[col("c") > 1].collect_batches())


def test_pieces_of_the_newest_go_on_with_the_version_that_took_its_place(lib: Library) -> None:
    lib.write("s", frame(0))
    lib._catalog.store.meanwhile = replaced(lib)
    pieces = list(lib.read("s", lazy=True).collect_batches())
    found = pa.Table.from_batches(pieces).to_pandas()
    assert found["a"].tolist() == frame(1)["a"].tolist()


def test_pieces_of_a_version_that_is_deleted_before_the_first(lib: Library) -> None:
    lib.write("s", frame(0))
    lib._catalog.store.meanwhile = replaced(lib)
    with pytest.raises(NoSuchVersionException, match="has no version 0"):
        next(lib.read("s", as_of=0, lazy=True).collect_batches())


def test_pieces_of_a_version_that_is_deleted_between_two(lib: Library) -> None:
    lib.write("s", frame(0))
    pieces = lib.read("s", lazy=True).collect_batches(10)
    first = next(pieces)
    assert first.column("a").to_pylist() == frame(0)["a"].tolist()[:10]
    replaced(lib)()
    with pytest.raises(NoSuchVersionException, match="some of its rows had been given"):
        list(pieces)


def test_an_object_that_is_gone_though_named_is_damage(lib: Library) -> None:
    lib.write("s", frame(0))
    store = lib._catalog.store
    store.delete([entry.key for entry in store.list("data/")])
    with pytest.raises(DamagedDataException, match=r"missing.*'library'.*'s'"):
        next(lib.read("s", lazy=True).collect_batches())


def test_nothing_left_is_one_piece_without_rows(lib: Library) -> None:
    lib.write("s", frame(0))
    (piece,) = lib.read("s", lazy=True).then(QueryBuilder()[col("a") > 99]).collect_batches()
    assert piece.num_rows == 0
    assert piece.schema.names == ["t", "a", "b"]
