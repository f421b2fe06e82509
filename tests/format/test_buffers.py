"""Buffers come back when the last view of them is gone, and no earlier."""

from __future__ import annotations

import gc

from coldframe.format.buffers import Buffers

LARGE = 1_000_000


def test_memory_is_used_again():
    buffers = Buffers()
    first = buffers.take(LARGE)
    address = first.ctypes.data
    view = first.data
    del first
    gc.collect()
    other = buffers.take(LARGE)
    assert other.ctypes.data != address, "a memoryview still looks at it"
    del view
    gc.collect()
    assert buffers.take(LARGE - 100).ctypes.data == address


def test_buffers_that_are_too_small_are_dropped():
    buffers = Buffers()
    buffers.take(LARGE)
    gc.collect()
    assert len(buffers.take(2 * LARGE)) == 2 * LARGE


def test_only_a_few_are_kept():
    buffers = Buffers()
    held = [buffers.take(LARGE) for _ in range(10)]
    del held
    gc.collect()
    assert len(buffers._free) == 4


def test_small_ones_are_plain_memory():
    buffers = Buffers()
    buffers.take(10)
    gc.collect()
    assert not buffers._free
