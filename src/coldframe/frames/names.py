"""Names of columns, indexes and Series: which are stored, and the Index in which column names stood."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
import pandas as pd

from coldframe.exceptions import ArcticDbNotYetImplemented, ArcticException, ErrorCode
from coldframe.format.schema import Name
from coldframe.frames import refusals
from coldframe.frames.meta import FrameMeta
from coldframe.frames.pandas_compat import MAJOR, str_is_default, string_dtype, string_missing_is_nan

INDEX_NAME = "a string of valid Unicode, an integer of 64 bits or None"
COLUMN_NAME = f"a float that is not NaN, a boolean, {INDEX_NAME}"

_INDEX_TYPES = frozenset({str, int, type(None)})
_COLUMN_TYPES = _INDEX_TYPES | {float, bool}
_CACHED_WIDTH = 256


def index_name(symbol: str, name: object) -> Name:
    """The name of an index or of the column names."""
    if type(name) in _INDEX_TYPES and _encodes(name):
        return cast("Name", name)
    if isinstance(name, np.integer | np.str_):
        return index_name(symbol, name.item())
    raise refusals.bad_name(symbol, "index name", name, INDEX_NAME)


def column_name(symbol: str, name: object, what: str = "column name") -> Name:
    """The name of a column or a Series."""
    if type(name) in _COLUMN_TYPES and name == name and _encodes(name):  # noqa: PLR0124 -- NaN is not itself
        return cast("Name", name)
    if isinstance(name, np.integer | np.floating | np.bool_ | np.str_) and type(item := name.item()) in _COLUMN_TYPES:
        return column_name(symbol, item, what)
    raise refusals.bad_name(symbol, what, name, COLUMN_NAME)


def _encodes(name: object) -> bool:
    if type(name) is int:
        return -(2**63) <= name < 2**64
    if type(name) is str and not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            return False
    return True


def column_names(columns: pd.Index, symbol: str) -> tuple[list[Name], dict[str, Any]]:
    """The names, and what of `FrameMeta` restores the Index they stood in."""
    note: dict[str, Any] = {}
    if columns.name is not None:
        note["columns_name"] = index_name(symbol, columns.name)
    names = columns.tolist()
    if isinstance(columns, pd.RangeIndex):
        start, step = index_range(symbol, columns)
        note |= {"columns": "range", "columns_start": start, "columns_step": step, "columns_count": len(names)}
        return names, note
    if isinstance(columns, pd.MultiIndex):
        raise ArcticDbNotYetImplemented(
            f"The columns of symbol {symbol!r} are a MultiIndex, which is not stored yet. "
            f"Join the levels to one name each, e.g. df.columns = ['_'.join(map(str, c)) for c in df.columns]."
        )
    note["columns"] = _columns_kind(columns, symbol)
    if set(map(type, names)) != {str} or not "".join(names).isascii():
        names = [column_name(symbol, name) for name in names]
    return names, note


def _columns_kind(columns: pd.Index, symbol: str) -> str:
    dtype = columns.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind in "iufbO":
            return "object" if dtype.kind == "O" else dtype.newbyteorder("=").name
        for name in columns[:1]:
            column_name(symbol, name)
    if isinstance(dtype, pd.StringDtype) and string_missing_is_nan(dtype):
        if dtype.storage == "python":
            return "str_python"
        return "str" if str_is_default() else "str_arrow"
    raise ArcticException(
        f"The column names of symbol {symbol!r} stand in an Index of dtype {dtype}, which is not stored. "
        f"Convert it with df.columns = df.columns.astype(object).",
        code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
    )


def index_range(symbol: str, index: pd.RangeIndex) -> tuple[int, int]:
    """Start and step of a RangeIndex."""
    start, step = int(index.start), int(index.step)
    if not -(2**63) <= start < 2**63 or not -(2**63) <= step < 2**63:
        raise ArcticException(
            f"The RangeIndex of symbol {symbol!r} starts at {start} with step {step}, which is beyond 64 bits. "
            f"Reset the index.",
            code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
        )
    return start, step


def column_index(names: list[Name], meta: FrameMeta) -> pd.Index:
    """The Index in which column names stood."""
    if meta.columns == "range":
        if len(names) == meta.columns_count:
            stop = meta.columns_start + meta.columns_count * meta.columns_step
            return pd.RangeIndex(meta.columns_start, stop, meta.columns_step, name=meta.columns_name)
        return pd.Index(names, dtype=np.int64, name=meta.columns_name)
    if len(names) > _CACHED_WIDTH:
        return _index(meta.columns, meta.columns_name, str_is_default(), names)
    # A view, as giving an Index a name changes the Index itself. Typed: 1, 1.0 and True are different names.
    return _cached_index(meta.columns, meta.columns_name, str_is_default(), *names).view()


@lru_cache(maxsize=1024, typed=True)
def _cached_index(kind: str, index_name: Name, str_default: bool, *names: Name) -> pd.Index:
    return _index(kind, index_name, str_default, list(names))


def _index(kind: str, index_name: Name, str_default: bool, names: list[Name]) -> pd.Index:
    dtype: Any = kind
    if kind.startswith("str"):
        dtype = string_dtype("python" if kind == "str_python" else "pyarrow")
        if dtype is None or (kind == "str" and MAJOR < 3 and not str_default):
            dtype = object
    return pd.Index(names, dtype=dtype, name=index_name)
