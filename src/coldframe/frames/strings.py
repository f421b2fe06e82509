"""Columns of strings: from Python objects and Arrow to the table's form and back, never a Python loop over rows."""

# ruff: noqa: PD011 -- a StringColumn has values; it is no pandas object

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coldframe.exceptions import UserInputException
from coldframe.format.occurrences import occurrences
from coldframe.format.repetition import SAMPLE, spread, worth_numbering
from coldframe.format.table import NAN, NONE, StringColumn
from coldframe.frames import refusals
from coldframe.frames.refusals import Place
from coldframe.parallel import map_jobs

_FLOATS = frozenset({float, np.float16, np.float32, np.float64})
_NONE_TYPE = type(None)
_PLAIN = frozenset({str, _NONE_TYPE}) | _FLOATS

_TEXT = pa.large_string()
_HASHED = 4096
"""Up to so many distinct strings are found by hashing objects; of 16,000 that takes three times as long."""
_GATHERED = 1 << 16
"""Rows gathered at a time: their places fit into a core's cache."""
_SCATTERED = 1 << 17
"""From so many distinct strings on, objects lie too far apart to be reached row by row,"""
_FEW = 64
"""and so few are written faster run by run,"""
_MANY_ROWS = 1 << 18
"""if there are so many rows."""
_PIECE = 1 << 18
"""So many of them are one thread's at a time."""


def from_objects(values: NDArray[Any], place: Place) -> StringColumn | pd.DatetimeIndex:
    """A column of Python objects: strings, None and NaN; or instants, if it holds timestamps (or nothing but NaT)."""
    if len(values) == 0:
        return StringColumn(_empty(), np.empty(0, dtype=np.int32))
    addresses = _addresses(values)
    sample = addresses[:SAMPLE]
    expected = len(pd.unique(sample)) if len(sample) > 1024 else 0
    if expected > 0.9 * len(sample):
        found = _by_value(values, place)
        return _plain(values, place) if found is None else found
    codes, objects = _by_identity(addresses, values, expected)
    kinds = set(map(type, objects))
    if not kinds <= _PLAIN:
        if pd.Timestamp in kinds or type(pd.NaT) in kinds:
            instants = _instants(kinds, objects, place)
            if instants is not None:
                return instants.take(codes)
        _refuse(values, place)
    return _coded(codes, objects, kinds, values, place)


def _coded(
    codes: NDArray[np.int32], objects: list[Any], kinds: set[type], values: NDArray[Any], place: Place
) -> StringColumn:
    """Codes by value from codes by identity: objects may be missing values, or different objects of equal value."""
    present = objects
    if kinds != {str}:
        present = [value for value in objects if type(value) is str]
        if any(type(value) in _FLOATS and value == value for value in objects):  # noqa: PLR0124 -- NaN is not itself
            _refuse(values, place)
    strings = _arrow(present, values, place)
    distinct = strings.dictionary_encode()
    if len(distinct.dictionary) == len(objects):
        return StringColumn(strings, codes)
    # Where each object ends up: its place among the distinct strings, or a missing value's code.
    to = np.empty(len(objects), dtype=np.int32)
    if len(present) == len(objects):
        to[:] = distinct.indices.to_numpy()
    else:
        is_string = np.fromiter((type(value) is str for value in objects), dtype=np.bool_, count=len(objects))
        to[is_string] = distinct.indices.to_numpy()
        to[~is_string] = [NONE if value is None else NAN for value in objects if type(value) is not str]
    return StringColumn(distinct.dictionary, to.take(codes))


def _by_value(values: NDArray[Any], place: Place) -> StringColumn | None:
    """Strings of which each row is an object of its own, and yet often the same one; None where that is not so."""
    try:
        expected = _expected(values)
        if expected is None:
            return None
        places, objects = pd.factorize(values) if expected <= _HASHED else _numbered(values, place)
    except TypeError:  # what has no hash is no string, and is refused where each is looked at
        return None
    if set(map(type, objects)) != {str}:
        return None
    codes = places.astype(np.int32)
    lacking = np.flatnonzero(codes < 0)
    if len(lacking):
        gone: Any = values[lacking]
        if not set(map(type, gone)) <= _FLOATS | {_NONE_TYPE}:
            return None
        codes[lacking] = np.where(gone == None, NONE, NAN)  # noqa: E711 -- element by element
    return StringColumn(_arrow(objects, values, place), codes)


def _expected(values: NDArray[Any]) -> int | None:
    """How many distinct values a sample has; None where that shows that they hardly repeat, or are too many."""
    part = values
    if len(values) > SAMPLE:
        part = np.concatenate([values[start : start + SAMPLE // 4] for start in spread(len(values))])
    found = len(pd.unique(part))
    return found if worth_numbering(len(values), len(part), found) else None


def _numbered(values: NDArray[Any], place: Place) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """As pandas' `factorize`, by Arrow, which copies strings as it finds them; nothing where not all are strings."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":  # Arrow would take bytes for text
        return np.empty(0, dtype=np.int32), values[:0]
    numbered = _arrow(values, values, place, pa.dictionary(pa.int32(), _TEXT))
    codes = numbered.indices.fill_null(NONE).to_numpy(zero_copy_only=False)
    present: Any = np.flatnonzero(codes >= 0) if numbered.null_count else slice(None)
    return codes, values[present][_first_rows(codes[present], len(numbered.dictionary))]


def _plain(values: NDArray[Any], place: Place) -> StringColumn | pd.DatetimeIndex:
    """Strings that hardly repeat, one by one."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        if pd.Timestamp in kinds or type(pd.NaT) in kinds:
            objects = values.tolist()
            instants = _instants(kinds, objects, place)
            if instants is not None:
                return instants
        _refuse(values, place)
    strings = _arrow(values, values, place)
    if not strings.null_count:
        return StringColumn(strings)
    null = strings.is_null().to_numpy(zero_copy_only=False)
    missing = np.zeros(len(values), dtype=np.int8)
    gone: Any = values[null]
    missing[null] = np.where(gone == None, NONE, NAN)  # noqa: E711 -- element by element
    return StringColumn(pc.fill_null(strings, ""), None, missing)


def _arrow(strings: Any, values: NDArray[Any], place: Place, kind: pa.DataType = _TEXT) -> Any:
    try:
        return pa.array(strings, kind, from_pandas=True)
    except (UnicodeEncodeError, pa.ArrowException, TypeError):
        _refuse(values, place)


def _instants(kinds: set[type], objects: list[Any], place: Place) -> pd.DatetimeIndex | None:
    """The instants among distinct objects; None where they are not meant to be instants at all."""
    others = kinds - {pd.Timestamp, type(pd.NaT), _NONE_TYPE} - _FLOATS
    mixed = bool(others) or any(type(value) in _FLOATS and value == value for value in objects)  # noqa: PLR0124
    first = next((type(value) for value in objects if not _is_missing(value)), None)
    if first not in (None, pd.Timestamp):
        return None
    if mixed:
        names = ", ".join(sorted(kind.__name__ for kind in others or _FLOATS & kinds))
        raise refusals.mixed_instants(place, f"also other values ({names})")
    zones = {str(value.tzinfo) for value in objects if type(value) is pd.Timestamp}
    if len(zones) > 1:
        raise refusals.mixed_instants(place, f"of different time zones ({', '.join(sorted(zones))})")
    if first is None:
        return pd.DatetimeIndex(np.full(len(objects), "NaT", dtype="M8[ns]"))
    try:
        return pd.DatetimeIndex([value if type(value) is pd.Timestamp else pd.NaT for value in objects]).as_unit("ns")
    except pd.errors.OutOfBoundsDatetime:
        raise refusals.mixed_instants(place, "some outside of what nanoseconds can hold (years 1677 to 2262)") from None


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NaT or (type(value) in _FLOATS and value != value)  # noqa: PLR0124


def _refuse(values: NDArray[Any], place: Place) -> NoReturn:
    """Find the first value that cannot be stored and say so; slow, but only on the way to an error."""
    first: type | None = None
    for row, value in enumerate(values):
        kind = type(value)
        if kind is str:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise refusals.bad_surrogate(place, row, value) from None
            first = str
        elif isinstance(value, str):
            raise refusals.bad_subclass(place, row, value)
        elif value is not None and not (kind in _FLOATS and value != value):  # noqa: PLR0124 -- NaN is not itself
            if value is pd.NaT and first is None and any(type(other) is str for other in values[row:]):
                first = str
            raise refusals.bad_value(place, row, value, after=first)
    raise UserInputException(f"String encoding failed in {place}. Store it with write_pickle.")


def from_arrow(values: pa.Array | pa.ChunkedArray) -> StringColumn:
    """A column of strings from Arrow; a null is a NaN, as pandas shows it."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(whole, pa.ChunkedArray):  # an older pyarrow combines into one chunk, or none
        whole = whole.chunk(0) if whole.num_chunks else _empty()
    if not pa.types.is_large_string(whole.type):
        whole = whole.cast(pa.large_string())
    if not whole.null_count:
        return StringColumn(whole)
    missing = np.where(whole.is_null().to_numpy(zero_copy_only=False), NAN, 0).astype(np.int8)
    return StringColumn(pc.fill_null(whole, ""), None, missing)


def to_objects(column: StringColumn, pool: NDArray[Any] | None = None) -> NDArray[Any]:
    """Python strings, None and NaN: each distinct string is made once.

    `pool` holds the Python strings of the column's values, where these have been made already.
    """
    if column.objects is not None:
        return column.objects
    objects = to_pool(column.values) if pool is None else pool
    if column.codes is not None:
        return _gather(objects, column.codes)
    if column.missing is not None:
        objects[column.missing == NONE] = None
        objects[column.missing == NAN] = np.nan
    return np.asarray(objects, dtype=object)


def to_pool(values: pa.LargeStringArray) -> NDArray[Any]:
    """The Python strings of an Arrow array without nulls."""
    made: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return made


def _gather(objects: NDArray[Any], codes: NDArray[np.int32]) -> NDArray[Any]:
    """The object of each code."""
    if not len(codes):
        return np.empty(0, dtype=object)
    least, most = int(codes.min()), int(codes.max())
    shift = 0
    if least < 0:
        # Codes are moved up by two, so that none is negative: gathering without a check of each is a third faster.
        shift = 2
        pool = np.empty(len(objects) + 2, dtype=object)
        pool[2 + NAN] = np.nan
        pool[2 + NONE] = None
        pool[2:] = objects
        objects = pool
    if least != most and len(codes) >= _MANY_ROWS and not _FEW < len(objects) < _SCATTERED:
        return _gather_by_counts(objects, codes, shift)
    made = np.empty(len(codes), dtype=object)
    if least == most:
        made.fill(objects[least + shift])
    else:
        _take(objects, codes, shift, made)
    return made


def _take(pool: NDArray[Any], codes: NDArray[np.int32], shift: int, made: NDArray[Any]) -> None:
    """Put what stands at each code + shift into `made`."""
    places = np.empty(min(len(made), _GATHERED), dtype=np.intp)
    for start in range(0, len(made), _GATHERED):
        part = codes[start : start + _GATHERED]
        np.add(part, shift, out=places[: len(part)])
        pool.take(places[: len(part)], out=made[start : start + len(part)], mode="clip")


def _gather_by_counts(objects: NDArray[Any], codes: NDArray[np.int32], shift: int) -> NDArray[Any]:
    """The object at each code + shift: all are written as often as they are wanted, and then put in order.

    Writing an object adds one to its reference count. In the order of the codes that is a miss of the cache each time,
    where the objects are too many for it; in their own order it is not, and where they are few it is a fill. Putting
    them in order moves only what the array holds already, so it does not concern reference counts, and lets the GIL go.
    """
    size = max(_PIECE, 4 * len(objects))
    pieces = [slice(start, start + size) for start in range(0, len(codes), size)]
    counts = np.add.reduce(map_jobs(lambda piece: occurrences(codes[piece] + shift, len(objects)), pieces))
    stops = np.cumsum(counts)
    if len(stops) != len(objects) or stops[-1] != len(codes):
        raise ValueError("a code without an object")
    if len(objects) > _FEW:
        made = np.repeat(objects, counts)
    else:
        made = np.empty(len(codes), dtype=object)
        for value, (start, stop) in zip(objects, pairwise([0, *stops.tolist()]), strict=True):
            made[start:stop].fill(value)
    given, wanted = _addresses(objects), _addresses(made)
    map_jobs(lambda piece: _take(given, codes[piece], shift, wanted[piece]), pieces)
    return made


def to_arrow(column: StringColumn) -> pa.LargeStringArray:
    """An Arrow array of the strings, null where missing."""
    if column.codes is not None:
        gone = column.codes < 0
        return column.values.take(pa.array(column.codes, mask=gone if gone.any() else None))
    if column.missing is None or not column.missing.any():
        return column.values
    return pc.if_else(pa.array(column.missing == 0), column.values, pa.scalar(None, pa.large_string()))


class _Addressed:
    """Shows an object array's pointers as numbers, through numpy's array interface."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values
        interface = values.__array_interface__
        self.__array_interface__ = {**interface, "typestr": "<i8", "descr": [("", "<i8")]}


def _addresses(values: NDArray[Any]) -> NDArray[np.int64]:
    """The same memory as numbers; a copy where it has gaps."""
    return np.ascontiguousarray(np.asarray(_Addressed(values)))


def _by_identity(
    addresses: NDArray[np.int64], values: NDArray[Any], expected: int
) -> tuple[NDArray[np.int32], list[Any]]:
    """Codes by identity, in order of first appearance, and the distinct objects."""
    found = _by_table(addresses) if expected > 1024 else None
    if found is None:
        wide, distinct = pd.factorize(addresses)
        codes, count = wide.astype(np.int32), len(distinct)
        first = _first_rows(codes, count)
    else:
        codes, first = found
    # The objects are taken from the array, not made from their addresses: another thread may change the array.
    return codes, values[first].tolist()


def _first_rows(codes: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """The row in which each code appears first; codes number the values by first appearance."""
    size = max(4096, 2 * count)
    while size < len(codes) and codes[:size].max() + 1 < count:
        size *= 8
    head = codes[:size]
    first = np.empty(count, dtype=np.intp)
    first[head[::-1]] = np.arange(len(head) - 1, -1, -1)
    return first


def _by_table(addresses: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.intp]] | None:
    """The same by a table instead of hashing, where the objects lie close together; None where they do not.

    An object is at least 16 bytes long, so that no two start within the same 16, and objects fill the memory in
    pieces: a table of all places in the few pieces of 64 KiB that hold any is often no longer than the column.
    """
    piece, pieces = pd.factorize(addresses >> 16)
    size = len(pieces) << 12
    if size > 4 * len(addresses):
        return None
    place = addresses >> 4
    place &= 0xFFF
    piece <<= 12
    place += piece
    rows = np.full(size, -1, dtype=np.int32)
    rows[place[::-1]] = np.arange(len(place) - 1, -1, -1, dtype=np.int32)
    used = np.flatnonzero(rows >= 0)
    first = rows[used]
    order = np.argsort(first)
    rows[used[order]] = np.arange(len(used), dtype=np.int32)
    return rows.take(place), first[order].astype(np.intp)


@lru_cache(maxsize=1)
def _empty() -> pa.LargeStringArray:
    return pa.array([], pa.large_string())
