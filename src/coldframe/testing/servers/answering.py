"""A small HTTP server in threads of this process, which answers as its `answer` says: for services that tests play."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Asked(NamedTuple):
    """A request as it came; `path` with its query."""

    method: str
    path: str
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """What is sent back; a HEAD gets all of it but the body."""

    status: int
    body: bytes | str = b""
    headers: Mapping[str, str] = _NO_HEADERS


class Answering(ABC):
    """Serves at `url` from when it is made until it is closed, or until its block ends."""

    def __init__(self) -> None:
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        serve = {"poll_interval": 0.05}
        threading.Thread(target=self._server.serve_forever, kwargs=serve, daemon=True).start()

    @abstractmethod
    def answer(self, asked: Asked) -> Answer:
        """What a request is answered with; called from several threads."""

    def close(self) -> None:
        """Answer nothing any more."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Clients connect many times at once; what finds the queue full is sent again after one second, and after three.
    request_queue_size = 512


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    service: Answering

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body, headers = self.service.answer(Asked(self.command, self.path, self.headers, sent))
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the names that the base class looks for
