"""Arithmetic of times against pandas: units that meet, and what 64 bits do not hold."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from coldframe.exceptions import UserInputException
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col, where

FRAME = pd.DataFrame(
    {
        "s": np.array(["2020-01-01", "3000-01-01", "0100-01-01", "NaT"], dtype="M8[s]"),
        "n": np.array(["2262-01-01", "1700-01-01", "2020-01-01", "NaT"], dtype="M8[ns]"),
        "d": np.array([2**62, -(2**62), 5, "NaT"], dtype="m8[ns]"),
        "i": [1, 2, 3, 4],
        "u": np.array([2**63, 0, 1, 2], dtype="u8"),
        "f": [0.5, -2.0, 1e10, np.nan],
    }
)
HALF = pd.Timestamp("2020-01-01 00:00:00.5")


@pytest.mark.parametrize(
    "expression",
    [
        col("n") + pd.Timedelta("80000D"),
        col("n") - pd.Timedelta("80000D"),
        pd.Timedelta("80000D") + col("n"),
        col("n") - col("s"),
        col("s") - col("n"),
        col("d") + col("d"),
        col("d") - (-col("d")),
        col("d") * 3,
        col("d") * -2 * -1,
        col("d") * 3.5,
        col("d") / 0.25,
        col("d") * col("u"),
        where(col("i") > 1, col("s"), col("n")),
    ],
)
def test_results_out_of_range_are_errors(ask, expression):
    with pytest.raises(UserInputException, match="out of the range"):
        ask(FRAME, QueryBuilder().apply("x", expression))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (col("d") + pd.Timedelta("1s"), FRAME["d"] + pd.Timedelta("1s")),
        (col("d") - col("d"), FRAME["d"] - FRAME["d"]),
        (col("d") * -1, FRAME["d"] * -1),
        (col("d") * 0, FRAME["d"] * 0),
        (col("d") / 2, FRAME["d"] / 2),
        (col("n") - pd.Timestamp("1980-01-01"), FRAME["n"] - pd.Timestamp("1980-01-01")),
        (col("s") - HALF, FRAME["s"].astype("M8[ms]") - HALF),
        (HALF - col("s"), HALF - FRAME["s"].astype("M8[ms]")),
        (col("s") + pd.Timedelta("250ms"), FRAME["s"].astype("M8[ms]") + pd.Timedelta("250ms")),
        (where(col("i") < 2, col("n"), col("s").fillna(HALF).clip(HALF, HALF)), FRAME["n"].where(FRAME["i"] < 2, HALF)),
        (where(col("i") != 2, HALF, col("s")), FRAME["s"].astype("M8[ms]").where(FRAME["i"] == 2, HALF)),
        (col("s").fillna(HALF), FRAME["s"].astype("M8[ms]").fillna(HALF)),
        (col("s").fillna(pd.Timestamp("2020-01-01")), FRAME["s"].fillna(pd.Timestamp("2020-01-01"))),
        (col("s").clip(HALF, None), FRAME["s"].astype("M8[ms]").clip(HALF)),
        (col("s").clip(None, HALF), FRAME["s"].astype("M8[ms]").clip(upper=HALF)),
    ],
)
def test_units_that_meet(ask, expression, wanted):
    made = ask(FRAME, QueryBuilder().apply("x", expression).apply("gone", col("x").isna()))
    assert made["gone"].tolist() == wanted.isna().tolist()
    assert made["x"].dropna().tolist() == wanted.dropna().tolist()


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        (col("s").clip(HALF, None), "ms"),
        (col("s").fillna(HALF), "ms"),
        (where(col("i") > 1, col("s"), HALF), "ms"),
        (col("s") + pd.Timedelta("1us"), "us"),
        (col("s") + pd.Timedelta("1h"), "s"),
        (col("n").clip(HALF, None), "ns"),
    ],
)
def test_a_constant_asks_for_no_finer_unit_than_it_needs(ask, expression, unit):
    assert ask(FRAME, QueryBuilder().apply("x", expression))["x"].dtype == f"datetime64[{unit}]"


@pytest.mark.parametrize("freq", ["1500ms", "300ms", "7us"])
def test_frequencies_that_a_unit_cannot_count_are_refused(ask, freq):
    with pytest.raises(UserInputException, match="no whole s; cast to datetime64"):
        ask(FRAME, QueryBuilder().apply("x", col("s").dt.floor(freq)))


@pytest.mark.parametrize("freq", ["500ms", "1ns", "1s", "2s"])
def test_frequencies_that_a_unit_can_count(ask, freq):
    made = ask(FRAME, QueryBuilder().apply("x", col("s").dt.floor(freq)))["x"]
    assert made.dropna().tolist() == FRAME["s"].dropna().tolist()


SPANS = pd.DataFrame(
    {
        "a": np.array([2**60 + 1, -(2**60) - 1, 7, -7, 0, "NaT", 10], dtype="m8[ns]"),
        "b": np.array([3, 3, -2, 2, 5, 1, "NaT"], dtype="m8[ns]"),
        "i": [1, 3, -2, 2, 7, 1, 1],
    }
)
COUNTS = {name: [None if value is pd.NaT else pd.Timedelta(value).value for value in SPANS[name]] for name in "ab"}
COUNTS |= {"i": SPANS["i"].tolist()}


def _towards_zero(a, b):
    return math.trunc(Fraction(a, b))


@pytest.mark.parametrize(
    ("expression", "of", "left", "right"),
    [
        (col("a") // col("b"), operator.floordiv, "a", "b"),
        (col("a") % col("b"), operator.mod, "a", "b"),
        (col("a") // pd.Timedelta(2), operator.floordiv, "a", 2),
        (pd.Timedelta(100) % col("b"), operator.mod, 100, "b"),
        (col("a") // 3, operator.floordiv, "a", 3),
        (col("a") // -3, operator.floordiv, "a", -3),
        (col("a") // col("i"), operator.floordiv, "a", "i"),
        (col("a") / col("i"), _towards_zero, "a", "i"),
        (col("a") / 1, _towards_zero, "a", 1),
        (col("a") / -3, _towards_zero, "a", -3),
        (col("b") // 2.5, operator.floordiv, "b", 2.5),
    ],
)
def test_durations_are_divided_exactly(ask, expression, of, left, right):
    """As Python's integers are, and pd.Timedelta; a Series loses digits, or cuts instead of going down."""
    query = QueryBuilder().apply("x", expression)[col("x").notna()]
    made = ask(SPANS.assign(row=range(len(SPANS))), query)
    sides = [COUNTS[side] if isinstance(side, str) else [side] * len(SPANS) for side in (left, right)]
    wanted = [None if a is None or b is None else of(a, b) for a, b in zip(*sides, strict=True)]
    assert made["row"].tolist() == [row for row, value in enumerate(wanted) if value is not None]
    assert made["x"].astype("i8").tolist() == [value for value in wanted if value is not None]


def test_durations_divided_by_nothing_are_missing(ask):
    query = QueryBuilder().apply("z", col("b") - col("b"))
    for expression in (col("a") // col("z"), col("a") % col("z"), col("a") // 0, col("a") / 0, col("a") // 0.0):
        assert ask(SPANS, QueryBuilder().then(query).apply("x", expression))["x"].isna().all()


def test_durations_divided_by_more_than_they_count(ask):
    frame = pd.DataFrame({"a": np.array([2**62, -5, 0], dtype="m8[ns]"), "u": np.array([2**64 - 1] * 3, dtype="u8")})
    query = QueryBuilder().apply("down", col("a") // col("u")).apply("cut", col("a") / col("u"))
    made = ask(frame, query)
    assert made["down"].astype("i8").tolist() == [0, -1, 0]
    assert made["cut"].astype("i8").tolist() == [0, 0, 0]
