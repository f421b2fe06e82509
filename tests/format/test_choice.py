"""The codec that realistic numbers get, and what it makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.format.tables import FIXED, STYLES, numbers

from coldframe.format import choice
from coldframe.format.codecs import decimals, ids, pco

N = 100_000
START = 1_600_000_000_000_000_000


def cases():
    rng = np.random.default_rng(7)
    walk = np.cumsum(rng.integers(-3, 4, N))
    gaps = rng.random(N) < 0.1
    return {
        # name: (values, least ratio)
        "regular times": (START + np.arange(N) * 10**9, 5000),
        "ticking times": (START + np.cumsum(rng.exponential(1e8, N).astype("i8")), 2.0),
        "times in ms, stored as ns": (START + np.cumsum(rng.integers(1, 200, N)) * 10**6, 7),
        "times with a gap each night": (START + np.arange(N) * 10**9 + np.arange(N) // 23_400 * 63_000 * 10**9, 1000),
        "times with NaT": (np.where(gaps, -(2**63), START + np.arange(N) * 10**9), 5),
        "row numbers": (np.arange(N) * 7 + 3, 5000),
        "prices in cents, walking": ((10_000 + walk) / 100, 12),
        "prices in cents, anywhere": (np.round(rng.uniform(1, 500, N), 2), 3.5),
        "prices in cents with NaN": (np.where(gaps, np.nan, np.round(rng.uniform(1, 500, N), 2)), 3.5),
        "prices in cents as float32": (np.round(rng.uniform(1, 500, N), 2).astype("f4"), 1.7),
        "counts as floats": (rng.integers(0, 1000, N).astype(float), 5),
        "float32 in float64": (rng.standard_normal(N).astype("f4").astype("f8"), 1.8),
        "sorted floats": (np.sort(rng.standard_normal(N)), 1.4),
        "sizes": (rng.integers(1, 1000, N), 6),
        "sizes in lots": (rng.integers(1, 50, N) * 100, 9),
        "skewed sizes": (rng.lognormal(4, 1, N).astype("i8"), 7),
        "mostly zero": (np.where(rng.random(N) < 0.95, 0, rng.integers(0, 1000, N)), 50),
        "mostly 0.0": (np.where(rng.random(N) < 0.95, 0.0, rng.standard_normal(N)), 15),
        "five codes": (rng.integers(0, 5, N).astype("i4"), 10),
        "codes in runs": (np.repeat(rng.integers(0, 50, N // 100), 100).astype("i4"), 80),
        "bytes of five values": (rng.integers(0, 5, N).astype("u1"), 2.5),
        "random floats": (rng.standard_normal(N), 1),
        "random walk": (np.cumsum(rng.standard_normal(N)), 1),
        "random float32": (rng.standard_normal(N).astype("f4"), 1),
        "random float16": (rng.standard_normal(N).astype("f2"), 1),
        "random integers": (rng.integers(-(2**62), 2**62, N), 1),
        "random bytes": (rng.integers(0, 256, N).astype("u1"), 1),
    }


CASES = cases()
DECIMALS = {"prices in cents, walking", "prices in cents, anywhere", "counts as floats"}
PACKED = [dtype for dtype in FIXED if dtype.kind != "bool"]


def unpacked(packed: choice.Packed, like: np.ndarray) -> np.ndarray:
    """The numbers of a payload, as many and of the type of others."""
    if packed.codec == ids.DECIMALS:
        return decimals.decode(packed.data, len(like))
    return pco.decode(packed.data, like.dtype, len(like))


@pytest.mark.parametrize("name", CASES)
def test_realistic_numbers_shrink_as_they_should(name):
    values, least = CASES[name]
    chosen = choice.choose(choice.sample(values[None]))
    packed = choice.encode(values, chosen)
    if least == 1:
        assert chosen.how is None
        assert packed is None
        return
    assert packed is not None
    assert values.nbytes / len(packed.data) >= least
    assert unpacked(packed, values).tobytes() == values.tobytes()
    assert packed.codec == (ids.DECIMALS if name in DECIMALS else ids.PCO)


@given(
    st.sampled_from([d for d in FIXED if d.kind != "bool"]),
    st.sampled_from(STYLES),
    st.integers(1, 4),
    st.integers(1, 3000),
    st.integers(0, 99),
)
def test_every_choice_gives_the_numbers_back(dtype, style, columns, rows, seed):
    values = numbers(dtype, (columns, rows), style, np.random.default_rng(seed))
    chosen = choice.choose(choice.sample(values))
    flat = np.ascontiguousarray(values).reshape(-1)
    packed = choice.encode(flat, chosen)
    if packed is not None:
        assert len(packed.data) < flat.nbytes
        assert unpacked(packed, flat).tobytes() == flat.tobytes()


@given(
    st.sampled_from([d for d in FIXED if d.kind != "bool"]),
    st.sampled_from(STYLES),
    st.sampled_from(STYLES),
    st.integers(0, 99),
)
def test_a_choice_for_other_numbers_still_gives_them_back(dtype, style, other, seed):
    """The sample may be unlike the rest of the column."""
    rng = np.random.default_rng(seed)
    chosen = choice.choose(choice.sample(numbers(dtype, (1, 3000), style, rng)))
    values = numbers(dtype, (1, 2000), other, rng)[0].copy()
    packed = choice.encode(values, chosen)
    if packed is not None:
        assert unpacked(packed, values).tobytes() == values.tobytes()


def test_blocks_unlike_the_sample_that_hardly_shrink_are_raw():
    noise = np.random.default_rng(0).integers(-(2**62), 2**62, 10_000)
    assert choice.encode(noise, choice.Choice(pco.PLAIN, 1.0)) is None
    assert choice.encode(noise >> 16, choice.Choice(pco.PLAIN, 1.0)) is not None


def test_one_outlier_does_not_spoil_a_block():
    values = np.arange(N) * 3
    chosen = choice.choose(choice.sample(values[None]))
    values[N // 3] = 2**60
    packed = choice.encode(values, chosen)
    assert values.nbytes / len(packed.data) > 100


def test_samples_are_small_and_keep_neighbours_together():
    values = np.arange(3_000_000).reshape(3, 1_000_000)
    for part in (values, values[:1], values[:, :3000], values[:, ::7]):
        runs = choice.sample(part)
        assert sum(map(len, runs)) <= choice.SAMPLE
        for run in runs:
            steps = np.diff(run)
            assert (steps == part[0, 1] - part[0, 0]).mean() > 0.99
            assert run.flags.c_contiguous
    [run] = choice.sample(np.zeros((20, 10)))
    assert len(run) == 200


def test_a_block_that_is_no_decimals_is_packed_otherwise():
    """Its sample was, but here is one price of half a cent, a missing one, and a zero below zero."""
    prices = np.round(np.random.default_rng(0).uniform(1, 500, N), 2)
    chosen = choice.choose(choice.sample(prices[None]))
    assert choice.encode(prices, chosen).codec == ids.DECIMALS
    for odd in (100.005, np.nan, -0.0, np.inf, 1e300):
        values = prices.copy()
        values[N // 3] = odd
        packed = choice.encode(values, chosen)
        assert packed.codec == ids.PCO
        assert unpacked(packed, values).tobytes() == values.tobytes()
        assert values.nbytes / len(packed.data) > 3
