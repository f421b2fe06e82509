"""What a library holds, as plain values that `==` compares bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig, create
from coldframe.library import Library
from coldframe.options import RuntimeOptions
from coldframe.stores.base import Limits, Store
from coldframe.stores.memory import MemoryStorage

SMALL = Limits(inline_piece=700, head=4_000, segment=100_000)
"""Limits under which a few hundred rows are segments of their own and a dozen versions seal a log."""


def library(store: Store, *, clock: Any = None, name: str = "library", **options: Any) -> Library:
    """A library on any store, with options as in `LibraryConfig`."""
    catalog = Catalog(store, name, LibraryConfig(**options))
    if clock is not None:
        catalog.clock = clock
    return Library(catalog, MemoryStorage(), RuntimeOptions())


def in_memory(limits: Limits = SMALL, **options: Any) -> Library:
    """A library of its own in memory, whose retired keys may be freed at once."""
    storage = MemoryStorage(grace=0.0)
    create(storage, "library", LibraryConfig(**options))
    store = storage.store("library")
    store.limits = limits
    return library(store, **options)


def _values(values: Any) -> Any:
    if isinstance(values.dtype, pd.CategoricalDtype):
        kind = values.dtype
        codes = np.asarray(values.codes if isinstance(values, pd.Categorical) else values.array.codes)
        return ("category", kind.ordered, _values(kind.categories), codes.tobytes())
    if isinstance(values.dtype, np.dtype) and values.dtype.kind != "O":
        return (str(values.dtype), np.ascontiguousarray(values).tobytes())
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return (
            str(values.dtype),
            tuple(values.asi8.tolist() if hasattr(values, "asi8") else values.array.asi8.tolist()),
        )
    # NaN is not equal to itself, None and NaN are not the same.
    return (str(values.dtype), tuple((type(v).__name__, repr(v)) for v in values.tolist()))


def _index(index: pd.Index, *, freq: bool) -> Any:
    names = tuple((type(name).__name__, name) for name in index.names)
    if isinstance(index, pd.RangeIndex):
        return ("range", names, index.start, index.stop, index.step)
    if isinstance(index, pd.MultiIndex):
        return ("multi", names, tuple(_values(index._get_level_values(i)) for i in range(index.nlevels)))
    return (type(index).__name__, names, _values(index), getattr(index, "freqstr", None) if freq else None)


def canonical(data: Any, *, freq: bool = False) -> Any:
    """A frame or series as nested tuples: types, names, index and the bits of every value; `freq`: its index's, too."""
    if isinstance(data, pd.DataFrame):
        columns = tuple(_values(data.iloc[:, i]) for i in range(data.shape[1]))
        return ("frame", _index(data.index, freq=freq), _index(data.columns, freq=False), columns)
    if isinstance(data, pd.Series):
        return ("series", _index(data.index, freq=freq), (type(data.name).__name__, data.name), _values(data))
    return ("object", repr(data))


def state_of(lib: Library, *, created: bool = True) -> dict[str, Any]:
    """Everything that users can see: symbols, versions, rows, metadata, snapshots."""
    rows = lib.list_versions()
    versions = {}
    for (symbol, number), row in rows.items():
        seen: Any = None
        if not row.deleted:
            item = lib.read(symbol, as_of=number)
            seen = (canonical(item.data), item.metadata)
        versions[symbol, number] = (row.date.value if created else None, row.deleted, tuple(row.snapshots), seen)
    snapshots = {}
    for name, metadata in lib.list_snapshots().items():
        held = {}
        for symbol, number in lib.list_versions(snapshot=name):
            item = lib.read(symbol, as_of=name)
            held[symbol] = (number, item.version, canonical(item.data), item.metadata)
        snapshots[name] = (metadata, held)
    return {"symbols": sorted(lib.list_symbols()), "versions": versions, "snapshots": snapshots}


def objects_of(store: Store, prefixes: Sequence[str] = ("",)) -> dict[str, bytes]:
    """Every stored object, byte for byte."""
    return {entry.key: bytes(store.get(entry.key).data) for prefix in prefixes for entry in store.list(prefix)}


def ticks(rows: int, start: str | pd.Timestamp = "2024-01-01", seed: int = 0, freq: str = "s") -> pd.DataFrame:
    """Rows that no codec shrinks much, indexed by time."""
    random = np.random.default_rng(seed)
    words = np.array(["buy", "sell", None, "hold"], dtype=object)
    index = pd.date_range(start, periods=rows, freq=freq, name="time")
    columns = {
        "price": random.random(rows),
        "size": random.integers(0, 1 << 40, rows),
        "side": pd.Series(words[random.integers(0, 4, rows)], index, dtype=object),
    }
    return pd.DataFrame(columns, index=index)
