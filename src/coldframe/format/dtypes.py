"""The types of columns, as stored: Arrow's types by another spelling, each with the numpy type of its values."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec
import numpy as np

from coldframe.cached import cached_property

Kind = Literal["int", "uint", "float", "bool", "timestamp", "duration", "string", "category", "binary"]
Unit = Literal["", "s", "ms", "us", "ns"]


class DType(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """The type of a column.

    Attributes
    ----------
    kind : str
        int, uint, float, bool, timestamp, duration, string, category or binary.
    bits : int
        Width of a value; of the codes for a category (signed, -1 for missing); 0 for strings and binary.
    unit : str
        Of timestamps and durations: s, ms, us or ns.
    zone : str or None
        Of timestamps: the name of the time zone; the stored instants are UTC.
    ordered : bool
        Of categories.
    """

    kind: Kind
    bits: int = 64
    unit: Unit = ""
    zone: str | None = None
    ordered: bool = False

    @cached_property
    def fixed(self) -> bool:
        """Whether the values of this type are fixed-width numbers in a numpy array."""
        return self.kind not in ("string", "binary")

    @cached_property
    def storage(self) -> np.dtype[np.generic]:
        """The little-endian numpy type of the stored numbers (timestamps and durations: int64)."""
        return _storage(self.kind, self.bits)

    @cached_property
    def temporal(self) -> bool:
        """Whether values are instants or durations, with int64's minimum for NaT."""
        return self.kind in ("timestamp", "duration")

    def __str__(self) -> str:
        if self.kind == "timestamp":
            return f"datetime64[{self.unit}{', ' + self.zone if self.zone else ''}]"
        if self.kind == "duration":
            return f"timedelta64[{self.unit}]"
        if self.kind == "category":
            return "category (ordered)" if self.ordered else "category"
        return f"{self.kind}{self.bits}" if self.kind in ("int", "uint", "float") else self.kind


@lru_cache
def _storage(kind: Kind, bits: int) -> np.dtype[np.generic]:
    letters = {"int": "i", "uint": "u", "float": "f", "timestamp": "i", "duration": "i", "category": "i"}
    if kind == "bool":
        return np.dtype(np.bool_)
    if kind not in letters:
        raise TypeError(f"{kind} columns have no fixed-width storage")
    return np.dtype(f"<{letters[kind]}{bits // 8}")
