"""One read of an LMDB library: a read transaction, its objects as buffers that point into the map."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import lmdb
import xxhash

from coldframe.exceptions import KeyNotFoundException, StorageException
from coldframe.stores.base import Buffer, Entry, Fetch, Reader, Stored
from coldframe.stores.lmdb_environment import Environment
from coldframe.stores.lmdb_errors import translated

if TYPE_CHECKING:
    from coldframe.stores.lmdb import LmdbStore

SIZED: Final = 64 * 1024
"""An object of at least this many bytes has its size in a record of its own.

py-lmdb touches every page of a value that it hands out, so that asking a large object for its length would read it
from the disk. The record's key is the object's with a zero byte, which no key of an object has and which comes next.
"""
MARK: Final = b"\x00"
AFTER_MARK: Final = b"\x01"

tag_of = xxhash.xxh3_64_hexdigest
"""The tag of an object: what it holds, nothing else; 100 KB take a microsecond."""


class LmdbView(Reader):
    """The context of `LmdbStore.reading`: consistent from entering to leaving it; its buffers live as long."""

    __slots__ = ("_cursors", "_environment", "_get", "_large", "_store", "_txn", "buffers", "thread")

    _environment: Environment
    _txn: Any

    def __init__(self, store: LmdbStore, *, buffers: bool = True) -> None:
        self._store = store
        self.buffers = buffers
        self._cursors: list[Any] | None = None
        self._large: dict[str, memoryview] = {}

    def __enter__(self) -> Self:
        self.thread = threading.get_ident()
        attempt = 0
        while True:
            environment = self._environment = self._store.environment()
            environment.views.add(self)
            if environment.blocked:
                environment.views.discard(self)
                if environment.wait_unblocked():
                    continue
                environment.views.add(self)
            try:
                self._txn = environment.begin(buffers=self.buffers)
                self._get = self._txn.get
                return self
            except lmdb.Error as error:
                environment.views.discard(self)
                attempt += 1
                self._store.recover(environment, error, attempt)
            except BaseException:
                environment.views.discard(self)
                raise

    def __exit__(self, *_: object) -> None:
        # A transaction keeps its slot in the lock file until it is deallocated. So this must happen here, and before
        # the environment may be closed by another thread: neither a name nor a cursor may keep it alive.
        if self._cursors:
            for cursor in self._cursors:
                cursor.close()
            self._cursors = None
        self._get = _ended.get
        self._large.clear()
        self._txn.abort()
        self._txn = _ended
        self._environment.views.discard(self)

    def get(self, key: str) -> Stored:
        """The object under `key`; its data is a buffer in the map."""
        try:
            value = self._get(key.encode())
        except lmdb.Error as error:
            raise self._translated(error, key) from error
        if value is None:
            raise self._missing(key)
        return Stored(value, tag_of(value))

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """The objects under `keys`, None where there is none."""
        get = self._get
        found: list[Stored | None] = []
        for key in keys:
            try:
                value = get(key.encode())
            except lmdb.Error as error:
                raise self._translated(error, key) from error
            found.append(None if value is None else Stored(value, tag_of(value)))
        return found

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Byte ranges as buffers in the map."""
        found: list[list[Buffer]] = []
        for item in wanted:
            value = self._large.get(item.key)
            if value is None:
                value = self._value(item.key)
            found.append([value[start:stop] for start, stop in item.ranges])
        return found

    def _value(self, key: str) -> memoryview:
        """An object; a large one is kept in mind, because py-lmdb touches all its pages each time."""
        try:
            value: memoryview | None = self._get(key.encode())
        except lmdb.Error as error:
            raise self._translated(error, key) from error
        if value is None:
            raise self._missing(key)
        if self.buffers and len(value) >= SIZED:
            self._large[key] = value
        return value

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """The entries under a prefix, in the order of keys; without touching the large objects."""
        try:
            cursor = self._txn.cursor()
            if self._cursors is None:
                self._cursors = []
            self._cursors.append(cursor)
            yield from entries(cursor, lambda key: len(self._get(key)), prefix.encode(), start_after.encode())
        except lmdb.Error as error:
            raise self._translated(error, prefix) from error

    def orphan(self) -> Any:
        """Give the transaction away: after a fork it belongs to the parent, and this view to nobody."""
        txn = getattr(self, "_txn", None)
        self._txn = _forked
        self._get = _forked.get
        self._large = {}
        return txn

    def _missing(self, key: str) -> KeyNotFoundException:
        return KeyNotFoundException(f"there is no object '{key}' in the LMDB library at '{self._store.folder}'.")

    def _translated(self, error: lmdb.Error, key: str) -> Exception:
        return translated(error, self._store.folder, key)


class _NoTransaction:
    """What a view holds that has none."""

    def __init__(self, why: str) -> None:
        self._why = why

    def get(self, *_: object) -> Any:
        raise StorageException(self._why)

    def cursor(self) -> Any:
        return self.get()

    def abort(self) -> None:
        pass


_ended: Final = _NoTransaction("this read has ended: use what it gave within its context, or begin a new one.")
_forked: Final = _NoTransaction("this read began before a fork: begin a new one in the child process.")


def entries(cursor: Any, length: Callable[[bytes], int], prefix: bytes, start_after: bytes) -> Iterator[Entry]:
    """Walk the keys of a prefix; sizes of large objects come from records of their own, others from `length`."""
    # The mark of `start_after` itself comes before this, every other key behind it.
    if start_after >= prefix and start_after:
        positioned = cursor.set_range(start_after + AFTER_MARK)
    elif prefix:
        positioned = cursor.set_range(prefix)
    else:
        positioned = cursor.first()
    pending = b""
    if positioned:
        for buffer in cursor.iternext(keys=True, values=False):
            key = bytes(buffer)
            if not key.startswith(prefix):
                break
            if key.endswith(MARK):
                if pending:
                    yield Entry(pending.decode(), int.from_bytes(cursor.value(), "big"))
                pending = b""
                continue
            if pending:
                yield Entry(pending.decode(), length(pending))
            pending = key
    if pending:
        yield Entry(pending.decode(), length(pending))
