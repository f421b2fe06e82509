"""A store that answers late: for seeing what an operation costs where each request takes its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from coldframe.stores.base import Buffer, Entry, Fetch, Publication, Reader, Store, Stored
from coldframe.testing.wrapped import WrappedReader, WrappedStore


class LatencyStore(WrappedStore):
    """Waits before each call; calls on many keys wait as if that many requests ran at once.

    Parameters
    ----------
    inner : Store
    seconds : float
        How long a request takes.
    parallel : int
        How many requests of one call run at once.
    sleep : callable
        Waits; tests may count instead.

    Examples
    --------
    >>> from coldframe.stores.memory import MemoryStore
    >>> waited = []
    >>> store = LatencyStore(MemoryStore(), 0.02, sleep=waited.append)
    >>> store.put_many((f"{i}", b"") for i in range(65))
    >>> waited
    [0.04]
    """

    def __init__(
        self, inner: Store, seconds: float, *, parallel: int = 64, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        super().__init__(inner)
        self.seconds = seconds
        self.parallel = parallel
        self._sleep = sleep

    def wait(self, requests: int = 1) -> None:
        """Wait as long as these requests take."""
        if requests:
            self._sleep(self.seconds * -(-requests // self.parallel))

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A view of the wrapped store that answers late too."""
        with self.inner.reading() as view:
            yield _LateReader(view, self)

    def get(self, key: str) -> Stored:
        """Wait and get."""
        return _LateReader(self.inner, self).get(key)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """Wait and get."""
        return _LateReader(self.inner, self).get_many(keys)

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Wait and fetch."""
        return _LateReader(self.inner, self).fetch(wanted)

    def put(self, key: str, data: Buffer) -> None:
        """Wait and put."""
        self.wait()
        self.inner.put(key, data)

    def put_many(self, puts: Iterable[tuple[str, Buffer]]) -> None:
        """Wait and put."""
        objects = [*puts]
        self.wait(len(objects))
        self.inner.put_many(objects)

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        """Wait and swap."""
        self.wait()
        return self.inner.swap(key, data, expected)

    def delete(self, keys: Sequence[str]) -> None:
        """Wait and delete."""
        self.wait(len(keys))
        self.inner.delete(keys)

    def publish(self, publication: Publication) -> str:
        """Wait and publish: once where it is one transaction, else for the objects, the swap and the deletes."""
        if not self.atomic:
            return super().publish(publication)
        self.wait()
        return self.inner.publish(publication)

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """Wait and list."""
        return _LateReader(self.inner, self).list(prefix, start_after)


class _LateReader(WrappedReader):
    def __init__(self, inner: Reader, store: LatencyStore) -> None:
        super().__init__(inner)
        self._store = store

    def get(self, key: str) -> Stored:
        self._store.wait()
        return self.inner.get(key)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        self._store.wait(len(keys))
        return self.inner.get_many(keys)

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        self._store.wait(len(wanted))
        return self.inner.fetch(wanted)

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        self._store.wait()
        return self.inner.list(prefix, start_after)
