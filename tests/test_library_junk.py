"""Whatever is passed as an argument: a result, or an error that speaks of the argument, and nothing half done."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import objects_of

from coldframe import Arctic, DataError, DeleteRequest, QueryBuilder, UpdatePayload, WriteMetadataPayload, WritePayload
from coldframe.exceptions import ArcticException
from coldframe.library import Library

DAYS = pd.date_range("2024-01-01", periods=4, name="time")
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}, index=DAYS)
LATER = FRAME.shift(10, freq="D")

JUNK: dict[str, Any] = {
    "None": None,
    "-1": -1,
    "2": 2,
    "2**70": 2**70,
    "1.5": 1.5,
    "empty text": "",
    "text": "no such",
    "surrogate": "\ud800",
    "bytes": b"b",
    "empty list": [],
    "numbers": [1, 2, 3],
    "names": ["s", None],
    "dict": {"s": "x"},
    "set": {1, 2},
    "array": np.array([1, 2]),
    "NaT": pd.NaT,
    "time": dt.datetime(1, 1, 1),  # noqa: DTZ001 - naive means UTC
    "slice": slice(0, 1),
    "object": object(),
    "frame": FRAME,
    "NA": pd.NA,
}

CALLS: dict[str, dict[str, Any]] = {
    "write": {"symbol": "s", "data": FRAME},
    "write_pickle": {"symbol": "s", "data": FRAME},
    "append": {"symbol": "s", "data": LATER},
    "update": {"symbol": "s", "data": FRAME},
    "write_metadata": {"symbol": "s", "metadata": 1},
    "delete_data_in_range": {"symbol": "s", "date_range": (DAYS[0], DAYS[1])},
    "write_batch": {"payloads": [WritePayload("s", FRAME)]},
    "write_pickle_batch": {"payloads": [WritePayload("s", 1)]},
    "append_batch": {"append_payloads": [WritePayload("s", LATER)]},
    "update_batch": {"update_payloads": [UpdatePayload("s", FRAME)]},
    "write_metadata_batch": {"write_metadata_payloads": [WriteMetadataPayload("s", 1)]},
    "read": {"symbol": "s"},
    "head": {"symbol": "s"},
    "tail": {"symbol": "s"},
    "read_batch": {"symbols": ["s"]},
    "read_batch_and_join": {"symbols": ["s"], "query_builder": QueryBuilder().concat()},
    "read_metadata": {"symbol": "s"},
    "read_metadata_batch": {"symbols": ["s"]},
    "get_description": {"symbol": "s"},
    "get_description_batch": {"symbols": ["s"]},
    "has_symbol": {"symbol": "s"},
    "list_symbols": {},
    "list_versions": {},
    "list_snapshots": {},
    "delete": {"symbol": "s"},
    "delete_batch": {"delete_requests": [DeleteRequest("s", [0])]},
    "prune_previous_versions": {"symbol": "s"},
    "snapshot": {"snapshot_name": "new"},
    "delete_snapshot": {"snapshot_name": "snap"},
    "verify": {},
    "reclaim": {},
}

# How Python complains when an argument was not looked at.
UNSEEN = re.compile(
    r"is not (iterable|callable|subscriptable)|has no attribute|unsupported operand|cannot be interpreted|truth value"
    r"|unhashable|not supported between|must be real|out of range|int too|codec can't"
)


@pytest.fixture(scope="module")
def arctic() -> Arctic:
    return Arctic("mem://")


def prepared(arctic: Arctic) -> Library:
    arctic.delete_library("lib")
    lib = arctic.create_library("lib")
    lib.write("s", FRAME)
    lib.snapshot("snap")
    return lib


def outcome(call: Callable[[], Any]) -> tuple[list[Any], Exception | None]:
    try:
        found = call()
    except (ArcticException, TypeError, ValueError) as error:
        return [], error
    return (found if isinstance(found, list) else []), None


@pytest.mark.parametrize("call", CALLS)
def test_arguments_of_any_kind(arctic: Arctic, call: str) -> None:
    for name in list(inspect.signature(getattr(Library, call)).parameters)[1:]:
        for kind, value in JUNK.items():
            lib = prepared(arctic)
            before = objects_of(lib._catalog.store)
            found, error = outcome(lambda lib=lib, given={**CALLS[call], name: value}: getattr(lib, call)(**given))
            said = [str(item) for item in (error, *found) if isinstance(item, DataError | Exception)]
            # What a pattern cannot be made of, the module `re` says well enough.
            assert name == "regex" or not any(map(UNSEEN.search, said)), f"{call}({name}={kind}): {said}"
            if error is not None:
                assert objects_of(lib._catalog.store) == before, f"{call}({name}={kind}) changed something: {said}"
            assert lib.verify().ok


def test_every_call_is_tried() -> None:
    calls = {name for name, call in inspect.getmembers(Library, callable) if not name.startswith("_")}
    without_arguments = {"options", "enterprise_options", "reload_symbol_list", "compact_symbol_list"}
    inside = {"adopt", "parse_list_of_symbols", *(name for name in calls if "lazy" in name)}
    assert calls - set(CALLS) == without_arguments | inside
