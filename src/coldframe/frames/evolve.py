"""The schema after an append or update: whether new rows fit a symbol, and what its columns become.

Decisions on schemas alone, no data. A symbol with a static schema takes rows of the same columns; one with a dynamic
schema takes any, and its columns are the union with the types of `promotion`.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec
import numpy as np
import pandas as pd

from coldframe.exceptions import (
    ArcticException,
    ErrorCode,
    InternalException,
    NormalizationException,
    SchemaException,
    StreamDescriptorMismatch,
)
from coldframe.format.dtypes import DType
from coldframe.format.schema import Name, Schema
from coldframe.frames.categories import code_bits, union_categories
from coldframe.frames.conform import conform
from coldframe.frames.meta import (
    LEVEL,
    OBJECT,
    FrameMeta,
    encode_meta,
    frame_meta,
    index_kind,
    is_timeseries,
    replace_meta,
    select,
    without_freq,
)
from coldframe.frames.pandas_compat import offset_of
from coldframe.frames.promotion import common, promote
from coldframe.frames.timeline import index_values, sortedness, to_ns, to_unit
from coldframe.frames.zones import zone_of

__all__ = [
    "check_dynamic",
    "conform",
    "evolve",
    "index_kind",
    "index_values",
    "is_timeseries",
    "select",
    "sortedness",
    "to_ns",
    "to_unit",
    "without_freq",
]

_OBJECTS = {"frame": "DataFrame", "series": "Series", "pickled": "pickled object"}


class _Side(msgspec.Struct):
    """A schema with what is asked of it again and again."""

    schema: Schema
    meta: FrameMeta
    rows: int

    @property
    def levels(self) -> int:
        return self.schema.index_columns

    @property
    def columns(self) -> list[Name]:
        return self.schema.names[self.levels :]


class _Column(msgspec.Struct):
    """A column of the schema being made."""

    name: Name
    dtype: DType
    flavour: int = OBJECT
    categories: bytes | None = None


def evolve(
    existing: Schema,
    existing_rows: int,
    new: Schema,
    new_rows: int,
    *,
    dynamic: bool,
    symbol: str,
    follows: tuple[int, int] | None = None,
) -> Schema:
    """The schema of a symbol once new rows are in.

    Parameters
    ----------
    existing, new : Schema
        Of the symbol, and of the new rows.
    existing_rows, new_rows : int
    dynamic : bool
        Whether the library allows the columns to change.
    symbol : str
        For messages.
    follows : tuple of (int, int), optional
        For an append: the last time stored and the first new one, in the units of their schemas. The index keeps its
        frequency if one follows the other by it.

    Raises
    ------
    NormalizationException
        Another kind of object or of index.
    StreamDescriptorMismatch
        Other columns, types or names of the index.
    SchemaException
        Under a dynamic schema: types that have none in common.
    """
    old = _Side(existing, frame_meta(existing), existing_rows)
    side = _Side(new, frame_meta(new), new_rows)
    _check_kind(old, side, symbol, dynamic=dynamic)
    if existing is new or (existing == new and old.meta.index != "range" and old.meta.freq is None):
        if dynamic:
            check_dynamic(new, symbol)
        return existing
    if existing_rows and _alike(old, side):
        if dynamic:
            check_dynamic(new, symbol)
        return _noted(old, side, symbol, follows)
    levels, index_note = _index(old, side, symbol, dynamic=dynamic)
    if dynamic:
        columns, column_note = _union(old, side, symbol)
    else:
        columns, column_note = _same(old, side, symbol), _columns_note(old.meta)
    index_note["freq"] = _freq(old, side, follows)
    return _schema(old, levels, columns, index_note | column_note)


def _alike(old: _Side, new: _Side) -> bool:
    """Whether nothing differs but what is noted of the index: the way of nearly every append."""
    was, now = old.schema, new.schema
    return (
        was.kinds == now.kinds
        and was.names == now.names
        and was.types == now.types
        and was.categories == now.categories
        and was.index_columns == now.index_columns
        and (old.meta.index, old.meta.strings, old.meta.flavours)
        == (new.meta.index, new.meta.strings, new.meta.flavours)
        and list(map(type, was.names)) == list(map(type, now.names))
    )


def _noted(old: _Side, new: _Side, symbol: str, follows: tuple[int, int] | None) -> Schema:
    """The schema of columns that stay as they are."""
    if old.meta.index == "range":
        _continued_range(old, new, symbol)
    freq = _freq(old, new, follows)
    if freq == old.meta.freq:
        return old.schema
    return replace_meta(old.schema, msgspec.structs.replace(old.meta, freq=freq))


def check_dynamic(schema: Schema, symbol: str) -> None:
    """Refuse columns that a dynamic schema cannot tell apart; called when a symbol is written too.

    Raises
    ------
    ArcticException
        Two columns have one name.
    """
    names = schema.names[schema.index_columns :]
    if len(set(names)) == len(names):
        return
    seen: set[Name] = set()
    twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    raise ArcticException(
        f"Symbol {symbol!r} has a dynamic schema, in which columns are told apart by their names, but the data has "
        f"more than one column {twice!r}. Rename them.",
        code=ErrorCode.E_DUPLICATE_COLUMN,
    )


def _check_kind(old: _Side, new: _Side, symbol: str, *, dynamic: bool) -> None:
    if old.meta.kind == "pickled":
        raise InternalException(
            f"Cannot append to pickled data: symbol {symbol!r} holds a pickled object. Use write to replace it.",
            code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_PICKLED_DATA,
        )
    if old.meta.kind != new.meta.kind:
        was, is_ = (_OBJECTS.get(meta.kind, meta.kind) for meta in (old.meta, new.meta))
        raise NormalizationException(
            f"Symbol {symbol!r} holds a {was}, the new data is a {is_}. Convert it to a {was}, or use write to replace "
            f"the symbol."
        )
    if old.meta.kind == "series" and _key(old.columns[0]) != _key(new.columns[0]):
        mismatch = SchemaException if dynamic else StreamDescriptorMismatch
        raise mismatch(
            f"Symbol {symbol!r} holds a Series named {old.columns[0]!r}, the new one is named {new.columns[0]!r}. "
            f"Rename it to match."
        )


def _key(name: Name) -> tuple[type, Name]:
    # 1, 1.0 and True are equal, but different names.
    return type(name), name


# --- the index


def _index(old: _Side, new: _Side, symbol: str, *, dynamic: bool) -> tuple[list[_Column], dict[str, Any]]:
    """The levels of the index, and its part of `FrameMeta`."""
    if _index_shape(old) != _index_shape(new):
        # Without rows nothing is indexed yet.
        if not old.rows:
            return _levels(new), _index_note(new.meta)
        if not new.rows:
            return _levels(old), _index_note(old.meta)
        raise NormalizationException(
            f"Symbol {symbol!r} is indexed by {_describe_index(old)}, the new data by {_describe_index(new)}. Give the "
            f"new data an index of the same kind, e.g. with set_index or reset_index.",
            code=ErrorCode.E_INCOMPATIBLE_INDEX,
        )
    if old.meta.index == "range":
        return [], _continued_range(old, new, symbol)
    if list(map(_key, old.schema.names[: old.levels])) != list(map(_key, new.schema.names[: new.levels])):
        raise StreamDescriptorMismatch(
            f"The index of symbol {symbol!r} is named {_names(old)}, that of the new data {_names(new)}. Rename it, "
            f"e.g. with df.index.names = ..."
        )
    if not old.rows:
        return _levels(new), _index_note(new.meta)
    levels = []
    for position, (was, now) in enumerate(zip(_levels(old), _levels(new), strict=True)):
        dtype = promote(was.dtype, now.dtype) if dynamic else common(was.dtype, now.dtype)
        if dtype is None:
            _refuse_type(symbol, f"level {position} of the index", was, now, StreamDescriptorMismatch)
        levels.append(_merged(was, now, dtype, old, new, symbol))
    return levels, _index_note(old.meta)


def _index_shape(side: _Side) -> tuple[Any, ...]:
    """What must be alike for rows to share an index: its kind, its levels and the kind of the first."""
    return (side.meta.index, side.levels, side.schema.dtype(0).kind if side.levels else None)


def _describe_index(side: _Side) -> str:
    if side.meta.index == "range":
        return f"a RangeIndex (start {side.meta.start}, step {side.meta.step})"
    types = ", ".join(str(side.schema.dtype(level)) for level in range(side.levels))
    return f"a MultiIndex ({types})" if side.meta.index == "multi" else f"an index of {types}"


def _names(side: _Side) -> str:
    names = side.schema.names[: side.levels]
    return repr(names[0]) if side.meta.index == "plain" else repr(names)


def _levels(side: _Side) -> list[_Column]:
    return [_column(side, place) for place in range(side.levels)]


def _index_note(meta: FrameMeta) -> dict[str, Any]:
    return {"index": meta.index, "index_name": meta.index_name, "start": meta.start, "step": meta.step}


def _continued_range(old: _Side, new: _Side, symbol: str) -> dict[str, Any]:
    was, now = old.meta, new.meta
    note = _index_note(was)
    if not old.rows:
        return note | {"start": now.start, "step": now.step}
    stop = was.start + old.rows * was.step
    default = now.start == 0 and now.step == 1
    if new.rows and not (now.step == was.step and (now.start == stop or default)):
        raise NormalizationException(
            f"Symbol {symbol!r} is indexed by a RangeIndex from {was.start} to {stop} by {was.step}, which the "
            f"RangeIndex of the new data (from {now.start} by {now.step}) does not continue. It must start at {stop} "
            f"with step {was.step}" + (", or be the default one (reset_index)." if was.step == 1 else "."),
            code=ErrorCode.E_INCOMPATIBLE_INDEX,
        )
    return note


def _freq(old: _Side, new: _Side, follows: tuple[int, int] | None) -> str | None:
    """The frequency of the index: kept only if it is known to go on."""
    if not new.rows:
        return old.meta.freq
    if not old.rows:
        return new.meta.freq
    freq = old.meta.freq
    if freq is None or follows is None or (new.meta.freq != freq and new.rows > 1) or not is_timeseries(old.schema):
        return None
    types = old.schema.dtype(0), new.schema.dtype(0)
    last, first = (pd.Timestamp(at, unit=of.unit, tz="UTC") for at, of in zip(follows, types, strict=True))
    zone = types[0].zone
    if zone is not None:
        last, first = last.tz_convert(zone_of(zone)), first.tz_convert(zone_of(zone))
    try:
        return freq if last + offset_of(freq) == first else None
    except (TypeError, OverflowError, ValueError):  # an offset this pandas does not know, or beyond all time
        return None


# --- the columns


def _column(side: _Side, place: int) -> _Column:
    schema = side.schema
    return _Column(schema.names[place], schema.dtype(place), side.meta.flavour(place), schema.categories.get(place))


def _columns(side: _Side) -> list[_Column]:
    return [_column(side, place) for place in range(side.levels, side.schema.width)]


def _columns_note(meta: FrameMeta) -> dict[str, Any]:
    return {
        "columns": meta.columns,
        "columns_start": meta.columns_start,
        "columns_step": meta.columns_step,
        "columns_count": meta.columns_count,
        "columns_name": meta.columns_name,
    }


def _same(old: _Side, new: _Side, symbol: str) -> list[_Column]:
    """The columns of a static schema: the same names and types in the same order."""
    if old.columns != new.columns or list(map(type, old.columns)) != list(map(type, new.columns)):
        _refuse_columns(old, new, symbol)
    columns = []
    for was, now in zip(_columns(old), _columns(new), strict=True):
        dtype = common(was.dtype, now.dtype)
        if dtype is None:
            _refuse_columns(old, new, symbol)
        columns.append(_merged(was, now, dtype, old, new, symbol))
    return columns


def _union(old: _Side, new: _Side, symbol: str) -> tuple[list[_Column], dict[str, Any]]:
    """The columns of a dynamic schema, in the order in which they were first seen."""
    check_dynamic(new.schema, symbol)
    arriving = {_key(column.name): column for column in _columns(new)}
    spelled = {str(name): name for name in old.columns}
    columns = []
    for was in _columns(old):
        now = arriving.pop(_key(was.name), None)
        if now is None:
            columns.append(was)
            continue
        dtype = promote(was.dtype, now.dtype)
        if dtype is None:
            _refuse_type(symbol, f"column {was.name!r}", was, now, SchemaException)
        columns.append(_merged(was, now, dtype, old, new, symbol))
    for column in arriving.values():
        known = spelled.get(str(column.name), column.name)
        if _key(known) != _key(column.name):
            raise NormalizationException(
                f"Symbol {symbol!r} has a column named {known!r} ({type(known).__name__}), the new data one named "
                f"{column.name!r} ({type(column.name).__name__}). Under a dynamic schema names must differ as text: "
                f"rename it."
            )
        columns.append(column)
    return columns, _columns_note(old.meta) | {"columns": _columns_kind(old, new, columns)}


def _columns_kind(old: _Side, new: _Side, columns: list[_Column]) -> str:
    """The kind of Index for the column names of both."""
    if len(columns) == len(old.columns):
        return old.meta.columns
    was, now = old.meta.columns, new.meta.columns
    if not old.columns:
        return now
    if was == now and was != "range":
        return was
    names = {type(column.name) for column in columns}
    if names == {str}:
        return was
    return "int64" if names == {int} else "object"


def _merged(was: _Column, now: _Column, dtype: DType, old: _Side, new: _Side, symbol: str) -> _Column:
    """A column both have."""
    if dtype.kind == "category":
        return _merged_category(was, now, dtype, symbol)
    flavour = was.flavour
    if flavour != now.flavour:
        # Beside objects, among which None and NaN differ, only objects keep everything.
        flavour = now.flavour if not old.rows else flavour if not new.rows else OBJECT
    return _Column(was.name, dtype, flavour)


def _merged_category(was: _Column, now: _Column, dtype: DType, symbol: str) -> _Column:
    if was.categories == now.categories or now.categories is None or was.categories is None:
        return _Column(was.name, dtype, was.flavour, was.categories)
    joined = union_categories(was.categories, now.categories)
    if joined is None:
        raise SchemaException(
            f"Column {was.name!r} of symbol {symbol!r} is categorical, and the categories of the new data are of "
            f"another type. Convert them, e.g. with .cat.rename_categories(str)."
        )
    if dtype.ordered and joined != was.categories:
        raise SchemaException(
            f"Column {was.name!r} of symbol {symbol!r} is an ordered categorical, and the new data has categories the "
            f"symbol has not, whose rank among its own is not known. Use .cat.set_categories, or write the symbol anew."
        )
    if was.flavour != now.flavour and LEVEL in (was.flavour, now.flavour):
        raise StreamDescriptorMismatch(
            f"Index level {was.name!r} of symbol {symbol!r} is categorical on one side only. Convert it with .astype."
        )
    bits = max(was.dtype.bits, code_bits(joined))
    return _Column(was.name, DType("category", bits, ordered=dtype.ordered), was.flavour, joined)


def _schema(old: _Side, levels: list[_Column], columns: list[_Column], note: dict[str, Any]) -> Schema:
    """The schema of these columns; the existing one itself if it is the same."""
    merged = levels + columns
    meta = msgspec.structs.replace(old.meta, **note)
    flavours = np.fromiter((column.flavour for column in merged), dtype=np.uint8, count=len(merged))
    strings = np.fromiter((column.dtype.kind == "string" for column in merged), dtype=np.bool_, count=len(merged))
    meta = meta.with_flavours(flavours, strings)
    made = Schema.of(
        [column.name for column in merged],
        [column.dtype for column in merged],
        len(levels),
        {place: column.categories for place, column in enumerate(merged) if column.categories is not None},
        encode_meta(meta),
    )
    return old.schema if made == old.schema else made


# --- refusals


def _zone(name: str | None) -> str:
    return "no time zone" if name is None else f"the time zone {name!r}"


def _refuse_type(symbol: str, what: str, was: _Column, now: _Column, error: type[ArcticException]) -> NoReturn:
    zones = was.dtype.zone, now.dtype.zone
    if was.dtype.kind == now.dtype.kind == "timestamp" and zones[0] != zones[1]:
        raise error(
            f"In symbol {symbol!r}, {what} is in {_zone(zones[0])}, the new data in {_zone(zones[1])}. "
            f"Convert it with tz_convert (or tz_localize, if it has none)."
        )
    raise error(
        f"In symbol {symbol!r}, {what} is of type {was.dtype}, in the new data of type {now.dtype}, and no type holds "
        f"both. Convert the new data with .astype."
    )


def _refuse_columns(old: _Side, new: _Side, symbol: str) -> NoReturn:
    """Say what is different: types of columns both have, columns only one has, or their order."""
    before, after = _columns(old), _columns(new)
    types = {_key(column.name): column.dtype for column in before}
    arriving = {_key(column.name): column.dtype for column in after}
    changed = [
        f"column {name!r} is of type {types[key]}, in the new data of type {dtype}"
        for key, dtype in arriving.items()
        if key in types and common(types[key], dtype) is None
        for _, name in [key]
    ]
    missing = [f"- {column.name!r} {column.dtype}" for column in before if _key(column.name) not in arriving]
    added = [f"+ {column.name!r} {column.dtype}" for column in after if _key(column.name) not in types]
    if not changed and not missing and not added:
        orders = _some([column.name for column in before]), _some([column.name for column in after])
        changed = [f"they stand in another order, or another number of times: {orders[0]}, in the new data {orders[1]}"]
    parts = changed[:10] + (["columns missing from the new data and added by it:"] if missing or added else [])
    raise StreamDescriptorMismatch(
        f"The new data does not have the columns of symbol {symbol!r}: "
        + "; ".join(parts)
        + "".join(f"\n{line}" for line in (missing + added)[:20])
        + "\nGive it the same columns, in the same order and of the same types, or use a library with dynamic_schema."
    )


def _some(names: list[Name]) -> str:
    return repr(names) if len(names) <= 20 else f"{names[:20]!r} ..."
