"""Heads as this process saw them last: where commits and reads on an object store start, instead of looking first.

What is remembered may be out of date, and that is harmless: a head is replaced only while it still has the tag it had
when it was seen, so the store refuses a commit that started from an old one, and it looks anew. What was read from an
old one is thrown away when the newest comes (`operations/versions.py`).
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from coldframe.stores import fork
from coldframe.stores.base import Store, Stored

BYTES_KEPT = 32 * 1024 * 1024
ABSENT = Stored(b"", "")
"""Seen where a symbol has no head."""
_OVERHEAD = 500
"""About what remembering a head takes beside its bytes."""


class SeenHeads:
    """The head of each symbol of one store as it was seen last; those not used for longest are forgotten.

    Parameters
    ----------
    budget : int
        How many bytes to keep.

    Examples
    --------
    >>> heads = SeenHeads()
    >>> heads.last("s") is None
    True
    >>> heads.note("s", Stored(b"head", "tag"))
    >>> heads.last("s").tag
    'tag'
    """

    def __init__(self, budget: int = BYTES_KEPT) -> None:
        self._budget = budget
        self._expect_new = False
        self._heads: dict[str, Stored] = {}
        self._changing: set[str] = set()
        self._size = 0
        self.renew_after_fork()
        fork.renew_in_child(self)

    def renew_after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    def last(self, symbol: str) -> Stored | None:
        """The head as seen last, `ABSENT` where there was none or none is expected; None: look first."""
        with self._lock:
            stored = self._heads.pop(symbol, None)
            if stored is not None:
                self._heads[symbol] = stored  # used last: forgotten last
                return stored
            return ABSENT if self._expect_new else None

    def steady(self, symbol: str) -> Stored | None:
        """The head as seen last, unless another process had changed it when this one looked last."""
        with self._lock:
            stored = self._heads.get(symbol)
            return None if stored is ABSENT or symbol in self._changing else stored

    def note(self, symbol: str, stored: Stored, *, ours: bool = False) -> None:
        """Remember a head that was seen, or that there is none; `ours`: this process has made it."""
        if stored.tag or stored is ABSENT:
            with self._lock:
                before = self._heads.get(symbol)
                self._drop(symbol)
                self._heads[symbol] = stored
                if before is not None and before.tag != stored.tag and not ours:
                    self._changing.add(symbol)
                self._size += _OVERHEAD + len(stored.data)
                while self._size > self._budget:
                    self._drop(next(iter(self._heads)))

    def forget(self, symbol: str) -> None:
        """The head is not what was remembered."""
        with self._lock:
            self._drop(symbol)

    def expect(self, *, new: bool) -> None:
        """What to take an unknown symbol for.

        In a library that this process has created, and after a symbol that was looked for in order to write it and was
        not there, an unknown symbol is taken for a new one: its head is created without looking for it first. After one
        that was there, the next is looked for.
        """
        self._expect_new = new

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._heads.clear()
            self._changing.clear()
            self._size = 0

    def _drop(self, symbol: str) -> None:
        stored = self._heads.pop(symbol, None)
        self._changing.discard(symbol)
        if stored is not None:
            self._size -= _OVERHEAD + len(stored.data)


_by_store: WeakKeyDictionary[Store, SeenHeads] = WeakKeyDictionary()


def seen_heads(store: Store) -> SeenHeads | None:
    """What all handles of a library in this process share; None where a commit is a local transaction anyway."""
    if store.atomic:
        return None
    found = _by_store.get(store)
    return found if found is not None else _by_store.setdefault(store, SeenHeads())
