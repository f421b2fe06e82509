"""Codec `linear`: eight-byte integers in equal steps, such as the times of bars, as the first and the step.

All arithmetic wraps around at 64 bits, in both directions alike, so that any integers have one exact meaning.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage

_PAIR = Struct("<qq")
_COUNTED = 131_072
"""Positions up to this one are counted once per process: counting costs as much as the rest."""
_positions: NDArray[np.int64] = np.empty(0, np.int64)


def encode(values: NDArray[Any]) -> bytes | None:
    """The first number and the step of one column of eight-byte integers, or None where the steps differ."""
    numbers = values.view("<i8")
    if len(numbers) < 3:
        return None
    # Most columns show it at once; only the others are read to the end.
    start, second, third = numbers[:3].tolist()
    step = _wrapped(second - start)
    if _wrapped(third - second) != step or (numbers[1:] - numbers[:-1] != step).any():
        return None
    return _PAIR.pack(start, step)


def steps(payload: Buffer, rows: int) -> Steps:
    """What a block of so many rows says, not yet written out."""
    if len(payload) != _PAIR.size:
        raise Damage(f"{len(payload)} bytes for a first number and a step")
    start, step = _PAIR.unpack(payload)
    if not step:
        raise Damage("numbers in steps of 0")
    return Steps(start, step, rows)


class Steps:
    """Numbers in equal steps, with what is asked of an array of them while it need not be written out."""

    __slots__ = ("rows", "start", "step")

    def __init__(self, start: int, step: int, rows: int) -> None:
        self.start = start
        self.step = step
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    @overload
    def __getitem__(self, where: int) -> int: ...
    @overload
    def __getitem__(self, where: slice) -> Steps: ...
    def __getitem__(self, where: int | slice) -> int | Steps:
        if isinstance(where, int):
            return _wrapped(self.start + (where if where >= 0 else where + self.rows) * self.step)
        start, stop, _ = where.indices(self.rows)
        return Steps(_wrapped(self.start + start * self.step), self.step, max(stop - start, 0))

    @overload
    def searchsorted(self, value: int, side: Literal["left", "right"]) -> int: ...
    @overload
    def searchsorted(self, value: NDArray[np.int64], side: Literal["left", "right"]) -> NDArray[np.intp]: ...
    def searchsorted(self, value: Any, side: Literal["left", "right"]) -> Any:
        """Where to put a value, or each of several, in among these numbers, which ascend."""
        ahead = value - self.start
        position = -(-ahead // self.step) if side == "left" else ahead // self.step + 1
        if isinstance(position, int):
            return min(max(position, 0), self.rows)
        return np.clip(position, 0, self.rows).astype(np.intp)

    def put(self, rows: NDArray[np.intp], target: NDArray[Any]) -> None:
        """Write the numbers at some positions into contiguous memory of an eight-byte type."""
        numbers = target.view("<i8")
        np.multiply(rows, self.step, out=numbers)
        np.add(numbers, self.start, out=numbers)

    def write(self, target: NDArray[Any]) -> None:
        """Write the numbers into contiguous memory of an eight-byte type."""
        numbers = target.view("<i8")
        np.multiply(_counted(self.rows), self.step, out=numbers)
        np.add(numbers, self.start, out=numbers)


Numbers = NDArray[Any] | Steps
"""Numbers of one column, written out or not."""


def _wrapped(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def _counted(rows: int) -> NDArray[np.int64]:
    global _positions
    if rows > _COUNTED:
        return np.arange(rows)
    if len(_positions) < rows:
        _positions = np.arange(_COUNTED)
    return _positions[:rows]
