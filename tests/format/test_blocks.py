"""What blocks say about their values, and which codec tiny and special blocks get."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.format.tables import FIXED, STYLES, numbers

from coldframe.format import blocks, choice
from coldframe.format.checksums import Damage
from coldframe.format.codecs import ids
from coldframe.format.dtypes import DType

RAW = choice.Choice(None, 8.0)
NAT = np.iinfo(np.int64).min


def bounds(dtype: DType, found: blocks.Statistics):
    if not found.known:
        return None
    size = dtype.storage.itemsize
    low, high = (np.frombuffer(bits.to_bytes(8, "little")[:size], dtype.storage) for bits in (found.min, found.max))
    return low.item(), high.item()


def is_there(dtype: DType, value) -> bool:
    if dtype.kind == "float":
        return not np.isnan(value)
    return not (dtype.temporal and value == NAT) and not (dtype.kind == "category" and value < 0)


@given(st.sampled_from(FIXED), st.sampled_from(STYLES), st.integers(1, 3), st.integers(1, 50), st.integers(0, 2**32))
def test_statistics_are_those_of_a_plain_loop(dtype, style, columns, rows, seed):
    rng = np.random.default_rng(seed)
    values = numbers(dtype, (columns, rows), style, rng)
    valid = rng.random(values.shape) < 0.7 if rng.random() < 0.5 else None
    found = blocks.statistics(dtype, values, valid)
    present = values.ravel() if valid is None else values[valid]
    there = [value for value in present.tolist() if is_there(dtype, value)]
    assert found.nulls == values.size - len(there)
    if dtype.kind == "category" or not there:
        assert not found.known
    else:
        assert bounds(dtype, found) == (min(there), max(there))


def test_statistics_know_infinities_and_nothing():
    nan, inf = np.nan, np.inf
    assert bounds(DType("float"), blocks.statistics(DType("float"), np.array([[nan, -inf, 1, inf]]))) == (-inf, inf)
    assert blocks.statistics(DType("float"), np.full((2, 2), nan)) == (4, 0, 0, 0)
    assert blocks.statistics(DType("timestamp"), np.full((1, 3), NAT)) == (3, 0, 0, 0)
    assert blocks.statistics(DType("int"), np.empty((0, 0), int)) == (0, 0, 0, 0)
    assert blocks.statistics(DType("int"), np.ones((1, 2), int), np.zeros((1, 2), bool)) == (2, 0, 0, 0)


@pytest.mark.parametrize("rows", [10, 5000])
def test_equal_values_are_constant(rows):
    how = None if rows == 10 else RAW
    same = blocks.encode(DType("float"), np.full((3, rows), np.nan), None, how)
    assert (same.codec, len(same.data)) == (ids.CONSTANT, 8)
    signs = np.zeros((1, rows))
    signs[0, 3] = -0.0
    assert blocks.encode(DType("float"), signs, None, how).codec == ids.RAW
    if rows > 10:
        columns = np.repeat(np.arange(3.0)[:, None], rows, axis=1)
        each = blocks.encode(DType("float"), columns, None, how)
        assert (each.codec, len(each.data)) == (ids.CONSTANT, 24)


def test_full_validity_is_not_stored():
    values = np.arange(10)[None]
    assert blocks.encode(DType("int"), values, np.ones((1, 10), bool), None).prefix == b""
    assert blocks.encode(DType("int"), values, np.arange(10)[None] > 2, None).prefix != b""


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.floats(width=64)),
    st.booleans(),
)
def test_blocks_decode_to_what_was_encoded(values, with_validity):
    valid = values > 0 if with_validity else None
    payload = blocks.encode(DType("float"), values, valid, None)
    flags = blocks.VALIDITY if payload.prefix else 0
    data = payload.prefix + payload.data
    found = blocks.decode(DType("float"), payload.codec, flags, data, *values.shape)
    assert found.values.tobytes() == values.tobytes()
    if valid is not None:
        assert (np.ones(values.shape, bool) if found.valid is None else found.valid).tolist() == valid.tolist()


@pytest.mark.parametrize(
    ("codec", "flags", "payload"),
    [
        (ids.RAW, 0, b"1234567"),
        (ids.RAW, 0, b""),
        (ids.CONSTANT, 0, b"123"),
        (ids.CONSTANT, 0, b""),
        (ids.BITS, 0, b"\0\0"),
        (ids.STRINGS, 0, b"12345678"),
        (99, 0, b"12345678"),
        (ids.PCO, 0, b"nothing of the kind"),
        (ids.PCO, 0, b""),
        (ids.RAW, blocks.VALIDITY, b"123"),
        (ids.RAW, blocks.VALIDITY, b"\xff" * 8),
    ],
)
def test_what_does_not_fit_is_damage(codec, flags, payload):
    with pytest.raises(Damage):
        blocks.decode(DType("int"), codec, flags, payload, 1, 1)


def test_booleans_are_false_or_true():
    for codec, payload in ((ids.RAW, b"\0\1\2"), (ids.CONSTANT, b"\2")):
        with pytest.raises(Damage, match="neither true nor false"):
            blocks.decode(DType("bool", 8), codec, 0, payload, 1, 3)
