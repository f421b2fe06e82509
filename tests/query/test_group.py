"""Groups against pandas: keys of every type, every aggregate, and no result that depends on how rows are cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.exceptions import ArcticException, InternalException, SchemaException, UserInputException
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col

SIZES = [1, 2, 7, 100_000]
KEYS = ["ki", "ku", "kf", "ks", "kb", "kt", "kw", "kc"]
NUMBERS = ["f", "g", "i", "b", "u"]
HOWS = ["sum", "mean", "min", "max", "count", "first", "last", "std", "var", "median", "nunique", "any", "all"]


@st.composite
def frames(draw):
    rows = draw(st.integers(0, 30))

    def values(strategy):
        return draw(st.lists(strategy, min_size=rows, max_size=rows))

    nat = np.iinfo("i8").min
    return pd.DataFrame(
        {
            "ki": np.array(values(st.sampled_from([0, 1, -1, 7, 2**62, -(2**63)]) | st.integers(-9, 9)), dtype="i8"),
            "ku": np.array(values(st.sampled_from([0, 1, 2**64 - 1, 2**63])), dtype="u8"),
            "kf": np.array(values(st.sampled_from([0.0, -0.0, 1.5, np.nan, np.inf, -3.0])), dtype="f8"),
            "ks": np.array(values(st.sampled_from(["a", "b", "", "ä", None, np.nan])), dtype=object),
            "kb": np.array(values(st.booleans()), dtype=bool),
            "kt": np.array(values(st.sampled_from([0, 10**18, -5, nat])), dtype="i8").view("M8[ns]"),
            "kw": np.array(values(st.integers(-(10**7), 10**7)), dtype="i4"),
            "kc": pd.Categorical(values(st.sampled_from(["x", "y", None])), categories=["y", "x", "never"]),
            "f": np.array(values(st.sampled_from([0.1, 0.2, -1e9, 1e9, np.nan, 3.0])), dtype="f8"),
            "g": np.array(values(st.sampled_from([0.5, -2.0, np.nan])), dtype="f4"),
            "i": np.array(values(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)), dtype="i8"),
            "b": np.array(values(st.booleans()), dtype=bool),
            "u": np.array(values(st.integers(0, 255)), dtype="u1"),
            "s": np.array(values(st.sampled_from(["p", "q", None])), dtype=object),
            "t": np.array(values(st.integers(-(2**62), 2**62) | st.just(nat)), dtype="i8").view("M8[ns]"),
        }
    )


def _same(got, want):
    got, want = got.reset_index(drop=True), want.reset_index(drop=True)
    if got.dtype.kind in "fiub":
        np.testing.assert_allclose(got.to_numpy(float), want.to_numpy(float), rtol=1e-7, atol=1e-3)
    else:
        assert [None if pd.isna(v) else v for v in got] == [None if pd.isna(v) else v for v in want]


@given(
    frame=frames(),
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    column=st.sampled_from(NUMBERS),
    how=st.sampled_from(HOWS),
    size=st.sampled_from(SIZES),
    sort=st.booleans(),
)
def test_as_pandas(ask, frame, keys, column, how, size, sort):
    if column == "i" and how in ("std", "var", "mean", "median"):
        frame["i"] = frame["i"] % 1000
    made = ask(frame, QueryBuilder().groupby(keys, sort=sort).agg({"x": (column, how)}), size=size)
    if how in ("std", "var", "median") and column == "b":
        frame["b"] = frame["b"].astype("u1")
    grouped = frame.groupby(keys, sort=sort, observed=True)[column]
    wanted = getattr(grouped, how)()
    assert len(made) == len(wanted)
    for level in range(len(keys)):
        _same(pd.Series(made.index.get_level_values(level)), pd.Series(wanted.index.get_level_values(level)))
    assert list(made.index.names) == keys
    _same(made["x"], wanted)


@given(frame=frames(), how=st.sampled_from(["mean", "min", "max", "count", "first", "last", "nunique"]))
def test_instants_ignore_missing_ones(ask, frame, how):
    made = ask(frame, QueryBuilder().groupby("kb").agg({"t": how}))["t"]
    grouped = frame.groupby("kb")["t"]
    wanted = getattr(grouped, how)()
    if how == "mean":
        # pandas goes through floats, which hold 53 bits.
        for got, want in zip(made, wanted, strict=True):
            assert (pd.isna(got) and pd.isna(want)) or abs(got.value - want.value) <= 4096
    else:
        _same(made, wanted)


@given(frame=frames(), how=st.sampled_from(["count", "first", "last", "nunique"]), size=st.sampled_from(SIZES))
def test_strings(ask, frame, how, size):
    made = ask(frame, QueryBuilder().groupby("ku").agg({"s": how}), size=size)["s"]
    _same(made, getattr(frame.groupby("ku")["s"], how)())


@given(
    data=st.data(),
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=2, unique=True),
    how=st.sampled_from(HOWS),
)
def test_slices_do_not_show(ask, data, keys, how):
    frame = data.draw(frames())
    query = QueryBuilder()[col("u") < 200].groupby(keys).agg({"x": ("f", how), "y": ("g", how)})
    whole = ask(frame, query, size=100_000)
    for size in SIZES[:-1]:
        # To the last bit.
        pd.testing.assert_frame_equal(ask(frame, query, size=size), whole, check_exact=True)


def test_slices_do_not_show_in_long_sums(ask):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"k": rng.integers(0, 7, 5000), "x": rng.standard_normal(5000) * 10.0 ** rng.integers(-8, 8, 5000)}
    )
    query = QueryBuilder().groupby("k").agg({"s": ("x", "sum"), "v": ("x", "std"), "m": ("x", "mean")})
    whole = ask(frame, query, size=100_000)
    for size in (1, 13, 1000):
        pd.testing.assert_frame_equal(ask(frame, query, size=size), whole, check_exact=True)
    times = frame.set_index(pd.date_range("2020", periods=5000, freq="s"))
    for hows in (["sum", "mean", "std"], ["sum", "mean", "last"]):
        query = QueryBuilder().resample("7min").agg({how: ("x", how) for how in hows})
        whole = ask(times, query, size=100_000, ordered=True)
        for size in (1, 13, 1000):
            pd.testing.assert_frame_equal(ask(times, query, size=size, ordered=True), whole, check_exact=True)


@pytest.mark.parametrize("spread", [1, 1000, 10**15])
@pytest.mark.parametrize("falling", [False, True])
def test_many_keys(ask, spread, falling):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"k": rng.integers(-3000, 3000, 20_000) * spread, "x": rng.integers(0, 9, 20_000)})
    frame = frame.sort_values("k", ascending=not falling)
    made = ask(frame.reset_index(drop=True), QueryBuilder().groupby("k").agg({"x": "sum"}), size=700)
    pd.testing.assert_frame_equal(made, frame.groupby("k").agg({"x": "sum"}))


def test_many_strings_in_different_dictionaries(ask):
    rng = np.random.default_rng(3)
    keys = np.array([f"key{n}" for n in rng.integers(0, 300, 5000)], dtype=object)
    frame = pd.DataFrame({"k": keys, "x": rng.integers(0, 9, 5000)})
    made = ask(
        frame,
        QueryBuilder().apply("k", col("k").str.upper()).groupby("k").agg({"x": "sum", "n": ("x", "count")}),
        size=90,
    )
    wanted = frame.assign(k=frame["k"].str.upper()).groupby("k").agg(x=("x", "sum"), n=("x", "count"))
    assert made["x"].tolist() == wanted["x"].tolist()
    assert made["n"].tolist() == wanted["n"].tolist()
    assert made.index.tolist() == wanted.index.tolist()


def test_types_of_results(ask, frame):
    wanted = {
        ("i", "sum"): "int64", ("u", "sum"): "uint64", ("g", "sum"): "float64", ("b", "sum"): "uint64",
        ("i", "mean"): "float64", ("b", "mean"): "float64", ("t", "mean"): "datetime64[ns]",
        ("u", "min"): "uint8", ("g", "max"): "float32", ("b", "max"): "bool", ("t", "min"): "datetime64[ns]",
        ("s", "count"): "uint64", ("t", "count"): "uint64", ("f", "count"): "uint64", ("b", "any"): "bool",
        ("u", "first"): "uint8", ("c", "last"): "category", ("i", "std"): "float64", ("u", "median"): "float64",
    }  # fmt: skip
    aggregations = {f"{column}_{how}": (column, how) for column, how in wanted}
    made = ask(frame, QueryBuilder().groupby("b").agg(aggregations))
    assert list(made) == list(aggregations)
    assert [str(dtype) for dtype in made.dtypes] == list(wanted.values())
    none = ask(frame, QueryBuilder()[col("i") > 999].groupby("b").agg(aggregations))
    assert len(none) == 0
    assert [str(dtype) for dtype in none.dtypes] == list(wanted.values())
    assert none.index.name == "b"


def test_missing_values(ask, frame):
    made = ask(frame, QueryBuilder().groupby("t").agg({"n": ("i", "count")}))
    assert made.index.tolist() == [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-03 12:00")]
    made = ask(frame, QueryBuilder().groupby("b").agg({"s": "count", "t": "count", "f": "count"}))
    wanted = frame.groupby("b").agg({"s": "count", "t": "count", "f": "count"})
    assert (made.to_numpy() == wanted.to_numpy()).all()
    nothing = pd.DataFrame({"k": [1, 1], "x": [np.nan, np.nan], "s": np.array([None, None], dtype=object)})
    made = ask(
        nothing,
        QueryBuilder().groupby("k").agg({"a": ("x", "sum"), "b": ("x", "mean"), "c": ("x", "max"), "s": "first"}),
    )
    assert made["a"].tolist() == [0.0]
    assert made[["b", "c", "s"]].isna().all(axis=None)


def test_capitals_and_the_key_itself(ask, frame):
    made = ask(frame, QueryBuilder().groupby("i").agg({"u": "SUM", "k": ("i", "Mean")}))
    assert made["k"].tolist() == made.index.tolist()


def test_half_floats_as_keys(ask):
    frame = pd.DataFrame({"h": np.array([2, 1, np.nan, 1], dtype=np.float16), "x": [1, 2, 3, 4]})
    made = ask(frame, QueryBuilder().groupby("h").agg({"x": "sum"}))
    assert made["x"].tolist() == [6, 1]
    assert made.index.dtype == np.float32  # pandas has no index of half floats
    assert ask(frame, QueryBuilder().groupby(["h", "x"]).agg({"n": ("h", "count")})).index.tolist() == [
        (1.0, 2),
        (1.0, 4),
        (2.0, 1),
    ]


def test_the_index_as_key(ask, frame):
    made = ask(frame, QueryBuilder().groupby("when").agg({"i": "sum"}))
    assert made.index.tolist() == frame.index.tolist()
    deep = frame.set_index("s", append=True)
    made = ask(deep, QueryBuilder().groupby("s").agg({"i": "sum"}))
    assert made["i"].tolist() == frame.groupby("s")["i"].sum().tolist()


def test_clauses_after_a_group(ask, frame):
    query = QueryBuilder().groupby("s").agg({"i": "sum", "u": "max"})
    query = query[col("i") > 0].apply("d", col("i") * 2).groupby("u").agg({"d": "sum"}).head(2)
    grouped = frame.groupby("s").agg({"i": "sum", "u": "max"})
    grouped = grouped[grouped["i"] > 0].assign(d=lambda f: f["i"] * 2)
    wanted = grouped.groupby("u").agg({"d": "sum"}).head(2)
    made = ask(frame, query)
    assert made["d"].tolist() == wanted["d"].tolist()
    assert made.index.tolist() == wanted.index.tolist()


def test_columns_of_the_read_choose_outputs(ask, frame):
    made = ask(frame, QueryBuilder().groupby("s").agg({"i": "sum", "u": "max"}), columns=["u"])
    assert list(made) == ["u"]


def test_rows_without_the_key_are_dropped(ask):
    frame = pd.DataFrame({"k": [0, 0, 1, 1], "x": [0, 0, 5, 6]})
    made = ask(frame, QueryBuilder().groupby("k").agg({"x": "sum"}), size=2, lacking={0: (0,)})
    assert made.index.tolist() == [1]
    frame = pd.DataFrame({"k": [0, 0, 1, 1], "x": [0, 0, 5, 6], "f": [np.nan, np.nan, 1, 2]})
    aggregations = {"a": ("x", "sum"), "b": ("x", "mean"), "c": ("x", "min"), "d": ("f", "max"), "e": ("x", "count")}
    made = ask(frame, QueryBuilder().groupby("k").agg(aggregations), size=2, lacking={0: (1, 2)})
    assert made["a"].tolist() == [0, 11]
    assert made["c"].tolist() == [0, 5]
    assert made["e"].tolist() == [0, 2]
    assert made[["b", "d"]].isna().to_numpy().tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda q: q.groupby(3), TypeError),
        (lambda q: q.groupby([]), UserInputException),
        (lambda q: q.groupby(["a", "a"]), UserInputException),
        (lambda q: q.groupby("s").agg({"i": "blah"}), UserInputException),
        (lambda q: q.groupby("s").agg({}), InternalException),
        (lambda q: q.groupby("s").agg({"i": 3}), ArcticException),
        (lambda q: q.groupby("s").agg({"i": ("x",)}), ArcticException),
        (lambda q: q.groupby("s").agg("sum"), ArcticException),
        (lambda q: q.agg({"i": "sum"}), ArcticException),
        (lambda q: q.groupby("s").head(2).agg({"i": "sum"}), ArcticException),
    ],
)
def test_refused_when_built(build, error):
    with pytest.raises(error):
        build(QueryBuilder())


@pytest.mark.parametrize(
    ("column", "how"),
    [("s", "sum"), ("s", "mean"), ("s", "min"), ("s", "std"), ("t", "sum"), ("t", "std"), ("t", "any"), ("c", "max")],
)
def test_types_without_that_aggregate(ask, frame, column, how):
    with pytest.raises(SchemaException, match=f"E_UNSUPPORTED_COLUMN_TYPE.*'{column}'"):
        ask(frame, QueryBuilder().groupby("b").agg({column: how}))


def test_refused_for_the_data(ask, frame):
    with pytest.raises(SchemaException, match="E_COLUMN_DOESNT_EXIST"):
        ask(frame, QueryBuilder().groupby("zz").agg({"i": "sum"}))
    with pytest.raises(SchemaException, match="E_COLUMN_DOESNT_EXIST"):
        ask(frame, QueryBuilder().groupby("s").agg({"zz": "sum"}))
    with pytest.raises(UserInputException, match="agg"):
        ask(frame, QueryBuilder().groupby("s"))
    with pytest.raises(UserInputException, match="agg"):
        ask(frame, QueryBuilder().groupby("s").head(3))


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("by", ["group", "bucket", "median too"])
def test_times_far_apart_have_a_middle_and_no_sum(ask, size, by):
    frame = pd.DataFrame(
        {
            "k": [1, 1, 2, 2],
            "t": np.array(["1700-01-01", "2262-01-01", "2020-01-01", "2020-01-03"], dtype="M8[ns]"),
            "d": np.array([2**62, -(2**62), 2**62, 2**62 - 1], dtype="m8[ns]"),
            "far": np.array([2**62, 2**62, 1, 2], dtype="m8[ns]"),
            "back": np.array([1, 2, -(2**62), -(2**62) - 1], dtype="m8[ns]"),
        },
        index=pd.date_range("2020-01-01", periods=4),
    )
    more = {"m": ("t", "median")} if by == "median too" else {}  # medians are no runs

    def asked(outputs):
        query = QueryBuilder()
        query = query.groupby("k") if by == "group" else query.resample("2D")
        return ask(frame, query.agg(outputs | more), size=size)

    made = asked({"t": "mean", "d": "sum"})
    assert made["t"].tolist() == [pd.Timestamp("1981-01-01"), pd.Timestamp("2020-01-02")]
    assert made["d"].astype("i8").tolist() == [0, 2**63 - 1]
    assert asked({"t": "median"})["t"].tolist() == [pd.Timestamp("1981-01-01"), pd.Timestamp("2020-01-02")]
    for name in ("far", "back"):
        with pytest.raises(UserInputException, match="a sum is out of the range"):
            asked({name: "sum"})
