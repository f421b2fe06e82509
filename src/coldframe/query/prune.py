"""Which slices may hold rows that a condition keeps: pure functions of the condition and of statistics, vectorised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.query import comparing
from coldframe.query.expressions import ExpressionNode
from coldframe.query.literals import Literal, ValueSet
from coldframe.query.scope import Scope
from coldframe.query.source import Statistics
from coldframe.query.types import NUMBERS

Mask = NDArray[Any]
_NEGATED = {"EQ": "NE", "NE": "EQ", "LT": "GE", "GE": "LT", "GT": "LE", "LE": "GT"}


class Known:
    """Statistics of the slices of a source, by column, and the slices that lack a column.

    Parameters
    ----------
    rows : int64 array
    statistics : callable
        The statistics of a column by its position in table order; None where nothing is known.
    absent : callable
        For a column, a mask of the slices that do not have it.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        statistics: Callable[[int], Statistics | None],
        absent: Callable[[int], Mask | None],
    ) -> None:
        self.rows = rows
        self._statistics = statistics
        self._absent = absent
        self._kept: dict[int, tuple[Statistics | None, Mask | None]] = {}

    def of(self, column: int) -> tuple[Statistics | None, Mask | None]:
        """What is known of a column, and the slices that do not have it."""
        if column not in self._kept:
            self._kept[column] = (self._statistics(column), self._absent(column))
        return self._kept[column]


def prune(node: ExpressionNode, scope: Scope, width: int, known: Known) -> Mask:
    """Whether each slice may hold a row for which the condition holds; slots below `width` are stored columns."""
    return _may(node, scope, width, known, negated=False)


def _may(node: ExpressionNode, scope: Scope, width: int, known: Known, *, negated: bool) -> Mask:
    op = node.op
    if op == "NOT":
        return _may(node.args[0], scope, width, known, negated=not negated)
    if op in ("AND", "OR"):
        left, right = (_may(part, scope, width, known, negated=negated) for part in node.args)
        return left & right if (op == "AND") != negated else left | right
    everything = np.ones(len(known.rows), dtype=np.bool_)
    field = _stored(node.args[0], scope, width) if op != "VALUE" else None
    if op in comparing.OPERATORS:
        right = node.args[1]
        if field is None:
            field, right, op = _stored(right, scope, width), node.args[0], comparing.MIRRORED[op]
        if field is None or right.op != "VALUE":
            return everything
        return _may_compare(op, field, right.args[0], known, negated=negated)
    if field is None:
        return everything
    if op in ("ISIN", "ISNOTIN"):
        return _may_be_in(field, node.args[1], known, negated=negated) if op == "ISIN" else everything
    if op in ("ISNULL", "NOTNULL"):
        return _may_be_null(field[0], known, missing=(op == "ISNULL") != negated)
    return everything


def _stored(node: Any, scope: Scope, width: int) -> tuple[int, DType] | None:
    """The stored column that an expression is, if its values can be compared with statistics."""
    if not isinstance(node, ExpressionNode) or node.op != "COLUMN" or not scope.has(node.args[0]):
        return None
    field = scope.find(node.args[0])
    if field.slot >= width or not field.dtype.fixed or field.dtype.kind == "category":
        return None
    return field.slot, field.dtype


def _may_compare(op: str, field: tuple[int, DType], constant: Literal, known: Known, *, negated: bool) -> Mask:
    column, dtype = field
    statistics, absent = known.of(column)
    everything = np.ones(len(known.rows), dtype=np.bool_)
    comparable = constant.dtype.kind in (*NUMBERS, "timestamp", "duration") or constant.dtype.kind == dtype.kind
    if not comparable:
        return everything
    if statistics is None:
        may = everything
    else:
        # A condition that fails may also fail because the value is missing; `!=` holds for missing values.
        missing = negated if op != "NE" else not negated
        limit = comparing.threshold(_NEGATED[op] if negated else op, dtype, constant)
        may = _between(limit, statistics) | ~statistics.known
        if missing:
            may |= statistics.nulls != 0
    return may if absent is None else np.where(absent, negated, may)


def _between(limit: comparing.Threshold, statistics: Statistics) -> Mask:
    low, high = statistics.minimum, statistics.maximum
    if limit.always is not None:
        return np.full(len(low), limit.always, dtype=np.bool_)
    value: Any = limit.value
    if limit.op == "EQ":
        return np.asarray((low <= value) & (high >= value))
    if limit.op == "NE":
        return np.asarray((low != value) | (high != value))
    return np.asarray(comparing.OPERATORS[limit.op](low if limit.op in ("LT", "LE") else high, value))


def _may_be_in(field: tuple[int, DType], values: ValueSet, known: Known, *, negated: bool) -> Mask:
    column, dtype = field
    statistics, absent = known.of(column)
    may = np.ones(len(known.rows), dtype=np.bool_)
    if statistics is not None and not negated:
        wanted = np.sort(comparing.set_for(dtype, values))
        first = np.searchsorted(wanted, statistics.minimum, side="left")
        last = np.searchsorted(wanted, statistics.maximum, side="right")
        may = (first < last) | ~statistics.known
    return may if absent is None else np.where(absent, negated, may)


def _may_be_null(column: int, known: Known, *, missing: bool) -> Mask:
    statistics, absent = known.of(column)
    may = np.ones(len(known.rows), dtype=np.bool_)
    if statistics is not None:
        nulls = statistics.nulls
        may = nulls != 0 if missing else (nulls < known.rows) | (nulls < 0)
    return may if absent is None else np.where(absent, missing, may)
