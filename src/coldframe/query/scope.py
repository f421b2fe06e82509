"""The columns that an expression can name at one point of a query, and how they are found."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from coldframe.exceptions import ErrorCode, SchemaException
from coldframe.format.dtypes import DType
from coldframe.format.schema import Name, Schema
from coldframe.format.table import StringColumn
from coldframe.frames.meta import LEVEL, frame_meta
from coldframe.query.columns import Column
from coldframe.query.literals import INT64, STRING
from coldframe.query.missing import derived


@dataclass(frozen=True, slots=True)
class Field:
    """A column at one point of a query.

    Attributes
    ----------
    name : str or other
        As stored.
    slot : int
        Where batches keep its values: stays the same when a column is renamed or moved.
    dtype : DType
    categories : bytes or None
        Of a category: an Arrow IPC stream of one column.
    flavour : int
        As in `FrameMeta`.
    """

    name: Name
    slot: int
    dtype: DType
    categories: bytes | None = None
    flavour: int = 0

    @property
    def is_level(self) -> bool:
        """Whether this is a level of a MultiIndex kept as codes: to expressions it is its values."""
        return self.flavour == LEVEL and self.dtype.kind == "category"


class Scope:
    """The columns at one point of a query, index levels first.

    Parameters
    ----------
    fields : sequence of Field
    index_columns : int
        How many of them are levels of the index.
    """

    __slots__ = ("_found", "fields", "index_columns")

    def __init__(self, fields: Sequence[Field], index_columns: int) -> None:
        self.fields = tuple(fields)
        self.index_columns = index_columns
        self._found: dict[str, Field | None] | None = None

    @classmethod
    def of(cls, schema: Schema) -> Scope:
        """The columns of a stored table; slots are positions in table order."""
        meta = frame_meta(schema) if schema.frame else None
        fields = [
            Field(name, at, schema.types[kind], schema.categories.get(at), meta.flavour(at) if meta is not None else 0)
            for at, (name, kind) in enumerate(zip(schema.names, schema.kind_of.tolist(), strict=True))
        ]
        return cls(fields, schema.index_columns)

    def find(self, name: str, what: str = "The query") -> Field:
        """The column of a name; integer names by their digits, an unnamed index as ``index``."""
        if self._found is None:
            self._found = self._by_name()
        field = self._found.get(name)
        if field is not None:
            return field
        if name in self._found:
            reason = f"several columns are named {name!r}; give them different names to query them"
        else:
            close = difflib.get_close_matches(name, self._found, n=3)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {self._some_names()}"
            reason = f"there is no column {name!r}; {hint}"
        raise SchemaException(f"{what} requires column {name!r}: {reason}", code=ErrorCode.E_COLUMN_DOESNT_EXIST)

    def has(self, name: str) -> bool:
        """Whether there is exactly one column of that name."""
        if self._found is None:
            self._found = self._by_name()
        return self._found.get(name) is not None

    def _by_name(self) -> dict[str, Field | None]:
        found: dict[str, Field | None] = {}
        for field in self.fields[self.index_columns :]:
            name = str(field.name)
            found[name] = None if name in found else field
        # A column hides an index level of the same name.
        for at, field in enumerate(self.fields[: self.index_columns]):
            name = str(field.name) if field.name is not None else "index" if at == 0 else f"index_level_{at}"
            found.setdefault(name, field)
        return found

    def _some_names(self) -> str:
        names = list(self._found or ())
        shown = ", ".join(map(repr, names[:10]))
        return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "") if names else "no columns"


def read_categories(data: bytes) -> Any:
    """The categories as an Arrow array."""
    with pa.ipc.open_stream(data) as reader:
        column = reader.read_all().column(0).combine_chunks()
    if pa.types.is_string(column.type):
        column = column.cast(pa.large_string())
    return column


def write_categories(values: Any) -> bytes:
    """The bytes that keep categories."""
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([values], names=["categories"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return cast("bytes", sink.getvalue().to_pybytes())


class Decoder:
    """Turns codes of a category into its values: strings, or numbers."""

    __slots__ = ("_table", "_values", "dtype")

    def __init__(self, categories: bytes) -> None:
        values = read_categories(categories)
        self._values = values
        self._table: Any = None
        if pa.types.is_large_string(values.type):
            self.dtype = STRING
            return
        if pa.types.is_timestamp(values.type) or pa.types.is_duration(values.type):
            kind = "timestamp" if pa.types.is_timestamp(values.type) else "duration"
            self.dtype = DType(kind, 64, values.type.unit, getattr(values.type, "tz", None))  # type: ignore[arg-type]
            values = values.cast(pa.int64())
        else:
            numbers = values.to_numpy(zero_copy_only=False).dtype
            kinds = {"i": "int", "u": "uint", "f": "float", "b": "bool"}
            bits = 8 if numbers.kind == "b" else 8 * numbers.itemsize
            self.dtype = DType(kinds[numbers.kind], bits) if numbers.kind in kinds else INT64  # type: ignore[arg-type]
        self._table = np.append(values.to_numpy(zero_copy_only=False), np.zeros(1, dtype=self.dtype.storage))

    def decode(self, column: Column) -> Column:
        """The values behind the codes."""
        codes = column.data
        if self._table is None:
            return Column(self.dtype, StringColumn(self._values, codes.astype(np.int32, copy=False)), column.valid)
        return derived(self.dtype, self._table[codes], column, gone=codes < 0)
