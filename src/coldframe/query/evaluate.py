"""Expressions bound to the columns of a scope: types checked once, then evaluated batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import UserInputException
from coldframe.format.dtypes import DType
from coldframe.query import comparing, computing, functions, spans, texts
from coldframe.query.bound import (
    BINDERS,
    NO_ROWS,
    Bound,
    Values,
    bind,
    constant_of,
    family,
    narrow,
    refuse,
    text_mask,
    unit_of,
)
from coldframe.query.columns import Column
from coldframe.query.expressions import ExpressionNode
from coldframe.query.literals import BOOL, FLOAT64, INT64, Literal, ValueSet, literal
from coldframe.query.missing import lacking
from coldframe.query.scope import Decoder, Scope
from coldframe.query.types import FLOAT32, INTEGERS, NUMBERS, PER_SECOND, arithmetic_type, finer, wider

Mask = NDArray[Any]


def bind_condition(node: ExpressionNode, scope: Scope, what: str = "The filter") -> Bound:
    """Bind an expression that must say yes or no for each row."""
    bound = bind(node, scope, what)
    if bound.constant is not None:
        raise UserInputException(f"{what} {node} is a constant; compare a column")
    if bound.mask is None and bound.dtype.kind != "bool":
        raise UserInputException(f"{what} needs a condition, but {node} is of type {bound.dtype}; compare it")
    return bound


# Leaves


def _bind_column(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    field = scope.find(node.args[0], what)
    slot = field.slot
    if field.is_level and field.categories is not None:
        decoder = Decoder(field.categories)
        return Bound(node, decoder.dtype, frozenset((slot,)), values=lambda batch: decoder.decode(batch.column(slot)))
    return Bound(node, field.dtype, frozenset((slot,)), values=lambda batch: batch.column(slot))


def _bind_value(node: ExpressionNode, _scope: Scope, _what: str) -> Bound:
    return constant_of(node, node.args[0])


def _value_operands(node: ExpressionNode, scope: Scope, what: str) -> tuple[Bound, Bound]:
    left, right = bind(node.args[0], scope, what), bind(node.args[1], scope, what)
    if left.mask is not None or right.mask is not None:
        raise UserInputException(
            f"{node}: the result of a comparison is no value to compute or compare with; use &, |, ^ or ~, "
            "or where(condition, left, right)"
        )
    return left, right


# Comparisons


def _bind_comparison(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    left, right = _value_operands(node, scope, what)
    op = node.op
    if left.constant is not None and right.constant is not None:
        return _compare_constants(node, op, left, right)
    if left.constant is not None:
        left, right, op = right, left, comparing.MIRRORED[op]
    _check_comparable(node, left, right)
    slots = left.slots | right.slots
    one, other = left.column, right.column
    if left.dtype.kind in ("string", "binary"):
        if right.constant is None:
            return Bound(node, BOOL, slots, mask=lambda b: texts.compare_strings(op, one(b), other(b)))
        return _compare_text(node, op, left, right.constant.value)
    if right.constant is not None:
        limit = comparing.threshold(op, left.dtype, right.constant)
        return Bound(node, BOOL, slots, mask=lambda b: comparing.compare_constant(op, one(b), limit))
    return Bound(node, BOOL, slots, mask=lambda b: comparing.compare_columns(op, one(b), other(b)))


def _compare_constants(node: ExpressionNode, op: str, left: Bound, right: Bound) -> Bound:
    one, other = cast("Literal", left.constant).value, cast("Literal", right.constant).value
    try:
        result = bool(comparing.OPERATORS[op](one, other))
    except TypeError:
        refuse(node, left, right)
    return constant_of(node, literal(result))


def _compare_text(node: ExpressionNode, op: str, operand: Bound, text: str) -> Bound:
    predicate = texts.comparison("EQ" if op == "NE" else op, text)
    return text_mask(node, operand, predicate, negated=op == "NE")


def _check_comparable(node: ExpressionNode, left: Bound, right: Bound) -> None:
    kinds = {family(left.dtype), family(right.dtype)}
    if len(kinds) == 1 and "category" not in kinds:
        return
    if kinds in ({"number", "timestamp"}, {"number", "duration"}, {"number", "category"}):
        return
    refuse(node, left, right)


def _bind_in(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = bind(node.args[0], scope, what)
    values: ValueSet = node.args[1]
    negated = node.op == "ISNOTIN"
    if operand.mask is not None:
        refuse(node, operand)
    own = family(operand.dtype)
    if len(values.values) and (own != "string" or values.dtype.kind != "string"):
        wanted = family(values.dtype)
        numeric = ("number", "timestamp", "duration", "category")
        mixed = {own, wanted} == {"timestamp", "duration"}
        if own not in numeric or wanted not in numeric or mixed:
            refuse(node, operand, constant_of(node, Literal(values.dtype, "" if wanted == "string" else 0)))
    if own == "string":
        return text_mask(node, operand, texts.membership(cast("list[str]", list(values.values))), negated=negated)

    def mask(batch: Values) -> Mask:
        column = operand.column(batch)
        found = comparing.is_in(column, values)
        if not negated:
            return found
        lacks = lacking(column)
        return ~found if lacks is None else ~(found | lacks)

    return Bound(node, BOOL, operand.slots, mask=mask)


def _bind_null(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = bind(node.args[0], scope, what)
    if operand.mask is not None or operand.constant is not None:
        refuse(node, operand)
    if node.op == "ISNULL":
        return Bound(node, BOOL, operand.slots, mask=lambda batch: operand.column(batch).missing())
    return Bound(node, BOOL, operand.slots, mask=lambda batch: ~operand.column(batch).missing())


# Booleans


def _bind_logical(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    left, right = (bind(part, scope, what) for part in node.args)
    for side in (left, right):
        if side.mask is None and side.dtype.kind != "bool":
            raise UserInputException(f"{node}: {side.node} is of type {side.dtype}, not a condition; compare it")
    for one, other in ((left, right), (right, left)):
        if one.constant is not None:
            return _simplified(node, other, truth=bool(one.constant.value))
    mask = _LOGICAL[node.op](left.condition(), right.condition())
    passed = left.passed + right.passed if node.op == "AND" else ()
    return Bound(node, BOOL, left.slots | right.slots, mask=mask, passed=passed)


def _simplified(node: ExpressionNode, operand: Bound, *, truth: bool) -> Bound:
    if node.op == "XOR" and truth:
        inner = operand.condition()
        return Bound(node, BOOL, operand.slots, mask=lambda batch: ~inner(batch))
    if node.op == "XOR" or truth == (node.op == "AND"):
        return operand
    return constant_of(node, literal(truth))


def _and(left: Callable[[Values], Mask], right: Callable[[Values], Mask]) -> Callable[[Values], Mask]:
    def mask(batch: Values) -> Mask:
        found = left(batch)
        # The columns of the right side are not even loaded where the left side decides.
        return found & right(batch) if found.any() else found

    return mask


def _or(left: Callable[[Values], Mask], right: Callable[[Values], Mask]) -> Callable[[Values], Mask]:
    def mask(batch: Values) -> Mask:
        found = left(batch)
        return found if found.all() else found | right(batch)

    return mask


def _xor(left: Callable[[Values], Mask], right: Callable[[Values], Mask]) -> Callable[[Values], Mask]:
    return lambda batch: left(batch) ^ right(batch)


_LOGICAL = {"AND": _and, "OR": _or, "XOR": _xor}


def _bind_not(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = bind(node.args[0], scope, what)
    if operand.mask is None and operand.dtype.kind != "bool":
        raise UserInputException(f"{node}: ~ needs a condition, but {node.args[0]} is of type {operand.dtype}")
    if operand.constant is not None:
        return constant_of(node, literal(not operand.constant.value))
    inner = operand.condition()
    return Bound(node, BOOL, operand.slots, mask=lambda batch: ~inner(batch))


# Arithmetic


def _bind_arithmetic(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    left, right = _value_operands(node, scope, what)
    families = (family(left.dtype), family(right.dtype))
    op, slots = node.op, left.slots | right.slots
    one, other = narrow(left), narrow(right)
    if families == ("number", "number"):
        dtype = arithmetic_type(op, _weakened(left, right), _weakened(right, left))
        values: Callable[[Values], Column] = lambda b: computing.compute(op, dtype, one(b), other(b))  # noqa: E731
    else:
        dtype, values = _time_arithmetic(node, op, left, right)
    if left.constant is None or right.constant is None:
        return Bound(node, dtype, slots, values=values)
    folded = values(NO_ROWS)
    return constant_of(node, Literal(dtype, folded.data[0].item()))


def _weakened(operand: Bound, other: Bound) -> DType:
    constant = operand.constant
    return FLOAT32 if constant is not None and constant.weak and other.dtype == FLOAT32 else operand.dtype


def _time_arithmetic(
    node: ExpressionNode, op: str, left: Bound, right: Bound
) -> tuple[DType, Callable[[Values], Column]]:
    families = (family(left.dtype), family(right.dtype))
    one, other = narrow(left), narrow(right)
    if families == ("duration", "number") and op in ("MUL", "DIV", "FLOORDIV"):
        span = left.dtype
        return span, lambda b: spans.scale_duration(op, span, one(b), other(b))
    if families == ("number", "duration") and op == "MUL":
        span = right.dtype
        return span, lambda b: spans.scale_duration(op, span, other(b), one(b))
    unit: Any = (
        finer(unit_of(left, right), unit_of(right, left)) if left.dtype.temporal and right.dtype.temporal else ""
    )
    zone = left.dtype.zone or right.dtype.zone
    result = {
        ("SUB", "timestamp", "timestamp"): DType("duration", 64, unit),
        ("ADD", "timestamp", "duration"): DType("timestamp", 64, unit, zone),
        ("SUB", "timestamp", "duration"): DType("timestamp", 64, unit, zone),
        ("ADD", "duration", "timestamp"): DType("timestamp", 64, unit, zone),
        ("ADD", "duration", "duration"): DType("duration", 64, unit),
        ("SUB", "duration", "duration"): DType("duration", 64, unit),
        ("DIV", "duration", "duration"): FLOAT64,
        ("FLOORDIV", "duration", "duration"): INT64,
        ("MOD", "duration", "duration"): DType("duration", 64, unit),
    }.get((op, *families))
    if result is None:
        refuse(node, left, right)
    one, other = (_in_unit(operand, unit) for operand in (left, right))
    return result, lambda b: spans.compute_times(op, result, one(b), other(b))


def _in_unit(operand: Bound, unit: str) -> Callable[[Values], Column]:
    constant = operand.constant
    if constant is None or not unit or unit == "ns":
        return narrow(operand)
    dtype = DType(constant.dtype.kind, 64, cast("Any", unit), constant.dtype.zone)
    column = Column(dtype, np.array([constant.value // (10**9 // PER_SECOND[unit])], dtype="i8"))
    return lambda _: column


def _bind_unary(node: ExpressionNode, scope: Scope, what: str) -> Bound:
    operand = bind(node.args[0], scope, what)
    dtype = operand.dtype
    if operand.mask is not None or dtype.kind not in (*NUMBERS, "duration"):
        refuse(node, operand)
    inner = narrow(operand)
    if node.op == "NEG":
        if dtype.kind in INTEGERS:
            dtype = DType("int", wider(dtype.bits))
        values: Callable[[Values], Column] = lambda batch: computing.negative(inner(batch), dtype)  # noqa: E731
    else:
        if dtype.kind == "int":
            dtype = DType("int", wider(dtype.bits))
        values = lambda batch: computing.absolute(inner(batch), dtype)  # noqa: E731
    if operand.constant is not None:
        return constant_of(node, literal(values(NO_ROWS).data[0].item()))
    return Bound(node, dtype, operand.slots, values=values)


BINDERS.update(
    {
        "COLUMN": _bind_column,
        "VALUE": _bind_value,
        **dict.fromkeys(comparing.OPERATORS, _bind_comparison),
        **dict.fromkeys(("ISIN", "ISNOTIN"), _bind_in),
        **dict.fromkeys(("ISNULL", "NOTNULL"), _bind_null),
        **dict.fromkeys(_LOGICAL, _bind_logical),
        "NOT": _bind_not,
        **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "POW", "FLOORDIV", "MOD"), _bind_arithmetic),
        **dict.fromkeys(("NEG", "ABS"), _bind_unary),
        **functions.BOUND,
    }
)
