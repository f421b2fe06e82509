"""From pandas to a table: a DataFrame or Series as bands, without copying what need not be copied.

Nothing here writes to the user's object. What a table cannot restore exactly is refused (see `refusals`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticException,
    ArcticUnsupportedDataTypeException,
    ErrorCode,
)
from coldframe.format.dtypes import DType
from coldframe.format.schema import Name
from coldframe.format.table import StringColumn, Table
from coldframe.frames import pandas_compat, refusals, strings
from coldframe.frames.categories import encode_categories
from coldframe.frames.meta import LEVEL, OBJECT, STR, STR_ARROW, STR_PYTHON, STRING, FrameMeta, dtype_of
from coldframe.frames.names import column_name, column_names, index_name, index_range
from coldframe.frames.parts import Part, assemble
from coldframe.frames.refusals import Place
from coldframe.frames.zones import zone_name


def normalize(data: object, *, symbol: str) -> Table:
    """The table of a pandas object.

    Parameters
    ----------
    data : DataFrame or Series
    symbol : str
        For messages.

    Raises
    ------
    ArcticUnsupportedDataTypeException
        `data` is neither.
    ArcticException
        A column, an index or a name cannot be stored; the message names it.

    Examples
    --------
    >>> table = normalize(pd.DataFrame({"price": [1.5, 2.5]}), symbol="AAPL")
    >>> table.rows, table.schema.names
    (2, ['price'])
    """
    if isinstance(data, pd.DataFrame):
        return _normalize_frame(data, symbol)
    if isinstance(data, pd.Series):
        return _normalize_series(data, symbol)
    kind = type(data)
    raise ArcticUnsupportedDataTypeException(
        f"A {kind.__module__}.{kind.__qualname__} cannot be stored under symbol {symbol!r}: pandas DataFrames and "
        f"Series are. Convert it to one, or use write_pickle, which stores any Python object."
    )


def _normalize_frame(frame: pd.DataFrame, symbol: str) -> Table:
    columns, note = column_names(frame.columns, symbol)
    index_names, parts, index_note = _index(frame.index, symbol)
    names = index_names + columns
    levels = len(index_names)
    for values, places in pandas_compat.blocks_of(frame):
        parts += _block(values, places, levels, names, symbol)
    return assemble(parts, names, levels, FrameMeta("frame", **index_note, **note), len(frame))


def _normalize_series(series: pd.Series, symbol: str) -> Table:
    index_names, parts, index_note = _index(series.index, symbol)
    levels = len(index_names)
    names = [*index_names, column_name(symbol, series.name, "Series name")]
    values = series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array
    values = values[np.newaxis] if isinstance(values, np.ndarray) else values
    parts += _block(values, np.array([0], dtype=np.intp), levels, names, symbol, "Series")
    return assemble(parts, names, levels, FrameMeta("series", **index_note), len(series))


def _block(
    values: Any, places: NDArray[np.intp], levels: int, names: list[Name], symbol: str, what: str = "column"
) -> list[Part]:
    """The parts of one block of columns."""
    at = places + levels if levels else places
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "O":
            return [_objects(row, at[i : i + 1], Place(symbol, what, names[at[i]])) for i, row in enumerate(values)]
        return [_numbers(values, at, Place(symbol, what, names[at[0]]))]
    dtype = values.dtype
    place = Place(symbol, what, names[at[0]])
    if isinstance(dtype, pd.DatetimeTZDtype):
        instants = pandas_compat.instants_of(values).view(np.int64)
        return [Part(_zoned_type(dtype, place), at, instants if instants.ndim == 2 else instants[np.newaxis])]
    return [_extension(values, at, place)]


def _numbers(values: NDArray[Any], at: NDArray[np.intp], place: Place) -> Part:
    """Columns of a numpy type."""
    dtype = dtype_of(values.dtype)
    if dtype is None:
        raise refusals.bad_dtype(place, values.dtype)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return Part(dtype, at, values.view(np.int64) if dtype.temporal else values)


def _objects(values: NDArray[Any], at: NDArray[np.intp], place: Place) -> Part:
    """A column of Python objects."""
    column = strings.from_objects(values, place)
    if isinstance(column, pd.DatetimeIndex):
        return _instants(column, at, place)
    return Part(STRING, at, column, OBJECT)


def _instants(index: Any, at: NDArray[np.intp], place: Place) -> Part:
    """An index of instants or durations as a column."""
    dtype = index.dtype
    stored = _zoned_type(dtype, place) if isinstance(dtype, pd.DatetimeTZDtype) else dtype_of(dtype)
    if stored is None:
        raise refusals.bad_dtype(place, dtype)
    return Part(stored, at, index.asi8[np.newaxis])


def _extension(values: Any, at: NDArray[np.intp], place: Place) -> Part:
    """A column of one of pandas' own types: categorical and strings; the others are refused."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = values.codes
        stored = DType("category", codes.dtype.itemsize * 8, ordered=bool(dtype.ordered))
        return Part(stored, at, codes[np.newaxis], OBJECT, encode_categories(dtype.categories, place))
    if isinstance(dtype, pd.StringDtype) and pandas_compat.string_missing_is_nan(dtype):
        if dtype.storage == "python":
            column = strings.from_objects(values.to_numpy(dtype=object), place)
            if isinstance(column, StringColumn):
                return Part(STRING, at, column, STR_PYTHON)
            raise refusals.bad_dtype(place, dtype)
        flavour = STR if pandas_compat.str_is_default() else STR_ARROW
        return Part(STRING, at, strings.from_arrow(pa.array(values)), flavour)
    raise refusals.bad_dtype(place, dtype)


@lru_cache(maxsize=256)
def _zoned_types(dtype: pd.DatetimeTZDtype) -> DType | None:
    name = zone_name(dtype.tz)
    return None if name is None else DType("timestamp", 64, dtype.unit, name)


def _zoned_type(dtype: pd.DatetimeTZDtype, place: Place) -> DType:
    stored = _zoned_types(dtype)
    if stored is None:
        raise ArcticException(
            f"{place} is in the time zone {dtype.tz!r}, which has no name to restore it by. "
            f"Convert it with tz_convert to a named zone such as 'Europe/Paris' or 'UTC'.",
            code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
        )
    return stored


def _index(index: pd.Index, symbol: str) -> tuple[list[Name], list[Part], dict[str, Any]]:
    """Names and columns of an index, and what of `FrameMeta` restores it."""
    if isinstance(index, pd.RangeIndex):
        start, step = index_range(symbol, index)
        note = {"index": "range", "index_name": index_name(symbol, index.name), "start": start, "step": step}
        return [], [], note
    if isinstance(index, pd.MultiIndex):
        names = [index_name(symbol, name) for name in index.names]
        # Without names: pandas takes a level's number for a name where a level has such a name.
        bare = index.set_names([None] * len(names))
        parts = [_multi_level(bare, level, Place(symbol, "index level", names[level])) for level in range(len(names))]
        return names, parts, {"index": "multi"}
    name = index_name(symbol, index.name)
    note = {"index": "plain"}
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex) and index.freq is not None:
        note["freq"] = pandas_compat.freq_name(index.freq)
    if isinstance(index, pd.CategoricalIndex):
        raise refusals.bad_dtype(Place(symbol, "index", name), index.dtype)
    return [name], [_level(index, 0, Place(symbol, "index", name))], note


def _level(index: pd.Index, level: int, place: Place) -> Part:
    """The values of an index as a column."""
    at = np.array([level], dtype=np.intp)
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
        return _instants(index, at, place)
    if isinstance(index, pd.PeriodIndex):
        raise ArcticDbNotYetImplemented(
            f"{place} is a PeriodIndex, which is not stored yet. Convert it with .to_timestamp()."
        )
    if not isinstance(index.dtype, np.dtype):
        return _extension(index.array, at, place)
    values = index.to_numpy()
    return _objects(values, at, place) if values.dtype.kind == "O" else _numbers(values[np.newaxis], at, place)


def _multi_level(index: pd.MultiIndex, level: int, place: Place) -> Part:
    """One level of a MultiIndex as a column."""
    values = index.levels[level]
    codes = index.codes[level]
    if values.dtype.kind in "iub" and len(codes) and codes.min() < 0:
        # No number says "missing": keep codes, else 2**53 + 1 would become a float.
        count = next(bits for bits in (8, 16, 32, 64) if len(values) < 2 ** (bits - 1))
        narrow = np.asarray(codes, dtype=f"<i{count // 8}")[np.newaxis]
        data = encode_categories(values.rename(None), place)
        return Part(DType("category", count), np.array([level], dtype=np.intp), narrow, LEVEL, data)
    return _level(index.get_level_values(level), level, place)
