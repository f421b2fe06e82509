"""How the string columns of a write are stored: decided once per column, then encoded slice by slice.

Strings that repeat are stored as codes (codec `dictionary`). Their dictionary is part of each block while it is small
or the write is a single slice, else a block of the dictionary segment that all slices share. Strings that do not
repeat are stored as they are (codec `strings`).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.format import choice
from coldframe.format.codecs import dictionary, ids, strings
from coldframe.format.repetition import SAMPLE, spread, worth_numbering
from coldframe.format.table import NONE, StringColumn

EMBEDDED = 4096
"""A dictionary that encodes to no more bytes than this is part of every block."""
_FEW = 8
"""So few rows are stored as they are."""


class TextPayload(NamedTuple):
    """An encoded block of strings."""

    codec: int
    data: bytes
    nulls: int
    dictionary: int = -1


class TextPlan(Protocol):
    """How one string column is encoded."""

    def encode(self, start: int, stop: int) -> TextPayload:
        """The rows from `start` to `stop` as a block."""

    def width(self) -> float:
        """About how many bytes a row takes."""


class Coded:
    """A column stored as codes into one dictionary."""

    def __init__(self, codes: NDArray[Any], embedded: bytes, number: int) -> None:
        self._codes = codes
        self._embedded = embedded
        self._number = number
        self._how: choice.Choice | None = None

    def encode(self, start: int, stop: int) -> TextPayload:
        """The rows from `start` to `stop` as a block."""
        if self._how is None and stop - start > dictionary.FEW:
            # Two threads may both find out; they find the same.
            self._how = choice.choose_codes(self._codes)
        codes = self._codes[start:stop]
        data = dictionary.encode(codes, self._embedded, self._how)
        return TextPayload(ids.DICTIONARY, data, int(np.count_nonzero(codes < 0)), self._number)

    def width(self) -> float:
        """About how many bytes a row takes."""
        return 4.0


class Plain:
    """A column stored as its strings."""

    def __init__(self, column: StringColumn) -> None:
        self._column = column

    def encode(self, start: int, stop: int) -> TextPayload:
        """The rows from `start` to `stop` as a block."""
        column = self._column.rows(start, stop)
        nulls = 0 if column.missing is None else int(np.count_nonzero(column.missing))
        return TextPayload(ids.STRINGS, strings.encode(column.values, column.missing if nulls else None), nulls)

    def width(self) -> float:
        """About how many bytes a row takes."""
        return _mean_length(self._column.values) + 2.0


class Gathered:
    """A column that came as codes and is stored as strings, because they hardly repeat."""

    def __init__(self, values: Any, codes: NDArray[Any]) -> None:
        # Missing rows gather the empty string that is put behind the last value.
        self._values = pa.concat_arrays([values, pa.array([""], values.type)])
        self._codes = codes

    def encode(self, start: int, stop: int) -> TextPayload:
        """The rows from `start` to `stop` as a block."""
        codes = self._codes[start:stop]
        gone = codes < 0
        nulls = int(np.count_nonzero(gone))
        missing = np.where(gone, codes, 0).astype(np.int8) if nulls else None
        values = self._values.take(pa.array(np.where(gone, len(self._values) - 1, codes)))
        return TextPayload(ids.STRINGS, strings.encode(values, missing), nulls)

    def width(self) -> float:
        """About how many bytes a row takes."""
        return _mean_length(self._values) + 2.0


def plan(column: StringColumn, *, shared: bool, number: int) -> tuple[TextPlan, bytes | None]:
    """Decide how to store a column.

    Parameters
    ----------
    column : StringColumn
    shared : bool
        Whether the write has several slices, so that a large dictionary should be stored once for all.
    number : int
        The number that the column's dictionary gets in the dictionary segment, if it is put there.

    Returns
    -------
    (TextPlan, bytes or None)
        The second is the encoded dictionary, if it belongs into the dictionary segment.
    """
    if column.codes is None:
        if not _repeats(column.values):
            return Plain(column), None
        column = column.coded()
    values, codes = _compact(column.values, np.asarray(column.codes, np.int32))
    if len(values) * 2 > len(codes) or len(codes) < _FEW:
        return _gathered(values, codes), None
    if len(values) > 1 and not _mean_length(values):
        # A list of distinct strings that are all empty has one: readers count on it.
        values, codes = values[:1], np.minimum(codes, 0)
    encoded = strings.encode(values)
    if shared and len(encoded) > EMBEDDED:
        return Coded(np.ascontiguousarray(codes), b"", number), encoded
    return Coded(np.ascontiguousarray(codes), encoded, -1), None


def _gathered(values: Any, codes: NDArray[Any]) -> TextPlan:
    if len(codes) == len(values) and np.array_equal(codes, np.arange(len(codes), dtype=np.int32)):
        return Plain(StringColumn(values))
    if not len(values):
        blank = pa.array([""] * len(codes), values.type)
        return Plain(StringColumn(blank, None, codes.astype(np.int8)))
    return Gathered(values, codes)


def _compact(values: Any, codes: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Drop values that no row uses, where there may be many: a few rows cut from a table keep all its values."""
    if len(values) * 2 <= len(codes):
        return values, codes
    used = np.zeros(len(values) + 2, dtype=bool)
    used[codes] = True  # NONE and NAN, being negative, mark the two places behind the last value
    used = used[:-2]
    if used.all():
        return values, codes
    renumbered = np.empty(len(values) + 2, dtype=np.int32)
    renumbered[:-2] = np.cumsum(used) - 1
    renumbered[-2:] = (-2, NONE)
    return values.take(pa.array(np.flatnonzero(used))), renumbered[codes]


def _repeats(values: Any) -> bool:
    """Whether plain strings seem to repeat enough to be coded."""
    rows = len(values)
    if rows < 64:
        return False
    part = values
    if rows > SAMPLE:
        part = pa.concat_arrays([values.slice(start, SAMPLE // 4) for start in spread(rows)])
    return worth_numbering(rows, len(part), len(part.unique()))


def _mean_length(values: Any) -> float:
    offsets, _ = strings.parts(values)
    return float(offsets[-1] - offsets[0]) / max(len(values), 1)
