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


HUGE = [2**63, 2**64 - 1, 2**40, 2**33, 2**31, 10**6]
HEADERS = {
    "raw": (["a", "bc", "def"], np.array([0, 0, -1], np.int8)),
    "constant": (["abc", "def", "ghi"], None),
    "empty": (["", "", ""], None),
    "zstd": (["again"] * 100, np.zeros(100, np.int8)),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("known", [True, False])
def test_headers_that_lie_are_damage_and_take_no_memory(name, known):
    values, missing = HEADERS[name]
    good = strings.encode(pa.array(values, LARGE), missing)
    rows = len(values) if known else None
    fields = strings._HEADER.unpack_from(good)
    small = list(range(2, 20))
    for position, claims in {0: [4, 255], 2: [3, 7, 99], 3: small + HUGE, 4: HUGE, 5: HUGE, 6: small + HUGE}.items():
        for claim in claims:
            bad = [*fields]
            bad[position] = claim
            if tuple(bad) == fields and (known or name != "empty"):
                continue
            with pytest.raises(Damage):
                strings.decode(strings._HEADER.pack(*bad) + good[strings._HEADER.size :], LARGE, rows)
    for length in range(len(good)):
        with pytest.raises(Damage):
            strings.decode(good[:length], LARGE, rows)


def test_the_number_of_strings_is_that_of_the_rows():
    good = strings.encode(pa.array(["a", "bc", "def"], LARGE))
    assert strings.decode(good, LARGE, 3).values.to_pylist() == ["a", "bc", "def"]
    with pytest.raises(Damage, match="3 strings where 4 belong"):
        strings.decode(good, LARGE, 4)


def test_only_a_dictionary_cannot_have_many_empty_strings():
    good = strings.encode(pa.array([""] * 3, LARGE))
    assert strings.decode(good, LARGE, 3).values.to_pylist() == [""] * 3
    with pytest.raises(Damage, match="3 strings of 0 bytes"):
        strings.decode(good, LARGE)
