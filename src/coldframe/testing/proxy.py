"""An HTTP proxy in front of an object store's server that counts requests, adds latency and injects faults.

    with FaultProxy(server.endpoint) as proxy:
        library = open_library(server.uri(endpoint=proxy.endpoint))
        proxy.inject("drop_after", methods=["PUT"], times=1)
        ...
        proxy.log        # one Seen per request, in the order of arrival

It runs in threads of this process. Requests are passed on with their Host header unchanged, so signatures stay valid.

=============  ==============================================================================
fault          what the client meets
=============  ==============================================================================
drop           the connection is reset; the server never sees the request
drop_after     the server carries the request out, then the connection is reset
error          500 InternalError, not carried out
error_after    carried out, then answered with 500 InternalError
slowdown       503 SlowDown, not carried out
conflict       409 ConditionalRequestConflict, not carried out
denied         403 AccessDenied, not carried out
expired        400 ExpiredToken, not carried out
truncate       half of the answer's body, then the connection is closed
corrupt        one byte of the answer's body is changed
stall          nothing for `stall` seconds, then the connection is reset; not carried out
=============  ==============================================================================
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

FAULTS = ("drop", "drop_after", "error", "error_after", "slowdown", "conflict", "denied", "expired", "truncate",
          "corrupt", "stall")
_ANSWERS = {
    "error": (500, "Internal Server Error", "InternalError", "We encountered an internal error. Please try again."),
    "slowdown": (503, "Slow Down", "SlowDown", "Please reduce your request rate."),
    "conflict": (409, "Conflict", "ConditionalRequestConflict", "A conflicting operation is in progress."),
    "denied": (403, "Forbidden", "AccessDenied", "Access Denied"),
    "expired": (400, "Bad Request", "ExpiredToken", "The provided token has expired."),
}
_HEAD_END = b"\r\n\r\n"
_PIECE = 1 << 16


@dataclass
class Seen:
    """One request that came by; `status` is 0 where no answer was passed on."""

    method: str
    target: str
    fault: str = ""
    status: int = 0
    sent: int = 0
    received: int = 0
    started: float = field(default_factory=time.monotonic)


@dataclass
class _Rule:
    fault: str
    methods: frozenset[str]
    path: re.Pattern[str] | None
    skip: int
    times: int | None
    share: float


class FaultProxy:
    """The proxy; a context manager.

    Parameters
    ----------
    upstream : str
        The server's URL, with plain HTTP.
    latency : float
        Seconds before each request is passed on.
    seed : int
        For faults that strike only a share of the requests.
    """

    def __init__(self, upstream: str, *, latency: float = 0.0, seed: int = 0) -> None:
        url = urlsplit(upstream)
        self._upstream = (url.hostname or "127.0.0.1", url.port or 80)
        self.latency = latency
        self.stall = 30.0
        self.log: list[Seen] = []
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._closed.set()
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def inject(self, fault: str, *, methods: Sequence[str] = (), path: str = "", skip: int = 0,
               times: int | None = None, share: float = 1.0) -> None:
        """Let a fault happen from now on, besides those that were injected before.

        Parameters
        ----------
        fault : str
            One of `FAULTS`.
        methods : sequence of str
            Only to requests with these methods; none: to all.
        path : str
            Only where this regular expression is found in the request's target.
        skip, times : int
            Let so many matching requests pass first, and strike at most so often.
        share : float
            Strike this share of the matching requests.
        """
        if fault not in FAULTS:
            raise ValueError(f"no fault {fault!r}: choose one of {', '.join(FAULTS)}")
        rule = _Rule(fault, frozenset(methods), re.compile(path) if path else None, skip, times, share)
        with self._lock:
            self._rules.append(rule)

    def heal(self) -> None:
        """No faults any more."""
        with self._lock:
            self._rules.clear()

    def forget(self) -> None:
        """Empty the log."""
        with self._lock:
            self.log.clear()

    def count(self, *methods: str) -> int:
        """How many requests came by, of all or of the given methods."""
        with self._lock:
            return sum(1 for seen in self.log if not methods or seen.method in methods)

    # -- one connection -----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(client)
        link = _Link(self._upstream)
        try:
            stream = _Stream(client)
            while self._exchange(client, stream, link):
                pass
        except OSError:
            pass
        finally:
            link.close()
            with self._lock:
                self._open.discard(client)
            client.close()

    def _choose(self, seen: Seen) -> str:
        with self._lock:
            self.log.append(seen)
            for rule in self._rules:
                if (rule.methods and seen.method not in rule.methods) or rule.times == 0:
                    continue
                if rule.path is not None and not rule.path.search(seen.target):
                    continue
                if rule.skip:
                    rule.skip -= 1
                elif self._random.random() < rule.share:
                    rule.times = rule.times if rule.times is None else rule.times - 1
                    seen.fault = rule.fault
                    break
        return seen.fault

    def _exchange(self, client: socket.socket, stream: _Stream, link: _Link) -> bool:
        """Pass one request on and its answer back; whether the connection stays."""
        head = stream.head()
        if not head:
            return False
        method, target = head.split(b" ", 2)[:2]
        seen = Seen(method.decode(), target.decode())
        fault = self._choose(seen)
        if b"expect: 100-continue" in head.lower():  # the client would wait a second for leave to send its body
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.body(head, answer_to="")
        seen.sent = len(body)
        if self.latency:
            time.sleep(self.latency)
        if fault in ("drop", "stall"):
            if fault == "stall":
                self._closed.wait(self.stall)
            return _reset(client)
        if fault in _ANSWERS:
            seen.status = _refuse(client, fault, seen.method)
            return True
        answer, content = link.ask(head, body, seen.method)
        if fault == "drop_after":
            return _reset(client)
        if fault == "error_after":
            seen.status = _refuse(client, "error", seen.method)
            return True
        seen.status, seen.received = int(answer.split(b" ", 2)[1]), len(content)
        if fault == "truncate" and content:
            client.sendall(answer + content[: len(content) // 2])
            return False
        if fault == "corrupt" and content:
            damaged = bytearray(content)
            damaged[len(content) // 2] ^= 0x55
            content = bytes(damaged)
        if len(content) <= _PIECE:
            client.sendall(answer + content)
        else:
            client.sendall(answer)
            client.sendall(content)
        return b"connection: close" not in answer.lower()


class _Stream:
    """What comes in over a connection, message by message."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = bytearray()
        # Memory for what comes, once for the connection: a proxy should take time, but no processor time.
        self._came = memoryview(bytearray(_PIECE))

    def head(self) -> bytes:
        """The next message's head with its empty line; nothing at the end."""
        while (end := self._rest.find(_HEAD_END)) < 0:
            if not self._more():
                return b""
        return self._take(end + len(_HEAD_END))

    def body(self, head: bytes, *, answer_to: str) -> bytes | bytearray:
        """The body that follows a head, as it is on the wire; `answer_to` is the request's method, if an answer."""
        lowered = head.lower()
        if answer_to:
            status = int(head.split(b" ", 2)[1])
            if answer_to == "HEAD" or status in (204, 304) or status < 200:
                return b""
        if b"transfer-encoding: chunked" in lowered:
            return self._chunks()
        length = re.search(rb"content-length: *(\d+)", lowered)
        if length is not None:
            return self._exactly(int(length[1]))
        return self._until_end() if answer_to else b""

    def _exactly(self, size: int) -> bytes | bytearray:
        if len(self._rest) >= size:
            return self._take(size)
        whole = bytearray(size)
        at = len(self._rest)
        whole[:at] = self._rest
        self._rest.clear()
        with memoryview(whole) as view:
            while at < size:
                count = self._connection.recv_into(view[at:])
                if not count:
                    raise ConnectionResetError
                at += count
        return whole

    def _chunks(self) -> bytes:
        found = b""
        while True:
            while (end := self._rest.find(b"\r\n")) < 0:
                if not self._more():
                    raise ConnectionResetError
            size = int(bytes(self._rest[:end]).split(b";")[0], 16)
            found += self._exactly(end + 2 + size + 2)
            if size == 0:
                return found

    def _until_end(self) -> bytes:
        while self._more():
            pass
        return self._take(len(self._rest))

    def _more(self) -> bool:
        count = self._connection.recv_into(self._came)
        self._rest += self._came[:count]
        return count > 0

    def _take(self, size: int) -> bytes:
        found = bytes(self._rest[:size])
        del self._rest[:size]
        return found


class _Link:
    """The connection to the server, opened again when the server has closed it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._connection: socket.socket | None = None
        self._stream: _Stream | None = None

    def ask(self, head: bytes, body: bytes | bytearray, method: str) -> tuple[bytes, bytes | bytearray]:
        fresh = self._connection is None
        try:
            return self._ask(head, body, method)
        except OSError:
            self.close()
            if fresh:
                raise
        return self._ask(head, body, method)

    def _ask(self, head: bytes, body: bytes | bytearray, method: str) -> tuple[bytes, bytes | bytearray]:
        if self._connection is None or self._stream is None:
            self._connection = socket.create_connection(self._address, 30)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = _Stream(self._connection)
        self._connection.sendall(head + body)
        answer = self._stream.head()
        while answer and answer.split(b" ", 2)[1] == b"100":
            answer = self._stream.head()
        if not answer:
            raise ConnectionResetError
        content = self._stream.body(answer, answer_to=method)
        if b"connection: close" in answer.lower():
            self.close()
        return answer, content

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._stream = None


def _reset(client: socket.socket) -> bool:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _refuse(client: socket.socket, fault: str, method: str) -> int:
    status, reason, code, message = _ANSWERS[fault]
    body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
            "<RequestId>proxy</RequestId></Error>").encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + (b"" if method == "HEAD" else body))
    return status
