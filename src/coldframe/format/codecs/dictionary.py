"""Codec `dictionary`: strings as codes, positions in a list of distinct values.

The list is part of the block, or a block of its own in the dictionary segment that the slices of one write share.
The codes are int32, as in memory: -1 for None, -2 for NaN.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format import choice
from coldframe.format.checksums import Buffer, Damage
from coldframe.format.codecs import constant, ids, pco, raw

_HEADER = Struct("<BQ")  # codec of the codes, bytes of the dictionary (0: not part of the block)
CODES = np.dtype("<i4")
FEW = 512
"""Up to this many codes are stored as they are."""


def encode(codes: NDArray[Any], dictionary: bytes, how: choice.Choice | None) -> bytes:
    """Contiguous codes with their dictionary as encoded by `strings` (empty: it is stored elsewhere).

    `how` is needed for more than `FEW` codes.
    """
    data: bytes
    codec, data = ids.RAW, codes.tobytes()
    single = constant.encode_bytes(data, CODES.itemsize) if data else None
    if single is not None:
        codec, data = ids.CONSTANT, single
    elif how is not None:
        packed = choice.encode(codes, how)
        if packed is not None:
            codec, data = packed
    return b"".join((_HEADER.pack(codec, len(dictionary)), dictionary, data))


def split(payload: Buffer) -> tuple[bytes, int, memoryview]:
    """The dictionary in a payload (empty: none), the codec of its codes, and the encoded codes."""
    view = memoryview(payload)
    if len(view) < _HEADER.size:
        raise Damage("a block of codes without its header")
    codec, size = _HEADER.unpack_from(view)
    end = _HEADER.size + size
    if end > len(view):
        raise Damage(f"a dictionary of {size} bytes in a block of {len(view)}")
    return bytes(view[_HEADER.size : end]), codec, view[end:]


def decode_codes(data: memoryview, codec: int, rows: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """The codes of all rows; straight into `out`, contiguous memory for them, where the codec can do that."""
    if codec == ids.PCO:
        target = np.empty(rows, CODES) if out is None else out
        pco.decode_into(data, target)
        return target
    if codec == ids.RAW:
        return raw.view(data, CODES, 1, rows).reshape(-1)
    if codec == ids.CONSTANT:
        return constant.view(data, CODES, 1, rows).reshape(-1)
    raise Damage(f"unknown codec {codec} of string codes")


def check_codes(codes: NDArray[Any], distinct: int) -> None:
    """Refuse codes that point outside their dictionary: whoever gathers with them need not look again."""
    # One look tells, unless values are missing: as numbers without a sign, negative ones are the largest.
    if not len(codes) or int(codes.view(np.uint32).max()) < distinct:
        return
    if int(codes.max()) >= distinct or int(codes.min()) < -2:
        raise Damage(f"a code outside the dictionary of {distinct} strings")
