"""A bound expression: it knows its type and how to evaluate itself on a batch; and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import InternalException, UserInputException
from coldframe.format.dtypes import DType
from coldframe.query import computing, texts
from coldframe.query.columns import Column
from coldframe.query.expressions import ExpressionNode
from coldframe.query.literals import BOOL, STRING, Literal
from coldframe.query.scope import Scope
from coldframe.query.types import NUMBERS, unit_holding

Mask = NDArray[Any]


class Values(Protocol):
    """Where an expression finds the columns that it reads."""

    @property
    def rows(self) -> int:
        """The number of rows."""

    def column(self, slot: int) -> Column:
        """The values in a slot."""


class Bound:
    """An expression that knows its type.

    Attributes
    ----------
    dtype : DType
    slots : frozenset of int
        The slots that it reads.
    mask : Callable, optional
        For conditions: which rows of a batch fulfil it.
    values : Callable, optional
        For everything else: a column of a batch.
    constant : Literal or None
    passed : tuple of (int, Predicate)
        For conditions: slots of strings, and a test that they have passed wherever the condition holds.
    node : ExpressionNode
    """

    __slots__ = ("constant", "dtype", "mask", "node", "passed", "slots", "values")

    def __init__(
        self,
        node: ExpressionNode,
        dtype: DType,
        slots: frozenset[int],
        *,
        values: Callable[[Values], Column] | None = None,
        mask: Callable[[Values], Mask] | None = None,
        constant: Literal | None = None,
        passed: tuple[tuple[int, texts.Predicate], ...] = (),
    ) -> None:
        self.node = node
        self.dtype = dtype
        self.slots = slots
        self.values = values
        self.mask = mask
        self.constant = constant
        self.passed = passed

    def column(self, batch: Values) -> Column:
        """The values for each row of a batch."""
        if self.mask is not None:
            return Column(BOOL, self.mask(batch))
        assert self.values is not None  # noqa: S101 -- every Bound has one of the two
        result = self.values(batch)
        return computing.repeated(result, batch.rows) if self.constant is not None else result

    def condition(self) -> Callable[[Values], Mask]:
        """The rows for which a condition or a column of booleans holds."""
        if self.mask is not None:
            return self.mask
        values = self.values
        assert values is not None  # noqa: S101 -- every Bound has one of the two

        def true(batch: Values) -> Mask:
            column = values(batch)
            return cast("Mask", column.data if column.valid is None else column.data & column.valid)

        return true


BINDERS: dict[str, Callable[[ExpressionNode, Scope, str], Bound]] = {}
"""For each operation the function that binds it; filled by the modules that know them."""


def bind(node: ExpressionNode, scope: Scope, what: str = "The query") -> Bound:
    """Bind an expression; raises `SchemaException` for unknown columns, `UserInputException` for types that do not go.

    Parameters
    ----------
    node : ExpressionNode
    scope : Scope
    what : str
        What needs the columns, for messages.
    """
    return BINDERS[node.op](node, scope, what)


def constant_of(node: ExpressionNode, value: Literal) -> Bound:
    """A constant as a bound expression."""
    if value.dtype.kind == "string":
        column = Column(STRING, computing.string_constant(value.value))
    else:
        column = Column(value.dtype, np.array([value.value], dtype=value.dtype.storage))
    return Bound(node, value.dtype, frozenset(), values=lambda _: column, constant=value)


def refuse(node: ExpressionNode, *operands: Bound) -> NoReturn:
    """Raise the error for operands of the wrong types."""
    shown = " and ".join("a condition" if one.mask is not None else str(one.dtype) for one in operands)
    hint = ""
    if any(one.dtype.kind == "category" for one in operands):
        hint = '; compare the values of a category after .cast("string")'
    raise UserInputException(f"{node} does not work on {shown}{hint}")


def family(dtype: DType) -> str:
    """The kind of a type, all numbers being one."""
    return "number" if dtype.kind in NUMBERS else dtype.kind


def narrow(operand: Bound) -> Callable[[Values], Column]:
    """The values of an expression; a constant stays one row, which numpy repeats without making it."""
    if operand.constant is None:
        return operand.column
    assert operand.values is not None  # noqa: S101 -- constants are values
    return operand.values


class _NoRows:
    """A batch for expressions of constants."""

    rows = 1

    def column(self, _slot: int) -> Column:
        raise InternalException("a constant expression has read a column")


NO_ROWS: Values = _NoRows()


def unit_of(operand: Bound, other: Bound) -> Any:
    """The unit of time in which an operand meets another."""
    # A constant takes the coarser unit of the column that it meets if it is a whole number of them.
    constant = operand.constant
    if constant is not None and other.constant is None:
        return unit_holding(constant.value, other.dtype.unit)
    return operand.dtype.unit


def text_mask(node: ExpressionNode, operand: Bound, predicate: texts.Predicate, *, negated: bool = False) -> Bound:
    """Where strings pass a test; with `negated` where they do not, missing ones among them."""

    def mask(batch: Values) -> Mask:
        column = operand.column(batch)
        found = predicate.mask(column.data)
        if negated:
            found = ~found
        return found if column.valid is None else found & column.valid

    tested = operand.node.op == "COLUMN" and not negated
    passed = tuple((slot, predicate) for slot in operand.slots) if tested else ()
    return Bound(node, BOOL, operand.slots, mask=mask, passed=passed)
