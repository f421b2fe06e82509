"""Plans as text, and results that come piece by piece."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.query.builder import QueryBuilder
from coldframe.query.execute import run, stream
from coldframe.query.explain import explain
from coldframe.query.expressions import col
from coldframe.query.plan import make_plan


@pytest.fixture
def table():
    frame = pd.DataFrame({name: np.arange(500) * 1.0 for name in "abcdefgh"} | {"k": np.arange(500) // 10})
    return normalize(frame, symbol="prices")


def test_says_what_is_read_and_where(table, sliced):
    query = QueryBuilder()[col("k") == 17].apply("n", col("a") * 2).groupby("k").agg({"n": "sum"})[col("n") > 1].head(3)
    source = sliced(table, 10)
    text = explain(make_plan(query.clauses, table.schema), source)
    assert source.loads == []
    for part in (
        "slices: 1 of 50 after pruning (10 of 500 rows)",
        "columns: 2 of 9 (a, k)",
        'filter (Column["k"] EQ Val(UINT8:17))',
        'compute (Column["a"] MUL Val(UINT8:2))',
        'group by Column["k"]: sum',
        "in memory",
        "stops when there are enough",
        "gives: k, n",
    ):
        assert part in text
    source.stored_bytes = lambda slices, columns: len(slices) * len(columns) * 1000
    assert "bytes to fetch: at most 2,000" in explain(make_plan(query.clauses, table.schema), source)


@pytest.mark.parametrize(
    ("query", "part"),
    [
        (QueryBuilder().sort_values(["b", "a"], [True, False]), "sort by b, a downwards"),
        (QueryBuilder().drop_duplicates(["k", "a"]), "drop duplicates by k, a"),
        (QueryBuilder().unique(), "drop duplicates by all columns"),
        (
            QueryBuilder().date_range((pd.Timestamp("2020-01-01 10:00"), None)),
            "date range 2020-01-01 11:00:00+01:00 to any time",
        ),
        (
            QueryBuilder().date_range((None, pd.Timestamp("2020-07-01", tz="Europe/Paris"))),
            "date range any time to 2020-07-01 00:00:00+02:00",
        ),
    ],
)
def test_names_columns_and_times(sliced, query, part):
    index = pd.date_range("2020-01-01", periods=5, tz="Europe/Paris", name="when").as_unit("s")
    table = normalize(pd.DataFrame({name: np.arange(5) for name in "abk"}, index=index), symbol="prices")
    assert f"{part}\n" in explain(make_plan(query.clauses, table.schema), sliced(table, 2))


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize(
    "query",
    [
        QueryBuilder(),
        QueryBuilder()[col("a") > 123].apply("n", col("b") + 1),
        QueryBuilder()[col("a") > 9000],
        QueryBuilder()[col("a") > 123].head(77)[col("b") < 180],
        QueryBuilder().tail(33),
        QueryBuilder().sort_values("k", ascending=False).select("k"),
        QueryBuilder().groupby("k").agg({"a": "max"}),
    ],
)
def test_pieces_make_the_whole(table, sliced, query, most):
    plan = make_plan(query.clauses, table.schema)
    whole = denormalize(run(plan, sliced(table, 13)))
    pieces = [denormalize(piece) for piece in stream(plan, sliced(table, 13), most)]
    assert all(len(piece) <= most for piece in pieces)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole.reset_index(drop=True))


def test_pieces_are_made_as_they_are_consumed(table, sliced):
    source = sliced(table, 10)
    pieces = stream(make_plan([], table.schema), source, 10)
    next(pieces)
    assert len({index for index, _ in source.loads}) < 20
