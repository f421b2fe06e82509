"""Arguments of a wrong type are named, and refused before the first of several things is done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import objects_of

import coldframe
from coldframe.exceptions import ArcticException, NoSuchVersionException, UnsortedDataException, UserInputException
from coldframe.items import DeleteRequest, ReadRequest, UpdatePayload, WriteMetadataPayload, WritePayload
from coldframe.library import Library
from coldframe.operations.arguments import nanoseconds

DAYS = pd.date_range("2024-01-01", periods=4, name="time")
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}, index=DAYS)
LATER = FRAME.shift(10, freq="D")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


class Text(str):
    __slots__ = ()


class Names(StrEnum):
    EURUSD = "eur/usd"


@pytest.fixture
def lib(uri) -> Library:
    made = coldframe.Arctic(uri).create_library("lib")
    made.write("s", FRAME)
    made.write("t", FRAME)
    made.snapshot("snap")
    return made


def refused(lib: Library, call: Callable[[], Any], error: type[BaseException], *words: str) -> None:
    """The call raises this, its message has these words, and not a byte is changed."""
    before = objects_of(lib._catalog.store)
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    assert objects_of(lib._catalog.store) == before


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("kind", [np.str_, Text])
def test_names_of_a_kind_of_str_are_stored_as_plain_ones(lib, kind):
    item = lib.write(kind("new"), FRAME)
    assert (item.symbol, type(item.symbol)) == ("new", str)
    assert lib.append(kind("new"), LATER).version == 1
    assert lib.append(kind("other"), LATER).version == 0
    assert lib.update(kind("third"), FRAME, upsert=True).version == 0
    assert lib.write_metadata(kind("fourth"), 1).version == 0
    assert lib.write_pickle(kind("fifth"), {1}).version == 0
    lib.snapshot(kind("night"), versions={kind("new"): np.int64(1)})
    assert lib.read(kind("new"), as_of=kind("night")).version == 1
    names = [*lib.list_symbols(), *lib.list_snapshots()]
    assert {"new", "other", "third", "fourth", "fifth", "night"} <= set(names)
    assert {type(name) for name in names} == {str}
    lib.delete(kind("new"))
    assert not lib.has_symbol("new")


def test_members_of_an_enumeration_are_names_by_their_value(lib):
    lib.write(Names.EURUSD, FRAME)
    assert lib.read(Names.EURUSD).symbol == "eur/usd"
    assert "eur/usd" in lib.list_symbols()


@pytest.mark.parametrize("name", [None, 1.5, ["s"], {"s"}, FRAME, slice(0, 1)], ids=lambda name: type(name).__name__)
def test_what_can_be_no_name(lib, name):
    for call in (
        lambda: lib.write(name, FRAME),
        lambda: lib.append(name, LATER),
        lambda: lib.update(name, FRAME),
        lambda: lib.write_metadata(name, 1),
        lambda: lib.delete_data_in_range(name, (DAYS[0], None)),
        lambda: lib.delete(name),
        lambda: lib.prune_previous_versions(name),
        lambda: lib.read(name),
        lambda: lib.head(name),
        lambda: lib.get_description(name),
        lambda: lib.read_metadata(name),
        lambda: lib.snapshot("new", skip_symbols=[name]),
    ):
        refused(lib, call, TypeError, "the name of a symbol must be a str", type(name).__name__)
    assert name not in lib
    assert not lib.has_symbol(name)


def test_wrong_names_are_said_to_be_what_they_are(lib):
    refused(lib, lambda: lib.delete_snapshot(None), TypeError, "snapshot", "NoneType")
    refused(lib, lambda: lib.list_symbols(5), TypeError, "snapshot", "int")
    refused(lib, lambda: lib.read(5.5), TypeError, "symbol", "float")


# ---------------------------------------------------------------------------------------------------------- switches


@pytest.mark.parametrize("value", ["no", "", 2, 1.0, [], "False"])
def test_switches_are_booleans(lib, value):
    lib.write("s", FRAME)
    calls = {
        "prune_previous_versions": (
            lambda: lib.write("s", FRAME, prune_previous_versions=value),
            lambda: lib.write_pickle("s", 1, prune_previous_versions=value),
            lambda: lib.write_batch([WritePayload("s", FRAME)], prune_previous_versions=value),
            lambda: lib.append("s", LATER, prune_previous_versions=value),
            lambda: lib.update("s", FRAME, prune_previous_versions=value),
            lambda: lib.write_metadata("s", 1, prune_previous_versions=value),
            lambda: lib.delete_data_in_range("s", (DAYS[0], None), prune_previous_versions=value),
        ),
        "validate_index": (
            lambda: lib.write("s", FRAME[::-1], validate_index=value),
            lambda: lib.write_batch([WritePayload("s", FRAME[::-1])], validate_index=value),
            lambda: lib.append("s", LATER[::-1], validate_index=value),
            lambda: lib.append_batch([WritePayload("s", LATER[::-1])], validate_index=value),
        ),
        "upsert": (
            lambda: lib.update("new", FRAME, upsert=value),
            lambda: lib.update_batch([UpdatePayload("new", FRAME)], upsert=value),
        ),
        "orphans": (lambda: lib.reclaim(orphans=value),),
        "staged": (lambda: lib.write("s", FRAME, staged=value), lambda: lib.write_pickle("s", 1, staged=value)),
        "compact_data": (lambda: lib.append("s", LATER, compact_data=value),),
        "recursive_normalizers": (lambda: lib.write("s", [FRAME], recursive_normalizers=value),),
        "lazy": (
            lambda: lib.read("s", lazy=value),
            lambda: lib.head("s", lazy=value),
            lambda: lib.tail("s", lazy=value),
            lambda: lib.read_batch(["s"], lazy=value),
        ),
        "latest_only": (lambda: lib.list_versions(latest_only=value),),
        "skip_snapshots": (lambda: lib.list_versions(skip_snapshots=value),),
        "load_metadata": (lambda: lib.list_snapshots(load_metadata=value),),
    }
    for argument, all_of_them in calls.items():
        for call in all_of_them:
            refused(lib, call, TypeError, argument, repr(value), "True or False")


@pytest.mark.parametrize("yes", [True, 1, np.True_, np.int8(1)])
def test_what_counts_as_true(lib, yes):
    lib.write("s", FRAME, prune_previous_versions=yes)
    assert [key.version for key in lib.list_versions("s")] == [1, 0]  # held by the snapshot
    assert lib.list_versions("s")["s", 0].deleted
    with pytest.raises(UnsortedDataException):
        lib.write("s", FRAME[::-1], validate_index=yes)
    assert lib.update("new", FRAME, upsert=yes).version == 0


# -------------------------------------------------------------------------------------------------- versions, snapshots


@pytest.mark.parametrize("versions", ["0", 1.0, ["a"], [None], [0, 1.5], {"a": 1}, b"0", object()])
def test_version_numbers_of_the_wrong_type(lib, versions):
    refused(lib, lambda: lib.delete("s", versions), TypeError, "version", "int")
    batch = [DeleteRequest("t", [0]), DeleteRequest("s", versions)]
    refused(lib, lambda: lib.delete_batch(batch), TypeError, "version", "int")


def test_a_batch_of_deletes_is_checked_before_the_first(lib):
    first = DeleteRequest("t", [0])
    refused(lib, lambda: lib.delete_batch([first, DeleteRequest("s", [-1])]), TypeError, "-1", "negative")
    refused(lib, lambda: lib.delete_batch([first, DeleteRequest(None, [0])]), TypeError, "item 1", "NoneType")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"versions": ["s"]}, ["versions", "list", "{'s'"]),
        ({"versions": "s"}, ["versions", "str"]),
        ({"versions": {"s": "0"}}, ["'s'", "'0'", "int"]),
        ({"versions": {"s": None}}, ["'s'", "None", "int"]),
        ({"versions": {"s": 0.0}}, ["'s'", "0.0", "int"]),
        ({"versions": {"s": -1}}, ["'s'", "-1", "negative"]),
        ({"versions": {7.5: 0}}, ["str", "7.5"]),
        ({"skip_symbols": "st"}, ["skip_symbols", "'st'", "list"]),
        ({"skip_symbols": 5}, ["skip_symbols", "5", "list"]),
        ({"skip_symbols": [5.5]}, ["skip_symbols", "5.5", "str"]),
    ],
)
def test_snapshots_of_what_is_no_symbol_or_version(lib, arguments, words):
    refused(lib, lambda: lib.snapshot("new", **arguments), TypeError, *words)


@pytest.mark.parametrize("as_of", [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)])  # noqa: DTZ001 - naive means UTC
def test_times_beyond_64_bits_of_nanoseconds(lib, as_of):
    refused(lib, lambda: lib.read("s", as_of=as_of), NoSuchVersionException, "'s'")
    assert not lib.has_symbol("s", as_of=as_of)


# ----------------------------------------------------------------------------------------------------- keys and queries


def test_any_text_is_an_idempotency_key(lib):
    assert [lib.append("s", LATER, idempotency_key="\ud800é").version for _ in range(2)] == [1, 1]


def test_idempotency_keys_are_strings_that_say_something(lib):
    for key in (5, b"x", ("a",)):
        refused(lib, lambda k=key: lib.append("s", LATER, idempotency_key=k), TypeError, "idempotency_key", "str")
    refused(lib, lambda: lib.append("s", LATER, idempotency_key=""), UserInputException, "idempotency_key", "empty")


@pytest.mark.parametrize("query", ["a > 1", [], {"a": 1}, lambda: 1])
def test_queries_that_are_none(lib, query):
    refused(lib, lambda: lib.read("s", query_builder=query), TypeError, "query_builder", "QueryBuilder")
    refused(lib, lambda: lib.read("s", query_builder=query, lazy=True), TypeError, "query_builder")
    refused(lib, lambda: lib.read_batch(["s"], query_builder=query), TypeError, "query_builder")
    request = ReadRequest("s", query_builder=query)
    refused(lib, lambda: lib.read_batch([request]), TypeError, "item 0", "query_builder")
    refused(lib, lambda: lib.read_batch_and_join(["s"], query), TypeError, "query_builder")
    refused(lib, lambda: lib.read_batch_and_join(["s"], None), TypeError, "query_builder")


@pytest.mark.parametrize("n", [np.int64(2), True])
def test_numbers_of_rows_may_be_of_numpy(lib, n):
    assert lib.head("s", n).data.equals(FRAME.head(int(n)))
    assert lib.tail("s", n).data.equals(FRAME.tail(int(n)))


@pytest.mark.parametrize("grace", ["1", [1], None.__class__])
def test_graces_of_the_wrong_type(lib, grace):
    refused(lib, lambda: lib.reclaim(grace), TypeError, "grace", "seconds", "timedelta")


# ----------------------------------------------------------------------------------------------------------- batches


def test_batches_are_checked_before_the_first_item_is_done(lib):
    good = WritePayload("new", FRAME)
    for symbol in (7.5, None, ["x"], {"x"}):
        for call in (lib.write_batch, lib.append_batch, lib.write_pickle_batch):
            batch = [good, WritePayload(symbol, FRAME)]
            refused(lib, lambda c=call, b=batch: c(b), TypeError, "item 1", "str", type(symbol).__name__)
        metadata = [WriteMetadataPayload("s", 1), WriteMetadataPayload(symbol, 1)]
        refused(lib, lambda b=metadata: lib.write_metadata_batch(b), TypeError, "item 1", "str")
    for span in ("2024", (1, 2), 5):
        updates = [UpdatePayload("s", FRAME), UpdatePayload("t", FRAME, date_range=span)]
        refused(lib, lambda b=updates: lib.update_batch(b), TypeError, "item 1", "'t'", "date_range")


@pytest.mark.parametrize(
    "arguments", [{"columns": "a"}, {"row_range": 5}, {"date_range": "2024"}, {"columns": [1]}, {"symbol": None}]
)
def test_a_bad_item_of_a_batch_of_reads_is_named(lib, arguments):
    request = ReadRequest(**({"symbol": "t"} | arguments))
    refused(lib, lambda: lib.read_batch(["s", request]), TypeError, "item 1", *(set(arguments) - {"symbol"}))


def test_arguments_that_do_not_go_together_fail_one_item_of_a_batch(lib):
    requests = ["s", ReadRequest("s", as_of=1.5), ReadRequest("s", date_range=(None, None), row_range=(0, 1)), "t"]
    for query in (None, coldframe.QueryBuilder().head(1)):
        first, by_float, both, last = lib.read_batch(requests, query_builder=query)
        assert (first.symbol, last.symbol) == ("s", "t")
        assert "as_of" in by_float.exception_string
        assert "row_range" in both.exception_string


def test_messages_of_batches_are_short(lib):
    with pytest.raises(ArcticException) as caught:
        lib.write_batch([("s", pd.concat([FRAME] * 100))])
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("year", [1, 1677, 1970, 2024, 2262, 2263, 9999])
@pytest.mark.parametrize("zone", [None, dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
def test_nanoseconds_of_any_year(year, zone):
    moment = dt.datetime(year, 3, 4, 5, 6, 7, 89, tzinfo=zone)
    expected = (moment.replace(tzinfo=zone or dt.UTC) - EPOCH) // MICROSECOND * 1000
    assert nanoseconds(moment) == expected
    assert nanoseconds(pd.Timestamp(moment)) == expected
    assert type(nanoseconds(moment)) is int


def test_nanoseconds_of_a_date_and_of_nanoseconds():
    assert nanoseconds(dt.date(1970, 1, 2)) == 86_400 * 10**9
    assert nanoseconds(pd.Timestamp(1_700_000_000_123_456_789)) == 1_700_000_000_123_456_789
    assert nanoseconds(pd.Timestamp("1970-01-01 01:00", tz="Europe/Paris")) == 0
