"""Aggregates while rows stream by: one array each, with a place per group, filled in the order of the rows.

Rows are added one after the other (`ufunc.at` keeps their order), so a sum of floats comes out the same however the
rows were cut into slices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.occurrences import occurrences
from coldframe.format.table import StringColumn
from coldframe.query.columns import NAT, Column
from coldframe.query.keys import Pool
from coldframe.query.literals import FLOAT64
from coldframe.query.missing import missing_by_mask, reduced
from coldframe.query.spans import whole_of
from coldframe.query.steps import Output

Groups = NDArray[np.intp]
_MASK = 0xFFFFFFFF


class Values:
    """The present values of a column in a batch.

    Attributes
    ----------
    column : Column
    present : positions, or None
        The rows that have a value; None: all.
    """

    __slots__ = ("column", "present")

    def __init__(self, column: Column) -> None:
        data = column.data
        if isinstance(data, StringColumn):
            column = Column(column.dtype, data.coded(), column.valid)
        self.column = column
        kind = column.dtype.kind
        self.present: Groups | None = None
        if column.valid is not None or kind not in ("int", "uint", "bool"):
            missing = column.missing()
            if missing.any():
                self.present = np.flatnonzero(~missing)

    def of(self, groups: Groups) -> tuple[Groups, NDArray[Any]]:
        """Groups and values of the rows that have a value."""
        data = self.column.data
        if self.present is None:
            return groups, data
        return groups.take(self.present), data.take(self.present)


class Space:
    """An array with a place per group, which grows."""

    __slots__ = ("_blank", "array")

    def __init__(self, dtype: Any, blank: Any) -> None:
        self._blank = blank
        self.array: NDArray[Any] = np.full(64, blank, dtype=dtype)

    def grow(self, size: int, moved: int) -> None:
        """Room for `size` groups, those of before moved up."""
        if size > len(self.array) or moved:
            room = max(size, len(self.array) + moved, 2 * len(self.array) if size > len(self.array) else 0)
            fresh = np.full(room, self._blank, dtype=self.array.dtype)
            fresh[moved : moved + len(self.array)] = self.array
            self.array = fresh


class Aggregate:
    """One output column on its way."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.spaces: list[Space] = []

    def space(self, dtype: Any, blank: Any) -> Space:
        """An array with a place per group, that grows with the groups."""
        made = Space(dtype, blank)
        self.spaces.append(made)
        return made

    def grow(self, size: int, moved: int) -> None:
        """Room for so many groups."""
        for space in self.spaces:
            space.grow(size, moved)

    def add(self, groups: Groups, values: Values) -> None:
        """The rows of a batch."""
        raise NotImplementedError

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups; `counts` is how many values each had."""
        raise NotImplementedError


class Sum(Aggregate):
    """Sums: exact (modulo 2**64) for integers, in row order for floats."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._sum = self.space(output.dtype.storage, 0)

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        groups, data = values.of(groups)
        np.add.at(self._sum.array, groups, data.astype(self._sum.array.dtype, copy=False))

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:  # noqa: ARG002 -- no values sum to zero
        """The results of some groups."""
        return Column(self.output.dtype, self._sum.array[groups])


class Mean(Aggregate):
    """Means of numbers."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._sum = self.space(np.float64, 0)

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        groups, data = values.of(groups)
        np.add.at(self._sum.array, groups, data.astype(np.float64, copy=False))

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return Column(FLOAT64, self._sum.array[groups] / counts)


class TimeMean(Aggregate):
    """Means of instants and durations, exact: 64-bit sums would overflow, so halves are summed apart."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._high, self._low = self.space(np.int64, 0), self.space(np.int64, 0)

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        groups, data = values.of(groups)
        np.add.at(self._high.array, groups, data >> 32)
        np.add.at(self._low.array, groups, data & _MASK)

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups."""
        safe = np.maximum(counts, 1)
        whole, rest = np.divmod(self._high.array[groups], safe)
        mean = (whole << 32) + ((rest << 32) + self._low.array[groups]) // safe
        return Column(self.output.dtype, np.where(counts > 0, mean, NAT))


class TimeSum(TimeMean):
    """Sums of durations, in halves as means: a sum that 64 bits do not hold is an error."""

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:  # noqa: ARG002 -- no values sum to zero
        """The results of some groups."""
        return Column(self.output.dtype, whole_of(self.output.dtype, self._high.array[groups], self._low.array[groups]))


def extreme(output: Output) -> Any:
    """What every value beats: the start of a search for a minimum or maximum."""
    dtype = output.dtype.storage
    least = output.how == "min"
    if dtype.kind == "f":
        return np.inf if least else -np.inf
    if dtype.kind == "b":
        return least
    info = np.iinfo(dtype.name)
    return info.max if least else info.min


class Extreme(Aggregate):
    """Minima and maxima."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        dtype = output.dtype.storage
        worst = extreme(output)
        self._best = self.space(dtype, worst)
        self._ufunc = np.minimum if output.how == "min" else np.maximum

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        groups, data = values.of(groups)
        self._ufunc.at(self._best.array, groups, data)

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups."""
        return reduced(self.output.dtype, self._best.array[groups], counts > 0)


class Count(Aggregate):
    """How many values are present."""

    def add(self, groups: Groups, values: Values) -> None:
        """The counts that every column keeps are the result."""

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:  # noqa: ARG002 -- counts are of these groups
        """The results of some groups."""
        return Column(self.output.dtype, counts.astype(np.uint64))


class End(Aggregate):
    """First and last present values."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._pool = None if output.dtype.fixed else Pool(output.dtype)
        self._value = self.space(np.int64 if self._pool is not None else output.dtype.storage, -1 if self._pool else 0)
        self._seen = self.space(np.bool_, blank=False)

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        if self._pool is not None:
            data = self._pool.add(values.column.data)
            if values.present is not None:
                groups, data = groups.take(values.present), data.take(values.present)
        else:
            groups, data = values.of(groups)
        if self.output.how == "first":
            new = ~self._seen.array[groups]
            # Of rows that write to one place the last one stays: backwards, that is the first.
            groups, data = groups[new][::-1], data[new][::-1]
        self._value.array[groups] = data
        self._seen.array[groups] = True

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups."""
        if self._pool is not None:
            return self._pool.column(self.output.dtype, self._value.array[groups])
        return reduced(self.output.dtype, self._value.array[groups], counts > 0)


class Spread(Aggregate):
    """Variance and standard deviation of a sample, around each group's first value so that no digits cancel."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._pivot = self.space(np.float64, 0)
        self._seen = self.space(np.bool_, blank=False)
        self._sum, self._square = self.space(np.float64, 0), self.space(np.float64, 0)

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        groups, data = values.of(groups)
        data = data.astype(np.float64, copy=False)
        new = ~self._seen.array[groups]
        if new.any():
            self._pivot.array[groups[new][::-1]] = data[new][::-1]
            self._seen.array[groups] = True
        away = data - self._pivot.array[groups]
        np.add.at(self._sum.array, groups, away)
        np.add.at(self._square.array, groups, away * away)

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups."""
        total, square = self._sum.array[groups], self._square.array[groups]
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.maximum(square - total * total / counts, 0) / (counts - 1)
        variance = np.where(counts > 1, variance, np.nan)
        return Column(FLOAT64, np.sqrt(variance) if self.output.how == "std" else variance)


class Truth(Aggregate):
    """Whether any, or all, of the present values are true; false and true for none."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._any = output.how == "any"
        self._state = self.space(np.bool_, blank=not self._any)

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        groups, data = values.of(groups)
        hits = data != 0 if self._any else data == 0
        self._state.array[groups[hits]] = self._any

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:  # noqa: ARG002 -- no values have an answer
        """The results of some groups."""
        return Column(self.output.dtype, self._state.array[groups])


class Collected(Aggregate):
    """Aggregates that need all values at once: median, number of distinct values."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._pool = None if output.source.fixed else Pool(output.source)
        self._groups: list[Groups] = []
        self._values: list[Any] = []

    def grow(self, size: int, moved: int) -> None:  # noqa: ARG002 -- there is no place per group
        """Move the groups of the rows kept."""
        if moved:
            self._groups = [groups + moved for groups in self._groups]

    def add(self, groups: Groups, values: Values) -> None:
        """Take the rows of a batch in."""
        if values.present is not None:
            groups, values = groups.take(values.present), Values(values.column.take(values.present))
        self._groups.append(groups)
        self._values.append(values.column.data)

    def finish(self, groups: Groups, counts: NDArray[Any]) -> Column:
        """The results of some groups."""
        if not self._groups:
            self._groups, self._values = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.int64)]
        elif self._pool is not None:
            self._values = self._pool.learn(self._values)
        which, data = np.concatenate(self._groups), np.concatenate(self._values)
        by_value = np.lexsort((data, which))
        which, data = which[by_value], data[by_value]
        if self.output.how == "nunique":
            return self._distinct(which, data, groups)
        return self._median(which, data, groups, counts)

    def _distinct(self, which: Groups, data: NDArray[Any], groups: Groups) -> Column:
        new = np.ones(len(which), dtype=np.bool_)
        new[1:] = (which[1:] != which[:-1]) | (data[1:] != data[:-1])
        size = int(groups.max(initial=0)) + 1
        return Column(self.output.dtype, np.bincount(which[new], minlength=size)[groups].astype(np.uint64))

    def _median(self, which: Groups, data: NDArray[Any], groups: Groups, counts: NDArray[Any]) -> Column:
        starts = np.searchsorted(which, groups)
        some = counts > 0
        lower = np.where(some, starts + (counts - 1) // 2, 0)
        upper = np.where(some, starts + counts // 2, 0)
        if not len(data):
            data = np.zeros(1, dtype=data.dtype)
        if self.output.dtype.temporal:
            low, high = data[lower], data[upper]
            # Half of each: the difference of two times may be more than 64 bits hold.
            middle = (low >> 1) + (high >> 1) + (((low & 1) + (high & 1)) >> 1)
            return Column(self.output.dtype, np.where(some, middle, NAT))
        low, high = data[lower].astype(np.float64), data[upper].astype(np.float64)
        return Column(FLOAT64, np.where(some, low / 2 + high / 2, np.nan))


_KINDS: dict[str, Callable[[Output], Aggregate]] = {
    "sum": lambda output: TimeSum(output) if output.dtype.temporal else Sum(output),
    "mean": lambda output: TimeMean(output) if output.dtype.temporal else Mean(output),
    "min": Extreme,
    "max": Extreme,
    "count": Count,
    "first": End,
    "last": End,
    "std": Spread,
    "var": Spread,
    "any": Truth,
    "all": Truth,
    "median": Collected,
    "nunique": Collected,
}


class Aggregates:
    """All outputs of one aggregation, and for each column how many values every group has."""

    def __init__(self, outputs: tuple[Output, ...]) -> None:
        self._outputs = outputs
        self._made = [_KINDS[output.how](output) for output in outputs]
        self.rows = Space(np.int64, 0)
        self._counts: dict[int, Space] = {}
        self._missed: dict[int, Space] = {}

    @property
    def slots(self) -> list[int]:
        """The columns that are read."""
        return sorted({output.slot for output in self._outputs})

    def add(self, groups: Groups, size: int, moved: int, values: dict[int, Values]) -> None:
        """The rows of a batch: the group of each, of `size` groups, of which those before moved up by `moved`."""
        self.rows.grow(size, moved)
        for kept in (*self._counts.values(), *self._missed.values()):
            kept.grow(size, moved)
        for made in self._made:
            made.grow(size, moved)
        for slot, column in values.items():
            if column.present is not None or slot in self._counts:
                self._count(slot, groups, size, column)
            self._note_missing(slot, groups, column.column)
        _add_occurrences(self.rows.array, groups, size)
        for output, made in zip(self._outputs, self._made, strict=True):
            made.add(groups, values[output.slot])

    def _count(self, slot: int, groups: Groups, size: int, column: Values) -> None:
        # Until a value is missing, rows are counted once for all columns.
        if slot not in self._counts:
            self._counts[slot] = Space(np.int64, 0)
            self._counts[slot].array = self.rows.array.copy()
        present = groups if column.present is None else groups.take(column.present)
        _add_occurrences(self._counts[slot].array, present, size)

    def _note_missing(self, slot: int, groups: Groups, column: Column) -> None:
        gone = missing_by_mask(column)
        if gone is not None and gone.any():
            if slot not in self._missed:
                self._missed[slot] = Space(np.bool_, blank=False)
                self._missed[slot].grow(len(self.rows.array), 0)
            self._missed[slot].array[groups[gone]] = True

    def finish(self, groups: Groups) -> list[Column]:
        """The outputs for some groups."""
        result = []
        for output, made in zip(self._outputs, self._made, strict=True):
            counted = self._counts.get(output.slot, self.rows)
            column = made.finish(groups, counted.array[groups])
            if column.valid is not None:
                missed = self.rows.array[groups] == 0
                if output.slot in self._missed:
                    missed |= self._missed[output.slot].array[groups]
                column = reduced(column.dtype, column.data, column.valid, missed)
            result.append(column)
        return result


def _add_occurrences(counts: NDArray[Any], groups: Groups, size: int) -> None:
    """Count the rows of each of `size` groups; where groups are many, without a place for each beside the counts."""
    if 4 * size <= len(groups):
        counts[:size] += occurrences(groups, size)
    else:
        np.add.at(counts, groups, 1)
