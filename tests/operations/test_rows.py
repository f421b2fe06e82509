"""Loading rows: Python objects made while other columns are decoded are those made afterwards."""

from __future__ import annotations

import sys
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import SMALL, canonical, library
from tests.query import random_frames

from coldframe import parallel
from coldframe.library import Library
from coldframe.operations import rows
from coldframe.stores.memory import MemoryStore


@pytest.fixture(autouse=True)
def _several_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    monkeypatch.setattr(parallel, "_pool", None)
    monkeypatch.setattr(rows, "PARALLEL", 0)


def answers(lib: Library, ask: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What a read gives where objects are made at the end, and where they are made meanwhile."""
    found = []
    for least in (sys.maxsize, 1):
        monkeypatch.setattr(rows, "MANY_OBJECTS", least)
        found.append(canonical(ask(lib)))
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
