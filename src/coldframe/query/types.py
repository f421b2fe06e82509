"""The types of results: promotion of numbers, names of types, fixed frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from coldframe.exceptions import SchemaException, UserInputException
from coldframe.format.dtypes import DType
from coldframe.query.literals import BOOL, FLOAT64, INT64, STRING

FLOAT32 = DType("float", 32)
UINT64 = DType("uint", 64)
INT32 = DType("int", 32)
NUMBERS = ("int", "uint", "float")
INTEGERS = ("int", "uint")
_UNITS = ("s", "ms", "us", "ns")
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def wider(bits: int) -> int:
    """One size larger, up to 64 bits."""
    return min(2 * bits, 64)


def arithmetic_type(op: str, left: DType, right: DType) -> DType:
    """The type of `left op right` for numbers.

    Examples
    --------
    >>> str(arithmetic_type("ADD", DType("int", 8), DType("uint", 8)))
    'int16'
    """
    if op == "DIV":
        return FLOAT64
    if op == "POW":
        return _power_type(left, right)
    if "float" in (left.kind, right.kind):
        small = all(one.kind == "float" and one.bits < 64 for one in (left, right))
        return FLOAT32 if small else FLOAT64
    bits = max(left.bits, right.bits)
    if op in ("FLOORDIV", "MOD"):
        return _division_type(op, left, right)
    if op == "SUB" or left.kind != right.kind:
        return DType("int", wider(bits))
    return DType(left.kind, wider(bits))


def _division_type(op: str, left: DType, right: DType) -> DType:
    if left.kind == right.kind == "int" and op == "FLOORDIV":
        return DType("int", wider(max(left.bits, right.bits)))  # the least one by -1
    # Where no type holds both: a rest has the sign of the divisor, a quotient may have either.
    return common_number(left, right, wide=UINT64 if op == "MOD" and right.kind == "uint" else INT64)


def _power_type(base: DType, exponent: DType) -> DType:
    if exponent.kind == "float":
        raise UserInputException(
            f"** takes integers as exponents, not {exponent}; cast the exponent, or multiply instead"
        )
    if base.kind == "float" or exponent.kind == "int":
        return FLOAT64
    return UINT64 if base.kind == "uint" else INT64


def common_number(left: DType, right: DType, *, wide: DType = FLOAT64) -> DType:
    """The smallest type that holds both; `wide` for uint64 with a signed one.

    Examples
    --------
    >>> str(common_number(DType("int", 8), DType("uint", 8))), str(common_number(DType("int", 64), DType("uint", 64)))
    ('int16', 'float64')
    """
    if left.kind == right.kind:
        return left if left.bits >= right.bits else right
    if "float" in (left.kind, right.kind):
        number, other = (left, right) if left.kind == "float" else (right, left)
        return FLOAT64 if number.bits == 64 or other.bits > 16 else FLOAT32
    signed, unsigned = (left, right) if left.kind == "int" else (right, left)
    if unsigned.bits >= 64:
        return wide
    return DType("int", max(signed.bits, 2 * unsigned.bits))


def common_type(left: DType, right: DType) -> DType | None:
    """The type in which rows of two tables are stacked; None where there is none."""
    if left == right:
        return left
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return common_number(left, right)
    if left.kind == right.kind == "category":
        return DType("category", max(left.bits, right.bits), ordered=left.ordered and right.ordered)
    if left.kind == right.kind and left.temporal:
        zone = left.zone if left.zone == right.zone else None
        return DType(left.kind, 64, finer(left.unit, right.unit), zone)
    return None


def finer(left: str, right: str) -> Any:
    """The finer of two units."""
    return max(left, right, key=_UNITS.index)


def unit_holding(nanoseconds: int, unit: str) -> Any:
    """The unit, or the coarsest finer one of which a time is a whole number.

    Examples
    --------
    >>> unit_holding(1_500_000_000, "s"), unit_holding(2_000_000_000, "s"), unit_holding(10**9, "us")
    ('ms', 's', 'us')
    """
    return next(one for one in _UNITS[_UNITS.index(unit) :] if nanoseconds % (10**9 // PER_SECOND[one]) == 0)


def parse_dtype(dtype: Any) -> DType:
    """A type from its name, a numpy or pandas dtype, or a Python type.

    Examples
    --------
    >>> str(parse_dtype("float32")), str(parse_dtype(str)), str(parse_dtype("datetime64[us, UTC]"))
    ('float32', 'string', 'datetime64[us, UTC]')
    """
    if isinstance(dtype, DType):
        return dtype
    if dtype is str or dtype in ("str", "string", "object"):
        return STRING
    try:
        resolved = pd.api.types.pandas_dtype(dtype)
    except (TypeError, ValueError):
        raise _not_a_type(dtype) from None
    if isinstance(resolved, pd.DatetimeTZDtype):
        return DType("timestamp", 64, resolved.unit, str(resolved.tz))
    if isinstance(resolved, pd.StringDtype):
        return STRING
    if isinstance(resolved, np.dtype):
        return _numpy_dtype(resolved, dtype)
    raise _not_a_type(dtype)


def _numpy_dtype(resolved: np.dtype[Any], asked: Any) -> DType:
    if resolved.kind == "b":
        return BOOL
    if resolved.kind in "iu" or (resolved.kind == "f" and resolved.itemsize <= 8):
        return DType({"i": "int", "u": "uint", "f": "float"}[resolved.kind], 8 * resolved.itemsize)  # type: ignore[arg-type]
    if resolved.kind in "mM":
        unit, count = np.datetime_data(resolved)
        if unit == "generic":
            unit, count = "ns", 1
        if unit in _UNITS and count == 1:
            return DType("timestamp" if resolved.kind == "M" else "duration", 64, unit)  # type: ignore[arg-type]
    if resolved.kind in "OU":
        return STRING
    raise _not_a_type(asked)


def _not_a_type(dtype: Any) -> UserInputException:
    return UserInputException(
        f"cannot cast to {dtype!r}; types are int8-int64, uint8-uint64, float32, float64, bool, string, "
        "datetime64[unit], datetime64[unit, zone] and timedelta64[unit]"
    )


def fixed_frequency(freq: Any) -> int:
    """A fixed frequency in nanoseconds: ``15min``, ``1h30min``, ``D``; not months, weeks or business days.

    Examples
    --------
    >>> fixed_frequency("1h30min")
    5400000000000
    """
    try:
        offset = freq if isinstance(freq, pd.DateOffset) else pd.tseries.frequencies.to_offset(freq)
        days = getattr(offset, "n", 0) if getattr(offset, "rule_code", None) == "D" else 0
        nanoseconds = 86_400 * 10**9 * days or int(offset.nanos)
    except (ValueError, TypeError, AttributeError):
        raise UserInputException(f"{freq!r} is not a fixed frequency; use one such as '15min', '1h' or 'D'") from None
    if nanoseconds <= 0:
        raise UserInputException(f"the frequency {freq!r} is not positive")
    return nanoseconds


def unsupported(what: str, dtype: DType, column: str = "") -> SchemaException:
    """The error for a column whose type an operation does not take."""
    from coldframe.exceptions import ErrorCode

    of = f" of column {column!r}" if column else ""
    return SchemaException(
        f"{what} is not supported for values{of} of type {dtype}", code=ErrorCode.E_UNSUPPORTED_COLUMN_TYPE
    )
