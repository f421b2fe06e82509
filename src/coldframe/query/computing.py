"""Arithmetic kernels: columns of numbers, instants and durations from columns and constants; casts and choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coldframe.exceptions import UserInputException
from coldframe.format.dtypes import DType
from coldframe.format.table import NAN, StringColumn
from coldframe.query.columns import NAT, Column, recoded, stack_strings
from coldframe.query.comparing import rescaled
from coldframe.query.literals import STRING
from coldframe.query.missing import derived, lacking
from coldframe.query.spans import in_unit
from coldframe.query.types import INTEGERS, NUMBERS, PER_SECOND

_UFUNCS: dict[str, Any] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "DIV": np.true_divide,
    "POW": np.power,
    "FLOORDIV": np.floor_divide,
    "MOD": np.mod,
}


def compute(op: str, dtype: DType, left: Column, right: Column) -> Column:
    """Numbers `left op right` with a result of the given type; a constant is a column of one row."""
    if op in ("FLOORDIV", "MOD") and _mixed(left.dtype, right.dtype):
        one, other = left.data, right.data
    else:
        one, other = _as(left.data, dtype), _as(right.data, dtype)
    zero: NDArray[Any] | None = None
    if op in ("FLOORDIV", "MOD") and dtype.kind in INTEGERS:
        # Integers have no infinity: what is divided by zero is missing.
        zero = other == 0
        if zero.any():
            other = np.where(zero, other.dtype.type(1), other)
    with np.errstate(all="ignore"):
        values = _UFUNCS[op](one, other) if one.dtype == other.dtype else _divide_mixed(op, dtype, one, other)
    return derived(dtype, values, left, right, gone=zero)


def _mixed(left: DType, right: DType) -> bool:
    """Whether one is uint64 and the other signed: no type of integers holds both."""
    return {left.kind, right.kind} == {"int", "uint"} and (left if left.kind == "uint" else right).bits == 64


def _divide_mixed(op: str, dtype: DType, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Integers divided, or the rest, downwards as Python does; one has a sign, the other 64 bits and none."""
    one, other = _magnitude(left), _magnitude(right)
    quotient, rest = np.divmod(one, other)
    # To numpy no unsigned number is negative.
    differ, negative = (left < 0) != (right < 0), right < 0
    if op == "FLOORDIV":
        result = np.where(differ, -(quotient + (rest > 0)), quotient)
    else:
        result = np.where(differ & (rest > 0), other - rest, rest)
        result = np.where(negative, -result, result)
    return result.view(np.int64).astype(dtype.storage)


def _magnitude(data: NDArray[Any]) -> NDArray[Any]:
    """Integers without their sign, as uint64."""
    wide = data.astype(np.uint64)
    return np.where(data < 0, -wide, wide)


def _as(data: NDArray[Any], dtype: DType) -> NDArray[Any]:
    return data.astype(dtype.storage, copy=False)


def negative(column: Column, dtype: DType) -> Column:
    """The values with the other sign."""
    with np.errstate(all="ignore"):
        values = np.negative(_as(column.data, dtype))
    return derived(dtype, values, column)


def absolute(column: Column, dtype: DType) -> Column:
    """The values without their sign."""
    values = np.abs(_as(column.data, dtype))
    if column.dtype.kind == "duration":
        values = np.where(column.data == NAT, NAT, values)
    return derived(dtype, values, column)


def choose(condition: NDArray[Any], left: Column, right: Column, dtype: DType) -> Column:
    """For each row the left value where the condition holds, else the right; constants have one row."""
    if dtype.kind in NUMBERS:
        left, right = (derived(dtype, _as(side.data, dtype), side) for side in (left, right))
    valid = None
    if left.valid is not None or right.valid is not None:
        ones = np.ones(1, dtype=np.bool_)
        valid = np.where(
            condition, ones if left.valid is None else left.valid, ones if right.valid is None else right.valid
        )
    if dtype.kind == "string":
        return Column(dtype, _choose_strings(condition, left.data, right.data), valid)
    if dtype.temporal:
        one, other = in_unit(left, dtype.unit, condition), in_unit(right, dtype.unit, ~condition)
        return Column(dtype, np.where(condition, one, other), valid)
    return Column(dtype, np.where(condition, left.data, right.data), valid)


def _choose_strings(condition: NDArray[Any], left: StringColumn, right: StringColumn) -> StringColumn:
    one, other = left.coded(), right.coded()
    both = stack_strings([one, other])
    codes: Any = both.codes
    return StringColumn(both.values, np.where(condition, codes[: len(one)], codes[len(one) :]))


def round_numbers(column: Column, decimals: int, dtype: DType) -> Column:
    """Rounded to so many decimals, halves to even; integers only change for negative ones."""
    if dtype.kind in INTEGERS:
        if decimals >= 0:
            return column
        return derived(dtype, _round_integers(_as(column.data, dtype), -decimals), column)
    with np.errstate(all="ignore"):
        values = np.round(column.data, decimals)
    # Where numpy's power of ten overflows there are no such decimals, or nothing before them.
    lost = ~np.isnan(column.data) & ~np.isfinite(values)
    if lost.any():
        whole = column.data if decimals > 0 else np.where(np.isinf(column.data), column.data, 0)
        values = np.where(lost, whole, values)
    return derived(dtype, values.astype(dtype.storage, copy=False), column)


def _round_integers(data: NDArray[Any], zeros: int) -> NDArray[Any]:
    step = 10**zeros
    if step > np.iinfo(data.dtype).max:
        return np.zeros_like(data)  # no other multiple is a number of the type
    below, rest = np.divmod(data, data.dtype.type(step))
    half = step // 2
    up = (rest > half) | ((rest == half) & (below % 2 == 1))
    rounded: NDArray[Any] = (below + up.astype(data.dtype)) * data.dtype.type(step)
    return rounded


def clip(column: Column, low: Any, high: Any) -> Column:
    """Values moved into bounds given in stored units; missing values stay."""
    data = column.data
    if low is not None:
        data = np.maximum(data, low)
    if high is not None:
        data = np.minimum(data, high)
    if column.dtype.temporal:
        data = np.where(column.data == NAT, NAT, data)
    return derived(column.dtype, data.astype(column.dtype.storage, copy=False), column)


def fill(column: Column, value: Any, dtype: DType) -> Column:
    """Missing values replaced by a value given in stored units."""
    missing = column.missing()
    if dtype.kind == "string":
        if not missing.any():
            return Column(dtype, column.data)
        strings = column.data.coded()
        both = stack_strings([strings, StringColumn(pa.array([value], pa.large_string()), np.zeros(1, np.int32))])
        codes: Any = both.codes
        return Column(dtype, StringColumn(both.values, np.where(missing, codes[-1], codes[:-1])))
    data = in_unit(column, dtype.unit) if dtype.temporal else _as(column.data, dtype)
    return Column(dtype, np.where(missing, dtype.storage.type(value), data))


def cast(column: Column, dtype: DType) -> Column:
    """Values in another type; what does not fit is an error that says which value."""
    source = column.dtype
    if source == dtype:
        return column
    if source.kind == "string":
        return _parse(column, dtype)
    if dtype.kind == "string":
        return _print(column)
    if source.temporal and dtype.temporal:
        return _cast_times(column, dtype)
    return _cast_numbers(column, dtype)


def _cast_times(column: Column, dtype: DType) -> Column:
    have, want = PER_SECOND[column.dtype.unit], PER_SECOND[dtype.unit]
    data = column.data
    if want >= have:
        scaled = rescaled(data, want // have)
        lost = (scaled // (want // have) != data) & (data != NAT)
        if lost.any():
            raise UserInputException(f"cannot cast to {dtype}: {data[lost][0]} {column.dtype.unit} is out of its range")
        return Column(dtype, scaled, column.valid)
    return Column(dtype, np.where(data == NAT, NAT, data // (have // want)), column.valid)


def _cast_numbers(column: Column, dtype: DType) -> Column:
    data = column.data
    gone = data == NAT if column.dtype.temporal else None
    if dtype.kind in INTEGERS and column.dtype.kind in (*NUMBERS, "duration", "timestamp"):
        info: Any = np.iinfo(dtype.storage.name)
        present = slice(None) if column.valid is None and gone is None else ~column.missing()
        with np.errstate(all="ignore"):
            values = np.trunc(data) if column.dtype.kind == "float" else data
            # The largest 64-bit integers are no doubles: the bound above them is.
            fits = (values >= float(info.min)) & (values < float(info.max) + 1) if values.dtype.kind == "f" else None
            if fits is None:
                fits = (values >= info.min) & (values <= info.max)
            _check_fits(data[present], fits[present], dtype)
            return derived(dtype, values.astype(dtype.storage), column, gone=gone)
    with np.errstate(all="ignore"):
        values = data != 0 if dtype.kind == "bool" else data.astype(dtype.storage)
        if dtype.temporal and data.dtype == np.uint64:
            _check_fits(data, values >= 0, dtype)
        elif dtype.kind == "float" and dtype.bits < 64:
            _check_fits(data, np.isfinite(values) | ~np.isfinite(data), dtype)
        return derived(dtype, values, column, gone=gone)


def _check_fits(data: NDArray[Any], fits: NDArray[Any], dtype: DType) -> None:
    if not fits.all():
        raise UserInputException(f"cannot cast {data[~fits][0]} to {dtype}; use fillna or a filter first")


def _parse(column: Column, dtype: DType) -> Column:
    strings = column.data.coded()
    codes: Any = strings.codes
    target: Any = _arrow_type(dtype)
    # A dictionary may hold strings that no row has, such as the blanks beneath missing ones.
    used = np.zeros(len(strings.values), dtype=np.bool_)
    used[codes[codes >= 0]] = True
    try:
        parsed = pc.cast(pc.if_else(pa.array(used), strings.values, None), target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserInputException(f"cannot cast strings to {dtype}: {error}") from None
    values = (parsed.cast(pa.int64()) if dtype.temporal else parsed).fill_null(False if dtype.kind == "bool" else 0)
    present = values.to_numpy(zero_copy_only=False).astype(dtype.storage)
    return derived(dtype, np.append(present, np.zeros(2, present.dtype))[codes], column, gone=codes < 0)


def _print(column: Column) -> Column:
    data = column.data
    if column.dtype.kind == "float":
        # By their bits, for 0.0 and -0.0 are equal.
        distinct, codes = np.unique(data.view(f"i{data.dtype.itemsize}"), return_inverse=True)
        array = pa.array(distinct.view(data.dtype).astype(str))
    else:
        distinct, codes = np.unique(data, return_inverse=True)
        array = pa.array(distinct.astype(str) if column.dtype.kind == "bool" else distinct)
    if column.dtype.temporal:
        array = array.cast(_arrow_type(column.dtype))
    texts = array.cast(pa.string()).cast(pa.large_string())
    strings = recoded(texts, codes.astype(np.int32))
    missing = column.missing()
    if missing.any():
        present: Any = strings.codes
        strings = StringColumn(strings.values, np.where(missing, NAN, present).astype(np.int32))
    lacks = lacking(column)
    return Column(STRING, strings, None if lacks is None else ~lacks)


def _arrow_type(dtype: DType) -> Any:
    if dtype.kind == "timestamp":
        return pa.timestamp(dtype.unit, dtype.zone)
    if dtype.kind == "duration":
        return pa.duration(dtype.unit)
    return pa.from_numpy_dtype(dtype.storage)


def string_constant(text: str) -> StringColumn:
    """One row holding a string."""
    return StringColumn(pa.array([text], pa.large_string()), np.zeros(1, dtype=np.int32))


def repeated(column: Column, rows: int) -> Column:
    """A constant's single row, as many times as there are rows."""
    if isinstance(column.data, StringColumn):
        return Column(column.dtype, StringColumn(column.data.values, np.zeros(rows, dtype=np.int32)))
    return Column(column.dtype, np.full(rows, column.data[0], dtype=column.data.dtype))
