"""Constants in expressions: what a Python value is worth as a typed literal, and sets of them for `isin`."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coldframe.exceptions import ArcticException, InternalException, UserInputException
from coldframe.format.dtypes import DType

STRING = DType("string", 0)
BOOL = DType("bool", 8)
FLOAT64 = DType("float", 64)
INT64 = DType("int", 64)
NANOSECONDS = DType("timestamp", 64, "ns")
SPAN = DType("duration", 64, "ns")
NAT = -(2**63)

_TAGS = {"int": "INT", "uint": "UINT", "float": "FLOAT"}


def tag(dtype: DType) -> str:
    """How a type is written in the printed form of a query."""
    if dtype.kind in _TAGS:
        return f"{_TAGS[dtype.kind]}{dtype.bits}"
    return {
        "bool": "BOOL8",
        "string": "UTF_DYNAMIC64",
        "binary": "BYTES",
        "timestamp": f"{_UNIT_NAMES.get(dtype.unit, '')}_UTC64",
        "duration": "TIMEDELTA64",
        "category": "CATEGORY",
    }[dtype.kind]


_UNIT_NAMES = {"s": "SECONDS", "ms": "MILLISECONDS", "us": "MICROSECONDS", "ns": "NANOSECONDS"}


class Literal:
    """A constant: its type and its value (instants and durations as nanoseconds).

    A *weak* one takes the precision of the column that it meets: Python's floats with float32 columns.
    """

    __slots__ = ("dtype", "value", "weak")

    def __init__(self, dtype: DType, value: Any, *, weak: bool = False) -> None:
        self.dtype = dtype
        self.value = value
        self.weak = weak

    def __str__(self) -> str:
        kind = self.dtype.kind
        if kind == "bool":
            text = "true" if self.value else "false"
        elif kind == "string":
            text = f'"{self.value}"'
        elif kind == "timestamp":
            text = str(np.datetime64(self.value, "ns")).replace("T", " ")
        else:
            text = f"{self.value:g}" if kind == "float" and self.dtype.bits < 64 else str(self.value)
        return f"Val({tag(self.dtype)}:{text})"


class ValueSet:
    """The values of an `isin`: numbers as an array, strings as a list; without duplicates."""

    __slots__ = ("dtype", "values")

    def __init__(self, dtype: DType, values: NDArray[Any] | list[str]) -> None:
        self.dtype = dtype
        self.values = values

    def __str__(self) -> str:
        return f"ValueSet({tag(self.dtype)},n={len(self.values)})"


def smallest_int(value: int) -> DType:
    """The smallest type that holds an integer: unsigned from zero on, signed below."""
    if value >= 0:
        for bits in (8, 16, 32, 64):
            if value < 1 << bits:
                return DType("uint", bits)
    else:
        for bits in (8, 16, 32, 64):
            if value >= -(1 << (bits - 1)):
                return DType("int", bits)
    raise UserInputException(f"{value} does not fit into 64 bits; use a float, e.g. float({value})")


def _smallest_signed(value: int) -> DType:
    return next(DType("int", bits) for bits in (8, 16, 32, 64) if -(1 << (bits - 1)) <= value < 1 << (bits - 1))


def literal(value: Any) -> Literal:
    """The typed literal for a Python, numpy or pandas scalar.

    Examples
    --------
    >>> str(literal(3)), str(literal(-1)), str(literal(0.5))
    ('Val(UINT8:3)', 'Val(INT8:-1)', 'Val(FLOAT64:0.5)')
    """
    if isinstance(value, bool | np.bool_):
        return Literal(BOOL, bool(value))
    if isinstance(value, int):
        return Literal(smallest_int(value), int(value))
    if isinstance(value, np.integer):
        number = int(value)
        return Literal(_smallest_signed(number) if value.dtype.kind == "i" else smallest_int(number), number)
    if isinstance(value, float | np.floating):
        return _float(value)
    if isinstance(value, str):
        return Literal(STRING, str(value))
    if value is None or value is pd.NaT or value is pd.NA:
        raise InternalException(f"{value} cannot be compared or computed with; use isna() or notna()")
    if isinstance(value, dt.datetime | dt.date):
        return Literal(NANOSECONDS, _nanoseconds(value))
    if isinstance(value, dt.timedelta):
        return Literal(SPAN, _span(value))
    if isinstance(value, np.datetime64 | np.timedelta64):
        remedy = "pd.Timestamp" if isinstance(value, np.datetime64) else "pd.Timedelta"
        raise TypeError(f"{type(value).__name__} is not taken in queries; use {remedy}({str(value)!r})")
    raise TypeError(
        f"{type(value).__name__} is not taken in queries; use a number, str, bool, Timestamp, date or Timedelta"
    )


def _float(value: Any) -> Literal:
    if math.isinf(value):
        raise ArcticException(
            "Infinite values are not supported in queries; compare with a large finite number instead"
        )
    small = isinstance(value, np.float32 | np.float16)
    return Literal(DType("float", 32) if small else FLOAT64, float(value), weak=type(value) is float)


def _nanoseconds(value: dt.date) -> int:
    stamp = pd.Timestamp(value)
    try:
        return int(stamp.as_unit("ns").value)
    except (OverflowError, ValueError, pd.errors.OutOfBoundsDatetime):
        raise UserInputException(f"{value} is outside the range of nanosecond timestamps (1677 to 2262)") from None


def _span(value: dt.timedelta) -> int:
    try:
        return int(pd.Timedelta(value).as_unit("ns").value)
    except (OverflowError, ValueError, pd.errors.OutOfBoundsTimedelta):
        raise UserInputException(f"{value} is longer than nanosecond durations can be (292 years)") from None


def value_set(arguments: tuple[Any, ...]) -> ValueSet:
    """The set for `isin(*arguments)`: either the values themselves or one iterable of them."""
    values: Iterable[Any] = arguments
    if len(arguments) == 1 and isinstance(
        arguments[0], list | tuple | set | frozenset | np.ndarray | pd.Series | pd.Index
    ):
        values = arguments[0]
    if isinstance(values, np.ndarray | pd.Series | pd.Index):
        array = np.asarray(values)
        if array.ndim != 1:
            raise UserInputException(f"isin takes a flat list of values, not an array of {array.ndim} dimensions")
        if array.dtype.kind in "iuf":
            return _number_set(np.unique(array))
        if array.dtype.kind == "M":
            return ValueSet(NANOSECONDS, np.unique(array.astype("datetime64[ns]").view("i8")))
        values = array.tolist()
    distinct = list(dict.fromkeys(values))
    if not distinct:
        return ValueSet(STRING, [])
    if any(isinstance(value, bool | np.bool_) or value is None for value in distinct):
        raise InternalException("isin does not take booleans or None; use the column itself, ~ or isna()")
    if any(isinstance(value, str) for value in distinct):
        return ValueSet(STRING, list(dict.fromkeys(str(value) for value in distinct)))
    return _typed_set([literal(value) for value in distinct if value is not pd.NaT])


def _typed_set(literals: list[Literal]) -> ValueSet:
    kinds = {one.dtype.kind for one in literals}
    numbers = [one.value for one in literals]
    if "timestamp" in kinds or "duration" in kinds:
        if len(kinds) > 1:
            raise UserInputException(f"isin mixes values of different kinds: {', '.join(sorted(kinds))}")
        return ValueSet(literals[0].dtype, np.array(numbers, dtype="i8"))
    if "float" in kinds:
        return _number_set(np.unique(np.array(numbers, dtype="f8")))
    if min(numbers, default=0) < 0 and max(numbers) > 2**63 - 1:
        raise UserInputException("isin mixes negative integers with ones beyond int64; no 64-bit type holds both")
    return _number_set(np.unique(np.array(numbers, dtype="u8" if max(numbers, default=0) > 2**63 - 1 else "i8")))


def _number_set(values: NDArray[Any]) -> ValueSet:
    if values.dtype.kind == "f":
        values = values[~np.isnan(values)].astype("f8")
        return ValueSet(FLOAT64, values)
    return ValueSet(DType("int" if values.dtype.kind == "i" else "uint", 8 * values.dtype.itemsize), values)
