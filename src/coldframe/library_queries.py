"""The calls of `Library` that read through a query: at once, lazily, and from several symbols joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from coldframe.catalog.damage import damaged
from coldframe.catalog.names import name_of, symbol_of
from coldframe.exceptions import (
    ArcticException,
    ArcticInvalidApiUsageException,
    InternalException,
    KeyNotFoundException,
    NoSuchVersionException,
    UserInputException,
)
from coldframe.format.checksums import Damage
from coldframe.frames.refusals import short
from coldframe.items import DataError, ReadRequest, VersionedItem
from coldframe.library_base import LibraryBase, failure, items_of, named
from coldframe.operations.results import Loaded, ReadItem
from coldframe.operations.versions import TRIES
from coldframe.options import DEFAULT_OUTPUT, ArrowOutputStringFormat, Output, OutputFormat

if TYPE_CHECKING:
    from coldframe.lazy import LazyDataFrame, LazyDataFrameCollection
    from coldframe.query.builder import QueryBuilder

# The query layer is imported when the first query is made: programs that only read and write start faster.


class VersionedItemWithJoin(msgspec.Struct):
    """Joined rows of several symbols: `data`, and in `versions` which versions they came from, with metadata."""

    versions: list[VersionedItem]
    data: Any


class LibraryQueries(LibraryBase):
    """The calls of `Library` that run queries."""

    def read_batch_and_join(
        self,
        symbols: Iterable[str | ReadRequest],
        query_builder: QueryBuilder,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
        arrow_string_format_per_column: Mapping[str, ArrowOutputStringFormat | Any] | None = None,
    ) -> VersionedItemWithJoin:
        """Read several symbols, stack their rows, and run a query on all of them.

        Parameters
        ----------
        symbols : list of str or ReadRequest
        query_builder : QueryBuilder
            Its first clause is `concat`; the clauses after it run on the stacked rows.
        output_format : OutputFormat or str, optional
            What to return; by default what the library's handle says.
        arrow_string_format_default, arrow_string_format_per_column : optional
            How strings are laid out in Arrow output.

        Returns
        -------
        VersionedItemWithJoin

        Raises
        ------
        UserInputException
            The first clause is not `concat`, or a later one is.
        InternalException
            There are no symbols.
        NoSuchVersionException
            One of the symbols or versions does not exist.
        SchemaException
            The symbols' columns or indexes do not go together.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write(s, pd.DataFrame({"a": [n]})) for n, s in enumerate("xy")]
        >>> lib.read_batch_and_join(["x", "y"], coldframe.QueryBuilder().concat()).data["a"].tolist()
        [0, 1]
        """
        from coldframe.query.clauses import Concat

        output = Output.of(output_format, arrow_string_format_default, arrow_string_format_per_column)
        clauses = list(checked_query(query_builder).clauses)
        if not clauses or not isinstance(clauses[0], Concat):
            raise UserInputException(
                "read_batch_and_join needs a query whose first clause is concat, for example QueryBuilder().concat()."
            )
        requests = requests_of(symbols, output=output)
        if not requests:
            raise InternalException("read_batch_and_join was given no symbols; give at least one.")
        pairs = [(request, request.query_builder) for request in requests]
        return self._joined(pairs, clauses[0].join, clauses[1:])

    def collect_lazy(self, request: ReadRequest, query: QueryBuilder) -> VersionedItem:
        """Read what a `LazyDataFrame` stands for."""
        from coldframe.operations import query as querying

        return self._item(querying.read_query(self._catalog, item_of(request), query.clauses))

    def collect_lazy_batch(
        self, requests: Sequence[tuple[ReadRequest, QueryBuilder | None]]
    ) -> list[VersionedItem | DataError]:
        """Read what a `LazyDataFrameCollection` stands for."""
        from coldframe.operations import query as querying

        items = [querying.QueryItem(item_of(request), query.clauses if query else ()) for request, query in requests]
        results = querying.read_query_batch(self._catalog, items)
        return [
            failure(request.symbol, result, (request.as_of,))
            if isinstance(result, ArcticException)
            else self._item(result)
            for (request, _), result in zip(requests, results, strict=True)
        ]

    def collect_lazy_join(
        self, requests: Sequence[tuple[ReadRequest, QueryBuilder]], join: str, query: QueryBuilder
    ) -> VersionedItemWithJoin:
        """Read what a `LazyDataFrameAfterJoin` stands for."""
        return self._joined(requests, join, query.clauses)

    def explain_lazy(self, request: ReadRequest, query: QueryBuilder) -> str:
        """The plan of a `LazyDataFrame` as text."""
        from coldframe.operations import query as querying

        return querying.explain(self._catalog, item_of(request), query.clauses)

    def collect_lazy_batches(self, request: ReadRequest, query: QueryBuilder, max_rows: int) -> Iterator[Any]:
        """The rows of a `LazyDataFrame` as Arrow record batches, read as they are consumed."""
        from coldframe.operations import query as querying

        symbol = request.symbol
        for tried in range(1, TRIES + 1):
            given = False
            try:
                for batch in querying.read_in_pieces(self._catalog, item_of(request), query.clauses, max_rows):
                    given = True
                    yield batch
                return
            except KeyNotFoundException as error:
                if given:
                    # The rows that follow cannot come from another version than those before.
                    raise NoSuchVersionException(
                        f"the version of symbol '{symbol}' that was being read was deleted, and its data freed, after "
                        "some of its rows had been given. Start again, or read it by a snapshot, which keeps it."
                    ) from error
                if tried == TRIES:
                    gone = Damage(f"an object that is named is missing ({error.message})")
                    raise damaged(gone, self._catalog.library, symbol) from error

    def _joined(
        self, requests: Sequence[tuple[ReadRequest, QueryBuilder | None]], join: str, clauses: Sequence[Any]
    ) -> VersionedItemWithJoin:
        from coldframe.operations import query as querying

        items = [querying.QueryItem(item_of(request), query.clauses if query else ()) for request, query in requests]
        versions, data = querying.read_joined(self._catalog, items, join, clauses)
        return VersionedItemWithJoin([self._item(version) for version in versions], data)

    def _lazy(self, request: ReadRequest) -> LazyDataFrame:
        from coldframe.lazy import LazyDataFrame

        return LazyDataFrame(self, request)

    def _lazy_batch(self, requests: Sequence[ReadRequest]) -> LazyDataFrameCollection:
        from coldframe.lazy import LazyDataFrame, LazyDataFrameCollection

        return LazyDataFrameCollection([LazyDataFrame(self, request) for request in requests])

    def _item(self, loaded: Loaded) -> VersionedItem:
        symbol = str(symbol_of(loaded.symbol))
        return VersionedItem(
            symbol, self._name, loaded.data, loaded.version, loaded.metadata, self._host, loaded.created
        )


def requests_of(
    symbols: Iterable[str | ReadRequest], query_builder: QueryBuilder | None = None, output: Output = DEFAULT_OUTPUT
) -> list[ReadRequest]:
    """The items of a batch read as requests, with the query and the output for all of them put into each."""
    requests = []
    for position, item in enumerate(named(items_of(symbols, str, ReadRequest))):
        if isinstance(item, str):
            requests.append(ReadRequest(item, None, None, None, None, None, *output))
            continue
        if item.query_builder is not None:
            checked_query(item.query_builder, f"item {position} of the batch, {item.symbol!r}: ")
        own = Output.of(*item[6:])
        chosen = [mine if mine is not None else shared for mine, shared in zip(own, output, strict=True)]
        requests.append(ReadRequest(*item[:6], *chosen))
    if query_builder is None:
        return requests
    checked_query(query_builder)
    if any(request.query_builder is not None for request in requests):
        raise ArcticInvalidApiUsageException(
            "a query_builder was given for the whole batch and for single requests as well; give one or the other."
        )
    return [request._replace(query_builder=query_builder) for request in requests]


def checked_query(query_builder: Any, where: str = "") -> QueryBuilder:
    """The query, if it is one."""
    from coldframe.query.builder import QueryBuilder

    if not isinstance(query_builder, QueryBuilder):
        raise TypeError(
            f"{where}query_builder is {short(query_builder)}, a {type(query_builder).__name__}; give a QueryBuilder, "
            "for example q = QueryBuilder(); q[q['price'] > 100]."
        )
    return query_builder


def item_of(request: ReadRequest) -> ReadItem:
    """A request as the operations take it, without its query."""
    return ReadItem(name_of(request.symbol), *request[1:5])
