"""The commit: read the head, let the operation draft the next one, publish it by compare-and-swap, or do it again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.damage import damaged
from coldframe.catalog.draft import Draft
from coldframe.catalog.ids import new_id
from coldframe.catalog.keys import SNAPSHOTS, head_key
from coldframe.catalog.reclaim import free_due, names_held
from coldframe.catalog.versions import read_head
from coldframe.exceptions import ConflictException, KeyNotFoundException
from coldframe.format.checksums import Damage
from coldframe.stores.base import Conflict, Publication, Swap, UnknownOutcome

T = TypeVar("T")

ATTEMPTS = 200
"""A commit that loses this often gives up with a `ConflictException`."""
MISSING_TRIES = 3
"""A commit that finds an object gone looks at the head anew this often."""
FREE_AT = 64
"""On a store with a grace period, a commit frees retired keys when there are this many."""


def commit(
    catalog: Catalog, symbol: str, edit: Callable[[Draft], T], *, operation: str, grace: float | None = None
) -> T:
    """Change a symbol: `edit` gets a draft of its head, changes it and returns the operation's result.

    `edit` may run several times, each time on the newest head. It raises to refuse, and leaves the draft unchanged
    where there is nothing to do. `grace` frees retired keys older than so many seconds; by default those past the
    store's own grace period are freed, now and then.

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
        try:
            with store.reading() as reader:
                head, tag = read_head(reader, symbol)
                if unknown is not None and result is not None and identifier in head.commits:
                    return result  # the reply was lost, the commit was not
                draft = Draft(catalog, reader, head, tag, identifier)
                result = edit(draft)
                if not draft.changed:
                    return result
                publication = _publication(catalog, draft, grace)
        except Damage as damage:
            raise damaged(damage, catalog.library, symbol) from damage
        except KeyNotFoundException as error:
            if store.atomic or attempt == MISSING_TRIES:
                gone = Damage(f"an object that is named is missing ({error.message})")
                raise damaged(gone, catalog.library, symbol) from error
            continue  # another writer dropped it since the head was read
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


def _publication(catalog: Catalog, draft: Draft, grace: float | None) -> Publication:
    store = catalog.store
    head = draft.head
    listed = None
    if head.retired and (grace is not None or store.atomic or len(head.retired) >= FREE_AT):
        reader = draft.history.reader
        held, tags = names_held(reader, head.symbol)
        before = catalog.clock() // 1_000_000_000 - int(store.grace if grace is None else grace)
        draft.freed, head.retired = free_due(draft.history, held, before)
        listed = (SNAPSHOTS, tags)
    swap = Swap(head_key(head.symbol), draft.finish(), draft.tag)
    return Publication(draft.puts, swap, draft.freed, listed=listed)


def _pause(attempt: int, *, atomic: bool) -> float:
    """Seconds to wait before the next attempt: random, growing, short where a commit is a local transaction."""
    longest = 0.01 if atomic else 0.5
    return random.uniform(0, min(longest, 0.0005 * 2 ** min(attempt, 12)))  # noqa: S311 - jitter, not a secret
