"""What the rows of a query look like at one point: their columns, and what user object they will make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from coldframe.format.schema import Name, Schema
from coldframe.format.table import Table
from coldframe.frames.meta import OBJECT, STR, FrameMeta, encode_meta, frame_meta
from coldframe.frames.pandas_compat import str_is_default
from coldframe.frames.pandas_out import as_objects
from coldframe.query.columns import Column, table_of
from coldframe.query.missing import settled
from coldframe.query.scope import Field, Scope


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns and object.

    Attributes
    ----------
    scope : Scope
        The columns, index levels first.
    meta : FrameMeta
    """

    scope: Scope
    meta: FrameMeta

    @classmethod
    def of(cls, schema: Schema) -> Layout:
        """The layout of a stored table."""
        return cls(Scope.of(schema), frame_meta(schema) if schema.frame else FrameMeta())

    @property
    def fields(self) -> tuple[Field, ...]:
        """All columns, index levels first."""
        return self.scope.fields

    @property
    def levels(self) -> tuple[Field, ...]:
        """The levels of the index."""
        return self.scope.fields[: self.scope.index_columns]

    @property
    def data(self) -> tuple[Field, ...]:
        """The columns that are not levels of the index."""
        return self.scope.fields[self.scope.index_columns :]

    @property
    def slots(self) -> frozenset[int]:
        """The slots of all columns."""
        return frozenset(field.slot for field in self.fields)

    @property
    def object_slots(self) -> frozenset[int]:
        """The slots of the columns of strings that pandas gets as Python objects."""
        strings = [field for field in self.fields if field.dtype.kind == "string"]
        return frozenset(field.slot for field in strings if as_objects(field.flavour))

    def with_data(self, data: Iterable[Field]) -> Layout:
        """The same index with other columns."""
        fields = tuple(data)
        meta = _renamed(self.meta, [field.name for field in self.data], [field.name for field in fields])
        return Layout(Scope((*self.levels, *fields), self.scope.index_columns), meta)

    def without_freq(self) -> Layout:
        """The same for rows that no longer follow a frequency."""
        return self if self.meta.freq is None else Layout(self.scope, msgspec.structs.replace(self.meta, freq=None))

    def flavour(self) -> int:
        """The flavour of a new column of strings: that of the others, else pandas' own."""
        for field in self.fields:
            if field.dtype.kind == "string":
                return field.flavour
        return STR if str_is_default() else OBJECT

    def schema(self, columns: Sequence[Column]) -> Schema:
        """The schema of a result with these columns."""
        names: list[Name] = [field.name for field in self.fields]
        categories = {at: field.categories for at, field in enumerate(self.fields) if field.categories is not None}
        frame = encode_meta(self._meta_with_flavours())
        return Schema.of(names, [column.dtype for column in columns], self.scope.index_columns, categories, frame)

    def table(self, columns: Sequence[Column], rows: int) -> Table:
        """A table of these columns."""
        schema = self.schema(columns)
        made = [settled(column) for column in columns]
        return table_of(schema.names, made, schema.index_columns, schema.categories, schema.frame, rows)

    def _meta_with_flavours(self) -> FrameMeta:
        flavours = np.array([field.flavour for field in self.fields], dtype=np.uint8)
        strings = np.array([field.dtype.kind == "string" for field in self.fields], dtype=np.bool_)
        plain = msgspec.structs.replace(self.meta, flavours=b"")
        return plain.with_flavours(np.where(strings | (flavours != 0), flavours, 0).astype(np.uint8), strings)


def _renamed(meta: FrameMeta, old: list[Name], new: list[Name]) -> FrameMeta:
    """What the column names stand in after some were added, left out, moved or renamed."""
    if new == old or meta.columns == "object":
        return meta
    if meta.columns.startswith("str") and all(isinstance(name, str) for name in new):
        return meta
    if meta.columns != "range" and set(map(type, new)) <= set(map(type, old)):
        return meta
    return msgspec.structs.replace(meta, columns="object", columns_count=0, columns_start=0, columns_step=1)


def regrouped(layout: Layout, keys: Sequence[Field], data: Sequence[Field]) -> Layout:
    """The layout of groups: their keys are the index, unless the object has none (Arrow)."""
    flat = layout.meta.kind in ("arrow", "polars") and layout.meta.index == "none"
    fields = (*keys, *data)
    named = _renamed(layout.meta, [field.name for field in layout.data], [field.name for field in data])
    index = "none" if flat else "plain" if len(keys) == 1 else "multi"
    kind = "frame" if layout.meta.kind == "series" else layout.meta.kind
    meta = msgspec.structs.replace(named, kind=kind, index=index, index_name=None, start=0, step=1, freq=None)
    return Layout(Scope(fields, 0 if flat else len(keys)), meta)


def resampled(layout: Layout, index: Field, data: Sequence[Field]) -> Layout:
    """The layout of buckets: the time is the index; a Series of one column stays one."""
    made = regrouped(layout, [index], data)
    if layout.meta.kind == "series" and len(data) == 1:
        return Layout(made.scope, msgspec.structs.replace(made.meta, kind="series"))
    return made


def renumbered(layout: Layout) -> Layout:
    """The same with slots counted from zero, as the columns of a table made of it are."""
    fields = [replace(field, slot=at) for at, field in enumerate(layout.fields)]
    return Layout(Scope(fields, layout.scope.index_columns), layout.meta)
