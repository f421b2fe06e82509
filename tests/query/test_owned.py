"""What a query returns is memory of its own: nothing in it is a view of what the store has lent for the read."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.operations.states import canonical, library
from tests.query import random_frames
from tests.query.random_queries import queries

from coldframe.exceptions import ArcticException
from coldframe.library import Library
from coldframe.query.builder import QueryBuilder
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore

FRAMES = 60
AGGREGATORS = "sum mean min max count first last std var median nunique".split()


class Lending(MemoryStore):
    """Lends memory, as LMDB lends its map, and can take it back: what was lent then holds other bytes."""

    def __init__(self) -> None:
        super().__init__(grace=0.0)
        self.limits = Limits(inline_piece=0, head=1 << 20, segment=1 << 20)
        self.lent: list[bytearray] = []

    def fetch(self, wanted: Any) -> Any:
        answers = []
        for ranges in super().fetch(wanted):
            mine = [bytearray(payload) for payload in ranges]
            self.lent += mine
            answers.append([memoryview(payload).toreadonly() for payload in mine])
        return answers

    def take_back(self) -> int:
        """Overwrite all that was lent; how many bytes that were."""
        for payload in self.lent:
            payload[:] = bytes(byte ^ 0x55 for byte in payload)
        size = sum(map(len, self.lent))
        self.lent.clear()
        return size


def taken_back(ask: Callable[[Library], Any], frame: pd.DataFrame) -> tuple[Any, Any, int]:
    """What a question gives where memory stays, what it gives once memory was taken back, and how much was lent."""
    plain, lending = MemoryStore(), Lending()
    answers = []
    for store in (plain, lending):
        lib = library(store, rows_per_segment=7)
        lib.write("s", frame, validate_index=False)
        try:
            answers.append(ask(lib))
        except ArcticException as error:
            answers.append(type(error).__name__)
    size = lending.take_back()
    return (*(each if isinstance(each, str) else canonical(each) for each in answers), size)


def filled(seed: int) -> pd.DataFrame:
    """A frame that has rows."""
    random = Random(seed)
    while True:
        frame = random_frames.frame(random)
        if len(frame) > 10:
            return frame


@pytest.mark.parametrize("seed", range(FRAMES))
def test_random_queries(seed: int) -> None:
    random = Random(seed)
    frame = random_frames.frame(random, max_rows=40)
    for _ in range(4):
        query = queries(random, frame)
        expected, found, _ = taken_back(lambda lib, query=query: lib.read("s", query_builder=query).data, frame)
        assert found == expected, query


@pytest.mark.parametrize("seed", range(10))
def test_a_read_without_conditions(seed: int) -> None:
    frame = filled(seed)
    for query in (QueryBuilder().head(7), QueryBuilder().tail(3), QueryBuilder().row_range((0, 10))):
        expected, found, size = taken_back(lambda lib, query=query: lib.read("s", query_builder=query).data, frame)
        assert found == expected
        assert size


def test_joined_symbols() -> None:
    frame = filled(3)

    def ask(lib: Library) -> Any:
        return lib.read_batch_and_join(["s", "s"], QueryBuilder().concat("outer")).data

    expected, found, size = taken_back(ask, frame)
    assert found == expected
    assert size


def test_record_batches() -> None:
    frame = filled(4)

    def ask(lib: Library) -> Any:
        batches = list(lib.read("s", lazy=True).collect_batches(max_rows=6))
        return pa.Table.from_batches(batches).to_pandas()

    expected, found, size = taken_back(ask, frame)
    assert found == expected
    assert size


@pytest.mark.parametrize("rows", [1, 5, 7, 30])
@pytest.mark.parametrize("name", AGGREGATORS)
def test_aggregates(name: str, rows: int) -> None:
    times = pd.date_range("2024-01-01", periods=rows, freq="7min", name="t")
    values = np.random.default_rng(rows).normal(size=rows)
    frame = pd.DataFrame({"key": np.arange(rows) // 2, "a": values, "when": times[::-1]}, index=times)
    wanted = {"x": ("a", name)} | ({"y": ("when", name)} if name in ("first", "last", "min", "max") else {})
    for query in (QueryBuilder().groupby("key").agg(wanted), QueryBuilder().resample("5min").agg(wanted)):
        expected, found, size = taken_back(lambda lib, query=query: lib.read("s", query_builder=query).data, frame)
        assert found == expected, query
        assert size
