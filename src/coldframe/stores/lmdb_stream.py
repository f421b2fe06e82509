"""Cuts a long stream of objects into batches and stores each while the next one is being encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Self

from coldframe.stores.base import Buffer

BATCH: Final = 32 * 1024 * 1024
"""Bytes of a batch: it exists up to three times, being collected, being stored and in LMDB's own pages."""

Batch = list[tuple[str, Buffer]]


def size_of(data: Buffer) -> int:
    """The size of a buffer in bytes."""
    return data.nbytes if type(data) is memoryview else len(data)


class Batches:
    """Hands all batches but the last to `store`, one at a time, in a thread of its own.

    Leaving the context waits for the one under way and raises what went wrong in it.
    """

    def __init__(self, store: Callable[[Batch], None]) -> None:
        self._store = store
        self._executor: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._executor is None:
            return
        try:
            if self._running is not None:
                failure = self._running.exception()
                if failure is not None and error is None:
                    raise failure
        finally:
            self._executor.shutdown()

    def all_but_last(self, puts: Iterable[tuple[str, Buffer]]) -> Batch:
        """Advance `puts` to its end; the last batch, which is not stored yet."""
        batch: Batch = []
        size = 0
        for key, data in puts:
            length = size_of(data)
            if batch and size + length > BATCH:
                self._send(batch)
                batch, size = [], 0
            batch.append((key, data))
            size += length
        return batch

    def _send(self, batch: Batch) -> None:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="coldframe-lmdb")
        if self._running is not None:
            self._running.result()
        self._running = self._executor.submit(self._run, batch)

    def _run(self, batch: Batch) -> None:
        try:
            self._store(batch)
        finally:
            batch.clear()  # its buffers are free before the next batch is full
