"""Building queries: what changes what, how they print, compare, copy and travel."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from coldframe.exceptions import ArcticException, UserInputException
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import ExpressionNode, col, where

PRINTED = {
    'WHERE (Column["a"] GT Val(UINT8:3)) | ROWRANGE: HEAD, n=2': lambda q: q[q["a"] > 3].head(2),
    'WHERE NOT(((Column["a"] GT Val(INT8:-3)) OR Column["b"]))': lambda q: q[~((q.a > -3) | q.b)],
    'WHERE IDENTITY(Column["b"])': lambda q: q[q["b"]],
    'WHERE ISNULL(Column["a"])': lambda q: q[q["a"].isna()],
    'WHERE NOT((Column["a"] GT Val(UINT8:1)))': lambda q: q[(q["a"] > 1) ^ True],
    'WHERE (Column["a"] ISIN ValueSet(INT64,n=2))': lambda q: q[q["a"] == {1, 2}],
    'WHERE (Column["a"] ISNOTIN ValueSet(UTF_DYNAMIC64,n=1))': lambda q: q[q["a"] != ["x", "x"]],
    'WHERE (Column["a"] ISIN ValueSet(UTF_DYNAMIC64,n=0))': lambda q: q[q["a"].isin([])],
    'WHERE (Column["s"] NE Val(UTF_DYNAMIC64:"b"))': lambda q: q[q["s"] != "b"],
    'WHERE (Column["t"] GT Val(NANOSECONDS_UTC64:2020-01-02 00:00:00.000000000))': lambda q: q[
        q["t"] > pd.Timestamp("2020-01-02")
    ],
    'PROJECT Column["n"] = (Val(UINT8:1) SUB Column["a"])': lambda q: q.apply("n", 1 - q["a"]),
    'PROJECT Column["n"] = ((ABS(Column["f"]) POW Val(UINT8:2)) DIV Val(UINT8:3))': lambda q: q.apply(
        "n", abs(q["f"]) ** 2 / 3
    ),
    'PROJECT Column["n"] = Column["a"] if (Column["a"] GT Val(UINT8:1)) else Val(UINT8:1)': lambda q: q.apply(
        "n", where(q["a"] > 1, q["a"], 1)
    ),
    'GROUPBY Column["s"] | AGGREGATE {a: (a, sum), o: (f, mean), }': lambda q: q.groupby("s").agg(
        {"a": "sum", "o": ("f", "mean")}
    ),
    "RESAMPLE(2h) | AGGREGATE {a: (a, sum), }": lambda q: q.resample("2h", offset="1h").agg({"a": "sum"}),
    "DATE RANGE 1577836800000000000 - 9223372036854775807": lambda q: q.date_range((pd.Timestamp("2020"), None)),
    "ROWRANGE: TAIL, n=3": lambda q: q.tail(3),
    "ROWRANGE: HEAD, n=-3": lambda q: q.head(-3),
    "ROWRANGE: RANGE, start=1, end=None": lambda q: q.row_range((1, None)),
    "CONCAT": lambda q: q.concat("INNER"),
    "": lambda q: q,
}


@pytest.mark.parametrize("text", PRINTED)
def test_printed(text):
    query = PRINTED[text](QueryBuilder())
    assert str(query) == text
    for twin in (
        pickle.loads(pickle.dumps(query)),
        copy.deepcopy(query),
        copy.copy(query),
        PRINTED[text](QueryBuilder()),
    ):
        assert twin == query
        assert twin is not query


def test_filters_make_new_builders_and_the_rest_does_not():
    query = QueryBuilder()
    kept = query[query["a"] > 1]
    assert str(query) == ""
    assert kept.head(2) is kept
    assert str(kept).endswith("n=2")
    query["n"] = query["a"] + 1
    assert str(query).startswith("PROJECT")


def test_copies_do_not_share():
    query = QueryBuilder().head(1)
    other = copy.deepcopy(query)
    other.tail(1)
    assert query != other
    assert len(query.clauses) == 1


def test_then_and_prepend():
    one, other = QueryBuilder().head(1), QueryBuilder().tail(2)
    assert one.then(other) is one
    assert str(one) == "ROWRANGE: HEAD, n=1 | ROWRANGE: TAIL, n=2"
    assert str(QueryBuilder().head(3).prepend(other)) == "ROWRANGE: TAIL, n=2 | ROWRANGE: HEAD, n=3"
    assert str(other) == "ROWRANGE: TAIL, n=2"


def test_equality_looks_at_the_optimisation():
    assert QueryBuilder().optimise_for_memory() != QueryBuilder()
    assert QueryBuilder().optimise_for_memory().optimise_for_speed() == QueryBuilder()
    assert QueryBuilder() != 3


def test_columns_by_attribute():
    query = QueryBuilder()
    assert isinstance(query.price, ExpressionNode)
    assert str(query.price) == 'Column["price"]'
    with pytest.raises(AttributeError):
        query.__nothing__  # noqa: B018


def test_expressions_travel():
    expression = where((col("a") > 1) & col("s").str.lower().isin("x", "y"), col("t").dt.floor("1h"), col("t"))
    assert str(pickle.loads(pickle.dumps(expression))) == str(expression)
    assert expression.columns() == {"a", "s", "t"}


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda q: q.head("x"), TypeError),
        (lambda q: q.tail(2.5), TypeError),
        (lambda q: q.limit(-1), UserInputException),
        (lambda q: q.row_range((np.int64(1), 2)), UserInputException),
        (lambda q: q.row_range((1, 2.5)), UserInputException),
        (lambda q: q.row_range(3), UserInputException),
        (lambda q: q.date_range(("2020", "2021")), TypeError),
        (lambda q: q.date_range((np.datetime64("2020"), None)), TypeError),
        (lambda q: q.date_range(3), TypeError),
        (lambda q: q.concat("foo"), ArcticException),
        (lambda q: q.concat(None), ArcticException),
        (lambda q: q.sort_values([]), UserInputException),
        (lambda q: q.sort_values("a", [True, False]), UserInputException),
        (lambda q: q.drop_duplicates(keep="some"), UserInputException),
        (lambda q: q.rename(["a"]), UserInputException),
        (lambda q: q.cast("a"), UserInputException),
        (lambda q: q.cast({"a": "complex128"}), UserInputException),
        (lambda q: q.select(3), UserInputException),
        (lambda q: q.apply(3, 1), TypeError),
    ],
)
def test_refused(build, error):
    with pytest.raises(error):
        build(QueryBuilder())
