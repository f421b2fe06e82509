"""Connections: opening, creating, listing, changing and deleting libraries."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import coldframe
from coldframe import Arctic, LibraryOptions
from coldframe.catalog import config as configs
from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticException,
    ArcticInvalidApiUsageException,
    CompatibilityException,
    DamagedDataException,
    LibraryNotFound,
    MismatchingLibraryOptions,
    NoDataFoundException,
    PermissionException,
    UnknownLibraryOption,
    UnsupportedLibraryOptionValue,
    UserInputException,
)
from coldframe.format.checksums import seal
from coldframe.options import (
    EncodingVersion,
    EnterpriseLibraryOptions,
    ModifiableEnterpriseLibraryOption,
    ModifiableLibraryOption,
)

FRAME = pd.DataFrame({"a": [1, 2, 3]})


@pytest.fixture
def ac(uri: str) -> Arctic:
    return Arctic(uri)


# ---- connecting


@pytest.mark.parametrize("bad", ["", "nope://x", "LMDB://x", "lmdb:/x", "C:\\data", "/tmp/x"])
def test_unknown_schemes_are_refused_naming_the_known_ones(bad: str) -> None:
    with pytest.raises(ValueError, match="lmdb://"):
        Arctic(bad)


@pytest.mark.parametrize("bad", [None, 3, Path("x"), b"mem://"])
def test_a_connection_string_is_a_string(bad: object) -> None:
    with pytest.raises(TypeError, match="connection string"):
        Arctic(bad)  # type: ignore[arg-type]


def test_bad_modes_and_formats() -> None:
    with pytest.raises(ValueError, match="mode"):
        Arctic("mem://", mode="w")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output_format"):
        Arctic("mem://", output_format="excel")
    with pytest.raises(ArcticDbNotYetImplemented, match="POLARS"):
        Arctic("mem://", output_format="polars")
    with pytest.raises(ValueError, match="7"):
        Arctic("mem://", encoding_version=7)


def test_repr_and_uri(tmp_path: Path) -> None:
    assert repr(Arctic("mem://")) == "Arctic(config=MEM())"
    uri = f"lmdb://{tmp_path}/x"
    assert repr(Arctic(uri)) == f"Arctic(config=LMDB(path={tmp_path}/x))"
    assert Arctic(uri).get_uri() == uri
    assert repr(Arctic(uri).create_library("a.b")) == (
        f"Library(Arctic(config=LMDB(path={tmp_path}/x)), path=a.b, storage=lmdb_storage)"
    )


def test_an_arctic_cannot_be_pickled(ac: Arctic) -> None:
    with pytest.raises(TypeError, match="connect there"):
        pickle.dumps(ac)


def test_memory_belongs_to_its_connection() -> None:
    one, two = Arctic("mem://"), Arctic("mem://")
    one.create_library("x")
    assert two.list_libraries() == []


def test_two_connections_to_one_folder_see_each_other(tmp_path: Path) -> None:
    one, two = Arctic(f"lmdb://{tmp_path}"), Arctic(f"lmdb://{tmp_path}")
    lib = one.create_library("x")
    lib.write("s", FRAME)
    assert two.list_libraries() == ["x"]
    assert two["x"].read("s").version == 0
    two["x"].append("s", pd.DataFrame({"a": [4]}))
    assert len(lib.read("s").data) == 4


def test_a_moved_folder_opens_unchanged(tmp_path: Path) -> None:
    code = f"""
        import pandas as pd, coldframe
        lib = coldframe.Arctic("lmdb://{tmp_path}/before").create_library("x.y")
        lib.write("s", pd.DataFrame({{"a": [1, 2, 3]}}))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    (tmp_path / "before").rename(tmp_path / "after")
    assert Arctic(f"lmdb://{tmp_path}/after")["x.y"].read("s").data["a"].tolist() == [1, 2, 3]


# ---- libraries


def test_create_get_has_list_delete(ac: Arctic) -> None:
    assert ac.list_libraries() == []
    ac.create_library("b")
    ac.create_library("a/x.y")
    assert ac.list_libraries() == ["a/x.y", "b"]
    assert "b" in ac
    assert ac.has_library("a/x.y")
    assert not ac.has_library("a")
    assert ac["b"].name == "b"
    ac.delete_library("b")
    ac.delete_library("b")
    ac.delete_library("a..b")
    assert ac.list_libraries() == ["a/x.y"]


def test_nested_names_are_separate_libraries(ac: Arctic) -> None:
    for name in ("a", "a.b", "a/b", "a.b.c", "a b"):
        ac.create_library(name).write(name.replace(" ", "_"), FRAME)
    ac.delete_library("a")
    assert ac.list_libraries() == sorted(["a.b", "a/b", "a.b.c", "a b"])
    for name in ac.list_libraries():
        assert ac[name].list_symbols() == [name.replace(" ", "_")]


def test_creating_twice(ac: Arctic) -> None:
    ac.create_library("x")
    with pytest.raises(ValueError, match="'x' exists already"):
        ac.create_library("x")


@pytest.mark.parametrize("name", ["", "a..b", ".a", "a.", "/a", "a*", "é", "x" * 255, "a\n"])
def test_bad_names(ac: Arctic, name: str) -> None:
    with pytest.raises(UserInputException):
        ac.create_library(name)
    with pytest.raises(UserInputException):
        ac.get_library(name, create_if_missing=True)
    with pytest.raises(LibraryNotFound):
        ac.get_library(name)
    assert not ac.has_library(name)
    assert ac.list_libraries() == []


@pytest.mark.parametrize("name", ["x" * 200, "a/b", "a.b", "a b", "a\\b", "user&team", "%41", "~", "heads", "library"])
def test_good_names(ac: Arctic, name: str) -> None:
    ac.create_library(name).write("s", FRAME)
    assert ac.list_libraries() == [name]
    assert ac[name].read("s").version == 0


@pytest.mark.parametrize("name", [3, None, b"x"])
def test_names_that_are_no_strings(ac: Arctic, name: object) -> None:
    for call in (ac.create_library, ac.get_library, ac.has_library, ac.delete_library):
        with pytest.raises(TypeError, match="must be a str"):
            call(name)  # type: ignore[arg-type]


def test_a_missing_library_names_similar_ones(ac: Arctic) -> None:
    with pytest.raises(LibraryNotFound, match="no other"):
        ac["prices"]
    for name in ("prices", "trades", "zzz"):
        ac.create_library(name)
    with pytest.raises(LibraryNotFound, match="Similar names: 'prices'"):
        ac["price"]
    with pytest.raises(LibraryNotFound, match="Libraries there: 'prices', 'trades', 'zzz'"):
        ac["0000000"]


def test_create_if_missing(ac: Arctic) -> None:
    options = LibraryOptions(dedup=True)
    assert ac.get_library("x", create_if_missing=True, library_options=options).options().dedup
    assert ac.get_library("x", create_if_missing=True).options().dedup
    assert ac.get_library("x", create_if_missing=True, library_options=options).name == "x"
    assert options.encoding_version is None, "the caller's options are the caller's"
    with pytest.raises(MismatchingLibraryOptions, match="dedup is True, wanted False"):
        ac.get_library("x", create_if_missing=True, library_options=LibraryOptions())
    with pytest.raises(ArcticInvalidApiUsageException, match="create_if_missing"):
        ac.get_library("x", library_options=options)


def test_encoding_version_of_the_connection_is_the_default(uri: str) -> None:
    ac = Arctic(uri, encoding_version=EncodingVersion.V2)
    assert ac.create_library("x").options().encoding_version == EncodingVersion.V2
    chosen = LibraryOptions(encoding_version=EncodingVersion.V1)
    assert ac.create_library("y", chosen).options().encoding_version == EncodingVersion.V1


def test_options_are_stored(ac: Arctic) -> None:
    options = LibraryOptions(
        dynamic_schema=True, dedup=True, rows_per_segment=5, columns_per_segment=4, prune_previous_versions=True
    )
    enterprise = EnterpriseLibraryOptions(background_deletion=True)
    ac.create_library("x", options, enterprise)
    options.encoding_version = EncodingVersion.V1
    assert ac["x"].options() == options
    assert ac["x"].enterprise_options() == enterprise


def test_bad_options_create_nothing(ac: Arctic) -> None:
    with pytest.raises(ValueError, match="rows_per_segment"):
        ac.create_library("x", LibraryOptions(rows_per_segment=-1))
    with pytest.raises(TypeError, match="dedup"):
        ac.create_library("x", LibraryOptions(dedup="yes"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output_format"):
        ac.create_library("x", output_format="excel")
    assert ac.list_libraries() == []


def test_an_output_format_of_one_library_stays_with_it(ac: Arctic) -> None:
    ac.create_library("x")
    with pytest.raises(ArcticDbNotYetImplemented):
        ac.get_library("x", output_format="pyarrow")
    assert isinstance(ac.get_library("x", output_format="pandas").write("s", FRAME).version, int)


def test_a_deleted_and_recreated_library_starts_anew(ac: Arctic) -> None:
    old = ac.create_library("x")
    old.write("s", FRAME)
    old.write("s", FRAME)
    ac.delete_library("x")
    with pytest.raises(NoDataFoundException):
        old.read("s")
    new = ac.create_library("x")
    assert new.list_symbols() == []
    assert new.write("s", FRAME).version == 0


# ---- changing options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (ModifiableLibraryOption.DEDUP, True),
        (ModifiableLibraryOption.ROWS_PER_SEGMENT, 2),
        (ModifiableLibraryOption.COLUMNS_PER_SEGMENT, 2),
        (ModifiableLibraryOption.RECURSIVE_NORMALIZERS, True),
        (ModifiableLibraryOption.PRUNE_PREVIOUS_VERSIONS, True),
    ],
)
def test_modify(ac: Arctic, option: ModifiableLibraryOption, value: bool | int) -> None:
    lib, other = ac.create_library("x"), ac["x"]
    before = lib.options()
    ac.modify_library_option(lib, option, value)
    assert getattr(lib.options(), option.name.lower()) == value
    assert ac["x"].options() == lib.options() != before
    assert other.options() == before, "other handles see it when they open the library again"
    lib.write("s", FRAME)
    pd.testing.assert_frame_equal(lib.read("s").data, FRAME)


def test_modify_enterprise_and_log(ac: Arctic, caplog: pytest.LogCaptureFixture) -> None:
    lib = ac.create_library("x")
    with caplog.at_level(logging.INFO, "coldframe.arctic"):
        ac.modify_library_option(lib, ModifiableEnterpriseLibraryOption.REPLICATION, True)
    assert ac["x"].enterprise_options().replication
    assert "replication to True" in caplog.text


def test_modify_keeps_what_another_changed_meanwhile(ac: Arctic) -> None:
    one, two = ac.create_library("x"), ac["x"]
    ac.modify_library_option(one, ModifiableLibraryOption.DEDUP, True)
    ac.modify_library_option(two, ModifiableLibraryOption.ROWS_PER_SEGMENT, 9)
    assert ac["x"].options() == LibraryOptions(dedup=True, rows_per_segment=9, encoding_version=0)
    assert two.options() == ac["x"].options()


def test_modify_badly(ac: Arctic) -> None:
    lib = ac.create_library("x")
    before = lib.options()
    with pytest.raises(UnsupportedLibraryOptionValue):
        ac.modify_library_option(lib, ModifiableLibraryOption.ROWS_PER_SEGMENT, 0)
    with pytest.raises(TypeError):
        ac.modify_library_option(lib, ModifiableLibraryOption.DEDUP, 1)
    with pytest.raises(UnknownLibraryOption):
        ac.modify_library_option(lib, "dedup", True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Library"):
        ac.modify_library_option("x", ModifiableLibraryOption.DEDUP, True)  # type: ignore[arg-type]
    assert ac["x"].options() == before
    ac.delete_library("x")
    with pytest.raises(LibraryNotFound):
        ac.modify_library_option(lib, ModifiableLibraryOption.DEDUP, True)


def test_changed_segment_sizes_hold_for_later_writes(ac: Arctic) -> None:
    lib = ac.create_library("x")
    frame = pd.DataFrame({"a": range(100), "b": range(100), "c": 0.5})
    lib.write("s", frame)
    ac.modify_library_option(lib, ModifiableLibraryOption.ROWS_PER_SEGMENT, 7)
    ac.modify_library_option(lib, ModifiableLibraryOption.COLUMNS_PER_SEGMENT, 2)
    lib.append("s", frame)
    expected = pd.concat([frame, frame], ignore_index=True)
    pd.testing.assert_frame_equal(lib.read("s").data, expected)
    pd.testing.assert_frame_equal(lib.read("s", row_range=(95, 120), columns=["b"]).data["b"].to_frame(),
                                  expected[["b"]].iloc[95:120].reset_index(drop=True))


# ---- what a library's options object may look like


def test_a_newer_library_is_refused(ac: Arctic) -> None:
    newer = configs.LibraryConfig(format=configs.FORMAT + 1)
    ac._storage.create("x", configs.KEY, configs._pack(newer))
    with pytest.raises(CompatibilityException, match="Upgrade"):
        ac["x"]
    assert ac.list_libraries() == ["x"]


def test_fields_of_a_later_release_are_passed_over(ac: Arctic) -> None:
    import msgspec

    fields = {"dedup": True, "something_new": 3, "format": configs.FORMAT}
    ac._storage.create("x", configs.KEY, bytes(seal(configs.KIND, msgspec.msgpack.encode(fields))))
    assert ac["x"].options().dedup


def test_damaged_options_are_named(ac: Arctic) -> None:
    ac.create_library("x")
    store = ac._storage.store("x")
    stored = store.get(configs.KEY)
    whole = bytes(stored.data)
    for position in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        store.put(configs.KEY, bytes(broken))
        with pytest.raises(ArcticException) as caught:
            ac["x"]
        assert isinstance(caught.value, DamagedDataException | CompatibilityException)
        assert "'x'" in str(caught.value)
    store.put(configs.KEY, whole[:10])
    with pytest.raises(DamagedDataException, match="'x'"):
        ac["x"]
    store.put(configs.KEY, whole)
    assert ac["x"].name == "x"


# ---- mode="r"


def test_reading_mode_writes_nothing(tmp_path: Path) -> None:
    uri = f"lmdb://{tmp_path}/data"
    writer = Arctic(uri).create_library("x")
    writer.write("s", FRAME)
    reader = Arctic(uri, mode="r")
    assert reader.list_libraries() == ["x"]
    assert reader["x"].read("s").version == 0
    for refused in (
        lambda: reader.create_library("y"),
        lambda: reader.delete_library("x"),
        lambda: reader.get_library("y", create_if_missing=True),
        lambda: reader.modify_library_option(reader["x"], ModifiableLibraryOption.DEDUP, True),
    ):
        with pytest.raises(PermissionException, match="mode='r'"):
            refused()
    assert reader.get_library("x", create_if_missing=True).name == "x"
    assert reader.list_libraries() == ["x"]
    assert not reader["x"].options().dedup
    writer.append("s", FRAME)
    assert len(reader["x"].read("s").data) == 6


def test_reading_mode_on_nothing_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises((ArcticException, ValueError), match="data"):
        Arctic(f"lmdb://{tmp_path}/data", mode="r")["x"]
    assert not (tmp_path / "data").exists()


# ---- the package


def test_names_of_the_package() -> None:
    for name in coldframe.__all__:
        assert hasattr(coldframe, name)
    for name in coldframe.library.__all__:
        assert hasattr(coldframe.library, name)
    assert coldframe.exceptions.ArcticException is ArcticException


def test_import_is_light() -> None:
    code = "import sys, coldframe; print([m for m in ('boto3', 'botocore', 'obstore', 'polars') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("junk", [np.array([1, 2]), pd.DataFrame(), pd.Index(["a"]), [], "no", 2, None], ids=str)
def test_switches_of_any_kind(ac: Arctic, junk: object) -> None:
    lib = ac.create_library("lib")
    with pytest.raises(TypeError, match="create_if_missing"):
        ac.get_library("new", create_if_missing=junk)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode must be"):
        Arctic("mem://", mode=junk)  # type: ignore[arg-type]
    with pytest.raises(UnknownLibraryOption, match="DEDUP"):
        ac.modify_library_option(lib, junk, True)  # type: ignore[arg-type]
    assert ac.list_libraries() == ["lib"]
