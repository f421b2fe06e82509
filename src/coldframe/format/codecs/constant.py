"""Codec `constant`: one number for the whole block, or one for each of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage

_AS_BITS: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8")}


def encode(values: NDArray[Any]) -> bytes | None:
    """The constants of (columns, rows) numbers, or None if a column varies. Equal means equal bits."""
    columns, rows = values.shape
    if not columns * rows:
        return None
    if rows > 1:
        bits = values.view(_AS_BITS[values.itemsize])
        # Most columns that vary show it at once; only the others are read to the end.
        if (bits[:, rows // 2] != bits[:, 0]).any() or (bits[:, -1] != bits[:, 0]).any():
            return None
        if (bits != bits[:, :1]).any():
            return None
    firsts = values[:, 0].tobytes()
    size = values.itemsize
    return firsts[:size] if firsts == firsts[:size] * columns else firsts


def encode_bytes(data: bytes, size: int) -> bytes | None:
    """The constant of a small run of numbers of `size` bytes each, or None if they vary."""
    first = data[:size]
    return first if data == first * (len(data) // size) else None


def view(payload: Buffer, dtype: np.dtype[Any], columns: int, rows: int) -> NDArray[Any]:
    """The block as a read-only array of shape (columns, rows) that repeats the stored numbers."""
    if len(payload) not in (dtype.itemsize, columns * dtype.itemsize) or not payload:
        raise Damage(f"{len(payload)} bytes for the constants of {columns} columns of {dtype.itemsize} bytes")
    return np.broadcast_to(np.frombuffer(payload, dtype)[:, None], (columns, rows))
