"""What a query reads from: row slices whose columns are loaded one by one, with statistics to prune by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coldframe.format.schema import Schema
from coldframe.format.table import Table
from coldframe.query.columns import Column, columns_of

PIECE = 1 << 17
"""Rows worked on at a time in a table that lies in memory."""


@dataclass(slots=True)
class Statistics:
    """What is known of one column in each slice.

    Attributes
    ----------
    known : bool array
        Whether minimum and maximum are known. They look at present values only (not NaN, NaT or nulls).
    minimum, maximum : array
        In the column's storage dtype.
    nulls : int64 array
        How many values are missing (NaN, NaT and nulls); -1 where not known.
    """

    known: NDArray[Any]
    minimum: NDArray[Any]
    maximum: NDArray[Any]
    nulls: NDArray[Any]


class Source(Protocol):
    """Row slices in order.

    Attributes
    ----------
    schema : Schema
        Of all slices: `load` gives columns of these types.
    rows : int64 array
        The number of rows of each slice.
    ordered : bool or None
        Whether the rows ascend by their time; None: not known.
    symbol : str
        For messages.
    """

    schema: Schema
    rows: NDArray[np.int64]
    ordered: bool | None
    symbol: str

    def load(self, index: int, columns: Sequence[int]) -> list[Column]:
        """The given columns (positions in table order) of a slice. Called from worker threads.

        The arrays may be views of memory that is gone when the query has ended: results are made of copies.
        """

    def missing(self, index: int) -> Collection[int]:
        """The columns (positions in table order) that the slice was written without (dynamic schema)."""

    def statistics(self, column: int) -> Statistics | None:
        """What is known of a column (position in table order) in each slice."""

    def without_gil(self, columns: Collection[int]) -> bool:
        """Whether most of what loading these columns takes needs no GIL: unpacking, or waiting for a distant store."""

    def expect(self, slices: Sequence[int], columns: Sequence[int]) -> None:
        """Nothing else will be loaded, and perhaps not all of this: a little may be fetched at once."""

    def prefetch(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> None:
        """These slices and columns will be loaded next: fetch their bytes at once."""


class PlainSource:
    """What sources have in common of whose slices nothing is known but their rows."""

    def missing(self, index: int) -> Collection[int]:  # noqa: ARG002 -- every slice has all columns
        """No column is missing."""
        return ()

    def statistics(self, column: int) -> Statistics | None:  # noqa: ARG002 -- none are kept
        """Nothing is known."""
        return None

    def without_gil(self, columns: Collection[int]) -> bool:  # noqa: ARG002 -- none is
        """All is in memory."""
        return False

    def expect(self, slices: Sequence[int], columns: Sequence[int]) -> None:
        """All is in memory."""

    def prefetch(self, wanted: Sequence[tuple[int, Sequence[int]]]) -> None:
        """All is in memory."""


class TableSource(PlainSource):
    """A table in memory as a source: slices of at most `PIECE` rows, without statistics."""

    def __init__(self, table: Table, *, ordered: bool | None = None, symbol: str = "", piece: int = PIECE) -> None:
        self.table = table
        self.schema = table.schema
        self.ordered = ordered
        self.symbol = symbol
        self._piece = piece
        starts = np.arange(0, table.rows, piece)
        self.rows: NDArray[np.int64] = np.minimum(piece, table.rows - starts).astype(np.int64)
        self._columns: list[Column] | None = None

    def load(self, index: int, columns: Sequence[int]) -> list[Column]:
        """The given columns of a slice."""
        if self._columns is None:
            self._columns = columns_of(self.table)
        start = index * self._piece
        stop = start + int(self.rows[index])
        return [self._columns[column].rows(start, stop) for column in columns]
