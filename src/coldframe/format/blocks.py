"""Blocks of numbers: neighbouring columns of one fixed-width type over the rows of a slice, to bytes and back.

Where some values are missing in a type that cannot say so itself, the payload begins with the validity: its length as
a little-endian uint64 and its bits (codec `bits`). The values follow, encoded by the block's codec.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coldframe.format import choice
from coldframe.format.checksums import Buffer, Damage
from coldframe.format.codecs import bits, constant, decimals, ids, linear, pco, raw
from coldframe.format.dtypes import DType

BLOCK = np.dtype(
    [
        ("first", "<u4"),  # stored columns
        ("count", "<u4"),
        ("offset", "<u8"),  # bytes within the segment
        ("length", "<u8"),
        ("check", "<u8"),  # xxh3 of these bytes
        ("nulls", "<u8"),  # missing values, NaN and NaT included
        ("min", "<u8"),  # the bits of the smallest and the largest value that is there, in the low bytes
        ("max", "<u8"),
        ("dictionary", "<i4"),  # number of the block in the write's dictionary segment; -1: none
        ("codec", "u1"),
        ("stats", "u1"),  # 1: min and max are valid
        ("flags", "<u2"),  # 1: the payload begins with the validity
    ]
)
"""What a segment's directory, and the manifest, know of each block."""

VALIDITY = 1
"""In `flags`: the payload begins with the validity."""
TINY = 16 * 1024
"""Blocks below this many bytes are not worth a sample."""

_LENGTH = Struct("<Q")
_NAT = np.iinfo(np.int64).min


_NOT_PACKED = (ids.RAW, ids.CONSTANT, ids.LINEAR)


def packed(blocks: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some blocks (records of BLOCK) take unpacking: what others hold is there as it is, or counted."""
    found: NDArray[np.bool_] = ~np.isin(blocks["codec"], _NOT_PACKED)
    return found


class Statistics(NamedTuple):
    """What a block's record says about its values."""

    nulls: int = 0
    min: int = 0
    max: int = 0
    known: int = 0


class Payload(NamedTuple):
    """An encoded block of numbers; `data` is None for codec `raw`, whose values are copied where they belong."""

    codec: int
    prefix: bytes
    data: bytes | None
    statistics: Statistics


def statistics(dtype: DType, values: NDArray[Any], valid: NDArray[Any] | None = None) -> Statistics:
    """Count what is missing, and find the smallest and largest of the rest; NaN and NaT are missing."""
    missing = 0
    if valid is not None:
        values = values[valid]
        missing = valid.size - values.size
    if not values.size:
        return Statistics(missing)
    if dtype.kind == "category":
        return Statistics(missing + values.size - int(np.count_nonzero(values >= 0)))
    least = np.minimum.reduce(values, axis=None)
    if dtype.kind == "float" and least != least:  # noqa: PLR0124  only NaN differs from itself
        here = values == values  # noqa: PLR0124
    elif dtype.temporal and least == _NAT:
        here = values != _NAT
    else:
        return Statistics(missing, _bits(least), _bits(np.maximum.reduce(values, axis=None)), 1)
    there = values[here]
    missing += values.size - there.size
    if not there.size:
        return Statistics(missing)
    return Statistics(missing, _bits(np.minimum.reduce(there)), _bits(np.maximum.reduce(there)), 1)


def _bits(value: Any) -> int:
    return int.from_bytes(value.tobytes(), "little")


def encode(dtype: DType, values: NDArray[Any], valid: NDArray[Any] | None, how: choice.Choice | None) -> Payload:
    """Encode (columns, rows) numbers of any strides.

    Parameters
    ----------
    dtype : DType
    values, valid : arrays of shape (columns, rows)
    how : Choice or None
        As found on a sample; None for a block too small for that.
    """
    prefix = b""
    if valid is not None:
        if valid.all():
            valid = None
        else:
            packed = bits.encode(valid)
            prefix = _LENGTH.pack(len(packed)) + packed
    if how is None:
        return _encode_tiny(dtype, values, valid, prefix)
    single = constant.encode(values)
    if single is not None:
        return Payload(ids.CONSTANT, prefix, single, statistics(dtype, values, valid))
    if dtype.kind == "bool":
        return Payload(ids.BITS, prefix, bits.encode(values), statistics(dtype, values, valid))
    if len(values) == 1 and _may_be_linear(dtype):
        steps = linear.encode(values[0])
        if steps is not None:
            return Payload(ids.LINEAR, prefix, steps, statistics(dtype, values, valid))
    if how.how is None:
        return Payload(ids.RAW, prefix, None, Statistics())
    flat = _flat(values)
    found = choice.encode(flat, how)
    if found is None:
        return Payload(ids.RAW, prefix, None, Statistics())
    return Payload(found.codec, prefix, found.data, statistics(dtype, flat.reshape(values.shape), valid))


def _may_be_linear(dtype: DType) -> bool:
    """Whether codec `linear` is for this type: integers, times and durations of eight bytes."""
    return dtype.bits == 64 and dtype.kind in ("int", "uint", "timestamp", "duration")


def _may_be_decimals(dtype: DType) -> bool:
    """Whether codec `decimals` is for this type."""
    return (dtype.kind, dtype.bits) == ("float", 64)


def _encode_tiny(dtype: DType, values: NDArray[Any], valid: NDArray[Any] | None, prefix: bytes) -> Payload:
    data = values.tobytes()
    single = constant.encode_bytes(data, values.itemsize) if data else None
    found = statistics(dtype, values, valid)
    if single is not None:
        return Payload(ids.CONSTANT, prefix, single, found)
    if dtype.kind == "bool":
        return Payload(ids.BITS, prefix, bits.encode(values), found)
    return Payload(ids.RAW, prefix, data, found)


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """The values column after column in contiguous memory; a copy only where they do not lie like that."""
    if values.flags.c_contiguous:
        return values.reshape(-1)
    if len(values) == 1 and values.strides[1] == values.itemsize:
        return values.ravel()
    return np.ascontiguousarray(values).reshape(-1)


class Decoded(NamedTuple):
    """The values of a block, of shape (columns, rows), and their validity (None: all there)."""

    values: NDArray[Any]
    valid: NDArray[Any] | None


def decode(
    dtype: DType, codec: int, flags: int, payload: Buffer, columns: int, rows: int, out: NDArray[Any] | None = None
) -> Decoded:
    """Decode a block whose checksum has been verified.

    The values may be a view of the payload. Where `out` is given (contiguous memory for all values) and the codec can
    write there, the values returned are `out` in the block's shape.
    """
    valid = None
    if flags & VALIDITY:
        valid, payload = _split_validity(payload, columns, rows)
    storage = dtype.storage
    if codec == ids.RAW:
        values = raw.view(payload, storage, columns, rows)
    elif codec == ids.PCO:
        target = np.empty(columns * rows, storage) if out is None else out
        pco.decode_into(payload, target)
        values = target.reshape(columns, rows)
    elif codec == ids.DECIMALS and _may_be_decimals(dtype):
        values = decimals.decode(payload, columns * rows, out).reshape(columns, rows)
    elif codec == ids.LINEAR and columns == 1 and _may_be_linear(dtype):
        values = np.empty((1, rows), storage)
        linear.steps(payload, rows).write(values[0])
    elif codec == ids.CONSTANT:
        values = constant.view(payload, storage, columns, rows)
    elif codec == ids.BITS and dtype.kind == "bool":
        values = bits.decode(payload, columns * rows).reshape(columns, rows)
    else:
        raise Damage(f"codec {codec} does not belong to a block of {dtype}")
    if dtype.kind == "bool" and codec != ids.BITS and (values.view(np.uint8) > 1).any():
        raise Damage("booleans that are neither true nor false")
    return Decoded(values, valid)


Unwritten = linear.Steps | decimals.Quotients
"""Numbers of a block of one column that need not be written out where only some of them are wanted."""


def decode_unwritten(
    dtype: DType, codec: int, flags: int, payload: Buffer, columns: int, rows: int
) -> Unwritten | None:
    """What a block of one column says, for those who can do without all of its numbers; None: it must be decoded."""
    if codec == ids.DECIMALS and columns == 1 and not flags and _may_be_decimals(dtype):
        return decimals.quotients(payload, rows)
    return decode_steps(dtype, codec, flags, payload, columns, rows)


def decode_steps(
    dtype: DType, codec: int, flags: int, payload: Buffer, columns: int, rows: int
) -> linear.Steps | None:
    """What a block of one column in equal steps says, for those who can do without the numbers; None: it is no such."""
    if codec != ids.LINEAR or flags or columns != 1 or not _may_be_linear(dtype):
        return None
    return linear.steps(payload, rows)


def _split_validity(payload: Buffer, columns: int, rows: int) -> tuple[NDArray[Any], memoryview]:
    view = memoryview(payload)
    if len(view) < _LENGTH.size:
        raise Damage("a block without its validity")
    end = _LENGTH.size + _LENGTH.unpack_from(view)[0]
    if end > len(view):
        raise Damage(f"validity of {end} bytes in a block of {len(view)}")
    return bits.decode(view[_LENGTH.size : end], columns * rows).reshape(columns, rows), view[end:]
