"""Aggregates of runs of neighbouring rows, by numpy's `reduceat`; each run is reduced once, with all of its rows.

Because a run is never put together from partial results, a sum comes out the same to the last bit however the rows
were cut into slices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.query.aggregates import extreme
from coldframe.query.columns import NAT, Column, empty
from coldframe.query.literals import FLOAT64
from coldframe.query.missing import missing_by_mask, reduced
from coldframe.query.spans import whole_of
from coldframe.query.steps import Output

_HOWS = ("sum", "mean", "min", "max", "count", "first", "last")


def supports(outputs: tuple[Output, ...]) -> bool:
    """Whether all of these aggregates can be made run by run."""
    return all(output.how in _HOWS and output.source.fixed for output in outputs)


class _Rows:
    """The values of a column, where they are missing, and how many of them each run has.

    Where values are missing is looked for only if a result tells that some are: a sum, minimum or maximum with a NaN
    among its floats is NaN, so results without one are right as they are.
    """

    __slots__ = ("_column", "_counts", "_missing", "_whole", "data", "starts", "stops")

    def __init__(self, column: Column, starts: NDArray[np.intp], stops: NDArray[np.intp]) -> None:
        self.data: NDArray[Any] = column.data
        self._whole = column
        self.starts, self.stops = starts, stops
        self._column: Column | None = column
        self._missing: NDArray[Any] | None = None
        self._counts: NDArray[Any] | None = None

    @property
    def missing(self) -> NDArray[Any] | None:
        """Where values are missing; None: nowhere."""
        column = self._column
        if column is not None:
            self._column = None
            if column.valid is not None or column.dtype.kind not in ("int", "uint", "bool"):
                missing = column.missing()
                self._missing = missing if missing.any() else None
        return self._missing

    @property
    def counts(self) -> NDArray[Any]:
        """How many values each run has."""
        if self._counts is None:
            missing = self.missing
            self._counts = self.stops - self.starts
            if missing is not None:
                self._counts = self._counts - np.add.reduceat(missing, self.starts, dtype=np.int64)
        return self._counts

    @property
    def missed(self) -> NDArray[Any] | None:
        """Which runs have missing integers or booleans; None: none."""
        gone = missing_by_mask(self._whole)
        if gone is None:
            return None
        found: NDArray[Any] = np.logical_or.reduceat(gone, self.starts)
        return found

    def reduce(self, ufunc: np.ufunc, nothing: Any, dtype: Any) -> NDArray[Any]:
        """Each run's values reduced; those that are missing count as `nothing`."""
        data = self.data.astype(dtype, copy=False)
        column = self._column
        if column is not None and column.valid is None and data.dtype.kind == self.data.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                result: NDArray[Any] = ufunc.reduceat(data, self.starts)
            if not np.isnan(result).any():
                self._column = None
                return result
        if self.missing is not None:
            data = np.where(self.missing, data.dtype.type(nothing), data)
        reduced: NDArray[Any] = ufunc.reduceat(data, self.starts)
        return reduced

    def filled(self, value: Any, dtype: Any) -> NDArray[Any]:
        """All values, with one in place of those that are missing."""
        data = self.data.astype(dtype, copy=False)
        return data if self.missing is None else np.where(self.missing, data.dtype.type(value), data)


def reduce_runs(
    outputs: tuple[Output, ...], columns: dict[int, Column], starts: NDArray[np.intp], stop: int
) -> list[Column]:
    """The outputs of runs that begin at `starts`; the last one ends at `stop`."""
    if not len(starts):
        return [empty(output.dtype) for output in outputs]
    stops = np.append(starts[1:], stop)
    end = int(starts[0])
    rows = {slot: _Rows(column.rows(end, stop), starts - end, stops - end) for slot, column in columns.items()}
    return [_REDUCE[output.how](output, rows[output.slot]) for output in outputs]


def reduce_nothing(outputs: tuple[Output, ...]) -> list[Column]:
    """One row: the outputs of a run without rows."""
    result = []
    for output in outputs:
        dtype = output.dtype
        if output.how in ("sum", "count"):
            result.append(Column(dtype, np.zeros(1, dtype=dtype.storage)))
            continue
        nothing = np.zeros(1, dtype=np.bool_)
        result.append(reduced(dtype, np.zeros(1, dtype=dtype.storage), nothing, ~nothing))
    return result


def _sum(output: Output, rows: _Rows) -> Column:
    if output.dtype.temporal:
        return Column(output.dtype, whole_of(output.dtype, *_halves(rows)))
    return Column(output.dtype, rows.reduce(np.add, 0, output.dtype.storage))


def _halves(rows: _Rows) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sums of the upper and of the lower 32 bits, for 64-bit sums of times would overflow."""
    data = rows.filled(0, np.int64)
    return np.add.reduceat(data >> 32, rows.starts), np.add.reduceat(data & 0xFFFFFFFF, rows.starts)


def _mean(output: Output, rows: _Rows) -> Column:
    if output.dtype.temporal:
        return _mean_time(output, rows)
    total = rows.reduce(np.add, 0, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Column(FLOAT64, total / rows.counts)


def _mean_time(output: Output, rows: _Rows) -> Column:
    high, low = _halves(rows)
    safe = np.maximum(rows.counts, 1)
    whole, rest = np.divmod(high, safe)
    mean = (whole << 32) + ((rest << 32) + low) // safe
    return Column(output.dtype, np.where(rows.counts > 0, mean, NAT))


def _extreme(output: Output, rows: _Rows) -> Column:
    dtype = output.dtype
    worst = extreme(output)
    ufunc = np.minimum if output.how == "min" else np.maximum
    return _present(output, rows.reduce(ufunc, worst, dtype.storage), rows)


def _present(output: Output, data: NDArray[Any], rows: _Rows) -> Column:
    some = rows.counts > 0
    return reduced(output.dtype, data, some, None if some.all() else rows.missed)


def _count(output: Output, rows: _Rows) -> Column:
    return Column(output.dtype, rows.counts.astype(np.uint64))


def _end(output: Output, rows: _Rows) -> Column:
    at = rows.starts if output.how == "first" else rows.stops - 1
    if rows.missing is not None:
        present = np.flatnonzero(~rows.missing)
        if not len(present):
            return _present(output, rows.data[at], rows)
        place = (
            np.searchsorted(present, rows.starts) if output.how == "first" else np.searchsorted(present, rows.stops) - 1
        )
        at = present[np.clip(place, 0, len(present) - 1)]
    return _present(output, rows.data[at], rows)


_REDUCE: dict[str, Callable[[Output, _Rows], Column]] = {
    "sum": _sum,
    "mean": _mean,
    "min": _extreme,
    "max": _extreme,
    "count": _count,
    "first": _end,
    "last": _end,
}
