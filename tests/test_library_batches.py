"""The batch calls of a library: order, failures beside successes, refusals as a whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe import (
    Arctic,
    DataError,
    ErrorCategory,
    ErrorCode,
    ReadInfoRequest,
    ReadRequest,
    UpdatePayload,
    VersionedItem,
    VersionRequestType,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.exceptions import (
    ArcticDuplicateSymbolsInBatchException,
    ArcticException,
    ArcticInvalidApiUsageException,
    ArcticUnsupportedDataTypeException,
)
from coldframe.library import Library

DAYS = pd.date_range("2024-01-01", periods=6, tz="Europe/Berlin", name="day")
SERIES = pd.DataFrame({"a": range(6), "s": ["x", "y", None, "x", "z", "y"]}, index=DAYS)
FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, np.nan, 2.5]})


@pytest.fixture
def lib(uri: str) -> Library:
    return Arctic(uri).create_library("lib")


def numbers(lib: Library, symbol: str) -> list[int]:
    return [key.version for key in lib.list_versions(symbol)]



def test_write_batch(lib: Library) -> None:
    items = lib.write_batch([WritePayload("x", FRAME, "m"), WritePayload("y", SERIES)])
    assert [(i.symbol, i.version, i.metadata, i.data) for i in items] == [("x", 0, "m", None), ("y", 0, None, None)]
    pd.testing.assert_frame_equal(lib.read("y").data, SERIES, check_freq=False)
    assert lib.write_batch([]) == []


def test_a_batch_reports_what_failed(lib: Library) -> None:
    good, bad_name, unsorted = lib.write_batch(
        [WritePayload("x", FRAME), WritePayload("a*", FRAME), WritePayload("z", SERIES.iloc[::-1])]
    )
    assert isinstance(good, VersionedItem)
    assert isinstance(bad_name, DataError)
    assert isinstance(unsorted, DataError)
    assert bad_name.symbol == "a*"
    assert bad_name.version_request_type is None
    assert bad_name.error_code is ErrorCode.E_INVALID_CHAR_IN_NAME
    assert bad_name.error_category is ErrorCategory.USER_INPUT
    assert "E_UNSORTED_DATA" in unsorted.exception_string
    assert "a*" in repr(bad_name)
    assert lib.list_symbols() == ["x"]


@pytest.mark.parametrize(
    "call", ["write_batch", "append_batch", "write_pickle_batch", "update_batch", "write_metadata_batch"]
)
def test_batches_that_are_refused_write_nothing(lib: Library, call: str) -> None:
    payload = {
        "update_batch": lambda s: UpdatePayload(s, SERIES),
        "write_metadata_batch": lambda s: WriteMetadataPayload(s, 1),
    }.get(call, lambda s: WritePayload(s, FRAME))
    with pytest.raises(ArcticDuplicateSymbolsInBatchException, match="'x'"):
        getattr(lib, call)([payload("x"), payload("y"), payload("x")])
    for wrong in ([payload("x"), "x"], "x", 3, [("x", FRAME)], payload("x")):
        with pytest.raises(ArcticInvalidApiUsageException):
            getattr(lib, call)(wrong)
    assert lib.list_symbols() == []


def test_a_batch_with_an_unsupported_object_writes_nothing(lib: Library) -> None:
    with pytest.raises(ArcticUnsupportedDataTypeException):
        lib.write_batch([WritePayload("x", FRAME), WritePayload("y", [1])])
    with pytest.raises(ArcticException):
        lib.write_batch([WritePayload("x", FRAME), WritePayload("y", pd.DataFrame({"c": [1j]}))])
    assert lib.list_symbols() == []


def test_other_batches(lib: Library) -> None:
    items = lib.append_batch([WritePayload("x", SERIES.iloc[:3]), WritePayload("y", FRAME)])
    assert [i.version for i in items] == [0, 0]
    good, bad = lib.append_batch([WritePayload("x", SERIES.iloc[3:], "m"), WritePayload("y", FRAME * 0.5)])
    assert (good.version, good.metadata) == (1, "m")
    assert isinstance(bad, DataError)
    good, missing = lib.update_batch([UpdatePayload("x", SERIES.iloc[1:2], "u"), UpdatePayload("z", SERIES)])
    assert (good.version, good.metadata) == (2, "u")
    assert missing.error_code is ErrorCode.E_NO_SUCH_VERSION
    (made,) = lib.update_batch([UpdatePayload("z", SERIES, date_range=(DAYS[1], DAYS[2]))], upsert=True)
    assert made.version == 0
    assert lib.read("z").data["a"].tolist() == [1, 2]
    lib.write_pickle_batch([WritePayload("p", {1}), WritePayload("q", FRAME)])
    assert lib.read("p").data == {1}
    assert lib.get_description("q").row_count == 3
    lib.write_metadata_batch([WriteMetadataPayload("q", 7)])
    assert (lib.read("q").metadata, lib.read("q").version) == (7, 1)


def test_read_batch(lib: Library) -> None:
    lib.write("s", SERIES, "m0")
    lib.write("s", SERIES * 2, "m1")
    moment = pd.Timestamp("1999-01-01")
    requests = [
        "s",
        ReadRequest("s", as_of=0, columns=["a"], row_range=(1, 3)),
        "missing",
        ReadRequest("s", as_of="nosnap"),
        ReadRequest("s", as_of=77),
        ReadRequest("s", as_of=moment),
        ReadRequest("s", date_range=(DAYS[1], DAYS[1])),
        "s",
    ]
    results = lib.read_batch(requests)
    assert results[0] == lib.read("s") == results[7]
    assert results[1].data["a"].tolist() == [1, 2]
    assert results[6].data["a"].tolist() == [2]
    errors = results[2:6]
    assert [e.symbol for e in errors] == ["missing", "s", "s", "s"]
    assert [e.version_request_type for e in errors] == [
        VersionRequestType.LATEST,
        VersionRequestType.SNAPSHOT,
        VersionRequestType.SPECIFIC,
        VersionRequestType.TIMESTAMP,
    ]
    assert [e.version_request_data for e in errors] == [None, "nosnap", 77, moment.as_unit("ns").value]
    assert {e.error_code for e in errors} == {ErrorCode.E_NO_SUCH_VERSION}
    assert {e.error_category for e in errors} == {ErrorCategory.MISSING_DATA}
    assert lib.read_batch([]) == []
    for wrong in (["s", 3], "s", [ReadInfoRequest("s")]):
        with pytest.raises(ArcticInvalidApiUsageException):
            lib.read_batch(wrong)


def test_other_reading_batches(lib: Library) -> None:
    lib.write("s", FRAME, "m0")
    lib.write("s", FRAME)
    metas = lib.read_metadata_batch(["s", ReadInfoRequest("s", 0), "t", ReadInfoRequest("s", "nosnap")])
    assert [getattr(m, "metadata", "error") for m in metas] == [None, "m0", "error", "error"]
    assert metas[0].data is None
    assert metas[3].version_request_type is VersionRequestType.SNAPSHOT
    one, error = lib.get_description_batch([ReadInfoRequest("s", 0), ReadInfoRequest("t", 3)])
    assert one == lib.get_description("s", 0)
    assert (error.symbol, error.version_request_data) == ("t", 3)
    for call in (lib.read_metadata_batch, lib.get_description_batch):
        with pytest.raises(ArcticInvalidApiUsageException):
            call([3])
