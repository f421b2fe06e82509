"""Counts how often small numbers occur: the codes of a dictionary, the groups of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 16
"""So many numbers are looked for one after the other: each takes a tenth of what counting all at once takes."""


def occurrences(numbers: NDArray[Any], size: int) -> NDArray[np.intp]:
    """How often each number from 0 to `size` - 1 occurs; there must be no others.

    Examples
    --------
    >>> occurrences(np.array([2, 0, 2], dtype=np.int32), 4).tolist()
    [1, 0, 2, 0]
    """
    if size > _FEW:
        return np.bincount(numbers, minlength=size)
    narrow = numbers.astype(np.int8)
    return np.array([np.count_nonzero(narrow == number) for number in range(size)], dtype=np.intp)
