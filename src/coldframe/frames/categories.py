"""The categories of a categorical column as an Arrow IPC stream of one column, and back to an Index."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from coldframe.exceptions import ArcticException, ErrorCode
from coldframe.format.schema import Name
from coldframe.frames import strings
from coldframe.frames.meta import dtype_of
from coldframe.frames.names import index_name
from coldframe.frames.pandas_compat import freq_name, pin_freq, str_is_default, string_dtype, string_missing_is_nan
from coldframe.frames.refusals import Place
from coldframe.frames.zones import zone_name, zoned

_NOTE = b"coldframe"


def encode_categories(categories: pd.Index, place: Place) -> bytes:
    """Categories as bytes.

    Examples
    --------
    >>> data = encode_categories(pd.Index([10, 20]), Place("orders", "column", "size"))
    >>> decode_categories(data).tolist()
    [10, 20]
    """
    kind, values = _to_arrow(categories, place)
    note = {"kind": kind, "name": index_name(place.symbol, categories.name)}
    if kind == "range":
        note["start"], note["step"] = int(categories.start), int(categories.step)
    freq = getattr(categories, "freq", None)
    if freq is not None:
        note["freq"] = freq_name(freq)
    schema = pa.schema([pa.field("categories", values.type)], metadata={_NOTE: json.dumps(note).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([values], schema=schema))
    return bytes(sink.getvalue())


@lru_cache(maxsize=64)
def decode_categories(data: bytes) -> pd.Index:
    """The categories written by `encode_categories`; shared, so take a view before handing it to a user."""
    table = pa.ipc.open_stream(data).read_all()
    note = json.loads(table.schema.metadata[_NOTE])
    kind, name = note["kind"], note["name"]
    values = table.column(0).combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0)
    if kind == "range":
        return pd.RangeIndex(note["start"], note["start"] + len(values) * note["step"], note["step"], name=name)
    if kind in ("timestamp", "duration"):
        index = _instants(values, name)
        if note.get("freq"):
            pin_freq(index, note["freq"])
        return index
    return pd.Index(values.to_numpy(zero_copy_only=False), dtype=_index_dtype(kind), name=name)


def _instants(values: Any, name: Name) -> Any:
    """Instants or durations from Arrow."""
    numbers = values.view(pa.int64()).to_numpy()
    unit = values.type.unit
    if pa.types.is_duration(values.type):
        return pd.TimedeltaIndex(numbers.view(f"m8[{unit}]"), name=name)
    if values.type.tz is None:
        return pd.DatetimeIndex(numbers.view(f"M8[{unit}]"), name=name)
    return pd.DatetimeIndex(numbers, dtype=zoned(unit, values.type.tz), name=name)


def _index_dtype(kind: str) -> Any:
    if kind in ("str", "str_arrow"):
        wanted = kind == "str_arrow" or str_is_default()
        return (string_dtype("pyarrow") if wanted else None) or object
    if kind == "str_python":
        return string_dtype("python") or object
    return np.dtype(kind)


def category_array(codes: Any, data: bytes, *, ordered: bool) -> pd.Categorical:
    """A Categorical of these codes."""
    dtype = pd.CategoricalDtype(decode_categories(data).view(), ordered=ordered)
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def union_categories(existing: bytes, new: bytes) -> bytes | None:
    """The categories of both, the new ones appended; None where they are of different types."""
    first, second = decode_categories(existing), decode_categories(new)
    if first.dtype != second.dtype and not (_of_strings(first) and _of_strings(second)):
        return None
    added = second[~second.isin(first)]
    if not len(added):
        return existing
    joined = first.astype(object).append(added.astype(object)) if _of_strings(first) else first.append(added)
    if joined.dtype != first.dtype:
        joined = joined.astype(first.dtype)
    return encode_categories(joined.rename(first.name), Place("", "categories", None))


def recode(codes: Any, old: bytes, new: bytes, bits: int) -> Any:
    """Codes into the categories `old` as codes into `new`, which holds them all."""
    places = decode_categories(new).get_indexer(decode_categories(old))
    table = np.append(places, -1).astype(f"<i{bits // 8}")
    return table.take(codes)  # the code of a missing value, -1, takes the last


def code_bits(data: bytes) -> int:
    """The width of codes for these categories."""
    count = len(decode_categories(data))
    return next(bits for bits in (8, 16, 32, 64) if count < 2 ** (bits - 1))


def _of_strings(index: pd.Index) -> bool:
    return isinstance(index.dtype, pd.StringDtype) or index.dtype == object


def _to_arrow(categories: pd.Index, place: Place) -> tuple[str, pa.Array]:
    dtype = categories.dtype
    if isinstance(categories, pd.RangeIndex):
        return "range", pa.array(categories.to_numpy())
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        column = strings.from_objects(categories.to_numpy(), place._replace(what="categories of column"))
        if not isinstance(column, pd.DatetimeIndex):
            return "object", strings.to_arrow(column)
    elif isinstance(dtype, pd.StringDtype) and string_missing_is_nan(dtype):
        kind = "str_python" if dtype.storage == "python" else "str" if str_is_default() else "str_arrow"
        return kind, strings.to_arrow(strings.from_arrow(pa.array(categories.array)))
    elif isinstance(dtype, pd.DatetimeTZDtype):
        zone = zone_name(dtype.tz)
        if zone is not None:
            return "timestamp", pa.array(categories.asi8).view(pa.timestamp(dtype.unit, zone))
    elif isinstance(dtype, np.dtype):
        stored = dtype_of(dtype)
        if stored is not None and stored.kind == "timestamp":
            return "timestamp", pa.array(categories.asi8).view(pa.timestamp(stored.unit))
        if stored is not None and stored.kind == "duration":
            return "duration", pa.array(categories.asi8).view(pa.duration(stored.unit))
        if stored is not None:
            return dtype.newbyteorder("=").name, pa.array(categories.to_numpy().astype(stored.storage, copy=False))
    raise ArcticException(
        f"{place} is categorical with categories of dtype {dtype}, which are not stored. "
        f"Use categories of strings, numbers or timestamps.",
        code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
    )
