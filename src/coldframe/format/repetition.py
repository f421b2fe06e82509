"""Whether the strings of a column repeat so much that they are better numbered: told by a sample."""

from __future__ import annotations

from math import expm1

SAMPLE = 1 << 16
"""So many rows tell how often the strings of a column repeat."""
_OFTEN = 8
_FEW = 1 << 16
"""Looking up so many takes no longer per row than writing out strings; more do not fit into a core's cache."""


def worth_numbering(rows: int, looked: int, distinct: int) -> bool:
    """Whether strings seem to repeat so often, and to be so few, that a number for each row and a list pay.

    Parameters
    ----------
    rows, looked : int
        All, and those of a sample.
    distinct : int
        Different strings in the sample.

    Examples
    --------
    >>> worth_numbering(1_000_000, 50_000, 20_000), worth_numbering(1_000_000, 50_000, 49_000)
    (True, False)
    """
    # If they were just few enough, about so many would be seen in a sample.
    enough = min(rows / _OFTEN, _FEW)
    return distinct <= enough * -expm1(-looked / enough)


def spread(rows: int) -> list[int]:
    """Where the four pieces of a sample of more rows than `SAMPLE` begin."""
    last = rows - SAMPLE // 4
    return [at * last // 3 for at in range(4)]
