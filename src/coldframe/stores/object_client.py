"""Single requests to one bucket: what an object store's client must offer, and how obstore offers it.

Nothing is retried here and nothing is explained: a request succeeds or raises one :class:`Failure`. The client
library's own retries are off, because they turn a lost reply to a conditional write into a false conflict.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from coldframe.stores.base import Buffer
from coldframe.stores.credentials.values import Credentials
from coldframe.stores.object_direct import DirectReader
from coldframe.stores.object_failures import Failure, Kind, understand
from coldframe.stores.object_target import Target

CREATE = "create"
OVERWRITE = "overwrite"
PAGE = 1000
SIGNED_FOR = timedelta(minutes=15)
"""As long as any request is good for, by the clock of a server that is ahead of ours or behind it."""

Keyring = Callable[[], Credentials | None]


class Answer(NamedTuple):
    """An object as the server returned it."""

    data: Buffer
    tag: str
    marks: dict[str, str]


class Client(ABC):
    """The requests that a store is made of. `path` is the whole path in the bucket.

    Attributes
    ----------
    resumable : bool
        Whether a listing that starts late or ends early saves requests.
    page : int
        Entries in a page of a listing; the last may have fewer.
    """

    resumable: bool = True
    page: int = PAGE

    @abstractmethod
    def get(self, path: str, marks: bool = False) -> Answer:
        """An object; with `marks` also the attributes stored with it."""

    @abstractmethod
    def get_range(self, path: str, start: int, stop: int) -> Buffer:
        """Bytes of an object; fewer or none where it is shorter."""

    def get_range_into(self, path: str, start: int, places: Sequence[memoryview]) -> bool:  # noqa: ARG002
        """Read bytes of an object from `start` on into memory, one piece after the other; False: ask for the range."""
        return False

    @abstractmethod
    def head(self, path: str) -> int:
        """An object's size."""

    @abstractmethod
    def put(self, path: str, data: Buffer, condition: str, marks: dict[str, str] | None = None) -> str:
        """Store an object in one request; its tag. `condition`: ``create``, ``overwrite`` or ``=`` and a tag."""

    @abstractmethod
    def delete(self, paths: Sequence[str]) -> None:
        """Remove up to 1000 objects in one request."""

    @abstractmethod
    def pages(self, folder: str, after: str) -> Iterator[list[tuple[str, int]]]:
        """Pages of (path, size) of all objects below a folder, from the first path greater than `after`."""

    @abstractmethod
    def folders(self, folder: str) -> list[str]:
        """The names of the folders directly below a folder."""

    @abstractmethod
    def forget_credentials(self) -> None:
        """The credentials in use were refused: ask for them again before the next request."""

    def close(self) -> None:  # noqa: B027 - most have nothing to do
        """Let go of connections."""


class ObstoreClient(Client):
    """A client on obstore. It must not be used in a process forked after it was used."""

    def __init__(self, target: Target, keyring: Keyring) -> None:
        import obstore

        self._errors = (obstore.exceptions.BaseError, OSError, ValueError)
        self._target = target
        self._keyring = keyring
        self._store = _open(target, keyring)
        self._single: Any = None  # deletes with one request for each object
        self._direct: DirectReader | None = None
        if target.kind == "s3" and not _is_express(target) and keyring() is not None:
            self._direct = DirectReader(target, self._sign, self._errors)
        # The tag of an object is its ETag, but for Google, whose conditions are on generations.
        self._tag = "version" if target.kind == "gcs" else "e_tag"

    def get(self, path: str, marks: bool = False) -> Answer:
        """The object under `key`."""
        try:
            result = self._store.get(path)
            tag = result.meta[self._tag]
            found = dict(result.attributes) if marks else {}
            return Answer(memoryview(result.bytes()), tag or "", found)
        except self._errors as error:
            raise understand(error) from None

    def get_range(self, path: str, start: int, stop: int) -> Buffer:
        """Bytes of an object; fewer or none where it is shorter."""
        try:
            return memoryview(self._store.get_range(path, start=start, end=stop))
        except self._errors as error:
            failure = understand(error)
            if failure.kind is Kind.RANGE:
                return b""
            if "non-partial response" in failure.message:  # allowed where the range covers the whole object
                return memoryview(self.get(path).data)[start:stop]
            raise failure from None

    def get_range_into(self, path: str, start: int, places: Sequence[memoryview]) -> bool:
        """Read bytes of an object into memory, if it is a server of which that can be asked."""
        return self._direct is not None and self._direct.read(path, start, places)

    def _sign(self, path: str) -> str:
        import obstore

        return obstore.sign(self._store, "GET", path, SIGNED_FOR)

    def head(self, path: str) -> int:
        """An object's size."""
        try:
            return int(self._store.head(path)["size"])
        except self._errors as error:
            raise understand(error) from None

    def put(self, path: str, data: Buffer, condition: str, marks: dict[str, str] | None = None) -> str:
        """Store an object with one request."""
        if self._tag == "version" and condition[0] == "=" and not condition[1:].isdigit():
            raise Failure(Kind.CONDITION)  # Google's tags are numbers: this one is of no object there
        mode: Any = condition if condition in (CREATE, OVERWRITE) else {self._tag: condition[1:]}
        try:
            # Never multipart: an object appears whole, and parts left behind would cost money unseen.
            result = self._store.put(path, data, mode=mode, use_multipart=False, attributes=marks)
        except self._errors as error:
            failure = understand(error)
            if failure.kind is Kind.MISSING and condition[0] == "=":
                failure = Failure(Kind.CONDITION, status=failure.status, code=failure.code, message=failure.message)
            raise failure from None
        return result[self._tag] or ""

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects, up to 1000 with one request."""
        if self._single is not None:
            self._delete(self._single, paths)
            return
        try:
            self._delete(self._store, paths)
        except Failure as failure:
            if failure.kind is not Kind.DENIED or self._target.kind != "s3":
                raise
            # Ceph wants a right on the whole bucket for DeleteObjects; DeleteObject needs one on the object alone.
            single = _open(self._target, self._keyring, one_by_one=True)
            self._delete(single, paths)
            self._single = single

    def _delete(self, store: Any, paths: Sequence[str]) -> None:
        try:
            store.delete(list(paths))
        except self._errors as error:
            failure = understand(error)
            if failure.kind is not Kind.MISSING:
                raise failure from None
            if len(paths) > 1:  # where deletion is one by one, the first missing object ends it
                for path in paths:
                    self._delete(store, [path])

    def pages(self, folder: str, after: str) -> Iterator[list[tuple[str, int]]]:
        """Pages of (path, size), from the first path greater than `after`."""
        stream = None
        while True:
            try:
                if stream is None:
                    stream = iter(self._store.list(folder or None, offset=after or None, chunk_size=PAGE))
                page = next(stream, None)
            except self._errors as error:
                raise understand(error) from None
            if page is None:
                return
            yield [(entry["path"], entry["size"]) for entry in page]

    def folders(self, folder: str) -> list[str]:
        """The names of the folders directly below a folder."""
        try:
            found = self._store.list_with_delimiter(folder or None)["common_prefixes"]
        except self._errors as error:
            raise understand(error) from None
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    def forget_credentials(self) -> None:
        """Ask for credentials again before the next request."""
        # obstore asks again at most every 100 ms.
        time.sleep(0.12)

    def close(self) -> None:
        """Let go of connections; obstore's end by themselves."""
        if self._direct is not None:
            self._direct.close()


def _open(target: Target, keyring: Keyring, *, one_by_one: bool = False) -> Any:
    from obstore import store as stores

    options: dict[str, Any] = {
        "allow_http": target.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=target.connect_timeout),
        "timeout": timedelta(seconds=target.request_timeout),
        "user_agent": "coldframe",
    }
    if not target.trust.verify:
        options["allow_invalid_certificates"] = True
    if target.trust.authorities:
        options["root_certificate"] = target.trust.authorities
    make: Any = stores  # its types know only literal settings
    common: dict[str, Any] = {"client_options": options, "retry_config": {"max_retries": 0}}
    if target.kind == "azure":
        return make.AzureStore(target.bucket, config=dict(target.settings), **common)
    if target.kind == "gcs":
        return make.GCSStore(target.bucket, config=dict(target.settings), **common)
    # Everything is said, because what is not said obstore takes from the environment.
    config: dict[str, Any] = {
        "endpoint": _s3_endpoint(target),
        "aws_endpoint_url_s3": _s3_endpoint(target),
        "region": target.region or "us-east-1",
        "virtual_hosted_style_request": target.virtual,
        "conditional_put": "etag",
        "disable_tagging": True,
        "s3_express": _is_express(target),
        "skip_signature": False,
        "unsigned_payload": False,
        "disable_bulk_delete": one_by_one,
        **target.settings,
    }
    if keyring() is None:
        return make.S3Store(target.bucket, config={**config, "skip_signature": True}, **common)
    return make.S3Store(target.bucket, config=config, credential_provider=_provider(keyring), **common)


def _is_express(target: Target) -> bool:
    return target.bucket.endswith("--x-s3")


def _s3_endpoint(target: Target) -> str:
    if not target.virtual:
        return target.address()
    scheme, _, host = target.address().partition("://")
    return f"{scheme}://{target.bucket}.{host}"


def _provider(keyring: Keyring) -> Callable[[], dict[str, Any]]:
    def credentials() -> dict[str, Any]:
        current = keyring()
        if current is None:
            raise Failure(Kind.CREDENTIALS, message="no credentials")
        # An expiry this near makes obstore ask again for each batch of requests; renewal is decided in the keyring.
        soon = None if current.fixed else datetime.now(UTC) + timedelta(seconds=60)
        return {
            "access_key_id": current.access_key,
            "secret_access_key": current.secret_key,
            "token": current.token or None,
            "expires_at": soon,
        }

    return credentials
