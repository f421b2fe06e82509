"""Occurrences of few and of many numbers."""

from __future__ import annotations

import numpy as np
import pytest

from coldframe.format.occurrences import occurrences


@pytest.mark.parametrize("dtype", [np.int32, np.intp])
@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 300])
@pytest.mark.parametrize("rows", [0, 1, 1_000])
def test_both_ways_count_alike(size, rows, dtype):
    numbers = np.random.default_rng(size + rows).integers(0, size, rows).astype(dtype)
    found = occurrences(numbers, size)
    assert found.tolist() == [numbers.tolist().count(number) for number in range(size)]
    assert found.dtype == np.intp
