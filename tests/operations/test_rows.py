"""Loading rows: the same, whenever Python objects are made, and whichever threads decode which blocks."""

from __future__ import annotations

import sys
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import SMALL, canonical, library
from tests.query import random_frames
from tests.query.random_queries import queries

from coldframe import parallel
from coldframe.exceptions import ArcticException
from coldframe.library import Library
from coldframe.operations import query as operations_query
from coldframe.operations import rows
from coldframe.query import collect
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col
from coldframe.stores.memory import MemoryStore


@pytest.fixture(autouse=True, params=[1, rows.PACKED], ids=["blocks apart", "segments whole"])
def _several_cores(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    monkeypatch.setattr(parallel, "_pool", None)
    monkeypatch.setattr(rows, "PARALLEL", 0)
    monkeypatch.setattr(rows, "PACKED", request.param)
    monkeypatch.setattr(rows, "_packed_numbers", lambda parts: sum(len(part.blocks) for part in parts))


def answers(lib: Library, ask: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What a read gives where objects are made at the end, and where they are made meanwhile."""
    found = []
    for least in (sys.maxsize, 1):
        monkeypatch.setattr(rows, "MANY_OBJECTS", least)
        monkeypatch.setattr(operations_query, "MANY_OBJECTS", least)
        try:
            found.append(canonical(ask(lib)))
        except ArcticException as error:
            found.append(type(error).__name__)
    return found[0], found[1]


def small_library(**options: Any) -> Library:
    store = MemoryStore(grace=0.0)
    store.limits = SMALL
    return library(store, rows_per_segment=3, columns_per_segment=2, **options)


@pytest.mark.parametrize("seed", range(60))
def test_any_frame(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = random_frames.frame(Random(seed))
    lib = small_library()
    lib.write("s", frame, validate_index=False)
    late, early = answers(lib, lambda lib: lib.read("s").data, monkeypatch)
    assert early == late == canonical(frame)
    late, early = answers(lib, lambda lib: lib.read("s", columns=list(frame)[::2]).data, monkeypatch)
    assert early == late
    late, early = answers(lib, lambda lib: lib.read("s", row_range=(1, 17)).data, monkeypatch)
    assert early == late


@pytest.mark.parametrize("seed", range(30))
def test_columns_that_come_and_go(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    lib = small_library(dynamic_schema=True)
    for at in range(4):
        names = random.sample("abcd", random.randint(1, 4))
        texts = np.array([None, np.nan, "x", "yy", "x"], dtype=object)
        index = pd.date_range("2024", periods=5, freq="s") + pd.Timedelta(hours=at)
        some = pd.Series(texts[[random.randint(0, 4) for _ in range(5)]], index, dtype=object)
        data = {name: some if name < "c" else np.arange(5.0) for name in names}
        lib.append("s", pd.DataFrame(data, index=index))
    for ask in (lambda lib: lib.read("s").data, lambda lib: lib.read("s", columns=["a", "d"]).data):
        late, early = answers(lib, ask, monkeypatch)
        assert early == late


def many_names() -> np.ndarray:
    """Strings whose dictionary is too large to be part of each block."""
    return np.array([f"{number:016x}" for number in np.random.default_rng(1).integers(0, 2**62, 1_500)], dtype=object)


def test_a_shared_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    names = many_names()
    names[7], names[8] = None, np.nan
    who = pd.Series(names[rng.integers(0, 1_500, 9_000)], dtype=object)
    frame = pd.DataFrame({"who": who, "what": rng.normal(size=9_000)})
    lib = library(MemoryStore(), rows_per_segment=1_000)
    lib.write("s", frame)
    late, early = answers(lib, lambda lib: lib.read("s").data, monkeypatch)
    assert early == late == canonical(frame)
    late, early = answers(lib, lambda lib: lib.read("s", columns=["who"]).data, monkeypatch)
    assert early == late


def test_the_strings_of_a_dictionary_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MANY_OBJECTS", 1)
    made: list[int] = []
    to_pool = rows.to_pool
    monkeypatch.setattr(rows, "to_pool", lambda values: made.append(len(values)) or to_pool(values))
    names = many_names()
    lib = library(MemoryStore(), rows_per_segment=1_000)
    frame = pd.DataFrame({"who": pd.Series(np.tile(names, 6), dtype=object), "what": np.arange(9_000.0)})
    lib.write("s", frame)
    lib.read("s")
    assert made == [1_500]


def test_a_slice_without_any_wanted_column() -> None:
    lib = small_library(dynamic_schema=True)
    lib.write("s", pd.DataFrame({"a": [1.5, 2.5]}))
    lib.append("s", pd.DataFrame({"b": [3.5, 4.5]}, index=pd.RangeIndex(2, 4)))
    assert lib.read("s", columns=["b"]).data["b"].tolist()[2:] == [3.5, 4.5]
    assert lib.read("s", columns=["b"]).data["b"].isna().tolist() == [True, True, False, False]


def test_many_packed_numbers_are_shared_out_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # by the true sizes
    jobs: list[tuple[int, bool]] = []
    true = rows.map_jobs

    def noting(work: Any, parts: Any, *, inline: bool = False, meanwhile: Any = None) -> Any:
        jobs.append((len(parts), inline))
        return true(work, parts, inline=inline, meanwhile=meanwhile)

    monkeypatch.setattr(rows, "map_jobs", noting)
    lib = library(MemoryStore(grace=0.0))
    random = np.random.default_rng(1)
    count = 90_000
    packing = pd.DataFrame({name: random.integers(0, 100, count) for name in "abcd"})
    for name, frame, wanted in [
        ("packing", packing, (4, False)),
        ("fewer columns", packing[["a", "b"]], (1, True)),
        ("not packing", pd.DataFrame(random.standard_normal((count, 4))), (1, True)),
    ]:
        lib.write(name, frame)
        jobs.clear()
        pd.testing.assert_frame_equal(lib.read(name).data, frame)
        assert jobs == [wanted], name


@pytest.mark.parametrize("seed", range(60))
def test_any_query(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_SMALL", 0)
    random = Random(seed)
    frame = random_frames.frame(random)
    lib = small_library()
    lib.write("s", frame, validate_index=False)
    for _ in range(4):
        query = queries(random, frame)
        late, early = answers(lib, lambda lib, query=query: lib.read("s", query_builder=query).data, monkeypatch)
        assert early == late, query


def test_objects_of_a_query_are_made_while_numbers_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_SMALL", 0)
    monkeypatch.setattr(operations_query, "MANY_OBJECTS", 1)
    made: list[int] = []
    true = operations_query.to_objects

    def noting(column: Any) -> Any:
        made.append(len(column))
        return true(column)

    monkeypatch.setattr(operations_query, "to_objects", noting)
    texts = pd.Series(["a", "b", None, np.nan] * 5, dtype=object)
    frame = pd.DataFrame({"s": texts, "t": texts[::-1].reset_index(drop=True), "i": np.arange(20)})
    lib = small_library()
    lib.write("s", frame)
    for query, wanted, calls in [
        (QueryBuilder()[col("s") == "a"], frame[texts == "a"], [5]),
        (QueryBuilder()[col("s") != "a"], frame[texts != "a"], [15]),
        (QueryBuilder()[(col("s") == "a") | (col("t") == "a")], frame[(texts == "a") | (frame["t"] == "a")], [10, 10]),
        (QueryBuilder()[col("s") == "a"].drop("s"), frame[texts == "a"][["t", "i"]], []),
        (QueryBuilder()[col("i") > 3], frame[frame["i"] > 3], []),
    ]:
        made.clear()
        found = lib.read("s", query_builder=query).data
        assert canonical(found) == canonical(wanted.reset_index(drop=True)), query
        assert made == calls, query


def test_a_copy_of_a_column_has_objects_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations_query, "MANY_OBJECTS", 1)
    lib = library(MemoryStore(grace=0.0))
    lib.write("s", pd.DataFrame({"s": pd.Series(["a", "b"] * 9, dtype=object)}))
    found = lib.read("s", query_builder=QueryBuilder()[col("s") == "a"].apply("t", col("s"))).data
    found.loc[3, "t"] = "changed"
    assert set(found["s"]) == {"a"}
    assert not np.shares_memory(found["s"].to_numpy(), found["t"].to_numpy())
