"""Requests from a process where obstore cannot work: a helper process, started afresh, makes them for it.

A child forked from a process that has used obstore lacks obstore's threads. So it starts an interpreter of its own
(which imports obstore, not pandas), hands it the target over a private socket and sends it one message per request.
Several threads may have requests under way at once. The helper ends when the socket closes, so it never outlives its
process.
"""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from coldframe.stores.base import Buffer
from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.credentials.values import Credentials
from coldframe.stores.object_client import Answer, Client
from coldframe.stores.object_failures import Failure, Kind
from coldframe.stores.object_target import Target

# The package is put together by hand, so that its __init__ and all that it would import stay out.
_BOOT = """\
import sys, types
sys.path[:] = {path!r}
package = types.ModuleType("coldframe")
package.__path__ = [{folder!r}]
sys.modules["coldframe"] = package
from coldframe.stores.fork_helper import serve
serve({descriptor})
"""
PROTOCOL = 5


class HelperClient(Client):
    """A client whose requests a helper process makes."""

    resumable = False

    def __init__(self, target: Target, keyring: Keyring) -> None:
        self._target = target
        self._keyring = keyring
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._sent: Credentials | None = None
        self._connection: Connection[Any, Any] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def get(self, path: str, marks: bool = False) -> Answer:
        """The object at `path`."""
        return Answer(*self._ask("get", path, marks))

    def get_range(self, path: str, start: int, stop: int) -> Buffer:
        """Bytes of an object; fewer or none where it is shorter."""
        data: bytes = self._ask("get_range", path, start, stop)
        return data

    def head(self, path: str) -> int:
        """An object's size."""
        return int(self._ask("head", path))

    def put(self, path: str, data: Buffer, condition: str, marks: dict[str, str] | None = None) -> str:
        """Store an object with one request."""
        return str(self._ask("put", path, bytes(data), condition, marks))

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects with one request."""
        self._ask("delete", list(paths))

    def pages(self, folder: str, after: str) -> Iterator[list[tuple[str, int]]]:
        """All pages, once the helper has them all."""
        yield from self._ask("pages", folder, after)

    def folders(self, folder: str) -> list[str]:
        """The names of the folders directly below a folder."""
        return list(self._ask("folders", folder))

    def forget_credentials(self) -> None:
        """Have the helper use the credentials sent next."""
        with self._lock:
            self._sent = None

    def close(self) -> None:
        """End the helper; the next request starts another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, method: str, *arguments: Any) -> Any:
        credentials = self._keyring()
        future: Future[Any] = Future()
        number = next(self._numbers)
        with self._lock:
            connection = self._connection or self._start(credentials)
            news = credentials if credentials != self._sent else None
            self._sent = credentials
            self._waiting[number] = future
            try:
                connection.send_bytes(pickle.dumps((number, news, method, arguments), PROTOCOL))
            except OSError as error:
                self._connection = None
                del self._waiting[number]
                raise Failure(Kind.HELPER, message=str(error)) from None
        worked, result = future.result()
        if not worked:
            raise result
        return result

    def _start(self, credentials: Credentials | None) -> Connection[Any, Any]:
        ours, theirs = Pipe()
        folder = str(Path(__file__).parent.parent)
        boot = _BOOT.format(path=sys.path, folder=folder, descriptor=theirs.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter with our own text
                [sys.executable, "-c", boot], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, start_new_session=True, env=dict(os.environ))
        except OSError as error:
            raise Failure(Kind.HELPER, message=f"it cannot be started: {error}") from None
        finally:
            theirs.close()
        ours.send_bytes(pickle.dumps((self._target, credentials), PROTOCOL))
        self._sent = credentials
        self._connection = ours
        threading.Thread(target=self._listen, args=(ours,), name="coldframe-helper", daemon=True).start()
        return ours

    def _listen(self, connection: Connection[Any, Any]) -> None:
        try:
            while True:
                # The helper is our own child; nobody else can write to this socket.
                number, worked, result = pickle.loads(connection.recv_bytes())  # noqa: S301
                self._waiting.pop(number).set_result((worked, result))
        except (OSError, EOFError):
            pass
        with self._lock:
            if self._connection is connection:
                self._connection = None
            lost, self._waiting = self._waiting, {}
        for future in lost.values():
            future.set_result((False, Failure(Kind.HELPER)))
