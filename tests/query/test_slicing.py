"""No result depends on how rows are cut into segments, in how many writes they came, or on what is pruned."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from tests.operations.states import canonical, library
from tests.query import random_frames
from tests.query.random_queries import COMPARISONS, queries

from coldframe.exceptions import ArcticException
from coldframe.library import Library
from coldframe.operations import encode
from coldframe.operations.source import StoredSource
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col
from coldframe.stores.memory import MemoryStore

SIZES = [1, 2, 7, 100_000]
CHUNKS = 2
FRAMES = 40  # in each chunk, for every commit


def in_one_write(frame: pd.DataFrame, rows: int) -> Library:
    """A library with the frame, `rows` to the segment."""
    lib = library(MemoryStore(), rows_per_segment=rows)
    lib.write("s", frame, validate_index=False)
    return lib


def in_pieces(random: Random, frame: pd.DataFrame, rows: int) -> Library:
    """The same rows from a write, appends, and an update of a stretch that held other values."""
    lib = library(MemoryStore(), rows_per_segment=rows)
    cuts = sorted(random.randint(0, len(frame)) for _ in range(random.randint(0, 4)))
    wrong, stretch = frame, slice(0, 0)
    if isinstance(frame.index, pd.DatetimeIndex) and len(frame):
        first, last = sorted(random.choices(frame.index, k=2))
        # All rows of an instant are replaced together.
        stretch = slice(*frame.index.slice_locs(first, last))
        order = np.arange(len(frame))
        order[stretch] = order[stretch][::-1]
        wrong = frame.iloc[order].set_axis(frame.index)
    lib.write("s", wrong.iloc[: cuts[0]] if cuts else wrong, validate_index=False)
    for start, stop in pairwise([*cuts, len(frame)]):
        lib.append("s", wrong.iloc[start:stop], validate_index=False)
    if wrong is not frame:
        lib.update("s", frame.iloc[stretch])
    return lib


def in_growing_slices(frame: pd.DataFrame, rows: int, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The same in one write, as a store has it that wants few objects: slices after the first have more rows."""
    store = MemoryStore()
    store.limits = msgspec.structs.replace(store.limits, packed=1 << 30)
    lib = library(store, rows_per_segment=0)
    with monkeypatch.context() as patch:
        patch.setattr(encode, "DEFAULT_ROWS", rows)
        lib.write("s", frame, validate_index=False)
    return lib


def answer(lib: Library, query: Any) -> Any:
    """What a query gives, bit for bit; or which error it raises."""
    try:
        return canonical(lib.read("s", query_builder=query).data)
    except ArcticException as error:
        return type(error).__name__


def in_pieces_that_lack_columns(seed: int, frame: pd.DataFrame, rows: int) -> Library:
    """A library with dynamic schema, where each piece was written without some of the columns."""
    random = Random(seed)
    lib = library(MemoryStore(), rows_per_segment=rows, dynamic_schema=True)
    cuts = sorted(random.randint(0, len(frame)) for _ in range(3))
    for start, stop in pairwise([0, *cuts, len(frame)]):
        names = random.sample(list(frame), random.randint(1, len(frame.columns)))
        piece = frame.iloc[start:stop][[name for name in frame if name in names]]
        lib.append("s", piece, validate_index=False)
    return lib


def answers(lib: Library, asked: list[Any], monkeypatch: pytest.MonkeyPatch, *, pruned: bool) -> list[Any]:
    """What queries give, with or without leaving slices out for their statistics."""
    with monkeypatch.context() as patch:
        if not pruned:
            patch.setattr(StoredSource, "statistics", lambda _self, _column: None)
        return [answer(lib, query) for query in asked]


def check(libraries: list[Library], asked: list[Any], monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """All libraries give the same answers, pruned or not."""
    wanted = answers(libraries[0], asked, monkeypatch, pruned=False)
    for at, lib in enumerate(libraries):
        for pruned in (True, False):
            found = answers(lib, asked, monkeypatch, pruned=pruned)
            for query, one, other in zip(asked, found, wanted, strict=True):
                assert one == other, f"seed {seed}, library {at}, pruned={pruned}: {query}"


def check_any(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    frame = random_frames.frame(random)
    asked = [queries(random, frame) for _ in range(4)]
    libraries = [in_one_write(frame, rows) for rows in SIZES[::-1]]
    libraries += [in_pieces(random, frame, rows) for rows in SIZES]
    libraries += [in_growing_slices(frame, rows, monkeypatch) for rows in SIZES[:-1]]
    check(libraries, asked, monkeypatch, seed)


def check_lacking(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    kinds = [kind for kind in random_frames.KINDS if kind not in ("none", "nan")]
    frame = random_frames.frame(random, kinds=kinds, indexes=["time", "zoned", "levels"])
    asked = [queries(random, frame) for _ in range(4)]
    check([in_pieces_that_lack_columns(seed, frame, rows) for rows in SIZES[::-1]], asked, monkeypatch, seed)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_of_every_type(chunk: int, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(chunk * 1_000_000, chunk * 1_000_000 + runs(FRAMES)):
        check_any(seed, monkeypatch)


def test_of_pieces_that_lack_columns(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(runs(FRAMES)):
        check_lacking(seed, monkeypatch)


def test_of_sums_of_many_rows() -> None:
    """Rounding shows the order in which floats are added: it is that of the rows."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"k": rng.integers(0, 7, 3000), "x": rng.standard_normal(3000) * 10.0 ** rng.integers(-8, 8, 3000)},
        index=pd.date_range("2020", periods=3000, freq="s"),
    )
    outputs = {how: ("x", how) for how in ("sum", "mean", "std", "var")}
    simple = {how: ("x", how) for how in ("sum", "mean")}
    asked = [
        QueryBuilder().groupby("k").agg(outputs),
        QueryBuilder().resample("7min").agg(outputs),
        QueryBuilder().resample("7min").agg(simple),
        QueryBuilder().resample("ME").agg(simple),
        QueryBuilder()[col("x") > 0].resample("D", origin="end").agg(simple),
    ]
    wanted = [answer(in_one_write(frame, 100_000), query) for query in asked]
    for rows in (7, 130, 1000):
        for lib in (in_one_write(frame, rows), in_pieces(Random(rows), frame, rows)):
            assert [answer(lib, query) for query in asked] == wanted


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_of_conditions_that_missing_values_fulfil(rows: int) -> None:
    """Slices of few values and missing ones: statistics of the values alone would leave out what `~` and `!=` keep."""
    nat = pd.NaT
    frame = pd.DataFrame(
        {
            "f": [1.0, np.nan, 1.0, 2.0, np.nan, np.nan, 3.0, 1.0, np.nan],
            "t": pd.DatetimeIndex([pd.Timestamp(5), nat, pd.Timestamp(5), nat, nat, nat] + [pd.Timestamp(9)] * 3),
        }
    )
    lib = in_one_write(frame, rows)
    for name, value in (("f", 1.0), ("f", 2.0), ("t", pd.Timestamp(5))):
        column, values = col(name), frame[name]
        pairs = [(getattr(column, how), getattr(values, how)) for how in COMPARISONS]
        for ours, theirs in pairs:
            for condition, kept in ((ours(value), theirs(value)), (~ours(value), ~theirs(value))):
                found = lib.read("s", query_builder=QueryBuilder()[condition]).data
                assert len(found) == kept.sum(), condition
        assert len(lib.read("s", query_builder=QueryBuilder()[~column.isin([value])]).data) == (values != value).sum()
