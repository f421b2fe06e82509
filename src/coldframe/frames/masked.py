"""Columns of integers and booleans in which values are missing: another type in numpy, which has no place for them.

Under a band's mask stands 0 where a row's slice does not have the column: it is read as 0, or False. Anything else
stands for a value that is missing, such as the hour of NaT: integers become floats with NaN, as in pandas, booleans
objects with None.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MASKED = ("int", "uint", "bool")
"""Kinds whose values cannot say that they are missing."""


def has_missing(values: Any, valid: NDArray[Any]) -> bool:
    """Whether a value of a column is missing."""
    return bool((~valid & (values != 0)).any())


def with_missing(values: Any, valid: NDArray[Any]) -> NDArray[Any]:
    """The values, in a type that has a place for missing ones."""
    if values.dtype.kind == "b":
        made: NDArray[Any] = values.astype(object)
        made[~valid] = None
        return made
    return np.where(valid, values.astype(np.float64), np.nan)
