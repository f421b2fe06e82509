"""Handles on libraries: reading mode, reprs, pickling, the values that calls take and give."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import timeit
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import coldframe
from coldframe import (
    Arctic,
    DeleteRequest,
    LibraryOptions,
    ReadInfoRequest,
    ReadRequest,
    UpdatePayload,
    VersionedItem,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.exceptions import (
    PermissionException,
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


# ---- mode="r"

MUTATING: dict[str, Callable[[Library], Any]] = {
    "write": lambda lib: lib.write("s", SERIES),
    "write_pickle": lambda lib: lib.write_pickle("s", {1}),
    "write_batch": lambda lib: lib.write_batch([WritePayload("s", SERIES)]),
    "write_pickle_batch": lambda lib: lib.write_pickle_batch([WritePayload("s", SERIES)]),
    "append": lambda lib: lib.append("s", SERIES),
    "append_batch": lambda lib: lib.append_batch([WritePayload("s", SERIES)]),
    "update": lambda lib: lib.update("s", SERIES, upsert=True),
    "update_batch": lambda lib: lib.update_batch([UpdatePayload("s", SERIES)]),
    "write_metadata": lambda lib: lib.write_metadata("s", 1),
    "write_metadata_batch": lambda lib: lib.write_metadata_batch([WriteMetadataPayload("s", 1)]),
    "delete_data_in_range": lambda lib: lib.delete_data_in_range("s", (DAYS[0], None)),
    "delete": lambda lib: lib.delete("s"),
    "delete_batch": lambda lib: lib.delete_batch(["s"]),
    "prune_previous_versions": lambda lib: lib.prune_previous_versions("s"),
    "snapshot": lambda lib: lib.snapshot("snap"),
    "delete_snapshot": lambda lib: lib.delete_snapshot("kept"),
    "reclaim": lambda lib: lib.reclaim(orphans=True),
    "compact_symbol_list": lambda lib: lib.compact_symbol_list(),
}
READING = {
    "read", "read_batch", "read_batch_and_join", "collect_lazy", "collect_lazy_batch", "collect_lazy_join",
    "collect_lazy_batches", "explain_lazy", "read_metadata", "read_metadata_batch", "head", "tail", "get_description",
    "get_description_batch", "list_symbols", "list_versions", "list_snapshots", "has_symbol", "options",
    "enterprise_options", "name", "verify", "reload_symbol_list", "parse_list_of_symbols", "adopt",
}  # fmt: skip


def test_every_call_is_known_to_read_or_to_write() -> None:
    calls = {name for name, _ in inspect.getmembers(Library) if not name.startswith("_")}
    assert calls == READING | set(MUTATING)


@pytest.mark.parametrize("call", MUTATING)
def test_reading_mode_refuses(tmp_path: Path, call: str) -> None:
    uri = f"lmdb://{tmp_path}"
    writer = Arctic(uri).create_library("lib")
    writer.write("s", SERIES)
    writer.write("s", SERIES)
    writer.snapshot("kept")
    reader = Arctic(uri, mode="r")["lib"]
    before = {file: file.read_bytes() for file in tmp_path.rglob("data.mdb")}
    for handle in (reader, pickle.loads(pickle.dumps(reader))):
        with pytest.raises(PermissionException, match="mode='r'"):
            MUTATING[call](handle)
    assert {file: file.read_bytes() for file in tmp_path.rglob("data.mdb")} == before
    assert reader.verify().ok
    assert len(reader.read("s").data) == 6


# ---- handles


def test_reprs(tmp_path: Path) -> None:
    lib = Arctic(f"lmdb://{tmp_path}").create_library("a.b")
    assert repr(lib) == f"Library(Arctic(config=LMDB(path={tmp_path})), path=a.b, storage=lmdb_storage)"
    item = lib.write("s", FRAME, {"x": 1})
    shown = "VersionedItem(symbol='s', library='a.b', data={}, version=0, metadata={{'x': 1}}, host={!r}, timestamp={})"
    assert repr(item) == shown.format("n/a", f"LMDB(path={tmp_path})", item.timestamp)
    assert repr(lib["s"]) == shown.format(pd.DataFrame, f"LMDB(path={tmp_path})", item.timestamp)
    assert repr(WritePayload("s", FRAME, 3)) == f"WritePayload(symbol=s, data_id={id(FRAME)}, metadata=3)"
    assert repr(UpdatePayload("s", FRAME)) == f"UpdatePayload(symbol=s, data_id={id(FRAME)})"
    assert repr(WriteMetadataPayload("s", 3)) == "WriteMetadataPayload(symbol=s, metadata=3)"
    assert repr(ReadRequest("s", as_of=3)) == "ReadRequest(symbol=s, as_of=3)"
    assert repr(ReadInfoRequest("s")) == "ReadInfoRequest(symbol=s)"
    assert repr(DeleteRequest("s", [1])) == "DeleteRequest(symbol=s, version_ids=[1])"


def test_payloads_unpack(lib: Library) -> None:
    assert lib.write(*WritePayload("s", FRAME)).metadata is None
    assert lib.write(*WritePayload("s", FRAME, "m")).metadata == "m"
    assert lib.write_metadata(*WriteMetadataPayload("s", "n")).version == 2


def test_versioned_items_compare_by_value(lib: Library) -> None:
    lib.write("s", FRAME, {"m": [1]})
    one, two = lib.read("s"), lib.read("s")
    assert one == two
    assert one.data is not two.data
    two.data.loc[0, "a"] = 99
    assert one != two
    assert one != "s"
    with pytest.raises(TypeError):
        hash(one)
    with pytest.raises(AttributeError):
        one.extra = 1  # type: ignore[attr-defined]
    with pytest.warns(SyntaxWarning, match="attributes"):
        symbol, library, _, version, *_ = one
    assert (symbol, library, version) == ("s", "lib", 0)


def test_reads_are_independent(lib: Library) -> None:
    lib.write("s", SERIES)
    data = lib.read("s").data
    data.loc[data.index[0], "a"] = 99
    data["new"] = 1
    pd.testing.assert_frame_equal(lib.read("s").data, SERIES, check_freq=False)


def test_a_pickled_library_connects_again(tmp_path: Path) -> None:
    lib = Arctic(f"lmdb://{tmp_path}").create_library("lib", LibraryOptions(dedup=True))
    lib.write("s", FRAME)
    copy = pickle.loads(pickle.dumps(lib))
    assert copy.read("s") == lib.read("s")
    assert copy.options() == lib.options()
    assert repr(copy) == repr(lib)
    copy.append("s", FRAME)
    assert len(lib.read("s").data) == 6


def test_a_pickled_library_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    lib = Arctic("lmdb://data").create_library("lib")
    lib.write("s", FRAME)
    (tmp_path / "lib.pickle").write_bytes(pickle.dumps(lib))
    code = """
import pathlib, pickle
lib = pickle.loads(pathlib.Path("../lib.pickle").read_bytes())
lib.append("s", lib.read("s").data)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path / "elsewhere")
    assert len(lib.read("s").data) == 6


def test_requests_and_results_pickle(lib: Library) -> None:
    lib.write("s", FRAME, "m")
    for thing in (
        lib.read("s"),
        WritePayload("s", 1, 2),
        UpdatePayload("s", 1),
        ReadRequest("s", columns=["a"]),
        lib.read_batch(["t"])[0],
        lib.list_versions(),
        lib.get_description("s"),
    ):
        assert repr(pickle.loads(pickle.dumps(thing))).partition("data_id")[0] == repr(thing).partition("data_id")[0]


def test_no_warnings_in_everyday_use(lib: Library) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lib.write("s", SERIES, {"m": 1})
        lib.append("s", SERIES.shift(9, freq="D"))
        lib.read("s", date_range=(DAYS[0], None), columns=["a"])
        lib.list_versions()
        lib.get_description("s")
        repr(lib.read("s"))


def test_the_api_costs_little() -> None:
    # Floors far above what is measured (see benchmarks/): they catch a mistake, not a slow machine.
    item = min(timeit.repeat(lambda: VersionedItem("s", "l", None, 0, None, "h", 1), number=10_000, repeat=5)) / 10_000
    assert item < 10e-6
    assert coldframe.__version__
