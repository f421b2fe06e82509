"""Stacks the rows of several symbols: their columns matched by name, their types and indexes brought together."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from coldframe.exceptions import ErrorCode, SchemaException, UserInputException
from coldframe.format.dtypes import DType
from coldframe.format.schema import Name
from coldframe.format.table import Table
from coldframe.frames.categories import code_bits, recode, union_categories
from coldframe.frames.meta import FrameMeta
from coldframe.query import clauses
from coldframe.query.batch import Batch
from coldframe.query.columns import Column, absent, empty
from coldframe.query.computing import cast
from coldframe.query.layout import Layout
from coldframe.query.scope import Field, Scope
from coldframe.query.source import PlainSource, Source, TableSource
from coldframe.query.types import common_type, finer


class Part:
    """One of the symbols: its rows, and the columns they have.

    Parameters
    ----------
    symbol : str
    source : Source
        Of the rows.
    layout : Layout
        Of the rows; slots are the source's columns.
    """

    __slots__ = ("layout", "rows", "source", "symbol")

    def __init__(self, symbol: str, source: Source, layout: Layout) -> None:
        self.symbol = symbol
        self.source = source
        self.layout = layout
        self.rows = int(source.rows.sum())

    @classmethod
    def of(cls, symbol: str, table: Table) -> Part:
        """The part that a table in memory is."""
        return cls(symbol, TableSource(table, symbol=symbol), Layout.of(table.schema))


class Stacked(PlainSource):
    """The rows of several sources, one after the other, with the columns that `stack` has laid out.

    Slices are those of the parts: nothing is loaded before it is asked for, or held besides.
    """

    def __init__(self, parts: list[Part], layout: Layout, places: list[list[int]]) -> None:
        self.schema = layout.schema([empty(field.dtype) for field in layout.fields])
        self.ordered: bool | None = None
        self.symbol = ", ".join(part.symbol for part in parts)
        self.rows = np.concatenate([part.source.rows for part in parts])
        self._parts = parts
        self._fields = layout.fields
        self._places = places
        slices = [len(part.source.rows) for part in parts]
        self._part_of = np.repeat(np.arange(len(parts)), slices).tolist()
        self._begins = np.concatenate(([0], np.cumsum(slices))).tolist()

    def load(self, index: int, columns: Sequence[int]) -> list[Column]:
        """The given columns of a slice; those that its symbol does not have are missing everywhere."""
        number = self._part_of[index]
        part = self._parts[number]
        batch = Batch(part.source, index - self._begins[number])
        batch.load(self._slots(number, columns))
        result = []
        for column in columns:
            place, wanted = self._places[column][number], self._fields[column]
            if place < 0:
                result.append(absent(wanted.dtype, batch.rows))
                continue
            own = part.layout.fields[place]
            result.append(_converted(batch.column(own.slot), own, wanted))
        return result

    def prefetch(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Tell each part what will be loaded of it."""
        per_part: dict[int, list[tuple[int, Sequence[int]]]] = {}
        for index, columns in wanted:
            number = self._part_of[index]
            source = self._parts[number].source
            at = index - self._begins[number]
            slots = Batch(source, at).lacking(self._slots(number, columns))
            if slots:
                per_part.setdefault(number, []).append((at, slots))
        for number, mine in per_part.items():
            self._parts[number].source.prefetch(mine)

    def without_gil(self, columns: Collection[int]) -> bool:
        """Whether most of what loading these columns takes needs no GIL, by the first symbol that has any."""
        for number, part in enumerate(self._parts):
            slots = self._slots(number, list(columns))
            if slots:
                return part.source.without_gil(slots)
        return False

    def _slots(self, number: int, columns: Sequence[int]) -> list[int]:
        """What a part calls the columns that it has."""
        fields = self._parts[number].layout.fields
        places = [self._places[column][number] for column in columns]
        return sorted({fields[place].slot for place in places if place >= 0})


def stack(parts: Sequence[Part], join: str) -> Stacked:
    """The rows of all parts, in the given order, as a source for the clauses that follow.

    Parameters
    ----------
    parts : sequence of Part
        At least one.
    join : {"outer", "inner"}
        Keep the columns of any part, or those that all have.
    """
    parts = list(parts)
    _check_kinds(parts)
    meta = _meta(parts)
    levels = [_level(parts, at) for at in range(parts[0].layout.scope.index_columns)]
    names = _names(parts, join)
    places = [[at] * len(parts) for at in range(len(levels))]
    found = [[_place(part, name) for part in parts] for name in names]
    data = [_field(parts, places, name) for places, name in zip(found, names, strict=True)]
    fields = [replace(field, slot=at) for at, field in enumerate([*levels, *data])]
    return Stacked(parts, Layout(Scope(fields, len(levels)), meta), places + found)


def split_join(query: Sequence[clauses.Clause]) -> tuple[str, list[clauses.Clause]]:
    """How the first clause of a query joins symbols, and the clauses that follow it.

    Examples
    --------
    >>> split_join([clauses.Concat("inner"), clauses.Head(3)])
    ('inner', [Head(n=3)])
    """
    if not query or not isinstance(query[0], clauses.Concat):
        raise UserInputException("the first clause of a query over several symbols joined must be concat")
    if any(isinstance(clause, clauses.Concat) for clause in query[1:]):
        raise UserInputException("concat can only be the first clause of a query")
    return query[0].join, list(query[1:])


def _check_kinds(parts: list[Part]) -> None:
    first = parts[0]
    for part in parts:
        kind = part.layout.meta.kind
        if kind == "nested":
            raise UserInputException(f"symbol {part.symbol!r} holds nested data, which cannot be joined")
        if kind in ("ndarray", "pickled"):
            raise SchemaException(f"symbol {part.symbol!r} holds {kind} data, which cannot be joined")
        if (kind == "series") != (first.layout.meta.kind == "series"):
            raise SchemaException(
                f"symbols {first.symbol!r} and {part.symbol!r} are a Series and a DataFrame; use to_frame()"
            )
        one, other = _index_kind(first), _index_kind(part)
        if one != other:
            raise SchemaException(
                f"symbols {first.symbol!r} and {part.symbol!r} have indexes that do not go together: {one} and {other}"
            )


def _index_kind(part: Part) -> str:
    meta, levels = part.layout.meta, part.layout.levels
    if meta.index == "multi":
        return f"a MultiIndex of {len(levels)} levels ({levels[0].dtype.kind} first)"
    if meta.index == "plain":
        kind = levels[0].dtype.kind
        return f"an index of {'numbers' if kind in ('int', 'uint', 'float') else kind} values"
    return "row numbers"


def _meta(parts: list[Part]) -> FrameMeta:
    metas = [part.layout.meta for part in parts]
    meta = metas[0]
    if any(other.columns != meta.columns or other.columns_count != meta.columns_count for other in metas):
        alike = all(other.columns.startswith("str") for other in metas)
        meta = msgspec.structs.replace(meta, columns=meta.columns if alike else "object", columns_count=0)
    if meta.index == "range":
        meta = _range(parts, meta)
    return msgspec.structs.replace(meta, freq=None)


def _range(parts: list[Part], meta: FrameMeta) -> FrameMeta:
    metas = [part.layout.meta for part in parts]
    name = meta.index_name if all(other.index_name == meta.index_name for other in metas) else None
    if all(other.step == meta.step for other in metas):
        return msgspec.structs.replace(meta, index_name=name)
    warnings.warn(
        "the RangeIndexes of the joined symbols have different steps; rows are numbered from 0 instead", stacklevel=2
    )
    return msgspec.structs.replace(meta, index_name=name, start=0, step=1)


def _level(parts: list[Part], at: int) -> Field:
    levels = [part.layout.levels[at] for part in parts]
    name = levels[0].name if all(level.name == levels[0].name for level in levels) else None
    return _field(parts, [at] * len(parts), name)


def _names(parts: list[Part], join: str) -> list[Name]:
    """The names of the joined columns; of a Series its one column, unnamed where names differ."""
    all_names = [[field.name for field in part.layout.data] for part in parts]
    if parts[0].layout.meta.kind == "series":
        return [all_names[0][0] if all(names == all_names[0] for names in all_names) else None]
    for part, names in zip(parts, all_names, strict=True):
        if len(set(names)) < len(names):
            raise SchemaException(
                f"symbol {part.symbol!r} has several columns of one name, so its columns cannot be matched by name"
            )
    if join == "inner":
        return [name for name in all_names[0] if all(name in names for names in all_names)]
    return list(dict.fromkeys(name for names in all_names for name in names))


def _place(part: Part, name: Name) -> int:
    """The position of a column in a part, index levels counted; -1 if it has none of that name."""
    data = part.layout.data
    levels = part.layout.scope.index_columns
    if part.layout.meta.kind == "series":
        return levels
    return next((levels + at for at, field in enumerate(data) if field.name == name), -1)


def _field(parts: list[Part], places: list[int], name: Name) -> Field:
    """The joined column: a type that holds all, one zone or none, all categories."""
    found = [(part, part.layout.fields[place]) for part, place in zip(parts, places, strict=True) if place >= 0]
    field = found[0][1]
    dtype, categories = field.dtype, field.categories
    for part, other in found[1:]:
        both = common_type(dtype, other.dtype)
        if both is not None and categories is not None and other.categories is not None:
            categories = union_categories(categories, other.categories)
            both = None if categories is None else DType("category", code_bits(categories), ordered=both.ordered)
        if both is None:
            raise SchemaException(
                f"column {name!r} is of type {dtype} in symbol {found[0][0].symbol!r} and {other.dtype} in "
                f"{part.symbol!r}, which have no common type; cast one of them",
                code=ErrorCode.E_DESCRIPTOR_MISMATCH,
            )
        dtype = both
    return Field(name, 0, dtype, categories, field.flavour)


def _converted(column: Column, own: Field, wanted: Field) -> Column:
    dtype = wanted.dtype
    if own.categories is not None and wanted.categories is not None:
        codes: Any = column.data
        if own.categories != wanted.categories:
            codes = recode(codes, own.categories, wanted.categories, dtype.bits)
        return Column(dtype, np.asarray(codes, dtype=dtype.storage), column.valid)
    if column.dtype == dtype:
        return column
    if dtype.temporal and column.dtype.unit == finer(column.dtype.unit, dtype.unit) == dtype.unit:
        return Column(dtype, column.data, column.valid)
    return cast(column, dtype)
