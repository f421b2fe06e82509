"""Groups rows into buckets of time: rows ascend by time, so a bucket is a run of neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import InternalException
from coldframe.format.codecs.linear import Steps
from coldframe.query.aggregates import Aggregates, Values
from coldframe.query.batch import Batch
from coldframe.query.buckets import Grid, Times, is_anchored, make_grid
from coldframe.query.columns import NAT, Column, Lazy, empty, stack
from coldframe.query.comparing import rescaled
from coldframe.query.group import Stream
from coldframe.query.runs import reduce_nothing, reduce_runs, supports
from coldframe.query.steps import Bucket, Output
from coldframe.query.types import PER_SECOND

_MOST = 100_000_000
"""Empty buckets kept by `empty="keep"` beyond this many are taken for a mistake."""

Brought = tuple[NDArray[Any], dict[int, Column]]
Placed = tuple[Times, dict[int, Column]]


class _Resampling:
    def __init__(self, step: Bucket) -> None:
        self.step = step
        self.aggregates = Aggregates(step.outputs)
        self.grid: Grid | None = None
        self._numbers: list[NDArray[Any]] = []
        self._size = 0

    def bring(self, batch: Batch) -> Brought:
        """Load what is needed of a batch; in a worker thread."""
        batch.load(self.step.reads)
        index = batch.column(self.step.index)
        times = rescaled(index.data, PER_SECOND[self.step.dtype.unit] // PER_SECOND[index.dtype.unit])
        return times, {slot: batch.column(slot) for slot in self.aggregates.slots}

    def bring_placed(self, batch: Batch) -> Placed:
        """The same, for those who only look where edges lie among the times: regular ones are not written out."""
        batch.load(self.step.reads)
        index = batch.column(self.step.index)
        if isinstance(index, Lazy) and isinstance(index.numbers, Steps) and index.dtype.unit == self.step.dtype.unit:
            return index.numbers, {slot: batch.column(slot) for slot in self.aggregates.slots}
        return self.bring(batch)

    def start(self, first: int, last: int) -> None:
        """Lay out the buckets, once the times that they may depend on are known."""
        self.grid = make_grid(self.step, first, last)

    def add(self, brought: Brought) -> None:
        """Take the next rows in."""
        times, columns = brought
        if self.grid is None:
            self.start(int(times[0]), int(times[-1]))
        assert self.grid is not None  # noqa: S101 -- just made
        starts, numbers = self.grid.runs(times)
        continued = bool(self._numbers) and self._numbers[-1][-1] == numbers[0]
        base = self._size - continued
        groups = np.repeat(base + np.arange(len(starts)), np.diff(np.append(starts, len(times))))
        self._size = base + len(starts)
        if len(numbers) > continued:
            self._numbers.append(numbers[int(continued) :])
        values = {slot: Values(column) for slot, column in columns.items()}
        self.aggregates.add(groups, self._size, 0, values)

    def finish(self) -> tuple[list[Column], int]:
        """The labels of the buckets, and the outputs."""
        step = self.step
        if self.grid is None:
            return [empty(step.dtype), *(empty(output.dtype) for output in step.outputs)], 0
        numbers = np.concatenate(self._numbers)
        groups = np.arange(len(numbers))
        if step.keep_empty:
            numbers, groups = self._with_empty(numbers)
        labels = Column(step.dtype, self.grid.labels(numbers))
        return [labels, *self.aggregates.finish(groups)], len(numbers)

    def _with_empty(self, numbers: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        every = _every(numbers)
        # One group more, that no row belongs to, stands for all empty buckets.
        self.aggregates.add(np.empty(0, dtype=np.intp), self._size + 1, 0, self._no_values())
        groups = np.full(len(every), self._size, dtype=np.intp)
        groups[numbers - numbers[0]] = np.arange(len(numbers))
        return every, groups

    def _no_values(self) -> dict[int, Values]:
        return {output.slot: Values(empty(output.source)) for output in self.step.outputs}


class _Cut:
    """A batch in runs: their numbers, the outputs of all but the outermost, and the rows of these."""

    __slots__ = ("first", "inner", "last", "numbers")

    def __init__(self, placed: Placed, grid: Grid, outputs: tuple[Output, ...]) -> None:
        times, columns = placed
        starts, self.numbers = grid.runs(times)
        edges = [0, len(times)] if len(starts) == 1 else [0, int(starts[1]), int(starts[-1]), len(times)]
        self.first = {slot: column.rows(edges[0], edges[1]) for slot, column in columns.items()}
        self.last: dict[int, Column] | None = None
        self.inner: list[Column] | None = None
        if len(starts) > 1:
            self.last = {slot: column.rows(edges[2], edges[3]) for slot, column in columns.items()}
        if len(starts) > 2:
            self.inner = reduce_runs(outputs, columns, starts[1:-1], edges[2])


class _RunByRun:
    """Puts together runs that go on in the next batch, so that each is reduced once, whole."""

    def __init__(self, step: Bucket) -> None:
        self.step = step
        self._numbers: list[NDArray[Any]] = []
        self._results: list[list[Column]] = []
        self._open: list[dict[int, Column]] = []
        self._number = 0

    def add(self, cut: _Cut) -> None:
        """The next batch."""
        first, last = int(cut.numbers[0]), int(cut.numbers[-1])
        if self._open and first != self._number:
            self._close()
        self._open.append(cut.first)
        self._number = first
        if cut.last is None:
            return
        self._close()
        if cut.inner is not None:
            self._numbers.append(cut.numbers[1:-1])
            self._results.append(cut.inner)
        self._open, self._number = [cut.last], last

    def _close(self) -> None:
        columns = {slot: stack([piece[slot] for piece in self._open]) for slot in self._open[0]}
        rows = len(next(iter(columns.values()))) if columns else 0
        self._results.append(reduce_runs(self.step.outputs, columns, np.zeros(1, dtype=np.intp), rows))
        self._numbers.append(np.array([self._number]))
        self._open = []

    def finish(self, grid: Grid | None) -> tuple[list[Column], int]:
        """The labels of the buckets, and the outputs."""
        step = self.step
        if self._open:
            self._close()
        if grid is None or not self._numbers:
            return [empty(step.dtype), *(empty(output.dtype) for output in step.outputs)], 0
        numbers = np.concatenate(self._numbers)
        columns = [stack([result[at] for result in self._results]) for at in range(len(step.outputs))]
        if step.keep_empty:
            every = _every(numbers)
            nothing = reduce_nothing(step.outputs)
            rows = np.full(len(every), len(numbers), dtype=np.intp)
            rows[numbers - numbers[0]] = np.arange(len(numbers))
            columns = [stack([column, none]).take(rows) for column, none in zip(columns, nothing, strict=True)]
            numbers = every
        return [Column(step.dtype, grid.labels(numbers)), *columns], len(numbers)


def _every(numbers: NDArray[Any]) -> NDArray[Any]:
    """The numbers of all buckets from the first to the last."""
    count = int(numbers[-1] - numbers[0]) + 1
    if count > _MOST:
        raise InternalException(
            f"resample with empty='keep' would make {count:,} buckets; use a coarser rule or empty='drop'"
        )
    return np.arange(numbers[0], numbers[-1] + 1)


def resample(stream: Stream, step: Bucket, *, ordered: bool | None) -> tuple[list[Column], int]:
    """The buckets of all rows of a stream: labels, then outputs."""
    resampling = _Resampling(step)
    by_runs = supports(step.outputs)
    if by_runs and ordered and step.outputs and is_anchored(step):
        # Nothing has to be known of other batches: each is cut into runs where it was loaded.
        grid = make_grid(step, 0, 0)
        runs = _RunByRun(step)
        for cut in stream(lambda batch: _Cut(resampling.bring_placed(batch), grid, step.outputs)):
            runs.add(cut)
        return runs.finish(grid)
    brought: Iterable[Brought] = stream(resampling.bring)
    from_end = isinstance(step.origin, str) and step.origin.startswith("end")
    if from_end or not ordered:
        brought = _ascending([one for one in brought if len(one[0])])
        if brought:
            resampling.start(int(brought[0][0][0]), int(brought[-1][0][-1]))
    if by_runs and step.outputs:
        return _in_runs(resampling, brought)
    for one in brought:
        if len(one[0]):
            resampling.add(one)
    return resampling.finish()


def _in_runs(resampling: _Resampling, brought: Iterable[Brought]) -> tuple[list[Column], int]:
    runs = _RunByRun(resampling.step)
    for one in brought:
        if not len(one[0]):
            continue
        if resampling.grid is None:
            resampling.start(int(one[0][0]), int(one[0][-1]))
        assert resampling.grid is not None  # noqa: S101 -- just made
        runs.add(_Cut(one, resampling.grid, resampling.step.outputs))
    return runs.finish(resampling.grid)


def _ascending(brought: list[Brought]) -> list[Brought]:
    """Rows in the order of their times: as they are if they ascend; rows without a time are left out."""
    edges = [times[at] for times, _ in brought for at in (0, -1)]
    steady = all(one <= other for one, other in pairwise(edges))
    if steady and (not edges or edges[0] != NAT) and all(bool((t[1:] >= t[:-1]).all()) for t, _ in brought):
        return brought
    times = np.concatenate([times for times, _ in brought])
    columns = {slot: stack([columns[slot] for _, columns in brought]) for slot in brought[0][1]}
    chosen = np.argsort(times, kind="stable")
    chosen = chosen[times[chosen] != NAT]
    if not len(chosen):
        return []
    return [(times[chosen], {slot: column.take(chosen) for slot, column in columns.items()})]
