"""Queries on stored versions: plan, prune slices, read what the plan needs, and give back the user's kind of object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.damage import damaged
from coldframe.catalog.versions import Version, resolve
from coldframe.exceptions import ArcticException, ErrorCode, InternalException
from coldframe.format.checksums import Damage
from coldframe.format.table import Table
from coldframe.frames.arrow_out import record_batch
from coldframe.frames.meta import frame_meta
from coldframe.frames.pandas_out import denormalize
from coldframe.operations.read import Wanted, result_of, rows_wanted, with_version
from coldframe.operations.results import Loaded, ReadItem
from coldframe.operations.source import StoredSource
from coldframe.query import explain as planning
from coldframe.query.clauses import Clause
from coldframe.query.execute import run, stream
from coldframe.query.join import stack_tables
from coldframe.query.plan import make_plan
from coldframe.query.steps import Plan
from coldframe.stores.base import Reader


@dataclass(slots=True)
class QueryItem:
    """A read with clauses."""

    item: ReadItem
    query: Sequence[Clause]


def read_query(catalog: Catalog, item: ReadItem, query: Sequence[Clause]) -> Loaded:
    """Read a version through a query."""
    wanted = Wanted(item)

    def work(reader: Reader, version: Version) -> Loaded:
        return result_of(version, denormalize(_run(reader, version, wanted, query)))

    return with_version(catalog, item.symbol, wanted.as_of, work)


def read_query_batch(catalog: Catalog, items: Sequence[QueryItem]) -> list[Loaded | ArcticException]:
    """Read several versions, each through its query; an item that fails leaves its error in the list."""
    results: list[Loaded | ArcticException] = []
    for each in items:
        try:
            results.append(read_query(catalog, each.item, each.query))
        except ArcticException as error:
            results.append(error)
    return results


def read_joined(
    catalog: Catalog, items: Sequence[QueryItem], join: str, query: Sequence[Clause]
) -> tuple[list[Loaded], Any]:
    """Read several versions, each through its query, stack their rows, and run a query on all of them."""
    versions: list[Loaded] = []
    tables: list[tuple[str, Table]] = []
    for each in items:
        wanted = Wanted(each.item)

        def work(reader: Reader, version: Version, w: Wanted = wanted, q: Sequence[Clause] = each.query) -> None:
            table = _run(reader, version, w, q)
            versions.append(result_of(version, None))
            tables.append((version.symbol, table))

        with_version(catalog, each.item.symbol, wanted.as_of, work)
    source = stack_tables(tables, join)
    return versions, denormalize(run(make_plan(query, source.schema), source))


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
            version = resolve(reader, catalog, item.symbol, wanted.as_of.value, by_time=wanted.as_of.by_time)
            source, plan = _planned(reader, version, wanted, query)
            for table in stream(plan, source, max_rows):
                yield record_batch(table)
    except Damage as damage:
        raise damaged(damage, catalog.library, item.symbol) from damage


def _run(reader: Reader, version: Version, wanted: Wanted, query: Sequence[Clause]) -> Table:
    source, plan = _planned(reader, version, wanted, query)
    return run(plan, source)


def _planned(
    reader: Reader, version: Version, wanted: Wanted, query: Sequence[Clause]
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
    start, stop = rows_wanted(reader, version, schema, wanted)
    return StoredSource(reader, version, start, stop), plan
