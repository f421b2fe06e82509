"""A store that counts what is asked of another one: calls, keys and bytes per verb."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from coldframe.stores.base import Buffer, Entry, Fetch, Publication, Reader, Store, Stored
from coldframe.testing.wrapped import WrappedReader, WrappedStore

PAGE = 1000
"""Entries that an object store lists per request."""


@dataclass(slots=True)
class Count:
    """How often a verb was called, on how many keys in all, and how many bytes it moved."""

    calls: int = 0
    keys: int = 0
    bytes: int = 0


class Counter:
    """The counts of one store and its views.

    Attributes
    ----------
    counts : dict of str to Count
        By verb: `get`, `fetch`, `list`, `put`, `swap`, `delete`, `publish`. `get_many` counts as `get`, `put_many`
        as `put`; `publish` only where it is one transaction.
    """

    def __init__(self) -> None:
        self.counts: dict[str, Count] = {}
        self._lock = threading.Lock()

    def add(self, verb: str, keys: int, size: int) -> None:
        """Count one call."""
        with self._lock:
            count = self.counts.setdefault(verb, Count())
            count.calls += 1
            count.keys += keys
            count.bytes += size


class CountingStore(WrappedStore):
    """Counts calls, keys and bytes per verb.

    Parameters
    ----------
    inner : Store

    Examples
    --------
    >>> from coldframe.stores.memory import MemoryStore
    >>> store = CountingStore(MemoryStore())
    >>> store.put("a", b"four")
    >>> store.get_many(["a", "b"])[1] is None
    True
    >>> store.counts
    {'put': Count(calls=1, keys=1, bytes=4), 'get': Count(calls=1, keys=2, bytes=4)}
    >>> store.requests
    3
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._counter = Counter()

    @property
    def counts(self) -> dict[str, Count]:
        """The counts by verb since the start or the last `reset`."""
        return self._counter.counts

    @property
    def requests(self) -> int:
        """How many requests this would be on an object store: one per key, one per 1,000 entries listed."""
        total = 0
        for verb, count in self.counts.items():
            total += count.calls + count.keys // PAGE if verb == "list" else count.keys
        return total

    def reset(self) -> None:
        """Count from zero."""
        self._counter.counts = {}

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A view of the wrapped store that counts too."""
        with self.inner.reading() as view:
            yield _CountingReader(view, self._counter)

    def get(self, key: str) -> Stored:
        """Count and get."""
        return _CountingReader(self.inner, self._counter).get(key)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """Count and get."""
        return _CountingReader(self.inner, self._counter).get_many(keys)

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Count and fetch."""
        return _CountingReader(self.inner, self._counter).fetch(wanted)

    def put(self, key: str, data: Buffer) -> None:
        """Count and put."""
        self.inner.put(key, data)
        self._counter.add("put", 1, len(data))

    def put_many(self, puts: Iterable[tuple[str, Buffer]]) -> None:
        """Count and put."""
        passed = _Passing(puts)
        try:
            self.inner.put_many(passed)
        finally:
            self._counter.add("put", passed.keys, passed.bytes)

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        """Count and swap, whether it succeeds or not."""
        self._counter.add("swap", 1, len(data))
        return self.inner.swap(key, data, expected)

    def delete(self, keys: Sequence[str]) -> None:
        """Count and delete."""
        self._counter.add("delete", len(keys), 0)
        self.inner.delete(keys)

    def publish(self, publication: Publication) -> str:
        """Count and publish: as one call where it is one transaction, else as what it is made of."""
        if not self.atomic:
            return super().publish(publication)
        passed = _Passing(publication.puts)
        swap = publication.swap
        try:
            return self.inner.publish(
                Publication(passed, swap, publication.deletes, publication.unchanged, publication.listed)
            )
        finally:
            keys = passed.keys + 1 + len(publication.deletes)
            self._counter.add("publish", keys, passed.bytes + len(swap.data))

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """Count and list."""
        return _CountingReader(self.inner, self._counter).list(prefix, start_after)


class _CountingReader(WrappedReader):
    def __init__(self, inner: Reader, counter: Counter) -> None:
        super().__init__(inner)
        self._counter = counter

    def get(self, key: str) -> Stored:
        size = 0
        try:
            stored = self.inner.get(key)
            size = len(stored.data)
            return stored
        finally:
            self._counter.add("get", 1, size)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        found = self.inner.get_many(keys)
        self._counter.add("get", len(keys), sum(len(stored.data) for stored in found if stored is not None))
        return found

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        size = 0
        try:
            found = self.inner.fetch(wanted)
            size = sum(len(part) for parts in found for part in parts)
            return found
        finally:
            self._counter.add("fetch", len(wanted), size)

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        entries = 0
        try:
            for entry in self.inner.list(prefix, start_after):
                entries += 1
                yield entry
        finally:
            self._counter.add("list", entries, 0)


class _Passing:
    """Objects on their way to a store, counted as they pass."""

    def __init__(self, puts: Iterable[tuple[str, Buffer]]) -> None:
        self._puts = puts
        self.keys = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[tuple[str, Buffer]]:
        for key, data in self._puts:
            self.keys += 1
            self.bytes += len(data)
            yield key, data
