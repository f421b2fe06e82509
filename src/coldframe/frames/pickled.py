"""Any Python object as one binary value, for what no column can hold."""

from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa

from coldframe.exceptions import ArcticException, ErrorCode
from coldframe.format.schema import Schema
from coldframe.format.table import Band, StringColumn, Table
from coldframe.frames.meta import BINARY, FrameMeta, encode_meta

_SCHEMA = Schema.of(["pickled"], [BINARY], 0, frame=encode_meta(FrameMeta("pickled")))


def pickle_table(data: object, *, symbol: str) -> Table:
    """A table of one binary column and one row: the pickled object.

    Raises
    ------
    ArcticException
        The object cannot be pickled.

    Examples
    --------
    >>> unpickle_table(pickle_table({"any": "thing"}, symbol="settings"))
    {'any': 'thing'}
    """
    try:
        packed = pickle.dumps(data, protocol=5)
    except Exception as error:
        kind = type(data)
        raise ArcticException(
            f"A {kind.__module__}.{kind.__qualname__} cannot be stored under symbol {symbol!r}: it cannot be pickled "
            f"({error}). Store what it is made of instead.",
            code=ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE,
        ) from error
    return Table(_SCHEMA, 1, [Band([StringColumn(pa.array([packed], pa.large_binary()))])])


def unpickle_table(table: Table) -> Any:
    """The object in a table made by `pickle_table`.

    Raises
    ------
    ArcticException
        The object cannot be made again, as when its class is not to be found here.
    """
    column: Any = table.bands[0].values[0]
    value = column.values[0 if column.codes is None else int(column.codes[0])]
    try:
        return pickle.loads(value.as_buffer())  # noqa: S301 -- the user chose write_pickle
    except Exception as error:
        raise ArcticException(
            f"The pickled object cannot be restored here ({type(error).__name__}: {error}). Reading it needs the "
            f"modules and classes of the program that wrote it.",
            code=ErrorCode.E_RUNTIME_ERROR,
        ) from error
