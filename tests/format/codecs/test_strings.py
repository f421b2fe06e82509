"""The payload of plain strings, and what happens to one that is not right."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.format.checksums import Damage
from coldframe.format.codecs import ids, strings
from coldframe.format.table import NAN, NONE

LARGE = pa.large_string()


@pytest.mark.parametrize(
    ("lengths", "codec", "width"),
    [
        ([], ids.RAW, 1),
        ([3] * 1000, ids.CONSTANT, 1),
        ([1, 2, 3], ids.RAW, 1),
        ([1, 255], ids.RAW, 1),
        ([1, 256], ids.RAW, 2),
        ([1, 65536], ids.RAW, 4),
        ([i % 7 for i in range(1000)], ids.PCO, 1),
        ([i % 300 for i in range(1000)], ids.PCO, 2),
    ],
)
def test_lengths_are_stored_as_narrow_as_they_are(lengths, codec, width):
    values = ["x" * length for length in lengths]
    data = strings.encode(pa.array(values, LARGE))
    assert (data[1], data[2]) == (codec, width)
    assert strings.decode(data, LARGE, len(values)).values.to_pylist() == values


def test_text_that_shrinks_is_packed_and_other_text_is_not():
    rng = np.random.default_rng(0)
    same = strings.encode(pa.array(["the same again"] * 1000, LARGE))
    binary = [rng.bytes(100_000) for _ in range(3)]
    random = strings.encode(pa.array(binary, pa.large_binary()))
    assert len(same) < 200
    assert same[0] & 1
    assert not random[0] & 1
    assert strings.decode(random, pa.large_binary()).values.to_pylist() == binary


@given(st.lists(st.tuples(st.binary(max_size=9), st.sampled_from([0, NONE, NAN])), max_size=200))
def test_bytes_and_missing_come_back(rows):
    values = pa.array([b"" if gone else value for value, gone in rows], pa.large_binary())
    missing = np.array([gone for _, gone in rows], np.int8)
    found = strings.decode(strings.encode(values, missing), pa.large_binary(), len(rows))
    assert found.values.equals(values)
    assert (missing.tolist() if found.missing is None else found.missing.tolist()) == missing.tolist()
    assert found.values.validate(full=True) is None


def test_headers_that_lie_are_damage():
    good = strings.encode(pa.array(["a", "bc", "def"], LARGE), np.array([0, 0, -1], np.int8))
    assert strings.decode(good, LARGE).values.to_pylist() == ["a", "bc", "def"]
    fields = [*strings._HEADER.unpack_from(good)]
    for position, values in enumerate(
        [[4, 255], [3, 7, 99], [0, 3, 8, 16], [0, 2, 4, 2**63], [0, 2, 2**64 - 1], [1, 2, 2**40], [0, 5, 2**50]]
    ):
        for value in values:
            bad = [*fields]
            bad[position] = value
            with pytest.raises(Damage):
                strings.decode(strings._HEADER.pack(*bad) + good[strings._HEADER.size :], LARGE)
    for length in range(len(good)):
        with pytest.raises(Damage):
            strings.decode(good[:length], LARGE)
    with pytest.raises(Damage, match="3 strings where 4 belong"):
        strings.decode(good, LARGE, 4)


def test_a_zstd_frame_of_another_size_takes_no_memory():
    data = bytearray(strings.encode(pa.array(["the same again"] * 100, LARGE)))
    size = 14 * 100
    assert data[27:35] == size.to_bytes(8, "little")
    data[27:35] = (2**40).to_bytes(8, "little")
    data[35] = 0  # the lengths, a constant, no longer add up either
    with pytest.raises(Damage):
        strings.decode(data, LARGE)
