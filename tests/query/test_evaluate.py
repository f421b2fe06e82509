"""Expressions against a reader that goes row by row in plain Python, and every refusal of a type."""

from __future__ import annotations

import operator
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldframe.exceptions import (
    ArcticException,
    InternalException,
    SchemaException,
    UserInputException,
)
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col, where

SIZES = st.sampled_from([1, 2, 7, 100_000])
OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMBERS = {
    "i8": np.int8,
    "u8": np.uint8,
    "i32": np.int32,
    "i64": np.int64,
    "u64": np.uint64,
    "f4": np.float32,
    "f8": float,
}
INTEGERS = [name for name in NUMBERS if name[0] != "f"]
STRINGS = st.sampled_from(["", "a", "b", "ab", "ba", "ä", "z" * 20, None, np.nan])
FLOATS = st.sampled_from([0.0, -0.0, 0.5, -1.5, 0.1, 3.0, 255.0, 1e18, np.nan]) | st.floats(-1e6, 1e6, width=32)
TIMES = st.sampled_from([None, 0, 1, 10**18, -(10**15), 999, 10**9])


def _integers(dtype):
    info = np.iinfo(dtype)
    edges = st.sampled_from([info.min, info.max, 0, 1, 5])
    return edges | st.integers(max(int(info.min), -300), min(int(info.max), 300))


@st.composite
def frames(draw):
    rows = draw(st.integers(0, 12))

    def values(strategy):
        return draw(st.lists(strategy, min_size=rows, max_size=rows))

    data = {}
    for name, dtype in NUMBERS.items():
        data[name] = np.array(values(FLOATS if name[0] == "f" else _integers(dtype)), dtype=dtype)
    data["b"] = np.array(values(st.booleans()), dtype=bool)
    data["s"] = np.array(values(STRINGS), dtype=object)
    data["r"] = np.array(values(STRINGS), dtype=object)
    nat = np.iinfo("i8").min
    for name, unit in (("t", "ns"), ("w", "ns"), ("z", "s")):
        stamps = [nat if v is None else v if unit == "ns" else v // 10**9 for v in values(TIMES)]
        data[name] = np.array(stamps, dtype="i8").view(f"M8[{unit}]")
    return pd.DataFrame(data, index=pd.RangeIndex(rows))


class Case:
    """An expression, and what it says of one row."""

    def __init__(self, expression, of):
        self.expression = expression
        self.of = of


def _missing(value):
    return value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _compare(op, left, right):
    if _missing(left) or _missing(right):
        return op == "!="
    return bool(OPERATORS[op](left, right))


def _number_leaf(name):
    return Case(col(name), lambda row: row[name])


@st.composite
def comparisons(draw):
    kind = draw(st.sampled_from(["literal", "ints", "floats", "string", "strings", "time", "times", "null", "bool"]))
    op = draw(st.sampled_from(list(OPERATORS)))
    apply = OPERATORS[op]
    if kind == "literal":
        name = draw(st.sampled_from(list(NUMBERS)))
        value = draw(st.integers(-(2**63), 2**64 - 1) | st.integers(-400, 400) | FLOATS)
        if name[0] == "f" and isinstance(value, int):
            value = value % 1000
        if name in ("i64", "u64") and isinstance(value, float):
            value = 0.5 if np.isnan(value) else float(int(value) % 1000) + 0.5
        weak = np.float32(value) if name == "f4" else value
        return Case(
            apply(col(name), value), lambda row: _compare(op, row[name], float(weak) if name[0] == "f" else weak)
        )
    if kind in ("ints", "floats", "strings", "times"):
        pool = {"ints": INTEGERS, "floats": ["f4", "f8", "i8", "u8"], "strings": ["s", "r"], "times": ["t", "w", "z"]}[
            kind
        ]
        one, other = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        return Case(apply(col(one), col(other)), lambda row: _compare(op, row[one], row[other]))
    if kind == "string":
        value = draw(STRINGS.filter(lambda v: isinstance(v, str)))
        return Case(apply(col("s"), value), lambda row: _compare(op, row["s"], value))
    if kind == "time":
        name = draw(st.sampled_from(["t", "z"]))
        value = draw(TIMES.filter(lambda v: v is not None))
        stamp = pd.Timestamp(value)
        return Case(apply(col(name), stamp), lambda row: _compare(op, row[name], stamp))
    if kind == "null":
        name = draw(st.sampled_from(["f4", "f8", "s", "t", "z", "i8", "b"]))
        if draw(st.booleans()):
            return Case(col(name).isna(), lambda row: _missing(row[name]))
        return Case(col(name).notna(), lambda row: not _missing(row[name]))
    return Case(col("b"), lambda row: bool(row["b"]))


@st.composite
def sets(draw):
    name = draw(st.sampled_from(["i8", "u8", "i64", "u64", "f8", "s", "t"]))
    if name == "s":
        values = draw(st.lists(STRINGS.filter(lambda v: isinstance(v, str)), max_size=12))
    elif name == "t":
        values = [pd.Timestamp(v) for v in draw(st.lists(TIMES.filter(lambda v: v is not None), max_size=4))]
    elif name == "f8":
        values = draw(st.lists(FLOATS, max_size=12))
    else:
        values = draw(st.lists(st.integers(0, 300) | st.just(2**63 + 1), max_size=12))
    wanted = [value for value in values if not _missing(value)]

    def inside(row):
        return not _missing(row[name]) and row[name] in wanted

    if draw(st.booleans()):
        return Case(col(name).isin(values), inside)
    return Case(col(name).isnotin(*values) if values else col(name).isnotin([]), lambda row: not inside(row))


@st.composite
def matches(draw):
    pattern = draw(st.sampled_from(["a", "^a", "b$", "a.*b|z", "", "(?=ä)ä", "[ab]{2}"]))

    def found(row):
        return not _missing(row["s"]) and re.search(pattern, row["s"]) is not None

    return Case(col("s").regex_match(pattern), found)


def _combined(children):
    pairs = st.tuples(children, children)
    return (
        pairs.map(lambda p: Case(p[0].expression & p[1].expression, lambda row: p[0].of(row) and p[1].of(row)))
        | pairs.map(lambda p: Case(p[0].expression | p[1].expression, lambda row: p[0].of(row) or p[1].of(row)))
        | pairs.map(lambda p: Case(p[0].expression ^ p[1].expression, lambda row: p[0].of(row) != p[1].of(row)))
        | children.map(lambda c: Case(~c.expression, lambda row: not c.of(row)))
    )


CONDITIONS = st.recursive(comparisons() | sets() | matches(), _combined, max_leaves=6)


def _rows(frame):
    def plain(value):
        if isinstance(value, np.datetime64):
            return pd.NaT if np.isnat(value) else pd.Timestamp(value)
        return value.item() if isinstance(value, np.generic) else value

    columns = {name: [plain(value) for value in frame[name].to_numpy()] for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@settings(max_examples=150)
@given(frame=frames(), case=CONDITIONS, size=SIZES, statistics=st.booleans())
def test_conditions_keep_the_rows_that_python_keeps(ask, frame, case, size, statistics):
    kept = ask(frame, QueryBuilder()[case.expression], size=size, statistics=statistics)
    wanted = frame[np.array([case.of(row) for row in _rows(frame)], dtype=bool)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, wanted)


@settings(max_examples=100, deadline=None)
@given(frame=frames(), condition=CONDITIONS, size=SIZES, name=st.sampled_from(["i64", "f8", "s", "b", "t"]))
def test_where_takes_each_row_from_one_side(ask, frame, condition, size, name):
    other = {"i64": 7, "f8": 0.5, "s": "new", "b": True, "t": pd.Timestamp(5)}[name]
    made = ask(frame, QueryBuilder().apply("x", where(condition.expression, col(name), other)), size=size)["x"]
    wanted = [row[name] if condition.of(row) else other for row in _rows(frame)]
    for got, want in zip(made.tolist(), wanted, strict=True):
        assert (_missing(got) and _missing(want)) or got == want


ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul}
WIDTHS = {"u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64}
WIDTHS |= {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "f4": np.float32, "f8": np.float64}
RESULTS = {
    ("u8", "+", "u8"): "uint16",
    ("u16", "*", "u8"): "uint32",
    ("u32", "+", "u32"): "uint64",
    ("u64", "*", "u64"): "uint64",
    ("i8", "+", "i8"): "int16",
    ("i8", "+", "i16"): "int32",
    ("i8", "*", "u8"): "int16",
    ("u32", "+", "i32"): "int64",
    ("u64", "+", "i8"): "int64",
    ("i64", "*", "i8"): "int64",
    ("u8", "-", "u8"): "int16",
    ("u64", "-", "u64"): "int64",
    ("f4", "+", "f4"): "float32",
    ("f4", "*", "i8"): "float64",
    ("i64", "-", "f4"): "float64",
    ("f8", "+", "f4"): "float64",
    ("u8", "/", "u8"): "float64",
    ("f4", "/", "f4"): "float64",
    ("u8", "**", "u8"): "uint64",
    ("i8", "**", "u8"): "int64",
    ("u8", "**", "i8"): "float64",
    ("f8", "**", "u8"): "float64",
    ("f4", "**", "i8"): "float64",
    ("u8", "//", "i8"): "int16",
    ("i64", "%", "u8"): "int64",
    ("f4", "//", "f4"): "float32",
}


@pytest.mark.parametrize(("left", "op", "right"), RESULTS)
def test_arithmetic_has_the_types_of_the_table(ask, left, op, right):
    frame = pd.DataFrame({"x": np.array([1, 2, 3], dtype=WIDTHS[left]), "y": np.array([2, 1, 1], dtype=WIDTHS[right])})
    apply = {"/": operator.truediv, "**": operator.pow, "//": operator.floordiv, "%": operator.mod} | ARITHMETIC
    made = ask(frame, QueryBuilder().apply("z", apply[op](col("x"), col("y"))))["z"]
    assert made.dtype == RESULTS[left, op, right]
    assert made.tolist() == [apply[op](x, y) for x, y in ((1, 2), (2, 1), (3, 1))]


@settings(max_examples=100, deadline=None)
@given(frame=frames(), op=st.sampled_from(["+", "-", "*"]), data=st.data(), size=SIZES)
def test_integer_arithmetic_is_exact_modulo_64_bits(ask, frame, op, data, size):
    left, right = (data.draw(st.sampled_from(INTEGERS)) for _ in range(2))
    made = ask(frame, QueryBuilder().apply("z", ARITHMETIC[op](col(left), col(right))), size=size)["z"]
    info = np.iinfo(made.dtype)
    for got, row in zip(made.tolist(), _rows(frame), strict=True):
        exact = ARITHMETIC[op](row[left], row[right])
        assert (got - exact) % 2**64 == 0
        if made.dtype.itemsize < 8:
            assert got == exact
        assert info.min <= got <= info.max


def test_division_by_zero(ask):
    frame = pd.DataFrame({"x": [1, -1, 0], "z": [0, 0, 0], "f": [1.0, 0.0, -2.0]})
    query = QueryBuilder().apply("q", col("x") / col("z")).apply("m", col("f") % 0).apply("w", col("x") // col("z"))
    made = ask(frame, query)
    assert made["q"].tolist()[:2] == [np.inf, -np.inf]
    assert np.isnan(made["q"][2])
    assert made["m"].isna().all()
    assert made["w"].isna().all()
    assert len(ask(frame, QueryBuilder().apply("w", col("x") // col("z"))[col("w").isna()])) == 3


def test_powers(ask):
    frame = pd.DataFrame({"f": [2.5, 0.0], "i": [-3, 0], "e": np.array([2, -1], dtype=np.int8)})
    made = ask(
        frame, QueryBuilder().apply("a", col("f") ** 2).apply("b", col("i") ** 3).apply("c", col("f") ** col("e"))
    )
    assert made["a"].tolist() == [6.25, 0.0]
    assert made["b"].tolist() == [-27, 0]
    assert made["c"].tolist() == [6.25, np.inf]


@pytest.mark.parametrize(
    ("expression", "dtype", "first"),
    [
        (-col("u"), "int16", 0),
        (-col("i"), "int64", 3),
        (abs(col("i")), "int64", 3),
        (abs(col("u")), "uint8", 0),
        (abs(col("g")), "float32", 0.0),
        (col("u") + 1, "uint16", 1),
        (col("u") - 1, "int16", -1),
        (col("i") + 1, "int64", -2),
        (1 - col("i"), "int64", 4),
        (2.5 * col("u"), "float64", 0.0),
        (col("g") + 0.5, "float32", 0.5),
        (col("i").round(-1), "int64", 0),
        (col("i").clip(0, 2), "int64", 0),
        (col("i").clip(upper=1.5), "float64", -3.0),
        (col("f").fillna(0), "float64", 0.5),
        (col("g").fillna(0), "float32", 0.0),
        (col("u").fillna(7), "uint8", 0),
        (col("u").fillna(-7), "int16", 0),
        (col("u").fillna(0.5), "float64", 0.0),
        (col("i").cast("int8"), "int8", -3),
        (col("i").cast(str), "object", "-3"),
        (col("b").cast("int64"), "int64", 1),
        (col("c").cast("string"), "object", "x"),
        (col("i") > 0, "bool", False),
        (~col("b"), "bool", False),
        (col("i"), "int64", -3),
        (col("b"), "bool", True),
        (where(col("i") > 0, col("u"), col("i")), "int64", -3),
        (where(col("u") > 0, col("u"), -1), "int16", -1),
        (where(col("u") > 200, col("u"), 5), "uint8", 5),
        (where(col("i") > 0, col("i"), 2**40), "int64", 2**40),
        (where(col("u") > 200, col("u").cast("int8"), 5), "int16", 5),
        (where(col("u") > 200, col("u"), col("g")), "float64", 0.0),
        (where(col("u") > 200, col("g"), 0.5), "float32", 0.5),
    ],
)
def test_results_and_their_types(ask, frame, expression, dtype, first):
    made = ask(frame, QueryBuilder().apply("x", expression))["x"]
    assert made.dtype == dtype or (dtype == "object" and made.dtype == "str")
    assert made.iloc[0] == first


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(5, "uint8"), (300, "uint16"), (-1, "int8"), (5.5, "float64"), (np.float32(5.5), "float32"), (True, "bool")],
)
def test_constants_have_their_smallest_type(ask, frame, value, dtype):
    made = ask(frame, QueryBuilder().apply("x", value))["x"]
    assert made.dtype == dtype
    assert (made == value).all()


def test_constant_texts_and_instants(ask, frame):
    made = ask(frame, QueryBuilder().apply("x", "word").apply("y", pd.Timestamp("2020-01-01", tz="Europe/Paris")))
    assert (made["x"] == "word").all()
    assert (made["y"] == pd.Timestamp("2019-12-31 23:00")).all()


def test_times_follow_pandas(ask, frame):
    day = pd.Timedelta("1D")
    query = QueryBuilder().apply("d", col("t") - pd.Timestamp("2020-01-01")).apply("n", col("t") + day)
    query = query.apply("h", (col("t") - pd.Timestamp("2020-01-01")) / day).apply("x", (col("t") - col("t")) * 2)
    made = ask(frame, query)
    pd.testing.assert_series_equal(made["d"], frame["t"] - pd.Timestamp("2020-01-01"), check_names=False)
    pd.testing.assert_series_equal(made["n"], frame["t"] + day, check_names=False)
    pd.testing.assert_series_equal(made["h"], (frame["t"] - pd.Timestamp("2020-01-01")) / day, check_names=False)
    assert made["x"].dtype == "timedelta64[ns]"


def test_float_constants_are_double(ask):
    frame = pd.DataFrame({"d": [0.1, 1e300], "s": np.array([0.1, 0.2], dtype=np.float32)})
    assert ask(frame, QueryBuilder()[col("d") == 0.1])["d"].tolist() == [0.1]
    assert len(ask(frame, QueryBuilder()[col("s") == 0.1])) == 1
    assert len(ask(frame, QueryBuilder()[col("s") < 1e300])) == 2
    assert ask(frame, QueryBuilder().apply("x", col("d") + 0.1))["x"][0] == 0.2
    assert len(ask(frame, QueryBuilder()[col("d").isin([0.1])])) == 1


def test_large_integers_compare_exactly(ask):
    frame = pd.DataFrame({"u": np.array([2**63 + 1, 5, 2**64 - 1], dtype=np.uint64), "i": [2**53 + 1, -1, 0]})
    assert len(ask(frame, QueryBuilder()[col("i") == 2**53 + 1])) == 1
    assert len(ask(frame, QueryBuilder()[col("i") == 2**53])) == 0
    assert len(ask(frame, QueryBuilder()[col("u") > -1])) == 3
    assert len(ask(frame, QueryBuilder()[col("u").isin([2**63 + 1])])) == 1
    assert len(ask(frame, QueryBuilder()[col("u") > col("i")])) == 3


# Refusals: when the query is built


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda: (col("i") > 1) and col("b"), UserInputException),
        (lambda: (col("i") > 1) or col("b"), UserInputException),
        (lambda: not col("i"), UserInputException),
        (lambda: 1 if col("i") else 2, UserInputException),
        (lambda: 1 < col("i") < 3, UserInputException),
        (lambda: QueryBuilder()[1], UserInputException),
        (lambda: QueryBuilder()[(col("i") > 1) & False], UserInputException),
        (lambda: QueryBuilder()[(col("i") > 1) | True], UserInputException),
        (lambda: col("s").regex_match(3), UserInputException),
        (lambda: col("s").regex_match("("), InternalException),
        (lambda: col("s").str.contains("["), InternalException),
        (lambda: col("s").str.nonsense, UserInputException),
        (lambda: col("t").dt.nonsense, UserInputException),
        (lambda: col("t").dt.floor("ME"), UserInputException),
        (lambda: col("t").dt.tz_convert("Nowhere/None"), UserInputException),
        (lambda: col("i").isin([True]), InternalException),
        (lambda: col("i").isin([None, "a"]), InternalException),
        (lambda: col("i").isin([-1, 2**63 + 1]), UserInputException),
        (lambda: col("i").isin([[1]]), TypeError),
        (lambda: col("i") < np.inf, ArcticException),
        (lambda: col("i") == None, InternalException),  # noqa: E711
        (lambda: col("i") == 2**64, UserInputException),
        (lambda: col("t") == np.datetime64("2020"), TypeError),
        (lambda: col("t") == pd.NaT, InternalException),
        (lambda: where(col("i") > 1, None, 1), ArcticException),
        (lambda: QueryBuilder().apply("n", [1, 2]), ArcticException),
        (lambda: operator.add(col("i"), [1]), UserInputException),
        (lambda: col("i").cast("nonsense"), UserInputException),
        (lambda: col("i").between(1, 2, "maybe"), UserInputException),
        (lambda: col(3), TypeError),
    ],
)
def test_refused_when_built(build, error):
    with pytest.raises(error):
        build()


# Refusals: when the types are known, before anything is loaded


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        (col("nothing") > 1, SchemaException),
        (col("i"), UserInputException),
        (col("i") + 1, UserInputException),
        ((col("i") > 1) & col("i"), UserInputException),
        (~col("i"), UserInputException),
        ((col("i") > 1) == (col("u") > 1), UserInputException),
        ((col("i") > 1) + 1, UserInputException),
        (col("s") == 1, UserInputException),
        (col("i") == "a", UserInputException),
        (col("s") > col("i"), UserInputException),
        (col("b") == 1, UserInputException),
        (col("c") == "x", UserInputException),
        (col("c").isin("x"), UserInputException),
        (col("t") == "2020", UserInputException),
        (col("t") == pd.Timedelta("1s"), UserInputException),
        (col("i").isin("a"), UserInputException),
        (col("s").isin(1), UserInputException),
        (col("i").regex_match("a"), UserInputException),
        (col("i").str.contains("a"), UserInputException),
        (col("i").dt.year == 1, UserInputException),
        (col("s") + "a" == "b", UserInputException),
        (-col("s") == 1, UserInputException),
        (-col("b") == 1, UserInputException),
        (abs(col("b")) == 1, UserInputException),
        (col("b") + 1 == 1, UserInputException),
        (col("i") ** 2.5 > 1, UserInputException),
        (col("t") + 5 > pd.Timestamp(0), UserInputException),
        (col("t") * 2 > pd.Timestamp(0), UserInputException),
        (where(col("i"), 1, 2) == 1, UserInputException),
        (where(True, 1, 2) == 1, InternalException),
        (where(col("i") > 1, col("s"), 1) == 1, UserInputException),
        (where(col("i") > 1, col("b"), 1) == 1, UserInputException),
        (col("s").fillna(1) == 1, UserInputException),
        (col("f").fillna("a") == 1, UserInputException),
        (col("f").cast("datetime64[ns]") > 1, UserInputException),
    ],
)
def test_refused_before_anything_is_loaded(ask, frame, condition, error):
    with pytest.raises(error) as caught:
        ask(frame, QueryBuilder()[condition])
    if error is SchemaException:
        assert "E_COLUMN_DOESNT_EXIST" in str(caught.value)


def test_unknown_columns_name_close_ones(ask, frame):
    with pytest.raises(SchemaException, match="'when'"):
        ask(frame, QueryBuilder()[col("wen") > 1])


@pytest.mark.parametrize(
    ("expression", "error"),
    [(col("f").cast("int64"), UserInputException), (col("s").cast("int64"), UserInputException)],
)
def test_casts_that_do_not_fit(ask, frame, expression, error):
    with pytest.raises(error):
        ask(frame, QueryBuilder().apply("x", expression))


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_rows_without_the_column(ask, size):
    frame = pd.DataFrame({"k": [1, 2, 3, 4], "x": [0, 0, 1, 2], "s": ["", "", "a", "b"]})
    lacking = dict.fromkeys(range(2 if size == 1 else 1 if size == 2 else 0), (1, 2))
    if not lacking:
        return

    def keys(condition):
        return ask(frame, QueryBuilder()[condition], size=size, lacking=lacking)["k"].tolist()

    assert keys(col("x") != 1) == [4]
    assert keys(~(col("x") == 1)) == [1, 2, 4]
    assert keys(col("x").isnotin(1)) == [4]
    assert keys(~col("x").isin(1)) == [1, 2, 4]
    assert keys(col("s") != "a") == [4]
    assert keys(col("s").isnotin("a")) == [4]
    assert keys(col("x").isna()) == [1, 2]
    assert keys(col("x").notna()) == [3, 4]
    assert keys(col("x") < 1) == []
    # What is derived from a column that the rows do not have is as little there as the column.
    for derived in (col("x") + 1, col("x") // 2, -col("x"), abs(col("x")), col("x").clip(0, 5), col("x").round(-1)):
        assert keys((derived != 100) & derived.isnotin(100)) == [3, 4]
        assert keys(~(derived == 100)) == [1, 2, 3, 4]
    for derived in (col("x") / 2, col("x").cast("float64"), col("x").cast("int8"), col("s").str.len()):
        assert keys((derived != 100) & derived.isnotin(100)) == [3, 4]
        assert keys(derived.isna()) == [1, 2]
    for derived in (col("x").cast("string"), col("s").str.upper(), where(col("k") > 0, col("s"), "c")):
        assert keys((derived != "z") & derived.isnotin("z")) == [3, 4]
    assert keys(where(col("k") > 1, col("x"), 7) != 100) == [1, 3, 4]
    assert keys(where(col("k") > 1, col("x"), 7.5) != 100) == [1, 3, 4]
    # Where both are missing in one row: what is lacking prevails.
    assert keys(col("x") + col("k") // (col("k") - 1) != 100) == [3, 4]
    assert keys(col("x") + col("k") // (col("k") - 3) != 100) == [3, 4]
    assert keys(col("x").fillna(9) == 9) == [1, 2]
    whole = ask(frame, QueryBuilder().apply("y", col("x") + 5), size=size, lacking=lacking)
    assert whole["y"].tolist() == [0, 0, 6, 7]
    assert whole["s"].tolist() == [None, None, "a", "b"] or whole["s"].isna().tolist() == [True, True, False, False]
