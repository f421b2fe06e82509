"""Symbols that are integers: each a symbol of its own, apart from the text that looks like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from coldframe import (
    Arctic,
    DataError,
    DeleteRequest,
    QueryBuilder,
    ReadInfoRequest,
    ReadRequest,
    UpdatePayload,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.exceptions import ArcticDuplicateSymbolsInBatchException, NoSuchVersionException, UserInputException
from coldframe.library import Library

DAYS = pd.date_range("2024-01-01", periods=4, name="day")
FRAME = pd.DataFrame({"a": [1, 2, 3, 4]}, index=DAYS)
LATER = FRAME.shift(4, freq="D")


@pytest.fixture
def lib(uri: str) -> Library:
    return Arctic(uri).create_library("lib")


@pytest.mark.parametrize("symbol", [7, 0, -7, 2**63, 2**64 - 1, -(2**63), np.int64(7), np.uint8(7)])
def test_every_call_takes_them(lib: Library, symbol: Any) -> None:
    number = int(symbol)
    items = [
        lib.write(symbol, FRAME),
        lib.append(symbol, LATER),
        lib.update(symbol, FRAME),
        lib.write_metadata(symbol, "m"),
    ]
    assert [(item.symbol, item.version) for item in items] == [(str(number), n) for n in range(4)]
    lib.delete_data_in_range(symbol, (DAYS[0], DAYS[1]))
    item = lib.read(symbol)
    assert (item.symbol, item.metadata, len(item.data)) == (str(number), "m", 6)
    assert lib.read(symbol, lazy=True).collect().version == 4
    assert lib.read(symbol, query_builder=QueryBuilder().head(2)).data["a"].tolist() == [3, 4]
    assert [len(lib.head(symbol, 2).data), len(lib.tail(symbol, 3).data)] == [2, 3]
    assert lib.read_metadata(symbol).metadata == "m"
    assert lib.get_description(symbol).row_count == 6
    assert lib.has_symbol(symbol)
    assert symbol in lib
    assert lib[symbol].version == 4
    assert lib.list_symbols() == [number]
    assert list(lib.list_versions()) == list(lib.list_versions(symbol)) == [(number, n) for n in (4, 3, 2, 1, 0)]
    assert lib.verify(symbol).ok
    lib.snapshot("all")
    lib.snapshot("old", versions={symbol: 1})
    assert lib.list_symbols("all") == lib.list_symbols("old") == [number]
    assert lib.read(symbol, as_of="old").version == 1
    lib.delete(symbol, 0)
    lib.prune_previous_versions(symbol)
    assert list(lib.list_versions(symbol, skip_snapshots=True)) == [(number, 4)]
    lib.delete(symbol)
    assert not lib.has_symbol(symbol)
    assert lib.write_pickle(symbol, {1}).version == 5


def test_text_that_looks_like_one_is_another(lib: Library) -> None:
    lib.write(7, FRAME)
    lib.write("7", FRAME["a"])
    assert type(lib.read(7).data) is pd.DataFrame
    assert type(lib.read("7").data) is pd.Series
    assert {(type(symbol), str(symbol)) for symbol in lib.list_symbols()} == {(int, "7"), (str, "7")}
    assert lib.list_symbols(regex="7") == ["7"]
    lib.snapshot("snap", skip_symbols=[7])
    assert lib.list_symbols("snap") == ["7"]
    lib.delete("7")
    assert lib.list_symbols() == [7]


def test_batches(lib: Library) -> None:
    assert [item.symbol for item in lib.write_batch([WritePayload(7, FRAME), WritePayload("7", FRAME)])] == ["7", "7"]
    assert lib.append_batch([WritePayload(7, LATER)])[0].version == 1
    assert lib.update_batch([UpdatePayload(7, FRAME)])[0].version == 2
    assert lib.write_metadata_batch([WriteMetadataPayload(7, "m")])[0].version == 3
    assert lib.write_pickle_batch([WritePayload(8, {1})])[0].version == 0
    for query in (None, QueryBuilder().head(1)):
        seven, text, missing = lib.read_batch([ReadRequest(7), "7", ReadRequest(9)], query_builder=query)
        assert (seven.symbol, seven.version, text.version) == ("7", 3, 0)
        assert isinstance(missing, DataError)
        assert missing.symbol == 9
    assert len(lib.read_batch_and_join([ReadRequest(7), "7"], QueryBuilder().concat()).data) == 12
    assert lib.read_metadata_batch([ReadInfoRequest(7)])[0].metadata == "m"
    assert lib.get_description_batch([ReadInfoRequest(7)])[0].row_count == 8
    assert lib.delete_batch([DeleteRequest(7, [0]), "7", DeleteRequest(9, [0])])[:2] == [None, None]
    assert sorted(lib.list_symbols()) == [7, 8]
    with pytest.raises(ArcticDuplicateSymbolsInBatchException, match="7"):
        lib.write_batch([WritePayload(7, FRAME), WritePayload(np.int64(7), FRAME)])


def test_no_text_is_taken_for_one(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    lib.write(7, FRAME)
    assert not lib.has_symbol("<7>")
    with pytest.raises(NoSuchVersionException, match="<7>"):
        lib.read("<7>")
    with pytest.raises(UserInputException, match="'<'"):
        lib.write("<7>", FRAME)
    monkeypatch.setenv("COLDFRAME_VersionStore_NoStrictSymbolCheck_int", "1")
    monkeypatch.setattr("coldframe.catalog.names.get_config_int", lambda _name: 1)
    for name in ("<7>", "<<7>", "<x>", "<"):
        assert lib.write(name, FRAME["a"]).symbol == name
        assert type(lib.read(name).data) is pd.Series
    assert set(lib.list_symbols()) == {7, "<7>", "<<7>", "<x>", "<"}
    assert type(lib.read(7).data) is pd.DataFrame


@pytest.mark.parametrize("symbol", [2**64, -(2**63) - 1, 10**30])
def test_numbers_beyond_64_bits_are_no_symbols(lib: Library, symbol: int) -> None:
    for call in (lambda: lib.write(symbol, FRAME), lambda: lib.read(symbol)):
        with pytest.raises(TypeError, match="64 bits"):
            call()


def test_messages_name_them(lib: Library) -> None:
    with pytest.raises(NoSuchVersionException, match=r"symbol '<7>' does not exist"):
        lib.read(7)
