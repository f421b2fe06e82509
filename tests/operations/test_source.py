"""A stored version as the source of a query: whether its columns are work for several threads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.operations.states import library

from coldframe.catalog.versions import resolve
from coldframe.operations.source import StoredSource
from coldframe.stores.memory import MemoryStore


@pytest.mark.parametrize(
    ("columns", "packed"),
    [("", False), ("noise", False), ("price", True), ("word", True), ("noise price", False), ("price word a", True)],
)
def test_what_takes_unpacking_needs_no_gil(columns, packed):
    rng = np.random.default_rng(0)
    rows = 80_000
    noise, price = rng.normal(size=(2, rows)), rng.integers(1, 9_000, rows) / 100
    frame = pd.DataFrame(
        {"noise": noise[0], "a": noise[1], "price": price, "word": rng.choice(["a", "b"], rows)},
        index=pd.date_range("2024", periods=rows, freq="s", name="time"),
    )
    store = MemoryStore()
    lib = library(store, rows_per_segment=40_000)
    lib.write("s", frame)
    version = resolve(store, lib._catalog, "s", None)
    source = StoredSource(store, version, 0, rows)
    names = source.schema.names
    assert source.without_gil([names.index(name) for name in columns.split()]) is packed
    assert source.without_gil([0]) is False, "regular times are not packed"
    store.distant = True
    distant = StoredSource(store, version, 0, rows)
    assert distant.without_gil([0]) is True, "the answers of a distant store are waited for"
