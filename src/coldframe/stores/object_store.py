"""One library on an object store: each key is an object, and a head is swapped by a conditional PUT."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from coldframe.config import get_config_int
from coldframe.exceptions import ArcticException, KeyNotFoundException, NoDataFoundException, PermissionException
from coldframe.stores.base import (
    Buffer,
    Conflict,
    Entry,
    Fetch,
    Limits,
    Store,
    Stored,
    UnknownOutcome,
)
from coldframe.stores.object_client import CREATE, OVERWRITE, Answer, Client
from coldframe.stores.object_errors import Operation
from coldframe.stores.object_failures import NEVER_SENT, Failure, Kind
from coldframe.stores.object_listing import pages
from coldframe.stores.object_paths import escape, listing_start, unescape
from coldframe.stores.object_ranges import DIRECT, Piece, Run, cut, lay, plan
from coldframe.stores.object_requests import Attempts, Requests
from coldframe.stores.object_target import Kind as Protocol

T = TypeVar("T")
R = TypeVar("R")
_log = logging.getLogger("coldframe.s3")

LIBRARY = "library"
MARK = "coldframe-if-match"
DELETE_BATCH = 1000
BYTES_UNDER_WAY = 256 * 1024 * 1024
_MISSING: frozenset[object] = frozenset({Kind.MISSING})


class Dialect:
    """How a server wants conditions written; learned as we go, kept with the library object where it is unusual.

    Amazon and most others take an ETag in If-Match with its quotes and without; Ceph only without.
    """

    def __init__(self, protocol: Protocol, *, unsafe: bool) -> None:
        self.quoted = protocol == "azure"
        self.proven = protocol != "s3"
        self.unsafe = unsafe

    def condition(self, tag: str | None) -> str:
        if tag is None:
            return CREATE
        return f"={tag if self.quoted else tag.strip(chr(34))}"


class ObjectStore(Store):
    """The objects below one folder of a bucket.

    Parameters
    ----------
    requests : Requests
    folder : str
        Path of the library in the bucket.
    dialect : Dialect
        Shared by all libraries of a storage.
    read_only : bool

    Attributes
    ----------
    retired : bool
        Whether this process has deleted the library: old handles must not bring parts of it back.
    """

    limits = Limits(inline_piece=16 * 1024, head=128 * 1024, segment=8 * 1024 * 1024, packed=1024 * 1024)
    grace = 3600.0
    atomic = False
    distant = True

    def __init__(self, requests: Requests, folder: str, dialect: Dialect, *, read_only: bool) -> None:
        self.read_only = read_only
        self._requests = requests
        self._folder = folder
        self._dialect = dialect
        self.retired = False

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, key: str) -> Stored:
        return self._requests.workers.run(self._get, key)

    def begin(self, key: str) -> Callable[[], Stored]:
        return self._requests.workers.submit(self._get, key).result

    def _get(self, key: str) -> Stored:
        path = self._path(key)
        try:
            answer = self._requests.persist(Operation.GET, path, lambda client: self._answer(client, key, path),
                                            _MISSING)
        except Failure as failure:
            raise self._missing(key, failure) from None
        return Stored(answer.data, answer.tag)

    def _answer(self, client: Client, key: str, path: str) -> Answer:
        if key != LIBRARY:
            return client.get(path)
        answer = client.get(path, True)
        self.retired = False  # somebody has made it again
        if answer.marks and answer.marks.get(MARK) == "quoted" and not self._dialect.proven:
            self._dialect.quoted = True
        return answer

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        return self._requests.workers.map(self._get_or_none, keys)

    def _get_or_none(self, key: str) -> Stored | None:
        try:
            return self._get(key)
        except KeyNotFoundException:
            self._path("")  # raises if it is missing because the library was deleted
            return None

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        ranges: dict[str, builtins.list[tuple[int, int]]] = {}
        places: dict[str, builtins.list[Run]] = {}
        for fetch in wanted:
            ranges.setdefault(fetch.key, []).extend(fetch.ranges)
            places.setdefault(fetch.key, []).extend(
                Run(start, place) for (start, _), place in zip(fetch.ranges, fetch.into, strict=False) if place)
        plans = {key: plan(mine) for key, mine in ranges.items()}
        jobs = [(key, piece, places[key]) for key, pieces in plans.items() for piece in pieces]
        data = iter(self._requests.workers.map(self._get_piece, jobs))
        found = {key: [next(data) for _ in pieces] for key, pieces in plans.items()}
        return [cut(fetch.ranges, plans[fetch.key], found[fetch.key]) for fetch in wanted]

    def _get_piece(self, job: tuple[str, Piece, builtins.list[Run]]) -> builtins.list[Run]:
        key, piece, places = job
        path = self._path(key)
        runs = lay(piece, places) if places and piece.stop - piece.start >= DIRECT else []

        def attempt(client: Client) -> builtins.list[Run]:
            if runs and client.get_range_into(path, piece.start, [memoryview(run.data) for run in runs]):
                return runs
            return [Run(piece.start, client.get_range(path, piece.start, piece.stop))]

        try:
            return self._requests.persist(Operation.GET, path, attempt, _MISSING)
        except Failure as failure:
            raise self._missing(key, failure) from None

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        base = f"{self._folder}/"
        folder, start = listing_start(prefix)
        if start_after > prefix and escape(start_after) == start_after:
            start = max(start, start_after)
        inside, after = (f"{base}{folder}" if folder else self._folder), (base + start if start else "")
        for page in pages(self._requests, inside, after, f"{inside}/{prefix.rpartition('/')[2]}"):
            keys = [path[len(base) :] for path, _ in page]
            sizes = [size for _, size in page]
            if "!" in "".join(keys):
                keys = [unescape(key) for key in keys]
            elif keys[0] > start_after and keys[0].startswith(prefix) and keys[-1].startswith(prefix):
                yield from map(Entry, keys, sizes)  # and so all between them
                continue
            for key, size in zip(keys, sizes, strict=True):
                if key.startswith(prefix):
                    if key > start_after:
                        yield Entry(key, size)
                elif key[: len(prefix)] > prefix:
                    return

    def concurrently(self, work: Callable[[T], R], items: Sequence[T]) -> builtins.list[R]:
        # Items of a batch have parts of their own, which would wait in vain for the threads that wait for them.
        batches = self._requests.batches
        return (self._requests.workers if batches.here() else batches).map(work, items)

    # -- writing ------------------------------------------------------------------------------------------------

    def put(self, key: str, data: Buffer) -> None:
        self._may_write("store", key)
        self._requests.workers.run(self._put, (key, data))

    def _put(self, job: tuple[str, Buffer]) -> None:
        path, data = self._path(job[0]), job[1]
        self._requests.persist(Operation.PUT, path, lambda client: client.put(path, data, OVERWRITE))

    def put_many(self, puts: Iterable[tuple[str, Buffer]]) -> None:
        self._may_write("store", "objects")
        self._requests.workers.each(self._put, puts, lambda job: len(job[1]), BYTES_UNDER_WAY)

    def delete(self, keys: Sequence[str]) -> None:
        self._may_write("delete", "objects")
        paths = [self._path(key) for key in keys]
        size = min(max(get_config_int("S3Storage.DeleteBatchSize") or DELETE_BATCH, 1), DELETE_BATCH)
        batches = [paths[at : at + size] for at in range(0, len(paths), size)]
        self._requests.workers.map(self._delete, batches)

    def _delete(self, paths: Sequence[str]) -> None:
        self._requests.persist(Operation.DELETE, paths[0], lambda client: client.delete(paths))

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        self._may_write("store", key)
        return self._requests.workers.run(self._swap, key, data, expected, None)

    def create(self, key: str, data: bytes, marks: dict[str, str] | None) -> str:
        """Like `swap` with nothing expected, storing attributes with the object."""
        return self._requests.workers.run(self._swap, key, data, None, marks)

    def _swap(self, key: str, data: bytes, expected: str | None, marks: dict[str, str] | None) -> str:
        if self._dialect.unsafe:
            return self._overwrite(key, data, expected, marks)
        path = self._path(key)
        attempts = Attempts(self._requests, Operation.PUT, path)
        unsure: Failure | None = None  # an attempt that may have been carried out
        respelled = False
        while True:
            used = attempts.begin()
            condition = self._dialect.condition(expected)
            try:
                tag = self._requests.client.put(path, data, condition, marks)
            except Failure as failure:
                if failure.kind is Kind.CONDITION:
                    if unsure is not None:
                        return self._settle(key, data, unsure)
                    if expected is not None and not self._dialect.proven and not respelled and \
                            self._tag(key) == expected:
                        self._dialect.quoted = not self._dialect.quoted
                        respelled = True
                        continue
                    raise Conflict(key) from None
                if failure.kind not in NEVER_SENT and failure.kind in _UNSURE:
                    unsure = failure
                if not attempts.again(failure, used):
                    if unsure is not None:
                        return self._settle(key, data, unsure)
                    raise Conflict(key) if failure.kind is Kind.CONTENTION else attempts.error(failure) from None
                continue
            self._dialect.proven = self._dialect.proven or expected is not None
            return tag or self._settle(key, data, Failure(Kind.OTHER, message="the answer has no ETag"))

    def _settle(self, key: str, data: bytes, cause: Failure) -> str:
        """The tag of the object if it is ours after all: no two writers ever write the same bytes."""
        try:
            stored = self._get(key)
        except ArcticException as error:
            raise UnknownOutcome(key, f"{cause.kind.value} {cause.words()}; reading it back: {error}") from None
        if stored.data == data:
            return stored.tag
        raise UnknownOutcome(key, f"{cause.kind.value} {cause.words()}; another object is there now")

    def _tag(self, key: str) -> str | None:
        try:
            return self._get(key).tag
        except KeyNotFoundException:
            return None

    def _overwrite(self, key: str, data: bytes, expected: str | None, marks: dict[str, str] | None) -> str:
        """The best that can be done where the store has no conditional writes: look, then write."""
        if self._tag(key) != expected:
            raise Conflict(key)
        path = self._path(key)
        tag = self._requests.persist(Operation.PUT, path, lambda client: client.put(path, data, OVERWRITE, marks))
        return tag or self._tag(key) or ""

    # -- the rest -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Nothing is held for one library alone; the connections belong to the storage."""

    def _path(self, key: str) -> str:
        if self.retired and key != LIBRARY:
            raise NoDataFoundException(f"cannot use {key!r}: its library (folder {self._folder!r}) has been deleted")
        return f"{self._folder}/{escape(key)}"

    def _missing(self, key: str, failure: Failure) -> Exception:
        path = self._path(key)
        return KeyNotFoundException(
            f"there is no object {key!r} (path {path!r} in bucket {self._requests.target.bucket!r})"
            f"{f': {failure.code}' if failure.code else ''}")

    def _may_write(self, verb: str, what: str) -> None:
        if self.read_only:
            raise PermissionException(
                f"cannot {verb} {what!r}: this connection was opened with mode='r'; open it without to write")


# After these the server may have carried the request out.
_UNSURE = frozenset({Kind.SERVER, Kind.RESET, Kind.TIMEOUT, Kind.CUT, Kind.THROTTLED, Kind.HELPER, Kind.OTHER})
