"""Which neighbouring slices a change takes into its own new slices, so that small slices never pile up.

Pure decisions on sizes. Appends follow a size-tiered scheme: the newest slice fills up to the inline limit; when four
slices of one size stand at the end they become one of the next size. Each byte is rewritten a few times on the way to
a full slice, however many appends there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FAN = 4
MOST_BYTES = 4 * 1024 * 1024
"""A slice of this many bytes is not rewritten by an append."""
RUN = 8
"""An update that leaves this many small slices in a row rewrites them."""


def absorb_tail(sizes: Sequence[int], rows: Sequence[int], new_bytes: int, new_rows: int, tail: int, most: int) -> int:
    """How many of the last slices an append takes in.

    Parameters
    ----------
    sizes, rows : sequences of int
        Bytes and rows of the trailing slices that may be taken, oldest first.
    new_bytes, new_rows : int
        Of the appended data.
    tail : int
        The last slice is filled up to this many bytes.
    most : int
        A slice has at most this many rows.
    """
    if new_rows >= most or new_bytes >= MOST_BYTES:
        return 0
    taken, held_bytes = 0, new_bytes

    def fits(count: int) -> bool:
        first = len(sizes) - count
        return first >= 0 and sum(rows[first:]) + new_rows <= most and max(sizes[first:], default=0) < MOST_BYTES

    if sizes and sizes[-1] + new_bytes <= tail and fits(1):
        taken, held_bytes = 1, new_bytes + sizes[-1]
    while True:
        level = _level(held_bytes, tail)
        run = 0
        while taken + run < len(sizes) and _level(sizes[-1 - taken - run], tail) <= level:
            run += 1
        if run < FAN - 1 or not fits(taken + run):
            return taken
        held_bytes += sum(sizes[len(sizes) - taken - run : len(sizes) - taken])
        taken += run


def absorb_around(before: Sequence[int], after: Sequence[int], new_rows: int, most: int) -> tuple[int, int]:
    """How many slices before and after a replaced run of rows an update takes in.

    Parameters
    ----------
    before, after : sequences of int
        Rows of the slices on each side, nearest first; those next to the change may be cut ones.
    new_rows : int
        Rows of the new data.
    most : int
        A full slice's rows.
    """
    small = max(1, most // 4)
    left = _run_of_small(before, small)
    right = _run_of_small(after, small)
    if left + right + 1 >= RUN:
        return left, right
    tiny = max(1, most // 64)
    if new_rows <= tiny:
        # Cheap to join: neighbours that are tiny themselves.
        left, right = _run_of_small(before, tiny), _run_of_small(after, tiny)
        return left, right
    return 0, 0


def _run_of_small(rows: Sequence[int], small: int) -> int:
    run = 0
    while run < len(rows) and rows[run] < small:
        run += 1
    return run


def _level(size: int, tail: int) -> int:
    return 0 if size <= tail else math.ceil(math.log(size / tail, FAN))
