"""Whether two results are the same, strictly: types, bits, None apart from NaN, names, order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def difference(theirs: Any, ours: Any, where: str = "result") -> str | None:
    """What differs first, in words; None where nothing does."""
    if isinstance(theirs, pd.DataFrame | pd.Series):
        return frame_difference(theirs, ours, where)
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if theirs.keys() != ours.keys():
            return f"{where}: keys {list(theirs)} and {list(ours)}"
        return first(difference(theirs[key], ours[key], f"{where}[{key!r}]") for key in theirs)
    if isinstance(theirs, list | tuple) and type(theirs) is type(ours):
        if len(theirs) != len(ours):
            return f"{where}: {len(theirs)} items and {len(ours)}: {theirs!r} and {ours!r}"
        return first(
            difference(one, other, f"{where}[{at}]") for at, (one, other) in enumerate(zip(theirs, ours, strict=True))
        )
    return None if same(theirs, ours) else f"{where}: {theirs!r} and {ours!r}"


def first(found: Any) -> str | None:
    """The first that is something."""
    return next((text for text in found if text), None)


def same(one: Any, other: Any) -> bool:
    """Two scalars: the same type and value, a missing value only like itself."""
    if type(one) is not type(other):
        return False
    if one is None or one is pd.NaT:
        return one is other
    if isinstance(one, np.datetime64):
        return bool(one == other) or bool(np.isnat(one) and np.isnat(other))
    if isinstance(one, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN
    if isinstance(one, pd.Timestamp):
        return bool(one == other) and str(one.tz) == str(other.tz)
    return bool(one == other)


def frame_difference(theirs: Any, ours: Any, where: str) -> str | None:
    """What differs first between two frames or series."""
    if type(theirs) is not type(ours):
        return f"{where}: {type(theirs).__name__} and {type(ours).__name__}"
    found = index_difference(theirs.index, ours.index, f"{where}.index")
    if found:
        return found
    if isinstance(theirs, pd.Series):
        if not same(theirs.name, ours.name):
            return f"{where}: names {theirs.name!r} and {ours.name!r}"
        return values_difference(theirs, ours, where)
    if not (len(theirs.columns) == len(ours.columns) and all(map(same, theirs.columns, ours.columns))):
        return f"{where}: columns {list(theirs.columns)} and {list(ours.columns)}"
    if not same(theirs.columns.name, ours.columns.name):
        return f"{where}: columns are called {theirs.columns.name!r} and {ours.columns.name!r}"
    return first(
        values_difference(theirs.iloc[:, at], ours.iloc[:, at], f"{where}[{name!r}]")
        for at, name in enumerate(theirs.columns)
    )


def index_difference(theirs: pd.Index, ours: pd.Index, where: str) -> str | None:
    """What differs first between two indexes; the frequency is not looked at here."""
    if type(theirs) is not type(ours):
        return f"{where}: {type(theirs).__name__} and {type(ours).__name__}"
    if not all(map(same, theirs.names, ours.names)):
        return f"{where}: names {list(theirs.names)} and {list(ours.names)}"
    if isinstance(theirs, pd.MultiIndex):
        return first(
            values_difference(theirs.get_level_values(at), ours.get_level_values(at), f"{where} level {at}")
            for at in range(theirs.nlevels)
        )
    if isinstance(theirs, pd.RangeIndex):
        one, other = (theirs.start, theirs.stop, theirs.step), (ours.start, ours.stop, ours.step)
        return None if one == other else f"{where}: ranges {one} and {other}"
    return values_difference(theirs, ours, where)


def values_difference(theirs: Any, ours: Any, where: str) -> str | None:
    """What differs between two columns."""
    if theirs.dtype != ours.dtype:
        return f"{where}: types {theirs.dtype} and {ours.dtype}"
    if isinstance(theirs.dtype, pd.CategoricalDtype):
        one, other = pd.Categorical(theirs), pd.Categorical(ours)
        if list(one.categories) != list(other.categories) or one.ordered != other.ordered:
            return f"{where}: categories {one.dtype} and {other.dtype}"
        alike = np.array_equal(one.codes, other.codes)
    elif theirs.dtype == object:
        alike = len(theirs) == len(ours) and all(map(same, theirs, ours))
    else:
        alike = bits(theirs) == bits(ours)
    return None if alike else f"{where}: values {list(theirs)[:20]} and {list(ours)[:20]}"


def bits(column: Any) -> bytes:
    """The bytes of a column of fixed width."""
    values = column.to_numpy()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = pd.DatetimeIndex(column).tz_convert(None).to_numpy()
    return np.ascontiguousarray(values).tobytes()
