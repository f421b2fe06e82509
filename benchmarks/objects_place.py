"""Where the two libraries are measured in a bucket: Ceph's gateway, and in front of it a proxy that adds latency.

The proxy runs in a process of its own, so that it takes no turn from the threads it measures.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.sides import OURS, THEIRS
from coldframe.testing.proxy import FaultProxy
from coldframe.testing.servers import S3Server, ceph

LIBRARY = "bench"


@dataclass(frozen=True)
class Traffic:
    """What came by the proxy: requests, and bytes both ways."""

    requests: int = 0
    bytes: int = 0


class Proxy:
    """A proxy in another process."""

    def __init__(self, endpoint: str, talk: Connection) -> None:
        self.endpoint = endpoint
        self._talk = talk

    def latency(self, seconds: float) -> None:
        """Let every request take so much longer from now on."""
        self._ask(("latency", seconds))

    def traffic(self) -> Traffic:
        """What came by since the last call."""
        return Traffic(*self._ask(("traffic", 0)))

    def _ask(self, question: tuple[str, float]) -> Any:
        self._talk.send(question)
        return self._talk.recv()


def _serve(upstream: str, talk: Connection) -> None:
    with FaultProxy(upstream) as proxy:
        talk.send(proxy.endpoint)
        while True:
            try:
                question, value = talk.recv()
            except EOFError:
                return
            if question == "latency":
                proxy.latency = value
                talk.send(None)
            else:
                log = list(proxy.log)
                proxy.forget()
                talk.send((len(log), sum(seen.sent + seen.received for seen in log)))


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """A proxy in front of a server."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(upstream, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Proxy(ours.recv(), ours)
    finally:
        ours.close()
        process.join(5)


@dataclass(frozen=True)
class Place:
    """The server and the proxy, and how to open either library directly or through the proxy."""

    server: S3Server
    proxy: Proxy

    def open(self, side: str, *, through_proxy: bool) -> Any:
        """A library, opened as a new process would."""
        endpoint = self.proxy.endpoint if through_proxy else None
        return _arctic(side)(self.server.uri(endpoint=endpoint, path_prefix=side)).get_library(
            LIBRARY, create_if_missing=True
        )


def _arctic(side: str) -> Callable[[str], Any]:
    if side == THEIRS:
        import arcticdb as module
    else:
        import coldframe as module
    return module.Arctic


@contextmanager
def started() -> Iterator[Place]:
    """Ceph and a proxy, with an empty library of each side."""
    with ceph.running() as server, proxied(server.endpoint) as proxy:
        place = Place(server, proxy)
        for side in (THEIRS, OURS):
            place.open(side, through_proxy=False)
        yield place
