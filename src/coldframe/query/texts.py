"""String kernels: each distinct value once, then gathered by code; plain columns value by value in Arrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coldframe.format.table import NONE, StringColumn
from coldframe.query.columns import Column, missing_strings, recoded, translate
from coldframe.query.literals import INT64, STRING
from coldframe.query.missing import derived

Mask = NDArray[Any]
_COMPARE = {
    "EQ": pc.equal,
    "NE": pc.not_equal,
    "LT": pc.less,
    "LE": pc.less_equal,
    "GT": pc.greater,
    "GE": pc.greater_equal,
}


class _Passed(NamedTuple):
    """What a test says of a dictionary's values: of each code, and the codes of those that pass."""

    values: pa.Array
    of_code: NDArray[np.bool_]
    hits: NDArray[np.intp]


class Predicate:
    """A test of strings. What it says of a dictionary is kept, for the slices of one write share theirs."""

    __slots__ = ("_known", "test")

    def __init__(self, test: Callable[[pa.Array], pa.Array]) -> None:
        self.test = test
        self._known: _Passed | None = None

    def mask(self, column: StringColumn) -> Mask:
        """Where a string is present and passes."""
        if column.codes is None:
            mask: Mask = self.test(column.values).to_numpy(zero_copy_only=False)
            return mask if column.missing is None else mask & (column.missing == 0)
        only = self.only(column.values)
        if only is not None:
            return cast("Mask", column.codes == only)
        passed = self._passed(column.values)
        if not len(passed.hits):
            return np.zeros(len(column), dtype=np.bool_)
        return passed.of_code.take(column.codes, mode="wrap")

    def only(self, values: pa.Array) -> int | None:
        """The code of the one value of a dictionary that passes; None if it is not one."""
        hits = self._passed(values).hits
        # A number of Python's: one of numpy's would widen the codes that are compared with it.
        return int(hits[0]) if len(hits) == 1 else None

    def _passed(self, values: pa.Array) -> _Passed:
        known = self._known
        if known is None or known.values is not values:
            # Two more for the codes of missing values, which count from the end.
            of_code = np.append(self.test(values).to_numpy(zero_copy_only=False).astype(np.bool_), [False, False])
            known = self._known = _Passed(values, of_code, np.flatnonzero(of_code))
        return known


def comparison(op: str, text: str) -> Predicate:
    """Strings compared with a constant, by code points."""
    scalar = pa.scalar(text, pa.large_string())
    return Predicate(lambda values: _COMPARE[op](values, scalar))


def membership(texts: list[str]) -> Predicate:
    """Strings in a set."""
    wanted = pa.array(texts, pa.large_string())
    return Predicate(lambda values: pc.is_in(values, value_set=wanted))


def matching(pattern: str, *, unicode: bool = False) -> Predicate:
    """Strings in which a regular expression is found; its classes of characters are of ASCII, or of all of Unicode."""
    return Predicate(lambda values: _match(values, pattern, unicode=unicode))


def starting(text: str) -> Predicate:
    """Strings that start with a text."""
    return Predicate(lambda values: pc.starts_with(values, text))


def ending(text: str) -> Predicate:
    """Strings that end with a text."""
    return Predicate(lambda values: pc.ends_with(values, text))


_CLASSES = re.compile(r"\\[wWdDsSbB]")


def _match(values: pa.Array, pattern: str, *, unicode: bool) -> pa.Array:
    # Arrow's engine has no look-around and no back references, and takes {,n} for plain text.
    try:
        found = pc.match_substring_regex(values, pattern) if "{," not in pattern else None
    except pa.ArrowInvalid:
        found = None
    classes = _CLASSES.search(pattern) is not None
    search = re.compile(pattern, re.ASCII if classes and not unicode else 0).search
    if found is None:
        return _match_slowly(values, search)
    # To it `$` is the end of the text only, not before a last line break, and its classes of characters are of ASCII.
    apart = pc.match_substring(values, "\n") if "$" in pattern else None
    if classes and unicode:
        beyond = pc.invert(pc.string_is_ascii(values))
        apart = beyond if apart is None else pc.or_(apart, beyond)
    if apart is None or not pc.any(apart).as_py():
        return found
    return pc.replace_with_mask(found, apart, _match_slowly(values.filter(apart), search))


def _match_slowly(values: pa.Array, search: Callable[[str], Any]) -> pa.Array:
    """By Python's engine, which looks at each distinct value."""
    encoded = values.dictionary_encode()
    found = pa.array([search(text) is not None for text in encoded.dictionary.to_pylist()], pa.bool_())
    return found.take(encoded.indices)


def compare_strings(op: str, left: Column, right: Column) -> Mask:
    """Two columns of strings compared row by row; missing values compare false, but `!=` holds."""
    one, other = left.data.plain(), right.data.plain()
    mask = _COMPARE[op](one.values, other.values).to_numpy(zero_copy_only=False)
    gone = missing_strings(left.data) | missing_strings(right.data)
    mask = mask | gone if op == "NE" else mask & ~gone
    for column in (left, right):
        if column.valid is not None:
            mask = mask & column.valid
    return cast("Mask", mask)


def transform(column: Column, change: Callable[[pa.Array], pa.Array]) -> Column:
    """Each string changed; missing values stay."""
    strings = column.data
    if strings.codes is None:
        values = change(strings.values).cast(pa.large_string())
        return Column(STRING, StringColumn(values, None, strings.missing), column.valid)
    return Column(STRING, recoded(change(strings.values).cast(pa.large_string()), strings.codes), column.valid)


def lengths(column: Column) -> Column:
    """The number of characters of each string."""
    strings = column.data.coded()
    counts = pc.utf8_length(strings.values).to_numpy(zero_copy_only=False).astype(np.int64)
    codes: Any = strings.codes
    return derived(INT64, np.append(counts, [0, 0])[codes], column, gone=codes < 0)


def change_of(how: str, arguments: tuple[Any, ...]) -> Callable[[pa.Array], pa.Array]:
    """The function on values behind a method of `.str` that gives strings."""
    if how in ("lower", "upper"):
        return cast("Callable[[pa.Array], pa.Array]", {"lower": pc.utf8_lower, "upper": pc.utf8_upper}[how])
    if how in ("strip", "lstrip", "rstrip"):
        side = {"strip": "trim", "lstrip": "ltrim", "rstrip": "rtrim"}[how]
        characters = arguments[0]
        if characters is None:
            spaces = getattr(pc, f"utf8_{side}_whitespace")
            return cast("Callable[[pa.Array], pa.Array]", spaces)
        trim = getattr(pc, f"utf8_{side}")
        return lambda values: trim(values, characters=characters)
    if how == "slice":
        start, stop, step = arguments
        return lambda values: _sliced(values, start, stop, step)
    pattern, text, regex = arguments
    return lambda values: _replaced(values, pattern, text, regex=regex)


def _sliced(values: pa.Array, start: int | None, stop: int | None, step: int | None) -> pa.Array:
    if step in (None, 1) and (start or 0) >= 0:
        return pc.utf8_slice_codeunits(values, start or 0, stop)
    encoded = values.dictionary_encode()
    cut = pa.array([text[start:stop:step] for text in encoded.dictionary.to_pylist()], pa.large_string())
    return cut.take(encoded.indices)


def _replaced(values: pa.Array, pattern: str, text: str, *, regex: bool) -> pa.Array:
    if not regex and pattern:
        return pc.replace_substring(values, pattern, text)
    encoded = values.dictionary_encode()
    expression = re.compile(pattern if regex else re.escape(pattern))
    changed = [
        expression.sub(text if regex else text.replace("\\", r"\\"), one) for one in encoded.dictionary.to_pylist()
    ]
    return pa.array(changed, pa.large_string()).take(encoded.indices)


def positions_in(pool: pa.Array, column: StringColumn) -> NDArray[Any]:
    """For each row the position of its string in a pool that holds it; `NONE` and `NAN` stay."""
    strings = column.coded()
    mapping = pc.index_in(strings.values, value_set=pool).fill_null(NONE).to_numpy(zero_copy_only=False)
    return translate(mapping, cast("NDArray[Any]", strings.codes))
