"""Expressions on columns: a tree that Python's operators build, and that knows no data."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from coldframe.exceptions import InternalException, UserInputException
from coldframe.query.literals import Literal, literal, value_set

_LISTS = (list, tuple, set, frozenset, np.ndarray)


class ExpressionNode:
    """A column, a constant, or an operation on expressions. Immutable; picklable; printed as in a query.

    Comparisons, arithmetic and `& | ^ ~` give new expressions. `and`, `or`, `not` and `if` cannot work on columns
    and raise `UserInputException`.

    Examples
    --------
    >>> print((col("price") > 100) & col("symbol").isin("A", "B"))
    ((Column["price"] GT Val(UINT8:100)) AND (Column["symbol"] ISIN ValueSet(UTF_DYNAMIC64,n=2)))
    """

    __slots__ = ("args", "op")

    def __init__(self, op: str, *args: Any) -> None:
        self.op = op
        self.args = args

    # Comparisons

    def __eq__(self, other: object) -> ExpressionNode:  # type: ignore[override]
        return self.isin(other) if isinstance(other, _LISTS) else _binary("EQ", self, other)

    def __ne__(self, other: object) -> ExpressionNode:  # type: ignore[override]
        return self.isnotin(other) if isinstance(other, _LISTS) else _binary("NE", self, other)

    def __lt__(self, other: Any) -> ExpressionNode:
        return _binary("LT", self, other)

    def __le__(self, other: Any) -> ExpressionNode:
        return _binary("LE", self, other)

    def __gt__(self, other: Any) -> ExpressionNode:
        return _binary("GT", self, other)

    def __ge__(self, other: Any) -> ExpressionNode:
        return _binary("GE", self, other)

    __hash__ = object.__hash__

    def isin(self, *values: Any) -> ExpressionNode:
        """Whether the value is one of `values` (or of the one list, set or array given)."""
        return ExpressionNode("ISIN", self, value_set(values))

    def isnotin(self, *values: Any) -> ExpressionNode:
        """Whether the value is none of `values`; true where it is missing."""
        return ExpressionNode("ISNOTIN", self, value_set(values))

    def between(self, left: Any, right: Any, inclusive: str = "both") -> ExpressionNode:
        """Whether the value lies between two others; `inclusive` is both, neither, left or right."""
        if inclusive not in ("both", "neither", "left", "right"):
            raise UserInputException(f"inclusive must be both, neither, left or right, not {inclusive!r}")
        lower: ExpressionNode = self >= left if inclusive in ("both", "left") else self > left
        upper: ExpressionNode = self <= right if inclusive in ("both", "right") else self < right
        return lower & upper

    def isna(self) -> ExpressionNode:
        """Whether the value is missing: NaN, None, NaT, or in a column that the row does not have."""
        return ExpressionNode("ISNULL", self)

    isnull = isna

    def notna(self) -> ExpressionNode:
        """Whether the value is present."""
        return ExpressionNode("NOTNULL", self)

    notnull = notna

    def regex_match(self, pattern: str) -> ExpressionNode:
        r"""Whether a regular expression is found anywhere in the string.

        ``\w``, ``\d``, ``\s`` and ``\b`` know ASCII only; to `str.contains` they know all of Unicode, as in pandas.
        """
        if not isinstance(pattern, str):
            raise UserInputException(f"regex_match takes a pattern of type str, not {type(pattern).__name__}")
        return ExpressionNode("REGEX_MATCH", self, checked_pattern(pattern))

    # Booleans

    def __and__(self, other: Any) -> ExpressionNode:
        return _logical("AND", self, other)

    def __or__(self, other: Any) -> ExpressionNode:
        return _logical("OR", self, other)

    def __xor__(self, other: Any) -> ExpressionNode:
        return _logical("XOR", self, other)

    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__

    def __invert__(self) -> ExpressionNode:
        return ExpressionNode("NOT", self)

    def __bool__(self) -> NoReturn:
        raise UserInputException(
            "'and', 'or', 'not', 'if' and chained comparisons do not work on expressions; "
            "use &, |, ~ and where(condition, left, right), with parentheses around comparisons"
        )

    # Arithmetic

    def __add__(self, other: Any) -> ExpressionNode:
        return _binary("ADD", self, other)

    def __radd__(self, other: Any) -> ExpressionNode:
        return _binary("ADD", other, self)

    def __sub__(self, other: Any) -> ExpressionNode:
        return _binary("SUB", self, other)

    def __rsub__(self, other: Any) -> ExpressionNode:
        return _binary("SUB", other, self)

    def __mul__(self, other: Any) -> ExpressionNode:
        return _binary("MUL", self, other)

    def __rmul__(self, other: Any) -> ExpressionNode:
        return _binary("MUL", other, self)

    def __truediv__(self, other: Any) -> ExpressionNode:
        return _binary("DIV", self, other)

    def __rtruediv__(self, other: Any) -> ExpressionNode:
        return _binary("DIV", other, self)

    def __floordiv__(self, other: Any) -> ExpressionNode:
        return _binary("FLOORDIV", self, other)

    def __rfloordiv__(self, other: Any) -> ExpressionNode:
        return _binary("FLOORDIV", other, self)

    def __mod__(self, other: Any) -> ExpressionNode:
        return _binary("MOD", self, other)

    def __rmod__(self, other: Any) -> ExpressionNode:
        return _binary("MOD", other, self)

    def __pow__(self, other: Any) -> ExpressionNode:
        return _binary("POW", self, other)

    def __rpow__(self, other: Any) -> ExpressionNode:
        return _binary("POW", other, self)

    def __neg__(self) -> ExpressionNode:
        return ExpressionNode("NEG", self)

    def __abs__(self) -> ExpressionNode:
        return ExpressionNode("ABS", self)

    # Functions

    def abs(self) -> ExpressionNode:
        """The absolute value."""
        return ExpressionNode("ABS", self)

    def round(self, decimals: int = 0) -> ExpressionNode:
        """Rounded to so many decimals, halves to even."""
        if isinstance(decimals, bool) or not isinstance(decimals, int):
            raise UserInputException(f"round takes a number of decimals, not {decimals!r}")
        return ExpressionNode("ROUND", self, decimals)

    def __round__(self, decimals: int = 0) -> ExpressionNode:
        return ExpressionNode("ROUND", self, decimals)

    def clip(self, lower: Any = None, upper: Any = None) -> ExpressionNode:
        """Values below `lower` raised to it, those above `upper` lowered; missing values stay."""
        low = None if lower is None else _number(lower, "clip")
        high = None if upper is None else _number(upper, "clip")
        return ExpressionNode("CLIP", self, low, high)

    def fillna(self, value: Any) -> ExpressionNode:
        """Missing values replaced by a constant."""
        return ExpressionNode("FILLNA", self, literal(value))

    def cast(self, dtype: Any) -> ExpressionNode:
        """Converted to another type: a name as `float32`, `string` or `datetime64[us]`, or a numpy dtype."""
        from coldframe.query.types import parse_dtype

        return ExpressionNode("CAST", self, parse_dtype(dtype))

    astype = cast

    @property
    def dt(self) -> Times:
        """Parts of instants: `col("t").dt.hour`."""
        return Times(self)

    @property
    def str(self) -> Strings:
        """Operations on strings: `col("s").str.lower()`."""
        return Strings(self)

    def __str__(self) -> builtins.str:
        return _print(self)

    def __repr__(self) -> builtins.str:
        return _print(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ExpressionNode, (self.op, *self.args))

    def columns(self) -> set[builtins.str]:
        """The names of the columns that the expression reads."""
        if self.op == "COLUMN":
            return {self.args[0]}
        return {name for part in self.args if isinstance(part, ExpressionNode) for name in part.columns()}


class Times:
    """What `.dt` offers; names and results as in pandas, in the column's own time zone."""

    __slots__ = ("_of",)

    _PARTS = (
        *("year", "quarter", "month", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"),
        *("weekday", "dayofweek", "day_of_week", "dayofyear", "day_of_year", "date"),
    )

    def __init__(self, of: ExpressionNode) -> None:
        self._of = of

    def __getattr__(self, name: str) -> ExpressionNode:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in Times._PARTS:
            raise UserInputException(
                f".dt has no {name!r}; it has {', '.join(Times._PARTS)}, floor, ceil, round, tz_convert, tz_localize"
            )
        return ExpressionNode("DT", self._of, name.replace("_", "") if name.startswith("day") else name)

    def floor(self, freq: Any) -> ExpressionNode:
        """Down to a multiple of a fixed frequency such as ``15min``."""
        return self._rounded("floor", freq)

    def ceil(self, freq: Any) -> ExpressionNode:
        """Up to a multiple of a fixed frequency."""
        return self._rounded("ceil", freq)

    def round(self, freq: Any) -> ExpressionNode:
        """To the nearest multiple of a fixed frequency, halves to the even one."""
        return self._rounded("round", freq)

    def tz_convert(self, zone: str | None) -> ExpressionNode:
        """The same instants in another time zone; None gives naive UTC."""
        return ExpressionNode("DT", self._of, "tz_convert", _checked_zone(zone))

    def tz_localize(self, zone: str | None) -> ExpressionNode:
        """Naive wall times as times of a zone; None gives the wall times."""
        return ExpressionNode("DT", self._of, "tz_localize", _checked_zone(zone))

    def _rounded(self, how: str, freq: Any) -> ExpressionNode:
        from coldframe.query.types import fixed_frequency

        return ExpressionNode("DT", self._of, how, fixed_frequency(freq))


class Strings:
    """What `.str` offers; names and results as in pandas, missing values stay missing (or give False)."""

    __slots__ = ("_of",)

    def __init__(self, of: ExpressionNode) -> None:
        self._of = of

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        offered = "len, lower, upper, contains, startswith, endswith, slice, replace, strip, lstrip, rstrip"
        raise UserInputException(f".str has no {name!r}; it has {offered}")

    def len(self) -> ExpressionNode:
        """The number of characters."""
        return ExpressionNode("STR", self._of, "len")

    def lower(self) -> ExpressionNode:
        """In lower case."""
        return ExpressionNode("STR", self._of, "lower")

    def upper(self) -> ExpressionNode:
        """In upper case."""
        return ExpressionNode("STR", self._of, "upper")

    def strip(self, to_strip: str | None = None) -> ExpressionNode:
        """Without white space, or the given characters, at both ends."""
        return self._stripped("strip", to_strip)

    def lstrip(self, to_strip: str | None = None) -> ExpressionNode:
        """Without white space, or the given characters, at the start."""
        return self._stripped("lstrip", to_strip)

    def rstrip(self, to_strip: str | None = None) -> ExpressionNode:
        """Without white space, or the given characters, at the end."""
        return self._stripped("rstrip", to_strip)

    def contains(self, pat: str, case: bool = True, regex: bool = True) -> ExpressionNode:
        """Whether a pattern (or with `regex=False` a text) is found in the string."""
        text = _checked_text("contains", pat)
        if not regex:
            text = re.escape(text)
        return ExpressionNode("REGEX_MATCH", self._of, checked_pattern(text if case else f"(?i){text}"), "unicode")

    def startswith(self, pat: str) -> ExpressionNode:
        """Whether the string starts with a text."""
        return ExpressionNode("STR", self._of, "startswith", _checked_text("startswith", pat))

    def endswith(self, pat: str) -> ExpressionNode:
        """Whether the string ends with a text."""
        return ExpressionNode("STR", self._of, "endswith", _checked_text("endswith", pat))

    def slice(self, start: int | None = None, stop: int | None = None, step: int | None = None) -> ExpressionNode:
        """The characters from `start` to `stop`, as Python's slices."""
        for bound in (start, stop, step):
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
                raise UserInputException(f"str.slice takes integers or None, not {bound!r}")
        if step == 0:
            raise UserInputException("str.slice takes a step other than 0")
        return ExpressionNode("STR", self._of, "slice", start, stop, step)

    def replace(self, pat: str, repl: str, regex: bool = False) -> ExpressionNode:
        """Each occurrence of a text (or with `regex=True` of a pattern) replaced."""
        _checked_text("replace", repl)
        text = _checked_text("replace", pat)
        return ExpressionNode("STR", self._of, "replace", checked_pattern(text) if regex else text, repl, regex)

    def _stripped(self, how: str, characters: str | None) -> ExpressionNode:
        if characters is not None:
            _checked_text(how, characters)
        return ExpressionNode("STR", self._of, how, characters)


def col(name: str) -> ExpressionNode:
    """A column, by name; the index by its name (``index`` where it has none).

    Examples
    --------
    >>> print(col("price") * 2)
    (Column["price"] MUL Val(UINT8:2))
    """
    if not isinstance(name, str):
        raise TypeError(f"columns are named by str in queries, not {type(name).__name__}; try col({str(name)!r})")
    return ExpressionNode("COLUMN", name)


def where(condition: Any, left: Any, right: Any) -> ExpressionNode:
    """For each row `left` where the condition holds, else `right` (also where it compares with a missing value).

    Examples
    --------
    >>> print(where(col("a") > 1, col("a"), 0))
    Column["a"] if (Column["a"] GT Val(UINT8:1)) else Val(UINT8:0)
    """
    return ExpressionNode("TERNARY", operand(condition), operand(left), operand(right))


def operand(value: Any) -> ExpressionNode:
    """An expression as it is; anything else as a constant."""
    if isinstance(value, ExpressionNode):
        return value
    if isinstance(value, _LISTS):
        raise UserInputException("a list, set or array is only taken by ==, !=, isin and isnotin")
    return ExpressionNode("VALUE", literal(value))


def checked_pattern(pattern: str) -> str:
    """The pattern, if it is a regular expression."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InternalException(f"{pattern!r} is not a regular expression: {error}") from None
    return pattern


def _binary(op: str, left: Any, right: Any) -> ExpressionNode:
    return ExpressionNode(op, operand(left), operand(right))


def _logical(op: str, left: ExpressionNode, right: Any) -> ExpressionNode:
    if not isinstance(right, bool | np.bool_):
        return _binary(op, left, right)
    if op == "AND":
        return left if right else operand(value=False)
    if op == "OR":
        return operand(value=True) if right else left
    return ~left if right else left


def _number(value: Any, what: str) -> Literal:
    number = literal(value)
    if number.dtype.kind in ("string", "bool"):
        raise UserInputException(f"{what} takes numbers or instants, not {value!r}")
    return number


def _checked_text(what: str, text: Any) -> str:
    if not isinstance(text, str):
        raise UserInputException(f"str.{what} takes a str, not {type(text).__name__}")
    return text


def _checked_zone(zone: Any) -> str | None:
    import pandas as pd

    if zone is None:
        return None
    try:
        return str(pd.Timestamp(0, tz=zone).tz)
    except Exception:  # noqa: BLE001 -- each time zone library has errors of its own
        raise UserInputException(f"{zone!r} is not a time zone; use a name such as 'Europe/London'") from None


def _print_function(node: ExpressionNode) -> str:
    name, *rest = node.args[1:]
    shown = "".join(f", {part!r}" for part in rest if part is not None)
    return f"{node.op}.{name}({node.args[0]}{shown})"


def _print_unary(node: ExpressionNode) -> str:
    shown = "".join(f", {part}" for part in node.args[1:] if part is not None)
    return f"{node.op}({node.args[0]}{shown})"


_PRINTERS: dict[str, Callable[[ExpressionNode], str]] = {
    "COLUMN": lambda node: f'Column["{node.args[0]}"]',
    "VALUE": lambda node: str(node.args[0]),
    "TERNARY": lambda node: f"{node.args[1]} if {node.args[0]} else {node.args[2]}",
    "REGEX_MATCH": lambda node: f"({node.args[0]} REGEX_MATCH Regex({', '.join(node.args[1:])}))",
    "DT": _print_function,
    "STR": _print_function,
    **dict.fromkeys(("NOT", "NEG", "ABS", "ISNULL", "NOTNULL", "ROUND", "CLIP", "FILLNA", "CAST"), _print_unary),
}


def _print(node: ExpressionNode) -> str:
    printer = _PRINTERS.get(node.op)
    return printer(node) if printer is not None else f"({node.args[0]} {node.op} {node.args[1]})"
