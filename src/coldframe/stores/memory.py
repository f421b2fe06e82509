"""Libraries in a dict: the reference implementation, behaving as an object store: nothing but `swap` is atomic."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from coldframe.exceptions import KeyNotFoundException, NoDataFoundException, PermissionException, StorageException
from coldframe.stores.base import Buffer, Conflict, Entry, Fetch, Storage, Store, Stored

_storages: weakref.WeakValueDictionary[int, MemoryStorage] = weakref.WeakValueDictionary()
_tokens = itertools.count()
_tags = itertools.count(1)
_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def parse(uri: str, *, read_only: bool = False) -> MemoryStorage:
    """A new, empty storage; what follows `mem://` means nothing."""
    del uri
    return MemoryStorage(read_only=read_only)


class MemoryStore(Store):
    """One library in a dict.

    Parameters
    ----------
    grace : float
        Seconds that retired keys stay.
    read_only : bool
    storage : MemoryStorage, optional
        The storage that the store belongs to; without one it stands alone.
    library : str

    Examples
    --------
    >>> store = MemoryStore()
    >>> tag = store.swap("heads/a", b"one", None)
    >>> bytes(store.get("heads/a").data)
    b'one'
    """

    def __init__(
        self,
        grace: float = 60.0,
        *,
        read_only: bool = False,
        storage: MemoryStorage | None = None,
        library: str = "",
    ) -> None:
        self.grace = grace
        self.read_only = read_only
        self.storage = storage
        self.library = library
        self._objects: dict[str, Stored] | None = {} if storage is None else None
        self._lock = threading.Lock()
        _stores.add(self)

    def __repr__(self) -> str:
        return f"MemoryStore({self.library!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.storage is None:
            raise StorageException("a memory store that belongs to no storage cannot be pickled.")
        return (_restore_store, (self.storage, self.library))

    def get(self, key: str) -> Stored:
        """The object under `key`."""
        stored = self._there().get(key)
        if stored is None:
            raise self._missing(key)
        return stored

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """The objects under `keys`, None where there is none."""
        objects = self._there()
        return [objects.get(key) for key in keys]

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Byte ranges of several objects."""
        found: list[list[Buffer]] = []
        for item in wanted:
            data = memoryview(self.get(item.key).data)
            found.append([data[start:stop] for start, stop in item.ranges])
        return found

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """The entries under a prefix, in the order of keys, as they are now."""
        with self._lock:
            found = [
                Entry(key, len(stored.data))
                for key, stored in self._there().items()
                if key.startswith(prefix) and key > start_after
            ]
        found.sort(key=lambda entry: entry.key)
        return iter(found)

    def put(self, key: str, data: Buffer) -> None:
        """Store an object."""
        stored = Stored(bytes(data), str(next(_tags)))
        with self._lock:
            self._writable()[key] = stored

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        """Store `data` if the stored object has the tag `expected`."""
        stored = Stored(bytes(data), str(next(_tags)))
        with self._lock:
            objects = self._writable()
            current = objects.get(key)
            if (None if current is None else current.tag) != expected:
                raise Conflict(key)
            objects[key] = stored
        return stored.tag

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects."""
        for key in keys:
            with self._lock:
                self._writable().pop(key, None)
        if not keys:
            self._writable()

    def create(self, key: str, data: bytes) -> None:
        """Let the library begin with one object; raises `Conflict` if it exists."""
        with self._lock:
            if self._objects is not None:
                raise Conflict(key)
            self._objects = {key: Stored(bytes(data), str(next(_tags)))}

    def clear(self) -> None:
        """Let the library end."""
        with self._lock:
            self._objects = None

    @property
    def exists(self) -> bool:
        """Whether the library exists."""
        return self._objects is not None

    def _there(self) -> dict[str, Stored]:
        if self._objects is None:
            raise NoDataFoundException(
                f"there is no library '{self.library}' in this memory storage: it was deleted, or never created."
            )
        return self._objects

    def _writable(self) -> dict[str, Stored]:
        if self.read_only:
            raise PermissionException(f"the library '{self.library}' is opened to read only: nothing is written.")
        return self._there()

    def _missing(self, key: str) -> KeyNotFoundException:
        return KeyNotFoundException(f"there is no object '{key}' in library '{self.library}' in memory.")


class MemoryStorage(Storage):
    """Libraries that live as long as this object does, in this process.

    Parameters
    ----------
    grace : float
        Seconds that retired keys stay, for each store.
    read_only : bool
    """

    def __init__(self, *, grace: float = 60.0, read_only: bool = False) -> None:
        self.uri = "mem://"
        self.grace = grace
        self.read_only = read_only
        self._stores: dict[str, MemoryStore] = {}
        self._token = next(_tokens)
        _storages[self._token] = self

    def __repr__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_storage, (self._token, os.getpid()))

    def describe(self) -> str:
        """The storage as shown in a repr."""
        return "MEM()"

    def store(self, library: str) -> MemoryStore:
        """The store of a library, which need not exist yet."""
        store = self._stores.get(library)
        if store is None:
            made = MemoryStore(self.grace, read_only=self.read_only, storage=self, library=library)
            store = self._stores.setdefault(library, made)
        return store

    def has(self, library: str) -> bool:
        """Whether the library exists."""
        store = self._stores.get(library)
        return store is not None and store.exists

    def names(self) -> list[str]:
        """The names of all libraries."""
        return sorted(name for name, store in list(self._stores.items()) if store.exists)

    def create(self, library: str, key: str, data: bytes) -> None:
        """Create a library with one object; raises `Conflict` if it exists."""
        self._check_writable(library)
        self.store(library).create(key, data)

    def drop(self, library: str) -> None:
        """Remove a library; handles to it raise `NoDataFoundException` from here on."""
        self._check_writable(library)
        store = self._stores.get(library)
        if store is not None:
            store.clear()

    def _check_writable(self, library: str) -> None:
        if self.read_only:
            raise PermissionException(f"the storage of library '{library}' is opened to read only: nothing is written.")


def _restore_store(storage: MemoryStorage, library: str) -> MemoryStore:
    return storage.store(library)


def _restore_storage(token: int, process: int) -> MemoryStorage:
    storage = _storages.get(token) if process == os.getpid() else None
    if storage is None:
        raise StorageException(
            "a mem:// storage lives in the process that made it, as long as its Arctic instance, and cannot be shared "
            "with another process. Use lmdb:// or an object store for that."
        )
    return storage


def _forget_locks_after_fork() -> None:
    # A thread of the parent may have held one; the dicts themselves are whole, as one operation changes them.
    for store in list(_stores):
        store._lock = threading.Lock()  # noqa: SLF001 - the same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks_after_fork)
