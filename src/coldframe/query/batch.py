"""A batch: the rows of one slice on their way through a query; columns are loaded when something asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.query.bound import Bound
from coldframe.query.columns import Column, absent, distinct_strings, repeated_string
from coldframe.query.source import Source
from coldframe.query.steps import Between, Compute, Keep, Step


class Batch:
    """Rows of one slice.

    Attributes
    ----------
    rows : int
        How many are left.
    """

    __slots__ = ("_chosen", "_missing", "_slots", "_source", "_start", "index", "rows")

    def __init__(self, source: Source, index: int) -> None:
        self._source = source
        self.index = index
        self.rows = int(source.rows[index])
        # The rows left: a range from `start`, or, once some were taken out of the middle, positions in the slice.
        self._start = 0
        self._chosen: NDArray[Any] | None = None
        self._slots: dict[int, Column] = {}
        self._missing: Collection[int] | None = None

    def column(self, slot: int) -> Column:
        """The values of a slot in the rows that are left."""
        column = self._slots.get(slot)
        if column is None:
            self.load((slot,))
            column = self._slots[slot]
        return column

    def load(self, slots: Iterable[int]) -> None:
        """Load those of some slots that are stored columns and not here yet, all at once."""
        width = self._source.schema.width
        for slot, column in self.whole([slot for slot in slots if slot < width and slot not in self._slots]):
            if self._chosen is not None:
                self._slots[slot] = column.take(self._chosen)
            elif self.rows != len(column):
                self._slots[slot] = column.rows(self._start, self._start + self.rows)
            else:
                self._slots[slot] = column

    def whole(self, slots: list[int]) -> list[tuple[int, Column]]:
        """Stored columns with all rows of the slice, not kept."""
        if not slots:
            return []
        source = self._source
        wanted = sorted(slots)
        missing = self.missing
        present = [slot for slot in wanted if slot not in missing] if missing else wanted
        loaded = []
        if present:
            loaded = list(zip(present, source.load(self.index, present), strict=True))
        if missing:
            rows = int(source.rows[self.index])
            loaded += [(slot, absent(source.schema.dtype(slot), rows)) for slot in wanted if slot in missing]
        return loaded

    @property
    def missing(self) -> Collection[int]:
        """The stored columns that the slice does not have."""
        if self._missing is None:
            self._missing = self._source.missing(self.index)
        return self._missing

    @property
    def chosen(self) -> NDArray[Any] | None:
        """The positions in the slice of the rows left; None if they are neighbours, from `start`."""
        return self._chosen

    @property
    def start(self) -> int:
        """The position in the slice of the first row, where the rows left are neighbours."""
        return self._start

    def has(self, slot: int) -> bool:
        """Whether the values of a slot are here."""
        return slot in self._slots

    def lacking(self, slots: list[int]) -> list[int]:
        """Those of some stored columns that would have to be read: not here yet, and in the slice."""
        missing = self.missing
        return [slot for slot in slots if slot not in self._slots and slot not in missing]

    def fill(self, slot: int, column: Column) -> None:
        """Put values into a slot."""
        self._slots[slot] = column

    def forget(self, live: frozenset[int]) -> None:
        """Let go of the slots that nothing needs any more."""
        for slot in [slot for slot in self._slots if slot not in live]:
            del self._slots[slot]

    def forget_stored(self) -> None:
        """Let go of stored columns: they can be loaded again."""
        width = self._source.schema.width
        for slot in [slot for slot in self._slots if slot < width]:
            del self._slots[slot]

    def size(self) -> int:
        """The bytes of numbers held, about."""
        held = (column.data for column in self._slots.values())
        return sum(data.nbytes if isinstance(data, np.ndarray) else 16 * self.rows for data in held)

    def cut(self, start: int, stop: int) -> None:
        """Keep the rows from `start` to `stop` of those left."""
        if start == 0 and stop == self.rows:
            return
        if self._chosen is not None:
            self._chosen = self._chosen[start:stop]
        self._start += start
        self.rows = stop - start
        self._slots = {slot: column.rows(start, stop) for slot, column in self._slots.items()}

    def keep(self, mask: NDArray[Any]) -> None:
        """Keep the rows where a mask is set."""
        (rows,) = mask.nonzero()
        count = len(rows)
        if count == self.rows:
            return
        if count == 0 or int(rows[-1]) - int(rows[0]) + 1 == count:
            first = int(rows[0]) if count else 0
            self.cut(first, first + count)
            return
        self._slots = {slot: column.take(rows) for slot, column in self._slots.items()}
        if self._chosen is not None:
            rows = self._chosen[rows]
        elif self._start:
            rows += self._start
        self._chosen = rows
        self.rows = count

    def run(self, step: Step, live: frozenset[int]) -> None:
        """Do one step; afterwards only `live` slots are needed."""
        if isinstance(step, Keep):
            mask = step.bound.condition()(self)
            self.forget(live)
            known = self._one_string(step.bound)
            self.keep(mask)
            self._slots.update((slot, repeated_string(column, code, self.rows)) for slot, column, code in known)
        elif isinstance(step, Between):
            self._between(step, live)
        elif isinstance(step, Compute):
            column = step.bound.column(self)
            self._slots[step.slot] = column
            self.forget(live)

    def _one_string(self, bound: Bound) -> list[tuple[int, Column, int]]:
        """Let go of the columns of which a condition leaves one string only, for their rows need not be gathered.

        Each with its slot and the string's code.
        """
        known = []
        for slot, predicate in bound.passed:
            column = self._slots.get(slot)
            values = None if column is None else distinct_strings(column)
            code = None if values is None else predicate.only(values)
            if code is not None:
                known.append((slot, self._slots.pop(slot), code))
        return known

    def _between(self, step: Between, live: frozenset[int]) -> None:
        times = self.column(step.slot).data
        if self._source.ordered:
            first, last = int(np.searchsorted(times, step.start)), int(np.searchsorted(times, step.stop, side="right"))
            self.forget(live)
            self.cut(first, max(first, last))
            return
        mask = (times >= step.start) & (times <= step.stop)
        self.forget(live)
        self.keep(mask)
