"""Single queries on both libraries: literals, errors, and what docs/differences.md says of queries.

Each has to do the same on both sides, unless it names the heading that says why it does not; then it has to differ.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from differential.queries import Pair, difference, outcome

ROWS = 6
TIMES = pd.date_range("2024-03-30 22:00", periods=ROWS, freq="h", name="time").as_unit("ns")._with_freq(None)
FRAME = pd.DataFrame(
    {
        "i": np.arange(ROWS, dtype="i8") - 2,
        "u": np.arange(ROWS, dtype="u1"),
        "x": [0.1, np.nan, -1.5, 2.5, 0.0, 1e300],
        "f": np.array([0.1, np.nan, -1.5, 2.5, 0.0, 3.0], dtype="f4"),
        "b": [True, False, True, True, False, False],
        "s": np.array(["a", None, "b", np.nan, "ab", "a"], dtype=object),
        "w": np.array(["2024", "NaT", "2025", "2024", "2026", "2024-06"], dtype="M8[ns]"),
    },
    index=TIMES,
)
CATEGORY = FRAME[["i"]].assign(c=pd.Categorical(["x", "y"] * 3))
ZONED = FRAME[["i", "x"]].tz_localize("UTC").tz_convert("America/New_York")
SHUFFLED = FRAME[["i", "x"]].iloc[[3, 1, 5, 0, 2, 4]]
DATA = {"s": FRAME, "category": CATEGORY, "zoned": ZONED, "plain": FRAME.reset_index(drop=True), "series": FRAME["x"]}

NUMBERS = "Numbers mean what they say"
MISSING = "Missing values are missing"
STAY = "Times stay times"
PLAIN = "Plain columns are values"
ORDER = "More can be asked"
NAMED = "Wrong arguments are named"


class Call(NamedTuple):
    """A query by its name, as a function of a library's module; on one of `DATA`; the difference that is meant."""

    name: str
    build: Callable[[Any, Any], Any]
    heading: str = ""
    symbol: str = "s"


def condition(name: str, make: Callable[[Any], Any], heading: str = "", symbol: str = "s") -> Call:
    """Rows that fulfil a condition."""
    return Call(f"where {name}", lambda module, q: q[make(module.col)], heading, symbol)


def value(name: str, make: Callable[[Any], Any], heading: str = "", symbol: str = "s") -> Call:
    """A column made of an expression."""
    return Call(f"apply {name}", lambda module, q: q.apply("new", make(module.col)), heading, symbol)


def group(name: str, key: str, outputs: Any, heading: str = "", symbol: str = "s") -> Call:
    """Groups."""
    return Call(f"group {name}", lambda module, q: q.groupby(key).agg(outputs), heading, symbol)


def bucket(name: str, rule: Any, outputs: Any, heading: str = "", symbol: str = "s", **options: Any) -> Call:
    """Buckets of time."""
    return Call(f"resample {name}", lambda module, q: q.resample(rule, **options).agg(outputs), heading, symbol)


SUM = {"i": "sum"}

CALLS = [
    # Literals
    condition("a double equals its literal", lambda col: col("x") == 0.1, NUMBERS),
    condition("a double is greater than a large literal", lambda col: col("x") > 1e299, NUMBERS),
    condition("isin of floats", lambda col: col("x").isin([0.1, 2.5])),
    condition("a numpy double", lambda col: col("x") == np.float64(0.1)),
    condition("a small float", lambda col: col("f") == np.float32(0.1)),
    condition("numpy integers", lambda col: col("i") == np.int64(2)),
    condition("a boolean of numpy", lambda col: col("b") == np.bool_(True), NUMBERS),
    condition("an integer beyond 64 bits", lambda col: col("i") < 2**64, NUMBERS),
    condition("infinity", lambda col: col("x") < np.inf),
    condition("None", lambda col: col("x") == None),  # noqa: E711
    condition("a datetime64", lambda col: col("w") > np.datetime64("2024-05-01")),
    condition("a date", lambda col: col("w") > pd.Timestamp("2024-05-01").date()),
    condition("a time in a zone", lambda col: col("w") > pd.Timestamp("2024-05-01", tz="Asia/Tokyo")),
    condition("a time and a number", lambda col: col("w") > 10**18),
    condition("isin of nothing", lambda col: col("i").isin([])),
    condition("isnotin of nothing", lambda col: col("i").isnotin([])),
    condition("isin of booleans", lambda col: col("b").isin([True])),
    condition("isin of None", lambda col: col("s").isin([None])),
    condition("isin of negative and huge integers", lambda col: col("i").isin([-1, 2**63 + 1])),
    condition("isin of integers and strings", lambda col: col("s").isin([1, "a"])),
    condition("isin of lists", lambda col: col("i").isin([[1]])),
    condition("equals a list", lambda col: col("i") == [1, 2]),
    condition("differs from a list", lambda col: col("s") != ["a"]),
    # Comparisons
    condition("strings by order", lambda col: col("s") < "b", ORDER),
    condition("a string and a number", lambda col: col("s") == 1),
    condition("a boolean and a number", lambda col: col("b") == 1),
    condition("booleans by order", lambda col: col("b") > False),
    condition("a category and a string", lambda col: col("c") == "x", symbol="category"),
    condition("two conditions compared", lambda col: (col("i") > 1) == (col("u") > 1)),
    condition("a number as a condition", lambda col: col("i") & (col("i") > 1)),
    condition("a number alone", lambda col: col("i")),
    condition("a boolean alone", lambda col: col("b")),
    condition("a constant", lambda col: 1),
    condition("and False", lambda col: (col("i") > 1) & False),
    condition("and", lambda col: (col("i") > 1) and (col("u") > 1)),
    condition("not", lambda col: not col("b")),
    condition("an unknown column", lambda col: col("nothing") > 1),
    condition("the index by name", lambda col: col("time") > TIMES[2]),
    condition("regex of a number", lambda col: col("i").regex_match("a")),
    condition("a pattern that is none", lambda col: col("s").regex_match("(")),
    condition("a pattern of bytes", lambda col: col("s").regex_match(b"a")),
    condition("a pattern looking ahead", lambda col: col("s").regex_match("a(?=b)")),
    condition("missing or not", lambda col: col("s").isna() | col("x").isna() | col("w").isna()),
    # Arithmetic
    value("a power of a double", lambda col: col("x") ** 2, NUMBERS),
    value("a power of an integer", lambda col: col("i") ** 3),
    value("a power of an unsigned integer", lambda col: col("u") ** 2),
    value("a power of a float exponent", lambda col: col("u") ** 0.5),
    value("adding a float literal", lambda col: col("x") + 0.1, NUMBERS),
    value("adding a short float", lambda col: col("x") + 0.5),
    value("a float of 32 bits plus a literal", lambda col: col("f") + 0.1),
    value("division by zero", lambda col: col("i") / (col("u") * 0)),
    value("whole division", lambda col: col("i") // 2, ORDER),
    value("a string plus a string", lambda col: col("s") + "a"),
    value("minus a boolean", lambda col: -col("b")),
    value("the difference of times", lambda col: col("w") - pd.Timestamp("2024"), STAY),
    value("a column", lambda col: col("i"), PLAIN),
    value("a condition", lambda col: col("i") > 1, PLAIN),
    value("a float", lambda col: 5.5, NUMBERS),
    value("an integer", lambda col: 300),
    value("a list", lambda col: [1, 2]),
    Call("apply to a series", lambda module, q: q.apply("new", module.col("x") * 2), symbol="series"),
    Call("where with None", lambda module, q: q.apply("n", module.where(module.col("i") > 1, None, 1)), NAMED),
    Call("where of a constant", lambda module, q: q.apply("n", module.where(True, 1, 2))),
    Call("where of strings and numbers", lambda module, q: q.apply("n", module.where(module.col("b"), "a", 1))),
    Call(
        "where of times", lambda module, q: q.apply("n", module.where(module.col("b"), module.col("w"), TIMES[0])), STAY
    ),
    # Groups
    group("sum", "b", {"i": "sum", "x": "mean"}),
    group("capitals", "b", {"i": "SUM"}),
    group("renamed", "b", {"o": ("i", "max")}),
    group("count of strings", "b", {"s": "count"}, MISSING),
    group("count of times", "b", {"w": "count"}, MISSING),
    group("mean of times", "b", {"w": "mean"}, MISSING),
    group("times as keys", "w", {"i": "sum"}, MISSING),
    group("strings as keys", "s", {"i": "sum"}),
    group("first", "b", {"i": "first"}, ORDER),
    group("an unknown aggregation", "b", {"i": "nonsense"}),
    group("an unknown column", "b", {"nothing": "sum"}),
    group("an unknown key", "nothing", {"i": "sum"}),
    group("no aggregations", "b", {}),
    group("a list of aggregations", "b", {"i": ["sum"]}),
    group("a short tuple", "b", {"o": ("i",)}),
    group("sum of strings", "b", {"s": "sum"}),
    group("sum of times", "b", {"w": "sum"}),
    group("several keys", ["b", "s"], SUM, ORDER),
    Call("agg without a group", lambda module, q: q.agg(SUM)),
    # Buckets
    bucket("hours", "2h", {"i": "sum", "x": "mean", "s": "last"}),
    bucket("legacy name", "2H", SUM),
    bucket("an offset of pandas", pd.offsets.Hour(2), SUM),
    bucket("weeks", "W", SUM, ORDER),
    bucket("business days", "B", SUM, ORDER),
    bucket("nothing", "0h", SUM),
    bucket("nonsense", "nonsense", SUM),
    bucket("a Timedelta", pd.Timedelta("2h"), SUM),
    bucket("closed nowhere", "2h", SUM, closed="middle"),
    bucket("labelled nowhere", "2h", SUM, label="middle"),
    bucket("from nowhere", "2h", SUM, origin="nowhere"),
    bucket("a bad offset", "2h", SUM, offset="nonsense"),
    bucket("a long offset", "2h", SUM, offset="25h"),
    bucket("a negative offset", "2h", SUM, offset="-17min"),
    bucket("the end", "2h", SUM, origin="end"),
    bucket("the end, shifted", "D", SUM, "Rows before the first bucket", origin="end_day", offset="-3s"),
    bucket("days in a zone", "D", SUM, STAY, "zoned"),
    bucket("hours in a zone", "2h", SUM, STAY, "zoned"),
    bucket("rows without times", "2h", SUM, symbol="plain"),
    bucket("unsorted rows", "2h", SUM, STAY, "shuffled"),
    bucket("mean of times", "3h", {"w": "mean"}),
    bucket("sum of times", "3h", {"w": "sum"}),
    bucket("count of strings", "3h", {"s": "count", "w": "count"}),
    bucket("a series", "2h", {"x": "max"}, symbol="series"),
    Call("resample alone", lambda module, q: q.resample("2h")),
    # Rows
    Call("a row range of numpy", lambda module, q: q.row_range((np.int64(1), 3))),
    Call("a row range of floats", lambda module, q: q.row_range((1.0, 3))),
    Call("a date range of strings", lambda module, q: q.date_range(("2024", "2025"))),
    Call("a date range without times", lambda module, q: q.date_range((TIMES[0], None)), symbol="plain"),
    Call("concat alone", lambda module, q: q.concat()),
    Call("concat nowhere", lambda module, q: q.concat("nowhere")),
]


def main() -> int:
    """Ask all, report; 1 if one differs and should not, or should."""
    pair = Pair()
    libraries = pair.libraries(100_000, dynamic=False)
    for lib in libraries:
        for symbol, data in DATA.items():
            lib.write(symbol, data)
        lib.write("shuffled", SHUFFLED, validate_index=False)
    differences, agreeing = [], []
    for call in CALLS:
        theirs, ours = (ask(call, module, lib) for module, lib in zip(pair.modules, libraries, strict=True))
        found = difference(*(_framed(one) for one in (theirs, ours)), grouped=call.name.startswith("group"))
        if found and not call.heading:
            differences.append(f"{call.name}\n  {found}")
        elif call.heading and not found:
            agreeing.append(f"{call.name}: {call.heading}")
    print(json.dumps({"calls": len(CALLS), "differences": differences, "agreeing": agreeing}))
    return int(bool(differences or agreeing))


def ask(call: Call, module: Any, lib: Any) -> Any:
    """What a call gives on one side."""
    return outcome(lambda: lib.read(call.symbol, query_builder=call.build(module, module.QueryBuilder())).data)


def _framed(made: Any) -> Any:
    return made.to_frame() if isinstance(made, pd.Series) else made


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sys.exit(main())
