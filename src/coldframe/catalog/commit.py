"""The commit: read the head, let the operation draft the next one, publish it by compare-and-swap, or do it again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.draft import Draft
from coldframe.catalog.ids import new_id
from coldframe.catalog.keys import SNAPSHOTS, head_key
from coldframe.catalog.reclaim import free_due, names_held
from coldframe.catalog.versions import History, read_head
from coldframe.exceptions import ConflictException
from coldframe.stores.base import Conflict, Publication, Swap, UnknownOutcome

T = TypeVar("T")

ATTEMPTS = 200
"""A commit that loses this often gives up with a `ConflictException`."""
FREE_AT = 64
"""On a store with a grace period, a commit frees retired keys when there are this many."""


def commit(catalog: Catalog, symbol: str, edit: Callable[[Draft], T], *, operation: str) -> T:
    """Change a symbol: `edit` gets a draft of its head, changes it and returns the operation's result.

    `edit` may run several times, each time on the newest head. It raises to refuse, and leaves the draft unchanged
    where there is nothing to do.

    Raises
    ------
    ConflictException
        Other writers won every time. Nothing was written.
    """
    catalog.check_writable(operation)
    store = catalog.store
    identifier = new_id()
    unknown: UnknownOutcome | None = None
    result: T | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(_pause(attempt, atomic=store.atomic))
        with store.reading() as reader:
            head, tag = read_head(reader, symbol)
            if unknown is not None and result is not None and identifier in head.commits:
                return result  # the reply was lost, the commit was not
            draft = Draft(catalog, reader, head, tag, identifier)
            result = edit(draft)
            if not draft.changed:
                return result
            publication = _publication(catalog, draft)
        try:
            store.publish(publication)
        except Conflict:
            continue
        except UnknownOutcome as error:
            unknown = error
            continue
        return result
    raise ConflictException(
        f"{operation} of symbol '{symbol}' in library '{catalog.library}' lost to other writers {ATTEMPTS} times"
        + (f" (and a reply was lost: {unknown.cause})" if unknown else "")
        + ". Nothing was written; try again, or let fewer writers work on one symbol."
    )


def _publication(catalog: Catalog, draft: Draft) -> Publication:
    store = catalog.store
    head = draft.head
    deletes: list[str] = []
    listed = None
    if head.retired and (store.atomic or len(head.retired) >= FREE_AT):
        reader = draft.history.reader
        held, tags = names_held(reader, head.symbol)
        now = catalog.clock() // 1_000_000_000
        deletes, head.retired = free_due(draft.history, held, now - int(store.grace))
        listed = (SNAPSHOTS, tags)
    swap = Swap(head_key(head.symbol), draft.finish(), draft.tag)
    return Publication(draft.puts, swap, deletes, listed=listed)


def _pause(attempt: int, *, atomic: bool) -> float:
    """Seconds to wait before the next attempt: random, growing, short where a commit is a local transaction."""
    longest = 0.01 if atomic else 0.5
    return random.uniform(0, min(longest, 0.0005 * 2 ** min(attempt, 12)))  # noqa: S311 - jitter, not a secret
