"""The threads that work beside the caller's: daemons, so that an interrupted program ends at once.

A request to an object store cannot be interrupted. So the main thread, the only one that Ctrl-C reaches, never makes
one itself: it hands it over and waits in Python. What encodes and decodes may make requests, too.
"""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Workers:
    """Up to `limit` daemon threads, started when needed.

    Parameters
    ----------
    limit : int
    name : str
        What the threads are called.
    """

    def __init__(self, limit: int, name: str = "io") -> None:
        self.limit = limit
        self.name = name
        self._renew()
        _all.add(self)

    def _renew(self) -> None:
        # A forked child has none of its parent's threads, and a lock may have been held by one of them.
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]:
        """Run a function in a thread."""
        future: Future[R] = Future()
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self._threads < self.limit:
                self._threads += 1
                name = f"coldframe-{self.name}-{self._threads}"
                threading.Thread(target=self._work, args=(self._jobs,), name=name, daemon=True).start()
        self._jobs.put((future, function, arguments))
        return future

    def run(self, function: Callable[..., R], *arguments: Any) -> R:
        """Call a function so that Ctrl-C ends the wait for it."""
        if threading.current_thread() is not threading.main_thread():
            return function(*arguments)
        return self.submit(function, *arguments).result()

    def here(self) -> bool:
        """Whether the calling thread is one of these."""
        return getattr(_thread, "workers", None) is self

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Call a function on each item in parallel; the first error is raised once all others have ended.

        What one of these threads calls goes on in it: were it to wait for others, all could wait for each other.
        """
        if len(items) < 2 or self.here():
            return [self.run(function, item) for item in items]
        futures = [self.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except Exception:
            settle(futures)
            raise
        except BaseException:
            _abandon(futures)
            raise

    def each(self, function: Callable[[T], object], items: Iterable[T], size: Callable[[T], int], budget: int) -> None:
        """Call a function on each item in parallel while the iterable is still producing them.

        At most `limit` items and about `budget` bytes are under way. After an error no further item is taken.
        """
        pending: dict[Future[object], int] = {}
        under_way = 0
        try:
            for item in items:
                cost = size(item)
                while pending and (len(pending) >= self.limit or under_way + cost > budget):
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    under_way -= sum(pending.pop(future) for future in done)
                    for future in done:
                        future.result()
                pending[self.submit(function, item)] = cost
                under_way += cost
            for future in list(pending):
                future.result()
        except Exception:
            settle(pending)
            raise
        except BaseException:
            _abandon(pending)
            raise

    def _work(self, jobs: queue.SimpleQueue[_Job]) -> None:
        _thread.workers = self
        while True:
            future, function, arguments = jobs.get()
            if future.set_running_or_notify_cancel():
                try:
                    result = function(*arguments)
                except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del future, function, arguments
            with self._lock:
                if jobs is self._jobs:
                    self._idle += 1


def settle(futures: Iterable[Future[Any]], patience: float | None = None) -> None:
    """Cancel what has not started and wait for the rest, or for at most `patience` seconds."""
    wait(_abandon(futures), patience)


def _abandon(futures: Iterable[Future[Any]]) -> list[Future[Any]]:
    """Cancel what has not started; the others end by themselves, which an interrupted program does not wait for."""
    return [future for future in futures if not future.cancel()]


_thread = threading.local()
_all: weakref.WeakSet[Workers] = weakref.WeakSet()
_shared: dict[tuple[int, str], Workers] = {}


def shared(limit: int, name: str = "io") -> Workers:
    """The process's workers of this name and number."""
    workers = _shared.get((limit, name))
    if workers is None:
        workers = _shared.setdefault((limit, name), Workers(limit, name))
    return workers


def _renew_after_fork() -> None:
    for workers in list(_all):
        workers._renew()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)
