"""Requests that are seen through: retried, with fresh credentials, and explained when they fail for good."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from coldframe.exceptions import ArcticException
from coldframe.stores import fork
from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.credentials.values import Credentials
from coldframe.stores.object_client import Client
from coldframe.stores.object_errors import Attempted, Operation, explain
from coldframe.stores.object_failures import STALE_CREDENTIALS, Failure, Kind
from coldframe.stores.object_region import bucket_region, located
from coldframe.stores.object_target import Target
from coldframe.workers import Workers, shared

T = TypeVar("T")
NONE: frozenset[object] = frozenset()
BATCHES = 32
"""So many items of a batch are worked on at once. Each may hold its data in memory and make requests of its own."""


class Requests:
    """Everything asked of one bucket by this process.

    Parameters
    ----------
    target : Target
    keyring : Keyring
    make_client : callable, optional
        How to get a client; tests put their own in.

    Attributes
    ----------
    cuts : dict of str to sequence of str
        By folder: where the pages of its last long listing ended.
    """

    def __init__(self, target: Target, keyring: Keyring,
                 make_client: Callable[[Target, Keyring], Client] | None = None) -> None:
        self.target = target
        self.keyring = keyring
        self.workers: Workers = shared(target.connections)
        self.cuts: dict[str, Sequence[str]] = {}
        self.batches: Workers = shared(min(target.connections, BATCHES), "batch")
        self._make_client = make_client or open_client
        self._client: Client | None = None
        self._chance = random.Random()  # noqa: S311 - jitter is no secret
        fork.renew_in_child(self)

    def renew_after_fork(self) -> None:
        if self._client is not None:
            _keep_for_ever(self._client)
            self._client = None
        self._chance = random.Random()  # noqa: S311 - two processes should not wait in step

    @property
    def client(self) -> Client:
        """The client of this process, made when first needed."""
        client = self._client
        if client is None:
            self.target = located(self.target)
            client = self._client = self._make_client(self.target, self.keyring)
        return client

    def close(self) -> None:
        """Let go of connections; the next request opens them again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def call(self, operation: Operation, path: str, attempt: Callable[[Client], T],
             expected: frozenset[object] = NONE) -> T:
        """Make a request that may be repeated, so that Ctrl-C can end the wait for it.

        A failure whose kind is `expected` is raised as :class:`Failure`, any other as an error for the user.
        """
        result: T = self.workers.run(self.persist, operation, path, attempt, expected)
        return result

    def persist(self, operation: Operation, path: str, attempt: Callable[[Client], T],
                expected: frozenset[object] = NONE) -> T:
        """The same, in this thread."""
        attempts = Attempts(self, operation, path)
        while True:
            used = attempts.begin()
            try:
                return attempt(self.client)
            except Failure as failure:
                if failure.kind in expected:
                    raise
                if not attempts.again(failure, used):
                    raise attempts.error(failure) from None

    def pages(self, folder: str, after: str) -> Iterator[list[tuple[str, int]]]:
        """All pages of a listing; one that breaks off is taken up after the last path that came."""
        last = after
        source: Iterator[list[tuple[str, int]]] | None = None

        def next_page(client: Client) -> list[tuple[str, int]] | None:
            nonlocal source
            try:
                if source is None:
                    source = client.pages(folder, last)
                return next(source, None)
            except Failure:
                source = None
                raise

        while (page := self.call(Operation.LIST, folder, next_page)) is not None:
            if page:
                last = page[-1][0]
                yield page


class Attempts:
    """The attempts at one request: counted, timed, and repeated while there is hope."""

    def __init__(self, requests: Requests, operation: Operation, path: str) -> None:
        self._requests = requests
        self._operation = operation
        self._path = path
        self._started = time.monotonic()
        self._count = 0
        self._renewed = False

    def begin(self) -> Credentials | None:
        """Start an attempt; the credentials it uses."""
        self._count += 1
        return self._requests.keyring()

    def again(self, failure: Failure, used: Credentials | None) -> bool:
        """Whether to try again, after waiting as long as is wise."""
        requests = self._requests
        if failure.kind in STALE_CREDENTIALS and not self._renewed:
            self._renewed = True
            if requests.keyring.refused(used):
                requests.client.forget_credentials()
                return True
        seconds = time.monotonic() - self._started
        wait = requests.target.patience.wait(failure, self._count, seconds, requests._chance)  # noqa: SLF001
        if wait is None:
            return False
        time.sleep(wait)
        return True

    def error(self, failure: Failure) -> ArcticException:
        target = self._requests.target
        if failure.kind is Kind.REGION and "Region" not in failure.about:
            failure.about["Region"] = bucket_region(target)
        return explain(failure, Attempted(
            self._operation, target.kind, target.address(), target.bucket, self._path, target.region,
            self._requests.keyring.describe(), self._count, time.monotonic() - self._started))


def open_client(target: Target, keyring: Keyring) -> Client:
    """A client for this process: obstore, or a helper process where obstore cannot work."""
    if fork.obstore_is_lost():
        from coldframe.stores.fork_client import HelperClient

        return HelperClient(target, keyring)
    from coldframe.stores.object_client import ObstoreClient

    fork.importing_obstore()
    fork.using_obstore()
    return ObstoreClient(target, keyring)


def _keep_for_ever(client: Client) -> None:
    # A client made before the fork must not even be destroyed in the child: that would wait for threads that are not.
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
