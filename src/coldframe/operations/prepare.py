"""What every writing operation does first: check the name, turn the user's object into a table, look at its order."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.names import check_symbol
from coldframe.catalog.records import ASCENDING, SORTED, UNKNOWN
from coldframe.exceptions import ArcticDuplicateSymbolsInBatchException, ArcticException, UnsortedDataException
from coldframe.format.table import Table
from coldframe.frames.evolve import check_dynamic, index_values, is_timeseries, sortedness
from coldframe.frames.metadata import encode_metadata
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pickled import pickle_table
from coldframe.frames.timeline import first_missing


class Prepared(msgspec.Struct):
    """A user's object, checked and ready to be encoded.

    Attributes
    ----------
    table : Table
    times : int64 array or None
        The time index in its own unit; None where the object has none.
    sorted_as : int
        Position in `SORTED`.
    metadata : bytes or None
    """

    symbol: str
    table: Table
    times: NDArray[np.int64] | None
    sorted_as: int
    metadata: bytes | None

    @property
    def first(self) -> int | None:
        """The first time, where there is one."""
        return int(self.times[0]) if self.times is not None and len(self.times) else None

    @property
    def last(self) -> int | None:
        """The last time, where there is one."""
        return int(self.times[-1]) if self.times is not None and len(self.times) else None

    def check(self, *, validate_index: bool, always: bool = False) -> Prepared:
        """Refuse a bad name and, with `validate_index`, a time index that is not in order.

        `always`: the call has no parameter by which its user could do without the check.
        """
        self.symbol = check_symbol(self.symbol)
        if validate_index and self.sorted_as not in (ASCENDING, UNKNOWN):
            row = first_missing(self.table)
            if row is None:
                order = SORTED[self.sorted_as].lower()
                wrong = f"is not in ascending order ({order}). Sort it first (data.sort_index())"
            else:
                wrong = f"holds NaT, first in row {row}, which is no place in time. Drop those rows or fill their times"
            otherwise = "." if always else ", or store it as it is with validate_index=False."
            raise UnsortedDataException(f"the time index of the data for symbol '{self.symbol}' {wrong}{otherwise}")
        return self


def prepare(
    catalog: Catalog, symbol: str, data: Any, metadata: Any, *, validate_index: bool = True, pickle: bool = False
) -> Prepared:
    """Check and convert what a user wants to store; nothing is written.

    Raises
    ------
    UserInputException, ArcticUnsupportedDataTypeException, ArcticDbNotYetImplemented, ArcticException
        For a bad name, object, column or value.
    UnsortedDataException
        With `validate_index`, where a time index is not in order.
    """
    return convert(catalog, symbol, data, metadata, pickle=pickle).check(validate_index=validate_index)


def convert(catalog: Catalog, symbol: str, data: Any, metadata: Any, *, pickle: bool = False) -> Prepared:
    """Turn a user's object into a table; its name and order are not checked yet."""
    catalog.check_writable(f"writing symbol '{symbol}'")
    table = _table(symbol, data, pickle=pickle)
    if catalog.config.dynamic_schema:
        check_dynamic(table.schema, symbol)
    return dress(symbol, table, encode_metadata(metadata, f"symbol {symbol!r}"))


def dress(symbol: str, table: Table, metadata: bytes | None) -> Prepared:
    """A table with what the catalog wants to know of its order."""
    if not is_timeseries(table.schema):
        return Prepared(symbol, table, None, UNKNOWN, metadata)
    return Prepared(symbol, table, index_values(table), SORTED.index(sortedness(table)), metadata)


def _table(symbol: str, data: Any, *, pickle: bool) -> Table:
    if not pickle:
        return normalize(data, symbol=symbol)
    try:
        return normalize(data, symbol=symbol)
    except ArcticException:
        return pickle_table(data, symbol=symbol)


def check_batch(symbols: list[str], operation: str) -> None:
    """Refuse a batch that names a symbol twice."""
    if len(set(symbols)) != len(symbols):
        twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
        raise ArcticDuplicateSymbolsInBatchException(
            f"{operation} was given more than one entry for {', '.join(map(repr, twice[:5]))}. The order in which they "
            "would be written is not defined: give each symbol once."
        )

