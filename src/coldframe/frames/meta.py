"""What a user's object was: the note kept in `Schema.frame` from which it is built again, and the types of its columns.

The schema says which columns there are; this says what to make of them: a DataFrame or a Series, a RangeIndex that
no column holds, the kind of Index the column names stood in, the flavour of a column of strings.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import DType, Unit
from coldframe.format.schema import Name, Schema

OBJECT = 0
"""Flavour of strings: Python objects, with None and NaN kept apart."""
STR = 1
"""Flavour of strings: `str`, pandas 3's default."""
STR_PYTHON = 2
"""Flavour of strings: `StringDtype("python", na_value=nan)`."""
STR_ARROW = 3
"""Flavour of strings: `StringDtype("pyarrow", na_value=nan)`, asked for where `str` is not the default."""
LEVEL = 4
"""Flavour of a category: not a Categorical, but a level of a MultiIndex kept as codes, as it may have no missing."""

FrameKind = Literal["frame", "series", "pickled", "arrow", "polars", "ndarray", "nested"]
IndexKind = Literal["range", "plain", "multi", "none"]

NAT = np.iinfo(np.int64).min
"""How a missing instant or duration is stored."""

BOOL = DType("bool", 8)
STRING = DType("string", 0)
BINARY = DType("binary", 0)


class FrameMeta(msgspec.Struct, frozen=True, array_like=True):
    """What the user's object was, beyond names and types of its columns.

    Attributes
    ----------
    kind : str
        frame, series, pickled; arrow, polars, ndarray and nested are for other kinds of object.
    index : str
        range: no column, rows are numbered; plain: one column; multi: one column per level; none: no index.
    index_name, start, step
        Of a range.
    freq : str or None
        The frequency of an index of instants or durations.
    columns : str
        What the column names stood in: range, object, str, or the numpy type of their Index.
    columns_start, columns_step, columns_count : int
        Of column names that are a range, and how many there were.
    columns_name : str or int or None
        The name of the column names.
    strings : int
        The flavour of every column of strings, if `flavours` is empty.
    flavours : bytes
        The flavour of each column, in table order, where they differ.
    """

    kind: FrameKind = "frame"
    index: IndexKind = "none"
    index_name: Name = None
    start: int = 0
    step: int = 1
    freq: str | None = None
    columns: str = "object"
    columns_start: int = 0
    columns_step: int = 1
    columns_count: int = 0
    columns_name: Name = None
    strings: int = OBJECT
    flavours: bytes = b""

    def flavour(self, column: int) -> int:
        """The flavour of a column, by its position in table order."""
        return self.flavours[column] if self.flavours else self.strings

    def with_flavours(self, flavours: NDArray[np.uint8], strings: NDArray[np.bool_]) -> FrameMeta:
        """The same with these flavours, in their shortest form; `strings` marks the columns of strings."""
        of_strings = flavours[strings]
        if flavours[~strings].any() or (len(of_strings) and (of_strings != of_strings[0]).any()):
            return msgspec.structs.replace(self, strings=OBJECT, flavours=flavours.tobytes())
        common = int(of_strings[0]) if len(of_strings) else OBJECT
        if common == self.strings and not self.flavours:
            return self
        return msgspec.structs.replace(self, strings=common, flavours=b"")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FrameMeta)


@lru_cache(maxsize=1024)
def encode_meta(meta: FrameMeta) -> bytes:
    """The bytes kept in `Schema.frame`."""
    return _encoder.encode(meta)


@lru_cache(maxsize=1024)
def _decode(data: bytes) -> FrameMeta:
    # A table made by nobody's object, such as a query's result, is a frame without an index of its own.
    return _decoder.decode(data) if data else FrameMeta()


def frame_meta(schema: Schema) -> FrameMeta:
    """What the object of this schema was."""
    return _decode(schema.frame)


def replace_meta(schema: Schema, meta: FrameMeta) -> Schema:
    """The same columns as another object."""
    return msgspec.structs.replace(schema, frame=encode_meta(meta))


def select(schema: Schema, positions: NDArray[np.intp]) -> Schema:
    """The schema of some of the columns, by their positions in table order, ascending; index levels must be in.

    Examples
    --------
    >>> whole = Schema.of(["t", "a", "b"], [STRING, BOOL, STRING], 1, frame=encode_meta(FrameMeta(index="plain")))
    >>> select(whole, np.array([0, 2])).names
    ['t', 'b']
    """
    chosen = schema.select(np.sort(schema.place[positions]))
    meta = frame_meta(schema)
    if not meta.flavours:
        return chosen
    flavours = np.frombuffer(meta.flavours, dtype=np.uint8)[positions]
    strings = np.array([dtype.kind == "string" for dtype in chosen.types], dtype=np.bool_)[chosen.kind_of]
    return replace_meta(chosen, meta.with_flavours(flavours, strings))


def without_freq(schema: Schema) -> Schema:
    """The schema of rows that no longer follow the frequency, as when some were taken out of the middle."""
    meta = frame_meta(schema)
    return schema if meta.freq is None else replace_meta(schema, msgspec.structs.replace(meta, freq=None))


def index_kind(schema: Schema) -> str:
    """What the index is: range, multi, none, pickled, or the kind of its one column (timestamp, int, string ...)."""
    meta = frame_meta(schema)
    if meta.kind == "pickled":
        return "pickled"
    return schema.dtype(0).kind if meta.index == "plain" else meta.index


def is_timeseries(schema: Schema) -> bool:
    """Whether rows are indexed by time: a DatetimeIndex, or a MultiIndex whose first level is one."""
    return schema.index_columns > 0 and schema.dtype(0).kind == "timestamp"


_KINDS = {"i": "int", "u": "uint", "f": "float"}


@lru_cache(maxsize=256)
def dtype_of(dtype: np.dtype[np.generic]) -> DType | None:
    """The stored type of a numpy type; None where there is none (complex, long double, structured, object).

    Examples
    --------
    >>> str(dtype_of(np.dtype("float32"))), str(dtype_of(np.dtype("M8[us]")))
    ('float32', 'datetime64[us]')
    """
    if dtype.kind == "b":
        return BOOL
    if dtype.kind in "iuf" and dtype.itemsize <= 8:
        return DType(cast("Literal['int', 'uint', 'float']", _KINDS[dtype.kind]), dtype.itemsize * 8)
    if dtype.kind in "mM":
        unit, count = np.datetime_data(cast("Any", dtype))
        if unit in ("s", "ms", "us", "ns") and count == 1:
            return DType("timestamp" if dtype.kind == "M" else "duration", 64, cast("Unit", unit))
    return None


@lru_cache(maxsize=256)
def numpy_of(dtype: DType) -> np.dtype[np.generic]:
    """The numpy type in which pandas holds values of a fixed-width type (instants with a zone: as naive UTC)."""
    if dtype.kind == "timestamp":
        return np.dtype(f"M8[{dtype.unit}]")
    if dtype.kind == "duration":
        return np.dtype(f"m8[{dtype.unit}]")
    return dtype.storage
