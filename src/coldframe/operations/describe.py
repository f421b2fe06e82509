"""Describe: what is known of a version from its head and schema, without reading rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.records import ASCENDING, DESCENDING, SORTED
from coldframe.catalog.versions import Version
from coldframe.exceptions import ArcticException
from coldframe.format.dtypes import DType
from coldframe.frames.meta import frame_meta, is_timeseries
from coldframe.operations.arguments import parse_as_of
from coldframe.operations.batches import attempt_each
from coldframe.operations.results import Description
from coldframe.operations.versions import with_version


def describe(catalog: Catalog, symbol: str, as_of: Any = None) -> Description:
    """Columns, index, number of rows, time range and order of a version."""
    return with_version(catalog, symbol, parse_as_of(as_of), lambda _, version: _describe(version))


def describe_batch(catalog: Catalog, items: Sequence[tuple[str, Any]]) -> list[Description | ArcticException]:
    """Descriptions of several versions; an item that fails leaves its error in the list."""
    return attempt_each(catalog, lambda item: describe(catalog, *item), items)


def _describe(version: Version) -> Description:
    record, schema = version.record, version.contents.schema()
    meta = frame_meta(schema)
    if meta.kind == "pickled":
        return Description([], [], "NA", None, record.created, None, None, "", None, SORTED[record.sorted])
    named = [(name, schema.dtype(position)) for position, name in enumerate(schema.names)]
    index = named[: schema.index_columns]
    index_type = "multi_index" if meta.index == "multi" else "index"
    if meta.index == "range":
        index = [(meta.index_name, DType("int"))]
    time = schema.dtype(0) if is_timeseries(schema) else None
    ordered = record.sorted in (ASCENDING, DESCENDING)
    return Description(
        named[schema.index_columns :],
        index,
        index_type,
        record.rows,
        record.created,
        record.first if time is not None and ordered else None,
        record.last if time is not None and ordered else None,
        "" if time is None else time.unit,
        None if time is None else time.zone,
        SORTED[record.sorted] if record.rows else SORTED[ASCENDING],
    )
