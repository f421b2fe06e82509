"""Parts, the pieces a table is put together from: columns of one type from one place in memory."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.format.schema import Name, Schema
from coldframe.format.table import Band, StringColumn, Table
from coldframe.frames.meta import FrameMeta, encode_meta

TALL = 64
"""Up to this many columns of a type stay where they are, each an array of its own; more are one 2-D array."""


class Part(msgspec.Struct):
    """Columns of one type.

    Attributes
    ----------
    dtype : DType
    places : array
        Their positions in table order.
    values : 2-D array of shape (columns, rows), or StringColumn
        In the type's storage dtype; a StringColumn is one column.
    flavour : int
        Of strings and categories.
    categories : bytes or None
        Of a categorical column.
    """

    dtype: DType
    places: NDArray[np.intp]
    values: NDArray[Any] | StringColumn
    flavour: int = 0
    categories: bytes | None = None


def assemble(parts: list[Part], names: list[Name], index_columns: int, meta: FrameMeta, rows: int) -> Table:
    """The table of these parts, which cover every position once."""
    types: dict[DType, list[Part]] = {}
    for part in parts:
        types.setdefault(part.dtype, []).append(part)
    if len(types) > 1:
        # Types stand in the order in which they first appear in the table.
        first = {dtype: min(int(part.places.min()) for part in found) for dtype, found in types.items()}
        types = {dtype: types[dtype] for dtype in sorted(types, key=first.__getitem__)}
    kinds = np.zeros(len(names), dtype="<u2")
    flavours = None
    categories: dict[int, bytes] = {}
    for position, found in enumerate(types.values()):
        for part in found:
            if position:
                kinds[part.places] = position
            if part.flavour:
                flavours = np.zeros(len(names), dtype=np.uint8) if flavours is None else flavours
                flavours[part.places] = part.flavour
            if part.categories is not None:
                categories[int(part.places[0])] = part.categories
    if flavours is not None:
        meta = meta.with_flavours(flavours, np.array([dtype.kind == "string" for dtype in types], np.bool_)[kinds])
    schema = Schema(names, list(types), kinds.tobytes(), index_columns, categories, encode_meta(meta))
    bands = [_band(dtype, found, rows) for dtype, found in types.items()]
    return Table(schema, rows, bands)


def _band(dtype: DType, parts: list[Part], rows: int) -> Band:
    """One band from the parts of one type, its columns in table order."""
    if not dtype.fixed:
        columns = sorted(parts, key=lambda part: int(part.places[0]))
        return Band([part.values for part in columns if isinstance(part.values, StringColumn)])
    arrays = [(part.places, part.values) for part in parts if isinstance(part.values, np.ndarray)]
    if len(arrays) == 1:
        places, values = arrays[0]
        if len(places) == 1 or (np.diff(places) > 0).all():
            return Band(values)
    places = np.concatenate([found for found, _ in arrays])
    order = np.argsort(places)
    if len(places) <= TALL:
        found = [row for _, values in arrays for row in values]
        return Band([found[position] for position in order.tolist()])
    # Where each part's columns go among the columns of this type.
    into = np.empty(len(places), dtype=np.intp)
    into[order] = np.arange(len(places))
    whole = np.empty((len(places), rows), dtype=dtype.storage)
    start = 0
    for found_places, values in arrays:
        whole[into[start : start + len(found_places)]] = values
        start += len(found_places)
    return Band(whole)
