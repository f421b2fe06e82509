"""The calls of the API: the names of their parameters, the order in which these may be given, and the defaults."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import coldframe
from coldframe import (
    Arctic,
    DeleteRequest,
    LibraryOptions,
    OutputFormat,
    QueryBuilder,
    ReadInfoRequest,
    ReadRequest,
    UpdatePayload,
    VersionedItem,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.exceptions import ArcticDbNotYetImplemented, ArcticUnsupportedDataTypeException
from coldframe.library import Library

DAYS = pd.date_range("2024-01-01", periods=4, name="time")
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}, index=DAYS)

# As a user of ArcticDB knows them. `*` separates what is coldframe's own, and given by name only.
OUTPUT = "output_format=None, arrow_string_format_default=None"
READ_OUTPUT = f"{OUTPUT}, arrow_string_format_per_column=None"
PRUNE = "prune_previous_versions=None"
SIGNATURES: dict[Any, str] = {
    Arctic: "uri, encoding_version=0, output_format=PANDAS, arrow_string_format_default=UNSPECIFIED, mode=rw, "
    "credentials=None",
    Arctic.get_library: f"name, create_if_missing=False, library_options=None, {OUTPUT}",
    Arctic.create_library: f"name, library_options=None, enterprise_library_options=None, {OUTPUT}",
    Arctic.delete_library: "name",
    Arctic.has_library: "name",
    Arctic.list_libraries: "",
    Arctic.get_uri: "",
    Arctic.modify_library_option: "library, option, option_value",
    VersionedItem: "symbol, library, data, version, metadata=None, host=None, timestamp=0",
    WritePayload: "symbol, data, metadata=None, index_column=False",
    WriteMetadataPayload: "symbol, metadata",
    UpdatePayload: "symbol, data, metadata=None, date_range=None, index_column=False",
    ReadRequest: "symbol, as_of=None, date_range=None, row_range=None, columns=None, query_builder=None, "
    f"{READ_OUTPUT}",
    ReadInfoRequest: "symbol, as_of=None",
    DeleteRequest: "symbol, version_ids",
    Library.options: "",
    Library.enterprise_options: "",
    Library.list_symbols: "snapshot_name=None, regex=None",
    Library.has_symbol: "symbol, as_of=None",
    Library.list_versions: "symbol=None, snapshot=None, latest_only=False, skip_snapshots=False",
    Library.list_snapshots: "load_metadata=True",
    Library.get_description: "symbol, as_of=None",
    Library.get_description_batch: "symbols",
    Library.read_metadata: "symbol, as_of=None",
    Library.read_metadata_batch: "symbols",
    Library.reload_symbol_list: "",
    Library.compact_symbol_list: "",
    Library.parse_list_of_symbols: "symbols",
    Library.read: "symbol, as_of=None, date_range=None, row_range=None, columns=None, query_builder=None, lazy=False, "
    f"{READ_OUTPUT}",
    Library.head: f"symbol, n=5, as_of=None, columns=None, lazy=False, {READ_OUTPUT}",
    Library.tail: f"symbol, n=5, as_of=None, columns=None, lazy=False, {READ_OUTPUT}",
    Library.read_batch: f"symbols, query_builder=None, lazy=False, {READ_OUTPUT}",
    Library.read_batch_and_join: f"symbols, query_builder, {READ_OUTPUT}",
    Library.write: f"symbol, data, metadata=None, {PRUNE}, staged=False, validate_index=True, index_column=False, "
    "recursive_normalizers=None",
    Library.write_pickle: f"symbol, data, metadata=None, {PRUNE}, staged=False, recursive_normalizers=None",
    Library.write_batch: f"payloads, {PRUNE}, validate_index=True",
    Library.write_pickle_batch: f"payloads, {PRUNE}",
    Library.append: f"symbol, data, metadata=None, {PRUNE}, validate_index=True, index_column=False, "
    "compact_data=False, *, idempotency_key=None",
    Library.append_batch: f"append_payloads, {PRUNE}, validate_index=True, compact_data=False",
    Library.update: f"symbol, data, metadata=None, upsert=False, date_range=None, {PRUNE}, index_column=False",
    Library.update_batch: f"update_payloads, upsert=False, {PRUNE}",
    Library.write_metadata: f"symbol, metadata, {PRUNE}",
    Library.write_metadata_batch: f"write_metadata_payloads, {PRUNE}",
    Library.delete_data_in_range: f"symbol, date_range, {PRUNE}",
    Library.delete: "symbol, versions=None",
    Library.delete_batch: "delete_requests",
    Library.prune_previous_versions: "symbol",
    Library.snapshot: "snapshot_name, metadata=None, skip_symbols=None, versions=None",
    Library.delete_snapshot: "snapshot_name",
    Library.verify: "symbol=None",
    Library.reclaim: "grace=None, orphans=False",
}

ABSENT = [
    "stage",
    "finalize_staged_data",
    "sort_and_finalize_staged_data",
    "delete_staged_data",
    "get_staged_symbols",
    "merge_experimental",
    "compact_data",
    "compact_data_batch",
    "compact_data_explain_plan",
    "is_symbol_fragmented",
    "defragment_symbol_data",
    "admin_tools",
    "_nvs",
    "_dev_tools",
]


@pytest.fixture
def lib(uri: str) -> Library:
    made = Arctic(uri).create_library("lib")
    made.write("s", FRAME)
    return made


def shown(call: Any) -> str:
    parts, by_name = [], False
    for parameter in inspect.signature(call).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not by_name:
            parts.append("*")
            by_name = True
        default = parameter.default
        parts.append(parameter.name if default is parameter.empty else f"{parameter.name}={default!s}")
    return ", ".join(parts)


@pytest.mark.parametrize("call", SIGNATURES, ids=lambda call: call.__qualname__)
def test_parameters(call: Any) -> None:
    assert shown(call) == SIGNATURES[call]


def test_every_call_of_a_library_is_in_the_table() -> None:
    calls = {call for name, call in inspect.getmembers(Library, callable) if not name.startswith("_")}
    assert calls - {*SIGNATURES} == {
        Library.adopt,
        Library.collect_lazy,
        Library.collect_lazy_batch,
        Library.collect_lazy_batches,
        Library.collect_lazy_join,
        Library.explain_lazy,
    }


# ------------------------------------------------------------------------------------------------------------- output


def reads(lib: Library, **output: Any) -> list[Any]:
    return [
        lib.read("s", **output).data,
        lib.read("s", lazy=True, **output).collect().data,
        lib.read("s", query_builder=QueryBuilder().head(4), **output).data,
        lib.head("s", 4, **output).data,
        lib.head("s", 4, lazy=True, **output).collect().data,
        lib.tail("s", 4, **output).data,
        lib.tail("s", 4, lazy=True, **output).collect().data,
        lib.read_batch(["s"], **output)[0].data,
        lib.read_batch(["s"], lazy=True, **output).collect()[0].data,
        lib.read_batch([ReadRequest("s", **output)])[0].data,
        lib.read_batch_and_join(["s"], QueryBuilder().concat(), **output).data,
    ]


@pytest.mark.parametrize("output_format", [None, "pandas", "PANDAS", OutputFormat.PANDAS])
def test_pandas_may_be_asked_for(lib: Library, output_format: Any) -> None:
    assert all(found.equals(FRAME) for found in reads(lib, output_format=output_format))
    strings = {"arrow_string_format_default": "LARGE_STRING", "arrow_string_format_per_column": {"a": pa.string()}}
    assert all(found.equals(FRAME) for found in reads(lib, output_format=output_format, **strings))


@pytest.mark.parametrize(
    ("output", "error", "words"),
    [
        ({"output_format": "pyarrow"}, ArcticDbNotYetImplemented, "PYARROW"),
        ({"output_format": OutputFormat.POLARS}, ArcticDbNotYetImplemented, "POLARS"),
        ({"output_format": "excel"}, ValueError, "excel"),
        ({"output_format": 5}, ValueError, "5"),
        ({"arrow_string_format_default": "large_string"}, ValueError, "large_string"),
        ({"arrow_string_format_per_column": {"a": "text"}}, ValueError, "text"),
        ({"arrow_string_format_per_column": "LARGE_STRING"}, TypeError, "arrow_string_format_per_column"),
    ],
)
def test_other_output_is_refused_where_it_is_asked_for(
    lib: Library, output: dict[str, Any], error: type[Exception], words: str
) -> None:
    calls = [
        lambda: lib.read("s", **output),
        lambda: lib.read("s", lazy=True, **output),
        lambda: lib.head("s", **output),
        lambda: lib.tail("s", lazy=True, **output),
        lambda: lib.read_batch(["s"], **output),
        lambda: lib.read_batch([ReadRequest("s", **output)]),
        lambda: lib.read_batch_and_join(["s"], QueryBuilder().concat(), **output),
    ]
    for call in calls:
        with pytest.raises(error, match=words):
            call()


# ------------------------------------------------------------------------------------------------ what is not there


def test_parameters_that_nothing_stands_behind_yet_are_refused(lib: Library) -> None:
    calls = {
        "staged": [lambda: lib.write("s", FRAME, staged=True), lambda: lib.write_pickle("s", 1, staged=True)],
        "compact_data": [
            lambda: lib.append("s", FRAME.shift(9, freq="D"), compact_data=True),
            lambda: lib.append_batch([WritePayload("s", FRAME.shift(9, freq="D"))], compact_data=True),
        ],
        "recursive_normalizers": [lambda: lib.write("s", {"a": FRAME}, recursive_normalizers=True)],
    }
    for name, refused in calls.items():
        for call in refused:
            with pytest.raises(ArcticDbNotYetImplemented, match=name):
                call()
    assert [key.version for key in lib.list_versions("s")] == [0]


def test_parameters_of_no_consequence_for_pandas_objects(lib: Library) -> None:
    assert lib.write("t", FRAME, None, None, False, True, True, True).version == 0
    assert lib.append("t", FRAME.shift(9, freq="D"), index_column=True).version == 1
    assert lib.update("t", FRAME, index_column=True).version == 2
    assert lib.write_batch([WritePayload("u", FRAME, None, index_column=True)])[0].version == 0
    assert lib.update_batch([UpdatePayload("u", FRAME, index_column=True)])[0].version == 1
    assert lib.read("u").data.equals(FRAME)


def test_containers_in_a_library_that_takes_them_apart(uri: str) -> None:
    lib = Arctic(uri).create_library("nested", LibraryOptions(recursive_normalizers=True))
    with pytest.raises(ArcticDbNotYetImplemented, match="recursive_normalizers"):
        lib.write("s", {"a": FRAME})
    with pytest.raises(ArcticUnsupportedDataTypeException, match="write_pickle"):
        lib.write("s", {"a": FRAME}, recursive_normalizers=False)
    assert lib.write("s", FRAME).version == 0
    nested = {"a": np.arange(3), "b": ["x"]}
    lib.write_pickle("s", nested)
    assert lib.read("s").data["b"] == ["x"]


@pytest.mark.parametrize("name", ABSENT)
def test_calls_that_are_not_there_say_what_to_use_instead(lib: Library, name: str) -> None:
    with pytest.raises(ArcticDbNotYetImplemented, match=rf"'?{name}'? is not there.*[Uu]se") as caught:
        getattr(lib, name)
    assert str(caught.value).startswith("E_NOT_IMPLEMENTED ")
    assert not hasattr(lib, name)  # so that programs can ask
    assert getattr(pickle.loads(pickle.dumps(lib)), name, None) is None


def test_other_attributes_are_missing_as_everywhere(lib: Library) -> None:
    with pytest.raises(AttributeError, match="'Library' object has no attribute 'wirte'") as caught:
        lib.wirte  # noqa: B018
    assert not isinstance(caught.value, coldframe.exceptions.ArcticException)


def test_names_of_the_module_of_libraries() -> None:
    """What users import from where the class `Library` is."""
    names = """
    Library SymbolVersion VersionInfo SymbolDescription NameWithDType VersionedItem VersionedItemWithJoin
    NormalizableType NORMALIZABLE_TYPES AsOf DataError VersionRequestType WritePayload WriteMetadataPayload
    UpdatePayload ReadRequest ReadInfoRequest DeleteRequest ArcticInvalidApiUsageException
    ArcticDuplicateSymbolsInBatchException ArcticUnsupportedDataTypeException
    """.split()
    assert set(names) <= set(coldframe.library.__all__)
    assert all(hasattr(coldframe.library, name) for name in names)
