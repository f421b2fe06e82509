"""Memory for results and for what is fetched: from Arrow's allocator, which has at hand what was freed just now.

Large arrays of numpy come from the C library, which gets them from the kernel and gives them back there as soon as they
are freed. The kernel clears every page that it hands out, which takes longer than reading numbers into it. Programs
read one frame after the other: the memory of the last one is at hand for the next.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
import weakref
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_LARGE = 1024 * 1024
"""What is smaller comes from free lists in either way."""
KEPT = 5.0
"""So many seconds after the last such array was freed the system gets back what nobody has asked for since."""


def result_array(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of numbers that are yet to be written.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype
        Not of objects.

    Examples
    --------
    >>> result_array((2, 500_000), np.dtype("<f8")).shape
    (2, 500000)
    """
    size = dtype.itemsize * (math.prod(shape) if isinstance(shape, tuple) else shape)
    if size < _LARGE:
        return np.empty(shape, dtype)
    import pyarrow as pa

    memory = pa.allocate_buffer(size)
    _keeper.watch(memory)
    return np.frombuffer(memory, dtype).reshape(shape)


def scratch(size: int) -> memoryview:
    """Memory of `size` bytes that are yet to be written."""
    return bytes_of(result_array(size, np.dtype(np.uint8)))


def bytes_of(values: NDArray[Any]) -> memoryview:
    """The memory of a contiguous array, byte by byte."""
    return memoryview(cast("Any", values.view(np.uint8)))


class _Keeper:
    """Lets the allocator give back what it has kept: by itself it would do so when it is next asked for memory.

    A thread waits until nothing has been freed for a while. It is not woken for each array: it would take the GIL just
    when the next read wants it.
    """

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        # A forked child has none of its parent's threads, and the lock may have been held by one of them.
        self._lock = threading.Lock()
        self._started = False
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._asleep = True
        self._freed_at = 0.0

    def watch(self, memory: Any) -> None:
        """Notice when some memory is freed."""
        if not self._started:
            with self._lock:
                if not self._started:
                    self._started = True
                    threading.Thread(
                        target=self._wait, args=(self._woken,), name="coldframe-memory", daemon=True
                    ).start()
        weakref.finalize(memory, self._note).atexit = False

    def _note(self) -> None:
        # Whatever thread frees memory, perhaps amid something else: putting into such a queue is safe even then.
        self._freed_at = time.monotonic()
        if self._asleep:
            self._asleep = False
            self._woken.put(None)

    def _wait(self, woken: queue.SimpleQueue[None]) -> None:
        import pyarrow as pa

        pool = pa.default_memory_pool()
        _used = pa.allocate_buffer(64)  # the allocator does nothing for a thread that has never asked it for memory
        while True:
            woken.get()
            while (left := self._freed_at + KEPT - time.monotonic()) > 0:
                time.sleep(left)
            # What is freed from here on wakes this thread again.
            self._asleep = True
            pool.release_unused()


_keeper = _Keeper()
