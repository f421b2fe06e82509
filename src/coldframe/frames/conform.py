"""New rows in the schema of the symbol they go into: units of time, codes of categories, widths of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import StreamDescriptorMismatch
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.table import Band, Table
from coldframe.frames.categories import recode
from coldframe.frames.meta import NAT
from coldframe.frames.timeline import units_between

_TALL = 64


def conform(table: Table, schema: Schema) -> Table:
    """The same rows in an evolved schema.

    A table that lacks columns of the schema, as under a dynamic schema, keeps the columns and numbers it has; only
    what could not be told apart later (codes of categories, units of time) is brought into the schema's terms.

    Raises
    ------
    StreamDescriptorMismatch
        A value does not fit the symbol's unit of time.
    """
    source = table.schema
    if source == schema:
        return table
    target = schema if _alike(source, schema) else _own_columns(source, schema)
    if source.types == target.types and source.kinds == target.kinds and source.categories == target.categories:
        return Table(target, table.rows, table.bands)
    columns = _columns(table)
    bands = []
    for kind, dtype in enumerate(target.types):
        places = target.order[target.bounds[kind] : target.bounds[kind + 1]].tolist()
        found = [_converted(columns[place], source, target, place) for place in places]
        many = dtype.fixed and len(found) > _TALL
        bands.append(Band(np.stack(found) if many else found))
    return Table(target, table.rows, bands)


def _alike(source: Schema, schema: Schema) -> bool:
    return source.names == schema.names and list(map(type, source.names)) == list(map(type, schema.names))


def _own_columns(source: Schema, schema: Schema) -> Schema:
    """The source's columns in its own types, but for those that must be the schema's."""
    levels = source.index_columns
    place_of = {(type(name), name): place for place, name in enumerate(schema.names) if place >= schema.index_columns}
    dtypes, categories = [], {}
    for place, name in enumerate(source.names):
        there = place if place < levels else place_of[type(name), name]
        own, wanted = source.dtype(place), schema.dtype(there)
        dtypes.append(wanted if own.temporal or own.kind == "category" else own)
        if there in schema.categories:
            categories[place] = schema.categories[there]
    return Schema.of(source.names, dtypes, levels, categories, source.frame)


def _columns(table: Table) -> list[Any]:
    """The values of each column, in table order."""
    schema = table.schema
    columns: list[Any] = [None] * schema.width
    stored = [values for band in table.bands for values in band.values]
    for place, values in zip(schema.order.tolist(), stored, strict=True):
        columns[place] = values
    return columns


def _converted(values: Any, source: Schema, target: Schema, place: int) -> Any:
    old, new = source.dtype(place), target.dtype(place)
    if new.kind == "category":
        data, wanted = source.categories[place], target.categories[place]
        return values if data == wanted and old == new else recode(values, data, wanted, new.bits)
    if old == new:
        return values
    if new.temporal:
        return _in_unit(values, old, new, f"column {target.names[place]!r}")
    return values.astype(new.storage)


def _in_unit(values: NDArray[Any], old: DType, new: DType, what: str) -> NDArray[Any]:
    """Instants or durations in another unit, exactly."""
    missing = values == NAT
    if units_between(old.unit, new.unit):
        by = units_between(old.unit, new.unit)
        most = np.iinfo(np.int64).max // by
        wrong = ((values > most) | (values < -most)) & ~missing
        made = values * by
        why = f"lies beyond what {new} can hold"
    else:
        made, rest = np.divmod(values, units_between(new.unit, old.unit))
        wrong = (rest != 0) & ~missing
        why = f"is no whole number of {new.unit}"
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise StreamDescriptorMismatch(
            f"{what} is of type {new} in the symbol, of type {old} in the new data, and its value in row {row} "
            f"({int(values[row])} {old.unit}) {why}. Convert the new data with .dt.as_unit({new.unit!r}), or write the "
            f"symbol anew in {old.unit!r}."
        )
    made[missing] = NAT
    return made
