"""QueryBuilder: clauses collected one after the other, to be run by a read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from coldframe.exceptions import ArcticDbNotYetImplemented, ArcticException, InternalException, UserInputException
from coldframe.query import clauses
from coldframe.query.expressions import ExpressionNode, col, operand
from coldframe.query.types import parse_dtype

AGGREGATORS = (
    *("sum", "mean", "min", "max", "count"),
    *("first", "last", "std", "var", "median", "nunique", "any", "all"),
)
_EARLIEST, _LATEST = -(2**63) + 1, 2**63 - 1
_ORIGINS = ("epoch", "start", "start_day", "end", "end_day")
# Buckets of these rules are named by their end, and pandas closes them there.
_ENDING_RULES = ("ME", "M", "YE", "Y", "A", "QE", "Q", "BME", "BM", "BYE", "BA", "BY", "BQE", "BQ", "W")

C = TypeVar("C", bound=clauses.Clause)


class QueryBuilder:
    """A query: clauses in the order in which they run.

    Methods add a clause and return the builder; ``q[expression]`` returns a new one with a filter added.

    Examples
    --------
    >>> q = QueryBuilder()
    >>> q = q[q["price"] > 3].head(2)
    >>> print(q)
    WHERE (Column["price"] GT Val(UINT8:3)) | ROWRANGE: HEAD, n=2
    """

    def __init__(self) -> None:
        self.clauses: list[clauses.Clause] = []
        self._optimisation = "speed"

    # Columns and filters

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, str):
            return col(item)
        return self._copy()._add(clauses.Filter(_condition(operand(item))))  # noqa: SLF001 -- of the same class

    def __getattr__(self, name: str) -> ExpressionNode:
        if name.startswith("__") or name in ("clauses", "_optimisation"):
            raise AttributeError(name)
        return col(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.apply(name, value)

    def apply(self, name: str, expr: Any) -> Self:
        """Add a column, or replace one, by an expression or a constant."""
        if not isinstance(name, str):
            raise TypeError(f"apply names a column by str, not {type(name).__name__}")
        if isinstance(expr, list | tuple | set | frozenset | np.ndarray | pd.Series | pd.Index):
            raise ArcticException(
                f"Query cannot create the column {name!r} from a list, set or array of values; "
                "use an expression or one value"
            )
        return self._add(clauses.Apply(name, operand(expr)))

    # Groups

    def groupby(self, name: str | Sequence[str], sort: bool = True) -> Self:
        """Group by one or several columns; `agg` says what to compute. Groups come sorted, or as first seen."""
        keys = (name,) if isinstance(name, str) else tuple(name) if isinstance(name, list | tuple) else None
        if keys is None or not all(isinstance(key, str) for key in keys):
            raise TypeError(f"groupby takes a column name or a list of them, not {name!r}")
        if not keys or len(set(keys)) < len(keys):
            raise UserInputException(f"groupby takes one or more different columns, not {list(keys)}")
        return self._add(clauses.GroupBy(keys, bool(sort)))

    def agg(self, aggregations: Any) -> Self:
        """What to compute for each group: ``{"column": "sum"}`` or ``{"output": ("column", "sum")}``."""
        if not self.clauses or not isinstance(self.clauses[-1], clauses.GroupBy | clauses.Resample):
            raise ArcticException("Aggregation only makes sense after groupby or resample")
        if not isinstance(aggregations, Mapping):
            raise ArcticException(f"agg takes a dict, not {type(aggregations).__name__}")
        if not aggregations:
            raise InternalException("agg needs at least one aggregation, e.g. {'price': 'mean'}")
        return self._add(clauses.Aggregate(tuple(_aggregation(*item) for item in aggregations.items())))

    def resample(
        self,
        rule: Any,
        closed: str | None = None,
        label: str | None = None,
        offset: Any = None,
        origin: Any = "epoch",
        empty: str = "drop",
    ) -> Self:
        """Group into buckets of time by a frequency such as ``15min``, ``D``, ``W`` or ``ME``.

        Parameters
        ----------
        rule : str or pd.DateOffset
        closed, label : {"left", "right"}, optional
            Which end of a bucket belongs to it, and names it. Left, but right for both when `origin` is ``end`` or
            ``end_day``, and for rules that name their buckets by the end (``ME``, ``QE``, ``YE``, ``W``).
        offset : Timedelta or str, optional
            Added to the origin.
        origin : {"epoch", "start", "start_day", "end", "end_day"} or pd.Timestamp
            Where buckets are counted from.
        empty : {"drop", "keep"}
            What to do with buckets without rows.
        """
        frequency = _rule(rule)
        for name, side in (("closed", closed), ("label", label)):
            if side not in ("left", "right", None):
                raise ArcticException(f"{name} of resample must be 'left', 'right' or None, not {side!r}")
        if not isinstance(origin, pd.Timestamp) and (not isinstance(origin, str) or origin not in _ORIGINS):
            raise UserInputException(f"origin must be a pd.Timestamp or one of {', '.join(_ORIGINS)}, not {origin!r}")
        if empty not in ("drop", "keep"):
            raise UserInputException(f"empty must be 'drop' or 'keep', not {empty!r}")
        ends = origin in ("end", "end_day") if isinstance(origin, str) else False
        ends = ends or frequency.rule_code.split("-")[0] in _ENDING_RULES
        default = "right" if ends else "left"
        shift = _offset(offset)
        return self._add(
            clauses.Resample(frequency, closed or default, label or default, shift, origin, empty == "keep")
        )

    # Rows

    def head(self, n: int = 5) -> Self:
        """The first `n` rows; all but the last `-n` if negative."""
        return self._add(clauses.Head(_count(n, "head")))

    def tail(self, n: int = 5) -> Self:
        """The last `n` rows; all but the first `-n` if negative."""
        return self._add(clauses.Tail(_count(n, "tail")))

    def limit(self, n: int) -> Self:
        """At most the first `n` rows."""
        if _count(n, "limit") < 0:
            raise UserInputException(f"limit takes a number of rows, not {n}; head(-n) leaves out the last n")
        return self._add(clauses.Head(n))

    def row_range(self, row_range: Any) -> Self:
        """Rows by position: half open, negative from the end, None open."""
        if not isinstance(row_range, list | tuple) or len(row_range) != 2:
            raise UserInputException(f"row_range takes a pair (start, end), not {row_range!r}")
        for which, bound in zip(("first", "second"), row_range, strict=True):
            if bound is not None and type(bound) is not int:
                raise UserInputException(f"The {which} element of row_range must be None or int but was: {bound!r}")
        # All rows from the first on: nothing to do.
        return self if row_range[0] in (None, 0) and row_range[1] is None else self._add(clauses.RowRange(*row_range))

    def date_range(self, date_range: Any) -> Self:
        """Rows by time: both ends included, None open; naive values are UTC."""
        return self._add(clauses.DateRange(*date_bounds(date_range)))

    def sort_values(self, by: str | Sequence[str], ascending: bool | Sequence[bool] = True) -> Self:
        """Order rows by columns; missing values come last, equal rows stay in order."""
        names = _names(by, "sort_values")
        given = tuple(ascending) if isinstance(ascending, list | tuple | np.ndarray) else (ascending,) * len(names)
        if not all(isinstance(way, bool | np.bool_) for way in given):
            raise UserInputException(f"ascending is True, False or a list of them, not {ascending!r}")
        ways = tuple(map(bool, given))
        if len(ways) != len(names):
            raise UserInputException(f"sort_values got {len(names)} columns but {len(ways)} values of ascending")
        return self._add(clauses.Sort(names, ways))

    def drop_duplicates(self, subset: str | Sequence[str] | None = None, keep: Any = "first") -> Self:
        """Keep the first (or last, or with ``keep=False`` no) row of those that agree in `subset`."""
        if keep not in ("first", "last") and keep is not False:
            raise UserInputException(f"keep must be 'first', 'last' or False, not {keep!r}")
        names = None if subset is None else _names(subset, "drop_duplicates")
        return self._add(clauses.Distinct(names, keep))

    def unique(self, subset: str | Sequence[str] | None = None) -> Self:
        """The first of all rows that agree in `subset` (None: in all columns)."""
        return self.drop_duplicates(subset)

    # Columns

    def select(self, *names: Any) -> Self:
        """Keep these columns, in this order."""
        return self._add(clauses.Select(_names(_flat(names), "select", allow_none=True)))

    def drop(self, *names: Any) -> Self:
        """Leave these columns out."""
        return self._add(clauses.Drop(_names(_flat(names), "drop")))

    def rename(self, names: Any) -> Self:
        """Give columns other names: ``{"old": "new"}``."""
        if not isinstance(names, Mapping) or not all(isinstance(n, str) for pair in names.items() for n in pair):
            raise UserInputException("rename takes a dict of old to new column names")
        return self._add(clauses.Rename(tuple(names.items())))

    def cast(self, types: Any) -> Self:
        """Convert columns: ``{"price": "float32"}``."""
        if not isinstance(types, Mapping) or not all(isinstance(name, str) for name in types):
            raise UserInputException("cast takes a dict of column names to types")
        return self._add(clauses.Cast(tuple((name, parse_dtype(dtype)) for name, dtype in types.items())))

    # Several symbols, composition

    def concat(self, join: str = "outer") -> Self:
        """Stack the rows of several symbols; first clause of `read_batch_and_join`."""
        return self._add(clauses.Concat(join_kind(join)))

    def then(self, other: QueryBuilder) -> Self:
        """Add the clauses of another query after these."""
        self.clauses.extend(other.clauses)
        return self

    def prepend(self, other: QueryBuilder) -> Self:
        """Put the clauses of another query before these."""
        self.clauses[:0] = other.clauses
        return self

    def optimise_for_speed(self) -> Self:
        """Prefer speed; the default. Results are the same."""
        self._optimisation = "speed"
        return self

    def optimise_for_memory(self) -> Self:
        """Prefer a low peak of memory over speed. Results are the same."""
        self._optimisation = "memory"
        return self

    def explain(self) -> str:
        """The clauses, one a line, in the order in which they run; a lazy frame says how."""
        return "\n".join(str(clause) for clause in self.clauses) or "READ"

    def needs_post_processing(self) -> bool:
        """Whether anything has to be done with the rows that are read."""
        return bool(self.clauses)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QueryBuilder):
            return NotImplemented
        return str(self) == str(other) and self._optimisation == other._optimisation

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return " | ".join(str(clause) for clause in self.clauses)

    def __repr__(self) -> str:
        return str(self)

    def _copy(self) -> Self:
        fresh = self.__class__.__new__(self.__class__)
        fresh.__dict__.update(self.__dict__)
        fresh.clauses = list(self.clauses)
        return fresh

    def __copy__(self) -> Self:
        return self._copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._copy()

    def _add(self, clause: clauses.Clause) -> Self:
        self.clauses.append(clause)
        return self


def _condition(expression: ExpressionNode) -> ExpressionNode:
    if expression.op == "VALUE":
        raise UserInputException(
            f"a filter on the constant {expression.args[0]} keeps all rows or none; compare a column: q[q['name'] > 1]"
        )
    return expression


def _aggregation(output: Any, value: Any) -> clauses.Aggregation:
    if isinstance(value, str):
        column, how = output, value
    elif isinstance(value, tuple):
        if len(value) != 2 or not all(isinstance(part, str) for part in value):
            raise ArcticException(f"Tuple values in agg dict expected to have 2 string elements, received {value}")
        column, how = value
    else:
        raise ArcticException(f"Values in agg dict expected to be strings or tuples, received {value!r}")
    if not isinstance(output, str):
        raise ArcticException(f"Keys in agg dict expected to be strings, received {output!r}")
    if how.lower() not in AGGREGATORS:
        raise UserInputException(f"Unknown aggregation operator {how!r}; there are {', '.join(AGGREGATORS)}")
    return clauses.Aggregation(output, column, how.lower())


def _rule(rule: Any) -> Any:
    if isinstance(rule, pd.Timedelta | dt.timedelta):
        raise TypeError(f"resample takes a frequency as str or pd.DateOffset, not {type(rule).__name__}")
    legacy = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"}
    if isinstance(rule, str):
        for old, new in legacy.items():
            if rule.endswith(old) and (rule[: -len(old)].isdigit() or rule == old):
                rule = rule[: -len(old)] + new
                break
    try:
        frequency = pd.tseries.frequencies.to_offset(rule)
        named = getattr(frequency, "rule_code", None)
    except (ValueError, TypeError, NotImplementedError):
        frequency = named = None  # offsets without a code, such as Easter, are no frequencies in pandas either
    if frequency is None or named is None or frequency.n <= 0:
        raise ArcticDbNotYetImplemented(
            f"Frequency {rule!r} is not supported; use ns, us, ms, s, min, h, D, W, ME, MS, QE, QS, YE, YS, B, "
            "a multiple or a combination of the fixed ones, e.g. '15min' or '1h30min'"
        )
    return frequency


def _offset(offset: Any) -> int:
    if offset is None:
        return 0
    try:
        shift = pd.Timedelta(offset)
    except (ValueError, TypeError):
        shift = pd.NaT
    if shift is pd.NaT:
        raise UserInputException(f"offset must be a pd.Timedelta or a str that makes one, not {offset!r}")
    return int(shift.as_unit("ns").value)


def _count(n: Any, what: str) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{what} takes a number of rows, not {n!r}")
    return int(n)


def _names(names: Any, what: str, *, allow_none: bool = False) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Iterable) else None
    if found is None or not all(isinstance(name, str) for name in found) or not (found or allow_none):
        raise UserInputException(f"{what} takes a column name or a list of them, not {names!r}")
    return found


def _flat(names: tuple[Any, ...]) -> Any:
    return names[0] if len(names) == 1 and not isinstance(names[0], str) else names


def join_kind(join: Any) -> str:
    """``outer`` or ``inner``, however it is written."""
    if not isinstance(join, str) or join.lower() not in ("outer", "inner"):
        raise ArcticException(f"concat 'join' argument must be one of 'outer' or 'inner', received {join!r}")
    return join.lower()


def date_bounds(date_range: Any) -> tuple[int, int]:
    """The ends of a date range in nanoseconds UTC, both included; None is open.

    Examples
    --------
    >>> date_bounds((pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-01T00:00:01Z")))
    (0, 1000000000)
    """
    if isinstance(date_range, pd.DatetimeIndex):
        if not len(date_range):
            return _LATEST, _EARLIEST
        date_range = (date_range[0], date_range[-1])
    if not isinstance(date_range, list | tuple) and hasattr(date_range, "start"):
        date_range = (date_range.start, getattr(date_range, "end", getattr(date_range, "stop", None)))
    if not isinstance(date_range, list | tuple) or not 1 <= len(date_range) <= 2:
        raise TypeError(f"date_range takes a pair (start, end), not {date_range!r}")
    start, stop = date_range[0], date_range[-1]
    return _instant(start, "start", _EARLIEST), _instant(stop, "end", _LATEST)


def _instant(value: Any, which: str, otherwise: int) -> int:
    if value is None:
        return otherwise
    if not isinstance(value, dt.date) or value is pd.NaT:
        raise TypeError(f"the {which} of a date_range must be a datetime, date or Timestamp, not {value!r}")
    stamp = pd.Timestamp(value)
    try:
        return int(stamp.as_unit("ns").value)
    except (OverflowError, ValueError):
        return _EARLIEST if stamp.year < 1970 else _LATEST
