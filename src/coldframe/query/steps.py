"""The steps of a plan: clauses bound to columns, with the slots that each reads and fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from coldframe.format.dtypes import DType
from coldframe.query.bound import Bound
from coldframe.query.layout import Layout
from coldframe.query.scope import Scope


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the rows for which a condition holds."""

    bound: Bound
    scope: Scope

    @property
    def reads(self) -> frozenset[int]:
        """The slots that the condition reads."""
        return self.bound.slots

    def __str__(self) -> str:
        return f"filter {self.bound.node}"


@dataclass(frozen=True, slots=True)
class Between:
    """Keep the rows whose time lies between two instants, in the index's unit, both included."""

    slot: int
    start: int
    stop: int
    unit: str
    zone: str | None

    @property
    def reads(self) -> frozenset[int]:
        """The slot of the index."""
        return frozenset((self.slot,))

    def __str__(self) -> str:
        start, stop = (self._shown(end) for end in (self.start, self.stop))
        return f"date range {start} to {stop}"

    def _shown(self, end: int) -> str:
        if abs(end) >= 2**63 - 1:
            return "any time"
        instant = np.datetime64(end, self.unit)  # type: ignore[call-overload]
        try:
            return str(pd.Timestamp(instant, tz="UTC").tz_convert(self.zone))
        except (ValueError, OverflowError):
            return str(instant)  # beyond the years that pandas shows


@dataclass(frozen=True, slots=True)
class Cut:
    """Keep rows by position, as a Python slice."""

    start: int | None
    stop: int | None

    @property
    def reads(self) -> frozenset[int]:
        """None."""
        return frozenset()

    @property
    def from_start(self) -> bool:
        """Whether the first rows are enough to answer."""
        return self.stop is not None and self.stop >= 0 and (self.start is None or self.start >= 0)

    @property
    def from_end(self) -> bool:
        """Whether the last rows are enough to answer."""
        return self.start is not None and self.start < 0 and self.stop is None

    def __str__(self) -> str:
        return f"rows {'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}"


@dataclass(frozen=True, slots=True)
class Compute:
    """Fill a slot by an expression."""

    slot: int
    bound: Bound

    @property
    def reads(self) -> frozenset[int]:
        """The slots that the expression reads."""
        return self.bound.slots

    def __str__(self) -> str:
        return f"compute {self.bound.node}"


Step = Keep | Between | Cut | Compute


@dataclass(frozen=True, slots=True)
class Output:
    """One aggregate: of which column, how, and its type."""

    slot: int
    how: str
    source: DType
    dtype: DType


@dataclass(frozen=True, slots=True)
class Group:
    """Aggregate rows of equal keys."""

    keys: tuple[Bound, ...]
    outputs: tuple[Output, ...]
    sort: bool

    @property
    def reads(self) -> frozenset[int]:
        """The slots of keys and values."""
        slots = frozenset(output.slot for output in self.outputs)
        return slots.union(*(key.slots for key in self.keys))

    def __str__(self) -> str:
        keys = ", ".join(str(key.node) for key in self.keys)
        return f"group by {keys}: {', '.join(output.how for output in self.outputs)}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Aggregate rows of one bucket of time."""

    index: int
    dtype: DType
    rule: Any
    closed: str
    label: str
    offset: int
    origin: Any
    keep_empty: bool
    outputs: tuple[Output, ...]

    @property
    def reads(self) -> frozenset[int]:
        """The slots of index and values."""
        return frozenset((self.index, *(output.slot for output in self.outputs)))

    def __str__(self) -> str:
        how = ", ".join(output.how for output in self.outputs)
        return f"resample {getattr(self.rule, 'freqstr', self.rule)}: {how}"


@dataclass(frozen=True, slots=True)
class Order:
    """Order all rows by columns."""

    slots: tuple[int, ...]
    ascending: tuple[bool, ...]
    names: tuple[str, ...]

    @property
    def reads(self) -> frozenset[int]:
        """The slots of the keys."""
        return frozenset(self.slots)

    def __str__(self) -> str:
        shown = (name if up else f"{name} downwards" for name, up in zip(self.names, self.ascending, strict=True))
        return f"sort by {', '.join(shown)}"


@dataclass(frozen=True, slots=True)
class Unrepeat:
    """Keep one of the rows that agree in some columns."""

    slots: tuple[int, ...]
    keep: str | bool
    names: tuple[str, ...] | None

    @property
    def reads(self) -> frozenset[int]:
        """The slots compared."""
        return frozenset(self.slots)

    def __str__(self) -> str:
        return f"drop duplicates by {'all columns' if self.names is None else ', '.join(self.names)}"


Reducer = Group | Bucket | Order | Unrepeat


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps on slices, then perhaps a reducer that needs all of their rows.

    Attributes
    ----------
    entry : Layout
        Of the rows that come in; slots are positions.
    steps : tuple of Step
    reducer : Reducer or None
    exit : Layout
        Of the rows that go out: slots as in the stage, or, after a group or resample, positions.
    """

    entry: Layout
    steps: tuple[Step, ...]
    reducer: Reducer | None
    exit: Layout

    @property
    def live(self) -> frozenset[int]:
        """The slots needed once all steps are done."""
        if self.reducer is None:
            return self.exit.slots
        if isinstance(self.reducer, Group | Bucket):
            return self.reducer.reads
        return self.exit.slots | self.reducer.reads


@dataclass(frozen=True, slots=True)
class Plan:
    """What a read has to do, stage by stage; each works on the result of the one before."""

    stages: tuple[Stage, ...]

    @property
    def columns(self) -> list[int]:
        """The stored columns that are read, by their positions in table order."""
        first = self.stages[0]
        slots = first.live.union(*(step.reads for step in first.steps))
        return sorted(slot for slot in slots if slot < len(first.entry.fields))
