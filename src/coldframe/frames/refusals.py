"""What frames refuse to store, in words: every message names the symbol, the column, the cause and the remedy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticException,
    ErrorCode,
    InternalException,
    UserInputException,
)
from coldframe.format.schema import Name


class Place(NamedTuple):
    """Where a value stands, for messages.

    Attributes
    ----------
    symbol : str
    what : str
        column, index level, series ...
    name : str or int or float or bool or None
        Of the column.
    """

    symbol: str
    what: str
    name: Name

    def __str__(self) -> str:
        return f"{self.what} {self.name!r} of symbol {self.symbol!r}"


def bad_value(place: Place, row: int, value: object, *, after: type | None) -> ArcticException:
    """A value in an object column that is no string; `after` is the type of the first value of the column."""
    kind = _type_name(value)
    found = f"row {row} holds {'an' if kind[0] in 'aeiou' else 'a'} {kind} ({short(value)})"
    if after is str:
        return UserInputException(
            f"String encoding failed in {place}, row {row}: strings stand beside other values, {found}. "
            f"Make the column all strings (None or NaN where missing), or use write_pickle."
        )
    return ArcticDbNotYetImplemented(
        f"{place} has dtype object and {found}; of Python objects only strings, None and NaN are stored. "
        f"{_remedy(value)}"
    )


def bad_subclass(place: Place, row: int, value: str) -> ArcticException:
    """A value that is a kind of str: it would come back as a plain one."""
    return ArcticDbNotYetImplemented(
        f"{place} holds a {_type_name(value)} in row {row}, which would come back as a plain str. "
        f"Convert the column with .map(str)."
    )


def bad_surrogate(place: Place, row: int, value: str) -> ArcticException:
    """A string that is no valid Unicode."""
    return UserInputException(
        f"String encoding failed in {place}, row {row}: {short(value)} holds a lone surrogate, which is no valid "
        f"Unicode. Clean it, e.g. with .encode('utf-8', 'replace').decode(), or store bytes with write_pickle."
    )


def mixed_instants(place: Place, reason: str) -> ArcticException:
    """Timestamps in an object column that do not make one type."""
    return ArcticException(
        f"{place} has dtype object and holds timestamps, but {reason}. Convert it with pd.to_datetime.",
        code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
    )


def bad_dtype(place: Place, dtype: Any) -> ArcticException:
    """A type of column that is not stored."""
    name = type(dtype).__name__
    if name == "ArrowDtype":
        return ArcticDbNotYetImplemented(
            f"{place} has the Arrow-backed dtype {dtype}, which is not stored yet. "
            f"Convert it with .astype to a numpy dtype."
        )
    if name == "StringDtype":
        return ArcticDbNotYetImplemented(
            f"{place} has the string dtype {dtype!r}, whose missing value is pd.NA, which is not stored yet. "
            f"Convert it with .astype(object) and .fillna, or use 'str'."
        )
    if name in ("PeriodDtype", "IntervalDtype") and place.what in ("column", "Series"):
        return ArcticDbNotYetImplemented(
            f"{place} has dtype {dtype} ({name}), which is not stored yet. Convert it to timestamps or numbers, or use "
            f"write_pickle."
        )
    if isinstance(dtype, np.dtype):
        return InternalException(
            f"{place} has dtype {dtype}, which is not stored. Convert it to a float, an integer or a string dtype.",
            code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
        )
    return ArcticException(
        f"{place} has dtype {dtype} ({name}), which is not stored: Cannot interpret it as a data type. "
        f"Convert it with .astype to a numpy dtype, or use write_pickle.",
        code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
    )


def bad_name(symbol: str, what: str, name: object, allowed: str) -> ArcticException:
    """A name of a column, an index or a Series that cannot be stored."""
    error = ArcticDbNotYetImplemented if what == "Series name" and isinstance(name, tuple) else ArcticException
    return error(
        f"The {what} {short(name)} of symbol {symbol!r} is of type {_type_name(name)}; allowed is {allowed}. "
        f"Rename it before writing.",
        code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
    )


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def short(value: object) -> str:
    """A value as it stands in a message: on one line, and not too long."""
    try:
        text = " ".join(ascii(value).split("\n"))
    except Exception:  # noqa: BLE001 -- a user's own __repr__ may do anything
        return "not printable"
    return text if len(text) <= 60 else text[:57] + "..."


_REMEDIES = {
    "int": "Convert the column with .astype('int64') (or 'float64' if values are missing).",
    "float": "Convert the column with .astype('float64').",
    "bool": "Convert the column with .astype('bool').",
    "date": "Convert the column with pd.to_datetime.",
    "datetime": "Convert the column with pd.to_datetime.",
    "timedelta": "Convert the column with pd.to_timedelta.",
    "Timedelta": "Convert the column with pd.to_timedelta.",
    "Decimal": "Convert the column with .astype('float64') or .astype(str).",
    "bytes": "Decode it to strings, or use write_pickle.",
    "NAType": "Replace pd.NA by None or NaN, e.g. with .fillna(np.nan).",
}


def _remedy(value: object) -> str:
    return _REMEDIES.get(type(value).__name__, "Convert the column to a stored dtype, or use write_pickle.")
