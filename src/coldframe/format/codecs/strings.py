"""Codec `strings`: strings (or byte strings) as lengths and bytes.

The payload is a header of 35 bytes and three sections: the lengths, which rows are missing (if any are), and the
bytes of all values one after the other, as a zstd frame where that is smaller.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage
from coldframe.format.codecs import constant, ids, pco, raw, zstd
from coldframe.format.table import StringColumn

_HEADER = Struct("<BBBQQQQ")  # flags, codec and width of the lengths, values, bytes of lengths, of missing, of text
_TEXT_PACKED = 1
_MISSING_PACKED = 2
_FEW = 512
"""Up to this many lengths are stored as they are."""
_WIDTHS: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8")}
_EMPTY = pa.py_buffer(b"")


def parts(values: Any) -> tuple[NDArray[np.int64], memoryview]:
    """The offsets of a LargeString or LargeBinary array, and the bytes that they point into, without copying."""
    count = len(values)
    _, offsets, text = values.buffers()
    if not count or offsets is None:
        return np.zeros(1, np.int64), memoryview(b"")
    where = np.frombuffer(offsets, np.int64, count + 1, values.offset * 8)
    return where, memoryview(_EMPTY if text is None else text).cast("B")


def encode(values: Any, missing: NDArray[Any] | None = None) -> bytes:
    """A LargeString or LargeBinary array without nulls, and which of its rows are missing, as a payload."""
    offsets, text = parts(values)
    start, stop = int(offsets[0]), int(offsets[-1])
    codec, width, lengths = _encode_lengths(offsets[1:] - offsets[:-1])
    body: Buffer = text[start:stop]
    flags = 0
    packed = zstd.shrink(body)
    if packed is not None:
        body = packed
        flags |= _TEXT_PACKED
    gaps = b""
    if missing is not None:
        gaps = missing.astype(np.int8).tobytes()
        smaller = zstd.shrink(gaps)
        if smaller is not None:
            gaps = smaller
            flags |= _MISSING_PACKED
    header = _HEADER.pack(flags, codec, width, len(values), len(lengths), len(gaps), stop - start)
    return b"".join((header, lengths, gaps, body))


def _encode_lengths(lengths: NDArray[np.int64]) -> tuple[int, int, bytes]:
    longest = int(lengths.max()) if len(lengths) else 0
    width = next(size for size in _WIDTHS if longest < 1 << 8 * size)
    narrow = lengths.astype(_WIDTHS[width])
    data = narrow.tobytes()
    if len(lengths):
        single = constant.encode_bytes(data, width)
        if single is not None:
            return ids.CONSTANT, width, single
    if len(lengths) > _FEW:
        packed = pco.encode(narrow, pco.PLAIN)
        if len(packed) < len(data):
            return ids.PCO, width, packed
    return ids.RAW, width, data


def decode(payload: Buffer, kind: Any, rows: int | None = None) -> StringColumn:
    """The plain column of a payload; `kind` is the Arrow type, `rows` how many there must be, if that is known."""
    view = memoryview(payload)
    if len(view) < _HEADER.size:
        raise Damage("a block of strings without its header")
    flags, codec, width, count, lengths_size, missing_size, text_size = _HEADER.unpack_from(view)
    text_start = _HEADER.size + lengths_size + missing_size
    if width not in _WIDTHS or flags & ~(_TEXT_PACKED | _MISSING_PACKED) or text_start > len(view):
        raise Damage("a block of strings with a header that makes no sense")
    if rows is not None and count != rows:
        raise Damage(f"{count} strings where {rows} belong")
    section = view[_HEADER.size : _HEADER.size + lengths_size]
    # The text comes first: it is there or it is not, and it bounds what all else may claim.
    body = view[text_start:]
    text = zstd.expand(body, text_size) if flags & _TEXT_PACKED else bytes(body)
    if len(text) != text_size:
        raise Damage(f"{len(text)} bytes of strings where {text_size} belong")
    if codec == ids.CONSTANT:
        _check_constant(section, width, count, text_size, known=rows is not None)
    lengths = _decode_lengths(section, codec, _WIDTHS[width], count)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] != text_size or (lengths > text_size).any():
        raise Damage("the lengths of the strings do not add up to their bytes")
    gaps = _decode_missing(view[text_start - missing_size : text_start], flags, count)
    values = pa.Array.from_buffers(kind, count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return StringColumn(values, None, gaps)


def _check_constant(section: memoryview, width: int, count: int, text_size: int, *, known: bool) -> None:
    """One length for all takes no space: only the text, or a number of rows that is known, bounds their number."""
    length = int.from_bytes(section, "little")
    if len(section) != width or length * count != text_size or not (known or count <= max(text_size, 1)):
        raise Damage(f"{count} strings of {length} bytes in {text_size}")


def _decode_lengths(section: Buffer, codec: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    if codec == ids.RAW:
        return raw.view(section, dtype, 1, count).reshape(-1)
    if codec == ids.CONSTANT:
        return constant.view(section, dtype, 1, count)[0]  # type: ignore[no-any-return]
    if codec == ids.PCO:
        return pco.decode(section, dtype, count)
    raise Damage(f"unknown codec {codec} of the lengths of strings")


def _decode_missing(section: Buffer, flags: int, count: int) -> NDArray[np.int8] | None:
    if not len(section):
        return None
    data = zstd.expand(section, count) if flags & _MISSING_PACKED else bytes(section)
    if len(data) != count:
        raise Damage(f"{len(data)} marks of missing strings for {count} rows")
    return np.frombuffer(data, np.int8)
