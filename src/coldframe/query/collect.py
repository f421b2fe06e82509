"""Gathers the rows that are left of many batches straight into the arrays of the result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.format.table import StringColumn
from coldframe.memory import result_array
from coldframe.parallel import map_jobs
from coldframe.query.batch import Batch
from coldframe.query.columns import MANY, Column, blank, empty, stack_strings, take_strings
from coldframe.query.steps import Step

Ready = Callable[[int, StringColumn], None]
"""What is told of a column of strings, by its slot, that is complete while others are still being gathered."""
_SMALL = 1 << 15
"""So many values are worked on in the calling thread: handing them over would take longer."""


def alone(values: int) -> bool:
    """Whether to work in the calling thread: for few values, and in a worker, which must not wait for workers."""
    return values <= _SMALL or threading.current_thread().name.startswith("coldframe")


def collect(
    batches: list[Batch],
    steps: list[tuple[Step, frozenset[int]]],
    slots: list[tuple[int, Any]],
    ready: Ready | None = None,
) -> tuple[list[Column], int]:
    """The columns in `slots` (with their types) of all batches after some last steps that keep every row.

    `ready` is called in this thread while others gather.
    """
    rows = sum(batch.rows for batch in batches)
    if not rows:
        return [empty(dtype) for _, dtype in slots], 0
    gathering = _Gathering(slots, len(batches), rows)
    at, jobs = 0, []
    for number, batch in enumerate(batches):
        jobs.append((number, batch, at))
        at += batch.rows
    gather = gathering.add
    reads = frozenset[int]().union(*(step.reads for step, _ in steps))

    def work(job: tuple[int, Batch, int]) -> None:
        _, batch, _ = job
        batch.load(reads)
        for step, live in steps:
            batch.run(step, live)
        gather(*job)
        batch.forget(frozenset())

    meanwhile = None
    if ready is not None and gathering.take_complete(batches):
        meanwhile = partial(gathering.tell, ready)
    map_jobs(work, jobs, inline=alone(rows * len(slots)), meanwhile=meanwhile)
    return gathering.finish(), rows


def _arrays(dtypes: dict[int, DType], rows: int) -> dict[int, NDArray[Any]]:
    """Memory for columns: an array each, so that dropping one frees it; of many of one type, rows of one array."""
    together: dict[DType, list[int]] = {}
    for slot, dtype in dtypes.items():
        together.setdefault(dtype, []).append(slot)
    arrays: dict[int, NDArray[Any]] = {}
    for dtype, slots in together.items():
        if len(slots) > MANY:
            arrays.update(zip(slots, result_array((len(slots), rows), dtype.storage), strict=True))
        else:
            arrays.update((slot, result_array(rows, dtype.storage)) for slot in slots)
    return arrays


class _Gathering:
    """The arrays of the result while they are filled: disjoint rows by several threads."""

    def __init__(self, slots: list[tuple[int, Any]], batches: int, rows: int) -> None:
        self._slots = slots
        self._rows = rows
        distinct = dict(slots)
        self._numbers = _arrays({slot: dtype for slot, dtype in distinct.items() if dtype.fixed}, rows)
        self._strings: dict[int, list[StringColumn | None]] = {
            slot: [None] * batches for slot, dtype in distinct.items() if not dtype.fixed
        }
        self._valid: dict[int, list[tuple[int, NDArray[Any]]]] = {slot: [] for slot in distinct}
        self._complete: list[int] = []

    def take_complete(self, batches: list[Batch]) -> bool:
        """Take the columns of strings of which all batches have the rows that are left; whether there are any."""
        for slot in self._strings:
            if all(batch.has(slot) and batch.column(slot).valid is None for batch in batches):
                self._strings[slot] = [batch.column(slot).data for batch in batches]
                self._complete.append(slot)
        return bool(self._complete)

    def tell(self, ready: Ready) -> None:
        """Tell of the columns that were complete."""
        for slot in self._complete:
            rows = self._data(slot)
            # What is made of these rows is this column's alone, even if another one is a copy of it.
            column = StringColumn(rows.values, rows.codes, rows.missing)
            ready(slot, column)
            self._strings[slot] = [column]

    def add(self, number: int, batch: Batch, at: int) -> None:
        """The rows of a batch, from row `at` of the result."""
        stored = []
        for slot in self._valid:
            if slot in self._complete:
                continue
            if batch.has(slot):
                self._put(slot, number, batch.column(slot), at, None)
            else:
                stored.append(slot)
        chosen, start, rows = batch.chosen, batch.start, batch.rows
        for slot, column in batch.whole(stored):
            if chosen is None and rows != len(column):
                self._put(slot, number, column.rows(start, start + rows), at, None)
            else:
                self._put(slot, number, column, at, chosen)

    def _put(self, slot: int, number: int, column: Column, at: int, chosen: NDArray[Any] | None) -> None:
        rows = len(column) if chosen is None else len(chosen)
        if slot in self._numbers:
            column.put(self._numbers[slot][at : at + rows], chosen)
        else:
            self._strings[slot][number] = column.data if chosen is None else take_strings(column.data, chosen)
        if column.valid is None:
            return
        valid = column.valid if chosen is None else column.valid.take(chosen)
        if slot in self._numbers and column.dtype.kind not in ("int", "uint", "bool"):
            # Types that can say themselves that a value is missing need no mask beside the result.
            np.copyto(self._numbers[slot][at : at + rows], column.dtype.storage.type(blank(column.dtype)), where=~valid)
        else:
            self._valid[slot].append((at, valid))

    def finish(self) -> list[Column]:
        """The columns of the result."""
        return [Column(dtype, self._data(slot), self._mask(slot)) for slot, dtype in self._slots]

    def _data(self, slot: int) -> Any:
        if slot in self._numbers:
            return self._numbers[slot]
        return stack_strings([piece for piece in self._strings[slot] if piece is not None])

    def _mask(self, slot: int) -> NDArray[Any] | None:
        pieces = self._valid[slot]
        if not pieces:
            return None
        mask = np.ones(self._rows, dtype=np.bool_)
        for at, valid in pieces:
            mask[at : at + len(valid)] = valid
        return mask
