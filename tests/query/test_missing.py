"""What functions make of missing values compares as in pandas: false, but `!=` holds; of lacking ones, never."""

from __future__ import annotations

import operator

import numpy as np
import pandas as pd
import pytest

from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col, where

ROWS = 6
TIMES = pd.Series(
    pd.DatetimeIndex(
        ["2020-01-01 07:30:00", None, "2020-03-29 01:30:00", "2021-12-31 23:59:59", None, "1969-07-20 00:00:00"]
    )
)
FRAME = pd.DataFrame(
    {
        "t": TIMES,
        "z": TIMES.dt.tz_localize("UTC").dt.tz_convert("Europe/London"),
        "d": pd.to_timedelta(pd.Series(["1s", "2s", None, "-3s", None, "1D"])),
        "f": [1.5, np.nan, -2.5, 0.0, np.nan, 7.25],
        "g": np.array([0.5, 1.5, np.nan, np.nan, -4.0, 2.0], dtype="f4"),
        "s": np.array(["Ab", None, "", "äß", np.nan, " c "], dtype=object),
        "n": np.array(["1", None, "-7", "12", np.nan, "0"], dtype=object),
        "c": pd.Categorical(["x", "y", None, "x", None, "z"]),
        "i": np.array([2, 0, -3, 0, 5, 1], dtype=np.int64),
        "u": np.array([1, 2, 3, 0, 0, 9], dtype=np.uint8),
        "o": np.arange(ROWS),
    }
)
T, Z, D, F, G, S, N, I, U = (FRAME[name] for name in "tzdfgsniu")
LENGTHS = S.str.len().astype(float)
HOURS = T.dt.hour.astype(float)
NUMERIC = N.astype(float)

PARTS = ("year", "quarter", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond", "weekday")
PANDAS = {"weekday": "day_of_week", "dayofyear": "day_of_year"}
CASES = {
    **{f"t.{part}": (getattr(col("t").dt, part), getattr(T.dt, PANDAS.get(part, part))) for part in PARTS},
    **{
        f"z.{part}": (getattr(col("z").dt, part), getattr(Z.dt, PANDAS.get(part, part)))
        for part in ("hour", "day", "dayofyear")
    },
    "t": (col("t"), T),
    "t.date": (col("t").dt.date, T.dt.normalize()),
    "t.floor": (col("t").dt.floor("h"), T.dt.floor("h")),
    "t.ceil": (col("t").dt.ceil("D"), T.dt.ceil("D")),
    "t.round": (col("t").dt.round("1s"), T.dt.round("1s")),
    "t.localized": (col("t").dt.tz_localize("Asia/Tokyo"), T.dt.tz_localize("Asia/Tokyo")),
    "z.converted": (col("z").dt.tz_convert("Asia/Tokyo"), Z.dt.tz_convert("Asia/Tokyo")),
    "t-stamp": (col("t") - pd.Timestamp("2020-01-01"), T - pd.Timestamp("2020-01-01")),
    "t+d": (col("t") + col("d"), T + D),
    "t-d": (col("t") - col("d"), T - D),
    "d": (col("d"), D),
    "d*2": (col("d") * 2, D * 2),
    "d*f": (col("d") * col("f"), D * F),
    "d*length": (col("d") * col("s").str.len(), D * LENGTHS),
    "length*d": (col("s").str.len() * col("d"), D * LENGTHS),
    "d/2": (col("d") / 2, D / 2),
    "d/d": (col("d") / pd.Timedelta("1s"), D / pd.Timedelta("1s")),
    "abs d": (abs(col("d")), D.abs()),
    "-d": (-col("d"), -D),
    "clip d": (col("d").clip(pd.Timedelta("0s"), pd.Timedelta("1h")), D.clip(pd.Timedelta("0s"), pd.Timedelta("1h"))),
    "d as int": (col("d").cast("int64"), D / pd.Timedelta(1, FRAME["d"].dt.unit)),
    "t as float": (col("t").cast("float64"), (T - pd.Timestamp(0)) / pd.Timedelta(1, FRAME["t"].dt.unit)),
    "t as seconds": (col("t").cast("datetime64[s]"), T.dt.floor("s")),
    "f": (col("f"), F),
    "f+1": (col("f") + 1, F + 1),
    "f*g": (col("f") * col("g"), F * G),
    "f//i": (col("f") // col("i"), F // I),
    "f%2": (col("f") % 2, F % 2),
    "f**2": (col("f") ** 2, F**2),
    "-g": (-col("g"), -G),
    "abs f": (abs(col("f")), F.abs()),
    "round f": (col("f").round(), F.round()),
    "clip f": (col("f").clip(0, 5), F.clip(0, 5)),
    "f as f4": (col("f").cast("float32"), F.astype("f4")),
    "f where": (where(col("i") > 0, col("f"), col("g")), F.where(I > 0, G)),
    "length": (col("s").str.len(), LENGTHS),
    "length+1": (col("s").str.len() + 1, LENGTHS + 1),
    "length-u": (col("s").str.len() - col("u"), LENGTHS - U),
    "length*1.5": (col("s").str.len() * 1.5, LENGTHS * 1.5),
    "length/2": (col("s").str.len() / 2, LENGTHS / 2),
    "2-length": (2 - col("s").str.len(), 2 - LENGTHS),
    "length**2": (col("s").str.len() ** 2, LENGTHS**2),
    "length//2": (col("s").str.len() // 2, LENGTHS // 2),
    "length%2": (col("s").str.len() % 2, LENGTHS % 2),
    "-length": (-col("s").str.len(), -LENGTHS),
    "abs length": (abs(-col("s").str.len()), LENGTHS),
    "clip length": (col("s").str.len().clip(1, 2), LENGTHS.clip(1, 2)),
    "clip length to 0": (col("s").str.len().clip(0, 0), LENGTHS.clip(0, 0)),
    "round length": (col("s").str.len().round(-1), LENGTHS.round(-1)),
    "length as i1": (col("s").str.len().cast("int8"), LENGTHS),
    "length as f4": (col("s").str.len().cast("float32"), LENGTHS.astype("f4")),
    "length as time": (col("s").str.len().cast("datetime64[s]"), pd.to_datetime(LENGTHS, unit="s")),
    "length+hour": (col("s").str.len() + col("t").dt.hour, LENGTHS + HOURS),
    "length where": (where(col("i") > 0, col("s").str.len(), col("i")), LENGTHS.where(I > 0, I)),
    "hour where f": (where(col("i") > 0, col("t").dt.hour, col("f")), HOURS.where(I > 0, F)),
    "i//i": (col("i") // col("i"), (I / I.where(I != 0))),
    "u%u": (col("u") % col("u"), U % U.where(U != 0)),
    "i//i + 1": (col("i") // col("i") + 1, I / I.where(I != 0) + 1),
    "n as int": (col("n").cast("int64"), NUMERIC),
    "n as float": (col("n").cast("float64"), NUMERIC),
    "n as uint via float": (col("n").cast("int16") + 7, NUMERIC + 7),
}
TEXTS = {
    "s": (col("s"), S),
    "lower": (col("s").str.lower(), S.str.lower()),
    "upper": (col("s").str.upper(), S.str.upper()),
    "strip": (col("s").str.strip(), S.str.strip()),
    "slice": (col("s").str.slice(0, 1), S.str.slice(0, 1)),
    "replace": (col("s").str.replace("b", "-"), S.str.replace("b", "-", regex=False)),
    "where": (where(col("i") > 0, col("s"), col("n")), S.where(I > 0, N)),
    "category": (col("c").cast("string"), FRAME["c"].astype(object)),
    "length as text": (col("s").str.len().cast("string"), LENGTHS.map("{:.0f}".format, na_action="ignore")),
    "i//i as text": (
        (col("i") // col("i")).cast("string"),
        (I / I.where(I != 0)).map("{:.0f}".format, na_action="ignore"),
    ),
}
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _holds(compare, wanted, value):
    """What pandas says of each row; orders of strings leave missing ones out as those of numbers do."""
    if wanted.dtype == object and compare not in (operator.eq, operator.ne):
        return (
            compare(wanted.fillna("").astype(object), value if np.isscalar(value) else value.fillna(""))
            & wanted.notna()
        )
    return compare(wanted, value)


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _conditions(made, wanted):
    """Conditions on an expression, and where pandas finds that they hold."""
    value = _plain(wanted.dropna().iloc[0])
    for name, compare in COMPARISONS.items():
        yield name, compare(made, value), _holds(compare, wanted, value)
        yield f"not {name}", ~compare(made, value), ~_holds(compare, wanted, value)
        yield f"{name} itself", compare(made, made), _holds(compare, wanted, wanted)
        yield f"where {name}", where(compare(made, value), 1, 2) == 1, _holds(compare, wanted, value)
    inside = _holds(operator.ge, wanted, value) & _holds(operator.le, wanted, value)
    yield "between", made.between(value, value), inside
    yield "not between", ~made.between(value, value), ~inside
    yield "isin", made.isin([value]), wanted.isin([value])
    yield "isnotin", made.isnotin([value]), ~wanted.isin([value])
    yield "not isin", ~made.isin([value]), ~wanted.isin([value])
    yield "isna", made.isna(), wanted.isna()
    yield "notna", made.notna(), wanted.notna()
    yield "fillna", made.fillna(value) == value, wanted.fillna(value) == value
    yield "fillna !=", made.fillna(value) != value, wanted.fillna(value) != value


def _asked(route, expression):
    """The start of a query, and the expression by which it goes on: as it is, a column, or one of rows that moved."""
    if route == "at once":
        return QueryBuilder(), expression
    query = QueryBuilder().apply("x", expression)
    return (query if route == "as a column" else query.sort_values("o", ascending=False).head(len(FRAME))), col("x")


@pytest.mark.parametrize("route", ["at once", "as a column", "sorted"])
@pytest.mark.parametrize("case", [*CASES, *TEXTS])
def test_missing_values_compare_as_in_pandas(ask, case, route):
    expression, wanted = (CASES | TEXTS)[case]
    assert wanted.isna().any(), "a case without missing values shows nothing"
    query, made = _asked(route, expression)
    holding = {}
    for name, condition, holds in _conditions(made, wanted):
        query.apply(name, condition)
        holding[name] = holds.astype(bool).tolist()
    answers = ask(FRAME, query, size=2).sort_values("o")
    assert {name: answers[name].tolist() for name in holding} == holding


@pytest.mark.parametrize("size", [1, 2, 7])
def test_missing_integers_are_nan_in_results(ask, size):
    query = QueryBuilder().apply("hour", col("t").dt.hour).apply("length", col("s").str.len())
    made = ask(FRAME, query.apply("double", col("u") * 2).apply("truth", col("n").cast("int8").cast("bool")), size=size)
    pd.testing.assert_series_equal(made["hour"], T.dt.hour.astype(float), check_names=False)
    pd.testing.assert_series_equal(made["length"], LENGTHS, check_names=False)
    assert made["double"].dtype == "uint16"
    assert made["truth"].tolist() == [True, None, True, True, None, False]


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("how", ["min", "max", "first", "last"])
def test_groups_of_missing_integers_have_none(ask, how, size):
    frame = FRAME.assign(k=[1, 1, 2, 2, 3, 3], hour=HOURS)
    frame.loc[5, ["t", "hour"]] = None, None
    made = ask(frame, QueryBuilder().apply("h", col("t").dt.hour).groupby("k").agg({"h": how}), size=size)["h"]
    pd.testing.assert_series_equal(made, getattr(frame.groupby("k")["hour"], how)(), check_names=False)
    assert made.isna().tolist() == [False, False, True]
    kept = ask(
        frame, QueryBuilder().apply("h", col("t").dt.hour).groupby("k").agg({"h": how})[col("h") != 99], size=size
    )
    assert len(kept) == 3


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("how", ["min", "first", "median"])
def test_groups_of_rows_without_the_column_have_no_value_to_compare(ask, how, size):
    frame = pd.DataFrame({"k": [1, 1, 2], "x": [0, 0, 3]})
    lacking = dict.fromkeys(range({1: 2, 2: 1}.get(size, 0)), (1,))
    query = QueryBuilder().groupby("k").agg({"x": how})
    if lacking and how != "median":
        assert ask(frame, query, size=size, lacking=lacking)["x"].tolist() == [0, 3]
        assert ask(frame, query[col("x") != 99], size=size, lacking=lacking)["x"].tolist() == [3]
    else:
        assert len(ask(frame, query[col("x") != 99], size=size, lacking=lacking)) == 2


def test_levels_of_an_index_may_be_missing(ask):
    index = pd.MultiIndex.from_arrays([["a", "b", "c"], [1, None, 3]], names=["s", "n"])
    frame = pd.DataFrame({"o": [0, 1, 2]}, index=index)
    assert ask(frame, QueryBuilder()[col("n") != 3])["o"].tolist() == [0, 1]
    assert ask(frame, QueryBuilder()[col("n").isnotin(3)])["o"].tolist() == [0, 1]
    assert ask(frame, QueryBuilder()[col("n").cast("int64") + 1 != 4])["o"].tolist() == [0, 1]
