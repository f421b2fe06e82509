"""Kernels on instants: parts of the wall time, rounding, time zones; by Arrow, in the column's own zone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.query.columns import NAT, Column
from coldframe.query.missing import derived
from coldframe.query.types import INT32, PER_SECOND

_PARTS = {
    "year": pc.year,
    "quarter": pc.quarter,
    "month": pc.month,
    "day": pc.day,
    "hour": pc.hour,
    "minute": pc.minute,
    "second": pc.second,
    "millisecond": pc.millisecond,
    "nanosecond": pc.nanosecond,
    "dayofyear": pc.day_of_year,
    "weekday": pc.day_of_week,
    "dayofweek": pc.day_of_week,
}


def part(column: Column, name: str) -> Column:
    """A part of the wall time as int32; missing where the instant is."""
    times = _arrow(column)
    if name == "microsecond":
        # As in pandas: all of the second's fraction down to microseconds.
        numbers = pc.add(pc.multiply(pc.millisecond(times), 1000), pc.microsecond(times))
    else:
        numbers = _PARTS[name](times)
    values = numbers.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int32)
    return derived(INT32, values, column, gone=column.data == NAT)


def to_wall(data: NDArray[Any], unit: str, zone: str | None) -> NDArray[Any]:
    """Instants as wall times of a zone, in the same unit."""
    if zone is None or zone == "UTC":
        return data
    times = pa.array(data.view(f"M8[{unit}]")).cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, zone))
    return _numbers(pc.local_timestamp(times))


def from_wall(data: NDArray[Any], unit: str, zone: str | None) -> NDArray[Any]:
    """Wall times of a zone as instants: the earlier of two; those that were skipped become the next instant."""
    if zone is None or zone == "UTC":
        return data
    times = pa.array(data.view(f"M8[{unit}]"))
    return _numbers(pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="latest"))


def rounded(column: Column, how: str, nanoseconds: int) -> Column:
    """Down, up or to the nearest multiple of a fixed frequency, in wall time.

    A wall time that there are two of is the one of the same offset as the instant's, so that hours which the clock
    shows twice stay two hours.
    """
    unit, zone = column.dtype.unit, column.dtype.zone
    per_unit = 10**9 // PER_SECOND[unit]
    if nanoseconds % per_unit:
        # A frequency finer than the unit: every value is a multiple already, as far as the unit can tell.
        return column
    step = nanoseconds // per_unit
    wall = to_wall(column.data, unit, zone)
    below = wall // step
    rest = wall - below * step
    if how == "ceil":
        below = below + (rest > 0)
    elif how == "round":
        below = below + ((2 * rest > step) | ((2 * rest == step) & (below % 2 == 1)))
    gone = column.data == NAT
    result = below * step
    if zone is not None and zone != "UTC":
        near = np.where(gone, 0, column.data + (result - wall))
        result = np.where(to_wall(near, unit, zone) == result, near, from_wall(result, unit, zone))
    return Column(column.dtype, np.where(gone, NAT, result), column.valid)


def date(column: Column) -> Column:
    """Midnight of the wall time's day, without a zone."""
    unit, zone = column.dtype.unit, column.dtype.zone
    wall = to_wall(column.data, unit, zone)
    day = 86_400 * PER_SECOND[unit]
    data = np.where(column.data == NAT, NAT, wall // day * day)
    return Column(DType("timestamp", 64, unit), data, column.valid)


def localized(column: Column, zone: str | None) -> Column:
    """Naive wall times as instants of a zone, or with None the wall times of instants."""
    dtype = column.dtype
    data = to_wall(column.data, dtype.unit, dtype.zone) if zone is None else from_wall(column.data, dtype.unit, zone)
    return Column(DType("timestamp", 64, dtype.unit, zone), np.where(column.data == NAT, NAT, data), column.valid)


def _arrow(column: Column) -> Any:
    dtype = column.dtype
    times = pa.array(column.data.view(f"M8[{dtype.unit}]"))
    if dtype.zone is not None:
        times = times.cast(pa.timestamp(dtype.unit, "UTC")).cast(pa.timestamp(dtype.unit, dtype.zone))
    return times


def _numbers(times: Any) -> NDArray[Any]:
    return times.cast(pa.int64()).fill_null(NAT).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
