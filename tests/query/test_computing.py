"""Division, rounding and bounds of integers against Python, and casts against pandas, with what does not fit."""

from __future__ import annotations

import operator

import numpy as np
import pandas as pd
import pytest

from coldframe.exceptions import UserInputException
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col

WIDTHS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def _edges(width):
    info = np.iinfo(width)
    held = [info.min, info.min + 1, info.max, info.max - 1, 0, 1, 3, 7, -1 if info.min else 2, -3 if info.min else 5]
    return np.array(held, dtype=width)


@pytest.mark.parametrize("op", [operator.floordiv, operator.mod])
@pytest.mark.parametrize("right", [*WIDTHS, 2, 3, -2, -3, -1, 300, 2**63, 0])
@pytest.mark.parametrize("left", WIDTHS)
def test_integers_divide_downwards_as_in_python(ask, left, right, op):
    ours, theirs = _edges(left), _edges(right) if isinstance(right, str) else np.array([right])
    pairs = [(a, b) for a in ours.tolist() for b in theirs.tolist()]
    frame = pd.DataFrame({"a": np.array([a for a, _ in pairs], dtype=left)})
    if isinstance(right, str):
        frame["b"] = np.array([b for _, b in pairs], dtype=right)
    divisor = col("b") if isinstance(right, str) else right
    query = QueryBuilder().apply("z", op(col("a"), divisor)).apply("none", col("z").isna())
    made = ask(frame, query.apply("z", col("z").fillna(0)), size=7)
    assert made["none"].tolist() == [b == 0 for _, b in pairs]
    for (a, b), got in zip(pairs, made["z"].tolist(), strict=True):
        exact = op(a, b) if b else 0
        # Only what no type of 64 bits holds goes round, as in all arithmetic.
        fits = exact if -(2**63) <= exact < (2**64 if made["z"].dtype == "uint64" else 2**63) else None
        assert got == fits or (fits is None and (got - exact) % 2**64 == 0), (a, b)


@pytest.mark.parametrize(
    ("left", "op", "right", "dtype"),
    [
        ("int8", operator.floordiv, "int8", "int16"),
        ("int64", operator.floordiv, "int8", "int64"),
        ("uint8", operator.floordiv, "uint8", "uint8"),
        ("int8", operator.mod, "int8", "int8"),
        ("uint64", operator.floordiv, "int8", "int64"),
        ("uint64", operator.mod, "int8", "int64"),
        ("int8", operator.mod, "uint64", "uint64"),
        ("int8", operator.floordiv, "uint64", "int64"),
    ],
)
def test_types_of_quotients_and_rests(ask, left, op, right, dtype):
    frame = pd.DataFrame({"a": np.array([7, 9], dtype=left), "b": np.array([2, 5], dtype=right)})
    made = ask(frame, QueryBuilder().apply("z", op(col("a"), col("b"))))["z"]
    assert made.dtype == dtype
    assert made.tolist() == [op(7, 2), op(9, 5)]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, -0.0, 0.0, 2.5, np.nan, 1e30, 1e-7, -3.0]),
        np.array([0.1, -0.0, 3.0, np.nan], dtype="f4"),
        np.array([True, False, True]),
        np.array([-1, 0, 127], dtype="i1"),
        np.array([2**64 - 1, 0], dtype="u8"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_numbers_are_printed_as_in_pandas(ask, values, size):
    frame = pd.DataFrame({"x": values})
    made = ask(frame, QueryBuilder().apply("x", col("x").cast("string")), size=size)["x"]
    assert made.fillna("-").tolist() == frame["x"].astype(str).where(frame["x"].notna(), "-").tolist()


def test_strings_beneath_missing_ones_are_not_parsed(ask):
    frame = pd.DataFrame({"s": np.array(["1", None, "22", np.nan], dtype=object)})
    for dtype in ("int8", "int64", "float64", "float32"):
        assert ask(frame, QueryBuilder().apply("x", col("s").cast(dtype)))["x"].fillna(-1).tolist() == [1, -1, 22, -1]
    words = pd.DataFrame({"s": np.array(["true", None], dtype=object)})
    assert ask(words, QueryBuilder().apply("x", col("s").cast("bool")))["x"].tolist() == [True, None]
    days = pd.DataFrame({"s": np.array(["2020-02-29", None], dtype=object)})
    made = ask(days, QueryBuilder().apply("x", col("s").cast("datetime64[us]")))["x"]
    assert made.tolist() == [pd.Timestamp("2020-02-29"), pd.NaT]


@pytest.mark.parametrize(
    ("values", "dtype", "shown"),
    [
        (np.array([1, 2**63], dtype="u8"), "datetime64[ns]", "9223372036854775808"),
        (np.array([1, 2**64 - 1], dtype="u8"), "timedelta64[s]", "18446744073709551615"),
        (np.array([1.0, 1e300]), "float32", "1e\\+300"),
        (np.array([1, 70_000]), "float16", "70000"),
        (np.array([1, 300]), "uint8", "300"),
        (np.array([1, -1]), "uint64", "-1"),
        (np.array([1.0, np.nan]), "int64", "nan"),
        (np.array([1.0, 2.0**63]), "int64", "9.22"),
        (np.array(["1", "x"], dtype=object), "int64", "x"),
        (np.array(["1", "300"], dtype=object), "int8", "300"),
        (np.array(["2020-01-01", "2020-02-30"], dtype=object), "datetime64[ns]", "2020-02-30"),
        (np.array([True, False]), "datetime64[ns]", "bool"),
    ],
)
def test_what_does_not_fit_is_an_error_that_shows_it(ask, values, dtype, shown):
    with pytest.raises(UserInputException, match=shown):
        ask(pd.DataFrame({"x": values}), QueryBuilder().apply("x", col("x").cast(dtype)))


def test_infinity_fits(ask):
    frame = pd.DataFrame({"x": [np.inf, -np.inf, np.nan]})
    made = ask(frame, QueryBuilder().apply("x", col("x").cast("float32")))["x"]
    assert made.tolist()[:2] == [np.inf, -np.inf]
    assert np.isnan(made[2])


@pytest.mark.parametrize("decimals", [-1, -2, -3, -5, -400, 0, 3])
@pytest.mark.parametrize("width", ["int8", "int16", "int32", "uint8", "uint16", "uint32"])
def test_integers_are_rounded_exactly(ask, width, decimals):
    frame = pd.DataFrame({"x": np.append(_edges(width), np.array([5, 15, 25, 45, 50, 99], dtype=width))})
    made = ask(frame, QueryBuilder().apply("x", col("x").round(decimals)))["x"]
    assert made.tolist() == [round(value, decimals) for value in frame["x"].tolist()]


def test_floats_are_rounded_as_far_as_there_are_decimals(ask):
    frame = pd.DataFrame({"x": [1e300, -0.125, 1e-9, np.inf, np.nan]})
    for decimals, wanted in ((400, [1e300, -0.125, 1e-9]), (20, [1e300, -0.125, 1e-9]), (-400, [0, 0, 0])):
        made = ask(frame, QueryBuilder().apply("x", col("x").round(decimals)))["x"].tolist()
        assert made[:4] == [*wanted, np.inf]
        assert np.isnan(made[4])


@pytest.mark.parametrize(
    ("low", "high", "dtype", "wanted"),
    [
        (-1000, 100, "int8", [100, -128, 5]),
        (200, 300, "int16", [200, 200, 200]),
        (None, -200, "int16", [-200, -200, -200]),
        (0.5, 10, "float64", [10, 0.5, 5]),
        (10, 5, "int8", [10, 5, 5]),
        (None, None, "int8", [127, -128, 5]),
    ],
)
def test_bounds_hold_whatever_the_type(ask, low, high, dtype, wanted):
    frame = pd.DataFrame({"x": np.array([127, -128, 5], dtype="i1")})
    made = ask(frame, QueryBuilder().apply("x", col("x").clip(low, high)))["x"]
    assert made.dtype == dtype
    assert made.tolist() == wanted
