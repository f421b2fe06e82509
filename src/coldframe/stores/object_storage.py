"""All libraries of one connection string to an object store."""

from __future__ import annotations

import threading
import warnings

from coldframe.exceptions import PermissionException
from coldframe.stores import fork
from coldframe.stores.base import Storage
from coldframe.stores.credentials.fixed import Called
from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.object_errors import Operation
from coldframe.stores.object_failures import Failure, Kind
from coldframe.stores.object_paths import library_name, library_path
from coldframe.stores.object_probe import Finding, probe, refusal
from coldframe.stores.object_requests import Requests
from coldframe.stores.object_store import LIBRARY, MARK, Dialect, ObjectStore
from coldframe.stores.object_target import Target

_MISSING: frozenset[object] = frozenset({Kind.MISSING})
_NAMES = {"s3": "S3", "gcs": "GCS", "azure": "Azure"}


class ObjectStorage(Storage):
    """A bucket, or a folder of one, that holds libraries.

    Parameters
    ----------
    uri : str
        The connection string, as given.
    target : Target
    keyring : Keyring
    read_only : bool
    """

    def __init__(self, uri: str, target: Target, keyring: Keyring, *, read_only: bool) -> None:
        self.uri = uri
        self.target = target
        self.requests = Requests(target, keyring)
        self.read_only = read_only
        self._dialect = Dialect(target.kind, unsafe=target.unsafe_writes)
        self._stores: dict[str, ObjectStore] = {}
        self._found: Finding | None = None
        self.renew_after_fork()
        fork.renew_in_child(self)
        if target.unsafe_writes and not read_only:
            warnings.warn(
                f"unsafe_writes=true: on {self.describe()} the last of several writers of a symbol wins and the data "
                "of the others is lost without an error; make sure that only one process writes at a time",
                UserWarning, stacklevel=4)

    def renew_after_fork(self) -> None:
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple[object, ...]:
        from coldframe.stores.object_uri import reopen

        # By connection string: what it does not hold, the credentials of environment and profile, is found anew.
        provider = self.requests.keyring.provider
        function = provider.function if isinstance(provider, Called) else None
        return reopen, (self.uri, self.read_only, function)

    def describe(self) -> str:
        target = self.target
        parts = [f"endpoint={target.address()}", f"bucket={target.bucket}"]
        if target.prefix:
            parts.append(f"path_prefix={target.prefix}")
        return f"{_NAMES[target.kind]}({', '.join(parts)})"

    def store(self, library: str) -> ObjectStore:
        found = self._stores.get(library)
        if found is None:
            with self._lock:
                folder = library_path(self.target.prefix, library)
                found = self._stores.setdefault(
                    library, ObjectStore(self.requests, folder, self._dialect, read_only=self.read_only))
        return found

    def has(self, library: str) -> bool:
        return self.requests.workers.run(self._has, library_path(self.target.prefix, library))

    def _has(self, folder: str) -> bool:
        path = f"{folder}/{LIBRARY}"
        try:
            self.requests.persist(Operation.HEAD, path, lambda client: client.head(path), _MISSING)
        except Failure:
            return False
        return True

    def names(self) -> list[str]:
        prefix = self.target.prefix
        folders = self.requests.call(Operation.LIST, prefix, lambda client: client.folders(prefix))
        paths = [f"{prefix}/{folder}" if prefix else folder for folder in folders]
        # A bucket may hold other things than libraries.
        there = self.requests.workers.map(self._has, paths)
        return sorted(library_name(folder) for folder, has in zip(folders, there, strict=True) if has)

    def create(self, library: str, key: str, data: bytes) -> None:
        self._may_write(library)
        store = self.store(library)
        finding = self._examine(library)
        store.retired = False
        store.create(key, data, {MARK: "quoted"} if finding.quoted and self.target.kind == "s3" else None)

    def _examine(self, library: str) -> Finding:
        if self.target.unsafe_writes:
            return Finding(honoured=False)
        if self._found is None:
            folder = library_path(self.target.prefix, library)
            found = self.requests.workers.run(probe, self.requests, folder)
            if not found.honoured:
                raise refusal(found, self.requests)
            self._found = found
            if self.target.kind == "s3":
                self._dialect.quoted, self._dialect.proven = found.quoted, True
        return self._found

    def drop(self, library: str) -> None:
        """Remove a library and everything in it."""
        self._may_write(library)
        store = self.store(library)
        store.retired = False
        store.delete([LIBRARY])  # from here on the library does not exist
        for _ in range(3):  # a writer that has not noticed may add objects meanwhile
            keys = [entry.key for entry in store.list("")]
            if not keys:
                break
            store.delete(keys)
        store.retired = True

    def close(self) -> None:
        """Let go of connections; the next request opens them again."""
        self.requests.close()

    def _may_write(self, library: str) -> None:
        if self.read_only:
            raise PermissionException(
                f"cannot create or delete library {library!r}: this connection was opened with mode='r'; open it "
                "without to write")
