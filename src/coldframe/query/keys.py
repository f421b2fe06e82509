"""Numbers for the keys of groups: equal keys of all slices get one number, in whatever order slices bring them."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.format.table import NAN, NONE, StringColumn
from coldframe.query.columns import Column, no_strings

_DENSE = 1 << 22
"""Keys within a range up to this long are numbered by their distance from its start, without hashing."""

_SHORT = 1 << 13
"""Dictionaries are made known one by one while they and the pool have no more strings than this."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class HashTable:
    """Numbers of 64-bit keys in the order in which they are first seen; all keys of a batch are looked up at once."""

    def __init__(self) -> None:
        self.size = 0
        self._bits = 12
        self._keys: NDArray[Any] = np.zeros(1 << self._bits, dtype=np.int64)
        self._numbers: NDArray[Any] = np.full(1 << self._bits, -1, dtype=np.int64)

    def add(self, keys: NDArray[Any]) -> NDArray[Any]:
        """The number of each key; new keys get the next ones."""
        result = np.empty(len(keys), dtype=np.intp)
        for start in range(0, len(keys), 1 << 17):
            part = keys[start : start + (1 << 17)]
            if 2 * (self.size + len(part)) > len(self._keys):
                self._grow(len(part))
            result[start : start + len(part)] = self._add(part)
        return result

    def _grow(self, more: int) -> None:
        keys = self.keys()
        self._bits = max(self._bits + 1, int(4 * (self.size + more)).bit_length())
        self._keys = np.zeros(1 << self._bits, dtype=np.int64)
        self._numbers = np.full(1 << self._bits, -1, dtype=np.int64)
        self.size = 0
        # Distinct keys, given in the order of their numbers, get the same numbers again.
        for start in range(0, len(keys), 1 << 17):
            self._add(keys[start : start + (1 << 17)])

    def _places(self, keys: NDArray[Any]) -> NDArray[Any]:
        return ((keys.view(np.uint64) * _SPREAD) >> np.uint64(64 - self._bits)).astype(np.intp)

    def _add(self, keys: NDArray[Any]) -> NDArray[Any]:
        places = self._places(np.ascontiguousarray(keys))
        numbers = self._numbers.take(places)
        waiting = np.flatnonzero((numbers < 0) | (self._keys.take(places) != keys))
        while len(waiting):
            at, wanted = places[waiting], keys[waiting]
            free = np.flatnonzero(self._numbers[at] < 0)
            if len(free):
                self._claim(at[free], wanted[free])
            found = self._keys[at] == wanted
            numbers[waiting[found]] = self._numbers[at[found]]
            waiting = waiting[~found]
            places[waiting] = (places[waiting] + 1) & (len(self._keys) - 1)
        return numbers

    def _claim(self, at: NDArray[Any], keys: NDArray[Any]) -> None:
        """Put keys into free places. Where several want one place, one of them gets it, the first for equal keys."""
        self._keys[at[::-1]] = keys[::-1]
        won = np.flatnonzero(self._keys[at] == keys)
        # Rows of equal keys have won together: the first of them counts.
        self._numbers[at[won][::-1]] = won[::-1]
        first = won[self._numbers[at[won]] == won]
        self._numbers[at[first]] = self.size + np.arange(len(first))
        self.size += len(first)

    def keys(self) -> NDArray[Any]:
        """All keys, by their numbers."""
        by_number = np.empty(self.size, dtype=np.int64)
        used = np.flatnonzero(self._numbers >= 0)
        by_number[self._numbers[used]] = self._keys[used]
        return by_number


class Integers:
    """Numbers of 64-bit keys: by distance while they lie close together, else by hashing.

    Parameters
    ----------
    still : bool
        Whether a number once given must never be moved.
    """

    def __init__(self, *, still: bool = False) -> None:
        self._base = 0
        self._width = 0
        self._table: HashTable | None = HashTable() if still else None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self._width if self._table is None else self._table.size

    def add(self, keys: NDArray[Any]) -> tuple[NDArray[Any], int]:
        """The number of each row's key, and by how much numbers given before must be moved up."""
        if self._table is None:
            moved = self._widen(int(keys.min()), int(keys.max()), len(keys)) if len(keys) else 0
            if moved is not None:
                return (keys - self._base if self._base else keys).astype(np.intp, copy=False), moved
            self._table = HashTable()
            self._table.add(self._base + np.arange(self._width, dtype=np.int64))
        return self._table.add(keys), 0

    def _widen(self, low: int, high: int, rows: int) -> int | None:
        """Make room for keys; by how much numbers move up, None if the keys lie too far apart."""
        if not self._width and low >= 0 and high < min(_DENSE, max(4096, 16 * rows)):
            low = 0  # keys are their own numbers
        start = min(low, self._base) if self._width else low
        stop = max(high + 1, self._base + self._width) if self._width else high + 1
        if stop - start > min(_DENSE, max(4096, 16 * rows, 2 * self._width)):
            return None
        moved = 0
        if self._width and low < self._base:
            # Room below, so that falling keys do not move everything each time.
            start = max(start - min(stop - start, _DENSE - (stop - start)), -(2**63))
            moved = self._base - start
        self._base, self._width = start, stop - start
        return moved

    def keys(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The keys behind numbers."""
        if self._table is None:
            return numbers.astype(np.int64) + self._base
        return cast("NDArray[Any]", self._table.keys()[numbers])


class _Lookup:
    """The numbers of a dictionary's values."""

    __slots__ = ("_table",)

    def __init__(self, numbers: NDArray[np.intp]) -> None:
        # None: each code is its number. Codes of missing values pick theirs from the end.
        same = len(numbers) and numbers[0] == 0 and (numbers == np.arange(len(numbers))).all()
        self._table = None if same else np.append(numbers, [NAN, NONE])

    def numbers(self, codes: NDArray[Any] | None) -> NDArray[np.intp]:
        """The number of each row's string."""
        assert codes is not None  # noqa: S101 -- batches bring coded strings
        return codes.astype(np.intp) if self._table is None else self._table[codes]


class Pool:
    """Numbers of strings: all distinct ones seen so far. Numbers are given in the order in which threads come.

    A dictionary is looked up as a whole, which costs as much as the pool is long. So dictionaries are made known at
    once only while they are short; later ones had better be collected and made known together.
    """

    def __init__(self, dtype: DType) -> None:
        self._all: pa.Array = no_strings(dtype)
        self._last: tuple[pa.Array, _Lookup] | None = None
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many."""
        return len(self._all)

    def number(self, strings: StringColumn) -> NDArray[np.intp] | None:
        """The number of each row's string, `NONE` and `NAN` staying; None if the dictionary must be learnt first."""
        with self._lock:
            lookup = self._known(strings.values)
        return None if lookup is None else lookup.numbers(strings.codes)

    def add(self, strings: StringColumn) -> NDArray[np.intp]:
        """The number of each row's string; `NONE` and `NAN` stay."""
        numbers = self.number(strings)
        return self.learn([strings])[0] if numbers is None else numbers

    def learn(self, columns: list[StringColumn]) -> list[NDArray[np.intp]]:
        """Make many dictionaries known; the numbers of each column's rows."""
        dictionaries = {id(column.values): column.values for column in columns}
        with self._lock:
            lookups = dict(zip(dictionaries, self._join(list(dictionaries.values())), strict=True))
            self._last = (columns[-1].values, lookups[id(columns[-1].values)])
        return [lookups[id(column.values)].numbers(column.codes) for column in columns]

    def _known(self, values: pa.Array) -> _Lookup | None:
        last = self._last
        if last is not None and last[0] is values:
            return last[1]
        if len(self._all) and len(self._all) + len(values) > _SHORT:
            return None
        # Slices that were written one by one often have the same short dictionary, each its own copy.
        lookup = last[1] if last is not None and values.equals(last[0]) else self._join([values])[0]
        self._last = (values, lookup)
        return lookup

    def _join(self, dictionaries: list[pa.Array]) -> list[_Lookup]:
        """Take the values of dictionaries in that are new."""
        encoded = pa.concat_arrays([self._all, *dictionaries]).dictionary_encode()
        numbers = encoded.indices.to_numpy().astype(np.intp)
        ends = np.cumsum([len(self._all), *map(len, dictionaries)]).tolist()
        self._all = encoded.dictionary
        return [_Lookup(numbers[start:stop]) for start, stop in pairwise(ends)]

    def column(self, dtype: DType, numbers: NDArray[Any]) -> Column:
        """The strings behind numbers."""
        return Column(dtype, StringColumn(self._all, numbers.astype(np.int32)))


class Key:
    """One key column: its values as 64-bit numbers, and back."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self._pool = None if dtype.fixed else Pool(dtype)
        self._own = Integers(still=True)

    def ready(self, column: Column) -> tuple[Column, NDArray[Any] | None]:
        """The column as it is numbered, and where keys are present (None: everywhere); in worker threads."""
        if isinstance(column.data, StringColumn):
            column = Column(column.dtype, column.data.coded(), column.valid)
            codes = cast("NDArray[Any]", column.data.codes)
            if column.valid is None and int(codes.min(initial=0)) >= 0:
                return column, None
        elif column.valid is None and self.dtype.kind in ("int", "uint", "bool"):
            return column, None
        missing = column.missing()
        return column, ~missing if missing.any() else None

    def prepare(self, column: Column) -> NDArray[Any] | StringColumn:
        """Present keys as 64-bit numbers, or strings whose dictionary has to be learnt first; in worker threads."""
        if self._pool is None:
            return self._bits(column.data)
        numbers = self._pool.number(column.data)
        return column.data if numbers is None else numbers

    def learn(self, columns: list[StringColumn]) -> list[NDArray[np.intp]]:
        """The numbers of strings whose dictionaries were not known."""
        return cast("Pool", self._pool).learn(columns)

    def _bits(self, data: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind == "float":
            data = (data + data.dtype.type(0)).view(f"i{data.dtype.itemsize}")
        elif data.dtype == np.uint64:
            data = data.view(np.int64)
        return data.astype(np.int64, copy=False)

    @property
    def size(self) -> int:
        """How many strings are known."""
        return 0 if self._pool is None else self._pool.size

    @property
    def of_strings(self) -> bool:
        """Whether keys are strings."""
        return self._pool is not None

    def small(self, prepared: NDArray[Any]) -> tuple[NDArray[Any], int]:
        """A number for each row's value, counted from zero, and how many there are; in the order of slices."""
        if self._pool is not None:
            return prepared, self._pool.size
        return self._own.add(prepared)[0], self._own.size

    def behind(self, numbers: NDArray[Any]) -> Column:
        """The values behind numbers that `small` gave."""
        if self._pool is not None:
            return self._pool.column(self.dtype, numbers)
        return self.column(self._own.keys(numbers))

    def column(self, keys: NDArray[Any]) -> Column:
        """The values of 64-bit keys."""
        if self.dtype.kind == "float":
            return Column(self.dtype, keys.astype(f"i{self.dtype.bits // 8}").view(self.dtype.storage))
        if self.dtype.storage == np.uint64:
            return Column(self.dtype, keys.view(np.uint64))
        return Column(self.dtype, keys.astype(self.dtype.storage))
