"""Kinds of values: columns, indexes, names, shapes."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd

from differential.singles import HOUR, PLAIN, TIMED, TIMES, Single, called, column, index, objects, stored

MORE_TYPES = "More types"
NOT_YET = "Types that are not stored yet"
NAMED = "Names come back as they went in"
FAITHFUL = "Types come back as they went in"

COLUMNS = [
    column("strings", objects("a", None, np.nan, "")),
    column("bytes", objects(b"a", b"", b"\0b", None), NOT_YET),
    column("None alone", objects(None, None)),
    column("NaN alone", objects(np.nan, np.nan)),
    column("times in s", np.array([1, 2], "M8[s]"), FAITHFUL),
    column("times in ms", np.array([1, 2], "M8[ms]"), FAITHFUL),
    column("times in us", np.array([1, 2], "M8[us]"), FAITHFUL),
    column("times with a zone", pd.DatetimeIndex(TIMES).tz_localize("Europe/Berlin"), FAITHFUL),
    column("durations", np.array([1, 2], "m8[ns]"), MORE_TYPES),
    column("half floats", np.array([1, 2], "f2"), MORE_TYPES),
    column("categories", pd.Categorical(["a", "b", None], categories=["b", "a", "unused"])),
    column("ordered categories", pd.Categorical(["a", "b", None], ordered=True), FAITHFUL),
    column("categories of integers", pd.Categorical([3, 1, 3])),
    column("categories of floats", pd.Categorical([0.5, 1.5]), MORE_TYPES),
    column("complex numbers", np.array([1j])),
    column("long floats", np.array([1], np.longdouble)),
    column("nullable integers", pd.array([1, None], "Int64")),
    column("nullable strings", pd.array(["a", None], "string[python]")),
    column("Arrow integers", pd.array([1, None], "int64[pyarrow]")),
    column("strings with pd.NA", objects("a", pd.NA)),
    column("strings with NaT", objects("a", pd.NaT)),
    column("strings and integers", objects("a", 1)),
    column("integers as objects", objects(1, 2)),
    column("booleans as objects", objects(True, None)),
    column("floats as objects", objects(1.5, None)),
    column("lists", objects([1], [2])),
    column("dicts", objects({}, {})),
    column("arrays", objects(np.arange(2), np.arange(2))),
    column("decimals", objects(decimal.Decimal(1), None)),
    column("dates", objects(dt.date(2024, 1, 1), None)),
    column("periods", pd.period_range("2024", periods=2, freq="D")),
    column("intervals", pd.interval_range(0, 2)),
    column("bytes and strings", objects("a", b"a")),
    column("strings and bytes", objects(b"a", "a"), NOT_YET),
    column("lone surrogates", objects("a", "\ud800")),
    column("timestamps as objects", objects(pd.Timestamp("2024-01-01"), None)),
    column(
        "timestamps of two zones", objects(pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024", tz="Asia/Tokyo"))
    ),
    column("subclasses of str", objects(np.str_("a"), np.str_("b"))),
    column("big-endian integers", np.array([1, 2], ">i4"), FAITHFUL),
]

INDEXES = [
    index("a range", pd.RangeIndex(3, 12, 3, name="r")),
    index("a falling range", pd.RangeIndex(5, -1, -2)),
    index("integers", pd.Index([3, 1, 3], name="i")),
    index("small integers", pd.Index(np.array([3, 1], "uint8"))),
    index("floats", pd.Index([0.5, np.nan])),
    index("booleans", pd.Index([True, False])),
    index("strings", pd.Index(["b", "a"], dtype=object)),
    index("strings with None", pd.Index(["b", None], dtype=object)),
    index("times", TIMED.index),
    index("times with a frequency", TIMES),
    index("times in s", TIMED.index.as_unit("s"), FAITHFUL),
    index("times in a zone", TIMED.index.tz_localize("America/New_York")),
    index("times in UTC", TIMED.index.tz_localize("UTC")),
    index("times in a fixed offset", TIMED.index.tz_localize(dt.timezone(HOUR.to_pytimedelta())), MORE_TYPES),
    index("falling times", TIMED.index[::-1]),
    index("times with NaT", pd.DatetimeIndex([TIMES[0], pd.NaT])),
    index("durations", pd.to_timedelta([1, 2], unit="s"), MORE_TYPES),
    index("periods", pd.period_range("2024", periods=2, freq="D")),
    index("categories", pd.CategoricalIndex(["a", "b"])),
    index("intervals", pd.interval_range(0, 2)),
    index("two levels", pd.MultiIndex.from_arrays([TIMED.index, list("abab")], names=["time", None])),
    index("two levels of words", pd.MultiIndex.from_product([["b", "a"], [2, 1]], names=["w", "n"])),
    index("levels that start with falling times", pd.MultiIndex.from_arrays([TIMED.index[::-1], list("abab")])),
    index("one level", pd.MultiIndex.from_arrays([TIMED.index], names=["time"]), "One level is a MultiIndex"),
    index("levels of one name", pd.MultiIndex.from_arrays([list("ab"), [1, 2]], names=["same", "same"])),
    index("integers called 7", pd.Index([3, 1, 3], name=7), NAMED),
    index("times called 7", TIMED.index.rename(7), NAMED),
    index("times called (1, 2)", TIMED.index.rename((1, 2))),
    index("times called 1.5", TIMED.index.rename(1.5)),
]

NAMES = [
    called("''", ""),
    called("None", None),
    called("7", 7),
    called("Ünï", "Ünï"),
    called("True", True, NAMED),
    called("1.5", 1.5, NAMED),
    called("NaN", np.nan, NAMED),
    called("(1, 2)", (1, 2)),
    called("a time", pd.Timestamp("2024-01-01")),
    stored("two columns of one name", pd.DataFrame([[1.0, 2.0]], columns=["x", "x"])),
    stored("columns called 1 and '1'", pd.DataFrame([[1.0, 2.0]], columns=pd.Index([1, "1"], dtype=object)), NAMED),
    stored("columns that have a name", TIMED.rename_axis(columns="fields")),
    stored("columns whose name is 7", TIMED.rename_axis(columns=7), NAMED),
    stored("columns of two levels", pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("a", "b")]))),
    stored("an index called like a column", TIMED.rename_axis("x")),
]

SHAPES = [
    stored("no rows", TIMED.iloc[:0]),
    stored("no rows and a range", PLAIN.iloc[:0]),
    stored("no columns", TIMED[[]]),
    stored("no columns and a range", PLAIN[[]], "Rows without columns"),
    stored("nothing", pd.DataFrame()),
    stored("a series", TIMED["x"]),
    stored("a series without a name", TIMED["x"].rename(None)),
    stored("a series called ''", TIMED["x"].rename("")),
    stored("a series called 7", TIMED["x"].rename(7), NAMED),
    stored("a series called (1, 2)", TIMED["x"].rename((1, 2))),
    stored("a series of strings", TIMED["t"]),
    stored("a list", [1, 2]),
    stored("None", None),
    stored("a dict", {"a": 1}),
    stored("a string", "text"),
]

SINGLES: list[Single] = [*COLUMNS, *INDEXES, *NAMES, *SHAPES]
