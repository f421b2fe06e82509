"""Codec `raw`: the numbers as they lie in memory, little-endian, column after column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage


def view(payload: Buffer, dtype: np.dtype[Any], columns: int, rows: int) -> NDArray[Any]:
    """The stored numbers in place, as an array of shape (columns, rows). It may be unaligned."""
    if len(payload) != columns * rows * dtype.itemsize:
        raise Damage(f"{len(payload)} bytes for {columns} x {rows} numbers of {dtype.itemsize} bytes")
    return np.frombuffer(payload, dtype).reshape(columns, rows)
