"""Comparison kernels: a mask of rows from columns and constants. Missing values compare false, but `!=` holds.

A value whose row does not have the column (dynamic schema), or that is null by its mask, compares false always.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.query.columns import NAT, Column
from coldframe.query.literals import NANOSECONDS, Literal, ValueSet
from coldframe.query.missing import lacking, missing_by_mask
from coldframe.query.types import INTEGERS, PER_SECOND, finer

Mask = NDArray[Any]
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": operator.eq,
    "NE": operator.ne,
    "LT": operator.lt,
    "LE": operator.le,
    "GT": operator.gt,
    "GE": operator.ge,
}
MIRRORED = {"EQ": "EQ", "NE": "NE", "LT": "GT", "LE": "GE", "GT": "LT", "GE": "LE"}
_LIMITS = {
    (kind, bits): (int(np.iinfo(f"{kind}{bits}").min), int(np.iinfo(f"{kind}{bits}").max))
    for kind in INTEGERS
    for bits in (8, 16, 32, 64)
}


class Threshold:
    """A comparison with a constant in the terms of a column's stored values: an operator and a value, or always.

    Block statistics are pruned by the same object that compares rows, so the two cannot disagree.
    """

    __slots__ = ("always", "op", "value")

    def __init__(self, op: str, value: Any, *, always: bool | None = None) -> None:
        self.op = op
        self.value = value
        self.always = always

    def holds(self, data: NDArray[Any]) -> Mask:
        """Where the comparison holds, not yet looking at missing values."""
        if self.always is not None:
            return np.full(len(data), self.always, dtype=np.bool_)
        return cast("Mask", OPERATORS[self.op](data, self.value))


def threshold(op: str, dtype: DType, constant: Literal) -> Threshold:
    """A comparison of a column of numbers, instants, durations, booleans or category codes with a constant."""
    value = constant.value
    if dtype.temporal:
        if isinstance(value, float):
            return Threshold(op, np.array([value / (10**9 // PER_SECOND[dtype.unit])]))
        return _temporal(op, int(value), 10**9 // PER_SECOND[dtype.unit])
    if dtype.kind == "bool":
        return Threshold(op, np.array([bool(value)]))
    if dtype.kind == "float":
        return Threshold(op, _float_value(dtype, constant))
    if isinstance(value, float):
        return Threshold(op, np.array([value]))
    return _integer(op, value, _LIMITS["int" if dtype.kind == "category" else dtype.kind, dtype.bits], dtype)


def _float_value(dtype: DType, constant: Literal) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        small = np.array([constant.value], dtype=dtype.storage)
    # What overflows the column's own precision is compared as a double.
    weak = constant.weak or constant.dtype.kind != "float" or constant.dtype.bits <= dtype.bits
    return small if weak and np.isfinite(small[0]) else np.array([constant.value], dtype="f8")


def _integer(op: str, value: int, limits: tuple[int, int], dtype: DType) -> Threshold:
    if limits[0] <= value <= limits[1]:
        return Threshold(op, np.array([value], dtype=dtype.storage))
    above = value > limits[1]
    return Threshold(op, None, always=op == "NE" or op in (("LT", "LE") if above else ("GT", "GE")))


def _temporal(op: str, nanoseconds: int, per_unit: int) -> Threshold:
    value, rest = divmod(nanoseconds, per_unit)
    if rest:
        # Between two values of a coarser unit: nothing equals it, and it is compared with the lower one.
        if op in ("EQ", "NE"):
            return Threshold(op, None, always=op == "NE")
        op = "LE" if op in ("LT", "LE") else "GT"
    return _integer(op, value, _LIMITS["int", 64], NANOSECONDS)


def compare_constant(op: str, column: Column, limit: Threshold) -> Mask:
    """A column compared with a constant."""
    mask = limit.holds(column.data)
    return _without_missing(op, mask, column)


def _without_missing(op: str, mask: Mask, *columns: Column) -> Mask:
    for column in columns:
        if column.dtype.temporal or column.dtype.kind == "category":
            gone = column.data == NAT if column.dtype.temporal else column.data < 0
            if gone.any():
                mask = mask | gone if op == "NE" else mask & ~gone
    for column in columns:
        gone = missing_by_mask(column)
        if gone is not None:
            mask = mask | gone if op == "NE" else mask & ~gone
    for column in columns:
        lacks = lacking(column)
        if lacks is not None:
            mask = mask & ~lacks
    return mask


def compare_columns(op: str, left: Column, right: Column) -> Mask:
    """Two columns of numbers, instants, durations or booleans compared row by row."""
    one, other = left.data, right.data
    if left.dtype.temporal or right.dtype.temporal:
        one, other = _in_one_unit(left, right)
    return _without_missing(op, cast("Mask", OPERATORS[op](one, other)), left, right)


def _in_one_unit(left: Column, right: Column) -> tuple[Any, Any]:
    # A number that meets an instant counts nanoseconds.
    units = [column.dtype.unit if column.dtype.temporal else "ns" for column in (left, right)]
    unit = finer(*units)
    return tuple(  # type: ignore[return-value]
        rescaled(column.data, PER_SECOND[unit] // PER_SECOND[own])
        for column, own in zip((left, right), units, strict=True)
    )


def rescaled(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Counts of a finer unit; beyond its range the farthest count, NaT stays."""
    if factor == 1:
        return values
    bound = (2**63 - 1) // factor
    scaled: NDArray[Any] = np.where(values == NAT, NAT, np.clip(values, -bound, bound) * factor)
    return scaled


def is_in(column: Column, values: ValueSet) -> Mask:
    """Whether a value is in a set of numbers or instants."""
    wanted = set_for(column.dtype, values)
    data = column.data
    if not len(wanted):
        return np.zeros(len(data), dtype=np.bool_)
    if len(wanted) <= 8:
        mask = data == wanted[:1]
        for one in range(1, len(wanted)):
            mask |= data == wanted[one : one + 1]
    else:
        mask = np.isin(data, wanted)
    if column.dtype.temporal:
        mask &= data != NAT
    if column.valid is not None:
        mask &= column.valid
    return cast("Mask", mask)


def set_for(dtype: DType, values: ValueSet) -> NDArray[Any]:
    """The values of a set that a column of this type can hold, comparable with its stored values."""
    wanted = np.asarray(values.values)
    if not len(wanted) or values.dtype.kind == "string":
        return np.empty(0, dtype=dtype.storage)
    if dtype.temporal:
        factor = 10**9 // PER_SECOND[dtype.unit]
        whole: NDArray[Any] = wanted[wanted % factor == 0] // factor
        return whole.astype("i8")
    if wanted.dtype.kind == "f":
        return wanted
    if dtype.kind == "float":
        return wanted.astype(dtype.storage)
    low, high = _LIMITS["int" if dtype.kind == "category" else dtype.kind, dtype.bits]
    inside = [int(value) for value in wanted.tolist() if low <= value <= high]
    return np.array(inside, dtype=dtype.storage)
