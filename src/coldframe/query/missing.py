"""The two ways of having no value, and what becomes of them in functions.

A value may be *missing*: NaN, None, NaT, or what a function makes of them. Or a row may *lack* it, because its slice
does not have the column, or because of a null by mask. A missing value compares false, but `!=` holds, as in numpy;
what is lacking compares false always. Floats, instants, strings and categories say themselves that a value is missing,
so their masks tell what is lacking. Integers and booleans cannot: both are masked, and under the mask stands 0 for
what is lacking and 1 for what is missing. So the difference stays with the rows wherever they are taken or stacked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.frames.masked import MASKED
from coldframe.query.columns import Column, blank, blanked

Mask = NDArray[Any]


def lacking(column: Column) -> Mask | None:
    """Where rows do not have the column, or a null by mask; None: nowhere."""
    if column.valid is None:
        return None
    mask: Mask = ~column.valid
    return mask & (column.data == 0) if column.dtype.kind in MASKED else mask


def missing_by_mask(column: Column) -> Mask | None:
    """Where integers or booleans are missing, and not lacking; None: nowhere."""
    if column.valid is None or column.dtype.kind not in MASKED:
        return None
    mask: Mask = ~column.valid & (column.data != 0)
    return mask


def derived(dtype: DType, data: NDArray[Any], *operands: Column, gone: Mask | None = None) -> Column:
    """The result of a function: without a value where an operand has none, and in the same way.

    Parameters
    ----------
    dtype : DType
        Of the result; not a string.
    data : array
        One result per row; whatever stands where an operand has no value is replaced.
    *operands : Column
        Of as many rows, or of one. Only their masks are looked at: a function of floats or instants gives NaN or NaT by
        itself, or says by `gone` where they were.
    gone : bool array, optional
        Further rows without a value.
    """
    without: Mask | None = None
    for column in operands:
        if column.valid is not None:
            gone = ~column.valid if gone is None else gone | ~column.valid
            lacks = lacking(column)
            without = lacks if without is None or lacks is None else without | lacks
    if gone is None or not gone.any():
        return Column(dtype, data)
    # An operand of one row is a constant, or a division by one: it has that row's fate for all rows.
    valid = None if without is None or not without.any() else np.full(data.shape, fill_value=True) & ~without
    if dtype.kind not in MASKED:
        return Column(dtype, np.where(gone, dtype.storage.type(blank(dtype)), data), valid)
    mark = np.ones(1, dtype=np.bool_) if valid is None else valid
    return Column(dtype, np.where(gone, mark.astype(dtype.storage), data), np.full(data.shape, fill_value=True) & ~gone)


def reduced(dtype: DType, data: NDArray[Any], some: Mask, missed: Mask | None = None) -> Column:
    """The results of groups of rows: without a value where a group had none.

    Parameters
    ----------
    dtype : DType
    data : array
    some : bool array
        Which groups had values.
    missed : bool array, optional
        Which groups had missing values, or no rows at all; the others that had none only had rows that lack the column.
    """
    if some.all():
        return Column(dtype, data)
    if dtype.kind not in MASKED:
        return Column(dtype, np.where(some, data, dtype.storage.type(blank(dtype))))
    mark = np.zeros(1, dtype=np.bool_) if missed is None else missed
    return Column(dtype, np.where(some, data, mark.astype(dtype.storage)), some)


def settled(column: Column) -> Column:
    """The column as a table holds it: a mask only for kinds that need one, and where something is masked."""
    if column.valid is None or column.dtype.kind not in MASKED:
        return blanked(column)
    return Column(column.dtype, column.data) if column.valid.all() else column
