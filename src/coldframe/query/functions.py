"""Functions in expressions, bound: choices, rounding, filling, casts, parts of times, operations on strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coldframe.exceptions import InternalException, UserInputException
from coldframe.format.dtypes import DType
from coldframe.query import computing, texts, times
from coldframe.query.bound import Bound, Values, bind, constant_of, family, narrow, refuse, text_mask, unit_of
from coldframe.query.columns import Column
from coldframe.query.expressions import ExpressionNode
from coldframe.query.literals import BOOL, FLOAT64, INT64, STRING, Literal
from coldframe.query.scope import Decoder, Scope
from coldframe.query.types import (
    FLOAT32,
    INT32,
    INTEGERS,
    NUMBERS,
    PER_SECOND,
    common_number,
    finer,
    unit_holding,
    wider,
)

Mask = NDArray[Any]


def _bind_where(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    condition, left, right = (bind(part, scope, what) for part in node.args)
    if condition.constant is not None:
        raise InternalException(f"the condition of where is the constant {condition.node}; compare a column")
    if condition.mask is None and condition.dtype.kind != "bool":
        raise UserInputException(f"the condition of where, {condition.node}, is of type {condition.dtype}; compare it")
    holds = condition.condition()
    slots = condition.slots | left.slots | right.slots
    if left.mask is not None or right.mask is not None:
        return _where_masks(node, slots, holds, left, right)
    dtype = _where_type(node, left, right)
    one, other = _branch(left, dtype), _branch(right, dtype)
    return Bound(node, dtype, slots, values=lambda b: computing.choose(holds(b), one(b), other(b), dtype))


def _where_masks(
    node: ExpressionNode, slots: frozenset[int], holds: Callable[[Values], Mask], left: Bound, right: Bound
) -> Bound:
    if left.dtype.kind != "bool" or right.dtype.kind != "bool":
        refuse(node, left, right)
    one, other = left.column, right.column

    def mask(batch: Values) -> Mask:
        chosen: Mask = np.where(holds(batch), one(batch).data, other(batch).data)
        return chosen

    return Bound(node, BOOL, slots, mask=mask)


def _branch(operand: Bound, dtype: DType) -> Callable[[Values], Column]:
    constant = operand.constant
    if constant is None or not dtype.temporal:
        return narrow(operand)
    column = Column(dtype, np.array([constant.value // (10**9 // PER_SECOND[dtype.unit])], dtype="i8"))
    return lambda _: column


def _where_type(node: ExpressionNode, left: Bound, right: Bound) -> DType:
    families = (family(left.dtype), family(right.dtype))
    if families[0] != families[1] or families[0] in ("category", "binary"):
        refuse(node, left, right)
    if families[0] == "number":
        return _where_number(left, right)
    if left.dtype.temporal:
        unit = finer(unit_of(left, right), unit_of(right, left))
        known = [side.dtype.zone for side in (left, right) if side.constant is None]
        zone = known[0] if known and all(one == known[0] for one in known) else None
        return DType(left.dtype.kind, 64, unit, zone)
    return left.dtype


def _where_number(left: Bound, right: Bound) -> DType:
    for one, other in ((left, right), (right, left)):
        constant = one.constant
        if constant is not None and constant.weak and other.dtype == FLOAT32:
            return FLOAT32
    kinds = {left.dtype.kind, right.dtype.kind}
    if "float" in kinds and len(kinds) > 1:
        return FLOAT64
    both = common_number(left.dtype, right.dtype)
    for one, other in ((left, right), (right, left)):
        # A constant beyond 32 bits counts as uint64, for which no signed type is wide enough: the column's may be.
        if both.kind == "float" and one.constant is not None and other.dtype.kind in INTEGERS and _fits(one, other):
            return other.dtype
    return both


def _fits(constant: Bound, column: Bound) -> bool:
    literal, dtype = constant.constant, column.dtype
    if literal is None or literal.dtype.kind not in INTEGERS:
        return False
    info = np.iinfo(dtype.storage.name)
    return bool(info.min <= literal.value <= info.max)


def _bind_round(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = _of_kinds(node, scope, what, NUMBERS)
    decimals, dtype = node.args[1], operand.dtype
    if decimals < 0 and dtype.kind in INTEGERS:
        dtype = DType(dtype.kind, wider(dtype.bits))  # 127 becomes 130
    return Bound(
        node, dtype, operand.slots, values=lambda b: computing.round_numbers(operand.column(b), decimals, dtype)
    )


def _bind_clip(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = _of_kinds(node, scope, what, (*NUMBERS, "timestamp", "duration"))
    bounds: list[Literal | None] = list(node.args[1:])
    dtype = operand.dtype
    for constant in bounds:
        if constant is not None:
            dtype = _clip_type(node, operand, dtype, constant)
    low, high = (None if constant is None else _stored(dtype, constant) for constant in bounds)
    if low is not None and high is not None and low > high:
        low, high = high, low  # as in pandas

    def values(batch: Values) -> Column:
        return computing.clip(computing.cast(operand.column(batch), dtype), low, high)

    return Bound(node, dtype, operand.slots, values=values)


def _clip_type(node: ExpressionNode, operand: Bound, dtype: DType, constant: Literal) -> DType:
    """The type that values have once they are clipped by a constant: the column's own if that is possible."""
    limit = constant_of(node, constant)
    if family(constant.dtype) != family(dtype):
        refuse(node, operand, limit)
    if dtype.temporal:
        return DType(dtype.kind, 64, unit_holding(constant.value, dtype.unit), dtype.zone)
    if dtype.kind == "float":
        return dtype
    if constant.dtype.kind == "float":
        return FLOAT64
    info = np.iinfo(cast("Any", dtype.storage))
    lower = node.args[1] is constant
    possible = constant.value <= info.max if lower else constant.value >= info.min
    return dtype if possible else common_number(dtype, constant.dtype)


def _stored(dtype: DType, constant: Literal) -> Any:
    """A constant as values of a type are stored: an integer of its range, or a float."""
    value = constant.value
    if dtype.temporal:
        return value // (10**9 // PER_SECOND[dtype.unit])
    if dtype.kind in INTEGERS:
        info = np.iinfo(cast("Any", dtype.storage))
        return dtype.storage.type(min(max(value, info.min), info.max))
    return float(value)


def _bind_fill(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = bind(node.args[0], scope, what)
    constant: Literal = node.args[1]
    dtype = operand.dtype
    if operand.mask is not None or operand.constant is not None or dtype.kind in ("category", "binary"):
        refuse(node, operand)
    if family(constant.dtype) != family(dtype):
        refuse(node, operand, constant_of(node, constant))
    value = constant.value
    if dtype.kind in NUMBERS:
        filling = constant_of(node, constant)
        # The column keeps its type if that holds the value.
        if dtype.kind != "float" and not _fits(filling, operand):
            dtype = _where_number(operand, filling)
    elif dtype.temporal:
        dtype = DType(dtype.kind, 64, unit_holding(value, dtype.unit), dtype.zone)
        value = value // (10**9 // PER_SECOND[dtype.unit])
    return Bound(node, dtype, operand.slots, values=lambda b: computing.fill(operand.column(b), value, dtype))


def _bind_cast(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = bind(node.args[0], scope, what)
    dtype: DType = node.args[1]
    inner = operand.column
    source = operand.dtype
    inside = node.args[0]
    if source.kind == "category" and inside.op == "COLUMN":
        field = scope.find(inside.args[0], what)
        if field.categories is not None:
            decoder = Decoder(field.categories)
            plain, source = inner, decoder.dtype
            inner = lambda batch: decoder.decode(plain(batch))  # noqa: E731
    bad = source.kind in ("category", "binary") or dtype.kind in ("category", "binary")
    if (
        bad
        or (source.kind in ("float", "bool") and dtype.temporal)
        or {source.kind, dtype.kind} == {"timestamp", "duration"}
    ):
        raise UserInputException(f"{node}: {source} cannot be cast to {dtype}")
    return Bound(node, dtype, operand.slots, values=lambda batch: computing.cast(inner(batch), dtype))


def _bind_times(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = _of_kinds(node, scope, what, ("timestamp",))
    how, arguments = node.args[1], node.args[2:]
    inner, dtype = operand.column, operand.dtype
    if how in ("floor", "ceil", "round"):
        _check_multiple(node, dtype, arguments[0])
        return Bound(node, dtype, operand.slots, values=lambda b: times.rounded(inner(b), how, arguments[0]))
    if how == "date":
        naive = DType("timestamp", 64, dtype.unit)
        return Bound(node, naive, operand.slots, values=lambda b: times.date(inner(b)))
    if how in ("tz_convert", "tz_localize"):
        return _bind_zone(node, operand, how, arguments[0])
    return Bound(node, INT32, operand.slots, values=lambda b: times.part(inner(b), how))


def _check_multiple(node: ExpressionNode, dtype: DType, nanoseconds: int) -> None:
    per_unit = 10**9 // PER_SECOND[dtype.unit]
    if nanoseconds % per_unit and per_unit % nanoseconds:
        finer_unit = unit_holding(nanoseconds, dtype.unit)
        raise UserInputException(
            f"{node}: multiples of {pd.Timedelta(nanoseconds)} are no whole {dtype.unit}; cast to "
            f"datetime64[{finer_unit}] first"
        )


def _bind_zone(node: ExpressionNode, operand: Bound, how: str, zone: str | None) -> Bound:
    dtype, inner = operand.dtype, operand.column
    result = DType("timestamp", 64, dtype.unit, zone)
    if how == "tz_convert":
        if dtype.zone is None:
            raise UserInputException(f"{node}: the times have no zone; use tz_localize first")
        return Bound(
            node, result, operand.slots, values=lambda b: Column(result, (column := inner(b)).data, column.valid)
        )
    if dtype.zone is not None and zone is not None:
        raise UserInputException(f"{node}: the times have the zone {dtype.zone} already; use tz_convert")
    return Bound(node, result, operand.slots, values=lambda b: times.localized(inner(b), zone))


def _bind_strings(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = _texts(node, scope, what)
    how, arguments = node.args[1], node.args[2:]
    if how in ("startswith", "endswith"):
        predicate = (texts.starting if how == "startswith" else texts.ending)(arguments[0])
        return text_mask(node, operand, predicate)
    if how == "len":
        return Bound(node, INT64, operand.slots, values=lambda b: texts.lengths(operand.column(b)))
    change = texts.change_of(how, arguments)
    return Bound(node, STRING, operand.slots, values=lambda b: texts.transform(operand.column(b), change))


def _texts(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    return _of_kinds(node, scope, what, ("string",))


def _of_kinds(node: ExpressionNode, scope: Scope, what: str, kinds: tuple[str, ...]) -> Bound:
    operand = bind(node.args[0], scope, what)
    if operand.mask is not None or operand.dtype.kind not in kinds:
        refuse(node, operand)
    return operand


def _bind_match(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = _texts(node, scope, what)
    return text_mask(node, operand, texts.matching(node.args[1], unicode="unicode" in node.args[2:]))


BOUND: dict[str, Callable[[ExpressionNode, Scope, str], Bound]] = {
    "TERNARY": _bind_where,
    "REGEX_MATCH": _bind_match,
    "ROUND": _bind_round,
    "CLIP": _bind_clip,
    "FILLNA": _bind_fill,
    "CAST": _bind_cast,
    "DT": _bind_times,
    "STR": _bind_strings,
}
