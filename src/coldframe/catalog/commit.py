"""The commit: the operation drafts the next head, which is published by compare-and-swap; or it is done again.

On an object store the first try is made on the head as this process saw it last, so that a commit is one request
where nobody else has changed the symbol. Every further try begins with the newest head.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.damage import damaged
from coldframe.catalog.draft import Draft
from coldframe.catalog.ids import new_id
from coldframe.catalog.keys import SNAPSHOTS, head_key
from coldframe.catalog.reclaim import free_due, names_held
from coldframe.catalog.records import encode_head
from coldframe.catalog.seen import ABSENT
from coldframe.catalog.versions import look, open_head
from coldframe.exceptions import ArcticException, ConflictException, ErrorCode, KeyNotFoundException, StorageException
from coldframe.format.checksums import Damage
from coldframe.stores.base import Conflict, Publication, Reader, Stored, Swap, UnknownOutcome

T = TypeVar("T")

ATTEMPTS = 200
"""A commit that loses this often gives up with a `ConflictException`."""
MISSING_TRIES = 3
"""A commit that finds an object gone looks at the head anew this often."""
FREE_AT = 64
"""On a store with a grace period, a commit frees retired keys when so many are due."""


def commit(
    catalog: Catalog, symbol: str, edit: Callable[[Draft], T], *, operation: str, grace: float | None = None
) -> T:
    """Change a symbol: `edit` gets a draft of its head, changes it and returns the operation's result.

    `edit` may run several times; what it returns or raises counts only on the newest head. It raises to refuse, and
    leaves the draft unchanged where there is nothing to do. `grace` frees retired keys older than so many seconds; by
    default those past the store's own grace period are freed, now and then.

    Raises
    ------
    ConflictException
        Other writers won every time. Nothing was written.
    """
    catalog.check_writable(operation)
    work = _Work(catalog, symbol, edit, grace)
    seen = None if catalog.seen is None else catalog.seen.last(symbol)
    try:
        if seen is None or not work.try_on_seen(seen):
            _try_on_newest(work, catalog, symbol, operation)
    except Exception:
        work.discard()
        raise
    return work.result


def _try_on_newest(work: _Work[Any], catalog: Catalog, symbol: str, operation: str) -> None:
    store = catalog.store
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(_pause(attempt, atomic=store.atomic))
        try:
            with store.reading() as reader:
                publication = work.draft(reader, work.look(reader))
        except Damage as damage:
            raise damaged(damage, catalog.library, symbol) from damage
        except KeyNotFoundException as error:
            if store.atomic or attempt == MISSING_TRIES:
                gone = Damage(f"an object that is named is missing ({error.message})")
                raise damaged(gone, catalog.library, symbol) from error
            continue  # another writer dropped it since the head was read
        if publication is None or work.publish(publication):
            return
    unknown = work.unknown
    raise ConflictException(
        f"{operation} of symbol '{symbol}' in library '{catalog.library}' lost to other writers {ATTEMPTS} times"
        + (f" (and a reply was lost: {unknown.cause})" if unknown else "")
        + ". Nothing was written; try again, or let fewer writers work on one symbol."
    )


class _Work(Generic[T]):
    """A commit on its way: its id, and what its tries so far have come to.

    Attributes
    ----------
    result
        What the operation returned on its last draft, or on the one that turned out to be the head.
    unknown : UnknownOutcome or None
        The last swap whose reply was lost.
    """

    result: T

    def __init__(self, catalog: Catalog, symbol: str, edit: Callable[[Draft], T], grace: float | None) -> None:
        self.unknown: UnknownOutcome | None = None
        self._catalog = catalog
        self._symbol = symbol
        self._edit = edit
        self._grace = grace
        self._identifier = new_id()
        self._in_doubt: dict[bytes, T] = {}
        self._stored: set[str] = set()

    def try_on_seen(self, seen: Stored) -> bool:
        """Try on the head as it was seen last; whether it is published.

        On that head nothing may be refused or found to be done already, nor missed for being freed: it may be old.
        """
        try:
            with self._catalog.store.reading() as reader:
                publication = self.draft(reader, seen)
        except StorageException as error:
            if error.code == ErrorCode.E_S3_RETRYABLE:
                raise  # to wait as long once more would not help
            return False
        except Exception:  # noqa: BLE001 - it is raised again if the newest head gives cause
            return False
        return publication is not None and self.publish(publication)

    def look(self, reader: Reader) -> Stored:
        """The newest head; what it shows is what is expected of the next unknown symbol."""
        stored = look(reader, self._catalog, self._symbol)
        if self._catalog.seen is not None:
            self._catalog.seen.expect(new=stored is ABSENT)
        return stored

    def draft(self, reader: Reader, stored: Stored) -> Publication | None:
        """Let the operation draft what follows this head; None where there is nothing to publish."""
        head = open_head(self._symbol, stored)
        for identifier, result in self._in_doubt.items():
            if identifier in head.commits:
                self.result = result
                return None  # the reply was lost, the commit was not
        draft = Draft(self._catalog, reader, head, None if stored is ABSENT else stored.tag, self._identifier)
        self.result = self._edit(draft)
        return self._publication(draft) if draft.changed else None

    def publish(self, publication: Publication) -> bool:
        """Whether the draft became the head."""
        catalog, swap = self._catalog, publication.swap
        # Stored by refused tries; known to be named by nobody only as long as every answer is known.
        stored, self._stored = self._stored, set()
        freed = () if catalog.store.atomic else publication.deletes
        publication.deletes = publication.deletes if catalog.store.atomic else ()
        try:
            tag = catalog.store.publish(publication)
        except Conflict:
            if self.unknown is None and not catalog.store.atomic:
                self._stored = stored.union(key for key, _ in publication.puts)
        except UnknownOutcome as error:
            self.unknown = error
            self._in_doubt[self._identifier] = self.result
            self._identifier = new_id()
        else:
            if catalog.seen is not None:
                catalog.seen.note(self._symbol, Stored(swap.data, tag), ours=True)
            self._free(freed)
            return True
        if catalog.seen is not None:
            catalog.seen.forget(self._symbol)
        return False

    def _free(self, keys: Sequence[str]) -> None:
        """Remove what is not needed any more. The commit stands, even where that fails."""
        if keys:
            try:
                self._catalog.store.delete(keys)
            except ArcticException:
                if self._grace is not None:
                    raise  # freeing is what was asked for

    def discard(self) -> None:
        """Remove what refused tries have stored; what cannot be removed is left to `reclaim`."""
        if self._stored:
            with contextlib.suppress(Exception):
                self._catalog.store.delete(sorted(self._stored))

    def _publication(self, draft: Draft) -> Publication:
        catalog, head = self._catalog, draft.head
        store, listed = catalog.store, None
        data = draft.finish()
        before = catalog.clock() // 1_000_000_000 - int(store.grace if self._grace is None else self._grace)
        later = self._grace is None and catalog.config.background_deletion  # then only `reclaim` frees
        due = 0 if later else sum(entry.at <= before for entry in head.retired)
        if due and (self._grace is not None or store.atomic or due >= FREE_AT):
            held, tags = names_held(draft.history.reader, head.symbol)
            draft.freed, head.retired = free_due(draft.history, held, before)
            data, listed = encode_head(head), (SNAPSHOTS, tags)
        swap = Swap(head_key(head.symbol), data, draft.tag)
        puts = [put for put in draft.puts if put[0] not in self._stored]
        return Publication(puts, swap, draft.freed, listed=listed)


def _pause(attempt: int, *, atomic: bool) -> float:
    """Seconds to wait before the next attempt: random, growing, short where a commit is a local transaction."""
    longest = 0.01 if atomic else 0.5
    return random.uniform(0, min(longest, 0.0005 * 2 ** min(attempt, 12)))  # noqa: S311 - jitter, not a secret
