"""Reclaim: free what nothing names any more, and say how much that was."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.commit import commit
from coldframe.catalog.damage import damaged
from coldframe.catalog.draft import Draft
from coldframe.catalog.ids import id_of_text, id_seconds
from coldframe.catalog.keys import DATA, HEADS, LOGS, MANIFESTS
from coldframe.catalog.reclaim import Name, names_of_head, names_of_snapshot, object_key, snapshots
from coldframe.catalog.versions import History, checked_head
from coldframe.exceptions import UserInputException
from coldframe.format.checksums import Damage
from coldframe.operations.results import Reclaimed
from coldframe.stores.base import Reader

ORPHAN_GRACE = 3600.0
"""Seconds after which an object that nothing names is taken for an orphan: writers store data before they commit."""


def reclaim(catalog: Catalog, grace: float | timedelta | None = None, orphans: bool = False) -> Reclaimed:
    """Free retired objects past the grace period, and with `orphans` also those that interrupted writes left."""
    catalog.check_writable("reclaim")
    seconds = grace.total_seconds() if isinstance(grace, timedelta) else grace
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float | np.number)):
        raise TypeError(f"grace is {grace!r}; give seconds (0 or more) or a timedelta.")
    if seconds is not None and not seconds >= 0:
        raise UserInputException(f"grace is {grace!r}; give seconds (0 or more) or a timedelta.")
    try:
        done = _free_retired(catalog, catalog.store.grace if seconds is None else seconds)
        if orphans:
            _free_orphans(catalog, max(catalog.store.grace, ORPHAN_GRACE) if seconds is None else seconds, done)
    except Damage as damage:
        raise damaged(damage, catalog.library, None) from damage
    return done


def _free_retired(catalog: Catalog, grace: float) -> Reclaimed:
    done = Reclaimed()
    with catalog.store.reading() as reader:
        keys = [entry.key for entry in reader.list(HEADS)]
        heads = [
            checked_head(key, stored.data)
            for key, stored in zip(keys, reader.get_many(keys), strict=True)
            if stored is not None
        ]
        symbols = [head.symbol for head in heads if head.retired]
        sizes = _sizes(reader) if symbols else {}
    for symbol in symbols:
        drafts: list[Draft] = []

        def edit(draft: Draft, drafts: list[Draft] = drafts) -> None:
            drafts.append(draft)
            draft.changed = bool(draft.head.retired)

        commit(catalog, symbol, edit, operation="reclaim", grace=grace)
        freed = [key for key in drafts[-1].freed if key in sizes]
        done.objects += len(freed)
        done.bytes += sum(sizes[key] for key in freed)
    return done


def _free_orphans(catalog: Catalog, grace: float, done: Reclaimed) -> None:
    """Remove objects that nothing names.

    Objects are listed before heads are read: one that is committed in between is named by the head, one that is
    stored in between is not listed.
    """
    with catalog.store.reading() as reader:
        sizes = _sizes(reader)
        named = named_objects(reader)
    before = catalog.clock() / 1e9 - grace
    doomed = []
    for key in sizes.keys() - named:
        identifier = id_of_text(key.rpartition("/")[2])
        if identifier is None or id_seconds(identifier) <= before:
            doomed.append(key)
    if doomed:
        catalog.store.delete(sorted(doomed))
    done.orphans += len(doomed)
    done.bytes += sum(sizes[key] for key in doomed)


def named_objects(reader: Reader) -> set[str]:
    """The keys of all objects that a head, a log or a snapshot names, retired ones included."""
    named: set[str] = set()

    def add(symbol: str, names: set[Name]) -> None:
        named.update(object_key(symbol, name) for name in names)

    keys = [entry.key for entry in reader.list(HEADS)]
    for key, stored in zip(keys, reader.get_many(keys), strict=True):
        if stored is not None:
            head = checked_head(key, stored.data)
            add(head.symbol, names_of_head(History(reader, head)))
            add(head.symbol, {(entry.kind, entry.id) for entry in head.retired})
    for snapshot in snapshots(reader)[0]:
        for symbol, names in names_of_snapshot(reader, snapshot, snapshot.symbols):
            add(symbol, names)
    return named


def _sizes(reader: Reader) -> dict[str, int]:
    return {entry.key: entry.size for prefix in (DATA, MANIFESTS, LOGS) for entry in reader.list(prefix)}
