"""Lazy frames: a read that waits for its clauses, and is planned with all of them when collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from coldframe.exceptions import ArcticException
from coldframe.items import ReadRequest
from coldframe.query.builder import QueryBuilder, join_kind


class Collects(Protocol):
    """What lazy frames need of a library. Each call plans and reads; nothing is read before.

    `request` is a `ReadRequest` (symbol, as_of, date_range, row_range, columns ...); `query` what was added to it.
    """

    def collect_lazy(self, request: ReadRequest, query: QueryBuilder) -> Any:
        """Read one symbol: a `VersionedItem`."""

    def collect_lazy_batch(self, requests: Sequence[tuple[ReadRequest, QueryBuilder]]) -> list[Any]:
        """Read several symbols: items, and a `DataError` for each that fails."""

    def collect_lazy_join(
        self, requests: Sequence[tuple[ReadRequest, QueryBuilder]], join: str, query: QueryBuilder
    ) -> Any:
        """Read several symbols, stack their rows, run `query` on them: a `VersionedItemWithJoin`."""

    def explain_lazy(self, request: ReadRequest, query: QueryBuilder) -> str:
        """The plan as text: what of the stored data would be read, and what is done with it."""

    def collect_lazy_batches(self, request: ReadRequest, query: QueryBuilder, max_rows: int) -> Iterator[Any]:
        """Arrow record batches of at most `max_rows` rows, read as they are consumed."""


class LazyDataFrame(QueryBuilder):
    """A read of one symbol, with clauses, that happens when it is collected.

    Made by ``library.read(symbol, lazy=True)``. Methods of `QueryBuilder` add clauses; ``lazy[expression]`` gives a
    new lazy frame, so several can be made from one.
    """

    def __init__(self, lib: Collects, read_request: ReadRequest) -> None:
        super().__init__()
        self._lib = lib
        self._request = read_request
        own = getattr(read_request, "query_builder", None)
        if own is not None:
            self.then(own)

    def collect(self) -> Any:
        """Read: plans all clauses together, and reads what they need. May be called again.

        Returns
        -------
        VersionedItem
        """
        return self._lib.collect_lazy(self._request, self._query())

    def collect_batches(self, max_rows: Any = 1 << 17) -> Iterator[Any]:
        """Read piece by piece, with bounded memory: an iterator of Arrow record batches."""
        if isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1:
            raise TypeError(f"max_rows is a positive number of rows, not {max_rows!r}")
        return self._lib.collect_lazy_batches(self._request, self._query(), max_rows)

    def explain(self) -> str:
        """The plan as text: slices before and after pruning, columns, bytes to fetch, what is evaluated where."""
        return self._lib.explain_lazy(self._request, self._query())

    def _query(self) -> QueryBuilder:
        query = QueryBuilder().then(self)
        return query.optimise_for_memory() if self._optimisation == "memory" else query

    def __str__(self) -> str:
        clauses = super().__str__()
        return f"LazyDataFrame({self._request!r}{' | ' if clauses else ''}{clauses})"

    def __repr__(self) -> str:
        return str(self)


class LazyDataFrameCollection(QueryBuilder):
    """Lazy frames of one library; clauses added here are added to each.

    Parameters
    ----------
    lazy_dataframes : list of LazyDataFrame
    arrow_string_format_default, arrow_string_format_per_column
        Handed on to the library's output.
    """

    def __init__(
        self,
        lazy_dataframes: Iterable[LazyDataFrame],
        arrow_string_format_default: Any = None,
        arrow_string_format_per_column: Any = None,
    ) -> None:
        super().__init__()
        self._frames = [frame._copy() for frame in lazy_dataframes]  # noqa: SLF001 -- of this module
        self._string_format = arrow_string_format_default
        self._string_formats = arrow_string_format_per_column
        _one_library(self._frames)

    def split(self) -> list[LazyDataFrame]:
        """A lazy frame of its own for each member, with all of its clauses."""
        frames = [frame._copy() for frame in self._frames]  # noqa: SLF001 -- of this module
        for frame in frames:
            frame.then(self)
        return frames

    def collect(self) -> list[Any]:
        """Read all members: a list of `VersionedItem`, and `DataError` for those that fail."""
        if not self._frames:
            return []
        return self._frames[0]._lib.collect_lazy_batch(_requests(self.split()))  # noqa: SLF001 -- of this module

    def explain(self) -> str:
        """The plan of each member as text."""
        return "\n\n".join(frame.explain() for frame in self.split())

    def __str__(self) -> str:
        return f"LazyDataFrameCollection([{', '.join(str(frame) for frame in self.split())}])"

    def __repr__(self) -> str:
        return str(self)


class LazyDataFrameAfterJoin(QueryBuilder):
    """The stacked rows of several lazy frames; clauses added here run on all of them together.

    Made by `concat`.
    """

    def __init__(self, lazy_dataframes: LazyDataFrameCollection, join: str = "outer") -> None:
        super().__init__()
        self._collection = lazy_dataframes
        self._join = join_kind(join)

    def collect(self) -> Any:
        """Read all members and stack their rows: a `VersionedItemWithJoin`; an empty list if there are none."""
        frames = self._collection.split()
        if not frames:
            return []
        library = frames[0]._lib  # noqa: SLF001 -- of this module
        return library.collect_lazy_join(_requests(frames), self._join, QueryBuilder().then(self))

    def explain(self) -> str:
        """The plan of each member as text, and the clauses that run on their stacked rows."""
        stacked = f"stack the rows of {len(self._collection.split())} symbols ({self._join} join)"
        clauses = [str(clause) for clause in self.clauses]
        then = ["on the stacked rows, in memory:", *(f"  {clause}" for clause in clauses)] if clauses else []
        return "\n".join([self._collection.explain(), "", stacked, *then]).lstrip()

    def __str__(self) -> str:
        clauses = super().__str__()
        return f"LazyDataFrameAfterJoin({self._collection} | CONCAT{' | ' if clauses else ''}{clauses})"

    def __repr__(self) -> str:
        return str(self)


def concat(
    lazy_dataframes: Sequence[LazyDataFrame] | LazyDataFrameCollection, join: str = "outer"
) -> LazyDataFrameAfterJoin:
    """Stack the rows of several lazy frames, in the given order.

    Parameters
    ----------
    lazy_dataframes : list of LazyDataFrame, or LazyDataFrameCollection
    join : {"outer", "inner"}
        Keep the columns that any of them has, or those that all have.
    """
    collection = lazy_dataframes
    if not isinstance(collection, LazyDataFrameCollection):
        collection = LazyDataFrameCollection(collection)
    return LazyDataFrameAfterJoin(collection, join)


def _requests(frames: Sequence[LazyDataFrame]) -> list[tuple[ReadRequest, QueryBuilder]]:
    return [(frame._request, frame._query()) for frame in frames]  # noqa: SLF001 -- of this module


def _one_library(frames: Sequence[LazyDataFrame]) -> None:
    for what, of in _MUST_AGREE.items():
        first = of(frames[0]) if frames else None
        if any(of(frame) != first for frame in frames):
            raise ArcticException(f"all lazy frames of a collection must have the same {what}")


_MUST_AGREE: dict[str, Callable[[LazyDataFrame], Any]] = {
    # Two handles of one library are the same library.
    "library": lambda frame: str(frame._lib),  # noqa: SLF001 -- of this module
    "output_format": lambda frame: str(getattr(frame._request, "output_format", None)),  # noqa: SLF001 -- of this module
}
