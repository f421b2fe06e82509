"""The in-memory model between users' objects and stored bytes: a table of bands.

A *band* is all columns of one type: a 2-D array (or one array per column) for fixed-width types, one `StringColumn`
each for strings. Bands stand in the order of `schema.types`; the columns within a band in table order. A table is
therefore already in stored order, and a frame of 20,000 columns of one type is one array.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.format.schema import Schema

NONE = -1
"""In the codes of a string column: the value is None (a null)."""
NAN = -2
"""In the codes of a string column: the value is a float NaN standing among strings."""


class StringColumn(msgspec.Struct):
    """One column of strings (or, with a LargeBinaryArray, of bytes).

    Attributes
    ----------
    values : pa.LargeStringArray
        Coded: the distinct values. Plain: the value of each row (an empty string where missing). Never has nulls.
    codes : int32 array or None
        Coded: for each row the position in `values`, `NONE` or `NAN`. None: plain.
    missing : int8 array or None
        Plain only: for each row 0, `NONE` or `NAN`; None where no row is missing.
    objects : object array or None
        The rows as Python objects, where these have been made already.
    """

    values: pa.LargeStringArray
    codes: NDArray[Any] | None = None
    missing: NDArray[Any] | None = None
    objects: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.values) if self.codes is None else len(self.codes)

    def rows(self, start: int, stop: int) -> StringColumn:
        """The rows from `start` to `stop`, sharing memory."""
        if self.codes is not None:
            return StringColumn(self.values, self.codes[start:stop])
        missing = None if self.missing is None else self.missing[start:stop]
        return StringColumn(self.values.slice(start, stop - start), None, missing)

    def coded(self) -> StringColumn:
        """The same rows with a code each, and each value once."""
        if self.codes is not None:
            return self
        encoded = self.values.dictionary_encode()
        codes = np.asarray(encoded.indices)
        if self.missing is not None:
            codes = np.where(self.missing == 0, codes, self.missing)
        return StringColumn(encoded.dictionary, codes.astype(np.int32, copy=False))

    def plain(self) -> StringColumn:
        """The same rows with each one's value in place."""
        if self.codes is None:
            return self
        lacking = self.codes < 0
        missing = None
        codes = pa.array(self.codes, mask=lacking) if lacking.any() else pa.array(self.codes)
        values = self.values.take(codes)
        if lacking.any():
            missing = np.where(lacking, self.codes, 0).astype(np.int8)
            values = values.fill_null("" if pa.types.is_large_string(values.type) else b"")
        return StringColumn(values, None, missing)


class Band(msgspec.Struct):
    """All columns of one type.

    Attributes
    ----------
    values : 2-D array of shape (columns, rows), list of 1-D arrays, or list of StringColumn
        Numbers in the type's storage dtype (any strides; may be a view of the user's memory). Tall results of a read
        have one array per column, so that dropping a column frees it.
    valid : 2-D bool array of shape (columns, rows) or None
        Where a value is present, for types that cannot say so themselves; None: everywhere. Elsewhere stands 0 for a
        null or a column that the row does not have, and 1 for what a query made of a missing value.
    """

    values: NDArray[Any] | list[NDArray[Any]] | list[StringColumn]
    valid: NDArray[Any] | None = None

    @property
    def count(self) -> int:
        """The number of columns."""
        return len(self.values)

    def rows(self, start: int, stop: int) -> Band:
        """The rows from `start` to `stop`, sharing memory."""
        values: Any
        if not isinstance(self.values, list):
            values = self.values[:, start:stop]
        elif self.values and isinstance(self.values[0], StringColumn):
            values = [column.rows(start, stop) for column in self.values]
        else:
            values = [column[start:stop] for column in cast("list[NDArray[Any]]", self.values)]
        return Band(values, None if self.valid is None else self.valid[:, start:stop])


class Table(msgspec.Struct):
    """Rows of columns, in stored order.

    Attributes
    ----------
    schema : Schema
    rows : int
    bands : list of Band
        One for each of `schema.types`.
    """

    schema: Schema
    rows: int
    bands: list[Band]

    def slice(self, start: int, stop: int) -> Table:
        """The rows from `start` to `stop`, sharing memory."""
        return Table(self.schema, stop - start, [band.rows(start, stop) for band in self.bands])


def concat_tables(tables: list[Table]) -> Table:
    """The rows of several tables of one schema, one after the other."""
    if len(tables) == 1:
        return tables[0]
    schema = tables[0].schema
    bands = [_concat_bands([table.bands[number] for table in tables]) for number in range(len(schema.types))]
    return Table(schema, sum(table.rows for table in tables), bands)


def concat_strings(columns: list[StringColumn]) -> StringColumn:
    """The rows of several string columns, plain."""
    plain = [column.plain() for column in columns]
    values = pa.concat_arrays([column.values for column in plain])
    if all(column.missing is None for column in plain):
        return StringColumn(values)
    missing = [np.zeros(len(c), np.int8) if c.missing is None else c.missing for c in plain]
    return StringColumn(values, None, np.concatenate(missing))


def _concat_bands(bands: list[Band]) -> Band:
    valid = None
    if any(band.valid is not None for band in bands):
        valid = np.concatenate([_validity(band) for band in bands], axis=1)
    first = bands[0].values
    if isinstance(first, list) and first and isinstance(first[0], StringColumn):
        columns = [[cast("StringColumn", band.values[i]) for band in bands] for i in range(len(first))]
        return Band([concat_strings(column) for column in columns], valid)
    return Band(np.concatenate([np.asarray(band.values) for band in bands], axis=1), valid)


def _validity(band: Band) -> NDArray[Any]:
    if band.valid is not None:
        return band.valid
    return np.ones((len(band.values), len(band.values[0]) if len(band.values) else 0), dtype=bool)
