"""What damage of an LMDB file looks like: cut off, overwritten, of another kind."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores.lmdb_libraries import library

from coldframe.exceptions import (
    CompatibilityException,
    DamagedDataException,
    StorageException,
)
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.lmdb_pages import damage_of
from coldframe.testing.conformance import noise


@pytest.mark.parametrize("size", [0, 1, 4096, 8191])
def test_a_file_cut_to_nothing_is_damage_and_no_new_library(tmp_path, size):
    library(tmp_path).close()
    os.truncate(tmp_path / "lib" / "data.mdb", size)
    for read_only in (True, False):
        with pytest.raises(DamagedDataException, match=r"data\.mdb has .* bytes"):
            LmdbStorage(str(tmp_path), read_only=read_only).store("lib").get("library")
    assert (tmp_path / "lib" / "data.mdb").stat().st_size == size


def test_a_file_that_is_cut_off_never_ends_the_process(tmp_path):
    store = library(tmp_path)
    store.put_many((f"k{number}", noise(100_000, number)) for number in range(20))
    store.close()
    path = tmp_path / "lib" / "data.mdb"
    whole = path.read_bytes()
    for part in range(1, 40):
        size = max(8192, len(whole) * part // 40)
        path.write_bytes(whole[:size])
        for read_only in (True, False):
            with pytest.raises(DamagedDataException, match="cut off: page"):
                LmdbStorage(str(tmp_path), read_only=read_only).store("lib").get("k1")


def test_a_file_may_lack_free_pages_at_its_end(tmp_path):
    store = library(tmp_path)
    environment, path = store.environment(), tmp_path / "lib" / "data.mdb"
    dice = random.Random(1)
    kept = {}
    for _ in range(400):
        with environment.begin(write=True) as txn:
            for _ in range(dice.randrange(1, 60)):
                key = f"k{dice.randrange(3000):04}"
                kept[key] = noise(dice.choice([10, 1500, 300_000]))
                txn.put(key.encode(), kept[key])
            first = f"k{dice.randrange(3000):04}"
            for key in [key for key in sorted(kept) if key >= first][:200]:
                txn.delete(key.encode())
                del kept[key]
        if path.stat().st_size < (environment.handle.info()["last_pgno"] + 1) * 4096:
            break
    else:
        pytest.skip("this LMDB writes free pages too")
    store.close()
    for read_only in (True, False):
        again = LmdbStorage(str(tmp_path), read_only=read_only).store("lib")
        assert {key: bytes(again.get(key).data) for key in kept} == kept
        assert again.damage() is None
        again.close()
    library(tmp_path).put("more", noise(2 << 20))
    assert bytes(library(tmp_path).get("more").data) == noise(2 << 20)


def test_a_file_that_is_no_lmdb_file(tmp_path):
    library(tmp_path).close()
    path = tmp_path / "lib" / "data.mdb"
    path.write_bytes(b"not what it should be" * 1000)
    with pytest.raises(StorageException, match="not an LMDB file") as caught:
        library(tmp_path).get("library")
    assert str(tmp_path / "lib") in str(caught.value)


def test_a_file_of_another_lmdb_version(tmp_path):
    library(tmp_path).close()
    path = tmp_path / "lib" / "data.mdb"
    data = bytearray(path.read_bytes())
    at = data.index(bytes.fromhex("dec0efbe"))
    for meta in (at, at + 4096):
        data[meta + 4 : meta + 8] = (99).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises((CompatibilityException, StorageException), match=r"version|LMDB"):
        library(tmp_path).get("library")


def test_pages_that_do_not_fit_together_are_found(tmp_path):
    store = library(tmp_path)
    store.put_many((f"key/{number:05}", noise(3000 if number % 7 == 0 else 100, number)) for number in range(500))
    store.put_many((f"big/{number}", noise(100_000, number)) for number in range(5))
    store.delete([f"key/{number:05}" for number in range(0, 500, 3)])
    assert store.damage() is None
    store.close()
    path = tmp_path / "lib" / "data.mdb"
    whole = path.read_bytes()
    found = 0
    for at in range(2, len(whole) // 4096):
        for garbage in (bytes(4096), noise(4096, at)):
            path.write_bytes(whole[: at * 4096] + garbage + whole[(at + 1) * 4096 :])
            found += damage_of(str(path), 4096) is not None
    assert found > 100  # the others are free, or inside of objects
    path.write_bytes(whole)
    assert damage_of(str(path), 4096) is None


@given(st.data())
def test_the_walk_ends_well_on_any_file(tmp_path, data):
    path = tmp_path / "walk" / "lib" / "data.mdb"
    if not path.exists():
        store = library(tmp_path / "walk")
        store.put_many((f"key/{number:05}", noise(700, number)) for number in range(60))
        store.close()
        (tmp_path / "whole").write_bytes(path.read_bytes())
    changed = bytearray((tmp_path / "whole").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(changed)))
    path.write_bytes(changed[:cut])
    assert isinstance(damage_of(str(path), 4096), str | None)
