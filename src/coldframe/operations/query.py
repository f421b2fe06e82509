"""Queries on stored versions: plan, prune slices, read what the plan needs, and give back the user's kind of object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.damage import damaged
from coldframe.catalog.versions import Version
from coldframe.exceptions import ArcticException, ErrorCode, InternalException
from coldframe.format.checksums import Damage
from coldframe.format.table import StringColumn, Table
from coldframe.frames.arrow_out import record_batch
from coldframe.frames.meta import frame_meta, is_timeseries
from coldframe.frames.pandas_out import denormalize
from coldframe.frames.strings import to_objects
from coldframe.operations.ahead import ahead
from coldframe.operations.batches import attempt_each, several
from coldframe.operations.read import Wanted, result_of, rows_wanted, wanted_each
from coldframe.operations.results import Loaded, ReadItem
from coldframe.operations.rows import MANY_OBJECTS
from coldframe.operations.slice_columns import Fetched
from coldframe.operations.source import Key, StoredSource, Waves
from coldframe.operations.versions import checked_resolve, with_reader, with_version
from coldframe.query import explain as planning
from coldframe.query.clauses import Clause
from coldframe.query.columns import Column
from coldframe.query.execute import run, stream
from coldframe.query.join import Part, stack
from coldframe.query.plan import make_plan
from coldframe.query.steps import Plan
from coldframe.stores.base import Reader

T = TypeVar("T")


class QueryItem(msgspec.Struct):
    """A read with clauses."""

    item: ReadItem
    query: Sequence[Clause]


def read_query(catalog: Catalog, item: ReadItem, query: Sequence[Clause]) -> Loaded:
    """Read a version through a query."""
    return _read_query(catalog, item.symbol, Wanted(item), query)


def _read_query(catalog: Catalog, symbol: str, wanted: Wanted, query: Sequence[Clause]) -> Loaded:
    def work(reader: Reader, version: Version) -> Loaded:
        return result_of(version, denormalize(_run(reader, version, wanted, query)))

    return with_version(catalog, symbol, wanted.as_of, work)


def read_query_batch(catalog: Catalog, items: Sequence[QueryItem]) -> list[Loaded | ArcticException]:
    """Read several versions, each through its query; an item that fails leaves its error in the list."""

    def one(job: tuple[QueryItem, Wanted | ArcticException]) -> Loaded:
        each, wanted = job
        if isinstance(wanted, ArcticException):
            raise wanted
        return _read_query(catalog, each.item.symbol, wanted, each.query)

    wanted = wanted_each([each.item for each in items])
    return attempt_each(catalog, one, list(zip(items, wanted, strict=True)))


def read_joined(
    catalog: Catalog, items: Sequence[QueryItem], join: str, query: Sequence[Clause]
) -> tuple[list[Loaded], Any]:
    """Read several versions in one view of the store, each through its query, and run a query on all their rows."""
    wanted = [Wanted(each.item) for each in items]

    def work(reader: Reader) -> tuple[list[Loaded], Any]:
        waves = Waves(reader)

        def begin(job: tuple[QueryItem, Wanted]) -> tuple[Loaded, Part]:
            each, one = job
            with _blaming(catalog, each.item.symbol):
                version = checked_resolve(reader, catalog, each.item.symbol, one.as_of)
            with _blaming(catalog, version.symbol, version.record.number):
                source, plan = _planned(reader, version, one, each.query, partial(_Blaming, catalog))
                return result_of(version, None), _part(source, plan, waves)

        begun = several(reader, begin, list(zip(items, wanted, strict=True)))
        stacked = stack([part for _, part in begun], join)
        return [version for version, _ in begun], denormalize(
            run(make_plan(query, stacked.schema, joined=True), stacked)
        )

    with _blaming(catalog, None):
        return with_reader(catalog, work)


class _Blaming(StoredSource):
    """A source whose errors say whose rows are damaged, for a reader that several sources share."""

    def __init__(self, catalog: Catalog, reader: Reader, version: Version, start: int, stop: int) -> None:
        super().__init__(reader, version, start, stop)
        self._catalog = catalog

    def fetch(self, wanted: Sequence[Key]) -> list[Fetched]:
        """The bytes of some columns of some slices."""
        with _blaming(self._catalog, self.symbol, self.version.record.number):
            return super().fetch(wanted)

    def load(self, index: int, columns: Sequence[int]) -> list[Column]:
        """The given columns of a slice."""
        with _blaming(self._catalog, self.symbol, self.version.record.number):
            return super().load(index, columns)


def _part(source: StoredSource, plan: Plan, waves: Waves) -> Part:
    """What a symbol brings into a join: its stored rows where nothing has to be done to them first."""
    stage = plan.stages[0]
    if len(plan.stages) == 1 and not stage.steps and stage.reducer is None:
        source.waves = waves
        return Part(source.symbol, source, stage.exit)
    return Part.of(source.symbol, run(plan, source))


@contextmanager
def _blaming(catalog: Catalog, symbol: str | None, version: int | None = None) -> Iterator[None]:
    """Let damage say whose it is."""
    try:
        yield
    except Damage as damage:
        raise damaged(damage, catalog.library, symbol, version) from damage


def explain(catalog: Catalog, item: ReadItem, query: Sequence[Clause]) -> str:
    """The plan of a query on a version as text; no rows are read."""
    wanted = Wanted(item)

    def work(reader: Reader, version: Version) -> str:
        source, plan = _planned(reader, version, wanted, query)
        return planning.explain(plan, source)

    return with_version(catalog, item.symbol, wanted.as_of, work)


def read_in_pieces(
    catalog: Catalog, item: ReadItem, query: Sequence[Clause], max_rows: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a query as Arrow record batches, made as they are consumed, within one view of the store."""
    wanted = Wanted(item)
    try:
        with catalog.store.reading() as reader:
            version = checked_resolve(reader, catalog, item.symbol, wanted.as_of)
            source, plan = _planned(reader, version, wanted, query)
            for table in stream(plan, source, max_rows):
                yield record_batch(table)
    except Damage as damage:
        raise damaged(damage, catalog.library, item.symbol) from damage


def _run(reader: Reader, version: Version, wanted: Wanted, query: Sequence[Clause]) -> Table:
    source, plan = _planned(reader, version, wanted, query)
    shown = plan.stages[-1].exit.object_slots

    def make_objects(slot: int, column: StringColumn) -> None:
        # Making an object needs the GIL, and unpacking numbers does not.
        if slot in shown and len(column) >= MANY_OBJECTS:
            column.objects = to_objects(column)

    return run(plan, source, make_objects)


def _planned(
    reader: Reader,
    version: Version,
    wanted: Wanted,
    query: Sequence[Clause],
    source: Callable[[Reader, Version, int, int], StoredSource] = StoredSource,
) -> tuple[StoredSource, Plan]:
    schema = version.contents.schema()
    if frame_meta(schema).kind == "pickled":
        raise InternalException(
            f"symbol '{version.symbol}' (version {version.record.number}) holds pickled data, which no query can look "
            "into: read it whole.",
            code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_PICKLED_DATA,
        )
    # Planning checks the query against the schema: before any row is read.
    plan = make_plan(query, schema, columns=wanted.columns, date_range_given=wanted.times is not None)
    if wanted.times is not None and is_timeseries(schema):
        # Which rows are wanted of the other columns is for the conditions to say: only the times are sure.
        columns = np.sort(schema.place[sorted({0, *plan.columns})])
        reader = ahead(reader, version, *wanted.times.in_unit(schema.dtype(0).unit), columns, schema.place[:1])
    start, stop = rows_wanted(reader, version, schema, wanted)
    return source(reader, version, start, stop), plan
