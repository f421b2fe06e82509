"""Bad input: a typed error that says what is wrong and what to do, before anything is written."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import objects_of

import coldframe
from coldframe.catalog import config
from coldframe.catalog.config import LibraryConfig
from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticDuplicateSymbolsInBatchException,
    ArcticException,
    ArcticInvalidApiUsageException,
    ArcticUnsupportedDataTypeException,
    CompatibilityException,
    InternalException,
    LibraryNotFound,
    LmdbMapFullError,
    LmdbOptionsError,
    NoDataFoundException,
    NormalizationException,
    NoSuchVersionException,
    PermissionException,
    SchemaException,
    StorageException,
    StreamDescriptorMismatch,
    UnsortedDataException,
    UserInputException,
)
from coldframe.format.checksums import seal
from coldframe.items import ReadRequest, UpdatePayload, WritePayload
from coldframe.library import Library
from coldframe.options import LibraryOptions

DAYS = pd.date_range("2024-01-01", periods=4, name="time")
Call = Callable[[Library], Any]


def frame(start: str = "2024-01-01", rows: int = 4, **columns: Any) -> pd.DataFrame:
    index = pd.date_range(start, periods=rows, name="time")
    return pd.DataFrame(columns or {"a": np.arange(rows) * 1.0, "b": np.arange(rows)}, index=index)


def objects(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"good": 1.0, "bad": pd.Series(values, dtype=object)})


@pytest.fixture(params=["static", "dynamic"])
def lib(request, uri) -> Library:
    made = coldframe.Arctic(uri).create_library("lib", LibraryOptions(dynamic_schema=request.param == "dynamic"))
    made.write("s", frame())
    made.write("range", pd.DataFrame({"a": [1, 2, 3]}))
    made.write("text", pd.DataFrame({"a": [1, 2]}, index=["x", "y"]))
    made.write("unsorted", frame().iloc[::-1], validate_index=False)
    made.write_pickle("pickled", {"a": 1})
    made.write("cat", pd.DataFrame({"c": pd.Categorical(["x"])}, index=DAYS[:1]))
    made.snapshot("snap")
    return made


@pytest.fixture
def static(uri) -> Library:
    made = coldframe.Arctic(uri).create_library("lib")
    made.write("s", frame())
    return made


def refused(lib: Library, call: Call, error: type[BaseException], *words: str) -> None:
    """The call raises this, its message has these words, and not a byte is changed."""
    store = lib._catalog.store
    before = objects_of(store)
    with pytest.raises(error) as caught:
        call(lib)
    text = str(caught.value)
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    assert objects_of(store) == before


# --------------------------------------------------------------------------------------- connection strings, libraries


@pytest.mark.parametrize("uri", ["", "nothing", "ftp://x", "LMDB:///tmp/x", "lmdb", "mongodb://x"])
def test_unknown_schemes_name_the_known_ones(uri):
    with pytest.raises(ValueError, match="lmdb://"):
        coldframe.Arctic(uri)


@pytest.mark.parametrize("option", ["map_size=1mb", "map_size=0MB", "map_size=10", "map_size=1.5GB", "colour=red"])
def test_bad_options_of_lmdb_name_the_valid_ones(tmp_path, option):
    with pytest.raises(LmdbOptionsError, match="map_size"):
        coldframe.Arctic(f"lmdb://{tmp_path / 'x'}?{option}")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["", "a" * 255, "a*", "a<", "a>", "é", "a\n", ".a", "a.", "a..b", "/a"])
def test_bad_names_of_libraries(uri, name):
    arctic = coldframe.Arctic(uri)
    with pytest.raises(UserInputException, match="library"):
        arctic.create_library(name)
    assert arctic.list_libraries() == []


def test_a_missing_library_is_named_with_those_that_are_like_it(uri):
    arctic = coldframe.Arctic(uri)
    arctic.create_library("prices")
    with pytest.raises(LibraryNotFound, match=r"pricez.*prices"):
        arctic["pricez"]


def test_a_library_of_a_newer_layout_is_refused(uri):
    arctic = coldframe.Arctic(uri)
    lib = arctic.create_library("lib")
    store = lib._catalog.store
    newer = config.msgspec.structs.replace(LibraryConfig(), format=99)
    store.put(config.KEY, config._pack(newer))
    with pytest.raises(CompatibilityException, match=r"lib.*99.*[Uu]pgrade"):
        coldframe.Arctic(uri).get_library("lib") if uri != "mem://" else arctic.get_library("lib")


def test_a_head_of_a_newer_format_is_refused_and_kept(static):
    store = static._catalog.store
    data = bytearray(seal(b"HEAD", b"from the future", odd=False))
    data[8:10] = (2).to_bytes(2, "little")
    from coldframe.format.checksums import _CHECK, _HEADER, _START, _digest

    length = len(b"from the future")
    _CHECK.pack_into(data, _HEADER.size, _digest(bytes(data[: _HEADER.size]), bytes(data[_START : _START + length])))
    store.put("heads/s", bytes(data))
    for call in (
        lambda lib: lib.read("s"),
        lambda lib: lib.write("s", frame()),
        lambda lib: lib.append("s", frame("2025-01-01")),
        lambda lib: lib.delete("s"),
    ):
        refused(static, call, CompatibilityException, "version 2", "upgrade")


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["", "a" * 255, "a*", "<", "a>", "é", "a\tb", "\x7f"])
def test_bad_names_of_symbols_and_snapshots(lib, name):
    for call in (
        lambda lib: lib.write(name, frame()),
        lambda lib: lib.append(name, frame()),
        lambda lib: lib.update(name, frame(), upsert=True),
        lambda lib: lib.write_pickle(name, 1),
        lambda lib: lib.write_metadata(name, 1),
        lambda lib: lib.snapshot(name),
    ):
        refused(lib, call, UserInputException, "name")


@pytest.mark.parametrize("name", [None, 7.5, b"s", ("s",)])
def test_names_that_are_no_strings(lib, name):
    for call in (lambda lib: lib.write(name, frame()), lambda lib: lib.snapshot(name)):
        refused(lib, call, TypeError, "str", type(name).__name__)


def test_reading_under_a_bad_name_is_not_found(lib):
    refused(lib, lambda lib: lib.read("a*"), NoSuchVersionException, "a*")
    assert not lib.has_symbol("a*")
    assert not lib.has_symbol("")


# ------------------------------------------------------------------------------------------------------ what is stored


@pytest.mark.parametrize("data", [1, "text", [1, 2], {"a": 1}, None, object(), [frame()]])
def test_objects_that_are_not_columns(lib, data):
    for call in (
        lambda lib: lib.write("s", data),
        lambda lib: lib.append("s", data),
        lambda lib: lib.update("s", data),
    ):
        refused(lib, call, ArcticUnsupportedDataTypeException, "write_pickle")


@pytest.mark.parametrize(
    ("values", "row"),
    [
        (("a", 1), "row 1"),
        (("a", "b", b"c"), "row 2"),
        (("a", None, 1.5), "row 2"),
        (("a", "\ud800"), "row 1"),
        ((1, "a"), ""),
        ((dt.date(2024, 1, 1),), ""),
        (([1],), ""),
        (({"a": 1},), ""),
        ((object(),), ""),
        ((1 + 2j,), ""),
    ],
)
def test_values_that_cannot_be_stored_name_column_and_row(lib, values, row):
    refused(lib, lambda lib: lib.write("s", objects(*values)), ArcticException, "bad", row)


@pytest.mark.parametrize(
    "column",
    [np.array([1 + 2j]), np.array([b"abcd"], dtype="V4"), pd.array(["2024"], dtype="period[Y]")],
    ids=["complex", "void", "period"],
)
def test_types_that_cannot_be_stored_name_the_column(lib, column):
    data = pd.DataFrame({"good": [1]})
    data["bad"] = pd.Series(column)
    refused(lib, lambda lib: lib.write("s", data), ArcticException, "bad")


@pytest.mark.parametrize("name", [("a", "b"), pd.Timestamp("2024"), b"x", frozenset("x")])
def test_names_of_columns_that_cannot_be_stored(lib, name):
    data = pd.DataFrame([[1, 2]], columns=pd.Index(["good", name], dtype=object, tupleize_cols=False))
    refused(lib, lambda lib: lib.write("s", data), ArcticException, "column")


def test_nan_names_of_columns_are_refused(lib):
    data = pd.DataFrame([[1, 2]], columns=pd.Index(["good", np.nan], dtype=object))
    refused(lib, lambda lib: lib.write("s", data), ArcticException, "nan")


def test_columns_of_several_levels(lib):
    data = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]))
    refused(lib, lambda lib: lib.write("s", data), ArcticDbNotYetImplemented, "columns")


def test_duplicate_columns_under_a_dynamic_schema(uri):
    lib = coldframe.Arctic(uri).create_library("lib", LibraryOptions(dynamic_schema=True))
    data = pd.DataFrame([[1, 2]], columns=["twice", "twice"])
    refused(lib, lambda lib: lib.write("s", data), ArcticException, "'s'", "twice", "Rename")
    refused(lib, lambda lib: lib.append("s", data), ArcticException, "twice")


def test_metadata_that_cannot_be_stored(lib):
    for call in (
        lambda lib: lib.write("s", frame(), metadata=lambda: 1),
        lambda lib: lib.append("s", frame("2025-01-01"), metadata=lambda: 1),
        lambda lib: lib.update("s", frame(), metadata=lambda: 1),
        lambda lib: lib.write_metadata("s", lambda: 1),
        lambda lib: lib.snapshot("s", metadata=lambda: 1),
    ):
        refused(lib, call, ArcticException, "metadata", "'s'", "function")
    refused(lib, lambda lib: lib.write_metadata("s", b"x" * (17 << 20)), ArcticException, "'s'", "16,777,216")


# ------------------------------------------------------------------------------------------------------------- order


def test_rows_out_of_order(lib):
    backwards = frame("2024-02-01").iloc[::-1]
    for call in (
        lambda lib: lib.write("s", backwards),
        lambda lib: lib.append("s", backwards),
        lambda lib: lib.update("s", backwards),
    ):
        refused(lib, call, UnsortedDataException, "'s'", "sort_index")
    missing = frame()
    missing.index = DAYS[:3].append(pd.DatetimeIndex([pd.NaT]))
    refused(lib, lambda lib: lib.write("s", missing), UnsortedDataException, "'s'", "NaT", "row 3")


def test_an_append_that_goes_back(lib):
    for data in (frame("2024-01-03"), frame("2023-01-01"), frame("2024-01-03 23:59:59.999999")):
        for validate in (True, False):
            refused(
                lib,
                lambda lib, d=data, v=validate: lib.append("s", d, validate_index=v),
                InternalException,
                "'s'",
                "2024-01-04",
                "update()",
            )


def test_changes_of_what_is_not_in_order(lib):
    data = frame("2025-01-01")
    refused(lib, lambda lib: lib.append("unsorted", data), UnsortedDataException, "'unsorted'")
    refused(lib, lambda lib: lib.update("unsorted", data), UnsortedDataException, "'unsorted'")
    span = (DAYS[0], DAYS[1])
    refused(lib, lambda lib: lib.delete_data_in_range("unsorted", span), UnsortedDataException, "'unsorted'")
    refused(lib, lambda lib: lib.read("unsorted", date_range=span), UnsortedDataException, "'unsorted'")


# ------------------------------------------------------------------------------------------------------------ schemas


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame("2025-01-01", a=[1.0] * 4), ["'b'"]),
        (frame("2025-01-01", a=[1.0] * 4, b=range(4), c=[1] * 4), ["'c'"]),
        (frame("2025-01-01", b=range(4), a=[1.0] * 4), ["order"]),
        (frame("2025-01-01", a=[1] * 4, b=range(4)), ["'a'", "float64", "int64"]),
        (frame("2025-01-01", a=[1.0] * 4, b=["x"] * 4), ["'b'", "int64", "str"]),
        (frame("2025-01-01", a=[1.0] * 4, b=np.arange(4, dtype="int32")), ["'b'", "int64", "int32"]),
    ],
)
def test_columns_that_do_not_match_name_both_types(static, data, words):
    refused(static, lambda lib: lib.append("s", data), StreamDescriptorMismatch, "'s'", *words)
    refused(static, lambda lib: lib.update("s", data), StreamDescriptorMismatch, "'s'", *words)


def test_types_without_a_common_one_under_a_dynamic_schema(uri):
    lib = coldframe.Arctic(uri).create_library("lib", LibraryOptions(dynamic_schema=True))
    lib.write("s", frame(a=np.arange(4, dtype="uint64"), t=["x"] * 4, k=[True] * 4))
    for column, values in {"a": np.arange(4), "t": [1] * 4, "k": [1] * 4}.items():
        data = frame("2025-01-01", **{column: values})
        refused(lib, lambda lib, d=data: lib.append("s", d), SchemaException, f"'{column}'", "int64", ".astype")
        refused(lib, lambda lib, d=data: lib.update("s", d), SchemaException, f"'{column}'")


def test_indexes_that_do_not_match(lib):
    later = frame("2025-01-01")
    refused(lib, lambda lib: lib.append("s", later.reset_index(drop=True)), NormalizationException, "'s'", "RangeIndex")
    refused(lib, lambda lib: lib.append("s", later.rename_axis("other")), StreamDescriptorMismatch, "time", "other")
    refused(lib, lambda lib: lib.append("s", later["a"]), NormalizationException, "'s'", "Series")
    zoned = later.tz_localize("Europe/Paris")
    refused(lib, lambda lib: lib.append("s", zoned), ArcticException, "no time zone", "Europe/Paris", "tz_convert")
    refused(lib, lambda lib: lib.append("range", later), ArcticException, "'range'")
    refused(
        lib,
        lambda lib: lib.append("range", pd.DataFrame({"a": [1]}, index=pd.RangeIndex(7, 8))),
        NormalizationException,
        "start at 3",
    )
    refused(
        lib,
        lambda lib: lib.append("range", pd.DataFrame({"a": [1]}, index=pd.RangeIndex(3, 5, 2))),
        NormalizationException,
        "step",
    )
    refused(lib, lambda lib: lib.append("text", pd.DataFrame({"a": [1]}, index=[5])), NormalizationException, "'text'")


def test_changes_of_what_is_pickled(lib):
    for call in (
        lambda lib: lib.append("pickled", frame()),
        lambda lib: lib.update("pickled", frame()),
        lambda lib: lib.delete_data_in_range("pickled", (None, None)),
        lambda lib: lib.read("pickled", columns=["a"]),
        lambda lib: lib.read("pickled", row_range=(0, 1)),
        lambda lib: lib.read("pickled", date_range=(None, None)),
        lambda lib: lib.head("pickled"),
        lambda lib: lib.tail("pickled"),
    ):
        refused(lib, call, InternalException, "ickled")


def test_time_ranges_of_what_has_no_times(lib):
    span = (DAYS[0], DAYS[1])
    for symbol in ("range", "text"):
        refused(lib, lambda lib, s=symbol: lib.read(s, date_range=span), InternalException, symbol, "row_range")
        refused(lib, lambda lib, s=symbol: lib.delete_data_in_range(s, span), InternalException, symbol)
        refused(lib, lambda lib, s=symbol: lib.update(s, frame()), InternalException, symbol, "write()")
    refused(lib, lambda lib: lib.update("s", pd.DataFrame({"a": [1]})), InternalException, "'s'", "time index")


# ------------------------------------------------------------------------------------------------ versions and ranges


@pytest.mark.parametrize(
    "as_of", [1.0, np.int64(0), dt.date(2024, 1, 1), np.datetime64("2024-01-01"), b"x", (1,), pd.NaT]
)
def test_as_of_of_the_wrong_type(lib, as_of):
    for call in (
        lambda lib: lib.read("s", as_of=as_of),
        lambda lib: lib.head("s", as_of=as_of),
        lambda lib: lib.read_metadata("s", as_of=as_of),
        lambda lib: lib.get_description("s", as_of=as_of),
        lambda lib: lib.has_symbol("s", as_of=as_of),
    ):
        refused(lib, call, ArcticException, "as_of", "number", "datetime")


def test_as_of_that_is_not_there(lib):
    now = pd.Timestamp.now("UTC")
    for as_of, words in {
        5: ["5", "newest is 0"],
        -2: ["-2"],
        now + pd.Timedelta(1, "D"): ["future"],
        pd.Timestamp("2020-01-01"): ["2020-01-01"],
        dt.datetime(1970, 1, 1): ["1970-01-01"],  # noqa: DTZ001 - naive means UTC
    }.items():
        refused(lib, lambda lib, a=as_of: lib.read("s", as_of=a), NoSuchVersionException, "'s'", *words)
        assert not lib.has_symbol("s", as_of=as_of)
    refused(lib, lambda lib: lib.read("s", as_of="2024-01-01"), NoDataFoundException, "2024-01-01", "datetime")
    refused(lib, lambda lib: lib.read("missing", as_of="snap"), NoSuchVersionException, "missing", "snap")
    refused(lib, lambda lib: lib.read("missing"), NoSuchVersionException, "missing", "list_symbols")
    lib.delete("s")
    refused(lib, lambda lib: lib.read("s"), NoSuchVersionException, "'s'", "no live version")
    refused(lib, lambda lib: lib.read("s", as_of=0), NoSuchVersionException, "'s'")


@pytest.mark.parametrize("span", ["2024", ("2024", "2025"), (np.datetime64("2024"), None), 5, (1, 2), {"a": 1}, []])
def test_date_ranges_of_the_wrong_type(lib, span):
    for call in (
        lambda lib: lib.read("s", date_range=span),
        lambda lib: lib.update("s", frame(), date_range=span),
        lambda lib: lib.delete_data_in_range("s", span),
    ):
        refused(lib, call, TypeError, "date_range")


def test_reversed_date_ranges(lib):
    span = (DAYS[2], DAYS[1])
    refused(lib, lambda lib: lib.update("s", frame(), date_range=span), UserInputException, "ends before it starts")
    refused(lib, lambda lib: lib.delete_data_in_range("s", span), UserInputException, "ends before it starts")
    assert len(lib.read("s", date_range=span).data) == 0


def test_delete_data_in_range_without_a_range(lib):
    refused(lib, lambda lib: lib.delete_data_in_range("s", None), ArcticInvalidApiUsageException, "delete")


@pytest.mark.parametrize("rows", [5, "12", (1,), (1, 2, 3), ("a", None), (1.0, 2), (np.int64(1), 2)])
def test_row_ranges_of_the_wrong_type(lib, rows):
    refused(lib, lambda lib: lib.read("s", row_range=rows), TypeError, "row_range")


@pytest.mark.parametrize("columns", ["a", b"a", 5, [1], [None], [("a",)]])
def test_columns_of_the_wrong_type(lib, columns):
    refused(lib, lambda lib: lib.read("s", columns=columns), TypeError, "columns")


def test_two_ranges_at_once(lib):
    refused(
        lib,
        lambda lib: lib.read("s", date_range=(None, None), row_range=(0, 1)),
        ArcticException,
        "date_range",
        "row_range",
    )


def test_symbols_and_versions_that_are_not_there(lib):
    refused(lib, lambda lib: lib.update("missing", frame()), InternalException, "'missing'", "upsert=True")
    refused(lib, lambda lib: lib.delete_data_in_range("missing", (None, None)), InternalException, "'missing'")
    refused(lib, lambda lib: lib.prune_previous_versions("missing"), StorageException, "'missing'")
    refused(lib, lambda lib: lib.delete("s", 1), NoSuchVersionException, "'s'", "1", "newest is 0")
    refused(lib, lambda lib: lib.delete("missing", [0]), NoSuchVersionException, "'missing'", "does not exist")
    refused(lib, lambda lib: lib.delete("s", [-1]), TypeError, "-1")
    lib.delete("missing")  # is no error


def test_snapshots_that_cannot_be(lib):
    refused(lib, lambda lib: lib.snapshot("snap"), InternalException, "'snap'", "exists already")
    refused(
        lib, lambda lib: lib.snapshot("new", skip_symbols=["s"], versions={"s": 0}), InternalException, "skip_symbols"
    )
    refused(lib, lambda lib: lib.snapshot("new", versions={"s": 0, "range": 3}), NoSuchVersionException, "'range'", "3")
    refused(lib, lambda lib: lib.snapshot("new", versions={"missing": 0}), NoSuchVersionException, "'missing'")
    for call in (
        lambda lib: lib.delete_snapshot("missing"),
        lambda lib: lib.read("s", as_of="missing"),
        lambda lib: lib.list_symbols("missing"),
        lambda lib: lib.list_versions(snapshot="missing"),
    ):
        refused(lib, call, NoDataFoundException, "'missing'", "list_snapshots()")


def test_a_snapshot_of_nothing(uri):
    lib = coldframe.Arctic(uri).create_library("empty")
    refused(lib, lambda lib: lib.snapshot("snap"), NoSuchVersionException, "empty")


def test_a_pattern_that_is_none(lib):
    refused(lib, lambda lib: lib.list_symbols(regex="("), InternalException, "regex")


def test_bad_graces(lib):
    refused(lib, lambda lib: lib.reclaim(grace=-1), UserInputException, "grace", "-1")
    refused(lib, lambda lib: lib.reclaim(grace=dt.timedelta(-1)), UserInputException, "grace")
    refused(lib, lambda lib: lib.reclaim(grace=float("nan")), UserInputException, "grace")


# ----------------------------------------------------------------------------------------------------------- batches


def test_batches_are_checked_before_the_first_write(lib):
    good = WritePayload("new", frame())
    for call in (lib.write_batch, lib.append_batch):
        refused(
            lib,
            lambda _, c=call: c([good, WritePayload("new", frame())]),
            ArcticDuplicateSymbolsInBatchException,
            "new",
        )
        refused(lib, lambda _, c=call: c([good, "s"]), ArcticInvalidApiUsageException, "item 1", "WritePayload")
        refused(lib, lambda _, c=call: c(good), ArcticInvalidApiUsageException, "WritePayload")
        refused(lib, lambda _, c=call: c([good, WritePayload("s", [1, 2])]), ArcticUnsupportedDataTypeException, "'s'")
    update = [UpdatePayload("s", frame()), UpdatePayload("s", frame())]
    refused(lib, lambda lib: lib.update_batch(update), ArcticDuplicateSymbolsInBatchException, "'s'")
    refused(lib, lambda lib: lib.read_batch("s"), ArcticInvalidApiUsageException, "list")
    refused(lib, lambda lib: lib.read_batch([5]), ArcticInvalidApiUsageException, "ReadRequest")


def test_an_item_that_fails_leaves_its_error_in_the_list(lib):
    good, bad = frame("2025-01-01"), frame("2025-01-01").iloc[::-1]
    found = lib.write_batch([WritePayload("s", bad), WritePayload("new", good), WritePayload("a*", good)])
    assert [type(item).__name__ for item in found] == ["DataError", "VersionedItem", "DataError"]
    assert [item.symbol for item in found] == ["s", "new", "a*"]
    assert lib.read("s").version == 0
    reads = lib.read_batch(["new", "missing", ReadRequest("s", as_of=9)])
    assert [type(item).__name__ for item in reads] == ["VersionedItem", "DataError", "DataError"]
    assert "missing" in reads[1].exception_string


# ------------------------------------------------------------------------------------------------- read only and full


def test_nothing_is_written_through_a_handle_to_read(tmp_path):
    uri = f"lmdb://{tmp_path / 'storage'}"
    first = coldframe.Arctic(uri).create_library("lib")
    first.write("s", frame())
    first.snapshot("snap")
    arctic = coldframe.Arctic(uri, mode="r")
    lib = arctic["lib"]
    data = frame("2025-01-01")
    calls: list[Call] = [
        lambda lib: lib.write("s", data),
        lambda lib: lib.write_pickle("s", 1),
        lambda lib: lib.write_metadata("s", 1),
        lambda lib: lib.append("s", data),
        lambda lib: lib.update("s", data),
        lambda lib: lib.delete_data_in_range("s", (None, None)),
        lambda lib: lib.delete("s"),
        lambda lib: lib.delete("s", []),
        lambda lib: lib.prune_previous_versions("s"),
        lambda lib: lib.snapshot("new"),
        lambda lib: lib.delete_snapshot("snap"),
        lambda lib: lib.reclaim(),
        lambda lib: lib.write_batch([WritePayload("s", data)]),
        lambda lib: lib.append_batch([WritePayload("s", data)]),
        lambda lib: lib.delete_batch(["s"]),
    ]
    for call in calls:
        refused(lib, call, PermissionException, "mode='r'")
    with pytest.raises(PermissionException, match="r"):
        arctic.create_library("other")
    with pytest.raises(PermissionException):
        arctic.delete_library("lib")
    assert len(lib.read("s").data) == 4
    assert lib.verify().ok


def test_a_full_store_says_so_and_keeps_what_it_has(tmp_path):
    uri = f"lmdb://{tmp_path / 'storage'}?map_size=2MB"
    lib = coldframe.Arctic(uri).create_library("lib")
    small = frame()
    lib.write("s", small)
    random = np.random.default_rng(1)
    big = pd.DataFrame({"x": random.random(1_000_000)})
    for call in (lambda lib: lib.write("s", big), lambda lib: lib.write("new", big)):
        refused(lib, call, LmdbMapFullError, "map_size")
    assert lib.read("s").data.equals(small)
    lib.append("s", frame("2025-01-01"))
    assert lib.verify().damaged == []
    assert lib.verify().unreachable == []


def test_messages_end_with_a_sentence(lib):
    """Errors are read by people: one that names a symbol also says what to do."""
    for call in (
        lambda: lib.read("missing"),
        lambda: lib.append("s", frame("2023-01-01")),
        lambda: lib.update("missing", frame()),
        lambda: lib.append("range", frame()),
        lambda: lib.snapshot("snap"),
    ):
        with pytest.raises(ArcticException) as caught:
            call()
        assert re.search(r"\.$|\)$", str(caught.value)), str(caught.value)
        assert len(str(caught.value)) > 60
