"""Write: a new version that holds what the user gave, whatever the symbol held before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.commit import commit
from coldframe.catalog.draft import Draft
from coldframe.catalog.manifest import begin
from coldframe.catalog.pieces import Pieces
from coldframe.catalog.records import Record
from coldframe.exceptions import ArcticException
from coldframe.operations.batches import attempt_each
from coldframe.operations.dedup import reuse
from coldframe.operations.encode import Encoded, encode
from coldframe.operations.prepare import Prepared, check_batch, convert, prepare
from coldframe.operations.results import Commit, WriteItem


def write(
    catalog: Catalog,
    symbol: str,
    data: Any,
    *,
    metadata: Any = None,
    prune: bool = False,
    validate_index: bool = True,
    pickle: bool = False,
) -> Commit:
    """Store `data` as the symbol's next version."""
    prepared = prepare(catalog, symbol, data, metadata, validate_index=validate_index, pickle=pickle)
    return store(catalog, prepared, prune=prune)


def write_batch(
    catalog: Catalog,
    items: Sequence[WriteItem],
    *,
    prune: bool = False,
    validate_index: bool = True,
    pickle: bool = False,
) -> list[Commit | ArcticException]:
    """Store several symbols, each in a commit of its own; an item that fails leaves its error in the list.

    Objects that cannot be stored at all are refused before anything is written.
    """
    check_batch([item.symbol for item in items], "write_batch")
    converted = [convert(catalog, item.symbol, item.data, item.metadata, pickle=pickle) for item in items]

    def one(rows: Prepared) -> Commit:
        return store(catalog, rows.check(validate_index=validate_index), prune=prune)

    return attempt_each(catalog, one, converted)


def store(catalog: Catalog, prepared: Prepared, *, prune: bool, cause: str = "write") -> Commit:
    """Commit a prepared object as a new version."""
    encoded = encode(catalog, prepared.symbol, prepared.table, prepared.times)

    def edit(draft: Draft) -> Commit:
        record = place(draft, prepared, encoded, cause)
        if prune:
            draft.keep_newest()
        return committed(prepared.symbol, record)

    return commit(catalog, prepared.symbol, edit, operation=cause)


def place(draft: Draft, prepared: Prepared, encoded: Encoded, cause: str) -> Record:
    """Make encoded rows the whole of the next version."""
    if draft.catalog.config.dedup:
        encoded = reuse(draft.history.latest(), prepared.table.schema, encoded)
    head = draft.head
    pieces = Pieces(head.symbol, draft.history.reader, head.live.pool, draft.history.fresh)
    contents = begin(head.next_number, prepared.table.schema, encoded.slices, pieces)
    contents.manifest.rows = prepared.table.rows
    draft.store_segments(encoded.segments)
    return draft.add_version(
        cause,
        contents,
        sorted_as=prepared.sorted_as,
        first=prepared.first,
        last=prepared.last,
        metadata=prepared.metadata,
    )


def write_metadata(catalog: Catalog, symbol: str, metadata: Any, *, prune: bool = False) -> Commit:
    """A new version with the newest version's rows and new metadata; a missing symbol gets a pickled None."""
    blank = prepare(catalog, symbol, None, metadata, pickle=True)
    symbol = blank.symbol
    packed = blank.metadata

    def edit(draft: Draft) -> Commit:
        latest = draft.history.latest()
        if latest is None:
            record = place(draft, blank, encode(catalog, symbol, blank.table, None), "write_metadata")
        else:
            old = latest.record
            record = draft.add_version(
                "write_metadata",
                latest.contents,
                sorted_as=old.sorted,
                first=old.first,
                last=old.last,
                metadata=packed,
            )
        if prune:
            draft.keep_newest()
        return committed(symbol, record)

    return commit(catalog, symbol, edit, operation="write_metadata")


def write_metadata_batch(
    catalog: Catalog, items: Sequence[tuple[str, Any]], *, prune: bool = False
) -> list[Commit | ArcticException]:
    """Give several symbols new metadata; an item that fails leaves its error in the list."""
    check_batch([symbol for symbol, _ in items], "write_metadata_batch")
    return attempt_each(catalog, lambda item: write_metadata(catalog, *item, prune=prune), items)


def committed(symbol: str, record: Record) -> Commit:
    """What an operation gives back for a version it made."""
    return Commit(symbol, record.number, record.created)
