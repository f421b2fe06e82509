"""Arithmetic kernels of instants and durations: in one unit, and exact. What 64 bits do not hold is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import UserInputException
from coldframe.format.dtypes import DType
from coldframe.query.columns import NAT, Column
from coldframe.query.comparing import rescaled
from coldframe.query.missing import derived
from coldframe.query.types import INTEGERS, PER_SECOND

_UFUNCS: dict[str, Any] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "DIV": np.true_divide,
    "FLOORDIV": np.floor_divide,
    "MOD": np.mod,
}
_MOST = 2**63 - 1


def in_unit(column: Column, unit: str, needed: NDArray[Any] | None = None) -> NDArray[Any]:
    """The values of a column of times in a finer unit; an error where one (that is needed) is out of its range."""
    factor = PER_SECOND[unit] // PER_SECOND[column.dtype.unit]
    data = column.data
    if factor == 1:
        return data  # type: ignore[no-any-return]
    scaled = rescaled(data, factor)
    lost = (scaled // factor != data) & (data != NAT)
    if needed is not None:
        lost = lost & needed
    if lost.any():
        value = np.broadcast_to(data, lost.shape)[lost][0]
        raise UserInputException(
            f"{value} {column.dtype.unit} ({column.dtype}) is out of the range of times in {unit}; "
            f"cast the other side to {column.dtype.unit}"
        )
    return scaled


def compute_times(op: str, dtype: DType, left: Column, right: Column) -> Column:
    """Instants and durations added, subtracted, divided; NaT stays NaT."""
    gone = (left.data == NAT) | (right.data == NAT)
    unit = dtype.unit or max((left.dtype.unit, right.dtype.unit), key=PER_SECOND.__getitem__)
    one, other = in_unit(left, unit), in_unit(right, unit)
    if op in ("FLOORDIV", "MOD"):
        gone = gone | (other == 0)
        other = np.where(other == 0, 1, other)
    with np.errstate(all="ignore"):
        values = _UFUNCS[op](one, other)
    if op in ("DIV", "FLOORDIV", "MOD"):
        return derived(dtype, values, left, right, gone=gone)
    # A sum has gone round where its sign is neither operand's; a difference is the sum that gives the left one.
    rounded = (one ^ values) & (other ^ values) if op == "ADD" else (one ^ other) & (one ^ values)
    _check(dtype, one, other, ((rounded < 0) | (values == NAT)) & ~gone)
    return derived(dtype, values, left, right, gone=gone)


def scale_duration(op: str, dtype: DType, span: Column, number: Column) -> Column:
    """Durations multiplied or divided by numbers; the result is cut to whole units."""
    gone = span.data == NAT
    if number.valid is not None:
        gone = gone | ~number.valid
    if op != "MUL" and number.dtype.kind in INTEGERS:
        values = _divide_exactly(op, span.data, number.data)
        return derived(dtype, values, span, number, gone=gone | (number.data == 0))
    with np.errstate(all="ignore"):
        if number.dtype.kind in INTEGERS:
            factor = number.data.astype("i8")
            values = span.data * factor
            beyond = (
                (values == NAT) | (values // np.where(factor == 0, 1, factor) != span.data) | (factor < number.data)
            )
            beyond &= (factor != 0) & (span.data != 0)
        else:
            exact = _UFUNCS[op](span.data, number.data)
            gone = gone | ~np.isfinite(exact)
            beyond = np.abs(exact) > float(_MOST)
            values = np.where(gone | beyond, 0, exact).astype("i8")
    _check(dtype, span.data, number.data, beyond & ~gone)
    return derived(dtype, values, span, number, gone=gone)


def _divide_exactly(op: str, span: NDArray[Any], number: NDArray[Any]) -> NDArray[Any]:
    """Counts divided by integers: down, or towards zero."""
    divisor = number.astype("i8")
    below, rest = np.divmod(span, np.where(divisor == 0, 1, divisor))
    # What is less than one unit by a number beyond 63 bits.
    huge = divisor < number if number.dtype == np.uint64 else np.zeros(1, dtype=np.bool_)
    below = np.where(huge, np.where(span < 0, -1, 0), below)
    up = (below < 0) & ((rest != 0) | huge)
    return below + up if op == "DIV" else below


def whole_of(dtype: DType, high: NDArray[Any], low: NDArray[Any]) -> NDArray[Any]:
    """Sums of durations from the sums of their upper and of their lower 32 bits."""
    high = high + (low >> 32)
    if ((high < -(2**31)) | (high >= 2**31)).any():
        raise UserInputException(f"a sum is out of the range of {dtype}; cast to a coarser unit, or filter first")
    return (high << 32) + (low & 0xFFFFFFFF)


def _check(dtype: DType, left: NDArray[Any], right: NDArray[Any], beyond: NDArray[Any]) -> None:
    if beyond.any():
        one, other = (np.broadcast_to(side, beyond.shape)[beyond][0] for side in (left, right))
        raise UserInputException(
            f"a result of {one} and {other} is out of the range of {dtype}; cast to a coarser unit, or filter first"
        )
