"""The arguments that say which version, rows and columns are meant: checked once, turned into plain numbers."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from coldframe.exceptions import ArcticException
from coldframe.frames.refusals import short

NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_INT64 = np.iinfo(np.int64)


class AsOf(msgspec.Struct, frozen=True):
    """Which version: a number or snapshot name, or a time in nanoseconds since 1970 (`by_time`)."""

    value: int | str | None
    by_time: bool = False


LATEST = AsOf(None)


def parse_as_of(as_of: Any) -> AsOf:
    """Check `as_of`: None, a number, a snapshot's name, or a datetime (naive: UTC).

    Raises
    ------
    ArcticException
        For any other type, naming it.
    """
    if as_of is None:
        return LATEST
    if isinstance(as_of, (int, str)):
        return AsOf(int(as_of) if isinstance(as_of, int) else as_of)
    if isinstance(as_of, dt.datetime):
        if as_of is pd.NaT:
            raise ArcticException("as_of is NaT; give None, a version number, a snapshot's name or a datetime.")
        # Beyond what 64 bits can say there is no version, and no way to show the time in a message.
        return AsOf(min(max(nanoseconds(as_of), _INT64.min + 1), _INT64.max), by_time=True)
    raise ArcticException(
        f"as_of is a {type(as_of).__module__}.{type(as_of).__qualname__} ({as_of!r}); it must be None, an int (version "
        "number, negative from the end), a str (a snapshot's name) or a datetime.datetime / pandas.Timestamp."
    )


def nanoseconds(moment: dt.date) -> int:
    """A date or datetime as nanoseconds since 1970 UTC; naive means UTC, a date midnight. Exact, of any size."""
    stamp = pd.Timestamp(moment)
    try:
        return int(stamp.value)
    except OverflowError:  # out of reach of 64 bits of nanoseconds
        pass
    if stamp.tz is not None:
        stamp = stamp.tz_convert("UTC")
    stamp = stamp.tz_localize(None)
    return int(stamp.asm8.view("i8")) * NS_PER[stamp.unit]


class TimeRange(msgspec.Struct, frozen=True):
    """Both ends inclusive, in nanoseconds since 1970; None is open. `given` is what the user gave, for messages."""

    start: int | None
    end: int | None
    given: Any = None

    @property
    def reversed(self) -> bool:
        """Whether the range ends before it starts."""
        return self.start is not None and self.end is not None and self.end < self.start

    def in_unit(self, unit: str) -> tuple[int, int]:
        """The range in units of a time index: the instants it contains, as int64; possibly first > last."""
        scale = NS_PER[unit]
        first = _INT64.min + 1 if self.start is None else -(-self.start // scale)
        last = _INT64.max if self.end is None else self.end // scale
        return max(first, _INT64.min + 1), min(last, _INT64.max)


def parse_date_range(date_range: Any, argument: str = "date_range") -> TimeRange | None:
    """Check a date range: a pair of datetimes or dates with None for open, or a DatetimeIndex (its ends).

    Raises
    ------
    TypeError
        Where an end is a string, a numpy datetime or anything else that is not a datetime.
    """
    if date_range is None:
        return None
    if isinstance(date_range, (str, bytes, dict, set, frozenset)):
        raise TypeError(f"{argument} is a {type(date_range).__name__}; give a pair (start, end) of datetimes.")
    try:
        ends = [date_range[0], date_range[-1]] if len(date_range) else None
    except (TypeError, KeyError):
        ends = None
    if ends is None:
        raise TypeError(f"{argument} is {date_range!r}; give a pair (start, end) of datetimes, None for an open end.")
    return TimeRange(_range_end(ends[0], argument), _range_end(ends[1], argument), date_range)


def _range_end(end: Any, argument: str) -> int | None:
    if end is None or end is pd.NaT:
        return None
    if not isinstance(end, dt.date):
        raise TypeError(
            f"{argument} has an end of type {type(end).__name__} ({end!r}); use datetime.datetime, datetime.date or "
            "pandas.Timestamp, for example pd.Timestamp('2024-01-31')."
        )
    return nanoseconds(end)


def parse_row_range(row_range: Any) -> tuple[int | None, int | None] | None:
    """Check a row range: a pair of ints, half-open, negative from the end, None for open.

    Raises
    ------
    TypeError
        Where it is no pair of ints.
    """
    if row_range is None:
        return None
    if not isinstance(row_range, (tuple, list)) or len(row_range) != 2:
        raise TypeError(f"row_range is {row_range!r}; give a pair (start, stop) of ints, None for an open end.")
    for end in row_range:
        if end is not None and not isinstance(end, int):
            raise TypeError(f"row_range has an end of type {type(end).__name__} ({end!r}); use int or None.")
    return row_range[0], row_range[1]


def parse_flag(value: Any, argument: str) -> bool:
    """Check a switch: a bool, or 0 or 1. A text such as "no" would count as yes, and prune what should stay.

    Raises
    ------
    TypeError
        Where it is anything else, naming the argument.
    """
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, np.integer)) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{argument} is {short(value)}; give True or False.")


def parse_version(number: Any) -> int:
    """Check the number of a version: an int that is not negative.

    Raises
    ------
    TypeError
        Where it is none.
    """
    try:
        value = operator.index(number)
    except TypeError:
        raise TypeError(f"version {number!r} is a {type(number).__name__}; versions are given as ints.") from None
    if value < 0:
        raise TypeError(f"version {value} is negative; give version numbers as list_versions() shows them.")
    return value


def parse_versions(versions: Any) -> list[int] | None:
    """Check version numbers: one, several, or None for all."""
    if versions is None:
        return None
    several = isinstance(versions, Iterable) and not isinstance(versions, str | bytes)
    return [parse_version(number) for number in (versions if several else [versions])]


def check_one_range(date_range: Any, row_range: Any) -> None:
    """Refuse a read that is limited by time and by position at once."""
    if date_range is not None and row_range is not None:
        raise ArcticException(
            "date_range and row_range were both given; a read is limited by one of them. Read by date_range and slice "
            "the result, or the other way round."
        )


def parse_columns(columns: Any) -> list[str] | None:
    """Check a selection of columns: a list, tuple or array of names; None for all.

    Raises
    ------
    TypeError
        Where it is a bare string or has names that are not strings.
    """
    if columns is None:
        return None
    if isinstance(columns, (str, bytes)) or not hasattr(columns, "__iter__"):
        raise TypeError(f"columns is {columns!r}; give a list of column names, for example [{columns!r}].")
    names = list(columns)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"columns has an entry of type {type(name).__name__} ({name!r}); names are strings, a column named by "
                f"a number is selected as {str(name)!r}."
            )
    return names
