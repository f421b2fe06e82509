"""Every clause and function of queries on stored rows, through every call that takes a query, on every store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import coldframe
from coldframe import LibraryOptions, QueryBuilder, ReadRequest, col, concat, where
from coldframe.library import Library
from coldframe.testing.servers.fixtures import *  # noqa: F403

pytestmark = pytest.mark.filterwarnings("ignore:The 'origin' keyword:RuntimeWarning")  # pandas, of calendar rules

COUNT = 60
RANDOM = np.random.default_rng(7)
FRAME = pd.DataFrame(
    {
        "price": np.where(np.arange(COUNT) % 7 == 3, np.nan, RANDOM.normal(100, 9, COUNT).round(2)),
        "size": RANDOM.integers(-50, 900, COUNT),
        "lot": RANDOM.integers(0, 9, COUNT).astype("u1"),
        "side": np.array(["buy", "sell", None, " Hold ", "ärger", "buy"] * 10, dtype=object),
        "live": np.arange(COUNT) % 3 == 0,
        "due": pd.DatetimeIndex(
            np.where(np.arange(COUNT) % 11 == 4, np.datetime64("NaT"), np.datetime64("2020-02-28T23:59:58.123456789"))
        )
        + pd.to_timedelta(np.arange(COUNT) * 5000, unit="s"),
        "wait": pd.to_timedelta(RANDOM.integers(0, 99_999, COUNT), unit="s"),
        "kind": pd.Categorical.from_codes(RANDOM.integers(-1, 3, COUNT), ["low", "middle", "high"]),
    },
    index=pd.date_range("2024-03-30 20:00", periods=COUNT, freq="37min", tz="Europe/Paris", name="time").as_unit("ns"),
)
LOCAL = FRAME["due"].dt
TEXT = FRAME["side"].str

Query = Callable[[QueryBuilder], QueryBuilder]
Meaning = Callable[[pd.DataFrame], pd.DataFrame]


def value(make: Any, of: Callable[[], Any]) -> tuple[Query, Meaning]:
    """A column made by an expression, and what pandas makes of it."""
    return lambda q: q.apply("new", make), lambda frame: frame.assign(new=of())


def kept(condition: Any, of: Callable[[pd.DataFrame], Any]) -> tuple[Query, Meaning]:
    """Rows kept by a condition."""
    return lambda q: q[condition], lambda frame: frame[of(frame).fillna(False).astype(bool)]


def grouped(keys: Any, **outputs: tuple[str, str]) -> tuple[Query, Meaning]:
    """Groups as pandas makes them."""
    return (
        lambda q: q.groupby(keys).agg(outputs),
        lambda frame: frame.groupby(keys, observed=True).agg(**outputs),
    )


def bucketed(rule: str, **outputs: tuple[str, str]) -> tuple[Query, Meaning]:
    """Buckets as pandas makes them, without the empty ones."""

    def meaning(frame: pd.DataFrame) -> pd.DataFrame:
        buckets = frame.resample(rule, origin="epoch")
        return buckets.agg(**outputs)[buckets.size() > 0]

    return lambda q: q.resample(rule).agg(outputs), meaning


CASES: dict[str, tuple[Query, Meaning]] = {
    "nothing": (lambda q: q, lambda frame: frame),
    # Rows
    "filter": kept(col("price") > 100, lambda f: f["price"] > 100),
    "filter by the index": kept(col("time") >= FRAME.index[30], lambda f: f.index.to_series() >= FRAME.index[30]),
    "isin": kept(col("lot").isin(1, 2), lambda f: f["lot"].isin([1, 2])),
    "isnotin": kept(col("lot").isnotin([1, 2]), lambda f: ~f["lot"].isin([1, 2])),
    "between": kept(col("size").between(0, 300, "left"), lambda f: f["size"].between(0, 300, "left")),
    "strings by order": kept(
        col("side") < "sell", lambda f: f["side"].map(lambda s: isinstance(s, str) and s < "sell")
    ),
    "missing": kept(col("side").isna() | col("due").isna(), lambda f: f["side"].isna() | f["due"].isna()),
    "contains": kept(col("side").str.contains("^b|l"), lambda f: f["side"].str.contains("^b|l")),
    "startswith": kept(col("side").str.startswith("s"), lambda f: f["side"].str.startswith("s")),
    "endswith": kept(col("side").str.endswith("y"), lambda f: f["side"].str.endswith("y")),
    "regex_match": kept(col("side").regex_match("e.l"), lambda f: f["side"].str.contains("e.l")),
    "head": (lambda q: q.head(7), lambda f: f.head(7)),
    "tail": (lambda q: q.tail(-9), lambda f: f.tail(-9)),
    "limit": (lambda q: q[col("live")].limit(5), lambda f: f[f["live"]].head(5)),
    "row_range": (lambda q: q.row_range((-20, -3)), lambda f: f.iloc[-20:-3]),
    "date_range": (lambda q: q.date_range((FRAME.index[9], FRAME.index[20])), lambda f: f.iloc[9:21]),
    "sort_values": (
        lambda q: q.sort_values(["lot", "size"], [False, True]),
        lambda f: f.sort_values(["lot", "size"], ascending=[False, True], kind="stable"),
    ),
    "unique": (lambda q: q.select("side", "live").unique(), lambda f: f[["side", "live"]].drop_duplicates()),
    "drop_duplicates": (
        lambda q: q.drop_duplicates(["lot", "live"], "last"),
        lambda f: f.drop_duplicates(["lot", "live"], keep="last"),
    ),
    # Columns
    "select": (lambda q: q.select("size", "price"), lambda f: f[["size", "price"]]),
    "drop": (lambda q: q.drop("size", "kind"), lambda f: f.drop(columns=["size", "kind"])),
    "rename": (lambda q: q.rename({"size": "amount"}), lambda f: f.rename(columns={"size": "amount"})),
    "cast": (
        lambda q: q.cast({"size": "float32", "lot": "int64", "live": "int8"}),
        lambda f: f.astype({"size": "float32", "lot": "int64", "live": "int8"}),
    ),
    "category as text": value(col("kind").cast("string"), lambda: FRAME["kind"].astype(object)),
    "//": value(col("size") // 7, lambda: FRAME["size"] // 7),
    "%": value(col("size") % 7, lambda: FRAME["size"] % 7),
    "power": value(col("price") ** 2, lambda: FRAME["price"] ** 2),
    "fillna": value(col("price").fillna(-1), lambda: FRAME["price"].fillna(-1)),
    "fillna of text": value(col("side").fillna("?"), lambda: FRAME["side"].fillna("?")),
    "clip": value(col("size").clip(0, 500), lambda: FRAME["size"].clip(0, 500)),
    "round": value(col("price").round(1), lambda: FRAME["price"].round(1)),
    "abs": value(abs(col("size")), FRAME["size"].abs),
    "where": value(where(col("live"), col("price"), -1.0), lambda: FRAME["price"].where(FRAME["live"], -1.0)),
    "difference of times": value(
        col("due") - pd.Timestamp("2020-01-01"), lambda: FRAME["due"] - pd.Timestamp("2020-01-01")
    ),
    "duration times two": value(col("wait") * 2, lambda: FRAME["wait"] * 2),
    **{
        f"dt.{part}": value(getattr(col("due").dt, part), lambda part=part: getattr(LOCAL, part))
        for part in (
            *("year", "quarter", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond"),
            *("weekday", "dayofweek", "day_of_week", "day_of_year"),
        )
    },
    "dt.millisecond": value(col("due").dt.millisecond, lambda: LOCAL.microsecond // 1000),
    "dt.date": value(col("due").dt.date, LOCAL.normalize),
    "dt.floor": value(col("due").dt.floor("15min"), lambda: LOCAL.floor("15min")),
    "dt.ceil": value(col("due").dt.ceil("15min"), lambda: LOCAL.ceil("15min")),
    "dt.round": value(col("due").dt.round("15min"), lambda: LOCAL.round("15min")),
    "dt.tz_localize": value(col("due").dt.tz_localize("Asia/Tokyo"), lambda: LOCAL.tz_localize("Asia/Tokyo")),
    "dt of the index": value(col("time").dt.hour, lambda: FRAME.index.hour),
    "dt.tz_convert": value(
        col("time").dt.tz_convert("Asia/Tokyo"), lambda: FRAME.index.to_series().dt.tz_convert("Asia/Tokyo")
    ),
    "str.len": value(col("side").str.len(), TEXT.len),
    "str.lower": value(col("side").str.lower(), TEXT.lower),
    "str.upper": value(col("side").str.upper(), TEXT.upper),
    "str.slice": value(col("side").str.slice(1, 3), lambda: TEXT.slice(1, 3)),
    "str.replace": value(col("side").str.replace("l", "L"), lambda: TEXT.replace("l", "L", regex=False)),
    "str.strip": value(col("side").str.strip(), TEXT.strip),
    "str.lstrip": value(col("side").str.lstrip("b "), lambda: TEXT.lstrip("b ")),
    "str.rstrip": value(col("side").str.rstrip("y "), lambda: TEXT.rstrip("y ")),
    # Groups and buckets
    "groupby of several keys": grouped(["side", "live"], total=("size", "sum"), n=("price", "count")),
    "groupby by the index": grouped("time", total=("size", "sum")),
    "aggregations": grouped(
        "lot",
        **{how: ("price", how) for how in ("sum", "mean", "min", "max", "count", "first", "last", "std", "var")},
        **{f"of {how}": ("size", how) for how in ("median", "nunique", "any", "all", "min", "last")},
        texts=("side", "nunique"),
        early=("due", "min"),
        longest=("wait", "max"),
    ),
    "first seen": (
        lambda q: q.groupby("lot", sort=False).agg({"size": "max"}),
        lambda f: f.groupby("lot", sort=False).agg({"size": "max"}),
    ),
    "groups of groups": (
        lambda q: q.groupby(["lot", "live"]).agg({"size": "sum"})[col("size") > 0].groupby("live").agg({"size": "max"}),
        lambda f: f.groupby(["lot", "live"])[["size"]].sum().query("size > 0").groupby("live").agg({"size": "max"}),
    ),
    **{
        f"resample {rule}": bucketed(rule, total=("size", "sum"), high=("price", "max"), text=("side", "last"))
        for rule in ("90min", "6h", "D", "W", "ME", "MS", "QE", "YE", "B")
    },
    "resample with empty buckets": (
        lambda q: q.resample("10min", empty="keep").agg({"n": ("size", "count"), "price": "mean"}),
        lambda f: f.resample("10min", origin="epoch").agg(n=("size", "count"), price=("price", "mean")),
    ),
    "a chain": (
        lambda q: (
            q[col("size") > 0]
            .apply("value", col("price") * col("size"))
            .sort_values("value")
            .head(9)
            .select("side", "value")
        ),
        lambda f: (
            f[f["size"] > 0]
            .assign(value=lambda g: g["price"] * g["size"])
            .sort_values("value", kind="stable")
            .head(9)[["side", "value"]]
        ),
    ),
}


def same(made: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """The same rows; integers that pandas makes floats for a missing one are 0 here, counts are unsigned."""
    assert list(made) == list(wanted)
    assert len(made) == len(wanted)
    for name in wanted:
        one, other = made[name], wanted[name]
        if str(one.dtype) != str(other.dtype) and other.dtype.kind in "iuf" and one.dtype.kind in "iub":
            other = other.fillna(0).astype(one.dtype)
        pd.testing.assert_series_equal(
            one, other, check_freq=False, check_index_type=False, check_index=False, rtol=1e-12, check_names=False,
            check_dtype=one.dtype.kind in "iufbmM",
        )  # fmt: skip
    assert made.index.equals(wanted.index)
    assert list(made.index.names) == list(wanted.index.names)


@pytest.fixture
def lib(uri: str) -> Library:
    made = coldframe.Arctic(uri).create_library("lib", LibraryOptions(rows_per_segment=13))
    made.write("s", FRAME.iloc[:20], validate_index=False)
    made.append("s", FRAME.iloc[20:50])
    made.append("s", FRAME.iloc[50:])
    return made


def ask_everywhere(lib: Library, build: Query) -> list[pd.DataFrame]:
    """The answers of every call that takes a query."""
    query = build(QueryBuilder())
    answers = [
        lib.read("s", query_builder=query),
        lib.read("s", lazy=True).then(query).collect(),
        build(lib.read("s", lazy=True)).collect(),
        build(lib.head("s", COUNT, lazy=True)).collect(),
        build(lib.tail("s", COUNT, lazy=True)).collect(),
        *lib.read_batch(["s", ReadRequest("s", row_range=(0, COUNT))], query_builder=query),
        *lib.read_batch([ReadRequest("s", query_builder=query)], lazy=True).collect(),
    ]
    return [item.data for item in answers]


@pytest.mark.parametrize("case", CASES)
def test_as_pandas(lib: Library, case: str) -> None:
    build, meaning = CASES[case]
    wanted = meaning(FRAME)
    for made in ask_everywhere(lib, build):
        same(made, wanted)


def test_columns_with_groups_and_buckets(lib: Library) -> None:
    query = QueryBuilder().groupby("side").agg({"price": "max", "size": "sum"})
    made = lib.read("s", columns=["size"], query_builder=query).data
    same(made, FRAME.groupby("side").agg({"size": "sum"}))
    made = lib.read("s", columns=["n"], query_builder=QueryBuilder().resample("D").agg({"n": ("size", "min")})).data
    same(made, FRAME.resample("D").agg(n=("size", "min")))
    made = lib.read(
        "s", columns=["price"], query_builder=QueryBuilder()[col("size") > 0].apply("x", col("lot") + 1)
    ).data
    same(made, FRAME.loc[FRAME["size"] > 0, ["price"]])


def test_of_a_version_and_a_range(lib: Library) -> None:
    query = QueryBuilder()[col("live")]
    assert len(lib.read("s", as_of=0, query_builder=query).data) == FRAME["live"].iloc[:20].sum()
    dates = (FRAME.index[15], FRAME.index[44])
    same(lib.read("s", date_range=dates, query_builder=query).data, FRAME.iloc[15:45].loc[FRAME["live"]])
    same(lib.read("s", row_range=(15, 45), query_builder=query).data, FRAME.iloc[15:45].loc[FRAME["live"]])


def test_several_symbols(lib: Library) -> None:
    lib.write("t", FRAME[["size", "lot"]].shift(freq="30D").rename(columns={"lot": "other"}))
    query = QueryBuilder().concat("outer")[col("size") > 0].groupby("live").agg({"size": "sum"})
    found = lib.read_batch_and_join(["s", "t"], query)
    assert [item.symbol for item in found.versions] == ["s", "t"]
    both = pd.concat([FRAME, lib.read("t").data])
    both = both[both["size"] > 0].dropna(subset="live")
    assert found.data["size"].tolist() == both.groupby(both["live"].astype(bool))["size"].sum().tolist()
    frames = lib.read_batch(["s", "t"], lazy=True)
    joined = concat(frames, "inner").resample("D").agg({"size": "sum"})
    assert joined.collect().data["size"].sum() == 2 * FRAME["size"].sum()


def test_explain(lib: Library) -> None:
    text = lib.read("s", lazy=True)[col("size") > 10_000].apply("x", col("lot") + 1).groupby("live").agg(
        {"x": "sum"}
    ).head(2).explain()  # fmt: skip
    assert text.splitlines()[0] == "read s"
    for part in ("slices: 0 of 6 after pruning", "columns: 3 of 9", "bytes to fetch", "filter", "compute", "group by"):
        assert part in text
    plain = lib.read("s", lazy=True, columns=["lot"]).explain()
    assert "slices: 6 of 6" in plain
    assert "columns: 2 of 9 (time, lot)" in plain


def test_on_an_object_store(ministack_server: Any, prefix: str) -> None:
    lib = coldframe.Arctic(ministack_server.uri(path_prefix=prefix)).create_library(
        "lib", LibraryOptions(rows_per_segment=13)
    )
    lib.write("s", FRAME)
    for case in ("filter", "a chain", "groupby of several keys", "resample 6h", "tail", "drop_duplicates", "str.upper"):
        build, meaning = CASES[case]
        same(lib.read("s", query_builder=build(QueryBuilder())).data, meaning(FRAME))
    assert sum(piece.num_rows for piece in lib.read("s", lazy=True)[col("live")].collect_batches(3)) == 20
