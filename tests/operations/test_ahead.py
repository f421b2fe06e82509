"""Stretches of time from a distant store: the same rows as from a near one, in one round trip where they lie close."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import canonical, library

from coldframe.catalog import manifest
from coldframe.library import Library
from coldframe.operations import ahead
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore

START = pd.Timestamp("2024-01-01")


class Distant(MemoryStore):
    """Says that it is distant, and notes which bytes it is asked for, call by call."""

    distant = True

    def __init__(self) -> None:
        super().__init__(grace=0.0)
        self.limits = Limits(inline_piece=0, head=1 << 20, segment=1 << 20)
        self.asked: list[list[tuple[str, int, int]]] = []

    def fetch(self, wanted: Any) -> Any:
        self.asked.append([(item.key, *span) for item in wanted for span in item.ranges])
        return super().fetch(wanted)


def times(random: Random, rows: int) -> pd.DatetimeIndex:
    """Ascending seconds, often repeated."""
    steps = [random.choice([0, 1, 1, 5]) for _ in range(rows)]
    return pd.DatetimeIndex(START + pd.to_timedelta(np.cumsum(steps), unit="s"), name="t")


def filled(store: MemoryStore, index: pd.DatetimeIndex) -> Library:
    lib = library(store, rows_per_segment=4)
    words = pd.Series([f"w{at % 3}" for at in range(len(index))], index=index, dtype=object)
    lib.write("s", pd.DataFrame({"a": np.arange(len(index)) * 1.5, "b": np.arange(len(index)), "c": words}))
    return lib


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("blocks", [6, 1024])
def test_any_stretch_is_that_of_a_near_store(seed, blocks, monkeypatch):
    monkeypatch.setattr(manifest, "CHUNK_BLOCKS", blocks)
    random = Random(seed)
    index = times(random, random.randint(1, 40))
    near, far = filled(MemoryStore(), index), filled(Distant(), index)
    for _ in range(12):
        low, high = (START + pd.Timedelta(random.randint(-3, 60), "s") for _ in range(2))
        span = random.choice([(low, high), (low, None), (None, high)])
        columns = random.choice([None, ["a"], ["c", "b"]])
        assert canonical(far.read("s", date_range=span, columns=columns).data) == canonical(
            near.read("s", date_range=span, columns=columns).data
        )


@pytest.fixture
def far():
    store = Distant()
    lib = filled(store, pd.date_range(START, periods=40, freq="s"))
    store.asked.clear()
    return store, lib


def second(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(number, "s")


@pytest.mark.parametrize("span", [(5, 6), (4, 7), (5, 10), (3, 4), (39, 50), (-5, 0)])
def test_one_or_two_slices_are_one_round_trip(far, span):
    store, lib = far
    found = lib.read("s", date_range=tuple(map(second, span)), columns=["a"]).data
    assert found["a"].tolist() == [at * 1.5 for at in range(40) if span[0] <= at <= span[1]]
    assert len(store.asked) == 1
    assert len(store.asked[0]) == len(set(store.asked[0])) <= 4, "time and one column of each slice"


def test_a_query_looks_at_the_times_of_both_ends_at_once(far, monkeypatch):
    monkeypatch.setattr(ahead, "AT_ONCE", 0)
    store, lib = far
    query = QueryBuilder()[col("b") > 0]
    found = lib.read("s", date_range=(second(6), second(29)), columns=["a"], query_builder=query).data
    assert found["a"].tolist() == [at * 1.5 for at in range(6, 30)]
    assert len(store.asked[0]) == 2, "the times of the first and of the last slice"
    assert len(store.asked) <= 3, "times, conditions, and what is shown"


def late() -> QueryBuilder:
    return QueryBuilder()[col("b") > 30]


QUERIES = {
    "filter": late,
    "group": lambda: late().groupby("c").agg({"a": "sum"}),
    "resample": lambda: late().resample("10s").agg({"a": "max"}),
}


@pytest.mark.parametrize("options", [{"date_range": (second(6), second(33))}, {}, {"row_range": (6, 34)}])
@pytest.mark.parametrize("query", QUERIES)
def test_little_is_fetched_at_once(far, options, query):
    store, lib = far
    found = lib.read("s", query_builder=QUERIES[query](), **options).data
    assert len(store.asked) == 1
    assert len(store.asked[0]) == len(set(store.asked[0]))
    near = filled(MemoryStore(), pd.date_range(START, periods=40, freq="s"))
    assert canonical(found) == canonical(near.read("s", query_builder=QUERIES[query](), **options).data)


def test_slices_that_statistics_rule_out_are_not_fetched(far):
    store, lib = far
    assert lib.read("s", query_builder=late()).data["b"].tolist() == list(range(31, 40))
    assert len({key for key, *_ in store.asked[0]}) == 3, "of ten"


def test_of_much_the_columns_of_conditions_come_first(far, monkeypatch):
    monkeypatch.setattr(ahead, "AT_ONCE", 100)
    store, lib = far
    assert len(lib.read("s", columns=["a"], query_builder=QueryBuilder()[col("b") % 7 == 40]).data) == 0
    assert sum(map(len, store.asked)) == 10, "one column of ten slices, and no other, for no row is left"


def test_the_first_rows_need_no_more_than_their_slices(far):
    store, lib = far
    query = QueryBuilder()[col("b") > 5].head(2)
    assert lib.read("s", query_builder=query).data["b"].tolist() == [6, 7]
    assert len({key for call in store.asked for key, *_ in call}) < 6


def test_a_stretch_that_was_updated_is_one_round_trip(far):
    """The slice that was cut in two lies in one object, which is fetched once."""
    store, lib = far
    lib.update("s", lib.read("s", row_range=(13, 15)).data)
    store.asked.clear()
    assert lib.read("s", date_range=(second(12), second(15))).data["b"].tolist() == [12, 13, 14, 15]
    assert len(store.asked) == 1
    assert len(store.asked[0]) == len(set(store.asked[0]))


def test_no_byte_is_fetched_twice_and_none_beyond_the_slices(far):
    store, lib = far
    assert len(lib.read("s", date_range=(second(6), second(29))).data) == 24
    spans = [span for call in store.asked for span in call]
    assert len(spans) == len(set(spans)) == 7 * 4, "seven slices of four blocks each"


@pytest.mark.parametrize("span", [(50, 60), (-9, -5), (7, 3), (10.4, 10.6)])
def test_where_there_is_nothing_next_to_nothing_is_fetched(far, span):
    store, lib = far
    assert len(lib.read("s", date_range=tuple(map(second, span)), columns=["a"]).data) == 0
    assert sum(map(len, store.asked)) <= 2


def test_a_symbol_that_is_not_sorted_is_refused_before_anything_is_fetched():
    store = Distant()
    lib = library(store, rows_per_segment=4)
    index = pd.DatetimeIndex([second(5), second(1), second(3)])
    lib.write("s", pd.DataFrame({"a": [1, 2, 3]}, index=index), validate_index=False)
    store.asked.clear()
    with pytest.raises(Exception, match="sorted"):
        lib.read("s", date_range=(second(0), second(9)))
    assert store.asked == []
