"""Numbers for the keys of groups: equal keys of all slices get one number, in whatever order slices bring them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coldframe.format.dtypes import DType
from coldframe.format.table import NONE, StringColumn
from coldframe.query.columns import Column, coded, no_strings, translate

_DENSE = 1 << 22
"""Keys within a range up to this long are numbered by their distance from its start, without hashing."""

Brought = tuple[NDArray[Any], "NDArray[Any] | None"]
"""Keys of a batch as int64: one per row, or distinct ones and the position of each row's among them."""


class Integers:
    """Numbers of 64-bit keys: by distance while they lie close together, else by search.

    Parameters
    ----------
    still : bool
        Whether a number once given must never be moved.
    """

    def __init__(self, *, still: bool = False) -> None:
        self.base = 0
        self.size = 0
        self.dense = not still
        self._sorted: NDArray[Any] = np.empty(0, dtype=np.int64)
        self._numbers: NDArray[Any] = np.empty(0, dtype=np.int64)

    def bring(self, keys: NDArray[Any]) -> Brought:
        """A batch's keys, hashed if they lie far apart; called from worker threads."""
        if self.dense and len(keys):
            low, high = int(keys.min()), int(keys.max())
            if self.size:
                low, high = min(low, self.base), max(high, self.base + self.size - 1)
            if high - low < min(_DENSE, max(4096, 16 * len(keys))):
                return keys, None
        codes, distinct = pd.factorize(keys)
        return np.asarray(distinct), codes

    def add(self, brought: Brought) -> tuple[NDArray[Any], int]:
        """The number of each row's key, and by how much numbers given before must be moved up."""
        keys, codes = brought
        if codes is None and self.dense:
            moved = self._widen(int(keys.min()), int(keys.max()))
            if moved is not None:
                return (keys - self.base).astype(np.intp, copy=False), moved
        if codes is None:
            codes, keys = pd.factorize(keys)
        self._sparse()
        return self._search(keys)[codes], 0

    def _widen(self, low: int, high: int) -> int | None:
        if not self.size:
            self.base, self.size = low, high - low + 1
            return 0
        new_base, new_end = min(low, self.base), max(high + 1, self.base + self.size)
        if new_end - new_base > _DENSE:
            return None
        if low < self.base and self.size:
            # Room below, so that falling keys do not move everything each time.
            new_base -= min(new_end - new_base, new_base + 2**63 - 1, _DENSE - (new_end - new_base))
        moved = self.base - new_base
        self.base, self.size = new_base, new_end - new_base
        return moved

    def _sparse(self) -> None:
        if self.dense:
            self._sorted = self.base + np.arange(self.size, dtype=np.int64)
            self._numbers = np.arange(self.size, dtype=np.int64)
            self.dense = False

    def _search(self, keys: NDArray[Any]) -> NDArray[Any]:
        at = np.searchsorted(self._sorted, keys)
        found = np.zeros(len(keys), dtype=np.bool_)
        inside = at < len(self._sorted)
        found[inside] = self._sorted[at[inside]] == keys[inside]
        numbers = np.empty(len(keys), dtype=np.intp)
        numbers[found] = self._numbers[at[found]]
        new = np.flatnonzero(~found)
        if len(new):
            numbers[new] = self.size + np.arange(len(new))
            in_order = new[np.argsort(keys[new])]
            places = np.searchsorted(self._sorted, keys[in_order])
            self._sorted = np.insert(self._sorted, places, keys[in_order])
            self._numbers = np.insert(self._numbers, places, numbers[in_order])
            self.size += len(new)
        return numbers

    def keys(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The keys behind numbers."""
        if self.dense:
            return numbers.astype(np.int64) + self.base
        by_number = np.empty(self.size, dtype=np.int64)
        by_number[self._numbers] = self._sorted
        return cast("NDArray[Any]", by_number[numbers])


class Pool:
    """Numbers of strings: all distinct ones seen so far."""

    def __init__(self, dtype: DType) -> None:
        self._pieces: list[pa.Array] = []
        self._all: pa.Array = no_strings(dtype)
        self._last: tuple[pa.Array, NDArray[Any]] | None = None

    @property
    def size(self) -> int:
        """How many."""
        return len(self._all)

    def add(self, strings: StringColumn) -> NDArray[Any]:
        """The number of each row's string; `NONE` and `NAN` stay."""
        codes = strings.codes
        assert codes is not None  # noqa: S101 -- batches bring coded strings
        distinct = strings.values  # noqa: PD011 -- of Arrow, not of pandas
        if self._last is None or self._last[0] is not distinct:
            self._last = (distinct, self._map(distinct))
        return translate(self._last[1], codes)

    def _map(self, values: pa.Array) -> NDArray[Any]:
        if not len(self._all):
            self._all = values
            return np.arange(len(values), dtype=np.int32)
        found = pc.index_in(values, value_set=self._all).fill_null(NONE).to_numpy(zero_copy_only=False).copy()
        new = np.flatnonzero(found == NONE)
        if len(new):
            found[new] = len(self._all) + np.arange(len(new))
            self._all = pa.concat_arrays([self._all, values.take(pa.array(new))])
        return cast("NDArray[Any]", found)

    def column(self, dtype: DType, numbers: NDArray[Any]) -> Column:
        """The strings behind numbers."""
        return Column(dtype, StringColumn(self._all, numbers.astype(np.int32)))


class Key:
    """One key column: its values as 64-bit numbers, and back."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self._pool = None if dtype.fixed else Pool(dtype)
        self._own = Integers(still=True)

    def prepare(self, column: Column) -> tuple[Any, NDArray[Any] | None]:
        """Values ready to be numbered, and where they are present (None: everywhere); in worker threads."""
        if isinstance(column.data, StringColumn):
            strings = coded(column.data)
            codes = cast("NDArray[Any]", strings.codes)
            present = codes >= 0
            if column.valid is not None:
                present &= column.valid
            return strings, None if present.all() else present
        if column.valid is None and self.dtype.kind in ("int", "uint", "bool"):
            return self._bits(column.data), None
        missing = column.missing()
        return self._bits(column.data), ~missing if missing.any() else None

    def _bits(self, data: NDArray[Any]) -> NDArray[Any]:
        if self.dtype.kind == "float":
            data = (data + data.dtype.type(0)).view(f"i{data.dtype.itemsize}")
        elif data.dtype == np.uint64:
            data = data.view(np.int64)
        return data.astype(np.int64, copy=False)

    @property
    def of_strings(self) -> bool:
        """Whether keys are strings."""
        return self._pool is not None

    def small(self, prepared: Any) -> tuple[NDArray[Any], int]:
        """A number for each row's value, counted from zero, and how many there are; in the order of slices."""
        if self._pool is not None:
            return self._pool.add(prepared).astype(np.intp), self._pool.size
        return self._own.add((prepared, None))[0], self._own.size

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
