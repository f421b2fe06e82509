"""What the API takes and hands back: versioned items, requests, payloads, descriptions, failures in a batch."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, NamedTuple, TypeAlias

import pandas as pd

from coldframe.exceptions import ErrorCategory, ErrorCode, get_error_category

AsOf = int | str | datetime
"""What names a version: its number, a snapshot that holds it, or a time it was the newest at."""
NormalizableType: TypeAlias = pd.DataFrame | pd.Series
"""What is stored as columns; anything else needs ``write_pickle``."""
NORMALIZABLE_TYPES = (pd.DataFrame, pd.Series)


class VersionedItem:
    """A version of a symbol, with its data where the call reads data.

    Parameters
    ----------
    symbol : str
    library : str
    data : object
        What was read; None for calls that write.
    version : int
    metadata : object, optional
        What the user stored with the version.
    host : str, optional
        The storage, as `Arctic` shows it.
    timestamp : int
        When the version was created, in nanoseconds since 1970 UTC.

    Examples
    --------
    >>> import coldframe, pandas as pd
    >>> lib = coldframe.Arctic("mem://").create_library("demo")
    >>> lib.write("s", pd.DataFrame({"a": [1]}), metadata="first")
    VersionedItem(symbol='s', library='demo', data=n/a, version=0, metadata='first', host='MEM()', timestamp=...)
    """

    __slots__ = ("data", "host", "library", "metadata", "symbol", "timestamp", "version")
    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(
        self,
        symbol: str,
        library: str,
        data: Any,
        version: int,
        metadata: Any = None,
        host: str | None = None,
        timestamp: int = 0,
    ) -> None:
        self.symbol = symbol
        self.library = library
        self.data = data
        self.version = version
        self.metadata = metadata
        self.host = host
        self.timestamp = timestamp

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionedItem):
            return NotImplemented
        if self._named() != other._named() or not _equal(self.metadata, other.metadata):
            return False
        return _equal(self.data, other.data)

    def __repr__(self) -> str:
        data = "n/a" if self.data is None else type(self.data)
        return (
            f"VersionedItem(symbol={self.symbol!r}, library={self.library!r}, data={data}, version={self.version}, "
            f"metadata={self.metadata!r}, host={self.host!r}, timestamp={self.timestamp})"
        )

    def __iter__(self) -> Iterator[Any]:
        warnings.warn(
            "a VersionedItem is not a tuple: use its attributes, for instance lib.read(symbol).data",
            SyntaxWarning,
            stacklevel=2,
        )
        fields = (self.symbol, self.library, self.data, self.version, self.metadata, self.host, self.timestamp)
        return iter(fields)

    def _named(self) -> tuple[Any, ...]:
        return (self.symbol, self.library, self.version, self.host, self.timestamp)


def _equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if type(left) is not type(right):
        return bool(left == right) if isinstance(left, int | float | str) else False
    return bool(left.equals(right) if hasattr(left, "equals") else left == right)


class SymbolVersion(NamedTuple):
    """A version of a symbol, as a key of `Library.list_versions`."""

    symbol: str
    version: int

    def __repr__(self) -> str:
        return f"{self.symbol}_v{self.version}"


class VersionInfo(NamedTuple):
    """What `Library.list_versions` tells of a version.

    Attributes
    ----------
    date : pandas.Timestamp
        When it was created, in UTC.
    deleted : bool
        Whether only snapshots hold it.
    snapshots : list of str
        The snapshots that hold it.
    """

    date: pd.Timestamp
    deleted: bool
    snapshots: list[str]

    def __repr__(self) -> str:
        parts = [f"date={self.date}"]
        if self.deleted:
            parts.append("deleted")
        if self.snapshots:
            parts.append(f"snapshots={self.snapshots}")
        return f"({', '.join(parts)})"


class TypeDescriptor:
    """The type of a stored column, as `Library.get_description` shows it.

    Attributes
    ----------
    type : str
        Such as INT64, FLOAT32, BOOL8, NANOSECONDS_UTC64 or UTF_DYNAMIC64.
    dim : int
        Always 0: a column holds scalars.
    dtype : str
        The same in pandas' words, with units, zones and categories.
    """

    __slots__ = ("dim", "dtype", "type")

    def __init__(self, type: str, dtype: str) -> None:
        self.type = type
        self.dim = 0
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"TD<type={self.type}, dim={self.dim}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TypeDescriptor):
            return NotImplemented
        return self.type == other.type and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((self.type, self.dtype))


class NameWithDType(NamedTuple):
    """The name of a column or index level, and its type."""

    name: Any
    dtype: TypeDescriptor


class _SymbolDescription(NamedTuple):
    columns: tuple[NameWithDType, ...]
    index: tuple[NameWithDType, ...]  # type: ignore[assignment]  # hides tuple.index, as the API prescribes
    index_type: str
    row_count: int | None
    last_update_time: pd.Timestamp
    date_range: tuple[Any, Any]
    sorted: str


class SymbolDescription(_SymbolDescription):
    """What `Library.get_description` tells of a version without reading its data: a named tuple.

    Attributes
    ----------
    columns : tuple of NameWithDType
    index : tuple of NameWithDType
        The levels of the index.
    index_type : str
        ``"index"``, ``"multi_index"`` or ``"NA"``.
    row_count : int or None
        None where the object was pickled.
    last_update_time : pandas.Timestamp
        When the version was created, in UTC.
    date_range : tuple of two pandas.Timestamp
        The first and the last value of a time index; NaT where there is none or it is not sorted.
    sorted : str
        ASCENDING, DESCENDING, UNSORTED or UNKNOWN.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        # NaT differs from itself, but two descriptions without a range are equal.
        if not isinstance(other, SymbolDescription):
            return NotImplemented
        return all(_same(one, two) for one, two in zip(self, other, strict=True))

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = _SymbolDescription.__hash__


def _same(left: Any, right: Any) -> bool:
    # A tuple compares its members by identity first, and there is one NaT.
    return bool((left,) == (right,))


class VersionRequestType(Enum):
    """How a version was asked for."""

    SNAPSHOT = 0
    TIMESTAMP = 1
    SPECIFIC = 2
    LATEST = 3


class DataError:
    """What stands in the result of a batch call for an item that failed.

    Attributes
    ----------
    symbol : str
    version_request_type : VersionRequestType or None
        How the version was asked for; None for calls that write.
    version_request_data : int, str or None
        The number, the snapshot, or the nanoseconds since 1970 that were asked for.
    error_code : ErrorCode or None
    error_category : ErrorCategory or None
    exception_string : str
        What the call for this item alone would have raised.
    """

    __slots__ = ("error_code", "exception_string", "symbol", "version_request_data", "version_request_type")

    def __init__(
        self,
        symbol: str,
        exception_string: str,
        error_code: ErrorCode | None = None,
        version_request_type: VersionRequestType | None = None,
        version_request_data: int | str | None = None,
    ) -> None:
        self.symbol = symbol
        self.exception_string = exception_string
        self.error_code = error_code
        self.version_request_type = version_request_type
        self.version_request_data = version_request_data

    @property
    def error_category(self) -> ErrorCategory | None:
        """What kind of thing went wrong."""
        return None if self.error_code is None else get_error_category(self.error_code)

    def __repr__(self) -> str:
        return f"DataError(symbol={self.symbol!r}, {self.exception_string})"


class WritePayload:
    """An item of `Library.write_batch`, `append_batch` and `write_pickle_batch`.

    Parameters
    ----------
    symbol : str
    data : object
    metadata : object, optional
    index_column : bool, default False
        Of no consequence for pandas objects, which have an index of their own.

    Examples
    --------
    >>> import coldframe, pandas as pd
    >>> lib = coldframe.Arctic("mem://").create_library("demo")
    >>> payload = coldframe.WritePayload("s", pd.DataFrame({"a": [1]}), metadata={"source": "x"})
    >>> lib.write(*payload).metadata
    {'source': 'x'}
    """

    __slots__ = ("data", "index_column", "metadata", "symbol")

    def __init__(self, symbol: str, data: Any, metadata: Any = None, index_column: bool = False) -> None:
        self.symbol = symbol
        self.data = data
        self.metadata = metadata
        self.index_column = index_column

    def __repr__(self) -> str:
        return _shown(self, symbol=self.symbol, data_id=id(self.data), metadata=self.metadata)

    def __iter__(self) -> Iterator[Any]:
        yield self.symbol
        yield self.data
        if self.metadata is not None:
            yield self.metadata


class WriteMetadataPayload:
    """An item of `Library.write_metadata_batch`.

    Parameters
    ----------
    symbol : str
    metadata : object
    """

    __slots__ = ("metadata", "symbol")

    def __init__(self, symbol: str, metadata: Any) -> None:
        self.symbol = symbol
        self.metadata = metadata

    def __repr__(self) -> str:
        return _shown(self, symbol=self.symbol, metadata=self.metadata)

    def __iter__(self) -> Iterator[Any]:
        yield self.symbol
        yield self.metadata


class UpdatePayload:
    """An item of `Library.update_batch`.

    Parameters
    ----------
    symbol : str
    data : pandas.DataFrame or pandas.Series
    metadata : object, optional
    date_range : tuple of two timestamps, optional
        The stretch of time to replace, where it differs from that of `data`.
    index_column : bool, default False
        Of no consequence for pandas objects, which have an index of their own.
    """

    __slots__ = ("data", "date_range", "index_column", "metadata", "symbol")

    def __init__(
        self,
        symbol: str,
        data: NormalizableType,
        metadata: Any = None,
        date_range: Any = None,
        index_column: bool = False,
    ) -> None:
        self.symbol = symbol
        self.data = data
        self.metadata = metadata
        self.date_range = date_range
        self.index_column = index_column

    def __repr__(self) -> str:
        return _shown(
            self, symbol=self.symbol, data_id=id(self.data), metadata=self.metadata, date_range=self.date_range
        )


class ReadRequest(NamedTuple):
    """An item of `Library.read_batch`; the fields are the parameters of `Library.read`."""

    symbol: str
    as_of: AsOf | None = None
    date_range: Any = None
    row_range: Sequence[int | None] | None = None
    columns: Sequence[str] | None = None
    query_builder: Any = None
    output_format: Any = None
    arrow_string_format_default: Any = None
    arrow_string_format_per_column: Any = None

    def __repr__(self) -> str:
        return _shown(self, **self._asdict())


class ReadInfoRequest(NamedTuple):
    """An item of `Library.read_metadata_batch` and `Library.get_description_batch`."""

    symbol: str
    as_of: AsOf | None = None

    def __repr__(self) -> str:
        return _shown(self, **self._asdict())


class DeleteRequest(NamedTuple):
    """An item of `Library.delete_batch`: some versions of a symbol."""

    symbol: str
    version_ids: Iterable[int]

    def __repr__(self) -> str:
        return _shown(self, **self._asdict())


def _shown(what: object, **fields: Any) -> str:
    parts = [f"{name}={value}" for name, value in fields.items() if value is not None]
    return f"{type(what).__name__}({', '.join(parts)})"
