"""Bad queries: a typed error that says what is wrong, before rows are fetched, where possible before anything is."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import library

from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticException,
    InternalException,
    NoSuchVersionException,
    SchemaException,
    UnsortedDataException,
    UserInputException,
)
from coldframe.items import DataError, ReadRequest
from coldframe.lazy import concat
from coldframe.library import Library
from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col, where
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore
from coldframe.testing.counting import CountingStore

COUNT = 200
FRAME = pd.DataFrame(
    {
        "price": np.arange(COUNT) / 7,
        "size": np.arange(COUNT),
        "small": np.arange(COUNT).astype("u1"),
        "side": np.array(["buy", "sell", None, "hold"] * 50, dtype=object),
        "live": [True, False] * 100,
        "due": pd.date_range("2024", periods=COUNT, freq="D"),
        "kind": pd.Categorical(["x", "y"] * 100),
        "span": pd.to_timedelta(np.arange(COUNT), unit="s"),
    },
    index=pd.date_range("2024", periods=COUNT, freq="s", name="time"),
)
LEVELS = FRAME.set_index("side", append=True)
OTHERS: dict[str, Any] = {
    "plain": FRAME.reset_index(drop=True),
    "levels": LEVELS,
    "series": FRAME["price"],
    "twice": pd.DataFrame(np.ones((COUNT, 2)), columns=["a", "a"]),
    "other": FRAME[["price"]].rename(columns={"price": "cost"}),
}


@pytest.fixture(scope="module")
def store() -> CountingStore:
    inner = MemoryStore()
    inner.limits = Limits(inline_piece=0, head=1 << 20, segment=1 << 20)
    return CountingStore(inner)


@pytest.fixture(scope="module")
def lib(store: CountingStore) -> Library:
    made = library(store, rows_per_segment=50)
    made.write("s", FRAME)
    for symbol, data in OTHERS.items():
        made.write(symbol, data)
    made.write("shuffled", FRAME[["price"]].iloc[::-1], validate_index=False)
    made.write_pickle("pickled", {"a": 1})
    return made


def q() -> QueryBuilder:
    return QueryBuilder()


# What is wrong by itself: said when it is written, or at the latest when it is added to a query.
WRITTEN: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "and": (lambda: (col("a") > 1) and col("b"), UserInputException, "use &"),
    "or": (lambda: (col("a") > 1) or col("b"), UserInputException, "use &"),
    "not": (lambda: not col("a"), UserInputException, "~"),
    "if": (lambda: 1 if col("a") > 1 else 2, UserInputException, "where"),
    "chained": (lambda: 1 < col("a") < 3, UserInputException, "chained"),
    "a constant": (lambda: q()[1], UserInputException, "constant"),
    "nothing but false": (lambda: q()[(col("a") > 1) & False], UserInputException, "constant"),
    "None": (lambda: col("a") == None, InternalException, "isna"),  # noqa: E711
    "NaT": (lambda: col("a") > pd.NaT, InternalException, "isna"),
    "infinity": (lambda: col("a") > np.inf, ArcticException, "Infinite"),
    "an integer of 65 bits": (lambda: col("a") == 2**64, UserInputException, "64 bits"),
    "datetime64": (lambda: col("a") == np.datetime64("2020"), TypeError, "Timestamp"),
    "an object": (lambda: col("a") == object(), TypeError, "object"),
    "bytes": (lambda: col("a") == b"a", TypeError, "bytes"),
    "a year too far": (lambda: col("a") > dt.datetime(2500, 1, 1), UserInputException, "2262"),  # noqa: DTZ001
    "isin of None": (lambda: col("a").isin([None, "a"]), InternalException, "None"),
    "isin of booleans": (lambda: col("a").isin([True]), InternalException, "booleans"),
    "isin of signs": (lambda: col("a").isin([-1, 2**63 + 1]), UserInputException, "64-bit"),
    "isin of lists": (lambda: col("a").isin([[1]]), TypeError, ""),
    "isin of a table": (lambda: col("a").isin(np.ones((2, 2))), UserInputException, "flat"),
    "isin of times and numbers": (lambda: col("a").isin([pd.Timestamp(0), 1]), UserInputException, "mixes"),
    "an array": (lambda: operator.add(col("a"), np.ones(2)), UserInputException, "list"),
    "a bad regex": (lambda: col("a").regex_match("("), InternalException, "regular expression"),
    "a bad regex in contains": (lambda: col("a").str.contains("["), InternalException, "regular expression"),
    "a bad regex in replace": (lambda: col("a").str.replace("(", "", regex=True), InternalException, "regular"),
    "a regex of bytes": (lambda: col("a").regex_match(b"a"), UserInputException, "str"),
    "a column by number": (lambda: col(3), TypeError, "col\\('3'\\)"),
    "unknown of str": (lambda: col("a").str.title, UserInputException, "lower"),
    "unknown of dt": (lambda: col("a").dt.century, UserInputException, "year"),
    "a month as unit": (lambda: col("a").dt.floor("ME"), UserInputException, "fixed frequency"),
    "no zone": (lambda: col("a").dt.tz_convert("Nowhere"), UserInputException, "time zone"),
    "no type": (lambda: col("a").cast("complex128"), UserInputException, "cannot cast"),
    "between": (lambda: col("a").between(1, 2, "some"), UserInputException, "inclusive"),
    "half a decimal": (lambda: col("a").round(0.5), UserInputException, "decimals"),
    "clip to a word": (lambda: col("a").clip("x"), UserInputException, "numbers"),
    "where None": (lambda: where(col("a") > 1, None, 1), ArcticException, "isna"),
    "apply a list": (lambda: q().apply("n", [1]), ArcticException, "'n'"),
    "apply to a number": (lambda: q().apply(3, 1), TypeError, "str"),
    "an unknown aggregation": (lambda: q().groupby("a").agg({"b": "mode"}), UserInputException, "'mode'.*sum"),
    "no aggregations": (lambda: q().groupby("a").agg({}), InternalException, "at least one"),
    "an aggregation that is a number": (lambda: q().groupby("a").agg({"b": 3}), ArcticException, "strings or tuples"),
    "a short tuple": (lambda: q().groupby("a").agg({"b": ("c",)}), ArcticException, "2 string"),
    "aggregations as text": (lambda: q().groupby("a").agg("sum"), ArcticException, "dict"),
    "agg alone": (lambda: q().agg({"a": "sum"}), ArcticException, "after groupby"),
    "a key that is a number": (lambda: q().groupby(3), TypeError, "column name"),
    "no key": (lambda: q().groupby([]), UserInputException, "one or more"),
    "a rule that is none": (lambda: q().resample("nonsense"), ArcticDbNotYetImplemented, "'nonsense'.*15min"),
    "a rule of nothing": (lambda: q().resample("0h"), ArcticDbNotYetImplemented, "0h"),
    "a rule as Timedelta": (lambda: q().resample(pd.Timedelta("1h")), TypeError, "Timedelta"),
    "closed in the middle": (lambda: q().resample("h", closed="middle"), ArcticException, "closed"),
    "label in the middle": (lambda: q().resample("h", label="middle"), ArcticException, "label"),
    "an offset without a code": (
        lambda: q().resample(pd.offsets.Easter()),
        ArcticDbNotYetImplemented,
        "not supported",
    ),
    "an offset of any kind": (lambda: q().resample(pd.DateOffset(days=2)), ArcticDbNotYetImplemented, "not supported"),
    "ascending by number": (lambda: q().sort_values("a", 0), UserInputException, "ascending.*0"),
    "ascending by text": (lambda: q().sort_values(["a", "b"], "ye"), UserInputException, "ascending.*'ye'"),
    "ascending by numbers": (lambda: q().sort_values(["a", "b"], [True, 1]), UserInputException, "ascending"),
    "origin nowhere": (lambda: q().resample("h", origin="nowhere"), UserInputException, "epoch"),
    "offset of nothing": (lambda: q().resample("h", offset="x"), UserInputException, "offset"),
    "empty maybe": (lambda: q().resample("h", empty="maybe"), UserInputException, "keep"),
    "rows by numpy": (lambda: q().row_range((np.int64(1), 2)), UserInputException, "row_range"),
    "rows by float": (lambda: q().row_range((1, 2.5)), UserInputException, "2.5"),
    "dates as text": (lambda: q().date_range(("2020", "2021")), TypeError, "'2020'"),
    "head of text": (lambda: q().head("x"), TypeError, "head"),
    "limit below zero": (lambda: q().limit(-1), UserInputException, "limit"),
    "concat sideways": (lambda: q().concat("left"), ArcticException, "outer"),
    "max_rows of zero": (lambda: _lazy().collect_batches(0), TypeError, "max_rows"),
}


def _lazy() -> Any:
    return library(MemoryStore()).read("nothing", lazy=True)


@pytest.mark.parametrize("case", WRITTEN)
def test_when_written(case: str) -> None:
    build, error, text = WRITTEN[case]
    with pytest.raises(error, match=f"(?s){text}"):
        build()


# What does not go with the symbol: said when the query meets its schema, before any row is fetched.
MET: dict[str, tuple[Any, type[Exception], str]] = {
    "a name close to one": (q()[col("prize") > 1], SchemaException, "E_COLUMN_DOESNT_EXIST.*did you mean 'price'"),
    "a name like none": (q()[col("zzz") > 1], SchemaException, "there are 'price', 'size'"),
    "apply of nothing": (q().apply("n", col("sise") + 1), SchemaException, "'size'"),
    "a key of nothing": (q().groupby("sise").agg({"price": "sum"}), SchemaException, "'size'"),
    "a sum of nothing": (q().groupby("side").agg({"prise": "sum"}), SchemaException, "'price'"),
    "sort by nothing": (q().sort_values("prise"), SchemaException, "'price'"),
    "distinct by nothing": (q().drop_duplicates("prise"), SchemaException, "'price'"),
    "select of nothing": (q().select("prise"), SchemaException, "'price'"),
    "drop of nothing": (q().drop("prise"), SchemaException, "'price'"),
    "rename of nothing": (q().rename({"prise": "x"}), SchemaException, "'price'"),
    "cast of nothing": (q().cast({"prise": "int8"}), SchemaException, "'price'"),
    "what was dropped": (q().drop("price")[col("price") > 1], SchemaException, "'price'"),
    "what was renamed": (q().rename({"price": "p"}).sort_values("price"), SchemaException, "'price'"),
    "a bucket of nothing": (q().resample("h").agg({"prise": "sum"}), SchemaException, "'price'"),
    "a number as condition": (q()[col("size")], UserInputException, "compare it"),
    "a sum as condition": (q()[col("size") + 1], UserInputException, "condition"),
    "and of a number": (q()[(col("size") > 1) & col("size")], UserInputException, "size"),
    "not of a number": (q()[~col("size")], UserInputException, "~"),
    "conditions compared": (q()[(col("size") > 1) == (col("small") > 1)], UserInputException, "&"),
    "text and number": (q()[col("side") == 1], UserInputException, "string and uint8"),
    "number and text": (q()[col("size") > "a"], UserInputException, "int64 and string"),
    "text and number columns": (q()[col("side") == col("size")], UserInputException, "string and int64"),
    "boolean and number": (q()[col("live") == 1], UserInputException, "bool"),
    "category and text": (q()[col("kind") == "x"], UserInputException, "cast"),
    "time and text": (q()[col("due") == "2024"], UserInputException, "datetime64"),
    "time and duration": (q()[col("due") > pd.Timedelta("1s")], UserInputException, "timedelta64"),
    "isin of text": (q()[col("size").isin("a")], UserInputException, "int64"),
    "isin of numbers": (q()[col("side").isin(1)], UserInputException, "string"),
    "regex of numbers": (q()[col("size").regex_match("a")], UserInputException, "int64"),
    "str of numbers": (q()[col("size").str.len() > 1], UserInputException, "int64"),
    "dt of numbers": (q()[col("size").dt.year > 1], UserInputException, "int64"),
    "text plus text": (q().apply("n", col("side") + "a"), UserInputException, "string"),
    "minus a boolean": (q().apply("n", -col("live")), UserInputException, "bool"),
    "abs of text": (q().apply("n", abs(col("side"))), UserInputException, "string"),
    "a float exponent": (q().apply("n", col("size") ** 0.5), UserInputException, "exponents"),
    "time plus number": (q().apply("n", col("due") + 1), UserInputException, "datetime64"),
    "time times two": (q().apply("n", col("due") * 2), UserInputException, "datetime64"),
    "where of a number": (q().apply("n", where(col("size"), 1, 2)), UserInputException, "condition"),
    "where of a constant": (q().apply("n", where(True, 1, 2)), InternalException, "constant"),
    "where of text and number": (q().apply("n", where(col("live"), col("side"), 1)), UserInputException, "string"),
    "where of number and boolean": (q().apply("n", where(col("live"), col("live"), 1)), UserInputException, "bool"),
    "fillna of text by number": (q().apply("n", col("side").fillna(1)), UserInputException, "string"),
    "round of text": (q().apply("n", col("side").round()), UserInputException, "string"),
    "clip of text": (q().apply("n", col("side").clip(1, 2)), UserInputException, "string"),
    "float cast to time": (q().apply("n", col("price").cast("datetime64[ns]")), UserInputException, "cannot be cast"),
    "convert without zone": (q().apply("n", col("due").dt.tz_convert("UTC")), UserInputException, "tz_localize"),
    "sum of text": (q().groupby("live").agg({"side": "sum"}), SchemaException, "E_UNSUPPORTED_COLUMN_TYPE.*'side'"),
    "sum of times": (q().groupby("live").agg({"due": "sum"}), SchemaException, "E_UNSUPPORTED_COLUMN_TYPE.*'due'"),
    "mean of categories": (q().groupby("live").agg({"kind": "mean"}), SchemaException, "'kind'"),
    "std of durations": (q().groupby("live").agg({"span": "std"}), SchemaException, "'span'"),
    "bucket sum of times": (q().resample("h").agg({"due": "sum"}), SchemaException, "'due'"),
    "groupby without agg": (q().groupby("side"), UserInputException, "agg"),
    "groupby, then head": (q().groupby("side").head(2), UserInputException, "agg"),
    "concat": (q().concat(), UserInputException, "read_batch_and_join"),
    "drop of the index": (q().drop("time"), UserInputException, "index"),
    "rename of the index": (q().rename({"time": "t"}), UserInputException, "index"),
    "cast of the index": (q().cast({"time": "int64"}), UserInputException, "index"),
    "origin after dates": (
        q().date_range((FRAME.index[3], None)).resample("h", origin="start").agg({"size": "sum"}),
        UserInputException,
        "date_range",
    ),
    "levels: aggregated in buckets": (q().resample("h").agg({"side": "count"}), SchemaException, "level"),
    "plain: dates": (q().date_range((FRAME.index[0], None)), SchemaException, "E_UNSUPPORTED_INDEX_TYPE"),
    "plain: buckets": (q().resample("h").agg({"size": "sum"}), SchemaException, "E_UNSUPPORTED_INDEX_TYPE"),
    "shuffled: dates": (q().date_range((FRAME.index[0], None)), UnsortedDataException, "not sorted"),
    "twice: a name of two": (q()[col("a") > 1], SchemaException, "several columns are named 'a'"),
    "pickled: head": (q().head(1), InternalException, "PICKLED_DATA.*pickled"),
    "pickled: filter": (q()[col("a") > 1], InternalException, "PICKLED_DATA.*'pickled'"),
}


@pytest.mark.parametrize("case", MET)
def test_before_rows_are_fetched(lib: Library, store: CountingStore, case: str) -> None:
    query, error, text = MET[case]
    symbol = case.split(":", maxsplit=1)[0] if ":" in case else "s"
    calls: list[Callable[[], Any]] = [
        lambda: lib.read(symbol, query_builder=query),
        lambda: lib.read(symbol, lazy=True).then(query).collect(),
        lambda: lib.read(symbol, lazy=True).then(query).explain(),
        lambda: next(lib.read(symbol, lazy=True).then(query).collect_batches()),
    ]
    if error is UnsortedDataException:
        del calls[2]  # a plan needs no order
    for call in calls:
        store.reset()
        with pytest.raises(error, match=f"(?s){text}") as caught:
            call()
        assert type(caught.value) is error
        assert "fetch" not in store.counts
        assert set(store.counts) <= {"get"}
    (found,) = lib.read_batch([symbol], query_builder=query)
    assert isinstance(found, DataError)
    assert found.symbol == symbol


def test_of_joins(lib: Library, store: CountingStore) -> None:
    joined = q().concat()
    for symbols, query, error, text in (
        (["s", "nothing"], joined, NoSuchVersionException, "nothing"),
        (["s", "plain"], joined, SchemaException, "indexes that do not go together"),
        (["s", "series"], joined, SchemaException, "Series"),
        (["s", "pickled"], joined, Exception, "pickled"),
        (["s", "other"], q().head(1), UserInputException, "concat"),
        (["s", "other"], q(), UserInputException, "concat"),
        (["s", "other"], q().concat().head(1).concat(), UserInputException, "concat"),
        (["s", "other"], q().concat("inner")[col("price") > 1], SchemaException, "price"),
        ([], joined, ArcticException, "no symbols"),
        (["s", ReadRequest("other", query_builder=q()[col("coast") > 1])], joined, SchemaException, "'cost'"),
    ):
        store.reset()
        with pytest.raises(error, match=text):
            lib.read_batch_and_join(symbols, query)
        assert set(store.counts) <= {"get", "fetch"}
    with pytest.raises(ArcticException, match="outer"):
        concat([lib.read("s", lazy=True)], join="left")
    with pytest.raises(ArcticException, match="same library"):
        concat([lib.read("s", lazy=True), library(MemoryStore(), name="another").read("s", lazy=True)])
