"""Append: a new version with the newest version's rows and the new ones after them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.draft import Draft
from coldframe.catalog.manifest import CHUNK_BLOCKS, Contents, replace
from coldframe.catalog.records import ASCENDING, UNSORTED, Record
from coldframe.catalog.slices import Slices, concat
from coldframe.catalog.versions import Version
from coldframe.exceptions import (
    ArcticException,
    InternalException,
    NoSuchVersionException,
    UnsortedDataException,
    UserInputException,
)
from coldframe.format.schema import Schema
from coldframe.format.table import Table, concat_tables
from coldframe.frames.evolve import conform, evolve, index_values, is_timeseries
from coldframe.frames.refusals import short
from coldframe.operations.absorb import MOST_BYTES, absorb_tail
from coldframe.operations.batches import attempt_each
from coldframe.operations.encode import DEFAULT_ROWS, NewRows, encode, table_bytes
from coldframe.operations.moments import moment
from coldframe.operations.prepare import Prepared, check_batch, convert, prepare
from coldframe.operations.results import Commit, WriteItem
from coldframe.operations.rows import load_slices
from coldframe.operations.write import committed, place

COLUMN_BYTES = 96
"""About what a column of a small slice takes beyond its values: its block record, its name, its share of a header."""


def append(
    catalog: Catalog,
    symbol: str,
    data: Any,
    *,
    metadata: Any = None,
    prune: bool = False,
    validate_index: bool = True,
    idempotency_key: str | None = None,
) -> Commit:
    """Add rows to the end of a symbol, which is created where it does not exist."""
    prepared = prepare(catalog, symbol, data, metadata, validate_index=validate_index)
    return _append(catalog, prepared, prune=prune, validate_index=validate_index, key=idempotency_key)


def append_batch(
    catalog: Catalog, items: Sequence[WriteItem], *, prune: bool = False, validate_index: bool = True
) -> list[Commit | ArcticException]:
    """Add rows to several symbols, each in a commit of its own; an item that fails leaves its error in the list."""
    check_batch([item.symbol for item in items], "append_batch")
    converted = [convert(catalog, item.symbol, item.data, item.metadata) for item in items]

    def one(rows: Prepared) -> Commit:
        checked = rows.check(validate_index=validate_index)
        return _append(catalog, checked, prune=prune, validate_index=validate_index, key=None)

    return attempt_each(catalog, one, converted)


def _append(catalog: Catalog, prepared: Prepared, *, prune: bool, validate_index: bool, key: str | None) -> Commit:
    digest = None if key is None else _digest(key)
    rows = NewRows(catalog, prepared.symbol)

    def edit(draft: Draft) -> Commit:
        if digest is not None:
            known = draft.appended(digest)
            if known is not None:
                return _earlier(draft, prepared.symbol, known)
        latest = draft.history.latest()
        if latest is None:
            record = place(draft, prepared, rows.encoded(prepared.table), "append")
        else:
            record = _extend(draft, latest, prepared, rows, validate_index=validate_index)
        if digest is not None:
            draft.remember_append(digest, record.number)
        if prune:
            draft.keep_newest()
        return committed(prepared.symbol, record)

    return rows.commit(edit, operation="append")


def _digest(key: Any) -> bytes:
    if not isinstance(key, str):
        raise TypeError(f"idempotency_key is {short(key)}, a {type(key).__name__}; give a str that names this append.")
    if not key:
        # An empty one is a name that somebody forgot to fill in, and would swallow every append after the first.
        raise UserInputException("idempotency_key is empty; give a text that names this append, or leave it out.")
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _extend(draft: Draft, latest: Version, prepared: Prepared, rows: NewRows, *, validate_index: bool) -> Record:
    catalog = draft.catalog
    old = latest.contents.schema()
    dynamic = catalog.config.dynamic_schema
    ends = (latest.record.last, prepared.first)
    schema = evolve(
        old,
        latest.record.rows,
        prepared.table.schema,
        prepared.table.rows,
        dynamic=dynamic,
        symbol=prepared.symbol,
        follows=None if None in ends else ends,  # type: ignore[arg-type]
    )
    table = conform(prepared.table, schema)
    times = index_values(table) if prepared.times is not None else None
    check_follows(latest, times, old, prepared, validate_index=validate_index)
    number = latest.contents.manifest.number if schema == old else draft.head.next_number
    contents = _longer(draft, latest, number, schema, table, times, rows)
    if number == latest.contents.manifest.number:
        draft.retire_replaced(contents)
    record = latest.record
    first = record.first if record.rows else (int(times[0]) if times is not None and len(times) else None)
    last = int(times[-1]) if times is not None and len(times) else record.last
    return draft.add_version(
        "append",
        contents,
        sorted_as=_sorted_after(record, prepared),
        first=first,
        last=last,
        metadata=prepared.metadata,
    )


def check_follows(
    latest: Version, times: NDArray[np.int64] | None, schema: Schema, prepared: Prepared, *, validate_index: bool
) -> None:
    """Refuse rows that would stand before the last one stored."""
    record = latest.record
    if times is None or not is_timeseries(schema) or not record.rows:
        return
    if validate_index and record.sorted != ASCENDING:
        raise UnsortedDataException(
            f"symbol '{prepared.symbol}' is not in ascending order (version {record.number}), so rows cannot be "
            "checked "
            "to follow it. Write it sorted, or append with validate_index=False."
        )
    if len(times) and record.last is not None and int(times[0]) < record.last:
        dtype = schema.dtype(0)
        raise InternalException(
            f"cannot append to symbol '{prepared.symbol}': the first new row is at {moment(int(times[0]), dtype)}, "
            "before "
            f"the last one stored, {moment(record.last, dtype)} (version {record.number}). Use update() to change "
            "earlier rows, or append later ones."
        )


def _sorted_after(record: Record, prepared: Prepared) -> int:
    if not record.rows or prepared.times is None:
        return prepared.sorted_as
    if not len(prepared.times):
        return record.sorted
    return ASCENDING if record.sorted == prepared.sorted_as == ASCENDING else UNSORTED


def _longer(
    draft: Draft,
    latest: Version,
    number: int,
    schema: Schema,
    table: Table,
    times: NDArray[np.int64] | None,
    rows: NewRows,
) -> Contents:
    """The manifest with the new rows after the old ones; small slices at the end are taken into the new one."""
    base = latest.contents
    total = base.manifest.rows
    if not table.rows:
        return replace(base, number, total, total, Slices.empty(), schema)
    most = draft.catalog.config.rows_per_segment or DEFAULT_ROWS
    size = table_bytes(table) + COLUMN_BYTES * table.schema.width
    trailing = _trailing(base, table.schema, most) if size < MOST_BYTES and table.rows < most else Slices.empty()
    taken = absorb_tail(
        trailing.sizes.tolist(), trailing.slices["rows"].tolist(), size, table.rows, draft.limits.inline_piece, most
    )
    if not taken:
        encoded = rows.encoded(table)
        draft.store_segments(encoded.segments)
        return replace(base, number, total, total, encoded.slices, schema, table.schema)
    absorbed = trailing.run(len(trailing) - taken, len(trailing))
    start = total - absorbed.rows
    older = load_slices(draft.history.reader, latest, absorbed, start, start, total, table.schema)
    joined = concat_tables([older, table])
    joined_times = None if times is None else index_values(joined)
    encoded = encode(draft.catalog, draft.head.symbol, joined, joined_times, stream=False)
    draft.store_segments(encoded.segments)
    return replace(base, number, start, total, encoded.slices, schema, table.schema)


def _trailing(base: Contents, schema: Schema, most: int) -> Slices:
    """The last slices that an append may take in, of the new rows' own schema.

    Only chunks that cost nothing to look at, being inlined, or that hold so few rows that they surely are small slices.
    """
    manifest = base.manifest
    first = len(manifest.chunks)
    while first:
        chunk = manifest.chunks[first - 1]
        inlined = base.pieces.inlined(chunk.id) is not None and chunk.blocks < CHUNK_BLOCKS // 2
        if not inlined and chunk.rows >= most // 4:
            break
        first -= 1
    slices = concat([base.chunk(i) for i in range(first, len(manifest.chunks))])
    if not len(slices):
        return slices
    same = [base.schema(number) == schema for number in range(len(manifest.schemas))]
    other = np.flatnonzero(~np.array(same)[slices.slices["schema"]])
    return slices.run(int(other[-1]) + 1, len(slices)) if len(other) else slices


def _earlier(draft: Draft, symbol: str, number: int) -> Commit:
    """The result of an append that was done before under the same idempotency key."""
    version = draft.history.numbered(number)
    if version is None:
        raise NoSuchVersionException(
            f"the append with this idempotency key was done before, as version {number} of symbol '{symbol}', which "
            "has "
            "been deleted since. Use another key to append the rows again."
        )
    return Commit(symbol, number, version.record.created)
