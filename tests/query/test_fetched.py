"""What a query fetches of stored segments, block by block and byte by byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import library

from coldframe.catalog.keys import data_key
from coldframe.catalog.versions import resolve
from coldframe.format import segments
from coldframe.library import Library
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col
from coldframe.stores.base import Buffer, Fetch, Limits, Reader
from coldframe.stores.memory import MemoryStore
from coldframe.testing.counting import CountingStore

SLICES, ROWS, COLUMNS = 50, 40, 30
Range = tuple[str, int, int]


class Noting(MemoryStore):
    """Notes which bytes are fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(inline_piece=0, head=1 << 20, segment=1 << 20)
        self.fetched: list[Range] = []

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        self.fetched += [(one.key, start, stop) for one in wanted for start, stop in one.ranges]
        return super().fetch(wanted)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield self


class Engine:
    """A symbol of `SLICES` slices with a block per column, and what was asked of its store."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.noting = Noting()
        self.store = CountingStore(self.noting)
        self.lib: Library = library(self.store, rows_per_segment=ROWS, columns_per_segment=10)
        self.lib.write("s", frame)
        self.blocks = self._blocks()

    def _blocks(self) -> dict[tuple[int, str], Range]:
        """Where the block of each column of each slice lies."""
        found = {}
        with self.store.reading() as reader:
            contents = resolve(reader, self.lib._catalog, "s", None).contents
            slices, schema = contents.all_slices(), contents.schema()
        names = {int(schema.place[at]): str(name) for at, name in enumerate(schema.names)}
        for number in range(len(slices)):
            for segment in range(slices.segment_starts[number], slices.segment_starts[number + 1]):
                for block in slices.blocks[slices.block_starts[segment] : slices.block_starts[segment + 1]]:
                    assert block["count"] == 1
                    place = (data_key("s", slices.ids[segment]), int(block["offset"]))
                    found[number, names[int(block["first"])]] = (*place, place[1] + int(block["length"]))
        return found

    def fetched(self, query: QueryBuilder, **arguments: Any) -> tuple[pd.DataFrame, set[tuple[int, str]]]:
        """The answer, and which blocks were fetched for it: each once, and no other bytes."""
        self.noting.fetched.clear()
        self.store.reset()
        made = self.lib.read("s", query_builder=query, **arguments).data
        ranges = self.noting.fetched
        of = {place: block for block, place in self.blocks.items()}
        assert len(set(ranges)) == len(ranges), "nothing is fetched twice"
        assert set(ranges) <= set(of), "only whole blocks are fetched"
        assert self.counted == sum(stop - start for _, start, stop in ranges)
        return made, {of[place] for place in ranges}

    @property
    def counted(self) -> int:
        """The bytes fetched of segments, as the store counted them."""
        return self.store.counts["fetch"].bytes if "fetch" in self.store.counts else 0


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    count = SLICES * ROWS
    columns = {f"c{number:02}": rng.standard_normal(count) for number in range(COLUMNS - 2)}
    columns["k"] = np.arange(count) // ROWS
    columns["n"] = rng.integers(0, 1000, count)
    return pd.DataFrame(columns, index=pd.date_range("2024", periods=count, freq="s", name="when"))


@pytest.fixture
def engine(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(segments, "BLOCK_VALUES", ROWS)
    made = Engine(frame)
    assert len(made.blocks) == SLICES * (COLUMNS + 1)
    return made


def test_two_columns_of_one_slice_by_statistics(engine: Engine, frame: pd.DataFrame) -> None:
    made, blocks = engine.fetched(QueryBuilder()[col("k") == 17], columns=["k", "c03"])
    pd.testing.assert_frame_equal(made, frame.loc[frame["k"] == 17, ["c03", "k"]], check_freq=False)
    assert blocks == {(17, "when"), (17, "k"), (17, "c03")}
    assert engine.store.counts["fetch"].bytes == sum(
        stop - start for _, start, stop in (engine.blocks[17, name] for name in ("when", "k", "c03"))
    )


def test_one_slice_by_the_range_of_the_index(engine: Engine, frame: pd.DataFrame) -> None:
    first, last = frame.index[17 * ROWS], frame.index[18 * ROWS - 1]
    expected = {(17, "when"), (17, "c03"), (17, "n")}
    wanted = frame.iloc[17 * ROWS : 18 * ROWS][["c03", "n"]]
    for query in (
        QueryBuilder().date_range((first, last)),
        QueryBuilder()[(col("when") >= first) & (col("when") <= last)],
        QueryBuilder()[col("when").between(first, last)],
    ):
        made, blocks = engine.fetched(query, columns=["c03", "n"])
        pd.testing.assert_frame_equal(made, wanted, check_freq=False)
        assert blocks == expected
    _, blocks = engine.fetched(QueryBuilder()[col("c03") > 9], columns=["n"], date_range=(first, last))
    assert {at for at, _ in blocks} <= {17}
    made, blocks = engine.fetched(QueryBuilder()[col("n") >= 0], columns=["c03", "n"], row_range=(680, 720))
    assert {at for at, _ in blocks} == {17}
    assert len(made) == 40


def test_other_columns_only_where_rows_are_left(engine: Engine, frame: pd.DataFrame) -> None:
    # Every slice's statistics allow for it; few rows have it.
    value = int(frame["n"].iloc[777])
    hits = set((np.flatnonzero(frame["n"] == value) // ROWS).tolist())
    made, blocks = engine.fetched(QueryBuilder()[col("n") == value], columns=["c03"])
    assert made["c03"].tolist() == frame.loc[frame["n"] == value, "c03"].tolist()
    assert {at for at, name in blocks if name != "n"} == hits
    looked = {at for at, name in blocks if name == "n"}
    per_slice = frame["n"].groupby(frame["k"])
    assert looked == {k for k, values in per_slice if values.min() <= value <= values.max()}
    assert hits < looked


def test_both_sides_of_and_prune(engine: Engine, frame: pd.DataFrame) -> None:
    least = frame["c05"].groupby(frame["k"]).min()
    slices = [k for k in (3, 17, 40) if least[k] < -2]
    made, blocks = engine.fetched(QueryBuilder()[col("k").isin(3, 17, 40) & (col("c05") < -2)], columns=["c03"])
    assert made["c03"].tolist() == frame.loc[frame["k"].isin([3, 17, 40]) & (frame["c05"] < -2), "c03"].tolist()
    assert blocks == {(at, name) for at in slices for name in ("k", "c05", "when", "c03")}
    either, blocks = engine.fetched(QueryBuilder()[(col("k") == 3) | (col("k") == 40)], columns=["c03"])
    assert len(either) == 2 * ROWS
    assert {at for at, _ in blocks} == {3, 40}


def test_head_and_tail_stop_early(engine: Engine, frame: pd.DataFrame) -> None:
    made, blocks = engine.fetched(QueryBuilder().head(3))
    assert len(made) == 3
    assert {at for at, _ in blocks} == {0}
    made, blocks = engine.fetched(QueryBuilder().tail(ROWS + 1), columns=["c03"])
    assert blocks == {(at, name) for at in (48, 49) for name in ("when", "c03")}
    for end, query in (
        ("head", QueryBuilder()[col("n") < 500].head(3)),
        ("tail", QueryBuilder()[col("n") < 500].tail(3)),
    ):
        made, blocks = engine.fetched(query, columns=["c03"])
        wanted = getattr(frame[frame["n"] < 500], end)(3)
        assert made["c03"].tolist() == wanted["c03"].tolist()
        near = 0 if end == "head" else SLICES - 1
        assert {at for at, name in blocks if name != "n"} == {near}
        assert len({at for at, name in blocks if name == "n"}) <= 8


def test_groups_and_buckets_read_what_they_need(engine: Engine, frame: pd.DataFrame) -> None:
    query = QueryBuilder()[col("k").isin(3, 40)].groupby("k").agg({"c03": "sum"})
    made, blocks = engine.fetched(query)
    assert made.index.tolist() == [3, 40]
    assert blocks == {(at, name) for at in (3, 40) for name in ("k", "c03")}
    query = QueryBuilder().date_range((frame.index[400], frame.index[450])).resample("10s").agg({"c03": "max"})
    _, blocks = engine.fetched(query)
    assert blocks == {(at, name) for at in (10, 11) for name in ("when", "c03")}
    _, blocks = engine.fetched(
        QueryBuilder()[col("k") > 47].groupby("k").agg({"c03": "sum", "n": "max"}), columns=["n"]
    )
    assert {name for _, name in blocks} <= {"k", "n", "c03"}


def test_nothing_is_fetched_where_statistics_say_no(engine: Engine) -> None:
    for condition in (
        col("k") > 49,
        col("k") == 3.5,
        col("c03").isna(),
        col("k").isin([-1, 50]),
        ~(col("k") >= 0),
        col("when") < pd.Timestamp("2024"),
    ):
        made, blocks = engine.fetched(QueryBuilder()[condition])
        assert len(made) == 0
        assert blocks == set()


def test_explain_tells_the_bytes(engine: Engine) -> None:
    text = engine.lib.read("s", lazy=True, columns=["c03"])[col("k") == 17].explain()
    expected = sum(stop - start for _, start, stop in (engine.blocks[17, name] for name in ("when", "k", "c03")))
    assert "slices: 1 of 50 after pruning (40 of 2,000 rows)" in text
    assert f"bytes to fetch: at most {expected:,}" in text


def test_levels_of_a_multiindex_prune(monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame) -> None:
    monkeypatch.setattr(segments, "BLOCK_VALUES", ROWS)
    deep = frame[["c03", "n", "k"]].set_index("k", append=True)
    engine = Engine(deep)
    made, blocks = engine.fetched(QueryBuilder()[col("k") == 17], columns=["n"])
    assert made["n"].tolist() == frame["n"].iloc[17 * ROWS : 18 * ROWS].tolist()
    assert blocks == {(17, "when"), (17, "k"), (17, "n")}
    _, blocks = engine.fetched(QueryBuilder()[col("when") < frame.index[ROWS]], columns=["n"])
    assert blocks == {(0, "when"), (0, "k"), (0, "n")}


def test_pieces_are_fetched_as_they_are_consumed(engine: Engine) -> None:
    engine.store.reset()
    pieces = engine.lib.read("s", lazy=True, columns=["c03"]).collect_batches(ROWS)
    first = next(pieces)
    assert first.num_rows == ROWS
    assert engine.counted < sum(stop - start for (_, name), (_, start, stop) in engine.blocks.items() if name == "c03")
    assert 1 + sum(1 for _ in pieces) == SLICES
