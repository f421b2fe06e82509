"""Arithmetic of times against pandas: units that meet, and what 64 bits do not hold."""

from __future__ import annotations

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
