"""What a library should hold: a dict of lists of frames, changed the obvious way with pandas and numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

Span = tuple[pd.Timestamp | None, pd.Timestamp | None]
EPOCH = pd.Timestamp("2024-01-01")


def at(second: int) -> pd.Timestamp:
    return EPOCH + pd.Timedelta(second, "s")


@dataclass(frozen=True, slots=True)
class Version:
    """One version: `kind` is ticks (indexed by time), range, other (any frame or series) or pickled."""

    number: int
    rows: Any
    metadata: Any
    created: int
    kind: str

    @property
    def data(self) -> Any:
        return self.rows.frame if self.kind == "ticks" else self.rows


@dataclass(slots=True)
class Symbol:
    """Everything one name has had: live versions by number, the next number, idempotency keys."""

    next_number: int = 0
    live: dict[int, Version] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    last_created: int = 0

    @property
    def latest(self) -> Version | None:
        return self.live[max(self.live)] if self.live else None

    def add(self, rows: Any, metadata: Any, created: int, kind: str, *, prune: bool) -> Version:
        version = Version(self.next_number, rows, metadata, created, kind)
        self.live[version.number] = version
        self.next_number += 1
        self.last_created = created
        if prune:
            self.prune()
        return version

    def prune(self) -> None:
        newest = max(self.live)
        self.live = {newest: self.live[newest]}

    def made_by(self, moment: int) -> Version | None:
        """The newest live version made at that time or before."""
        found = [version for version in self.live.values() if version.created <= moment]
        return max(found, key=lambda version: version.number, default=None)


def frame_of(columns: dict[str, np.ndarray], index: pd.Index) -> pd.DataFrame:
    """A frame of these arrays, whose types pandas does not get to guess."""
    frame = pd.DataFrame(
        {name: pd.Series(values, index, values.dtype) for name, values in columns.items()}, index=index
    )
    frame.columns = pd.Index(list(columns), dtype="str")
    return frame


def filler(dtype: np.dtype[Any], rows: int) -> np.ndarray:
    """What rows show in a column they do not have."""
    if dtype.kind == "f":
        return np.full(rows, np.nan, dtype)
    if dtype.kind == "O":
        return np.full(rows, None, dtype)
    return np.zeros(rows, dtype)


class Ticks:
    """Rows indexed by time, as the parts in which they were given, each with columns of its own.

    What a part has not shows as the filler of the type that the column has in the end.
    """

    def __init__(self, parts: list[pd.DataFrame], dtypes: dict[str, np.dtype[Any]] | None = None) -> None:
        self.parts = [part for part in parts if len(part)] or parts[:1]
        self.dtypes = dict(dtypes or {})
        for part in parts:
            for name, dtype in part.dtypes.items():
                known = self.dtypes.get(name, dtype)
                self.dtypes[name] = known if known.kind == "O" else np.result_type(known, dtype)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All rows."""
        columns = {
            name: np.concatenate([_column(part, name, d) for part in self.parts]) for name, d in self.dtypes.items()
        }
        times = np.concatenate([part.index.to_numpy() for part in self.parts])
        return frame_of(columns, pd.DatetimeIndex(times, name=self.parts[0].index.name))

    def appended(self, new: pd.DataFrame) -> Ticks:
        """`new` after all rows."""
        return Ticks([*self.parts, new], self.dtypes)

    def without(self, span: Span) -> Ticks:
        """All rows but those in a range of time."""
        before, after = self._around(span)
        return Ticks(before + after, self.dtypes)

    def updated(self, new: pd.DataFrame, span: Span | None) -> Ticks:
        """`new` in the place of the rows in its own range of time, or in `span`."""
        inside = new if span is None else new[within(new, span)]
        if not len(inside):
            return Ticks(self.parts, Ticks([new], None).known_to(self.dtypes))
        before, after = self._around(span or (inside.index[0], inside.index[-1]))
        return Ticks([*before, inside, *after], self.dtypes)

    def known_to(self, dtypes: dict[str, np.dtype[Any]]) -> dict[str, np.dtype[Any]]:
        """These columns after others."""
        return Ticks(self.parts, dtypes).dtypes

    def _around(self, span: Span) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
        low, high = span
        none = pd.DataFrame.head
        before = [none(part, 0) if low is None else part[part.index < low] for part in self.parts]
        after = [none(part, 0) if high is None else part[part.index > high] for part in self.parts]
        return before, after


def _column(part: pd.DataFrame, name: str, dtype: np.dtype[Any]) -> np.ndarray:
    return part[name].to_numpy().astype(dtype) if name in part.columns else filler(dtype, len(part))


def within(frame: pd.DataFrame, span: Span) -> np.ndarray:
    """Which rows lie in a range of time, both ends included."""
    low, high = span
    inside = np.ones(len(frame), dtype=bool)
    if low is not None:
        inside &= frame.index >= low
    if high is not None:
        inside &= frame.index <= high
    return inside


def continued(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Numbered rows with others after them."""
    columns = {name: np.concatenate([old[name].to_numpy(), new[name].to_numpy()]) for name in old.columns}
    start = old.index.start if len(old) else new.index.start
    return frame_of(columns, pd.RangeIndex(start, start + len(old) + len(new), name=old.index.name))


def rows_of(version: Version, start: int | None, stop: int | None) -> Any:
    """Rows by position; a range starts again at its start."""
    data = version.data
    part = data.iloc[start:stop]
    if isinstance(data.index, pd.RangeIndex):
        first, step = data.index.start, data.index.step
        part = part.set_axis(pd.RangeIndex(first, first + len(part) * step, step, name=data.index.name))
    return part
