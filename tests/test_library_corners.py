"""Corners of a library's calls that no other test turns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from coldframe import Arctic, DataError, EnterpriseLibraryOptions, LibraryOptions, ReadRequest
from coldframe.exceptions import NoDataFoundException, NoSuchVersionException, StreamDescriptorMismatch
from coldframe.library import Library
from coldframe.options import ModifiableEnterpriseLibraryOption

DAYS = pd.date_range("2024-01-01", periods=4, name="day")
FRAME = pd.DataFrame({"a": [1, 2, 3, 4]}, index=DAYS)


@pytest.fixture
def arctic(uri: str) -> Arctic:
    return Arctic(uri)


@pytest.fixture
def lib(arctic: Arctic) -> Library:
    return arctic.create_library("lib")


def numbers(lib: Library, symbol: str) -> list[int]:
    return [key.version for key in lib.list_versions(symbol)]


def data_objects(lib: Library) -> set[str]:
    return {entry.key for entry in lib._catalog.store.list("data/")}


# --------------------------------------------------------------------------------------------------------- libraries


def test_a_handle_on_a_library_that_was_deleted(arctic: Arctic, lib: Library) -> None:
    lib.write("s", FRAME)
    arctic.delete_library("lib")
    calls = [
        lambda: lib.read("s"),
        lambda: lib.write("s", FRAME),
        lambda: lib.append("s", FRAME),
        lambda: lib.delete("s"),
        lambda: lib.has_symbol("s"),
        lib.list_symbols,
        lib.list_versions,
        lib.list_snapshots,
        lib.verify,
        lib.reclaim,
    ]
    for call in calls:
        with pytest.raises(NoDataFoundException, match="library"):
            call()
    assert arctic.list_libraries() == []


def test_threads_share_a_handle(lib: Library) -> None:
    def work(number: int) -> list[int]:
        for step in range(5):
            lib.append(f"s{number}", FRAME.shift(4 * step, freq="D"))
        return lib.read(f"s{number}").data["a"].tolist()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [[1, 2, 3, 4] * 5] * 16
    assert sorted(lib.list_symbols()) == sorted(f"s{number}" for number in range(16))


def test_a_library_that_leaves_freeing_to_reclaim(arctic: Arctic) -> None:
    noise = pd.DataFrame({"a": np.random.default_rng(0).standard_normal(20_000)})
    options = EnterpriseLibraryOptions(background_deletion=True)
    lib = arctic.create_library("later", enterprise_library_options=options)
    for _ in range(3):
        lib.write("s", noise, prune_previous_versions=True)
    lib.write("t", noise)
    lib.snapshot("snap")
    lib.delete("t")
    lib.delete_snapshot("snap")
    lib._catalog.store.grace = 0.0
    lib.write("s", noise, prune_previous_versions=True)
    assert len(data_objects(lib)) == 5
    assert numbers(lib, "s") == [3]
    freed = lib.reclaim()
    assert (freed.objects, len(data_objects(lib))) == (4, 1)
    pd.testing.assert_frame_equal(lib.read("s").data, noise)
    arctic.modify_library_option(lib, ModifiableEnterpriseLibraryOption.BACKGROUND_DELETION, option_value=False)
    lib.write("s", noise, prune_previous_versions=True)
    assert len(data_objects(lib)) <= 2 - lib._catalog.store.atomic
    assert lib.verify().ok


# -------------------------------------------------------------------------------------------------------------- data


def test_text_of_every_kind(lib: Library) -> None:
    values = ["", "a\0b", "\0", "héllo", "\U0001f600" * 3, "x" * 100_000, "tab\tnewline\n", None, np.nan, "\ufeff", "é"]
    frame = pd.DataFrame({"text": pd.Series(values, dtype=object)}).set_axis(pd.Index(values, dtype=object))
    lib.write("s", frame)
    lib.append("s", frame)
    found = lib.read("s").data
    for read in (found["text"].tolist(), found.index.tolist()):
        for one, other in zip(read, values * 2, strict=True):
            assert (type(one), str(one)) == (type(other), str(other))


def test_a_number_and_its_text_are_two_names(arctic: Arctic) -> None:
    lib = arctic.create_library("names", LibraryOptions(columns_per_segment=1))
    frame = pd.DataFrame([[1, 2.5, "x", True]], columns=pd.Index([1, "1", None, ""], dtype=object))
    lib.write("s", frame)
    found = lib.read("s").data
    pd.testing.assert_frame_equal(found, frame)
    assert [type(name) for name in found.columns] == [int, str, type(None), str]
    assert lib.read("s", columns=["1"]).data.columns.tolist() == [1, "1"]
    assert lib.append("s", frame).version == 1
    with pytest.raises(StreamDescriptorMismatch, match="'1'"):
        lib.append("s", frame[["1", 1, None, ""]].set_axis([1, "1", None, ""], axis=1))


def test_an_index_named_like_a_column(lib: Library) -> None:
    frame = FRAME.rename_axis("a")
    levels = frame.set_index(pd.MultiIndex.from_arrays([DAYS, list("wxyz")], names=["a", "a"]))
    for data in (frame, levels):
        lib.write("s", data)
        pd.testing.assert_frame_equal(lib.read("s").data, data, check_freq=False)
        pd.testing.assert_frame_equal(lib.read("s", columns=["a"]).data, data, check_freq=False)
        assert lib.read("s", columns=[]).data.shape == (4, 0)


def test_columns_from_several_groups_with_the_levels_of_the_index(arctic: Arctic) -> None:
    lib = arctic.create_library("narrow", LibraryOptions(columns_per_segment=3, rows_per_segment=3))
    index = pd.MultiIndex.from_product([DAYS, ["x", "y"]], names=["day", "word"])
    frame = pd.DataFrame(np.arange(80).reshape(8, 10), columns=[f"c{n}" for n in range(10)], index=index)
    lib.write("s", frame)
    chosen = ["c9", "c0", "c4", "c5"]
    found = lib.read("s", columns=chosen, row_range=(2, 7)).data
    pd.testing.assert_frame_equal(found, frame[sorted(chosen)].iloc[2:7], check_freq=False)


# ---------------------------------------------------------------------------------------------------------- versions


def test_no_metadata_of_a_missing_symbol_is_not_a_missing_version(lib: Library) -> None:
    for as_of in (None, 0, pd.Timestamp("2020-01-01")):
        with pytest.raises(NoDataFoundException) as caught:
            lib.read_metadata("missing", as_of=as_of)
        assert not isinstance(caught.value, NoSuchVersionException)


def test_metadata_is_never_carried_over_but_by_deleting_rows(lib: Library) -> None:
    lib.write("s", FRAME, metadata="first")
    lib.append("s", FRAME.shift(4, freq="D"))
    assert lib.read("s").metadata is None
    lib.write_metadata("s", "second")
    lib.update("s", FRAME)
    assert lib.read_metadata("s").metadata is None
    lib.write_metadata("s", "third")
    lib.delete_data_in_range("s", (DAYS[0], DAYS[1]))
    assert lib.read("s").metadata == "third"
    assert lib.read_metadata("s", as_of=0).metadata == "first"


def test_a_call_may_keep_what_the_library_prunes(arctic: Arctic) -> None:
    lib = arctic.create_library("pruning", LibraryOptions(prune_previous_versions=True))
    lib.write("s", FRAME)
    lib.write("s", FRAME, prune_previous_versions=False)
    lib.append("s", FRAME.shift(4, freq="D"), prune_previous_versions=False)
    assert numbers(lib, "s") == [2, 1, 0]
    lib.write_metadata("s", 1)
    assert numbers(lib, "s") == [3]


def test_an_append_after_a_delete_is_bound_by_nothing_before_it(lib: Library) -> None:
    lib.write("s", FRAME)
    lib.delete("s")
    earlier = pd.DataFrame({"other": ["x"]}, index=pd.DatetimeIndex(["1999-01-01"]))
    assert lib.append("s", earlier).version == 1
    pd.testing.assert_frame_equal(lib.read("s").data, earlier)


def test_an_upsert_of_no_rows_creates(lib: Library) -> None:
    assert lib.update("s", FRAME.iloc[:0], upsert=True, metadata="m").version == 0
    item = lib.read("s")
    assert (len(item.data), item.metadata) == (0, "m")
    lib.append("s", FRAME)
    pd.testing.assert_frame_equal(lib.read("s").data, FRAME, check_freq=False)


def test_wider_types_hold_for_old_rows_but_not_for_old_versions(arctic: Arctic) -> None:
    lib = arctic.create_library("dynamic", LibraryOptions(dynamic_schema=True, rows_per_segment=2))
    lib.write("s", pd.DataFrame({"a": np.array([1, 2, 3], dtype=np.int8)}))
    lib.append("s", pd.DataFrame({"a": np.array([2.5])}))
    for part in (lib.head("s", 1), lib.read("s", row_range=(0, 2)), lib.read("s", columns=["a"])):
        assert part.data["a"].dtype == np.float64
    assert lib.head("s", 1, as_of=0).data["a"].dtype == np.int8


def test_a_row_put_first_shares_nothing_with_the_version_before(arctic: Arctic) -> None:
    lib = arctic.create_library("dedup", LibraryOptions(dedup=True, rows_per_segment=10_000))
    # Noise, so that slices do not fit into the head.
    noise = np.random.default_rng(0).standard_normal(50_000)
    values = noise[:40_000]
    lib.write("s", pd.DataFrame({"a": values}))
    first = data_objects(lib)
    lib.write("s", pd.DataFrame({"a": noise}))
    same = data_objects(lib)
    assert first < same
    assert len(same - first) == 1
    lib.write("s", pd.DataFrame({"a": np.append(1.0, values)}))
    assert len(data_objects(lib) - same) >= len(first)
    assert lib.read("s").data["a"].to_numpy().tolist() == [1.0, *values.tolist()]


def test_metadata_of_snapshots_keeps_its_types(lib: Library) -> None:
    lib.write("s", FRAME)
    kept = {
        "time": pd.Timestamp("2024-01-01", tz="Asia/Tokyo"),
        "tuple": (1, "x"),
        "numbers": {1: 2.5, 2: 2**70},
        "missing": pd.NaT,
        "nothing": None,
    }
    for name, value in kept.items():
        lib.snapshot(name, metadata=value)
    found = lib.list_snapshots()
    assert found == kept
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in kept.items()}
    assert sorted(lib.list_snapshots(load_metadata=False)) == sorted(kept)


# ----------------------------------------------------------------------------------------------------------- batches


def test_a_thousand_reads_come_in_order_with_their_failures(lib: Library) -> None:
    for number in range(20):
        lib.write(f"s{number}", FRAME * number)
    wanted = [
        ReadRequest(f"s{n % 20}", as_of=7) if n % 11 == 0 else f"missing{n}" if n % 7 == 0 else f"s{n % 20}"
        for n in range(1_000)
    ]
    for n, (asked, found) in enumerate(zip(wanted, lib.read_batch(wanted), strict=True)):
        symbol = asked if isinstance(asked, str) else asked.symbol
        assert found.symbol == symbol
        if n % 11 == 0 or n % 7 == 0:
            assert isinstance(found, DataError)
            assert found.version_request_data == (7 if n % 11 == 0 else None)
        else:
            assert found.data["a"].tolist() == [n % 20 * value for value in (1, 2, 3, 4)]
