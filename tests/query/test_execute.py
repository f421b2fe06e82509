"""Clauses that choose rows and columns, in order, against pandas; what is loaded for them; and pruning."""

from __future__ import annotations

import time
import weakref

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe import parallel
from coldframe.exceptions import InternalException, SchemaException, UnsortedDataException, UserInputException
from coldframe.frames.meta import frame_meta, replace_meta
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.parallel import map_jobs
from coldframe.query import aggregates, execute, resample
from coldframe.query.builder import QueryBuilder
from coldframe.query.columns import Column
from coldframe.query.execute import run
from coldframe.query.expressions import col, where
from coldframe.query.plan import make_plan

SIZES = [1, 2, 7, 100_000]
BOUND = st.none() | st.integers(-15, 15)


@st.composite
def frames(draw):
    rows = draw(st.integers(0, 14))

    def values(strategy, dtype):
        return np.array(draw(st.lists(strategy, min_size=rows, max_size=rows)), dtype=dtype)

    stamps = np.sort(values(st.integers(0, 20), "i8")) * 3_600_000_000_000
    return pd.DataFrame(
        {
            "i": values(st.integers(-5, 5), "i8"),
            "f": values(st.sampled_from([0.0, -0.0, 1.5, -1.0, np.nan]), "f8"),
            "s": values(st.sampled_from(["a", "b", None, ""]), object),
            "b": values(st.booleans(), bool),
        },
        index=pd.DatetimeIndex(stamps.view("M8[ns]"), name="when"),
    )


@st.composite
def steps(draw):
    """A clause, and what it does to a pandas frame."""
    kind = draw(st.sampled_from(["filter", "head", "tail", "rows", "dates", "apply", "sort", "distinct", "rename"]))
    q = QueryBuilder()
    if kind == "filter":
        n = draw(st.integers(-4, 4))
        return draw(
            st.sampled_from(
                [
                    (q[col("i") > n], lambda f: f[f["i"] > n]),
                    (q[col("f").isna() | (col("i") == n)], lambda f: f[f["f"].isna() | (f["i"] == n)]),
                    (q[col("s") == "a"], lambda f: f[(f["s"] == "a").astype(bool)]),
                    (q[~col("b")], lambda f: f[~f["b"]]),
                ]
            )
        )
    if kind in ("head", "tail"):
        n = draw(st.integers(-6, 8))
        return (q.head(n), lambda f: f.head(n)) if kind == "head" else (q.tail(n), lambda f: f.tail(n))
    if kind == "rows":
        start, stop = draw(BOUND), draw(BOUND)
        return q.row_range((start, stop)), lambda f: f.iloc[start:stop]
    if kind == "dates":
        hours = sorted(draw(st.tuples(st.integers(-1, 21), st.integers(-1, 21))))
        start, stop = (pd.Timestamp(hour * 3_600_000_000_000) for hour in hours)
        return q.date_range((start, stop)), lambda f: f[(f.index >= start) & (f.index <= stop)]
    if kind == "apply":
        return q.apply("i", col("i") * 2), lambda f: f.assign(i=f["i"] * 2)
    if kind == "sort":
        up = draw(st.booleans())
        by = draw(st.sampled_from([["i"], ["f"], ["b", "i"]]))
        return (
            q.sort_values(by, up),
            lambda f: f.iloc[_stable_order(f, by, up)],
        )
    if kind == "distinct":
        keep = draw(st.sampled_from(["first", "last", False]))
        by = draw(st.sampled_from([["i"], ["f"], ["b", "i"]]))
        return q.drop_duplicates(by, keep), lambda f: f.drop_duplicates(by, keep=keep)
    return q.rename({"i": "i2"}).rename({"i2": "i"}), lambda f: f


def _stable_order(frame, by, up):
    order = np.arange(len(frame))
    for name in by[::-1]:
        values = frame[name].to_numpy()[order]
        missing = pd.isna(values)
        keys = np.where(missing, 0, values).astype(float)
        order = order[np.lexsort([keys if up else -keys, missing])]
    return order


@pytest.mark.parametrize(
    "query",
    [
        QueryBuilder()[(col("f") > 0) & (col("i") > 2)],
        QueryBuilder()[(col("f") > 0) | (col("s") == "a")].apply("n", col("i") * col("u")),
        QueryBuilder().apply("n", col("i") * col("u")).apply("m", col("n") + col("f")),
        QueryBuilder()[col("i") > 2].groupby("s").agg({"f": "sum", "n": ("i", "max")}),
        QueryBuilder().apply("n", col("i") * col("u")).groupby("n").agg({"f": "sum"}),
        QueryBuilder().resample("1h").agg({"f": "sum", "i": "last"}),
        QueryBuilder()[col("g") > 0].resample("1h").agg({"f": "sum", "i": "last"}),
    ],
    ids=str,
)
def test_what_is_loaded_was_announced_and_is_loaded_once(sliced, frame, query):
    table = normalize(frame, symbol="prices")
    names = table.schema.names
    source = sliced(table, 4, ordered=True, lacking={2: [names.index("i")]})
    run(make_plan(query.clauses, table.schema), source)
    announced = [(at, tuple(names[slot] for slot in slots)) for wave in source.prefetched for at, slots in wave]
    assert set(source.loads) <= set(announced)
    loaded = [(at, name) for at, columns in source.loads for name in columns]
    assert len(loaded) == len(set(loaded))


@given(frame=frames(), chain=st.lists(steps(), max_size=4), size=st.sampled_from(SIZES), data=st.data())
def test_chains_of_clauses_as_pandas(ask, frame, chain, size, data):
    query = QueryBuilder()
    wanted = frame
    for step, change in chain:
        query.then(step)
        wanted = change(wanted)
    ordered = data.draw(st.sampled_from([None, True]))
    made = ask(frame, query, size=size, ordered=ordered, statistics=data.draw(st.booleans()))
    pd.testing.assert_frame_equal(made, wanted, check_freq=False)


def test_only_what_is_needed_is_loaded(sliced):
    frame = pd.DataFrame({name: np.arange(500) * 1.0 for name in "abcdefgh"} | {"k": np.arange(500) // 10})
    table = normalize(frame, symbol="prices")
    source = sliced(table, 10)
    query = QueryBuilder()[col("k") == 17]
    result = denormalize(run(make_plan(query.clauses, table.schema, columns=["c"]), source))
    assert result["c"].tolist() == list(range(170, 180))
    assert source.loads == [(17, ("k",)), (17, ("c",))]
    assert source.prefetched[0] == [(17, (8,))]
    for query, slices in [
        (QueryBuilder()[col("k").isin(3, 40)], {3, 40}),
        (QueryBuilder()[(col("k") > 46) & (col("a") < 480)], {47}),
        (QueryBuilder()[~(col("k") < 48)], {48, 49}),
        (QueryBuilder()[col("k").between(5, 6)].apply("n", col("b") * 2), {5, 6}),
        (QueryBuilder()[(col("k") == 1) | (col("k") == 2)].groupby("k").agg({"a": "sum"}), {1, 2}),
        (QueryBuilder()[col("a").isna()], set()),
        (QueryBuilder()[col("k") == 3.5], set()),
        (QueryBuilder().head(12)[col("k") == 1], {1}),
    ]:
        source = sliced(table, 10)
        run(make_plan(query.clauses, table.schema), source)
        assert {index for index, _ in source.loads} == slices


def test_head_and_tail_stop_early(sliced):
    frame = pd.DataFrame({"k": np.arange(1000) % 7, "x": np.arange(1000)})
    table = normalize(frame, symbol="prices")
    for query, most in [(QueryBuilder()[col("k") == 3].head(2), 8), (QueryBuilder()[col("k") == 3].tail(2), 8)]:
        source = sliced(table, 10, statistics=False)
        made = denormalize(run(make_plan(query.clauses, table.schema), source))
        assert len(made) == 2
        assert len(source.loads) <= most
    source = sliced(table, 10)
    run(make_plan(QueryBuilder().head(15).clauses, table.schema), source)
    assert {index for index, _ in source.loads} == {0, 1}


def test_statistics_of_missing_values(sliced, ask):
    frame = pd.DataFrame({"x": [1.0, 1.0, np.nan, np.nan, 2.0, np.nan]})
    for condition in (
        col("x") != 1,
        ~(col("x") == 1),
        ~(col("x") < 5),
        col("x").isna(),
        ~col("x").isna(),
        col("x") > 1.5,
    ):
        kept = [ask(frame, QueryBuilder()[condition], size=2, statistics=known) for known in (True, False)]
        pd.testing.assert_frame_equal(*kept)


def test_a_range_starts_again(ask):
    frame = pd.DataFrame({"x": np.arange(10)}, index=pd.RangeIndex(100, 120, 2, name="r"))
    made = ask(frame, QueryBuilder()[col("x") > 6])
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(100, 106, 2, name="r"))


def test_columns_of_the_read(ask, frame):
    query = QueryBuilder()[col("i") > 3].apply("n", col("u") * 2)
    assert list(ask(frame, query, columns=["n", "f", "nothing", "f"])) == ["f", "n"]
    assert list(ask(frame, query, columns=[])) == []
    assert ask(frame, query, columns=[]).index.name == "when"


def test_select_drop_rename_cast(ask, frame):
    query = QueryBuilder().select("u", "i", "when").rename({"u": "v"}).cast({"v": "float32"}).drop("i").apply("w", 1)
    made = ask(frame, query)
    assert list(made) == ["v", "w"]
    assert made["v"].dtype == np.float32
    for bad in (QueryBuilder().select("zz"), QueryBuilder().drop("zz"), QueryBuilder().rename({"zz": "y"})):
        with pytest.raises(SchemaException, match="E_COLUMN_DOESNT_EXIST"):
            ask(frame, bad)
    for bad in (
        QueryBuilder().drop("when"),
        QueryBuilder().rename({"when": "y"}),
        QueryBuilder().cast({"when": "int64"}),
    ):
        with pytest.raises(UserInputException):
            ask(frame, bad)


def test_apply_keeps_the_place(ask, frame):
    made = ask(frame, QueryBuilder().apply("u", col("i") + 1).apply("new", col("u") + 1))
    assert list(made) == [*frame, "new"]
    assert (made["new"] == frame["i"] + 2).all()


def test_names_that_are_not_strings(ask):
    frame = pd.DataFrame([[1, 2], [3, 4]])
    assert ask(frame, QueryBuilder()[col("1") > 3]).to_numpy().tolist() == [[3, 4]]
    made = ask(frame, QueryBuilder().apply("2", col("0") + col("1")))
    assert made.columns.tolist() == [0, 1, "2"]
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(SchemaException, match="several"):
        ask(twice, QueryBuilder()[col("a") > 1])
    assert ask(twice, QueryBuilder().head(1)).columns.tolist() == ["a", "a"]


def test_the_index_by_name(ask, frame):
    after = pd.Timestamp("2020-03-29 01:00")
    assert len(ask(frame, QueryBuilder()[col("when") > after])) == (frame.index > after).sum()
    unnamed = frame.rename_axis(None)
    assert len(ask(unnamed, QueryBuilder()[col("index") > after])) == (frame.index > after).sum()
    local = frame.tz_localize("Europe/London", ambiguous=True, nonexistent="shift_forward")
    assert len(ask(local, QueryBuilder()[col("when").dt.hour == 2])) == (local.index.hour == 2).sum()


def test_levels_of_a_multiindex(ask, frame):
    deep = frame.set_index("s", append=True)
    made = ask(deep, QueryBuilder()[col("s").isin("a", "b")])
    assert made["i"].tolist() == frame[frame["s"].isin(["a", "b"])]["i"].tolist()
    assert made.index.names == ["when", "s"]
    upper = ask(deep, QueryBuilder().apply("S", col("s").str.upper())[col("S") == "B"])
    assert upper["i"].tolist() == frame[frame["s"].str.upper() == "B"]["i"].tolist()


def test_a_series(ask, frame):
    made = ask(frame["i"], QueryBuilder()[col("i") > 3].apply("n", col("i") * 2))
    pd.testing.assert_series_equal(made, frame["i"][frame["i"] > 3], check_freq=False)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_left_keeps_types(ask, frame, size):
    made = ask(frame, QueryBuilder()[col("i") > 1000], size=size)
    pd.testing.assert_frame_equal(made, frame[frame["i"] > 1000], check_freq=False)


def test_empty_frames(ask, frame):
    none = frame.iloc[:0]
    for query in (
        QueryBuilder()[col("i") > 0],
        QueryBuilder().apply("n", col("f") * 2 + col("u")),
        QueryBuilder().sort_values("s"),
        QueryBuilder().drop_duplicates(),
        QueryBuilder().head(3).tail(2),
        QueryBuilder().apply("n", where(col("s") == "a", "x", col("s"))),
    ):
        assert len(ask(none, query)) == 0


def test_date_ranges(ask, frame):
    start, stop = frame.index[2], frame.index[5]
    for given_range in ((start, stop), [start, stop], pd.DatetimeIndex([start, stop]), (start.to_pydatetime(), stop)):
        for ordered in (True, None):
            made = ask(frame, QueryBuilder().date_range(given_range), ordered=ordered)
            assert made["i"].tolist() == frame["i"].iloc[2:6].tolist()
    assert len(ask(frame, QueryBuilder().date_range((stop, start)), ordered=True)) == 0
    assert len(ask(frame, QueryBuilder().date_range((None, start.date())))) == 0
    coarse = frame.set_index(frame.index.as_unit("s"))
    between = start + pd.Timedelta("1ns")
    assert len(ask(coarse, QueryBuilder().date_range((between, None)), ordered=True)) == len(frame) - 3
    with pytest.raises(UnsortedDataException):
        ask(frame, QueryBuilder().date_range((start, stop)), ordered=False)
    with pytest.raises(SchemaException, match="E_UNSUPPORTED_INDEX_TYPE"):
        ask(frame.reset_index(drop=True), QueryBuilder().date_range((start, stop)))


def test_concat_is_for_several_symbols(ask, frame):
    for query in (QueryBuilder().concat(), QueryBuilder().head(1).concat("inner")):
        with pytest.raises(UserInputException, match="Multi-symbol"):
            ask(frame, query)


def test_filters_move_before_what_they_do_not_read(frame):
    table = normalize(frame, symbol="prices")
    query = QueryBuilder().apply("n", col("i") * 2)[col("u") > 3].date_range((frame.index[0], None))
    plan = make_plan(query.clauses, table.schema)
    assert [type(step).__name__ for step in plan.stages[0].steps] == ["Between", "Keep", "Compute"]
    query = QueryBuilder().head(3)[col("u") > 3]
    assert [type(step).__name__ for step in make_plan(query.clauses, table.schema).stages[0].steps] == ["Cut", "Keep"]
    query = QueryBuilder().sort_values("i")[col("u") > 3]
    plan = make_plan(query.clauses, table.schema)
    assert [type(step).__name__ for step in plan.stages[0].steps] == ["Keep"]


STRING_CASES = {
    "lower": (lambda s: s.str.lower(), lambda s: s.str.lower()),
    "upper": (lambda s: s.str.upper(), lambda s: s.str.upper()),
    "len": (lambda s: s.str.len(), lambda s: s.str.len()),
    "strip": (lambda s: s.str.strip(), lambda s: s.str.strip()),
    "strip_of": (lambda s: s.str.strip("ab"), lambda s: s.str.strip("ab")),
    "lstrip": (lambda s: s.str.lstrip("a"), lambda s: s.str.lstrip("a")),
    "rstrip": (lambda s: s.str.rstrip("b"), lambda s: s.str.rstrip("b")),
    "slice": (lambda s: s.str.slice(1), lambda s: s.str.slice(1)),
    "slice_stop": (lambda s: s.str.slice(0, 1), lambda s: s.str.slice(0, 1)),
    "slice_back": (lambda s: s.str.slice(-2, None), lambda s: s.str.slice(-2, None)),
    "slice_step": (lambda s: s.str.slice(None, None, -1), lambda s: s.str.slice(None, None, -1)),
    "replace": (lambda s: s.str.replace("a", "."), lambda s: s.str.replace("a", ".", regex=False)),
    "replace_regex": (
        lambda s: s.str.replace("(a|b)+", r"<\1>", regex=True),
        lambda s: s.str.replace("(a|b)+", r"<\1>", regex=True),
    ),
}


@pytest.mark.parametrize("case", STRING_CASES)
@pytest.mark.parametrize("size", [1, 5, 100])
def test_strings_as_pandas(ask, case, size):
    values = np.array(["abc", " äB ", None, "", "ba", np.nan, "abab", "xy"], dtype=object)
    frame = pd.DataFrame({"s": values})
    ours, theirs = STRING_CASES[case]
    made = ask(frame, QueryBuilder().apply("n", ours(col("s"))), size=size)["n"]
    for got, want in zip(made, theirs(pd.Series(values)), strict=True):
        assert (pd.isna(want) and (pd.isna(got) or got == 0)) or got == want


@pytest.mark.parametrize("case", ["contains", "plain", "nocase", "startswith", "endswith", "less", "more"])
def test_tests_of_strings_as_pandas(ask, case):
    values = np.array(["abc", "äB", None, "", "ba", np.nan, "a.b", "B"], dtype=object)
    frame = pd.DataFrame({"s": values})
    series = pd.Series(values)
    column = col("s")
    ours, theirs = {
        "contains": (column.str.contains("a.b"), series.str.contains("a.b", na=False)),
        "plain": (column.str.contains("a.b", regex=False), series.str.contains("a.b", na=False, regex=False)),
        "nocase": (column.str.contains("b", case=False), series.str.contains("b", case=False, na=False)),
        "startswith": (column.str.startswith("a"), series.str.startswith("a", na=False)),
        "endswith": (column.str.endswith("b"), series.str.endswith("b", na=False)),
        "less": (column < "b", series.map(lambda v: isinstance(v, str) and v < "b")),
        "more": (column >= "b", series.map(lambda v: isinstance(v, str) and v >= "b")),
    }[case]
    made = ask(frame, QueryBuilder().apply("n", ours))["n"]
    assert made.tolist() == theirs.tolist()


PARTS = ["year", "quarter", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond"]
PARTS += ["weekday", "dayofweek", "dayofyear", "day_of_week", "day_of_year"]


@pytest.mark.filterwarnings("ignore:Series.dt")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_parts_of_times_as_pandas(ask, part, zone, unit):
    stamps = np.array(["1965-03-04T05:06:07.008009010", "2020-03-08T07:00", "2024-02-29T23:59:59.999999999"], "M8[ns]")
    series = pd.Series(pd.DatetimeIndex(stamps).as_unit(unit))
    series = series.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else series
    made = ask(pd.DataFrame({"t": series}), QueryBuilder().apply("n", getattr(col("t").dt, part)))["n"]
    assert made.tolist() == getattr(series.dt, part).tolist()
    assert made.dtype == "int32"


@pytest.mark.parametrize("how", ["floor", "ceil", "round"])
@pytest.mark.parametrize("freq", ["15min", "1h", "D", "7s", "2h"])
@pytest.mark.parametrize("zone", [None, "Asia/Kolkata"])
def test_rounded_times_as_pandas(ask, how, freq, zone):
    stamps = np.array(["1965-03-04T05:06:07.5", "2020-03-08T07:30", "NaT", "2024-02-29T23:59:59.999999999"], "M8[ns]")
    series = pd.Series(pd.DatetimeIndex(stamps))
    series = series.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else series
    made = ask(pd.DataFrame({"t": series}), QueryBuilder().apply("n", getattr(col("t").dt, how)(freq)))["n"]
    pd.testing.assert_series_equal(made, getattr(series.dt, how)(freq), check_names=False)


def test_zones_and_dates(ask):
    series = pd.Series(pd.date_range("2020-03-08", periods=4, freq="5h", tz="America/New_York"))
    frame = pd.DataFrame({"t": series.dt.as_unit("ns")})
    query = QueryBuilder().apply("u", col("t").dt.tz_convert("Asia/Tokyo")).apply("w", col("t").dt.tz_localize(None))
    made = ask(frame, query.apply("d", col("t").dt.date))
    assert made["u"].tolist() == series.dt.tz_convert("Asia/Tokyo").tolist()
    assert made["w"].tolist() == series.dt.tz_localize(None).tolist()
    assert made["d"].dt.date.tolist() == series.dt.date.tolist()
    with pytest.raises(UserInputException, match="tz_convert"):
        ask(frame, QueryBuilder().apply("x", col("t").dt.tz_localize("UTC")))
    with pytest.raises(UserInputException, match="tz_localize"):
        ask(made[["w"]], QueryBuilder().apply("x", col("w").dt.tz_convert("UTC")))


@pytest.mark.parametrize("keep", ["first", "last", False])
def test_distinct_rows(ask, frame, keep):
    made = ask(frame, QueryBuilder().drop_duplicates(["s", "b"], keep))
    assert (
        made["i"].tolist() == frame.drop_duplicates(["s", "b"], keep=keep)["i"].tolist() or frame["s"].isna().sum() > 1
    )
    assert len(ask(frame[[]], QueryBuilder().drop_duplicates(keep=keep))) == len(frame[[]].drop_duplicates(keep=keep))
    twice = pd.concat([frame, frame])
    assert len(ask(twice, QueryBuilder().unique())) == len(frame)


def test_sorted_strings_and_instants(ask, frame):
    for by in ("s", "t", "c"):
        made = ask(frame, QueryBuilder().sort_values(by))
        wanted = frame.sort_values(by, kind="stable")
        assert made["i"].tolist() == wanted["i"].tolist()
        down = ask(frame, QueryBuilder().sort_values(by, ascending=False))
        assert down["i"].tolist()[-1] == wanted["i"].tolist()[-1] or frame[by].isna().sum() == 0


def test_medians_of_instants(ask):
    stamps = np.array(["2020-01-01", "NaT", "2020-01-05", "2020-01-02", "2020-01-09"], dtype="M8[ns]")
    frame = pd.DataFrame({"k": [1, 1, 1, 1, 2], "t": stamps})
    made = ask(frame, QueryBuilder().groupby("k").agg({"t": "median"}))
    assert made["t"].tolist() == [pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-09")]


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("pickled", InternalException, "PICKLED"),
        ("ndarray", SchemaException, "NUMPY_ARRAY"),
        ("nested", SchemaException, "RECURSIVE"),
    ],
)
def test_kinds_that_cannot_be_queried(frame, kind, error, code):
    schema = normalize(frame, symbol="prices").schema
    other = replace_meta(schema, msgspec.structs.replace(frame_meta(schema), kind=kind))
    with pytest.raises(error, match=f"E_OPERATION_NOT_SUPPORTED_WITH_.*{code}"):
        make_plan(QueryBuilder().head(1).clauses, other)


def test_queries_inside_workers_do_not_wait_for_workers(ask):
    frame = pd.DataFrame({"x": np.arange(200_000.0), "k": np.arange(200_000) % 7})
    queries = [
        QueryBuilder()[col("x") > 5].tail(3),
        QueryBuilder().groupby("k").agg({"x": "sum"}),
        QueryBuilder().sort_values("x", ascending=False).head(3),
    ]
    wanted = [ask(frame, query, size=20_000) for query in queries]
    made = map_jobs(lambda query: ask(frame, query, size=20_000), queries * 4)
    for got, want in zip(made, wanted * 4, strict=True):
        pd.testing.assert_frame_equal(got, want)


def test_dates_after_sorting_need_no_order(ask, frame):
    query = QueryBuilder().sort_values("i", ascending=False).date_range((frame.index[1], frame.index[3]))
    assert ask(frame, query, ordered=False)["i"].tolist() == frame["i"].iloc[3:0:-1].tolist()


@pytest.mark.parametrize("size", [3, 100])
def test_many_columns_of_one_type_are_one_array(ask, sliced, size):
    frame = pd.DataFrame(np.arange(2000.0).reshape(20, 100), columns=[f"c{n}" for n in range(100)])
    query = QueryBuilder()[col("c3") > 500].apply("c7", col("c7") + 1)
    wanted = frame[frame["c3"] > 500].assign(c7=lambda f: f["c7"] + 1).reset_index(drop=True)
    pd.testing.assert_frame_equal(ask(frame, query, size=size), wanted)
    table = normalize(frame, symbol="prices")
    result = run(make_plan(query.clauses, table.schema), sliced(table, size))
    assert isinstance(result.bands[0].values, np.ndarray)
    reverse = QueryBuilder().select(*list(frame)[::-1])
    pd.testing.assert_frame_equal(ask(frame, reverse, size=size), frame.iloc[:, ::-1])


@pytest.mark.parametrize(
    "query",
    [
        QueryBuilder().groupby("k").agg({"v": "sum"}),
        QueryBuilder()[col("v") > 10].groupby("k").agg({"v": "max"}),
        QueryBuilder().resample("7s").agg({"v": "mean"}),
    ],
    ids=str,
)
def test_slices_that_were_reduced_are_let_go(sliced, query):
    class Watched(sliced):
        """Notes how many of the arrays that it gave are still there."""

        def __init__(self, *what, **more):
            super().__init__(*what, **more)
            self.given, self.most = [], 0

        def _piece(self, index, column):
            piece = super()._piece(index, column)
            fresh = Column(piece.dtype, piece.data.copy())
            self.given.append(weakref.ref(fresh.data))
            self.most = max(self.most, sum(each() is not None for each in self.given))
            return fresh

    index = pd.date_range("2020", periods=2000, freq="s").as_unit("ns")
    frame = pd.DataFrame({"k": np.arange(2000) % 3, "v": np.arange(2000) * 1.0}, index=index)
    source = Watched(normalize(frame, symbol="prices"), 20, ordered=True, statistics=False)
    run(make_plan(query.clauses, source.schema), source)
    assert len(source.given) == 200
    assert source.most <= 10


@pytest.fixture
def slow(sliced, monkeypatch):
    """A source that takes its time, read by three threads, and the slices that are being loaded."""
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    monkeypatch.setattr(execute, "cores", lambda: 3)
    monkeypatch.setattr(parallel, "_pool", None)
    monkeypatch.setattr(execute, "alone", lambda _rows: False)
    monkeypatch.setattr(execute, "_HANDED", 1)
    index = pd.date_range("2024", periods=600, freq="s")
    table = normalize(pd.DataFrame({"k": np.arange(600) % 3, "v": np.arange(600.0)}, index=index), symbol="prices")
    source = sliced(table, 10, ordered=True)
    working: list[int] = []
    load = source.load

    def slowly(at, columns):
        working.append(at)
        time.sleep(0.02)
        loaded = load(at, columns)
        working.remove(at)
        if at == source.broken:
            raise ZeroDivisionError
        return loaded

    source.load, source.broken = slowly, None
    return source, working


@pytest.mark.parametrize("where", ["slice", "reducer"])
@pytest.mark.parametrize(
    "query",
    [
        QueryBuilder().groupby("k").agg({"v": "sum"}),
        QueryBuilder().groupby("k").agg({"v": "median"}),
        QueryBuilder().resample("1min").agg({"v": "sum"}),
        QueryBuilder().resample("1min").agg({"v": "median"}),
        QueryBuilder().resample("1min", origin="start").agg({"v": "sum"}),
    ],
    ids=str,
)
def test_no_slice_is_worked_on_any_more_when_a_query_has_failed(slow, monkeypatch, query, where):
    """What slices look at is lent until the query ends, and it ends by an error too."""
    source, working = slow

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if where == "slice":
        source.broken = 4
    else:
        monkeypatch.setattr(aggregates.Aggregates, "add", fail)
        monkeypatch.setattr(resample._RunByRun, "add", fail)
    try:
        run(make_plan(query.clauses, source.schema), source)
    except ZeroDivisionError:
        assert working == [], "seen while the error, and all frames with it, is alive"
    else:
        pytest.fail("the error got lost")
