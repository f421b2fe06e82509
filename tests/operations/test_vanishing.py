"""Objects that are freed while they are being read: the reader looks at the newest head again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe.catalog.catalog import Catalog
from coldframe.exceptions import DamagedDataException, NoSuchVersionException
from coldframe.operations.append import append
from coldframe.operations.query import QueryItem, read_joined
from coldframe.operations.read import read
from coldframe.operations.reclaim import reclaim
from coldframe.operations.results import ReadItem
from coldframe.operations.write import write
from coldframe.stores.memory import MemoryStore


class Interrupted(MemoryStore):
    """Calls `meanwhile` once, before the first fetch."""

    meanwhile = None

    def fetch(self, wanted):
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        return super().fetch(wanted)


def frame(seed: int, rows: int = 20_000) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(rows, 2))
    return pd.DataFrame(values, columns=["a", "b"], index=pd.date_range("2024", periods=rows, freq="s", name="t"))


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(Interrupted(grace=0.0), "library")


def replace_and_free(catalog: Catalog):
    def act() -> None:
        write(catalog, "s", frame(1), prune=True)
        reclaim(catalog, 0)

    return act


def test_a_read_of_the_newest_goes_on_with_the_version_that_took_its_place(catalog):
    write(catalog, "s", frame(0))
    catalog.store.meanwhile = replace_and_free(catalog)
    loaded = read(catalog, "s")
    assert loaded.version == 1
    pd.testing.assert_frame_equal(loaded.data, frame(1))


def test_a_read_of_a_version_that_is_deleted_meanwhile_says_so(catalog):
    write(catalog, "s", frame(0))
    catalog.store.meanwhile = replace_and_free(catalog)
    with pytest.raises(NoSuchVersionException, match="has no version 0"):
        read(catalog, "s", 0)


def test_an_append_whose_base_goes_meanwhile_follows_the_new_one(catalog):
    write(catalog, "s", frame(0, 300))
    later = frame(2).set_axis(pd.date_range("2025", periods=20_000, freq="s", name="t"))
    catalog.store.meanwhile = replace_and_free(catalog)
    append(catalog, "s", later.iloc[:5])
    expected = pd.concat([frame(1), later.iloc[:5]]) if catalog.store.meanwhile is None else None
    if expected is None:
        expected = pd.concat([frame(0, 300), later.iloc[:5]])
    pd.testing.assert_frame_equal(read(catalog, "s").data, expected, check_freq=False)


def test_an_object_that_is_gone_though_named_is_damage(catalog):
    write(catalog, "s", frame(0))
    keys = [entry.key for entry in catalog.store.list("data/")]
    assert keys
    catalog.store.delete(keys)
    with pytest.raises(DamagedDataException, match=r"'library'.*'s'.*version 0") as caught:
        read(catalog, "s")
    assert keys[0] in str(caught.value)


def joined(catalog: Catalog) -> tuple[list[int], pd.DataFrame]:
    items = [QueryItem(ReadItem(symbol), ()) for symbol in ("s", "t")]
    versions, data = read_joined(catalog, items, "outer", ())
    return [version.version for version in versions], data


def test_a_join_goes_on_with_the_version_that_took_the_place_of_one(catalog):
    write(catalog, "s", frame(0))
    write(catalog, "t", frame(5))
    catalog.store.meanwhile = replace_and_free(catalog)
    versions, data = joined(catalog)
    assert versions == [1, 0]
    pd.testing.assert_frame_equal(data, pd.concat([frame(1), frame(5)]), check_freq=False)


def test_damage_in_a_join_says_whose_it_is(catalog):
    write(catalog, "s", frame(0))
    write(catalog, "t", frame(5))
    (key,) = [entry.key for entry in catalog.store.list("data/t/")]
    whole = bytes(catalog.store.get(key).data)
    catalog.store.put(key, whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(DamagedDataException, match=r"'library'.*'t'.*version 0") as caught:
        joined(catalog)
    assert key in str(caught.value)
    catalog.store.delete([key])
    with pytest.raises(DamagedDataException, match="is missing") as caught:
        joined(catalog)
    assert key in str(caught.value)
