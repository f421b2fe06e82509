"""Codec `decimals`: floats that are the nearest to a whole number over a power of ten, such as prices, as that number.

A division of two floats gives the float that is nearest to the true quotient. So the floats come back bit for bit,
as long as both fit into a float's 53 bits, which the writer has checked by dividing.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage
from coldframe.format.codecs import pco

_HEADER = Struct("<BB")  # digits behind the point, bytes of a whole number
_WIDTHS: dict[int, np.dtype[Any]] = {4: np.dtype("<i4"), 8: np.dtype("<i8")}
_EXACT = 2**53
_MOST_DIGITS = 22
"""The greatest power of ten that is a float."""


def whole_numbers(numbers: NDArray[Any], digits: int) -> NDArray[Any] | None:
    """The whole numbers that are floats of eight bytes times a power of ten; None if any float is not their quotient.

    Examples
    --------
    >>> whole_numbers(np.array([1.25, -0.5]), 2).tolist()
    [125, -50]
    >>> whole_numbers(np.array([0.125]), 2) is None
    True
    """
    scale = 10.0**digits
    with np.errstate(over="ignore", invalid="ignore"):
        multiples = np.rint(numbers * scale)
        least, most = float(multiples.min(initial=0)), float(multiples.max(initial=0))
        if not (least >= -_EXACT and most <= _EXACT):  # so it is for NaN, too
            return None
        narrow = least >= -(2**31) and most < 2**31
        whole = multiples.astype(_WIDTHS[4 if narrow else 8])
    quotients = np.divide(whole, scale, out=multiples)
    return whole if np.array_equal(quotients.view("<i8"), numbers.view("<i8")) else None


def join(packed: bytes, digits: int, width: int) -> bytes:
    """The payload of whole numbers of `width` bytes that are packed already."""
    return _HEADER.pack(digits, width) + packed


class Quotients:
    """The floats of a block of one column, while they need not be written out."""

    __slots__ = ("scale", "whole")

    def __init__(self, whole: NDArray[Any], scale: float) -> None:
        self.whole = whole
        self.scale = scale

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, where: slice) -> Quotients:
        return Quotients(self.whole[where], self.scale)

    def put(self, rows: NDArray[np.intp], target: NDArray[Any]) -> None:
        """Write the floats at some positions into memory for them."""
        np.divide(self.whole.take(rows, mode="clip"), self.scale, out=target)

    def write(self, target: NDArray[Any]) -> None:
        """Write the floats into memory for them."""
        np.divide(self.whole, self.scale, out=target)


def quotients(payload: Buffer, count: int) -> Quotients:
    """What a payload says, not yet written out."""
    view = memoryview(payload)
    if len(view) < _HEADER.size:
        raise Damage("a block of decimals without its header")
    digits, width = _HEADER.unpack_from(view)
    if digits > _MOST_DIGITS or width not in _WIDTHS:
        raise Damage(f"decimals of {digits} digits and {width} bytes")
    return Quotients(pco.decode(view[_HEADER.size :], _WIDTHS[width], count), 10.0**digits)


def decode(payload: Buffer, count: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """The floats of a payload, in `out` (contiguous memory for them) where that is given."""
    floats = np.empty(count) if out is None else out
    quotients(payload, count).write(floats)
    return floats
