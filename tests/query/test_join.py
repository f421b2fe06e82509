"""Stacked tables: columns, types, indexes, and clauses on the joined rows."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest
from tests.operations.states import library

from coldframe.exceptions import InternalException, SchemaException, UserInputException
from coldframe.format.table import Table
from coldframe.frames.meta import frame_meta, replace_meta
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.query.builder import QueryBuilder
from coldframe.query.execute import run
from coldframe.query.expressions import col
from coldframe.query.join import Part, split_join, stack
from coldframe.query.plan import make_plan
from coldframe.stores.memory import MemoryStore


def join(frames, how="outer", query=None):
    source = stack([Part.of(f"s{n}", normalize(frame, symbol=f"s{n}")) for n, frame in enumerate(frames)], how)
    query = query if query is not None else QueryBuilder()
    return denormalize(run(make_plan(query.clauses, source.schema), source))


def days(count, start="2020", **more):
    return pd.DatetimeIndex(pd.date_range(start, periods=count, **more).as_unit("ns"), freq=None)


def test_outer_has_all_columns_in_first_seen_order():
    one = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}, index=days(2))
    other = pd.DataFrame({"c": ["x", "y"], "a": [3, 4], "t": days(2)}, index=days(2, "2021"))
    made = join([one, other])
    assert list(made) == ["a", "b", "c", "t"]
    assert made["a"].tolist() == [1, 2, 3, 4]
    assert made["b"].isna().tolist() == [False, False, True, True]
    assert made["c"].isna().tolist() == [True, True, False, False]
    assert made["t"].isna().tolist() == [True, True, False, False]
    assert made.index.tolist() == [*days(2), *days(2, "2021")]
    back = join([other, one])
    assert list(back) == ["c", "a", "t", "b"]


def test_integers_and_booleans_are_filled_up():
    one = pd.DataFrame({"a": [1, 2]})
    other = pd.DataFrame({"b": [True], "i": np.array([7], dtype=np.int8)})
    made = join([one, other])
    assert made["a"].tolist() == [1, 2, 0]
    assert made["b"].tolist() == [False, False, True]
    assert made["i"].dtype == np.int8


def test_inner_has_common_columns_in_the_first_order():
    one = pd.DataFrame({"a": [1], "b": [2], "c": [3]})
    other = pd.DataFrame({"c": [4], "x": [5], "b": [6]})
    made = join([one, other], "inner")
    assert list(made) == ["b", "c"]
    assert made["b"].tolist() == [2, 6]
    none = join([pd.DataFrame({"a": [1]}, index=days(1)), pd.DataFrame({"b": [1]}, index=days(1))], "inner")
    assert list(none) == []
    assert len(none) == 2


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("int8", "int32", "int32"),
        ("int8", "uint8", "int16"),
        ("uint32", "int32", "int64"),
        ("uint64", "int8", "float64"),
        ("int16", "float32", "float32"),
        ("int32", "float32", "float64"),
        ("float32", "float64", "float64"),
        ("datetime64[s]", "datetime64[ns]", "datetime64[ns]"),
    ],
)
def test_types_meet(one, other, both):
    frames = [pd.DataFrame({"x": np.array([1, 2]).astype(dtype)}) for dtype in (one, other)]
    for pair in (frames, frames[::-1]):
        assert join(pair)["x"].dtype == both


@pytest.mark.parametrize(("one", "other"), [(1, "a"), (True, 1), ("a", pd.Timestamp(0)), (pd.Timestamp(0), 1.5)])
def test_types_that_do_not_meet(one, other):
    with pytest.raises(SchemaException, match=r"E_DESCRIPTOR_MISMATCH.*'x'.*s0.*s1"):
        join([pd.DataFrame({"x": [one]}), pd.DataFrame({"x": [other]})])


def test_categories_are_reconciled():
    one = pd.DataFrame({"c": pd.Categorical(["x", "y", None])})
    other = pd.DataFrame({"c": pd.Categorical(["z", "y"], categories=["z", "y"])})
    assert join([one, other])["c"].astype(object).where(lambda v: v.notna(), None).tolist() == [
        "x",
        "y",
        None,
        "z",
        "y",
    ]


def test_strings_coded_and_not():
    rng = np.random.default_rng(3)
    many = pd.DataFrame({"s": np.array([f"key{n}" for n in rng.integers(0, 10**9, 3000)], dtype=object)})
    few = pd.DataFrame({"s": np.array(["a", None, np.nan] * 3000, dtype=object)})
    for frames in ([many, few], [few, many], [few, few], [many, many]):
        made = join(frames)["s"]
        wanted = pd.concat(frames)["s"]
        assert [None if pd.isna(v) else v for v in made] == [None if pd.isna(v) else v for v in wanted]


INDEXES = {
    "range": pd.RangeIndex(2),
    "times": days(2),
    "numbers": pd.Index([5, 7]),
    "strings": pd.Index(["a", "b"]),
    "two": pd.MultiIndex.from_arrays([days(2), ["a", "b"]]),
    "three": pd.MultiIndex.from_arrays([days(2), ["a", "b"], [1, 2]]),
}


@pytest.mark.parametrize("one", INDEXES)
@pytest.mark.parametrize("other", INDEXES)
def test_indexes(one, other):
    frames = [pd.DataFrame({"x": [1, 2]}, index=INDEXES[kind]) for kind in (one, other)]
    if one == other:
        made = join(frames)
        assert made["x"].tolist() == [1, 2, 1, 2]
        if one != "range":
            assert made.index.tolist() == [*INDEXES[one], *INDEXES[one]]
    else:
        with pytest.raises(SchemaException, match="indexes"):
            join(frames)


def test_ranges():
    one = pd.DataFrame({"x": [1, 2]}, index=pd.RangeIndex(10, 14, 2, name="r"))
    made = join([one, one])
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(10, 18, 2, name="r"))
    with pytest.warns(UserWarning, match="steps"):
        made = join([one, pd.DataFrame({"x": [1]})])
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(3))


def test_names_and_zones():
    one = pd.DataFrame({"x": [1]}, index=days(1, tz="Europe/Paris").rename("t"))
    made = join([one, one])
    assert str(made.index.tz) == "Europe/Paris"
    assert made.index.name == "t"
    other = pd.DataFrame({"x": [1]}, index=days(1, tz="Asia/Tokyo").rename("u"))
    made = join([one, other])
    assert made.index.tz is None
    assert made.index.name is None
    assert made.index.tolist() == [pd.Timestamp("2019-12-31 23:00"), pd.Timestamp("2019-12-31 15:00")]


def test_series():
    one, other = pd.Series([1, 2], name="p"), pd.Series([2.5], name="q")
    made = join([one, one])
    assert isinstance(made, pd.Series)
    assert made.name == "p"
    made = join([one, other])
    assert made.name is None
    assert made.tolist() == [1, 2, 2.5]
    with pytest.raises(SchemaException, match="to_frame"):
        join([one, one.to_frame()])


def test_columns_of_one_name():
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(SchemaException, match="one name"):
        join([twice, twice])


def test_clauses_on_joined_rows():
    one = pd.DataFrame({"a": [1, 2], "k": ["x", "y"]}, index=days(2))
    other = pd.DataFrame({"b": [5, 6], "k": ["x", "x"]}, index=days(2, "2020-01-02"))
    frames = [one, other]
    assert join(frames, query=QueryBuilder()[col("b") != 5])["b"].tolist() == [6]
    assert join(frames, query=QueryBuilder()[~(col("b") == 5)])["k"].tolist() == ["x", "y", "x"]
    assert join(frames, query=QueryBuilder()[col("a").isna()])["b"].tolist() == [5, 6]
    assert join(frames, query=QueryBuilder().head(3).tail(1))["b"].tolist() == [5]
    grouped = join(frames, query=QueryBuilder().groupby("k").agg({"a": "sum", "n": ("b", "count")}))
    assert grouped["a"].tolist() == [1, 2]
    assert grouped["n"].tolist() == [2, 0]
    daily = join(frames, query=QueryBuilder().resample("D").agg({"a": "sum", "b": "sum"}))
    assert daily["a"].tolist() == [1, 2, 0]
    assert daily["b"].tolist() == [0, 5, 6]
    dated = join(frames, query=QueryBuilder().date_range((pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-02"))))
    assert dated["k"].tolist() == ["y", "x"]
    ordered = join(frames, query=QueryBuilder().sort_values("b", ascending=False))
    assert ordered["b"].tolist() == [6, 5, 0, 0]


def test_zero_rows():
    one = pd.DataFrame({"a": [1]}, index=days(1))
    assert join([one.iloc[:0], one])["a"].tolist() == [1]
    assert len(join([one.iloc[:0], one.iloc[:0]])) == 0


@pytest.mark.parametrize(
    "query", [QueryBuilder(), QueryBuilder().head(1), QueryBuilder().head(1).concat(), QueryBuilder().concat().concat()]
)
def test_concat_must_come_first_and_once(query):
    with pytest.raises(UserInputException, match="concat"):
        split_join(query.clauses)


def test_kinds_that_cannot_be_joined():
    table = normalize(pd.DataFrame({"a": [1]}), symbol="s")
    for kind, error in (("pickled", SchemaException), ("ndarray", SchemaException), ("nested", UserInputException)):
        meta = msgspec.structs.replace(frame_meta(table.schema), kind=kind)
        other = Table(replace_meta(table.schema, meta), 1, table.bands)
        with pytest.raises(error, match=kind):
            stack([Part.of("s", table), Part.of("t", other)], "outer")


def test_no_symbols_are_refused():
    lib = library(MemoryStore())
    with pytest.raises(InternalException, match="at least one"):
        lib.read_batch_and_join([], QueryBuilder().concat())
