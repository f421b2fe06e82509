"""Buckets of time: where they begin and end, which rows fall into each, and what they are called.

Buckets are those of pandas' resample. Multiples of fixed frequencies are counted from an origin: in instants, or for
whole days in the wall time of the index's zone. Calendar rules (weeks, months, quarters, years, business days) have
their edges at wall times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coldframe.format.codecs.linear import Steps
from coldframe.query.steps import Bucket
from coldframe.query.times import from_wall, to_wall
from coldframe.query.types import PER_SECOND

Times = NDArray[Any] | Steps
"""Instants that ascend, in the unit of the grid."""
Runs = tuple[NDArray[np.intp], NDArray[np.int64]]
"""For each bucket that has rows, in order: the position of its first row, and its number."""

_TO_THE_END_OF_THE_DAY = ("BME", "ME", "W", "BQE", "BYE", "QE", "YE", "BM", "M", "BQ", "Q", "BA", "A", "BY", "Y")


def written(times: Times) -> NDArray[Any]:
    """Times as an array."""
    if not isinstance(times, Steps):
        return times
    made = np.empty(len(times), dtype=np.int64)
    times.write(made)
    return made


def fixed_width(rule: Any) -> int | None:
    """The width of a fixed frequency in nanoseconds; None for calendar rules."""
    if is_days(rule):
        return 86_400 * 10**9 * int(rule.n)
    return int(rule.nanos) if isinstance(rule, pd.offsets.Tick) else None


def is_days(rule: Any) -> bool:
    """Whether a rule counts days, which follow the wall clock."""
    return bool(rule.rule_code == "D")


class Grid:
    """Buckets on a time axis.

    Attributes
    ----------
    right : bool
        Whether a bucket's right edge belongs to it, not its left.
    """

    def __init__(self, step: Bucket) -> None:
        self.right = step.closed == "right"
        self.by_end = step.label == "right"
        self.unit = step.dtype.unit
        self.zone = step.dtype.zone

    def runs(self, times: Times) -> Runs:
        """The runs of rows that fall into one bucket; times ascend."""
        raise NotImplementedError

    def labels(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The instants that name buckets."""
        raise NotImplementedError

    def _cut(self, times: Times, edges: NDArray[Any], first: int) -> Runs:
        """Runs between edges, of which the first bucket, before them all, has a number."""
        inner = times.searchsorted(edges, side="right" if self.right else "left")
        starts = np.concatenate(([0], inner))
        ends = np.append(inner, len(times))
        some = ends > starts
        numbers = first + np.flatnonzero(some)
        return starts[some], numbers.astype(np.int64)


class FixedGrid(Grid):
    """Buckets of one width, counted from an origin."""

    def __init__(self, step: Bucket, width: int, origin: int) -> None:
        super().__init__(step)
        self.width = width
        self.origin = origin

    def _number(self, time: int) -> int:
        return (time - self.origin - self.right) // self.width

    def runs(self, times: Times) -> Runs:
        """The runs of rows that fall into one bucket."""
        first, last = self._number(int(times[0])), self._number(int(times[-1]))
        if last - first < max(len(times) >> 3, 8):
            edges = self.origin + np.arange(first + 1, last + 1) * self.width
            return self._cut(times, edges, first)
        numbers = (written(times) - self.origin - int(self.right)) // self.width
        starts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        starts = np.concatenate(([0], starts))
        return starts, numbers[starts]

    def labels(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The instants that name buckets."""
        return self.origin + (numbers + int(self.by_end)) * self.width


class DayGrid(FixedGrid):
    """Buckets of whole days in the wall time of a zone; the origin is a wall time."""

    def _wall(self, time: int) -> int:
        return int(to_wall(np.array([time]), self.unit, self.zone)[0])

    def runs(self, times: Times) -> Runs:
        """The runs of rows that fall into one bucket."""
        # Around a change of the clock a wall time may lie on the other side of an edge: one bucket more each side.
        first = self._number(self._wall(int(times[0]))) - 1
        last = self._number(self._wall(int(times[-1]))) + 1
        walls = self.origin + np.arange(first + 1, last + 1) * self.width
        return self._cut(times, from_wall(walls, self.unit, self.zone), first)

    def labels(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The instants that name buckets."""
        return from_wall(super().labels(numbers), self.unit, self.zone)


class CalendarGrid(Grid):
    """Buckets of a calendar rule; edges are made as far as rows come."""

    def __init__(self, step: Bucket, first: int) -> None:
        super().__init__(step)
        self.rule = step.rule
        whole = step.rule.rule_code.split("-")[0] in _TO_THE_END_OF_THE_DAY
        # The edge that closes a bucket named by a day is the end of that day.
        self._late = 86_400 * PER_SECOND[self.unit] - 1 if whole and self.right else 0
        day = pd.Timestamp(self._stamp(first)).normalize()
        self._start = day - self.rule if self.right else self.rule.rollback(day)
        self._names: NDArray[Any] = np.empty(0, dtype=np.int64)
        self._edges: NDArray[Any] = np.empty(0, dtype=np.int64)

    def _stamp(self, time: int) -> Any:
        wall = to_wall(np.array([time]), self.unit, self.zone)
        return wall.view(f"M8[{self.unit}]")[0]

    def _reach(self, time: int) -> None:
        """Make edges beyond a time."""
        while len(self._edges) < 2 or self._edges[-1] <= time:
            stop = pd.Timestamp(self._stamp(time)).normalize() + self.rule + self.rule
            if len(self._names):
                last = pd.Timestamp(self._names[-1].view(f"M8[{self.unit}]"))
                stop = max(stop, last + self.rule + self.rule)
            names = pd.date_range(self._start, stop, freq=self.rule)
            self._names = names.to_numpy().astype(f"M8[{self.unit}]").view("i8").copy()
            self._edges = from_wall(self._names + self._late, self.unit, self.zone)

    def runs(self, times: Times) -> Runs:
        """The runs of rows that fall into one bucket."""
        self._reach(int(times[-1]))
        ends = np.array([int(times[0]), int(times[-1])])
        places = np.searchsorted(self._edges, ends, side="left" if self.right else "right")
        first, last = (places - 1).tolist()
        return self._cut(times, self._edges[first + 1 : last + 1], first)

    def labels(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The instants that name buckets."""
        return from_wall(self._names[numbers + int(self.by_end)], self.unit, self.zone)


def is_anchored(step: Bucket) -> bool:
    """Whether the buckets are the same whatever the rows are."""
    return fixed_width(step.rule) is not None and (not isinstance(step.origin, str) or step.origin == "epoch")


def make_grid(step: Bucket, first: int, last: int) -> Grid:
    """The buckets of a resample; `first` and `last` are the times of the rows that it sees."""
    width = fixed_width(step.rule)
    if width is None:
        return CalendarGrid(step, first)
    per_unit = 10**9 // PER_SECOND[step.dtype.unit]
    zone = step.dtype.zone
    shift = step.offset // per_unit
    in_days = is_days(step.rule) and zone is not None
    origin = _origin(step, first, last, wall=in_days) + shift
    if in_days:
        return DayGrid(step, width // per_unit, origin)
    return FixedGrid(step, width // per_unit, origin)


def _origin(step: Bucket, first: int, last: int, *, wall: bool) -> int:
    """Where buckets are counted from, as an instant or as a wall time."""
    unit, zone = step.dtype.unit, step.dtype.zone
    day = 86_400 * PER_SECOND[unit]
    origin = step.origin
    if isinstance(origin, pd.Timestamp):
        instant = int(origin.value) // (10**9 // PER_SECOND[unit])
        return int(to_wall(np.array([instant]), unit, zone)[0]) if wall else instant
    if origin == "epoch":
        local = 0
    else:
        local = int(to_wall(np.array([first if origin.startswith("start") else last]), unit, zone)[0])
        if origin in ("start", "end"):
            return local if wall else (first if origin == "start" else last)
        local = local // day * day if origin == "start_day" else -(-local // day) * day
    return local if wall else int(from_wall(np.array([local]), unit, zone)[0])
