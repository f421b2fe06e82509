"""The helper process of a forked child: it makes the child's requests with obstore, until the child goes away."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from coldframe.stores.credentials.values import Credentials
from coldframe.stores.object_client import Client, ObstoreClient
from coldframe.stores.object_failures import Failure, Kind
from coldframe.stores.object_target import Target


def serve(descriptor: int) -> None:
    """Answer the requests that come over a socket, several at a time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    connection: Connection[Any, Any] = Connection(descriptor)
    target: Target
    # Only the process that started this one holds the other end.
    target, current = pickle.loads(connection.recv_bytes())  # noqa: S301
    keys = _Keys(current)
    client = ObstoreClient(target, keys)
    sending = threading.Lock()

    def answer(number: int, method: str, arguments: tuple[Any, ...]) -> None:
        worked, result = _perform(client, method, arguments)
        message = pickle.dumps((number, worked, result), 5)
        with sending:
            connection.send_bytes(message)

    with ThreadPoolExecutor(target.connections) as pool:
        while True:
            try:
                number, news, method, arguments = pickle.loads(connection.recv_bytes())  # noqa: S301
            except (OSError, EOFError):
                os._exit(0)  # whatever is still under way, nobody waits for it
            if news is not None:
                renewed = keys.current is not None and news != keys.current
                keys.current = news
                if renewed:
                    client.forget_credentials()
            pool.submit(answer, number, method, arguments)


class _Keys:
    """The credentials that came last."""

    def __init__(self, current: Credentials | None) -> None:
        self.current = current

    def __call__(self) -> Credentials | None:
        return self.current


def _perform(client: Client, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        result = getattr(client, method)(*arguments)
        if method == "get":
            result = (bytes(result.data), result.tag, result.marks)
        elif method == "get_range":
            result = bytes(result)
        elif method == "pages":
            result = list(result)
    except Failure as failure:
        return False, failure
    except Exception as error:  # noqa: BLE001 - the asking process must get an answer
        return False, Failure(Kind.OTHER, message=f"{type(error).__name__}: {error}")
    return True, result
