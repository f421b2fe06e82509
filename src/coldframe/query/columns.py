"""Columns while a query works on them: one dimension of values, where they are missing, rows taken and stacked."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.format.blocks import Unwritten
from coldframe.format.dtypes import DType
from coldframe.format.schema import Name, Schema
from coldframe.format.table import NAN, NONE, Band, StringColumn, Table

NAT = np.iinfo(np.int64).min
Rows = NDArray[np.intp]
MANY = 64
"""More columns of one type than this share one array."""


class Column:
    """A column of a batch.

    Attributes
    ----------
    dtype : DType
    data : 1-D array, or StringColumn
        Values in the type's storage dtype.
    valid : bool array or None
        False where a null is not told by the value itself, or the row's slice does not have the column.
    """

    __slots__ = ("_data", "dtype", "valid")

    def __init__(self, dtype: DType, data: Any, valid: NDArray[Any] | None = None) -> None:
        self.dtype = dtype
        self._data = data
        self.valid = valid

    @property
    def data(self) -> Any:
        """The values."""
        return self._data

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: Rows) -> Column:
        """The given rows."""
        valid = None if self.valid is None else self.valid.take(rows)
        if isinstance(self.data, StringColumn):
            return Column(self.dtype, take_strings(self.data, rows), valid)
        return Column(self.dtype, self.data.take(rows, mode="clip"), valid)

    def rows(self, start: int, stop: int) -> Column:
        """The rows from `start` to `stop`, sharing memory."""
        valid = None if self.valid is None else self.valid[start:stop]
        data = self.data.rows(start, stop) if isinstance(self.data, StringColumn) else self.data[start:stop]
        return Column(self.dtype, data, valid)

    def put(self, target: NDArray[Any], rows: Rows | None) -> None:
        """Write the numbers of the given rows, or of all, into memory of as many."""
        if rows is None:
            target[:] = self.data
        else:
            # `clip` spares numpy the buffer that it needs to check positions before it writes.
            self.data.take(rows, out=target, mode="clip")

    def missing(self) -> NDArray[Any]:
        """Where the value is missing."""
        if isinstance(self.data, StringColumn):
            mask = missing_strings(self.data)
        elif self.dtype.kind == "float":
            mask = np.isnan(self.data)
        elif self.dtype.temporal:
            mask = self.data == NAT
        elif self.dtype.kind == "category":
            mask = self.data < 0
        else:
            mask = np.zeros(len(self.data), dtype=np.bool_)
        return mask if self.valid is None else mask | ~self.valid


class Lazy(Column):
    """A column of numbers, none of them missing by its mask, that are written out only where all are looked at.

    Attributes
    ----------
    numbers : Steps or Quotients
    """

    __slots__ = ("numbers",)

    def __init__(self, dtype: DType, numbers: Unwritten) -> None:
        super().__init__(dtype, None)
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def data(self) -> Any:
        """The values, written out."""
        if self._data is None:
            written = np.empty(len(self.numbers), self.dtype.storage)
            self.numbers.write(written)
            self._data = written
        return self._data

    def take(self, rows: Rows) -> Column:
        """The given rows."""
        taken = np.empty(len(rows), self.dtype.storage)
        self.numbers.put(rows, taken)
        return Column(self.dtype, taken)

    def rows(self, start: int, stop: int) -> Column:
        """The rows from `start` to `stop`."""
        return Lazy(self.dtype, self.numbers[start:stop])

    def put(self, target: NDArray[Any], rows: Rows | None) -> None:
        """Write the numbers of the given rows, or of all, into memory of as many."""
        if rows is None:
            self.numbers.write(target)
        else:
            self.numbers.put(rows, target)


def distinct_strings(column: Column) -> pa.Array | None:
    """The values behind the codes of a column of strings; None where there are no codes."""
    return None if column.dtype.fixed or column.data.codes is None else column.data.values


def repeated_string(column: Column, code: int, rows: int) -> Column:
    """As many rows of the string that a code means in a column."""
    codes = np.full(rows, code, dtype=column.data.codes.dtype)
    return Column(column.dtype, StringColumn(column.data.values, codes))


def missing_strings(column: StringColumn) -> NDArray[Any]:
    """Where a string is None or NaN."""
    if column.codes is not None:
        return cast("NDArray[Any]", column.codes < 0)
    if column.missing is None:
        return np.zeros(len(column), dtype=np.bool_)
    return cast("NDArray[Any]", column.missing != 0)


def take_strings(column: StringColumn, rows: Rows) -> StringColumn:
    """The given rows; coded columns share their values."""
    if column.codes is not None:
        return StringColumn(column.values, column.codes.take(rows))
    missing = None if column.missing is None else column.missing.take(rows)
    return StringColumn(column.values.take(pa.array(rows)), None, missing)


def recoded(values: pa.Array, codes: NDArray[Any]) -> StringColumn:
    """A coded column from values that may repeat or be null."""
    encoded = values.dictionary_encode()
    indices = encoded.indices
    mapping = indices.fill_null(NONE).to_numpy(zero_copy_only=False).astype(np.int32)
    return StringColumn(encoded.dictionary, translate(mapping, codes))


def translate(mapping: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    """Codes by a mapping of the present ones; the missing stay: they count from the mapping's end."""
    table = np.append(mapping.astype(np.int32), np.array([NAN, NONE], dtype=np.int32))
    return cast("NDArray[Any]", table[codes])


def stack_strings(pieces: list[StringColumn]) -> StringColumn:
    """The rows of all pieces; coded if more of them are than not, of those that have any strings."""
    if len(pieces) == 1:
        return pieces[0]
    in_place = sum(len(piece) for piece in pieces if piece.codes is None)
    if in_place and in_place <= sum(len(piece) for piece in pieces if piece.codes is not None and len(piece.values)):
        pieces = [piece.coded() for piece in pieces]
    elif in_place:
        pieces = [piece.plain() for piece in pieces]
        values = pa.concat_arrays([piece.values for piece in pieces])
        if all(piece.missing is None for piece in pieces):
            return StringColumn(values)
        blanks = [np.zeros(len(p), np.int8) if p.missing is None else p.missing for p in pieces]
        return StringColumn(values, None, np.concatenate(blanks))
    values, mappings = _unify([piece.values for piece in pieces])
    codes = [
        cast("NDArray[Any]", piece.codes) if mapping is None else translate(mapping, cast("NDArray[Any]", piece.codes))
        for piece, mapping in zip(pieces, mappings, strict=True)
    ]
    return StringColumn(values, np.concatenate(codes))


def _unify(dictionaries: list[pa.Array]) -> tuple[pa.Array, list[NDArray[Any] | None]]:
    """One dictionary for all, and for each the new codes of its values (None: as they are)."""
    first = dictionaries[0]
    if all(one is first for one in dictionaries):
        return first, [None] * len(dictionaries)
    distinct: dict[int, pa.Array] = {id(one): one for one in dictionaries}
    lengths = [len(one) for one in distinct.values()]
    encoded = pa.concat_arrays(list(distinct.values())).dictionary_encode()
    codes = np.split(encoded.indices.to_numpy(), np.cumsum(lengths)[:-1])
    # The first dictionary keeps its codes, and so does every copy of it.
    same = [len(one) and one[0] == 0 and bool((one == np.arange(len(one))).all()) for one in codes]
    mapping = {at: None if stays else one for at, one, stays in zip(distinct, codes, same, strict=True)}
    return encoded.dictionary, [mapping[id(one)] for one in dictionaries]


def stack(pieces: list[Column]) -> Column:
    """The rows of all pieces, which have one type."""
    if len(pieces) == 1:
        return pieces[0]
    valid = None
    if any(piece.valid is not None for piece in pieces):
        valid = np.concatenate([np.ones(len(p), np.bool_) if p.valid is None else p.valid for p in pieces])
    first = pieces[0]
    if isinstance(first.data, StringColumn):
        return Column(first.dtype, stack_strings([piece.data for piece in pieces]), valid)
    return Column(first.dtype, np.concatenate([piece.data for piece in pieces]), valid)


def absent(dtype: DType, rows: int) -> Column:
    """A column that these rows do not have: missing everywhere, with the values that stand for it."""
    valid = np.zeros(rows, dtype=np.bool_)
    if not dtype.fixed:
        return Column(dtype, StringColumn(no_strings(dtype), np.full(rows, NONE, dtype=np.int32)), valid)
    return Column(dtype, np.full(rows, blank(dtype), dtype=dtype.storage), valid)


def empty(dtype: DType) -> Column:
    """A column without rows."""
    if not dtype.fixed:
        return Column(dtype, StringColumn(no_strings(dtype), np.empty(0, dtype=np.int32)))
    return Column(dtype, np.empty(0, dtype=dtype.storage))


def no_strings(dtype: DType) -> pa.Array:
    """No values of a string or binary type."""
    return pa.array([], type=pa.large_binary() if dtype.kind == "binary" else pa.large_string())


def blank(dtype: DType) -> Any:
    """What stands for a missing value of a fixed-width type: NaN, NaT, no category; 0 and False without a mask."""
    if dtype.kind == "float":
        return np.nan
    if dtype.temporal:
        return NAT
    return -1 if dtype.kind == "category" else 0


def blanked(column: Column) -> Column:
    """The column with the stand-in wherever it is not valid; the mask is kept only where nothing else tells."""
    if column.valid is None:
        return column
    if column.valid.all():
        return Column(column.dtype, column.data)
    if isinstance(column.data, StringColumn):
        strings = column.data.coded()
        codes = cast("NDArray[Any]", strings.codes)
        return Column(column.dtype, StringColumn(strings.values, np.where(column.valid | (codes < 0), codes, NONE)))
    data = np.where(column.valid, column.data, column.data.dtype.type(blank(column.dtype)))
    return Column(column.dtype, data, column.valid if column.dtype.kind in ("int", "uint", "bool") else None)


def columns_of(table: Table) -> list[Column]:
    """The columns of a table, in table order, sharing memory."""
    schema = table.schema
    result: list[Column | None] = [None] * schema.width
    bounds, order = schema.bounds.tolist(), schema.order.tolist()
    for kind, band in enumerate(table.bands):
        dtype = schema.types[kind]
        for at, place in enumerate(order[bounds[kind] : bounds[kind + 1]]):
            result[place] = Column(dtype, band.values[at], None if band.valid is None else band.valid[at])
    return cast("list[Column]", result)


def table_of(
    names: list[Name], columns: list[Column], index_columns: int, categories: dict[int, bytes], frame: bytes, rows: int
) -> Table:
    """A table of columns, one array each."""
    schema = Schema.of(names, [column.dtype for column in columns], index_columns, categories, frame)
    bounds, order = schema.bounds.tolist(), schema.order.tolist()
    bands = []
    for kind in range(len(schema.types)):
        members = [columns[place] for place in order[bounds[kind] : bounds[kind + 1]]]
        valid = None
        if any(column.valid is not None for column in members):
            full = np.ones(rows, dtype=np.bool_)
            valid = np.stack([full if column.valid is None else column.valid for column in members])
        bands.append(Band(_together([column.data for column in members]), valid))
    return Table(schema, rows, bands)


def _together(arrays: list[Any]) -> Any:
    """The one array of which these are the rows, all and in order; else the arrays."""
    whole = getattr(arrays[0], "base", None) if len(arrays) > MANY else None
    if not isinstance(whole, np.ndarray) or whole.shape != (len(arrays), len(arrays[0])):
        return arrays
    start, step = whole.__array_interface__["data"][0], whole.strides[0]
    in_place = all(
        array.base is whole and array.__array_interface__["data"][0] == start + at * step
        for at, array in enumerate(arrays)
    )
    return whole if in_place else arrays
