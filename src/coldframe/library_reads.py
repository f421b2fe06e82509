"""The calls of `Library` that read data, metadata and descriptions of versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from coldframe.catalog.names import name_of
from coldframe.exceptions import ArcticException
from coldframe.format.dtypes import DType
from coldframe.frames.zones import zone_of
from coldframe.items import (
    AsOf,
    DataError,
    NameWithDType,
    ReadInfoRequest,
    ReadRequest,
    SymbolDescription,
    TypeDescriptor,
    VersionedItem,
)
from coldframe.library_base import failure, items_of
from coldframe.library_queries import LibraryQueries, checked_query, item_of, requests_of
from coldframe.operations import describe as describing
from coldframe.operations import read as reading
from coldframe.operations.arguments import parse_flag
from coldframe.operations.results import Description
from coldframe.options import ArrowOutputStringFormat, Output, OutputFormat

if TYPE_CHECKING:
    from coldframe.query.builder import QueryBuilder


class LibraryReads(LibraryQueries):
    """The calls of `Library` that read versions."""

    def read(
        self,
        symbol: str,
        as_of: AsOf | None = None,
        date_range: Any = None,
        row_range: Sequence[int | None] | None = None,
        columns: Sequence[str] | None = None,
        query_builder: QueryBuilder | None = None,
        lazy: bool = False,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
        arrow_string_format_per_column: Mapping[str, ArrowOutputStringFormat | Any] | None = None,
    ) -> Any:
        """Read a version of a symbol, or a part of it.

        Parameters
        ----------
        symbol : str
        as_of : int, str or datetime, optional
            The version: its number (-1 the newest number ever given, -2 the one before), the name of a snapshot, or
            a time, for the version that was the newest then (without zone: UTC). By default the newest.
        date_range : pair of timestamps, optional
            Only the rows with an index from the first to the second, both included; None leaves an end open.
        row_range : pair of int, optional
            Only the rows from the first to before the second, as in ``iloc``; None leaves an end open.
        columns : sequence of str, optional
            Only these columns, in stored order; the index always comes along.
        query_builder : QueryBuilder, optional
            Filters, projections and aggregations, applied to the rows that the other parameters leave. Only the
            slices and columns that it needs are read.
        lazy : bool, default False
            Read nothing yet: give back a `LazyDataFrame`, to which clauses are added until it is collected.
        output_format : OutputFormat or str, optional
            What to return; by default what the library's handle says.
        arrow_string_format_default, arrow_string_format_per_column : optional
            How strings are laid out in Arrow output.

        Returns
        -------
        VersionedItem or LazyDataFrame

        Raises
        ------
        NoSuchVersionException
            There is no such symbol or version.
        NoDataFoundException
            There is no such snapshot.
        UnsortedDataException
            A `date_range` of a symbol whose index is not sorted.
        DamagedDataException
            What is stored is not what was written.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> days = pd.date_range("2024-01-01", periods=4)
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2, 3, 4], "b": 0.5}, index=days))
        >>> lib.read("s", date_range=(days[1], days[2]), columns=["a"]).data
                    a
        2024-01-02  2
        2024-01-03  3
        """
        output = Output.of(output_format, arrow_string_format_default, arrow_string_format_per_column)
        lazy = parse_flag(lazy, "lazy")
        if lazy or query_builder is not None:
            if query_builder is not None:
                checked_query(query_builder)
            request = ReadRequest(symbol, as_of, date_range, row_range, columns, query_builder, *output)
            if lazy or query_builder is None:
                return self._lazy(request)
            return self.collect_lazy(request, query_builder)
        loaded = reading.read(
            self._catalog, name_of(symbol), as_of, date_range=date_range, row_range=row_range, columns=columns
        )
        return self._item(loaded)

    def __getitem__(self, symbol: str) -> VersionedItem:
        item: VersionedItem = self.read(symbol)
        return item

    def head(
        self,
        symbol: str,
        n: int = 5,
        as_of: AsOf | None = None,
        columns: Sequence[str] | None = None,
        lazy: bool = False,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
        arrow_string_format_per_column: Mapping[str, ArrowOutputStringFormat | Any] | None = None,
    ) -> Any:
        """Read the first rows.

        Parameters
        ----------
        symbol : str
        n : int, default 5
            How many; negative: all but the last ``-n``.
        as_of : int, str or datetime, optional
            The version, as in `read`.
        columns : sequence of str, optional
            Only these columns.
        lazy : bool, default False
            Give back a `LazyDataFrame` that reads when it is collected.
        output_format : OutputFormat or str, optional
            What to return; by default what the library's handle says.
        arrow_string_format_default, arrow_string_format_per_column : optional
            How strings are laid out in Arrow output.

        Returns
        -------
        VersionedItem or LazyDataFrame

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": range(100)}))
        >>> lib.head("s", 2).data
           a
        0  0
        1  1
        """
        output = Output.of(output_format, arrow_string_format_default, arrow_string_format_per_column)
        if parse_flag(lazy, "lazy"):
            return self._lazy(ReadRequest(symbol, as_of, None, None, columns, None, *output)).head(n)
        return self._item(reading.head(self._catalog, name_of(symbol), n, as_of, columns))

    def tail(
        self,
        symbol: str,
        n: int = 5,
        as_of: AsOf | None = None,
        columns: Sequence[str] | None = None,
        lazy: bool = False,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
        arrow_string_format_per_column: Mapping[str, ArrowOutputStringFormat | Any] | None = None,
    ) -> Any:
        """Read the last rows.

        Parameters
        ----------
        symbol : str
        n : int, default 5
            How many; negative: all but the first ``-n``.
        as_of : int, str or datetime, optional
            The version, as in `read`.
        columns : sequence of str, optional
            Only these columns.
        lazy : bool, default False
            Give back a `LazyDataFrame` that reads when it is collected.
        output_format : OutputFormat or str, optional
            What to return; by default what the library's handle says.
        arrow_string_format_default, arrow_string_format_per_column : optional
            How strings are laid out in Arrow output.

        Returns
        -------
        VersionedItem or LazyDataFrame

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": range(100)}, index=pd.date_range("2024", periods=100)))
        >>> lib.tail("s", 2).data
                     a
        2024-04-08  98
        2024-04-09  99
        """
        output = Output.of(output_format, arrow_string_format_default, arrow_string_format_per_column)
        if parse_flag(lazy, "lazy"):
            return self._lazy(ReadRequest(symbol, as_of, None, None, columns, None, *output)).tail(n)
        return self._item(reading.tail(self._catalog, name_of(symbol), n, as_of, columns))

    def read_batch(
        self,
        symbols: Iterable[str | ReadRequest],
        query_builder: QueryBuilder | None = None,
        lazy: bool = False,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
        arrow_string_format_per_column: Mapping[str, ArrowOutputStringFormat | Any] | None = None,
    ) -> Any:
        """Read several symbols at once.

        Parameters
        ----------
        symbols : list of str or ReadRequest
        query_builder : QueryBuilder, optional
            A query for every symbol; the requests must then have none of their own.
        lazy : bool, default False
            Read nothing yet: give back a `LazyDataFrameCollection`.
        output_format : OutputFormat or str, optional
            What to return; by default what the library's handle says.
        arrow_string_format_default, arrow_string_format_per_column : optional
            How strings are laid out in Arrow output.

        Returns
        -------
        list of VersionedItem or DataError, or LazyDataFrameCollection
            One for each item of `symbols`, in their order; a `DataError` where reading that one failed.

        Raises
        ------
        ArcticInvalidApiUsageException
            An item is neither a string nor a ReadRequest.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> found, missing = lib.read_batch([coldframe.ReadRequest("s", columns=["a"]), "t"])
        >>> found.version, missing.error_code.name
        (0, 'E_NO_SUCH_VERSION')
        """
        output = Output.of(output_format, arrow_string_format_default, arrow_string_format_per_column)
        requests = requests_of(symbols, query_builder, output)
        if parse_flag(lazy, "lazy"):
            return self._lazy_batch(requests)
        if any(request.query_builder is not None for request in requests):
            return self.collect_lazy_batch([(request, request.query_builder) for request in requests])
        results = reading.read_batch(self._catalog, [item_of(request) for request in requests])
        return [
            failure(request.symbol, result, (request.as_of,))
            if isinstance(result, ArcticException)
            else self._item(result)
            for request, result in zip(requests, results, strict=True)
        ]

    def read_metadata(self, symbol: str, as_of: AsOf | None = None) -> VersionedItem:
        """Read the metadata of a version, without its data.

        Parameters
        ----------
        symbol : str
        as_of : int, str or datetime, optional
            The version, as in `read`.

        Returns
        -------
        VersionedItem
            With `data` None.

        Raises
        ------
        NoDataFoundException
            There is no such symbol, version or snapshot.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1]}), metadata={"source": "x"})
        >>> lib.read_metadata("s").metadata
        {'source': 'x'}
        """
        return self._item(reading.read_metadata(self._catalog, name_of(symbol), as_of))

    def read_metadata_batch(self, symbols: Iterable[str | ReadInfoRequest]) -> list[VersionedItem | DataError]:
        """Read the metadata of several versions at once.

        Parameters
        ----------
        symbols : list of str or ReadInfoRequest

        Returns
        -------
        list of VersionedItem or DataError
            One for each item of `symbols`, in their order.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write("s", pd.DataFrame({"a": [1]}), metadata=n) for n in range(3)]
        >>> [item.metadata for item in lib.read_metadata_batch(["s", coldframe.ReadInfoRequest("s", as_of=0)])]
        [2, 0]
        """
        wanted = _pairs(symbols)
        return [
            failure(symbol, result, (as_of,)) if isinstance(result, ArcticException) else self._item(result)
            for (symbol, as_of), result in zip(
                wanted, reading.read_metadata_batch(self._catalog, _by_name(wanted)), strict=True
            )
        ]

    def get_description(self, symbol: str, as_of: AsOf | None = None) -> SymbolDescription:
        """Describe a version without reading its data: columns, types, rows, time range, order.

        Parameters
        ----------
        symbol : str
        as_of : int, str or datetime, optional
            The version, as in `read`.

        Returns
        -------
        SymbolDescription

        Raises
        ------
        NoSuchVersionException
            There is no such symbol or version.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024", periods=2)))
        >>> about = lib.get_description("s")
        >>> about.columns, about.row_count, about.sorted
        ((NameWithDType(name='a', dtype=TD<type=INT64, dim=0>),), 2, 'ASCENDING')
        """
        return _description(describing.describe(self._catalog, name_of(symbol), as_of))

    def get_description_batch(self, symbols: Iterable[str | ReadInfoRequest]) -> list[SymbolDescription | DataError]:
        """Describe several versions at once.

        Parameters
        ----------
        symbols : list of str or ReadInfoRequest

        Returns
        -------
        list of SymbolDescription or DataError
            One for each item of `symbols`, in their order.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> [about.row_count for about in lib.get_description_batch(["s"])]
        [2]
        """
        wanted = _pairs(symbols)
        return [
            failure(symbol, result, (as_of,)) if isinstance(result, ArcticException) else _description(result)
            for (symbol, as_of), result in zip(
                wanted, describing.describe_batch(self._catalog, _by_name(wanted)), strict=True
            )
        ]

    @staticmethod
    def parse_list_of_symbols(
        symbols: Iterable[str | ReadInfoRequest],
    ) -> tuple[list[str], list[AsOf | None]]:
        """The names and the versions asked for in a list of symbols and requests.

        Examples
        --------
        >>> import coldframe
        >>> coldframe.library.Library.parse_list_of_symbols(["a", coldframe.ReadInfoRequest("b", 3)])
        (['a', 'b'], [None, 3])
        """
        wanted = _pairs(symbols)
        return [symbol for symbol, _ in wanted], [as_of for _, as_of in wanted]


def _pairs(symbols: Iterable[str | ReadInfoRequest]) -> list[tuple[str, AsOf | None]]:
    return [
        (item, None) if isinstance(item, str) else (item.symbol, item.as_of)
        for item in items_of(symbols, str, ReadInfoRequest)
    ]


def _by_name(wanted: list[tuple[str, AsOf | None]]) -> list[tuple[str, AsOf | None]]:
    return [(name_of(symbol), as_of) for symbol, as_of in wanted]


def _description(found: Description) -> SymbolDescription:
    return SymbolDescription(
        columns=tuple(NameWithDType(name, _type(dtype)) for name, dtype in found.columns),
        index=tuple(NameWithDType(name, _type(dtype)) for name, dtype in found.index),
        index_type=found.index_type,
        row_count=found.rows,
        last_update_time=pd.Timestamp(found.created, tz="UTC"),
        date_range=(_stamp(found, found.first), _stamp(found, found.last)),
        sorted=found.sorted,
    )


def _stamp(found: Description, value: int | None) -> Any:
    if value is None:
        return pd.NaT
    stamp = pd.Timestamp(np.array(value).view(f"M8[{found.unit}]")[()])
    return stamp if found.zone is None else stamp.tz_localize("UTC").tz_convert(zone_of(found.zone))


_UNITS = {"s": "SECONDS", "ms": "MILLISECONDS", "us": "MICROSECONDS", "ns": "NANOSECONDS"}


@lru_cache(maxsize=256)
def _type(dtype: DType) -> TypeDescriptor:
    match dtype.kind:
        case "timestamp":
            shown = f"{_UNITS[dtype.unit]}_UTC64"
        case "duration":
            shown = f"{_UNITS[dtype.unit]}_DURATION64"
        case "string":
            shown = "UTF_DYNAMIC64"
        case "binary":
            shown = "BYTES_DYNAMIC64"
        case "bool":
            shown = "BOOL8"
        case "category":
            shown = f"INT{dtype.bits}"
        case _:
            shown = f"{dtype.kind.upper()}{dtype.bits}"
    return TypeDescriptor(shown, str(dtype))
