"""Memory for results: arrays like any other, of memory that was just freed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from coldframe import memory
from coldframe.memory import bytes_of, result_array, scratch


@pytest.mark.parametrize("shape", [0, 3, (0, 5), (2, 300_000), 1_000_000])
@pytest.mark.parametrize("dtype", ["<f8", "<i4", "|b1", "|u1"])
def test_arrays_can_be_written_and_are_contiguous(shape, dtype):
    array = result_array(shape, np.dtype(dtype))
    assert array.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert array.dtype == np.dtype(dtype)
    assert array.flags.c_contiguous
    assert array.flags.aligned
    array[...] = 1
    assert (array == 1).all()


def test_bytes_are_the_same_memory():
    array = result_array(400_000, np.dtype("<f8"))
    bytes_of(array)[8:16] = np.float64(2.5).tobytes()
    assert array[1] == 2.5
    assert len(bytes_of(array)) == array.nbytes
    assert len(scratch(5)) == 5
    assert not scratch(5).readonly


def resident() -> int:
    """The memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def gives_back() -> bool:
    """Whether 300 MB that were freed are given back soon."""
    arrays = [result_array(12_500_000, np.dtype("<f8")) for _ in range(3)]
    for array in arrays:
        array.fill(1)
    held = resident()
    del arrays, array
    deadline = time.monotonic() + 20
    while resident() > held - 250 and time.monotonic() < deadline:
        time.sleep(0.05)
    return resident() <= held - 250


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc tells the memory in use")
def test_what_was_freed_is_given_back_in_the_end(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 0.3)
    result_array(1_000_000, np.dtype("<f8"))  # whoever waits does so with the new setting from then on
    assert gives_back()
    pid = os.fork()
    if not pid:
        os._exit(0 if gives_back() else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_was_freed_is_given_out_again():
    resource = pytest.importorskip("resource")

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            result_array(4_000_000, np.dtype("<f8")).fill(1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    # 128 MB: 31,250 pages of 4 KiB, or 61 of 2 MiB, each time they come from the kernel. What was kept for a tenth of a
    # second goes back, which on a busy machine may happen in any try.
    assert any(faults() < 10 for _ in range(50))


def test_many_arrays_that_are_freed_wake_a_thread_once():
    keeper = memory._Keeper()
    keeper._started = True  # nobody takes what is put
    for _ in range(100):
        keeper.watch(np.empty(1))
    assert keeper._woken.qsize() == 1
    keeper._asleep = True
    keeper.watch(np.empty(1))
    assert keeper._woken.qsize() == 2
