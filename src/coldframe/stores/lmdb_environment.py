"""The LMDB environments of this process: each file opened once, shared, grown when full, opened anew after a fork.

LMDB wants a file opened once per process, no transaction running while its map is replaced, and nothing of a parent's
environment touched by a forked child. This is the one place that sees to it; it knows files, not what is in them.
"""

# Paths are strings: to ask for a file by one takes half as long, and every read does.
# ruff: noqa: PTH108, PTH110, PTH116, PTH118

from __future__ import annotations

import errno
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import lmdb

from coldframe.exceptions import StorageException
from coldframe.stores.lmdb_errors import damaged, deleted, error_number, translated
from coldframe.stores.lmdb_pages import damage_of

DATA: Final = "data.mdb"
LOCK: Final = "lock.mdb"
MAX_READERS: Final = 4096
"""Read transactions at once, by all processes together; 64 bytes each in the lock file."""
UNBOUNDED: Final = 1 << 62
"""The bound of a map without `map_size`."""
FIRST_MAP: int | None = None
"""Overrides the size of the map at opening; tests set it to make maps grow."""
KEPT = 64
"""Environments that stay open when nobody uses them; each takes three file descriptors."""
PATIENCE = 30.0
"""Seconds that growing the map waits for this process's readers."""

_GIB = 1 << 30
_STEP = 1 << 16
_SMALLEST_FILE = 8192
_REOPEN_SECONDS = 5.0
_LOCK_BYTES = 16 * 1024  # of 256 KiB: the slots of the first 250 readers

_lock = threading.RLock()
_books_lock = threading.Lock()
_forked = False
_open: dict[tuple[int, int], Environment] = {}
_inherited: list[Any] = []


class View(Protocol):
    """A running read, as its environment knows it."""

    thread: int

    def orphan(self) -> Any:
        """Give the transaction away: it belongs to the parent process."""


class Environment:
    """One open file, shared by every handle of this process.

    Attributes
    ----------
    begin : callable
        Begins a transaction of the open environment.
    identity : tuple of int
        Device and inode of `data.mdb`.
    locked : bool
        Whether there is a lock file.
    device, inode : int
        By what handles see that the file at their path is the one that is open: the lock file, or `data.mdb` where
        there is none. -1 when nothing is open any more and handles must attach anew. Not `data.mdb` itself, because
        Linux (since 6.13) gives a file that was asked for its times a finer one at the next write, which `fsync` then
        has to bring to the journal: a commit took 80 microseconds longer.
    write_lock : lock
        Held while a write transaction runs or the map is replaced.
    views : set
        The running reads of this process; while there is one, the map stays as it is.
    blocked : bool
        New reads wait a moment.
    """

    __slots__ = (
        "begin",
        "blocked",
        "device",
        "folder",
        "handle",
        "identity",
        "inode",
        "locked",
        "map_size",
        "read_only",
        "views",
        "write_lock",
    )

    def __init__(self, folder: str, *, read_only: bool, limit: int) -> None:
        self.folder = folder
        self.identity = (-1, -1)
        self.locked = False
        self.device = self.inode = -1
        self.write_lock = threading.RLock()
        self.views: set[View] = set()
        self.blocked = False
        self.read_only = read_only
        self.map_size = 0
        self.handle: Any = None
        self.begin: Callable[..., Any] = _closed
        self._open(first_map(folder, limit))

    def wait_unblocked(self) -> bool:
        """Wait while the map is being replaced; False if this thread reads already, so that waiting is no use."""
        me = threading.get_ident()
        if any(view.thread == me for view in list(self.views)):
            return False
        while self.blocked:
            time.sleep(0.0002)
        return True

    def grow(self, limit: int) -> bool:
        """Double the map, up to `limit`; whether it grew. `write_lock` is held and no write transaction runs."""
        wanted = min(limit, 2 * self.map_size)
        if wanted <= self.map_size:
            return False
        with self._alone():
            self._reopen(wanted)
        return True

    def shrink(self, limit: int) -> None:
        """Take the map back to `limit`, as far as what is stored allows; `write_lock` is held."""
        try:
            needed = max(limit, os.stat(os.path.join(self.folder, DATA)).st_size)
        except OSError as error:
            raise translated(error, self.folder) from error
        if needed < self.map_size:
            with self._alone():
                self._reopen(needed)

    def follow(self) -> None:
        """Adopt the size that another process gave the file, or recover from a failed write."""
        with self.write_lock:
            if self.inode < 0:
                return
            with self._alone():
                self._reopen(max(self.map_size, first_map(self.folder, UNBOUNDED)))

    def retire(self) -> bool:
        """Close it if nobody reads or writes just now; whether it is closed. Handles attach anew when they are used."""
        if self.inode < 0:
            return True
        if not self.write_lock.acquire(blocking=False):
            return False
        try:
            self.blocked = True
            if self.views:
                return False
            self.device = self.inode = -1
            handle, self.handle, self.begin = self.handle, None, _closed
            handle.close()
            return True
        finally:
            self.blocked = False
            self.write_lock.release()

    def make_writable(self) -> None:
        """Reopen an environment that was opened to read only; `write_lock` is held."""
        with self._alone():
            self.read_only = False
            self._reopen(self.map_size)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No read runs in this process, and new ones wait.

        They wait for 50 ms at most: a read may itself be waiting for another thread's read. If the running ones do
        not end in time, this gives up.
        """
        me = threading.get_ident()
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                self.blocked = True
                if any(view.thread == me for view in list(self.views)):
                    raise self._busy("this thread itself is reading from it")
                pause = time.monotonic() + 0.05
                while self.views and time.monotonic() < pause:
                    time.sleep(0.0002)
                if not self.views:
                    break
                self.blocked = False
                if time.monotonic() > deadline:
                    raise self._busy(f"{len(self.views)} reads have been running for {PATIENCE:.0f} seconds")
                time.sleep(0.005)
            yield
        finally:
            self.blocked = False

    def _busy(self, why: str) -> StorageException:
        return StorageException(
            f"the map of the LMDB library at '{self.folder}' is {self.map_size:,} bytes and must be replaced by a "
            f"larger one, which needs a moment without reads in this process, but {why}. Nothing was written; end the "
            "reads and try again."
        )

    def _reopen(self, map_size: int) -> None:
        handle, self.handle, self.begin = self.handle, None, _closed
        identity = self.identity
        try:
            if handle is not None:
                handle.close()
            self._open(map_size)
        except BaseException:
            self.device = self.inode = -1
            raise
        if identity != self.identity:  # replaced meanwhile: handles attach to the new file themselves
            self.device = self.inode = -1
            self.begin = _closed
            self.handle.close()

    def _open(self, map_size: int) -> None:
        path = os.path.join(self.folder, DATA)
        try:
            before = os.stat(path)
            if before.st_size < _SMALLEST_FILE:
                raise damaged(self.folder, f"data.mdb has {before.st_size} bytes, which is less than an empty library")
            self.handle = _open_file(self.folder, read_only=self.read_only, map_size=map_size)
            after = os.stat(path)
            if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino):
                raise deleted(self.folder)
            self._check_length(path)
            if not self.read_only:
                self.handle.reader_check()
            self.map_size = self.handle.info()["map_size"]
            self.locked = self.handle.flags()["lock"]
            watched = os.stat(os.path.join(self.folder, LOCK)) if self.locked else after
        except (lmdb.Error, OSError) as error:
            self.handle = None
            raise translated(error, self.folder) from error
        self.begin = self.handle.begin
        self.identity = (after.st_dev, after.st_ino)
        self.device, self.inode = watched.st_dev, watched.st_ino

    def _check_length(self, path: str) -> None:
        """Touching a page that is missing at the end of the file would end the process (SIGBUS).

        Pages that are free may never have been written, so a short file may be whole: then its pages are walked.
        """
        page = self.handle.stat()["psize"]
        if os.stat(path).st_size < (self.handle.info()["last_pgno"] + 1) * page:
            with self.handle.begin() as txn:
                damage = damage_of(path, page, txn.id())
            if damage is not None:
                raise damaged(self.folder, f"data.mdb is cut off: {damage}")


def attach(folder: str, *, read_only: bool, limit: int) -> Environment:
    """The environment of a library's folder: the one that is open already, or a new one."""
    path = os.path.join(folder, DATA)
    with _lock:
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise deleted(folder) from None
        except OSError as error:
            raise translated(error, folder) from error
        environment = _open.pop((found.st_dev, found.st_ino), None)
        if environment is None or environment.inode < 0:
            _close_some()
            environment = Environment(folder, read_only=read_only, limit=limit)
        _open[environment.identity] = environment  # the one used last is the last
        return environment


def release(environment: Environment) -> None:
    """Close an environment that nobody needs just now, or whose file is gone."""
    with _lock:
        if environment.retire() and _open.get(environment.identity) is environment:
            del _open[environment.identity]


def _close_some() -> None:
    """Close those whose files are gone, which would keep their disk space, and those unused for longest."""
    for identity, environment in list(_open.items()):
        if (len(_open) >= KEPT or not _is_at(environment.folder, *identity)) and environment.retire():
            del _open[identity]


def _close_unused() -> bool:
    """Close all that are not in use; whether there was one."""
    with _lock:
        closed = [identity for identity, environment in _open.items() if environment.retire()]
        for identity in closed:
            del _open[identity]
    return bool(closed)


def _is_at(folder: str, device: int, inode: int) -> bool:
    try:
        found = os.stat(os.path.join(folder, DATA))
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (device, inode)


def first_map(folder: str, limit: int) -> int:
    """How large the map should be at opening: address space costs nothing, replacing the map does.

    All that the disk can hold, up to 128 GiB; at least twice the file.
    """
    try:
        size = os.stat(os.path.join(folder, DATA)).st_size
    except OSError:
        size = 0
    if FIRST_MAP is not None:
        return _whole(min(limit, max(FIRST_MAP, 2 * size)))
    most = 128 * _GIB if sys.platform == "linux" and sys.maxsize > 1 << 32 else _GIB
    try:
        room = os.statvfs(folder)
        free = room.f_bavail * room.f_frsize
    except (OSError, AttributeError):
        free = most
    return _whole(min(limit, max(_GIB, 2 * size, min(most, size + free + _GIB))))


def open_new(folder: str, limit: int) -> Any:
    """Open a new, empty environment in an existing folder that nobody else knows yet.

    Its data format is that of LMDB 0.9, which every release of py-lmdb reads.
    """
    engine = {"lib_version": 0} if int(lmdb.__version__.partition(".")[0]) >= 3 else {}
    try:
        return _open_file(folder, read_only=False, map_size=first_map(folder, limit), **engine)
    except (lmdb.Error, OSError) as error:
        raise translated(error, folder) from error


def _whole(size: int) -> int:
    """A whole number of pages, whatever their size."""
    return max(_STEP, size // _STEP * _STEP)


def _open_file(folder: str, *, read_only: bool, map_size: int, **engine: Any) -> Any:
    """Open the file, with a smaller map where the address space is limited, and again where it is being closed."""
    deadline = time.monotonic() + _REOPEN_SECONDS
    lock = not read_only or _may_lock(folder)
    if lock:
        _reserve_lock_file(folder)
    while True:
        try:
            with _own_books():
                return lmdb.open(
                    folder,
                    map_size=map_size,
                    readonly=read_only,
                    create=False,
                    max_readers=MAX_READERS,
                    lock=lock,
                    **engine,
                )
        except lmdb.MemoryError:
            smaller = _whole(map_size // 8)
            if smaller < _GIB:
                raise
            map_size = smaller
        except lmdb.Error as error:
            if error_number(error) in {errno.EMFILE, errno.ENFILE} and _close_unused():
                continue
            if "already open in this process" not in str(error) or time.monotonic() > deadline:
                raise
            # Either this is a forked child or the library was recreated, and py-lmdb's list is wrong; or another thread
            # is closing the file right now.
            if not ((_forked or _replaced(folder)) and _strike_off(folder)):
                time.sleep(0.001)


def _may_lock(folder: str) -> bool:
    """Whether a read-only process may take a reader's slot in the lock file."""
    lock = os.path.join(folder, LOCK)
    return os.access(lock, os.W_OK) or (not os.path.exists(lock) and os.access(folder, os.W_OK))


def _reserve_lock_file(folder: str) -> None:
    """Give a new lock file its first blocks: LMDB writes to it through a map, which ends the process on a full disk."""
    path = os.path.join(folder, LOCK)
    if os.path.exists(path):
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except OSError:
        return  # another process was faster, or LMDB says what is wrong
    try:
        os.write(descriptor, bytes(_LOCK_BYTES))
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _closed(*_: object, **__: object) -> Any:
    raise lmdb.Error("the environment is closed")


def is_closed(error: Exception) -> bool:
    """Whether a transaction could not begin because the environment was replaced in between."""
    text = str(error)
    return error_number(error) == 0 and ("is closed" in text or "closed/deleted" in text)


# ------------------------------------------------------------------------------------------------------------- fork


def _after_fork_in_child() -> None:
    """Leave everything of the parent alone, for ever, and let handles attach anew.

    Closing an inherited environment, or ending one of its transactions, would write to the lock file that the parent
    shares: the pages that the parent is reading would become free. So they are never deallocated, not even at exit.
    """
    global _lock, _books_lock, _open, _forked
    environments = list(_open.values())
    _forked = True
    _lock = threading.RLock()
    _books_lock = threading.Lock()
    _open = {}
    for environment in environments:
        views = list(environment.views)
        _keep(environment.handle, *(view.orphan() for view in views))
        environment.handle = None
        environment.begin = _closed
        environment.device = environment.inode = -1
        environment.views = set()


def _keep(*inherited: Any) -> None:
    import ctypes

    for item in inherited:
        if item is not None:
            _inherited.append(item)
            if hasattr(ctypes, "pythonapi"):
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(item))


# py-lmdb (since 2.0) refuses to open a file twice in a process, and keeps its list of open files through a fork,
# although nothing is open in the child.


@contextmanager
def _own_books() -> Iterator[None]:
    """In a forked child, let files stand in py-lmdb's list under names that the parent did not use (3.0)."""
    books: Any = sys.modules.get("lmdb._envid")
    if not _forked or not hasattr(books, "env_keys"):
        yield
        return
    with _books_lock:
        plain = books.env_keys

        def own_keys(path: Any, subdir: Any) -> tuple[Any, ...]:
            return tuple((*key, os.getpid()) for key in plain(path, subdir))

        books.env_keys = own_keys
        try:
            yield
        finally:
            books.env_keys = plain


def _replaced(folder: str) -> bool:
    """Whether another file is open that stood in this folder before: a read may be going on in it."""
    return any(other.folder == folder and not _is_at(folder, *identity) for identity, other in list(_open.items()))


def _strike_off(folder: str) -> bool:
    """Strike a file from py-lmdb's list; whether it stood there (2.x).

    The list is a set of paths without a name; it is found by what is in it and by nothing referring to it.
    """
    keys: set[object] = {os.path.realpath(folder)}
    return _strike(keys) or (gc.get_freeze_count() > 0 and _strike_frozen(keys))


def _strike(keys: set[object]) -> bool:
    books = [item for item in gc.get_objects() if type(item) is set and not keys.isdisjoint(item)]
    found = False
    for book in books:
        # Ours are the local variable's and the list's; a set that anybody else uses has a referrer of its own.
        if book is not keys and all(referrer is books for referrer in gc.get_referrers(book)):
            book.difference_update(keys)
            found = True
    return found


def _strike_frozen(keys: set[object]) -> bool:
    gc.unfreeze()
    try:
        return _strike(keys)
    finally:
        gc.freeze()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
