"""Codec `pco`: numbers packed by pcodec, as one standalone pco file per block.

pcodec is told how to pack (`choice.py` finds out on a sample), for letting it find out costs more than packing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone

from coldframe.format.checksums import Buffer, Damage

TYPES = frozenset("iuf")
"""The kinds of numpy types that pcodec packs."""


def config(level: int, *, deltas: bool = False, mode: Any = None) -> Any:
    """How to pack: the level (0 plain bit packing, 8 up to 256 bins), differences or values, a mode or classic."""
    return ChunkConfig(
        compression_level=level,
        mode_spec=ModeSpec.classic() if mode is None else mode,
        delta_spec=DeltaSpec.try_consecutive(1) if deltas else DeltaSpec.no_op(),
        enable_8_bit=True,
    )


def float_multiples(base: float) -> Any:
    """The mode for floats that are multiples of `base`, or nearly so."""
    return ModeSpec.try_float_mult(base)


def float_quanta(bits: int) -> Any:
    """The mode for floats whose last `bits` bits are mostly zero."""
    return ModeSpec.try_float_quant(bits)


def int_multiples(base: int) -> Any:
    """The mode for integers that are multiples of `base`, but for a constant."""
    return ModeSpec.try_int_mult(base)


PLAIN = config(0)
"""Bit packing of the values: the fastest way."""


def encode(numbers: NDArray[Any], how: Any) -> bytes:
    """Pack contiguous numbers."""
    packed: bytes = standalone.simple_compress(numbers, how)
    return packed


def decode_into(payload: Buffer, target: NDArray[Any]) -> None:
    """Unpack into contiguous memory, which the payload must fill exactly. Its checksum must have been verified."""
    data = payload if isinstance(payload, bytes) else bytes(payload)
    try:
        progress = standalone.simple_decompress_into(data, target)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic in pcodec is no Exception
        raise Damage(f"pco cannot decode the block: {error}") from error
    if progress.n_processed != target.size or not progress.finished:
        raise Damage(f"pco found {progress.n_processed} numbers where {target.size} belong")


def decode(payload: Buffer, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Unpack `count` numbers into new memory."""
    target = np.empty(count, dtype)
    decode_into(payload, target)
    return target
