"""Codec `bits`: booleans and validity, one bit each, lowest bit first, column after column without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage
from coldframe.format.codecs import zstd

_PLAIN = 0
_ZSTD = 1


def encode(values: NDArray[Any]) -> bytes:
    """Booleans of any shape as bytes, in C order."""
    packed = np.packbits(np.ascontiguousarray(values).reshape(-1), bitorder="little").tobytes()
    smaller = zstd.shrink(packed)
    return bytes((_PLAIN,)) + packed if smaller is None else bytes((_ZSTD,)) + smaller


def decode(payload: Buffer, count: int) -> NDArray[np.bool_]:
    """The `count` booleans of a payload."""
    size = (count + 7) // 8
    data: Buffer = memoryview(payload)[1:]
    form = payload[0] if len(payload) else -1
    if form == _ZSTD:
        data = zstd.expand(data, size)
    elif form != _PLAIN:
        raise Damage(f"unknown form {form} of packed bits")
    if len(data) != size:
        raise Damage(f"{len(data)} bytes for {count} bits")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little").view(np.bool_)
