"""From a table to pandas: a DataFrame or Series as it was written, around the table's arrays."""

# ruff: noqa: PD011 -- a band has values; it is no pandas object

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.table import StringColumn, Table
from coldframe.frames import pandas_compat, strings
from coldframe.frames.categories import category_array, decode_categories
from coldframe.frames.masked import MASKED, has_missing, with_missing
from coldframe.frames.meta import LEVEL, OBJECT, STR, STR_PYTHON, FrameMeta, frame_meta, numpy_of
from coldframe.frames.names import column_index
from coldframe.frames.pickled import unpickle_table
from coldframe.frames.zones import zoned

_MANY = 64


def denormalize(table: Table, *, whole: bool = True) -> Any:
    """The DataFrame or Series of a table, which gives its memory away; or the object that was pickled.

    Parameters
    ----------
    table : Table
    whole : bool
        Whether the rows are those of a whole version or a contiguous slice of it, so that the index keeps its
        frequency.

    Examples
    --------
    >>> from coldframe.frames.pandas_in import normalize
    >>> denormalize(normalize(pd.Series([1, 2], name="size"), symbol="AAPL")).tolist()
    [1, 2]
    """
    schema = table.schema
    meta = frame_meta(schema)
    if meta.kind == "pickled":
        return unpickle_table(table)
    index = _index(table, meta, whole=whole)
    if meta.kind == "series":
        return _series(table, meta, index)
    levels = schema.index_columns
    columns = column_index(schema.names[levels:], meta)
    blocks = _blocks(table, meta)
    if not blocks:
        return pd.DataFrame(index=index, columns=columns)
    return pandas_compat.frame_from_blocks(blocks, index, columns)


def columns_of_objects(schema: Schema) -> list[int]:
    """The stored positions of the columns of strings that pandas gets as Python objects."""
    meta = frame_meta(schema)
    found = []
    for dtype, (start, stop) in zip(schema.types, pairwise(schema.bounds.tolist()), strict=True):
        if dtype.kind == "string" and meta.kind != "pickled":
            places = schema.order[start:stop].tolist()
            found += [start + at for at, place in enumerate(places) if as_objects(meta.flavour(place))]
    return found


def _series(table: Table, meta: FrameMeta, index: pd.Index) -> pd.Series:
    schema = table.schema
    values = _column(table, schema.index_columns, meta)
    return pd.Series(values, index=index, dtype=values.dtype, name=schema.names[-1], copy=False)


def _blocks(table: Table, meta: FrameMeta) -> pandas_compat.Blocks:
    """The columns of a frame as blocks with their positions, the index left out."""
    schema = table.schema
    levels = schema.index_columns
    order, bounds = schema.order, schema.bounds.tolist()
    blocks: pandas_compat.Blocks = []
    for position, (dtype, band) in enumerate(zip(schema.types, table.bands, strict=True)):
        places = order[bounds[position] : bounds[position + 1]]
        skip = int(np.count_nonzero(places < levels)) if levels else 0
        if skip:
            places = places[skip:]
        if not len(places):
            continue
        values = band.values[skip:] if skip else band.values
        at = places - levels if levels else places
        if band.valid is not None and dtype.kind in MASKED:
            others = _set_apart(values, band.valid[skip:], at, blocks)
            if len(others) < len(at):
                values = values[others] if isinstance(values, np.ndarray) else [values[i] for i in others.tolist()]
                at, places = at[others], places[others]
                if not len(at):
                    continue
        if isinstance(values, np.ndarray) and dtype.kind != "category":
            blocks += _array_blocks(values, dtype, at)
        elif dtype.kind == "string" and len(at) > _MANY:
            blocks += _many_strings(values, places, at, meta)
        else:
            blocks += [
                (_block_column(row, dtype, schema, table_place, meta), at[i : i + 1])
                for i, (row, table_place) in enumerate(zip(values, places.tolist(), strict=True))
            ]
    return blocks


def _set_apart(values: Any, valid: Any, at: NDArray[np.intp], blocks: pandas_compat.Blocks) -> NDArray[np.intp]:
    """Make blocks of the columns in which integers or booleans are missing; the places of the others."""
    gone = ~valid.all(axis=1)
    for i in np.flatnonzero(gone).tolist():
        gone[i] = has_missing(values[i], valid[i])
        if gone[i]:
            blocks.append((with_missing(values[i], valid[i])[np.newaxis], at[i : i + 1]))
    return np.flatnonzero(~gone)


def _array_blocks(values: NDArray[Any], dtype: DType, at: NDArray[np.intp]) -> pandas_compat.Blocks:
    if dtype.zone is None:
        return [(values.view(numpy_of(dtype)) if dtype.temporal else values, at)]
    made = pandas_compat.zoned_block(values, zoned(dtype.unit, dtype.zone))
    if len(made) == 1:
        return [(made[0], at)]
    return [(array, at[i : i + 1]) for i, array in enumerate(made)]


def _many_strings(values: Any, places: NDArray[np.intp], at: NDArray[np.intp], meta: FrameMeta) -> pandas_compat.Blocks:
    """Many columns of strings: those that are Python objects make one block."""
    blocks: pandas_compat.Blocks = []
    of_objects = []
    for i, place in enumerate(places.tolist()):
        array = _string_array(values[i], meta.flavour(place))
        if isinstance(array, np.ndarray):
            of_objects.append((i, array))
        else:
            blocks.append((array, at[i : i + 1]))
    if of_objects:
        block = np.empty((len(of_objects), len(of_objects[0][1])), dtype=object)
        for row, (_, array) in zip(block, of_objects, strict=True):
            row[:] = array
        blocks.append((block, at[[i for i, _ in of_objects]]))
    return blocks


def _block_column(values: Any, dtype: DType, schema: Schema, place: int, meta: FrameMeta) -> Any:
    array = _array(values, dtype, schema, place, meta)
    return array[np.newaxis] if isinstance(array, np.ndarray) else array


def _array(values: Any, dtype: DType, schema: Schema, place: int, meta: FrameMeta) -> Any:
    """The pandas array of one column, around its values."""
    if dtype.kind == "string":
        return _string_array(values, meta.flavour(place))
    if dtype.kind == "category":
        return category_array(values, schema.categories[place], ordered=dtype.ordered)
    if dtype.zone is not None:
        return pandas_compat.zoned_columns(values[np.newaxis], zoned(dtype.unit, dtype.zone))[0]
    return values.view(numpy_of(dtype)) if dtype.temporal else values


def _string_array(column: StringColumn, flavour: int) -> Any:
    dtype = _string_type(flavour)
    if dtype is None:
        return strings.to_objects(column)
    if flavour == STR_PYTHON:
        return pd.array(strings.to_objects(column), dtype=dtype)
    return dtype.__from_arrow__(strings.to_arrow(column))


def as_objects(flavour: int) -> bool:
    """Whether strings of this flavour are Python objects in pandas, or made of them."""
    return flavour == STR_PYTHON or _string_type(flavour) is None


def _string_type(flavour: int) -> Any:
    """The string type of a flavour; None for Python objects."""
    if flavour == OBJECT or (flavour == STR and not pandas_compat.str_is_default()):
        return None
    return pandas_compat.string_dtype("python" if flavour == STR_PYTHON else "pyarrow")


def _column(table: Table, place: int, meta: FrameMeta) -> Any:
    """The pandas array of the column at a position in table order."""
    schema = table.schema
    kind = int(schema.kind_of[place])
    band, at = table.bands[kind], int(schema.place[place] - schema.bounds[kind])
    values = band.values[at]
    if band.valid is not None and schema.types[kind].kind in MASKED and has_missing(values, band.valid[at]):
        return with_missing(values, band.valid[at])
    return _array(values, schema.types[kind], schema, place, meta)


def _index(table: Table, meta: FrameMeta, *, whole: bool) -> pd.Index:
    """The index as it was written; a range starts again at its start, whatever rows were left out."""
    if meta.index == "range":
        return pd.RangeIndex(meta.start, meta.start + table.rows * meta.step, meta.step, name=meta.index_name)
    if meta.index == "plain":
        return _plain_index(table, meta, whole=whole)
    if meta.index == "multi":
        return _multi_index(table, meta)
    return pd.RangeIndex(table.rows)


def _multi_index(table: Table, meta: FrameMeta) -> pd.MultiIndex:
    schema = table.schema
    levels = range(schema.index_columns)
    index = pd.MultiIndex.from_arrays([_whole_level(_column(table, level, meta)) for level in levels])
    for level in levels:
        if meta.flavour(level) == LEVEL:
            # Kept as codes: its categories are the level itself.
            values = decode_categories(schema.categories[level])
            index = index.set_levels(values, level=level, verify_integrity=False)
    # Names last: pandas takes a level's number for a name where a level has such a name.
    index.names = schema.names[: len(levels)]
    return index


def _whole_level(array: Any) -> pd.Index:
    return pd.Index(array, dtype=array.dtype, copy=False)


def _plain_index(table: Table, meta: FrameMeta, *, whole: bool) -> pd.Index:
    # Column 0 is the first of the first type.
    schema = table.schema
    kind = int(schema.kind_of[0])
    dtype, name = schema.types[kind], schema.names[0]
    values: Any = table.bands[kind].values[0]
    if not dtype.temporal:
        array = _array(values, dtype, schema, 0, meta)
        return pd.Index(array, dtype=array.dtype, name=name, copy=False)
    zone = None if dtype.zone is None else zoned(dtype.unit, dtype.zone)
    index = pandas_compat.index_of_instants(values.view(numpy_of(dtype)), name, zone)
    if whole and meta.freq is not None:
        pandas_compat.pin_freq(index, meta.freq)
    return index
