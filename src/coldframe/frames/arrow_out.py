"""Tables as Arrow record batches: missing values as nulls, float NaN as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from coldframe.format.dtypes import DType
from coldframe.format.table import StringColumn, Table
from coldframe.frames.strings import to_arrow

_UNNAMED = "__index__"


def record_batch(table: Table) -> pa.RecordBatch:
    """The rows of a table; index levels are columns, an unnamed one is called ``__index__``.

    Examples
    --------
    >>> from coldframe.frames.pandas_in import normalize
    >>> import pandas as pd
    >>> record_batch(normalize(pd.DataFrame({"a": [1, 2]}), symbol="s")).to_pydict()
    {'a': [1, 2]}
    """
    schema = table.schema
    arrays, starts = [], schema.bounds.tolist()
    for position in range(schema.width):
        kind, stored = int(schema.kind_of[position]), int(schema.place[position])
        band, at = table.bands[kind], stored - starts[kind]
        valid = None if band.valid is None else band.valid[at]
        arrays.append(_array(band.values[at], valid, schema.dtype(position), schema.categories.get(position)))
    return pa.record_batch(arrays, names=_names(table))


def _names(table: Table) -> list[str]:
    schema = table.schema
    names = []
    for position, name in enumerate(schema.names):
        level = position < schema.index_columns
        spelled = (_UNNAMED if schema.index_columns == 1 else f"__index_level_{position}__") if level else ""
        names.append(spelled if name is None else str(name))
    return names


def _array(values: Any, valid: Any, dtype: DType, categories: bytes | None) -> pa.Array:
    if isinstance(values, StringColumn):
        return to_arrow(values)
    values = np.ascontiguousarray(values)
    lacking = np.zeros(len(values), dtype=np.bool_) if valid is None else ~valid
    if dtype.temporal:
        lacking |= values == np.iinfo(np.int64).min
        kind = pa.timestamp(dtype.unit, dtype.zone) if dtype.kind == "timestamp" else pa.duration(dtype.unit)
        return pa.array(values, pa.int64(), mask=lacking).view(kind)
    if dtype.kind == "category":
        codes = pa.array(values, mask=lacking | (values < 0))
        names = pa.ipc.open_stream(categories).read_all().column(0).combine_chunks()
        return pa.DictionaryArray.from_arrays(codes, names, ordered=dtype.ordered)
    return pa.array(values, mask=lacking if lacking.any() else None)
