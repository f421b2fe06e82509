"""The private parts of pandas that are used for speed, each with a public twin that gives the same, only slower.

A DataFrame keeps columns of one type in one 2-D array (a *block*). Taking and giving blocks makes a frame of 20,000
columns one array instead of 20,000. Where this pandas has no such part, the public twin does the work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MAJOR = int(pd.__version__.partition(".")[0])

Blocks = list[tuple[Any, NDArray[np.intp]]]
"""Values (2-D numpy array of shape (columns, rows), or a 1-D extension array) and the positions of the columns."""


def blocks_of(frame: pd.DataFrame) -> Blocks:
    """The columns of a frame, as they lie in memory: views, never to be written to."""
    try:
        found = [(block.values, block.mgr_locs.as_array) for block in frame._mgr.blocks]  # noqa: PD011, SLF001
    except AttributeError:
        return columns_of(frame)
    return [(_plain(values), places) for values, places in found]


def columns_of(frame: pd.DataFrame) -> Blocks:
    """The public twin of `blocks_of`: one block per column."""
    return list(_columns(frame))


def _columns(frame: pd.DataFrame) -> Iterator[tuple[Any, NDArray[np.intp]]]:
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        values = column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array
        yield (values[np.newaxis] if isinstance(values, np.ndarray) else values), np.array([position], dtype=np.intp)


def _plain(values: Any) -> Any:
    # Instants and durations without a zone are wrapped in an array class of pandas; with one they keep it.
    return values if isinstance(values, np.ndarray) or not isinstance(values.dtype, np.dtype) else instants_of(values)


def instants_of(values: Any) -> NDArray[Any]:
    """The numpy array inside an array of instants or durations, of as many dimensions; UTC where there is a zone."""
    inner = getattr(values, "_ndarray", None)
    if inner is not None:
        return np.asarray(inner)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.tz_convert(None)
    return np.asarray(values)


def zoned_block(values: NDArray[Any], dtype: pd.DatetimeTZDtype) -> list[Any]:
    """Arrays of instants in a zone from int64 of shape (columns, rows): one 2-D array, or one 1-D array per column."""
    try:
        return [_datetime_array()._simple_new(values.view(f"M8[{dtype.unit}]"), dtype=dtype)]  # noqa: SLF001
    except (AttributeError, TypeError):
        return zoned_columns(values, dtype)


def zoned_columns(values: NDArray[Any], dtype: pd.DatetimeTZDtype) -> list[Any]:
    """The public twin of `zoned_block`."""
    return [_zoned(row, dtype) for row in values]


@lru_cache(maxsize=1)
def _datetime_array() -> Any:
    return type(pd.DatetimeIndex([]).array)


@lru_cache(maxsize=1)
def _timedelta_array() -> Any:
    return type(pd.TimedeltaIndex([]).array)


def _zoned(values: NDArray[Any], dtype: pd.DatetimeTZDtype) -> Any:
    # Integers given for a zoned type are instants in UTC, in the type's unit.
    return pd.DatetimeIndex(values, dtype=dtype, copy=False).array


def index_of_instants(values: NDArray[Any], name: Any, zoned: pd.DatetimeTZDtype | None = None) -> pd.Index:
    """An index around instants (with a zone: of UTC) or durations, a numpy array of them, without looking at each."""
    of_instants = values.dtype.kind == "M"
    try:
        array = _datetime_array() if of_instants else _timedelta_array()
        held = array._simple_new(values, dtype=zoned or values.dtype)  # noqa: SLF001
        return (pd.DatetimeIndex if of_instants else pd.TimedeltaIndex)._simple_new(held, name=name)  # noqa: SLF001
    except (AttributeError, TypeError):
        return index_of_instants_checked(values, name, zoned)


def index_of_instants_checked(values: NDArray[Any], name: Any, zoned: pd.DatetimeTZDtype | None = None) -> pd.Index:
    """The public twin of `index_of_instants`."""
    if zoned is not None:
        return pd.DatetimeIndex(values.view("i8"), dtype=zoned, name=name, copy=False)
    return (pd.DatetimeIndex if values.dtype.kind == "M" else pd.TimedeltaIndex)(values, name=name, copy=False)


def frame_from_blocks(blocks: Blocks, index: pd.Index, columns: pd.Index) -> pd.DataFrame:
    """A frame around blocks that cover all columns, without copying them."""
    build = _block_builder()
    return frame_from_columns(blocks, index, columns) if build is None else build(blocks, index, columns)


def frame_from_columns(blocks: Blocks, index: pd.Index, columns: pd.Index) -> pd.DataFrame:
    """The public twin of `frame_from_blocks`."""
    data: list[Any] = [None] * len(columns)
    for values, places in blocks:
        rows = values if values.ndim == 2 else [values]
        for place, row in zip(places.tolist(), rows, strict=True):
            data[place] = pd.Series(row, index=index, dtype=row.dtype, copy=False)
    frame = pd.DataFrame(dict(enumerate(data)), index=index, copy=False)
    frame.columns = columns
    return frame


@lru_cache(maxsize=1)
def _block_builder() -> Callable[[Blocks, pd.Index, pd.Index], pd.DataFrame] | None:
    try:
        from pandas.api.internals import create_dataframe_from_blocks
    except ImportError:
        return _older_builder()

    return lambda blocks, index, columns: create_dataframe_from_blocks(blocks, index=index, columns=columns)


def _older_builder() -> Callable[[Blocks, pd.Index, pd.Index], pd.DataFrame] | None:
    try:
        from pandas.core.internals import BlockManager, make_block

        from_manager = pd.DataFrame._from_mgr  # noqa: SLF001
    except (ImportError, AttributeError):
        return None

    def build(blocks: Blocks, index: pd.Index, columns: pd.Index) -> pd.DataFrame:
        made = tuple(make_block(values, placement=places, ndim=2) for values, places in blocks)
        manager = BlockManager(made, [columns, index], verify_integrity=False)
        return from_manager(manager, axes=manager.axes)

    return build


@lru_cache(maxsize=256)
def offset_of(freq: str) -> Any:
    """The offset of a frequency string; None for one this pandas does not know."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pd.tseries.frequencies.to_offset(freq)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def freq_name(offset: Any) -> str | None:
    """A frequency as a string; None for one that no string restores, such as a calendar with holidays."""
    name: str = offset.freqstr
    return name if offset_of(name) == offset else None


def pin_freq(index: Any, freq: str) -> None:
    """Give an index of instants or durations, not shared with anybody, its frequency without checking every row."""
    offset = offset_of(freq)
    if offset is None:
        return
    holder = _freq_holder()
    if holder == "index":
        index._freq = offset  # noqa: SLF001
    elif holder == "array":
        index._data._freq = offset  # noqa: SLF001
    else:
        pin_freq_checked(index, freq)


def pin_freq_checked(index: Any, freq: str) -> None:
    """The public twin of `pin_freq`: pandas checks every row."""
    index.freq = offset_of(freq)


@lru_cache(maxsize=1)
def _freq_holder() -> str:
    # Where this pandas keeps the frequency: tried on an index of our own.
    probe = pd.DatetimeIndex(np.array([0, 1], dtype="M8[D]"))
    if hasattr(type(probe), "_freq"):
        return "index"
    if hasattr(getattr(probe, "_data", None), "_freq"):
        return "array"
    return "unknown"


@lru_cache(maxsize=1)
def _infers_str() -> bool:
    return MAJOR >= 3


def str_is_default() -> bool:
    """Whether pandas makes strings `str`: from version 3 on, or where `future.infer_string` is set."""
    return _infers_str() or bool(pd.get_option("future.infer_string"))


@lru_cache(maxsize=8)
def string_dtype(storage: str) -> Any:
    """The string type whose missing value is NaN; None where this pandas has none."""
    try:
        return pd.StringDtype(storage, na_value=np.nan)
    except TypeError:  # pandas 2.2 spells it otherwise, and for Arrow only
        return pd.StringDtype("pyarrow_numpy") if storage == "pyarrow" else None


def string_missing_is_nan(dtype: Any) -> bool:
    """Whether the missing value of a string type is NaN, not `pd.NA`."""
    return dtype.na_value is not pd.NA
