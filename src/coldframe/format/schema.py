"""The schema of a table: names and types of its columns, and the order in which they are stored.

Columns have two orders. The *table order* is the user's: index levels first, then the columns. The *stored order*
brings columns of one type together (stable, types by first appearance), so that neighbours share blocks.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.cached import cached_property
from coldframe.format.dtypes import DType

Name = str | int | float | bool | None


SELECTIONS_KEPT = 64


class Schema(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """Names and types of the columns of a table.

    Attributes
    ----------
    names : list
        In table order; index levels come first. Names may repeat.
    types : list of DType
        The distinct types, by first appearance.
    kinds : bytes
        For each column, in table order, its position in `types`: little-endian uint16.
    index_columns : int
        How many of the leading columns are levels of the index.
    categories : dict of int to bytes
        For each categorical column (by table order): its categories as an Arrow IPC stream of one column.
    frame : bytes
        What the user's object was, as written by the frames layer (msgpack). Opaque here.
    """

    names: list[Name]
    types: list[DType]
    kinds: bytes
    index_columns: int = 0
    categories: dict[int, bytes] = {}
    frame: bytes = b""

    @classmethod
    def of(
        cls,
        names: list[Name],
        dtypes: list[DType],
        index_columns: int = 0,
        categories: dict[int, bytes] | None = None,
        frame: bytes = b"",
    ) -> Schema:
        """A schema from one type per column, in table order."""
        position: dict[DType, int] = {}
        kinds = np.fromiter((position.setdefault(d, len(position)) for d in dtypes), dtype="<u2", count=len(dtypes))
        return cls(names, list(position), kinds.tobytes(), index_columns, categories or {}, frame)

    @cached_property
    def kind_of(self) -> NDArray[Any]:
        """For each column, in table order, the position of its type in `types`."""
        return np.frombuffer(self.kinds, dtype="<u2")

    @cached_property
    def width(self) -> int:
        """The number of columns, index levels included."""
        return len(self.names)

    @cached_property
    def order(self) -> NDArray[Any]:
        """Stored order: the table position of each stored column."""
        return np.argsort(self.kind_of, kind="stable")

    @cached_property
    def place(self) -> NDArray[Any]:
        """The stored position of each column in table order: the inverse of `order`."""
        inverse = np.empty(self.width, dtype=np.intp)
        inverse[self.order] = np.arange(self.width)
        return inverse

    @cached_property
    def bounds(self) -> NDArray[Any]:
        """Where each type's columns begin in stored order: `len(types) + 1` positions."""
        counts = np.bincount(self.kind_of, minlength=len(self.types))
        return np.concatenate(([0], np.cumsum(counts))).astype(np.intp)

    @cached_property
    def columns_named(self) -> dict[str, list[int]]:
        """The positions in table order of the columns, index levels aside, under each name as a string."""
        found: dict[str, list[int]] = {}
        for position, name in enumerate(self.names[self.index_columns :], self.index_columns):
            if name is not None:
                found.setdefault(name if isinstance(name, str) else str(name), []).append(position)
        return found

    def dtype(self, column: int) -> DType:
        """The type of a column, by its position in table order."""
        return self.types[int(self.kind_of[column])]

    def select(self, stored: NDArray[Any]) -> Schema:
        """The schema of some of the columns, given by their stored positions, ascending; `frame` stays as it is.

        Examples
        --------
        >>> from coldframe.format.dtypes import DType
        >>> schema = Schema.of(["t", "a", "b"], [DType("timestamp", unit="ns"), DType("int"), DType("int")], 1)
        >>> schema.select(np.array([0, 2])).names
        ['t', 'b']
        """
        known = self._selections.get(stored.tobytes())
        if known is None:
            known = self._selections[stored.tobytes()] = self._select(stored)
            if len(self._selections) > SELECTIONS_KEPT:
                self._selections.clear()
        return known

    @cached_property
    def _selections(self) -> dict[bytes, Schema]:
        """Schemas made by `select`: the same columns are asked for slice after slice."""
        return {}

    def _select(self, stored: NDArray[Any]) -> Schema:
        columns = np.sort(self.order[stored])
        kinds = self.kind_of[columns]
        used = np.zeros(len(self.types), dtype=bool)
        used[kinds] = True
        renumbered = np.cumsum(used) - 1
        where = columns.tolist()
        categories = {new: self.categories[old] for new, old in enumerate(where) if old in self.categories}
        return Schema(
            [self.names[column] for column in where],
            [self.types[kind] for kind in np.flatnonzero(used).tolist()],
            renumbered[kinds].astype("<u2").tobytes(),
            int(np.searchsorted(columns, self.index_columns)),
            categories if self.categories else {},
            self.frame,
        )
