"""Groups rows into buckets of time: rows ascend by time, so a bucket is a run of neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import InternalException
from coldframe.query.aggregates import Aggregates, Values
from coldframe.query.batch import Batch
from coldframe.query.buckets import Grid, make_grid
from coldframe.query.columns import NAT, Column, empty, stack
from coldframe.query.comparing import rescaled
from coldframe.query.group import Stream
from coldframe.query.steps import Bucket
from coldframe.query.types import PER_SECOND

_MOST = 100_000_000
"""Empty buckets kept by `empty="keep"` beyond this many are taken for a mistake."""

Brought = tuple[NDArray[Any], dict[int, Column]]


class _Resampling:
    def __init__(self, step: Bucket) -> None:
        self.step = step
        self.aggregates = Aggregates(step.outputs)
        self._grid: Grid | None = None
        self._numbers: list[NDArray[Any]] = []
        self._size = 0

    def bring(self, batch: Batch) -> Brought:
        """Load what is needed of a batch; in a worker thread."""
        index = batch.column(self.step.index)
        times = rescaled(index.data, PER_SECOND[self.step.dtype.unit] // PER_SECOND[index.dtype.unit])
        return times, {slot: batch.column(slot) for slot in self.aggregates.slots}

    def start(self, first: int, last: int) -> None:
        """Lay out the buckets, once the times that they may depend on are known."""
        self._grid = make_grid(self.step, first, last)

    def add(self, brought: Brought) -> None:
        """Take the next rows in."""
        times, columns = brought
        if self._grid is None:
            self.start(int(times[0]), int(times[-1]))
        assert self._grid is not None  # noqa: S101 -- just made
        starts, numbers = self._grid.runs(times)
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
        if self._grid is None:
            return [empty(step.dtype), *(empty(output.dtype) for output in step.outputs)], 0
        numbers = np.concatenate(self._numbers)
        groups = np.arange(len(numbers))
        if step.keep_empty:
            numbers, groups = self._with_empty(numbers)
        labels = Column(step.dtype, self._grid.labels(numbers))
        return [labels, *self.aggregates.finish(groups)], len(numbers)

    def _with_empty(self, numbers: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        count = int(numbers[-1] - numbers[0]) + 1
        if count > _MOST:
            raise InternalException(
                f"resample with empty='keep' would make {count:,} buckets; use a coarser rule or empty='drop'"
            )
        # One group more, that no row belongs to, stands for all empty buckets.
        self.aggregates.add(np.empty(0, dtype=np.intp), self._size + 1, 0, self._no_values())
        every = np.arange(numbers[0], numbers[-1] + 1)
        groups = np.full(count, self._size, dtype=np.intp)
        groups[numbers - numbers[0]] = np.arange(len(numbers))
        return every, groups

    def _no_values(self) -> dict[int, Values]:
        return {output.slot: Values(empty(output.source)) for output in self.step.outputs}


def resample(stream: Stream, step: Bucket, *, ordered: bool | None) -> tuple[list[Column], int]:
    """The buckets of all rows of a stream: labels, then outputs."""
    resampling = _Resampling(step)
    brought: Iterable[Brought] = stream(resampling.bring)
    from_end = isinstance(step.origin, str) and step.origin.startswith("end")
    if from_end or not ordered:
        brought = _ascending([one for one in brought if len(one[0])])
        if brought:
            resampling.start(int(brought[0][0][0]), int(brought[-1][0][-1]))
    for one in brought:
        if len(one[0]):
            resampling.add(one)
    return resampling.finish()


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
