"""Whether strings are better numbered is told by a sample as all of them would tell it."""

from __future__ import annotations

import numpy as np
import pytest

from coldframe.format.repetition import SAMPLE, spread, worth_numbering


def judged(values: np.ndarray) -> bool:
    part = values
    if len(values) > SAMPLE:
        part = np.concatenate([values[start : start + SAMPLE // 4] for start in spread(len(values))])
    return worth_numbering(len(values), len(part), len(np.unique(part)))


@pytest.mark.parametrize("rows", [100, 5000, 60_000, 300_000, 2_000_000])
@pytest.mark.parametrize(("often", "worth"), [(1, False), (4, False), (16, True), (50, True)])
def test_how_often_is_told(rows, often, worth):
    distinct = rows // often
    if distinct > 1 << 16:
        worth = False  # too many to be looked up fast
    assert judged(np.random.default_rng(0).integers(0, distinct, rows)) == worth


def test_a_few_are_always_worth_while():
    for rows in (64, 1000, 1_000_000):
        assert judged(np.arange(rows) % 5)


@pytest.mark.parametrize("rows", [SAMPLE + 1, 100_000, 1 << 24])
def test_a_sample_is_of_the_whole_column(rows):
    starts = spread(rows)
    assert starts[0] == 0
    assert starts[-1] + SAMPLE // 4 == rows
    assert starts == sorted(starts)
