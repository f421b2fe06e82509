"""Long ranges of objects, read from the connection straight into the memory where they belong.

The client library collects an answer in memory of its own, which then has to be copied: of a read of many numbers that
lie in the store as they lie in memory, this is most of the processor's work. Here the bytes go from the socket to
their place. It is only ever a shorter way: whatever is not as expected ends it, and then the client library is asked,
which knows what to make of it.
"""

from __future__ import annotations

import http.client
import logging
import selectors
import time
import urllib.request
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

from coldframe.stores.object_target import Target
from coldframe.stores.tls import tls_context

_log = logging.getLogger("coldframe.s3")

PAUSE = 30.0
"""So many seconds the client library is asked after something was not as expected."""
IDLE = 60.0
"""A connection that has waited longer than this is not used again."""


class DirectReader:
    """Reads ranges of one bucket's objects; any number of threads may.

    Parameters
    ----------
    target : Target
    sign : callable
        The URL at which the object at a path can be had for the next minutes, by anybody who has the URL.
    expected : tuple of exception types
        What `sign` may raise.
    """

    def __init__(self, target: Target, sign: Callable[[str], str], expected: tuple[type[BaseException], ...]) -> None:
        self._target = target
        self._sign = sign
        self._expected: tuple[type[BaseException], ...] = (*expected, OSError, http.client.HTTPException)
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._not_before = 0.0
        self._context = cache(partial(tls_context, target.trust))
        scheme = target.address().partition("://")[0]
        self._behind_proxy = scheme in urllib.request.getproxies()

    def read(self, path: str, start: int, places: Sequence[memoryview]) -> bool:
        """Read bytes of an object from `start` on into memory, one piece of it after the other.

        False if that was not possible; what is in the memory is then not defined.
        """
        if self._behind_proxy or time.monotonic() < self._not_before:
            return False
        stop = start + sum(map(len, places))
        try:
            self._read(self._sign(path), start, stop, places)
        except self._expected as error:
            # Its words may hold the URL, and with it a signature.
            _log.debug("bytes of %r are read by the client library: %s", path, type(error).__name__)
            self._not_before = time.monotonic() + PAUSE
            return False
        return True

    def close(self) -> None:
        """Let go of connections."""
        while self._idle:
            self._idle.pop()[1].close()

    def _read(self, url: str, start: int, stop: int, places: Sequence[memoryview]) -> None:
        _, host, path, query, _ = urlsplit(url)
        deadline = time.monotonic() + self._target.request_timeout
        connection = self._connection(host, secure=url.startswith("https:"))
        try:
            headers = {"Range": f"bytes={start}-{stop - 1}", "User-Agent": "coldframe"}
            connection.request("GET", f"{path}?{query}", headers=headers)
            response = connection.getresponse()
            _check(response, stop - start)
            for place in places:
                _fill(place, response.fp, deadline)
            response.close()
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append((time.monotonic(), connection))

    def _connection(self, host: str, *, secure: bool) -> http.client.HTTPConnection:
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            if time.monotonic() - since < IDLE and not _has_ended(connection.sock):
                return connection
            connection.close()
        timeout = self._target.connect_timeout  # for each answer of the server, too
        if secure:
            connection = http.client.HTTPSConnection(host, timeout=timeout, context=self._context())
        else:
            connection = http.client.HTTPConnection(host, timeout=timeout)
        connection.connect()
        return connection


def _check(response: http.client.HTTPResponse, wanted: int) -> None:
    length = response.headers.get("Content-Length")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT or length != str(wanted):
        raise http.client.HTTPException(f"{response.status} with {length} bytes")


def _fill(place: memoryview, source: Any, deadline: float) -> None:
    at = 0
    while at < len(place):
        if time.monotonic() > deadline:
            raise TimeoutError
        count = source.readinto1(place[at:])
        if not count:
            raise http.client.IncompleteRead(b"")
        at += count


def _has_ended(connection: Any) -> bool:
    """Whether the server has closed a connection on which nothing is awaited."""
    if connection is None:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))
