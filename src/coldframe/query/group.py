"""Groups rows by keys: keys are numbered batch by batch, values are added to their groups in row order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.table import StringColumn
from coldframe.query.aggregates import Aggregates, Space, Values
from coldframe.query.batch import Batch
from coldframe.query.columns import Column, empty
from coldframe.query.keys import Integers, Key
from coldframe.query.sort import order
from coldframe.query.steps import Group

_WAVE = 1 << 20
"""Batches with unknown strings wait for each other until they have so many rows, or as many as there are keys."""

Stream = Callable[[Callable[[Batch], Any]], Iterator[Any]]


class _Brought:
    """What a worker makes of a batch: keys without the missing ones, and the values beside them."""

    __slots__ = ("prepared", "rows", "values")

    def __init__(self, prepared: list[Any], values: dict[int, Values], rows: int) -> None:
        self.prepared = prepared
        self.values = values
        self.rows = rows


class _Grouping:
    def __init__(self, reducer: Group) -> None:
        self.reducer = reducer
        self.keys = [Key(bound.dtype) for bound in reducer.keys]
        # For each key but the first: the numbers of its values together with those of the keys before it. Only the
        # last of them are groups; the others stand inside the next one's keys and must stay.
        later = len(self.keys) - 1
        self._combined = [Integers(still=at < later) for at in range(later)] or [Integers()]
        self.aggregates = Aggregates(reducer.outputs)
        self._first = None if reducer.sort else Space(np.int64, 2**63 - 1)
        self._seen = 0
        self._waiting: list[_Brought] = []
        self._waiting_rows = 0

    @property
    def _alone(self) -> bool:
        return len(self.keys) == 1 and not self.keys[0].of_strings

    def bring(self, batch: Batch) -> _Brought | None:
        """Prepare a batch; in a worker thread."""
        batch.load(self.reducer.reads)
        made = [key.ready(bound.column(batch)) for key, bound in zip(self.keys, self.reducer.keys, strict=True)]
        columns, masks = [column for column, _ in made], [present for _, present in made if present is not None]
        values = {slot: batch.column(slot) for slot in self.aggregates.slots}
        if masks:
            rows = np.flatnonzero(np.logical_and.reduce(masks))
            if not len(rows):
                return None
            values = {slot: column.take(rows) for slot, column in values.items()}
            columns = [column.take(rows) for column in columns]
        prepared = [key.prepare(column) for key, column in zip(self.keys, columns, strict=True)]
        return _Brought(prepared, {slot: Values(column) for slot, column in values.items()}, len(columns[0]))

    def add(self, brought: _Brought) -> None:
        """Take a prepared batch in; in the order of slices."""
        if self._waiting or any(isinstance(prepared, StringColumn) for prepared in brought.prepared):
            self._waiting.append(brought)
            self._waiting_rows += brought.rows
            if self._waiting_rows >= max(_WAVE, *(key.size for key in self.keys)):
                self._learn()
        else:
            self._add(brought)

    def _learn(self) -> None:
        """Make known the dictionaries of the batches that wait, all together, and take these batches in."""
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        for at, key in enumerate(self.keys):
            unknown = [one for one in waiting if isinstance(one.prepared[at], StringColumn)]
            if unknown:
                for one, numbers in zip(unknown, key.learn([one.prepared[at] for one in unknown]), strict=True):
                    one.prepared[at] = numbers
        for one in waiting:
            self._add(one)

    def _add(self, brought: _Brought) -> None:
        groups, size, moved = self._number(brought)
        self.aggregates.add(groups, size, moved, brought.values)
        if self._first is not None:
            self._first.grow(size, moved)
            np.minimum.at(self._first.array, groups, self._seen + np.arange(brought.rows))
            self._seen += brought.rows

    def _number(self, brought: _Brought) -> tuple[NDArray[Any], int, int]:
        """The group of each row, how many groups there are, and by how much earlier ones move up."""
        if self._alone:
            groups, moved = self._combined[0].add(brought.prepared[0])
            return groups, self._combined[0].size, moved
        groups, size = self.keys[0].small(brought.prepared[0])
        moved = 0
        for key, prepared, combined in zip(self.keys[1:], brought.prepared[1:], self._combined, strict=False):
            both = (groups.astype(np.int64) << 32) | key.small(prepared)[0]
            groups, moved = combined.add(both)
            size = combined.size
        return groups, size, moved

    def finish(self) -> tuple[list[Column], int]:
        """Keys and outputs of the groups that have rows."""
        self._learn()
        groups = np.flatnonzero(self.aggregates.rows.array > 0)
        if not len(groups):
            dtypes = [*(key.dtype for key in self.keys), *(output.dtype for output in self.reducer.outputs)]
            return [empty(dtype) for dtype in dtypes], 0
        keys = self._decoded(groups)
        first = self._first
        chosen = order(keys, (True,) * len(keys)) if first is None else np.argsort(first.array[groups])
        columns = [key.take(chosen) for key in keys] + self.aggregates.finish(groups[chosen])
        return columns, len(groups)

    def _decoded(self, groups: NDArray[Any]) -> list[Column]:
        """The values of each key for some groups."""
        if self._alone:
            return [self.keys[0].column(self._combined[0].keys(groups))]
        columns: list[Column] = []
        numbers = groups
        for key, combined in zip(self.keys[:0:-1], self._combined[::-1], strict=False):
            both = combined.keys(numbers)
            columns.append(key.behind(both & 0xFFFFFFFF))
            numbers = both >> 32
        columns.append(self.keys[0].behind(numbers))
        return columns[::-1]


def group(stream: Stream, reducer: Group) -> tuple[list[Column], int]:
    """The groups of all rows of a stream: columns of keys, then of outputs."""
    grouping = _Grouping(reducer)
    for brought in stream(grouping.bring):
        grouping.add(brought)
    return grouping.finish()
