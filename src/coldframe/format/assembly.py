"""Decodes blocks of many slices straight into the memory of one table.

Blocks may arrive in any order and from any thread, as long as no two write to the same cells.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.exceptions import SchemaException
from coldframe.format import blocks as number_blocks
from coldframe.format.checksums import Buffer, Damage
from coldframe.format.codecs import ids
from coldframe.format.codecs.linear import Numbers, Steps
from coldframe.format.columns import described, kind_of, verify
from coldframe.format.dtypes import DType
from coldframe.format.gather import Dictionaries, Gatherer
from coldframe.format.schema import Schema
from coldframe.format.table import Band, StringColumn, Table
from coldframe.memory import bytes_of, result_array

__all__ = ["Assembly", "Dictionaries"]

_OWN_ARRAYS = 64
"""Up to so many columns of a type get an array each, so that dropping a column frees its memory."""
_TALL = 4 * 1024 * 1024
"""But only if such an array has more bytes than this: smaller ones have no huge pages, and their page faults cost more
than the decoding."""


class _Target:
    """The memory for all wanted columns of one type."""

    __slots__ = ("arrays", "dtype", "first", "matrix", "stop", "texts", "valid")

    def __init__(self, dtype: DType, first: int, stop: int, rows: int) -> None:
        self.dtype = dtype
        self.first = first
        self.stop = stop
        self.valid: NDArray[Any] | None = None
        self.matrix: NDArray[Any] | None = None
        self.arrays: list[NDArray[Any]] = []
        self.texts: list[Gatherer] = []
        count = stop - first
        if not dtype.fixed:
            kind = pa.large_binary() if dtype.kind == "binary" else pa.large_string()
            self.texts = [Gatherer(rows, kind) for _ in range(count)]
        elif count <= _OWN_ARRAYS and rows * dtype.storage.itemsize > _TALL:
            self.arrays = [result_array(rows, dtype.storage) for _ in range(count)]
        else:
            self.matrix = result_array((count, rows), dtype.storage)

    def column(self, position: int) -> NDArray[Any]:
        """The memory of one column, by its stored position in the result."""
        return self.arrays[position - self.first] if self.matrix is None else self.matrix[position - self.first]

    def contiguous(self, position: int, count: int, at: int, rows: int) -> NDArray[Any] | None:
        """The cells of some columns as one run of memory, if they are that."""
        if self.matrix is None:
            return self.arrays[position - self.first][at : at + rows] if count == 1 else None
        low = position - self.first
        if count == 1:
            return self.matrix[low, at : at + rows]
        return self.matrix[low : low + count].reshape(-1) if rows == self.matrix.shape[1] else None

    def put(self, position: int, values: NDArray[Any], at: int) -> None:
        """Copy (columns, rows) values of the same type to neighbouring columns."""
        low, stop = position - self.first, at + values.shape[1]
        if self.matrix is not None:
            _copy(self.matrix[low : low + len(values), at:stop], values)
            return
        for array, column in zip(self.arrays[low:], values, strict=False):
            _copy(array[at:stop], column)

    def blank(self, position: int, at: int, rows: int) -> None:
        """Fill some rows of a column as if it had been there with no value."""
        if not self.dtype.fixed:
            self.texts[position - self.first].fill(at, rows)
            return
        value: Any = 0
        if self.dtype.kind == "float":
            value = np.nan
        elif self.dtype.temporal:
            value = np.iinfo(np.int64).min
        elif self.dtype.kind == "category":
            value = -1
        self.column(position)[at : at + rows] = value

    def band(self) -> Band:
        """The finished columns."""
        if not self.dtype.fixed:
            return Band([text.finish() for text in self.texts])
        return Band(self.arrays if self.matrix is None else self.matrix, self.valid)


def _copy(place: NDArray[Any], values: NDArray[Any]) -> None:
    # What was fetched to its place is there already. Where it starts takes longer to find out than whether it is near.
    if np.may_share_memory(place, values) and place.ctypes.data == values.ctypes.data:
        return
    np.copyto(place, values)


class _Route:
    """Where the columns of a source schema go.

    Attributes
    ----------
    places : int array or None
        For each stored column of the source its stored position in the result, -1 for none. None: the same, all.
    lacking : list of int
        Stored positions in the result that the source has nothing for.
    """

    __slots__ = ("filled", "lacking", "places", "source", "starts")

    def __init__(self, source: Schema, places: NDArray[Any] | None, width: int) -> None:
        self.source = source
        self.places = places
        self.starts: list[int] = source.bounds.tolist()
        self.filled: set[tuple[int, int]] = set()
        self.lacking: list[int] = []
        if places is not None:
            there = np.zeros(width, dtype=bool)
            there[places[places >= 0]] = True
            self.lacking = np.flatnonzero(~there).tolist()


class Assembly:
    """The memory for a result, and the way of blocks into it.

    Parameters
    ----------
    schema : Schema
        What the columns are to be.
    columns : int array, optional
        The stored positions of the wanted columns, ascending; None: all.
    rows : int
        The rows of the result.

    Attributes
    ----------
    schema : Schema
        Of the result: the given schema's wanted columns.

    Examples
    --------
    >>> from coldframe.format.segments import Encoder
    >>> schema = Schema.of(["a", "b"], [DType("int"), DType("int")])
    >>> table = Table(schema, 3, [Band(np.array([[1, 2, 3], [4, 5, 6]]))])
    >>> [segment] = Encoder(table).slice(0, 3)
    >>> assembly = Assembly(schema, np.array([1]), 2)
    >>> payloads = [segment.data[block["offset"] :][: block["length"]] for block in segment.blocks]
    >>> assembly.add(schema, segment.blocks, payloads, rows=3, from_row=1, to_row=3, at=0)
    >>> assembly.finish().bands[0].values
    array([[5, 6]])
    """

    def __init__(self, schema: Schema, columns: NDArray[Any] | None, rows: int) -> None:
        self.rows = rows
        self._full = schema
        self._columns = columns
        self.schema = schema if columns is None else schema.select(columns)
        self._lock = threading.Lock()
        self._cells = 0
        self._routes: dict[int, _Route] = {}
        self._targets: list[_Target] = []

    def _prepare(self) -> None:
        """Make the memory of the result: only when it is needed, for many assemblies may wait for their blocks."""
        if self._targets:
            return
        with self._lock:
            if not self._targets:
                bounds = pairwise(self.schema.bounds.tolist())
                self._targets = [
                    _Target(dtype, start, stop, self.rows)
                    for dtype, (start, stop) in zip(self.schema.types, bounds, strict=True)
                ]

    def wanted(self, blocks: NDArray[Any], source: Schema | None = None) -> NDArray[np.bool_]:
        """Which of these blocks, of a slice of schema `source` (by default that of the result), have to be added."""
        places = self._route(self._full if source is None else source).places
        if places is None:
            return np.ones(len(blocks), dtype=bool)
        before = np.zeros(len(places) + 1, dtype=np.intp)
        np.cumsum(places >= 0, out=before[1:])
        first = blocks["first"].astype(np.intp)
        found: NDArray[np.bool_] = before[first + blocks["count"]] > before[first]
        return found

    def places(
        self, source: Schema, blocks: NDArray[Any], *, rows: int, from_row: int, to_row: int, at: int
    ) -> list[memoryview | None]:
        """For each block where its bytes may be put as they come, if they are numbers as they will lie in the result.

        The parameters are those of `add`, which then finds the payload in its place.
        """
        self._prepare()
        route = self._route(source)
        found: list[memoryview | None] = []
        for first, count, codec, flags in blocks[["first", "count", "codec", "flags"]].tolist():
            place = None
            kind = kind_of(route.starts, first, count)
            if codec == ids.RAW and not flags and to_row - from_row == rows and source.types[kind].fixed:
                position = self._run(route, source.types[kind], first, count)
                if position is not None:
                    place = self._target(position).contiguous(position, count, at, rows)
            found.append(None if place is None else bytes_of(place))
        return found

    def add(
        self,
        source: Schema,
        blocks: NDArray[Any],
        payloads: Sequence[Buffer],
        *,
        rows: int,
        from_row: int,
        to_row: int,
        at: int,
        dictionaries: Dictionaries | None = None,
    ) -> None:
        """Decode blocks of one slice.

        Columns that the result wants and `source` does not have are filled (integers 0, False, NaN, NaT, None). For
        that the slice must be added even if none of its blocks is wanted.

        Parameters
        ----------
        source : Schema
            Of the slice; names and types may differ from the result's.
        blocks : array of BLOCK
            The wanted ones, or some of them; others are skipped.
        payloads : sequence of buffers
            The bytes of each of these blocks.
        rows, from_row, to_row : int
            The rows stored in the slice's segments, and which of them to take.
        at : int
            The row of the result that the first of them becomes.
        dictionaries : Dictionaries, optional
            The slice's dictionary segment, where blocks refer to one.

        Raises
        ------
        Damage
            A payload is not what was written; the message names the column.
        SchemaException
            A column's stored type cannot become the wanted one.
        """
        if not (0 <= from_row <= to_row <= rows and 0 <= at <= self.rows - (to_row - from_row)):
            raise Damage(f"rows {from_row} to {to_row} of {rows} do not fit at row {at} of {self.rows}")
        self._prepare()
        route = self._route(source)
        part = (from_row, to_row)
        if route.lacking:
            self._fill_lacking(route, at, to_row - from_row)
        cells = 0
        for block, payload in zip(blocks.tolist(), payloads, strict=True):
            first, count, _, length, check, _, _, _, number, codec, _, flags = block
            try:
                verify(payload, length, check)
                kind = kind_of(route.starts, first, count)
                if source.types[kind].fixed:
                    cells += self._add_numbers(route, kind, first, count, codec, flags, payload, rows, part, at)
                else:
                    self._add_text(route, kind, first, codec, payload, rows, part, at, number, dictionaries)
            except Damage as damage:
                raise damage.within(described(source, first)) from None
        with self._lock:
            self._cells += cells

    def put(self, source: Schema, column: int, values: Numbers, at: int) -> bool:
        """Take rows of a column of numbers that are decoded already; False if the result has no place for them as such.

        Parameters
        ----------
        source : Schema
            Of the slice they are from.
        column : int
            Its position there, in table order.
        values : array or Steps
            Of which none is missing.
        at : int
            The row of the result that the first of them becomes.
        """
        self._prepare()
        position = self._run(self._route(source), source.dtype(column), int(source.place[column]), 1)
        if position is None:
            return False
        target = self._target(position)
        if isinstance(values, Steps):
            values.write(target.column(position)[at : at + len(values)])
        else:
            target.put(position, values[np.newaxis], at)
        with self._lock:
            self._cells += len(values)
        return True

    def strings(self, position: int) -> StringColumn:
        """A column of strings, by its stored position in the result, when all of its blocks have been added."""
        self._prepare()
        target = self._target(position)
        return target.texts[position - target.first].finish()

    def finish(self) -> Table:
        """The table, when every block has been added."""
        self._prepare()
        expected = self.rows * sum(target.stop - target.first for target in self._targets if target.dtype.fixed)
        if self._cells != expected:
            raise Damage(f"{self._cells} values where {expected} belong: blocks are missing or there twice")
        return Table(self.schema, self.rows, [target.band() for target in self._targets])

    def _add_numbers(
        self,
        route: _Route,
        kind: int,
        first: int,
        count: int,
        codec: int,
        flags: int,
        payload: Buffer,
        rows: int,
        part: tuple[int, int],
        at: int,
    ) -> int:
        """Decode a block of numbers; the number of cells that were written."""
        dtype = route.source.types[kind]
        start, stop = part
        position = self._run(route, dtype, first, count)
        if position is None:
            decoded = number_blocks.decode(dtype, codec, flags, payload, count, rows)
            return self._scatter(route, dtype, first, decoded, part, at)
        target = self._target(position)
        steps = number_blocks.decode_steps(dtype, codec, flags, payload, count, rows)
        if steps is not None:
            steps[start:stop].write(target.column(position)[at : at + stop - start])
            return stop - start
        out = None
        if codec in (ids.PCO, ids.DECIMALS) and stop - start == rows:
            out = target.contiguous(position, count, at, rows)
        decoded = number_blocks.decode(dtype, codec, flags, payload, count, rows, out)
        if out is None:
            target.put(position, decoded.values[:, start:stop], at)
        if decoded.valid is not None:
            low = position - target.first
            self._validity(target)[low : low + count, at : at + stop - start] = decoded.valid[:, start:stop]
        return count * (stop - start)

    def _run(self, route: _Route, dtype: DType, first: int, count: int) -> int | None:
        """Where a block's columns go in the result, if they go there side by side as they are."""
        if route.places is None:
            return first
        places = route.places[first : first + count]
        low, high = int(places[0]), int(places[-1])
        if low < 0 or high - low != count - 1 or (count > 2 and (np.diff(places) != 1).any()):
            return None
        target = self._target(low)
        found = target.dtype
        same = found.kind == dtype.kind and found.bits == dtype.bits and found.unit == dtype.unit
        return low if same and high < target.stop else None

    def _scatter(
        self,
        route: _Route,
        dtype: DType,
        first: int,
        decoded: number_blocks.Decoded,
        part: tuple[int, int],
        at: int,
    ) -> int:
        """Write the columns of a block that are wanted each to its place, converting where the types differ."""
        start, stop = part
        end = at + stop - start
        places = cast("NDArray[Any]", route.places)[first : first + len(decoded.values)]
        columns = np.flatnonzero(places >= 0)
        for target in self._targets:
            mine = columns[(places[columns] >= target.first) & (places[columns] < target.stop)]
            if not len(mine):
                continue
            lows = places[mine] - target.first
            self._require_conversion(route, dtype, target.dtype, first + int(mine[0]))
            if target.matrix is not None:
                target.matrix[lows, at:end] = decoded.values[mine, start:stop]
            else:
                for low, column in zip(lows.tolist(), mine.tolist(), strict=True):
                    np.copyto(target.arrays[low][at:end], decoded.values[column, start:stop], casting="unsafe")
            if decoded.valid is not None:
                self._validity(target)[lows, at:end] = decoded.valid[mine, start:stop]
        return len(columns) * (stop - start)

    def _add_text(
        self,
        route: _Route,
        kind: int,
        first: int,
        codec: int,
        payload: Buffer,
        rows: int,
        part: tuple[int, int],
        at: int,
        number: int,
        dictionaries: Dictionaries | None,
    ) -> None:
        position = first if route.places is None else int(route.places[first])
        if position < 0:
            return
        target = self._target(position)
        self._require_conversion(route, route.source.types[kind], target.dtype, first)
        target.texts[position - target.first].add(codec, payload, rows, part, at, number, dictionaries)

    def _require_conversion(self, route: _Route, old: DType, new: DType, stored: int) -> None:
        numbers = ("int", "uint", "float", "bool")
        related = (old.kind == new.kind and old.unit == new.unit) or (old.kind in numbers and new.kind in numbers)
        if not related or (old.fixed and not np.can_cast(old.storage, new.storage, "safe")):
            name = route.source.names[int(route.source.order[stored])]
            raise SchemaException(
                f"column {name!r} is stored as {old} and cannot be read as {new}; "
                "write the symbol anew with one type for the column"
            )

    def _validity(self, target: _Target) -> NDArray[Any]:
        with self._lock:
            if target.valid is None:
                target.valid = np.ones((target.stop - target.first, self.rows), dtype=bool)
            return target.valid

    def _target(self, position: int) -> _Target:
        return next(target for target in self._targets if position < target.stop)

    def _fill_lacking(self, route: _Route, at: int, rows: int) -> None:
        with self._lock:
            if (at, rows) in route.filled:
                return
            route.filled.add((at, rows))
            for position in route.lacking:
                target = self._target(position)
                target.blank(position, at, rows)
                self._cells += rows if target.dtype.fixed else 0

    def _route(self, source: Schema) -> _Route:
        route = self._routes.get(id(source))
        if route is None:
            route = _Route(source, self._places(source), self.schema.width)
            with self._lock:
                # The route holds its source, so that the id stays the source's own.
                route = self._routes.setdefault(id(source), route)
        return route

    def _places(self, source: Schema) -> NDArray[Any] | None:
        """For each stored column of a source its stored position in the result, or -1; None if all is the same."""
        full = self._full
        wanted = None
        if self._columns is not None:
            wanted = np.full(full.width, -1, dtype=np.intp)
            wanted[self._columns] = np.arange(len(self._columns))
        if source is full or (source.kinds == full.kinds and source.types == full.types and source.names == full.names):
            return wanted
        matched = _match(source, full)
        if wanted is None:
            return matched
        return np.where(matched >= 0, wanted[matched], -1)


def _match(source: Schema, full: Schema) -> NDArray[Any]:
    """For each stored column of `source` the stored column of `full` with its name, or -1.

    Levels of the index match by their position, columns by name; the n-th of a repeated name matches the n-th.
    """
    stored = full.place.tolist()
    seats: dict[tuple[object, ...], int] = {}
    for place, key in enumerate(_keys(full)):
        seats[key] = stored[place]
    matched = np.full(source.width, -1, dtype=np.intp)
    for place, key in enumerate(_keys(source)):
        matched[place] = seats.get(key, -1)
    found: NDArray[Any] = matched[source.order]
    return found


def _keys(schema: Schema) -> list[tuple[object, ...]]:
    keys: list[tuple[object, ...]] = [("level", level) for level in range(schema.index_columns)]
    seen: dict[tuple[type, object], int] = {}
    for name in schema.names[schema.index_columns :]:
        named = (type(name), name)  # 1, 1.0 and True are different names
        times = seen[named] = seen.get(named, -1) + 1
        keys.append((*named, times))
    return keys
