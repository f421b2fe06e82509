"""Update and delete_data_in_range: a new version in which the rows of a time range are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.commit import commit
from coldframe.catalog.draft import Draft
from coldframe.catalog.manifest import Contents, replace
from coldframe.catalog.records import ASCENDING, Record
from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.exceptions import (
    ArcticException,
    ArcticInvalidApiUsageException,
    ErrorCode,
    InternalException,
    UnsortedDataException,
    UserInputException,
)
from coldframe.format.schema import Schema
from coldframe.format.table import Table, concat_tables
from coldframe.frames.evolve import conform, evolve, index_kind, index_values, is_timeseries, without_freq
from coldframe.frames.meta import frame_meta
from coldframe.operations.absorb import MOST_BYTES, absorb_around
from coldframe.operations.arguments import TimeRange, parse_date_range
from coldframe.operations.batches import attempt_each, check_each
from coldframe.operations.encode import DEFAULT_ROWS, STREAMED, NewRows, encode, table_bytes
from coldframe.operations.locate import rows_between, time_at
from coldframe.operations.prepare import Prepared, check_batch, convert, dress
from coldframe.operations.results import Commit, UpdateItem
from coldframe.operations.rows import load
from coldframe.operations.write import committed, place


def update(
    catalog: Catalog,
    symbol: str,
    data: Any,
    *,
    metadata: Any = None,
    upsert: bool = False,
    date_range: Any = None,
    prune: bool = False,
) -> Commit:
    """Replace the rows of the time range that `data` covers, or of `date_range`, by `data`."""
    span = parse_date_range(date_range)
    return _update(catalog, _clipped(convert(catalog, symbol, data, metadata), span), upsert=upsert, prune=prune)


def update_batch(
    catalog: Catalog, items: Sequence[UpdateItem], *, upsert: bool = False, prune: bool = False
) -> list[Commit | ArcticException]:
    """Update several symbols, each in a commit of its own; an item that fails leaves its error in the list."""
    check_batch([item.symbol for item in items], "update_batch")
    spans = check_each(items, lambda item: parse_date_range(item.date_range))
    converted = [
        (convert(catalog, item.symbol, item.data, item.metadata), span) for item, span in zip(items, spans, strict=True)
    ]
    return attempt_each(catalog, lambda item: _update(catalog, _clipped(*item), upsert=upsert, prune=prune), converted)


def delete_data_in_range(catalog: Catalog, symbol: str, date_range: Any, *, prune: bool = False) -> Commit:
    """A new version without the rows of a time range, both ends included; metadata is carried over."""
    catalog.check_writable(f"deleting data of symbol '{symbol}'")
    if date_range is None:
        raise ArcticInvalidApiUsageException(
            "delete_data_in_range needs a date_range; use (None, None) for all rows, or delete() for the symbol."
        )
    span = _forward(parse_date_range(date_range))
    operation = "delete_data_in_range"

    def edit(draft: Draft) -> Commit:
        latest = draft.history.latest()
        if latest is None:
            raise InternalException(
                f"symbol '{symbol}' does not exist in library '{catalog.library}', so there is no data to delete.",
                code=ErrorCode.E_NO_SUCH_VERSION,
            )
        schema = latest.contents.schema()
        _check_updatable(latest, schema, symbol)
        schema = without_freq(schema)
        first, last = span.in_unit(schema.dtype(0).unit)
        start, stop = rows_between(draft.history.reader, latest, first, last)
        packed = latest.metadata()
        change = _Change(None, schema, NewRows(catalog, symbol), None if packed is None else bytes(packed), operation)
        record = _replace_rows(draft, latest, start, stop, change)
        if prune:
            draft.keep_newest()
        return committed(symbol, record)

    return commit(catalog, symbol, edit, operation=operation)


class _Prepared:
    """New rows with the range they replace, in nanoseconds; None: the range of the rows themselves."""

    def __init__(self, rows: Prepared, span: TimeRange | None) -> None:
        self.rows = rows
        self.span = span


def _clipped(rows: Prepared, date_range: TimeRange | None) -> _Prepared:
    """The new rows within the range they replace, checked."""
    span = None if date_range is None else _forward(date_range)
    symbol = rows.check(validate_index=True, always=True).symbol
    if rows.times is None:
        raise InternalException(
            f"update of symbol '{symbol}' needs data with a time index (DatetimeIndex, or a MultiIndex with one "
            "first); "
            f"this has a {index_kind(rows.table.schema)} index. Use write() or append().",
            code=ErrorCode.E_UNSUPPORTED_INDEX_TYPE,
        )
    if span is not None:
        first, last = span.in_unit(rows.table.schema.dtype(0).unit)
        start = int(np.searchsorted(rows.times, first, side="left"))
        stop = max(start, int(np.searchsorted(rows.times, last, side="right")))
        if (start, stop) != (0, len(rows.times)):
            rows = dress(symbol, rows.table.slice(start, stop), rows.metadata)
    return _Prepared(rows, span)


def _forward(span: TimeRange | None) -> TimeRange:
    if span is None or span.reversed:
        raise UserInputException(
            f"date_range {'' if span is None else repr(span.given)} ends before it starts, so no rows are meant. Give "
            "(start, end) with start <= end."
        )
    return span


def _update(catalog: Catalog, prepared: _Prepared, *, upsert: bool, prune: bool) -> Commit:
    rows = prepared.rows
    symbol = rows.symbol
    new = NewRows(catalog, symbol)

    def edit(draft: Draft) -> Commit:
        latest = draft.history.latest()
        if latest is None:
            if not upsert:
                raise InternalException(
                    f"symbol '{symbol}' does not exist in library '{catalog.library}', so it cannot be updated. Pass "
                    "upsert=True to create it, or use write().",
                    code=ErrorCode.E_NO_SUCH_VERSION,
                )
            record = place(draft, rows, new.encoded(rows.table), "update")
        else:
            record = _update_rows(draft, latest, prepared, new)
        if prune:
            draft.keep_newest()
        return committed(symbol, record)

    return new.commit(edit, operation="update")


def _check_updatable(latest: Version, schema: Schema, symbol: str) -> None:
    if frame_meta(schema).kind == "pickled":
        raise InternalException(
            f"symbol '{symbol}' was stored with write_pickle; rows of pickled data cannot be changed. Write it anew.",
            code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_PICKLED_DATA,
        )
    if not is_timeseries(schema):
        raise InternalException(
            f"symbol '{symbol}' has a {index_kind(schema)} index; only data with a time index has time ranges. Use "
            "write().",
            code=ErrorCode.E_UNSUPPORTED_INDEX_TYPE,
        )
    if latest.record.rows and latest.record.sorted != ASCENDING:
        raise UnsortedDataException(
            f"symbol '{symbol}' is not in ascending order (version {latest.record.number}), so a time range of it is "
            "not "
            "defined. Write it sorted first."
        )


def _update_rows(draft: Draft, latest: Version, prepared: _Prepared, new: NewRows) -> Record:
    rows = prepared.rows
    old = latest.contents.schema()
    if latest.record.rows or frame_meta(old).kind == "pickled":
        _check_updatable(latest, old, rows.symbol)
    dynamic = draft.catalog.config.dynamic_schema
    schema = evolve(
        old, latest.record.rows, rows.table.schema, rows.table.rows, dynamic=dynamic, symbol=rows.symbol
    )
    table = conform(rows.table, schema)
    times = index_values(table)
    if not len(times):
        start = stop = 0
    else:
        first, last = int(times[0]), int(times[-1])
        if prepared.span is not None:
            first, last = prepared.span.in_unit(schema.dtype(0).unit)
        start, stop = rows_between(draft.history.reader, latest, first, last)
        if start == stop and prepared.span is None:
            start = stop = rows_between(draft.history.reader, latest, first, np.iinfo(np.int64).max)[0]
    return _replace_rows(draft, latest, start, stop, _Change(table, schema, new, rows.metadata, "update"))


class _Change(msgspec.Struct):
    """What takes the place of a run of rows: a table or nothing, and what the version becomes."""

    table: Table | None
    schema: Schema
    new: NewRows
    metadata: bytes | None
    cause: str


def _replace_rows(draft: Draft, latest: Version, start: int, stop: int, change: _Change) -> Record:
    base = latest.contents
    number = draft.head.next_number
    times = None if change.table is None else index_values(change.table)
    total = base.manifest.rows
    if start == stop and (times is None or not len(times)):
        contents = replace(base, number, total, total, Slices.empty(), change.schema)
    else:
        contents = _replaced(draft, latest, start, stop, change)
    return draft.add_version(
        change.cause,
        contents,
        sorted_as=ASCENDING,
        first=_first_time(draft, latest, start, stop, times),
        last=_last_time(draft, latest, start, stop, times),
        metadata=change.metadata,
    )


def _first_time(
    draft: Draft, latest: Version, start: int, stop: int, times: NDArray[np.int64] | None
) -> int | None:
    if start > 0:
        return latest.record.first
    if times is not None and len(times):
        return int(times[0])
    return time_at(draft.history.reader, latest, stop) if stop < latest.record.rows else None


def _last_time(draft: Draft, latest: Version, start: int, stop: int, times: NDArray[np.int64] | None) -> int | None:
    if stop < latest.record.rows:
        return latest.record.last
    if times is not None and len(times):
        return int(times[-1])
    return time_at(draft.history.reader, latest, start - 1) if start > 0 else None


def _replaced(draft: Draft, latest: Version, start: int, stop: int, change: _Change) -> Contents:
    """The manifest with rows `start` to `stop` replaced; small neighbouring slices are taken into the new ones."""
    base, number, schema = latest.contents, draft.head.next_number, change.schema
    table = change.table if change.table is not None and change.table.rows else None
    before, after = _neighbours(draft, base, start, stop, change)
    low, high = start - before, stop + after
    if (low, high) == (start, stop):
        if table is None:
            return replace(base, number, low, high, Slices.empty(), schema)
        encoded = change.new.encoded(table)
        draft.store_segments(encoded.segments)
        return replace(base, number, low, high, encoded.slices, schema, table.schema)
    reader = draft.history.reader
    parts = [load(reader, latest, low, start), table, load(reader, latest, stop, high)]
    joined = concat_tables([conform(part, schema) for part in parts if part is not None and part.rows])
    encoded = encode(draft.catalog, latest.symbol, joined, index_values(joined), stream=False)
    draft.store_segments(encoded.segments)
    return replace(base, number, low, high, encoded.slices, schema)


def _neighbours(draft: Draft, base: Contents, start: int, stop: int, change: _Change) -> tuple[int, int]:
    """How many rows before and after the replaced ones are rewritten with them."""
    table, most = change.table, draft.catalog.config.rows_per_segment or DEFAULT_ROWS
    schemas = [base.schema(), change.schema if table is None else table.schema]
    if any(schema != change.schema for schema in schemas) or (table is not None and table_bytes(table) > MOST_BYTES):
        return 0, 0
    around, begin = base.slices(max(0, start - 2 * most), min(base.manifest.rows, stop + 2 * most))
    before = around.head(max(0, start - begin))
    after = around.tail(stop - begin)
    rows = table.rows if table is not None else 0
    left, right = absorb_around(_alike(base, before)[::-1], _alike(base, after), rows, most)
    taken = [before.run(len(before) - left, len(before)), after.run(0, right)]
    if sum(int(run.sizes.sum()) for run in taken) > STREAMED:
        return 0, 0
    return taken[0].rows, taken[1].rows


def _alike(base: Contents, slices: Slices) -> list[int]:
    """The rows of slices; one that is not of the version's own schema counts as large, so that it is not rewritten.

    What such a slice lacks would become values.
    """
    same = slices.slices["schema"] == base.manifest.schema
    rows: list[int] = np.where(same, slices.slices["rows"], np.iinfo(np.int64).max).tolist()
    return rows
