"""Which slices an append or update takes in: few slices, little rewriting, however many small changes."""

from __future__ import annotations

import pytest

from coldframe.operations.absorb import FAN, MOST_BYTES, absorb_around, absorb_tail

TAIL = 16 * 1024
MOST = 100_000


def append_all(count: int, row_bytes: int) -> tuple[list[tuple[int, int]], int, int]:
    """Simulate appends of one row: the slices (bytes, rows) at the end, bytes rewritten, most slices at any time."""
    slices: list[tuple[int, int]] = []
    rewritten = most = 0
    for _ in range(count):
        taken = absorb_tail([s for s, _ in slices], [r for _, r in slices], row_bytes, 1, TAIL, MOST)
        merged = slices[len(slices) - taken :]
        del slices[len(slices) - taken :]
        size = sum(s for s, _ in merged) + row_bytes
        rewritten += size if size > TAIL else 0
        slices.append((size, sum(r for _, r in merged) + 1))
        most = max(most, len(slices))
    return slices, rewritten, most


@pytest.mark.parametrize(("count", "row_bytes"), [(3_000, 72), (3_000, 1_000), (20_000, 300), (50, 20_000)])
def test_one_row_appends_leave_few_slices_and_rewrite_little(count, row_bytes):
    slices, rewritten, most = append_all(count, row_bytes)
    assert sum(r for _, r in slices) == count
    levels = 2 + max(0, (count * row_bytes // TAIL).bit_length() // 2)
    assert most <= FAN * levels + count * row_bytes // MOST_BYTES
    assert rewritten <= count * row_bytes * (levels + 1)


def test_large_appends_take_nothing_in():
    assert absorb_tail([100, 100], [1, 1], MOST_BYTES, 10, TAIL, MOST) == 0
    assert absorb_tail([100, 100], [1, 1], 100, MOST, TAIL, MOST) == 0


def test_a_slice_never_gets_more_rows_than_the_library_allows():
    assert absorb_tail([100], [MOST], 10, 1, TAIL, MOST) == 0
    assert absorb_tail([TAIL] * 5, [MOST // 3] * 5, 10, 1, TAIL, MOST) == 0


def test_a_change_in_the_middle_of_large_slices_takes_nothing_in():
    assert absorb_around([60_000, MOST], [39_000, MOST], 1_000, MOST) == (0, 0)


def test_many_small_slices_around_a_change_are_rewritten():
    left, right = absorb_around([500] * 5, [500] * 5, 500, MOST)
    assert (left, right) == (5, 5)


def test_changes_all_over_a_slice_never_leave_many_small_ones():
    slices = [MOST]
    for step in range(500):
        row = (step * 37_813) % MOST
        start, number = 0, 0
        while start + slices[number] <= row:
            start += slices[number]
            number += 1
        before = [row - start, *slices[:number][::-1]] if row > start else slices[:number][::-1]
        rest = start + slices[number] - row - 1
        after = [rest, *slices[number + 1 :]] if rest else slices[number + 1 :]
        left, right = absorb_around(before, after, 1, MOST)
        joined = sum(before[:left]) + 1 + sum(after[:right])
        slices = [*before[left:][::-1], joined, *after[right:]]
        assert sum(slices) == MOST
        assert len(slices) <= 20, slices
