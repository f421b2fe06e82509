"""Random queries on stored frames of every type against what they mean, row by row in plain Python."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from tests.operations.states import library
from tests.query import random_frames, reference
from tests.query.random_queries import queries

from coldframe.stores.memory import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore:The 'origin' keyword:RuntimeWarning")  # of pandas, by the reference
CHUNKS = 2
FRAMES = 150  # in each chunk, for every commit


def alike(got: Any, want: Any, bits: int) -> bool:
    """Two values; floats may have been added in another order, and integers with missing ones become floats."""
    if want is None:
        return got is None
    if isinstance(want, float) or isinstance(got, float):
        precision = {16: 1e-3, 32: 1e-6}.get(bits, 1e-9)
        return got is not None and (got == want or math.isclose(got, want, rel_tol=precision, abs_tol=1e-9))
    return bool(got == want)


def check_columns(got: dict[str, reference.Column], want: dict[str, reference.Column], where: str) -> None:
    assert list(got) == list(want), where
    for name, column in want.items():
        found = got[name].held
        assert len(found) == len(column.held), f"{where}: {name} has {len(found)} rows, not {len(column.held)}"
        for row, pair in enumerate(zip(found, column.held, strict=True)):
            assert alike(*pair, got[name].bits), f"{where}: row {row} of {name} is {pair[0]!r}, not {pair[1]!r}"


def check(seed: int) -> None:
    random = Random(seed)
    frame = random_frames.frame(random)
    lib = library(MemoryStore(), rows_per_segment=random.choice([1, 2, 7, 100_000]))
    lib.write("s", frame, validate_index=False)
    for _ in range(8):
        query = queries(random, frame)
        want = reference.answer(frame, query.clauses)
        made = lib.read("s", query_builder=query).data
        got = reference.rows_of(made)
        where = f"seed {seed}: {query}"
        assert len(made) == want.count, f"{where}: {len(made)} rows, not {want.count}"
        if want.levels:
            check_columns(got.levels, want.levels, where)
        check_columns(got.columns, want.columns, where)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_queries_mean_what_they_say(chunk: int, runs: Any) -> None:
    for seed in range(chunk * 1_000_000, chunk * 1_000_000 + runs(FRAMES)):
        check(seed)
