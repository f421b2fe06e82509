"""Memory for segments that is used again once a segment has been stored.

Fresh memory costs more than filling it: the kernel clears each page first, and threads queue for pages. A write of
many segments needs only as many buffers as segments are under way.
"""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray

_WORTH = 256 * 1024
"""Smaller buffers come from the allocator's own free lists."""
_KEPT = 4


class Buffers:
    """The buffers of one write; they are given back to the system with it."""

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """Memory of `size` bytes; it returns here when the array and every memoryview of it are gone."""
        if size < _WORTH:
            return np.empty(size, np.uint8)
        whole = self._fitting(size)
        part = whole[:size]
        weakref.finalize(part, self._give_back, whole).atexit = False
        return part

    def _fitting(self, size: int) -> NDArray[np.uint8]:
        try:
            while True:
                whole = self._free.pop()
                if len(whole) >= size:
                    return whole
        except IndexError:
            return np.empty(size + size // 16, np.uint8)

    def _give_back(self, whole: NDArray[np.uint8]) -> None:
        if len(self._free) < _KEPT:
            self._free.append(whole)
