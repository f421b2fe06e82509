"""Libraries in a local folder: one LMDB environment each, every change one durable transaction."""

# Paths are strings: to ask for a file by one takes half as long, and every read does.
# ruff: noqa: PTH100, PTH103, PTH104, PTH110, PTH112, PTH113, PTH116, PTH118, PTH119

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import islice
from typing import Any, Final, NoReturn, TypeVar

import lmdb

from coldframe.exceptions import ErrorCode, PermissionException, StorageException
from coldframe.stores import lmdb_folders as folders
from coldframe.stores.base import (
    Buffer,
    Conflict,
    Entry,
    Fetch,
    Limits,
    Publication,
    Reader,
    Storage,
    Store,
    Stored,
    Swap,
    UnknownOutcome,
)
from coldframe.stores.lmdb_environment import DATA, LOCK, UNBOUNDED, Environment, attach, is_closed, open_new, release
from coldframe.stores.lmdb_errors import disk_is_full, map_full, translated
from coldframe.stores.lmdb_pages import damage_of
from coldframe.stores.lmdb_stream import Batch, Batches, size_of
from coldframe.stores.lmdb_view import MARK, SIZED, LmdbView, entries, tag_of
from coldframe.stores.uri import lmdb_location

T = TypeVar("T")

SMALLEST_LIMIT: Final = 1 << 18
"""Bytes: a `map_size` below this is taken as this; LMDB's own pages need some room."""
ATTEMPTS = 100
"""A transaction that cannot begin so often gives up; two processes that both grow a map may need a few."""
READERS_ATTEMPTS = 3
LISTED_AT_ONCE = 1000


def parse(uri: str, *, read_only: bool = False) -> LmdbStorage:
    """The storage that an `lmdb://` connection string names."""
    location = lmdb_location(uri)
    return LmdbStorage(location.path, map_size=location.map_size, read_only=read_only)


class LmdbStore(Store):
    """One library in a folder of its own.

    `reading` is one read transaction, `publish` one write transaction. Do not publish, put or delete inside `reading`:
    a map that must grow waits for the reads of this process to end, and a thread cannot wait for itself.

    Parameters
    ----------
    storage : LmdbStorage
    library : str
        Need not exist yet.
    """

    limits = Limits(
        inline_piece=16 * 1024, head=64 * 1024, segment=8 * 1024 * 1024, packed=512 * 1024, slices=24
    )
    grace = 0.0
    atomic = True

    def __init__(self, storage: LmdbStorage, library: str) -> None:
        self.storage = storage
        self.library = library
        self.folder = storage.folder(library)
        self.read_only = storage.read_only
        self._data = os.path.join(self.folder, DATA)
        self._lock = os.path.join(self.folder, LOCK)
        self._environment: Environment | None = None

    def __repr__(self) -> str:
        return f"LmdbStore({self.folder!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.storage, self.library))

    # ---------------------------------------------------------------------------------------------------- reading

    def reading(self) -> AbstractContextManager[Reader]:
        """One consistent view; its buffers point into the map and live until the context ends."""
        return LmdbView(self)

    def get(self, key: str) -> Stored:
        """The object under `key`, copied."""
        with LmdbView(self, buffers=False) as view:
            return view.get(key)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """The objects under `keys`, copied."""
        with LmdbView(self, buffers=False) as view:
            return view.get_many(keys)

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Byte ranges, copied."""
        with LmdbView(self) as view:
            return [[bytes(part) for part in parts] for parts in view.fetch(wanted)]

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """The entries under a prefix, in several reads: no transaction stays open between entries."""
        while True:
            with LmdbView(self) as view:
                found = [*islice(view.list(prefix, start_after), LISTED_AT_ONCE)]
            yield from found
            if len(found) < LISTED_AT_ONCE:
                return
            start_after = found[-1].key

    # ---------------------------------------------------------------------------------------------------- writing

    def put(self, key: str, data: Buffer) -> None:
        """Store an object."""
        self._transact(lambda txn: _put(txn, key, data), key, size_of(data))

    def put_many(self, puts: Iterable[tuple[str, Buffer]]) -> None:
        """Store objects in transactions of bounded size, each written while the next one is being encoded."""
        self._check_writable()
        with Batches(self._put_batch) as batches:
            last = batches.all_but_last(puts)
        if last:
            self._put_batch(last)

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        """Store `data` if the stored object has the tag `expected`."""
        return self.publish(Publication((), Swap(key, data, expected)))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, in one transaction."""
        self._check_writable()
        if keys:
            self._transact(lambda txn: _delete(txn, keys), keys[0])

    def publish(self, publication: Publication) -> str:
        """Store, swap and delete in one transaction.

        When the new objects pass 32 MiB, earlier ones are stored in transactions before that one. Should the
        publication fail, they are removed again.
        """
        self._check_writable()
        swap = publication.swap
        streamed: list[str] = []

        def stream(batch: Batch) -> None:
            streamed.extend(self._transact(lambda txn: _put_unless_lost(txn, batch, swap), swap.key, _total(batch)))

        try:
            with Batches(stream) as batches:
                puts = batches.all_but_last(publication.puts)
            return self._transact(
                lambda txn: _publish(txn, publication, puts, streamed), swap.key, _total(puts), conditional=True
            )
        except UnknownOutcome:
            raise
        except BaseException:
            if streamed:
                with suppress(Exception):  # what stays is an orphan, which `reclaim` removes
                    self.delete(streamed)
            raise

    def _put_batch(self, batch: Batch) -> None:
        self._transact(lambda txn: _put_all(txn, batch), batch[0][0], _total(batch))

    def damage(self) -> str | None:
        """What is wrong with the pages of the file, None if nothing is.

        It is found without LMDB, which checks little and may end the process where pages do not fit together.
        """
        environment = self.environment()
        try:
            with environment.begin() as txn:
                return damage_of(self._data, environment.handle.stat()["psize"], txn.id())
        except (lmdb.Error, OSError) as error:
            raise translated(error, self.folder) from error

    def close(self) -> None:
        """Close the file, unless somebody in this process is reading or writing; any use opens it again."""
        environment, self._environment = self._environment, None
        if environment is not None:
            release(environment)

    # ------------------------------------------------------------------------------------------------ environment

    def environment(self) -> Environment:
        """The open environment of the file that is there now.

        Raises
        ------
        NoDataFoundException
            The library was deleted, or never created.
        """
        environment = self._environment
        if environment is not None:
            try:
                found = os.stat(self._lock if environment.locked else self._data)
                if found.st_ino == environment.inode and found.st_dev == environment.device:
                    return environment
            except OSError:
                pass  # deleted, or only the lock file
        return self._attach()

    def _attach(self) -> Environment:
        before = self._environment
        try:
            self._environment = attach(self.folder, read_only=self.read_only, limit=self.storage.limit)
        except BaseException:
            self.close()  # the disk gets its space back
            raise
        if before is not None and before is not self._environment:
            release(before)
        return self._environment

    def recover(self, environment: Environment, error: lmdb.Error, attempt: int) -> None:
        """Do what lets a transaction begin that could not, or raise."""
        if attempt >= ATTEMPTS:
            raise translated(error, self.folder) from error
        if is_closed(error):
            return
        if isinstance(error, lmdb.ReadersFullError) and attempt < READERS_ATTEMPTS:
            if environment.handle is not None:
                environment.handle.reader_check()
        elif isinstance(error, lmdb.MapResizedError | lmdb.PanicError):
            environment.follow()
        else:
            raise translated(error, self.folder) from error

    def _check_writable(self) -> None:
        if self.read_only:
            raise _read_only(f"the library '{self.library}'", self.folder)

    def _transact(self, work: Callable[[Any], T], key: str, size: int = 0, *, conditional: bool = False) -> T:
        """Run `work` in one write transaction and commit it; it runs again where room had to be made first."""
        self._check_writable()
        attempt = 0
        freed = False
        while True:
            environment = self.environment()
            with environment.write_lock:
                if environment.inode < 0:  # closed meanwhile
                    continue
                self._prepare(environment)
                try:
                    txn = environment.begin(write=True)
                except lmdb.Error as error:
                    attempt += 1
                    self.recover(environment, error, attempt)
                    continue
                try:
                    return _run(txn, work)
                except lmdb.MapFullError:
                    if environment.grow(self.storage.limit):
                        continue
                    if freed or not _free_pages(environment):
                        raise map_full(self.folder, environment.map_size, self.storage.limit) from None
                except (lmdb.Error, _CommitFailed) as error:
                    cause = error.args[0] if isinstance(error, _CommitFailed) else error
                    if freed or not disk_is_full(cause, self.folder, size) or not _free_pages(environment):
                        self._failed(environment, cause, key, size, unknown=conditional and cause is not error)
                freed = True

    def _prepare(self, environment: Environment) -> None:
        """Make an environment that was opened by another handle fit for a write by this one."""
        if environment.read_only:
            environment.make_writable()
        if environment.map_size > self.storage.limit:
            environment.shrink(self.storage.limit)

    def _failed(self, environment: Environment, error: lmdb.Error, key: str, size: int, *, unknown: bool) -> NoReturn:
        """Raise what a failed write means. A commit that broke off at the device may be on the disk or not."""
        if isinstance(error, lmdb.PanicError | lmdb.CorruptedError) or unknown:
            with suppress(Exception):
                environment.follow()
        if unknown and not disk_is_full(error, self.folder, size):
            raise UnknownOutcome(key, str(error)) from error
        raise translated(error, self.folder, key, size) from error


class _CommitFailed(Exception):
    """What went wrong in committing, after which the outcome may not be known."""


def _run(txn: Any, work: Callable[[Any], T]) -> T:
    try:
        result = work(txn)
    except BaseException:
        txn.abort()
        raise
    try:
        txn.commit()
    except lmdb.MapFullError:
        raise
    except lmdb.Error as error:
        raise _CommitFailed(error) from error
    return result


def _free_pages(environment: Environment) -> bool:
    """Let LMDB reuse the pages that the last transaction freed, which takes one more transaction; whether that worked.

    The key is one that no object has.
    """
    try:
        _run(environment.begin(write=True), lambda txn: txn.put(MARK, b""))
    except (lmdb.Error, _CommitFailed):
        return False
    return True


def _restore(storage: LmdbStorage, library: str) -> Store:
    return storage.store(library)


# ------------------------------------------------------------------------------------------ inside a transaction


def _put(txn: Any, key: str, data: Buffer) -> None:
    name = key.encode()
    txn.put(name, data)
    size = size_of(data)
    if size >= SIZED:
        txn.put(name + MARK, size.to_bytes(8, "big"))
    else:
        txn.delete(name + MARK)


def _put_all(txn: Any, puts: Iterable[tuple[str, Buffer]]) -> None:
    for key, data in puts:
        _put(txn, key, data)


def _delete(txn: Any, keys: Iterable[str]) -> None:
    for key in keys:
        name = key.encode()
        if txn.delete(name):
            txn.delete(name + MARK)


def _put_unless_lost(txn: Any, batch: Batch, swap: Swap) -> list[str]:
    """Store the first objects of a publication that can still succeed; the keys that are new."""
    _check(txn, swap.key, swap.expected)
    cursor = txn.cursor()
    new = [key for key, _ in batch if not cursor.set_key(key.encode())]
    cursor.close()
    _put_all(txn, batch)
    return new


def _publish(txn: Any, publication: Publication, puts: Iterable[tuple[str, Buffer]], streamed: Sequence[str]) -> str:
    swap = publication.swap
    _check(txn, swap.key, swap.expected)
    for key, expected in publication.unchanged.items():
        _check(txn, key, expected)
    if publication.listed is not None:
        _check_listed(txn, *publication.listed)
    if streamed:
        _check_there(txn, streamed)
    _put_all(txn, puts)
    _put(txn, swap.key, swap.data)
    _delete(txn, publication.deletes)
    return tag_of(swap.data)


def _check(txn: Any, key: str, expected: str | None) -> None:
    value = txn.get(key.encode())
    if (None if value is None else tag_of(value)) != expected:
        raise Conflict(key)


def _check_listed(txn: Any, prefix: str, expected: Any) -> None:
    found = 0
    for entry in entries(txn.cursor(), lambda key: len(txn.get(key)), prefix.encode(), b""):
        if entry.key not in expected:
            raise Conflict(entry.key)
        _check(txn, entry.key, expected[entry.key])
        found += 1
    if found != len(expected):
        raise Conflict(prefix)


def _check_there(txn: Any, keys: Iterable[str]) -> None:
    """Somebody may have taken what was stored ahead of the publish step for garbage."""
    cursor = txn.cursor()
    for key in keys:
        if not cursor.set_key(key.encode()):
            raise Conflict(key)
    cursor.close()


def _total(puts: Iterable[tuple[str, Buffer]]) -> int:
    return sum(size_of(data) for _, data in puts)


# -------------------------------------------------------------------------------------------------------- storage


class LmdbStorage(Storage):
    """A folder that holds one library per subfolder.

    Parameters
    ----------
    path : str
        The folder; created unless `read_only`.
    map_size : int, optional
        Bytes that each library may grow to. Without it, as far as the disk goes.
    read_only : bool
        Nothing is ever written; but readers take their slots in the lock file where they may, which keeps writers
        from reusing the pages they read.
    """

    def __init__(self, path: str, *, map_size: int | None = None, read_only: bool = False) -> None:
        self.path = os.path.abspath(path)
        self.map_size = map_size
        self.limit = UNBOUNDED if map_size is None else max(map_size // 4096 * 4096, SMALLEST_LIMIT)
        self.read_only = read_only
        self.uri = f"lmdb://{self.path}" + ("" if map_size is None else f"?map_size={_spelled(map_size)}")
        self._stores: dict[str, LmdbStore] = {}
        self._check_path()

    def _check_path(self) -> None:
        if not self.read_only:
            try:
                os.makedirs(self.path, exist_ok=True)
            except FileExistsError:
                pass  # a file: said below
            except OSError as error:
                raise translated(error, self.path) from error
        if not os.path.isdir(self.path):
            found = "a file, not a folder" if os.path.exists(self.path) else "not there"
            raise StorageException(
                f"there is no LMDB storage at '{self.path}': it is {found}. Check the path of the connection string; "
                "one that is opened to read only is not created.",
                code=ErrorCode.E_RESOURCE_NOT_FOUND,
            )

    def __repr__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_storage, (self.path, self.map_size, self.read_only))

    def describe(self) -> str:
        """The storage as shown in a repr."""
        return f"LMDB(path={self.path})"

    def folder(self, library: str) -> str:
        """The folder of a library."""
        return os.path.join(self.path, folders.encode_name(library))

    def store(self, library: str) -> LmdbStore:
        """The store of a library, which need not exist yet."""
        store = self._stores.get(library)
        if store is None:
            store = self._stores.setdefault(library, LmdbStore(self, library))
        return store

    def has(self, library: str) -> bool:
        """Whether the library exists."""
        return os.path.isfile(os.path.join(self.folder(library), DATA))

    def names(self) -> list[str]:
        """The names of all libraries."""
        try:
            return folders.library_names(self.path)
        except OSError as error:
            raise translated(error, self.path) from error

    def create(self, library: str, key: str, data: bytes) -> None:
        """Create a library: it is built under another name and renamed, so that it is there whole or not at all."""
        self._check_writable(library)
        folder = self.folder(library)
        if self.has(library):
            raise Conflict(key)
        folders.sweep(self.path)
        building = None
        try:
            building = folders.new_folder(self.path)
            self._build(building, folder, library, key, data)
            os.rename(building, folder)
            folders.sync_folder(self.path)
        except (lmdb.Error, OSError) as error:
            if self.has(library):  # another one was faster
                raise Conflict(key) from None
            raise translated(error, folder, key, len(data)) from error
        finally:
            if building is not None:
                shutil.rmtree(building, ignore_errors=True)

    def _build(self, building: str, folder: str, library: str, key: str, data: bytes) -> None:
        environment = open_new(building, self.limit)
        try:
            with environment.begin(write=True) as txn:
                _put(txn, key, data)
        except lmdb.MapFullError:
            raise map_full(folder, self.limit, self.limit) from None
        finally:
            environment.close()
        if folders.is_shortened(os.path.basename(folder)):
            folders.write_name(building, library)
        folders.sync_folder(building)

    def drop(self, library: str) -> None:
        """Remove a library; from here on its handles raise `NoDataFoundException`, reads that are running end well."""
        self._check_writable(library)
        try:
            aside = folders.set_aside(self.path, self.folder(library))
        except OSError as error:
            raise translated(error, self.folder(library)) from error
        store = self._stores.get(library)
        if store is not None:
            store.close()
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        folders.sweep(self.path)

    def _check_writable(self, library: str) -> None:
        if self.read_only:
            raise _read_only(f"the storage of library '{library}'", self.path)


def _restore_storage(path: str, map_size: int | None, read_only: bool) -> LmdbStorage:
    return LmdbStorage(path, map_size=map_size, read_only=read_only)


def _read_only(what: str, path: str) -> PermissionException:
    return PermissionException(
        f"{what} at '{path}' is opened to read only: nothing is written. Connect without mode=\"r\" to change it."
    )


def _spelled(size: int) -> str:
    """A size as a connection string has it; sizes that are no whole number of kilobytes are rounded up."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{-(-size // 1000)}KB"
