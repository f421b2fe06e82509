"""The time index of a table: its values, whether they are in order, and units of time."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import Unit
from coldframe.format.table import Table
from coldframe.frames.meta import NAT, is_timeseries

Sortedness = Literal["ASCENDING", "DESCENDING", "UNSORTED", "UNKNOWN"]

_NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_PIECE = 1 << 16


def index_values(table: Table) -> NDArray[np.int64]:
    """The stored numbers of the first level of the index: of instants, in their own unit, UTC."""
    # The first column is the first of its type.
    values = table.bands[int(table.schema.kind_of[0])].values[0]
    return np.asarray(values)


def sortedness(table: Table) -> Sortedness:
    """The order of the time index: UNKNOWN where there is none, ASCENDING where there are no rows.

    An instant that is missing (NaT) stands nowhere in the order of time: with one, the index is UNSORTED.
    """
    if not table.rows:
        return "ASCENDING"
    if not is_timeseries(table.schema):
        return "UNKNOWN"
    values = index_values(table)
    if values[0] != NAT and _ordered(values):
        return "ASCENDING"
    if NAT not in (values[0], values[-1]) and _ordered(values[::-1]):
        return "DESCENDING"
    return "UNSORTED"


def first_missing(table: Table) -> int | None:
    """The first row of a time index in which the instant is missing (NaT)."""
    missing = np.flatnonzero(index_values(table) == NAT)
    return int(missing[0]) if len(missing) else None


def _ordered(values: NDArray[np.int64]) -> bool:
    """Whether no value is smaller than the one before; looks no further than to the first that is."""
    before, after = values[:-1], values[1:]
    return all(
        bool((after[start : start + _PIECE] >= before[start : start + _PIECE]).all())
        for start in range(0, len(after), _PIECE)
    )


def to_unit(ns: int, unit: Unit, *, up: bool = False) -> int:
    """Nanoseconds in another unit, rounded down, or `up` to the next whole one.

    Examples
    --------
    >>> to_unit(1_999, "us"), to_unit(1_001, "us", up=True)
    (1, 2)
    """
    per = _NS_PER[unit]
    return -(-ns // per) if up else ns // per


def to_ns(value: int, unit: Unit) -> int:
    """A number of units in nanoseconds, beyond 64 bits if need be."""
    return value * _NS_PER[unit]


def units_between(coarse: Unit, fine: Unit) -> int:
    """How many of the finer unit make one of the coarser."""
    return _NS_PER[coarse] // _NS_PER[fine]
