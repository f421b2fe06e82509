"""The clauses of a query, as data: what was asked for, checked as far as it can be without a schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coldframe.format.dtypes import DType
from coldframe.query.expressions import ExpressionNode


class Clause:
    """One step of a query."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Filter(Clause):
    """Keep the rows for which an expression holds."""

    expression: ExpressionNode

    def __str__(self) -> str:
        bare = self.expression.op in ("COLUMN", "TERNARY")
        return f"WHERE IDENTITY({self.expression})" if bare else f"WHERE {self.expression}"


@dataclass(frozen=True, slots=True)
class Apply(Clause):
    """Add or replace a column by an expression."""

    name: str
    expression: ExpressionNode

    def __str__(self) -> str:
        return f'PROJECT Column["{self.name}"] = {self.expression}'


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One output column of an aggregation."""

    output: str
    column: str
    how: str


@dataclass(frozen=True, slots=True)
class GroupBy(Clause):
    """Group rows by equal keys; `Aggregate` follows."""

    keys: tuple[str, ...]
    sort: bool = True

    def __str__(self) -> str:
        return f"GROUPBY {', '.join(f'Column[{chr(34)}{key}{chr(34)}]' for key in self.keys)}"


@dataclass(frozen=True, slots=True)
class Resample(Clause):
    """Group rows into buckets of time; `Aggregate` may follow."""

    rule: Any
    closed: str
    label: str
    offset: int
    origin: Any
    keep_empty: bool

    def __str__(self) -> str:
        return f"RESAMPLE({getattr(self.rule, 'freqstr', self.rule)})"


@dataclass(frozen=True, slots=True)
class Aggregate(Clause):
    """What to compute for each group or bucket."""

    outputs: tuple[Aggregation, ...]

    def __str__(self) -> str:
        shown = "".join(f"{one.output}: ({one.column}, {one.how}), " for one in self.outputs)
        return f"AGGREGATE {{{shown}}}"


@dataclass(frozen=True, slots=True)
class Head(Clause):
    """The first `n` rows; all but the last `-n` if negative."""

    n: int

    def __str__(self) -> str:
        return f"ROWRANGE: HEAD, n={self.n}"


@dataclass(frozen=True, slots=True)
class Tail(Clause):
    """The last `n` rows; all but the first `-n` if negative."""

    n: int

    def __str__(self) -> str:
        return f"ROWRANGE: TAIL, n={self.n}"


@dataclass(frozen=True, slots=True)
class RowRange(Clause):
    """Rows by position, half open, negative from the end."""

    start: int | None
    stop: int | None

    def __str__(self) -> str:
        return f"ROWRANGE: RANGE, start={self.start}, end={self.stop}"


@dataclass(frozen=True, slots=True)
class DateRange(Clause):
    """Rows by their time, in nanoseconds, both ends included."""

    start: int
    stop: int

    def __str__(self) -> str:
        return f"DATE RANGE {self.start} - {self.stop}"


@dataclass(frozen=True, slots=True)
class Concat(Clause):
    """Stack the rows of several symbols."""

    join: str

    def __str__(self) -> str:
        return "CONCAT"


@dataclass(frozen=True, slots=True)
class Sort(Clause):
    """Order rows by columns; missing values last; equal rows stay in order."""

    by: tuple[str, ...]
    ascending: tuple[bool, ...]

    def __str__(self) -> str:
        keys = ", ".join(f"{name} {'ASC' if up else 'DESC'}" for name, up in zip(self.by, self.ascending, strict=True))
        return f"SORT {keys}"


@dataclass(frozen=True, slots=True)
class Distinct(Clause):
    """Keep one of the rows that agree in some columns (None: in all)."""

    subset: tuple[str, ...] | None
    keep: str | bool

    def __str__(self) -> str:
        return f"DISTINCT {'*' if self.subset is None else ', '.join(self.subset)} KEEP {self.keep}"


@dataclass(frozen=True, slots=True)
class Select(Clause):
    """Keep some columns, in the given order."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"SELECT {', '.join(self.names)}"


@dataclass(frozen=True, slots=True)
class Drop(Clause):
    """Leave some columns out."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"DROP {', '.join(self.names)}"


@dataclass(frozen=True, slots=True)
class Rename(Clause):
    """Give columns other names."""

    names: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"RENAME {', '.join(f'{old} -> {new}' for old, new in self.names)}"


@dataclass(frozen=True, slots=True)
class Cast(Clause):
    """Convert columns to other types."""

    types: tuple[tuple[str, DType], ...]

    def __str__(self) -> str:
        return f"CAST {', '.join(f'{name}: {dtype}' for name, dtype in self.types)}"
