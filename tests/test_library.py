"""The calls of a library: what they take, give and raise; what they store is tested with the operations."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from coldframe import (
    Arctic,
    DeleteRequest,
    ErrorCode,
    LibraryOptions,
    UpdatePayload,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.exceptions import (
    ArcticException,
    ArcticInvalidApiUsageException,
    ArcticUnsupportedDataTypeException,
    InternalException,
    NoDataFoundException,
    NoSuchVersionException,
    StorageException,
    StreamDescriptorMismatch,
    UnsortedDataException,
    UserInputException,
)
from coldframe.library import Library, SymbolVersion

DAYS = pd.date_range("2024-01-01", periods=6, tz="Europe/Berlin", name="day")
SERIES = pd.DataFrame({"a": range(6), "s": ["x", "y", None, "x", "z", "y"]}, index=DAYS)
FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, np.nan, 2.5]})


@pytest.fixture
def lib(uri: str) -> Library:
    return Arctic(uri).create_library("lib")


def numbers(lib: Library, symbol: str) -> list[int]:
    return [key.version for key in lib.list_versions(symbol)]


# ---- write and read


def test_what_a_write_returns(lib: Library) -> None:
    before = time.time_ns()
    metadata = {"unit": "EUR"}
    item = lib.write("s", FRAME, metadata=metadata)
    assert (item.symbol, item.library, item.version, item.data) == ("s", "lib", 0, None)
    assert item.metadata is metadata
    assert item.host == lib._storage.describe()
    assert before <= item.timestamp <= time.time_ns()
    read = lib.read("s")
    pd.testing.assert_frame_equal(read.data, FRAME)
    assert (read.version, read.metadata, read.timestamp, read.host) == (0, metadata, item.timestamp, item.host)


def test_every_call_that_writes_makes_the_next_version(lib: Library) -> None:
    items = [
        lib.write("s", SERIES.iloc[:2], "w"),
        lib.append("s", SERIES.iloc[2:4], "a"),
        lib.update("s", SERIES.iloc[1:3], "u"),
        lib.write_metadata("s", "m"),
        lib.write_pickle("s", SERIES, "p"),
    ]
    lib.delete_data_in_range("s", (DAYS[0], DAYS[1]))
    assert [item.version for item in items] == [0, 1, 2, 3, 4]
    assert numbers(lib, "s") == [5, 4, 3, 2, 1, 0]
    assert [lib.read_metadata("s", v).metadata for v in range(6)] == ["w", "a", "u", "m", "p", "p"]
    stamps = [info.date for info in lib.list_versions("s").values()]
    assert stamps == sorted(set(stamps), reverse=True)
    assert len(lib.read("s").data) == 4


def test_getitem_and_contains(lib: Library) -> None:
    assert "s" not in lib
    lib.write("s", FRAME)
    assert "s" in lib
    pd.testing.assert_frame_equal(lib["s"].data, FRAME)
    for bad in ("", "a*b", "é", "x" * 300, "s/"):
        assert bad not in lib


def test_parts(lib: Library) -> None:
    lib.write("s", SERIES)
    pd.testing.assert_frame_equal(lib.read("s", columns=["s"]).data, SERIES[["s"]], check_freq=False)
    pd.testing.assert_frame_equal(
        lib.read("s", date_range=(DAYS[1], DAYS[3])).data, SERIES.iloc[1:4], check_freq=False
    )
    pd.testing.assert_frame_equal(lib.read("s", row_range=(-3, -1)).data, SERIES.iloc[-3:-1], check_freq=False)
    for n in (0, 1, 5, 6, 10, -2, -6, -9):
        pd.testing.assert_frame_equal(lib.head("s", n).data, SERIES.head(n), check_freq=False)
        pd.testing.assert_frame_equal(lib.tail("s", n).data, SERIES.tail(n), check_freq=False)
    assert len(lib.head("s").data) == 5
    assert len(lib.tail("s").data) == 5
    assert lib.tail("s", 2, columns=["a"]).data["a"].tolist() == [4, 5]
    assert list(lib.tail("s", 2, columns=["a"]).data.columns) == ["a"]


def test_as_of(lib: Library) -> None:
    items = [lib.write("s", FRAME * n) for n in range(3)]
    lib.snapshot("snap", versions={"s": 1})
    lib.write("s", FRAME * 3)
    stamps = [pd.Timestamp(item.timestamp, tz="UTC") for item in items]
    assert lib.read("s").version == 3
    assert lib.read("s", as_of=0).version == 0
    assert lib.read("s", as_of=-1).version == 3
    assert lib.read("s", as_of=-4).version == 0
    assert lib.read("s", as_of="snap").version == 1
    assert lib.read("s", as_of=True).version == 1
    for version, stamp in enumerate(stamps):
        assert lib.read("s", as_of=stamp).version == version
        assert lib.head("s", 1, as_of=stamp).version == version
        assert lib.read("s", as_of=stamp.tz_localize(None)).version == version
        assert lib.read("s", as_of=stamp.tz_convert("Asia/Tokyo")).version == version
    with pytest.raises(NoSuchVersionException, match="future"):
        lib.read("s", as_of=datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(NoSuchVersionException):
        lib.read("s", as_of=stamps[0] - pd.Timedelta(1, "ns"))
    for missing in (4, -5):
        with pytest.raises(NoSuchVersionException, match="'s'"):
            lib.read("s", as_of=missing)
    for snapshot in ("no such snapshot", "2024-01-01"):
        with pytest.raises(NoDataFoundException, match=snapshot):
            lib.read("s", as_of=snapshot)
    for wrong in (date(2024, 1, 1), np.int64(1), 1.0, np.datetime64("2024-01-01"), [1]):
        with pytest.raises(ArcticException, match="as_of"):
            lib.read("s", as_of=wrong)
    with pytest.raises(NoSuchVersionException, match="'t'"):
        lib.read("t")


def test_bad_ranges_and_columns(lib: Library) -> None:
    lib.write("s", SERIES)
    with pytest.raises(ArcticException):
        lib.read("s", date_range=(None, None), row_range=(0, 1))
    for wrong in ({"date_range": ("2024", "2025")}, {"row_range": (0.5, 2)}, {"columns": "a"}, {"columns": [1]}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            lib.read("s", **wrong)
    assert len(lib.read("s", date_range=(DAYS[3], DAYS[1])).data) == 0
    assert len(lib.read("s", row_range=(4, 2)).data) == 0


@pytest.mark.parametrize("name", ["", "a*", "<", "é", "x" * 255, "a\n"])
def test_bad_names_write_nothing(lib: Library, name: str) -> None:
    for call in (lib.write, lib.append, lib.write_pickle, lib.write_metadata):
        with pytest.raises(UserInputException):
            call(name, FRAME)
    with pytest.raises(UserInputException):
        lib.update(name, SERIES, upsert=True)
    assert lib.list_symbols() == []
    assert lib.list_versions(name) == {}
    with pytest.raises(NoSuchVersionException):
        lib.read(name)


def test_names_that_are_no_strings(lib: Library) -> None:
    for call in (lib.write, lib.append, lib.write_pickle, lib.write_metadata):
        with pytest.raises(TypeError, match="must be a str"):
            call(3.5, FRAME)  # type: ignore[arg-type]
    for ask in (lib.read, lib.get_description, lib.read_metadata):
        with pytest.raises(TypeError, match="must be a str"):
            ask(3.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["a/b", "a b", ".", "..", ".hidden", "~", "%41", "x" * 254, "/" * 254, "a\\b", "a&b=c"]
)
def test_awkward_names(lib: Library, name: str) -> None:
    lib.write(name, FRAME)
    lib.append(name, FRAME)
    assert lib.list_symbols() == [name]
    assert lib.has_symbol(name)
    assert lib.read(name).symbol == name
    assert list(lib.list_versions()) == [(name, 1), (name, 0)]
    lib.snapshot("s")
    assert lib.list_symbols("s") == [name]
    lib.delete(name)
    assert lib.list_symbols() == []
    assert len(lib.read(name, as_of="s").data) == 6


@pytest.mark.parametrize("data", [[1, 2], {"a": 1}, "text", 5, None, object()])
def test_other_objects_need_write_pickle(lib: Library, data: Any) -> None:
    with pytest.raises(ArcticUnsupportedDataTypeException, match="write_pickle"):
        lib.write("s", data)
    assert not lib.has_symbol("s")


def test_pickles(lib: Library) -> None:
    value = {"weights": [0.5], "on": date(2024, 1, 1), "f": timedelta}
    assert lib.write_pickle("s", value, metadata=1).version == 0
    assert lib.read("s").data == value
    assert lib.get_description("s").row_count is None
    for call in (
        lambda: lib.read("s", columns=["a"]),
        lambda: lib.read("s", row_range=(0, 1)),
        lambda: lib.head("s"),
        lambda: lib.append("s", FRAME),
        lambda: lib.update("s", SERIES),
        lambda: lib.delete_data_in_range("s", (DAYS[0], None)),
    ):
        with pytest.raises(InternalException, match="pickle"):
            call()
    with pytest.raises(ArcticException, match="pickle"):
        lib.write_pickle("t", lambda: None)
    assert not lib.has_symbol("t")
    lib.write_pickle("u", FRAME)
    assert lib.get_description("u").row_count == 3, "a frame stays a frame"


def test_metadata_only_symbols(lib: Library) -> None:
    assert lib.write_metadata("s", {"a": 1}).version == 0
    item = lib.read("s")
    assert (item.data, item.metadata) == (None, {"a": 1})
    assert lib.write("s", FRAME).version == 1
    assert lib.read("s").metadata is None
    lib.write_metadata("s", None)
    assert lib.read("s").metadata is None
    pd.testing.assert_frame_equal(lib.read("s").data, FRAME)


# ---- append and update


def test_append(lib: Library) -> None:
    assert lib.append("s", SERIES.iloc[:3]).version == 0
    assert lib.append("s", SERIES.iloc[3:]).version == 1
    pd.testing.assert_frame_equal(lib.read("s").data, SERIES, check_freq=False)
    with pytest.raises(StreamDescriptorMismatch, match="'a'"):
        lib.append("s", SERIES.astype({"a": float}).shift(9, freq="D"))
    with pytest.raises(InternalException):
        lib.append("s", SERIES.iloc[:3])
    later = SERIES.shift(9, freq="D")
    with pytest.raises(UnsortedDataException):
        lib.append("s", later.iloc[::-1])
    assert numbers(lib, "s") == [1, 0]


def test_an_idempotency_key_adds_once(lib: Library) -> None:
    lib.append("s", FRAME, idempotency_key="one")
    first = lib.append("s", FRAME, metadata="m", idempotency_key="two")
    again = lib.append("s", FRAME, metadata="m", idempotency_key="two")
    assert (again.version, again.timestamp) == (first.version, first.timestamp) == (1, first.timestamp)
    assert lib.append("s", FRAME, idempotency_key="three").version == 2
    assert lib.append("s", FRAME).version == 3
    assert lib.append("s", FRAME).version == 4
    assert len(lib.read("s").data) == 15


def test_update(lib: Library) -> None:
    with pytest.raises(InternalException):
        lib.update("s", SERIES)
    assert lib.update("s", SERIES, upsert=True).version == 0
    patch = SERIES.iloc[2:4].assign(a=[20, 30])
    lib.update("s", patch)
    assert lib.read("s").data["a"].tolist() == [0, 1, 20, 30, 4, 5]
    lib.update("s", patch.iloc[:1], date_range=(DAYS[1], DAYS[4]))
    assert lib.read("s").data["a"].tolist() == [0, 20, 5]
    lib.write("r", FRAME)
    with pytest.raises(InternalException):
        lib.update("r", FRAME)


def test_delete_data_in_range(lib: Library) -> None:
    lib.write("s", SERIES, metadata="kept")
    assert lib.delete_data_in_range("s", (DAYS[1], DAYS[2])) is None
    item = lib.read("s")
    assert (item.data["a"].tolist(), item.version, item.metadata) == ([0, 3, 4, 5], 1, "kept")
    lib.delete_data_in_range("s", (DAYS[4], None))
    assert lib.read("s").data["a"].tolist() == [0, 3]
    with pytest.raises(ArcticInvalidApiUsageException, match="date_range"):
        lib.delete_data_in_range("s", None)
    with pytest.raises(InternalException):
        lib.delete_data_in_range("t", (DAYS[0], None))
    assert numbers(lib, "s") == [2, 1, 0]


# ---- listing and describing


def test_list_symbols(lib: Library) -> None:
    for symbol in ("eur/usd", "eur/chf", "oil"):
        lib.write(symbol, FRAME)
    assert sorted(lib.list_symbols()) == ["eur/chf", "eur/usd", "oil"]
    assert sorted(lib.list_symbols(regex="^eur")) == ["eur/chf", "eur/usd"]
    assert lib.list_symbols(regex="il$") == ["oil"]
    with pytest.raises(InternalException):
        lib.list_symbols(regex="(")
    lib.snapshot("snap", skip_symbols=["oil"])
    lib.delete("eur/usd")
    assert sorted(lib.list_symbols()) == ["eur/chf", "oil"]
    assert sorted(lib.list_symbols("snap")) == ["eur/chf", "eur/usd"]
    assert lib.list_symbols("snap", "usd") == ["eur/usd"]
    with pytest.raises(NoDataFoundException, match="nosnap"):
        lib.list_symbols("nosnap")
    assert lib.reload_symbol_list() is None
    assert lib.compact_symbol_list() == 0


def test_has_symbol(lib: Library) -> None:
    item = lib.write("s", FRAME)
    stamp = pd.Timestamp(item.timestamp, tz="UTC")
    assert lib.has_symbol("s", 0)
    assert lib.has_symbol("s", -1)
    assert lib.has_symbol("s", stamp)
    assert not lib.has_symbol("s", stamp - pd.Timedelta(1, "ns"))
    assert not lib.has_symbol("s", 1)
    assert not lib.has_symbol("t")
    with pytest.raises(NoDataFoundException):
        lib.has_symbol("s", "nosnap")
    lib.snapshot("snap")
    lib.write("t", FRAME)
    assert lib.has_symbol("s", "snap")
    assert not lib.has_symbol("t", "snap")


def test_list_versions(lib: Library) -> None:
    written = {(s, v): lib.write(s, FRAME).timestamp for v in range(3) for s in ("s", "t")}
    lib.snapshot("one", versions={"s": 0})
    lib.snapshot("two")
    lib.delete("s", 0)
    listed = lib.list_versions()
    assert type(listed) is dict
    assert [k for k in listed if k.symbol == "s"] == [("s", 2), ("s", 1), ("s", 0)]
    assert {k: info.date.value for k, info in listed.items()} == written
    assert all(str(info.date.tz) == "UTC" for info in listed.values())
    assert listed["s", 0].deleted
    assert listed["s", 0].snapshots == ["one"]
    assert listed["s", 2].snapshots == ["two"]
    assert not listed["s", 2].deleted
    assert repr(SymbolVersion("s", 3)) == "s_v3"
    assert repr(listed["s", 0]) == f"(date={listed['s', 0].date}, deleted, snapshots=['one'])"
    assert list(lib.list_versions("t")) == [("t", 2), ("t", 1), ("t", 0)]
    assert sorted(lib.list_versions(latest_only=True)) == [("s", 2), ("t", 2)]
    assert list(lib.list_versions(snapshot="one")) == [("s", 0)]
    assert not lib.list_versions(snapshot="one")["s", 0].deleted
    plain = lib.list_versions("s", skip_snapshots=True)
    assert list(plain) == [("s", 2), ("s", 1)]
    assert all(info.snapshots == [] for info in plain.values())
    assert lib.list_versions("unknown") == {}
    with pytest.raises(NoDataFoundException):
        lib.list_versions(snapshot="nosnap")


def test_descriptions(lib: Library) -> None:
    frame = SERIES.assign(
        f=np.float32(1), b=True, t=pd.Timestamp("2020"), c=pd.Categorical(["u", "v"] * 3), u=np.uint8(3)
    )
    frame["t"] = frame["t"].astype("M8[ns]")
    item = lib.write("s", frame)
    about = lib.get_description("s")
    assert [(c.name, repr(c.dtype)) for c in about.columns] == [
        ("a", "TD<type=INT64, dim=0>"),
        ("s", "TD<type=UTF_DYNAMIC64, dim=0>"),
        ("f", "TD<type=FLOAT32, dim=0>"),
        ("b", "TD<type=BOOL8, dim=0>"),
        ("t", "TD<type=NANOSECONDS_UTC64, dim=0>"),
        ("c", "TD<type=INT8, dim=0>"),
        ("u", "TD<type=UINT8, dim=0>"),
    ]
    assert [i.name for i in about.index] == ["day"]
    assert about.index_type == "index"
    assert about.row_count == 6
    assert about.sorted == "ASCENDING"
    assert about.last_update_time == pd.Timestamp(item.timestamp, tz="UTC")
    assert about.date_range == (DAYS[0], DAYS[-1])
    assert [str(stamp.tz) for stamp in about.date_range] == ["Europe/Berlin"] * 2
    with pytest.raises(NoSuchVersionException):
        lib.get_description("s", 5)


def test_descriptions_without_times_are_equal_and_hashable(lib: Library) -> None:
    lib.write("s", FRAME)
    one, two = lib.get_description("s"), lib.get_description("s")
    assert one == two
    assert not one != two  # noqa: SIM202 - both operators are defined
    assert one != one._replace(row_count=4)
    assert hash(one) == hash(two)
    assert one.date_range == (pd.NaT, pd.NaT)
    assert one.sorted == "UNKNOWN"
    assert [i.name for i in one.index] == [None]


# ---- deleting


def test_delete(lib: Library) -> None:
    for n in range(4):
        lib.write("s", FRAME * n)
    lib.delete("s", 0)
    lib.delete("s", [0, 2])
    lib.delete("s", [])
    lib.delete("s", iter([]))
    assert numbers(lib, "s") == [3, 1]
    with pytest.raises(NoSuchVersionException):
        lib.delete("s", [1, 4])
    with pytest.raises(NoSuchVersionException):
        lib.delete("unknown", 0)
    for wrong in (-1, "0", 1.0, ["0"], [None]):
        with pytest.raises(TypeError):
            lib.delete("s", wrong)  # type: ignore[arg-type]
    assert numbers(lib, "s") == [3, 1]
    lib.delete("s", np.int64(1))
    lib.delete("s")
    lib.delete("s")
    lib.delete("unknown")
    assert "s" not in lib
    assert lib.write("s", FRAME).version == 4


def test_delete_batch(lib: Library) -> None:
    for _ in range(2):
        for s in ("x", "y", "z"):
            lib.write(s, FRAME)
    done = lib.delete_batch(["x", "unknown", DeleteRequest("y", [0]), DeleteRequest("z", [9]), DeleteRequest("z", [])])
    assert [d is None for d in done] == [True, True, True, False, True]
    assert done[3].symbol == "z"
    assert done[3].error_code is ErrorCode.E_NO_SUCH_VERSION
    assert sorted(lib.list_versions()) == [("y", 1), ("z", 0), ("z", 1)]
    for wrong in ("x", [3]):
        with pytest.raises(ArcticInvalidApiUsageException):
            lib.delete_batch(wrong)  # type: ignore[arg-type]


def test_pruning(uri: str) -> None:
    lib = Arctic(uri).create_library("keep")
    for _ in range(3):
        lib.write("s", FRAME)
    lib.prune_previous_versions("s")
    assert numbers(lib, "s") == [2]
    with pytest.raises(StorageException):
        lib.prune_previous_versions("unknown")
    lib.append("s", FRAME, prune_previous_versions=True)
    assert numbers(lib, "s") == [3]


def test_the_option_to_prune_is_the_default_of_every_call() -> None:
    lib = Arctic("mem://").create_library("prune", LibraryOptions(prune_previous_versions=True))
    calls: list[Callable[[bool | None], Any]] = [
        lambda prune: lib.write("s", SERIES, prune_previous_versions=prune),
        lambda prune: lib.append("s", SERIES.shift(len(lib.read("s").data), freq="D"), prune_previous_versions=prune),
        lambda prune: lib.update("s", SERIES, prune_previous_versions=prune),
        lambda prune: lib.write_metadata("s", 1, prune_previous_versions=prune),
        lambda prune: lib.delete_data_in_range("s", (DAYS[0], DAYS[0]), prune_previous_versions=prune),
        lambda prune: lib.write_pickle("s", SERIES, prune_previous_versions=prune),
        lambda prune: lib.write_batch([WritePayload("s", SERIES)], prune_previous_versions=prune),
        lambda prune: lib.append_batch(
            [WritePayload("s", SERIES.shift(len(lib.read("s").data), freq="D"))], prune_previous_versions=prune
        ),
        lambda prune: lib.update_batch([UpdatePayload("s", SERIES)], prune_previous_versions=prune),
        lambda prune: lib.write_metadata_batch([WriteMetadataPayload("s", 1)], prune_previous_versions=prune),
        lambda prune: lib.write_pickle_batch([WritePayload("s", SERIES)], prune_previous_versions=prune),
    ]
    for call in calls:
        call(None)
        assert len(numbers(lib, "s")) == 1
        call(False)
        assert len(numbers(lib, "s")) == 2


# ---- snapshots


def test_snapshots(lib: Library) -> None:
    with pytest.raises(NoSuchVersionException):
        lib.snapshot("empty")
    lib.write("s", FRAME)
    lib.write("s", FRAME * 2)
    lib.write("t", FRAME)
    assert lib.snapshot("all", metadata={"at": pd.Timestamp("2024-01-01", tz="UTC")}) is None
    lib.snapshot("some", versions={"s": 0})
    lib.snapshot("skipping", skip_symbols=["t", "unknown"])
    lib.snapshot("again", versions={})
    assert lib.list_snapshots() == {
        "all": {"at": pd.Timestamp("2024-01-01", tz="UTC")},
        "some": None,
        "skipping": None,
        "again": None,
    }
    assert sorted(lib.list_snapshots(load_metadata=False)) == ["again", "all", "skipping", "some"]
    assert sorted(lib.list_symbols("skipping")) == ["s"]
    assert sorted(lib.list_symbols("again")) == ["s", "t"]
    with pytest.raises(InternalException, match="'all'"):
        lib.snapshot("all")
    with pytest.raises(NoSuchVersionException):
        lib.snapshot("bad", versions={"s": 9})
    with pytest.raises(InternalException):
        lib.snapshot("bad", skip_symbols=["t"], versions={"s": 0})
    for name in ("", "a*", "x" * 255):
        with pytest.raises(UserInputException):
            lib.snapshot(name)
    assert len(lib.list_snapshots()) == 4
    lib.delete("s")
    lib.delete("t")
    assert lib.read("s", as_of="some").data["a"].tolist() == [1, 2, 3]
    assert lib.read("s", as_of="all").data["a"].tolist() == [2, 4, 6]
    with pytest.raises(NoSuchVersionException):
        lib.read("t", as_of="some")
    with pytest.raises(NoSuchVersionException):
        lib.read("s", as_of=0)
    for name in ("all", "some", "skipping", "again"):
        lib.delete_snapshot(name)
    with pytest.raises(NoDataFoundException):
        lib.delete_snapshot("all")
    assert lib.list_versions() == {}


# ---- care


def test_verify_and_reclaim(lib: Library) -> None:
    big = pd.DataFrame({"a": np.random.default_rng(1).normal(size=200_000)})
    lib.write("s", big)
    lib.snapshot("snap")
    lib.write("s", big, prune_previous_versions=True)
    lib.write("t", big)
    report = lib.verify()
    assert report.ok
    assert report.bytes > 3 * big["a"].nbytes // 2
    assert lib.verify("t").ok
    assert lib.verify("t").bytes < report.bytes
    lib.delete("t")
    lib.delete_snapshot("snap")
    lib.reclaim(grace=0, orphans=True)
    assert lib.verify().bytes < 1.5 * big["a"].nbytes
    assert lib.reclaim(grace=timedelta(0), orphans=True).orphans == 0
    pd.testing.assert_frame_equal(lib.read("s").data, big)


def test_verify_of_a_missing_symbol(lib: Library) -> None:
    with pytest.raises(NoSuchVersionException):
        lib.verify("unknown")
