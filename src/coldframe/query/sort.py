"""The order of rows by some columns, and which rows repeat others."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from coldframe.format.table import StringColumn
from coldframe.query.columns import Column


def ranks(column: Column) -> tuple[NDArray[Any], NDArray[Any]]:
    """Numbers that order rows as the values do, and where values are missing."""
    missing = column.missing()
    data = column.data
    if isinstance(data, StringColumn):
        strings = data.coded()
        position = np.empty(len(strings.values), dtype=np.int64)
        position[pc.sort_indices(strings.values).to_numpy()] = np.arange(len(strings.values))
        return np.append(position, [0, 0])[cast("NDArray[Any]", strings.codes)], missing
    if column.dtype.kind == "float":
        data = np.where(missing, 0, data + data.dtype.type(0))
    elif missing.any():
        data = np.where(missing, data.dtype.type(0), data)
    return data, missing


def order(columns: list[Column], ascending: tuple[bool, ...]) -> NDArray[Any]:
    """The positions of rows in order; missing values last, equal rows as they stand."""
    keys: list[NDArray[Any]] = []
    for column, up in zip(columns, ascending, strict=True):
        data, missing = ranks(column)
        if not up:
            data = _reversed(data)
        keys.append(data)
        if missing.any():
            keys.append(missing)
            keys[-2:] = [keys[-1], keys[-2]]
    if len(keys) == 1:
        return np.argsort(keys[0], kind="stable")
    return np.lexsort(keys[::-1])


def _reversed(data: NDArray[Any]) -> NDArray[Any]:
    """Numbers that order the other way round; `~` where `-` would overflow."""
    return -data if data.dtype.kind == "f" else ~data


def unrepeated(columns: list[Column], keep: str | bool, rows: int) -> NDArray[Any]:
    """The positions of the rows to keep, one (or with False none) of those that agree; missing values are equal.

    Without columns no rows agree, as in pandas.
    """
    if not columns or not rows:
        return np.arange(rows)
    keys: list[NDArray[Any]] = []
    for column in columns:
        data, missing = ranks(column)
        keys.append(data)
        if missing.any():
            keys.append(missing)
    by_value = np.lexsort(keys)
    first = np.zeros(rows, dtype=np.bool_)
    first[0] = True
    for key in keys:
        ordered = key[by_value]
        first[1:] |= ordered[1:] != ordered[:-1]
    if keep == "first":
        chosen = by_value[first]
    else:
        last = np.append(first[1:], True)
        chosen = by_value[last] if keep == "last" else by_value[first & last]
    return np.sort(chosen)
