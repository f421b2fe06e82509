"""Codecs of numbers, bits and codes, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coldframe.format import choice
from coldframe.format.checksums import Damage
from coldframe.format.codecs import bits, constant, decimals, dictionary, ids, linear, pco, raw, zstd

HOWS = {
    "plain": pco.PLAIN,
    "deltas": pco.config(8, deltas=True),
    "cents": pco.config(4, mode=pco.float_multiples(0.01)),
    "quanta": pco.config(4, mode=pco.float_quanta(20)),
}


@pytest.mark.parametrize("how", HOWS)
@given(hnp.arrays("<u8", st.integers(1, 300)))
def test_pco_keeps_every_bit_of_any_float(how, patterns):
    numbers = patterns.view("<f8")
    assert pco.decode(pco.encode(numbers, HOWS[how]), numbers.dtype, len(numbers)).tobytes() == numbers.tobytes()


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8"])
def test_pco_takes_every_width(dtype):
    numbers = np.frombuffer(np.random.default_rng(0).bytes(8000), dtype).copy()
    for how in (pco.PLAIN, HOWS["deltas"]):
        assert pco.decode(pco.encode(numbers, how), numbers.dtype, len(numbers)).tobytes() == numbers.tobytes()


def test_pco_must_fill_its_place_exactly():
    numbers = np.arange(1000)
    packed = pco.encode(numbers, pco.PLAIN)
    for count in (0, 999, 1001):
        with pytest.raises(Damage):
            pco.decode(packed, numbers.dtype, count)
    with pytest.raises(Damage):
        pco.decode(packed, np.dtype("f8"), 1000)
    for length in range(len(packed)):
        with pytest.raises(Damage):
            pco.decode(packed[:length], numbers.dtype, 1000)


@pytest.mark.slow
def test_pco_takes_more_numbers_than_one_of_its_chunks():
    numbers = np.arange(2**24 + 5) // 3
    assert (pco.decode(pco.encode(numbers, pco.PLAIN), numbers.dtype, len(numbers)) == numbers).all()


def test_raw_views_do_not_copy():
    data = np.arange(6, dtype="<i4").tobytes()
    found = raw.view(memoryview(b"x" + data)[1:], np.dtype("<i4"), 2, 3)
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not found.flags.owndata


@given(
    hnp.arrays(
        "<f8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.sampled_from([0.0, -0.0, 1.0, np.nan])
    )
)
def test_constants_are_told_by_their_bits(values):
    data = constant.encode(values)
    same = all(len({value.tobytes() for value in column}) == 1 for column in values)
    assert (data is not None) == same
    if data is not None:
        assert np.ascontiguousarray(constant.view(data, values.dtype, *values.shape)).tobytes() == values.tobytes()


EIGHT_BYTES = st.integers(-(2**63), 2**63 - 1)


def in_steps(start: int, step: int, rows: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.int64(start) + np.arange(rows) * np.int64(step)


@given(EIGHT_BYTES, EIGHT_BYTES.filter(bool), st.integers(3, 300), st.sampled_from(["<i8", "<u8"]), st.data())
def test_equal_steps_come_back_bit_for_bit_whole_and_in_part(start, step, rows, dtype, data):
    numbers = in_steps(start, step, rows).view(dtype)
    steps = linear.steps(linear.encode(numbers), rows)
    assert (steps.start, steps.step) == (start, step)
    target = np.empty(rows, dtype)
    steps.write(target)
    assert target.tolist() == numbers.tolist()
    low = data.draw(st.integers(0, rows - 1))
    high = data.draw(st.integers(low, rows))
    part = np.empty(high - low, dtype)
    steps[low:high].write(part)
    assert part.tolist() == numbers[low:high].tolist()
    assert steps[low] == numbers.view("<i8")[low]
    assert steps[low - rows] == numbers.view("<i8")[low], "counted from the end"
    rows_of = np.array(data.draw(st.lists(st.integers(0, rows - 1))), dtype=np.intp)
    some = np.empty(len(rows_of), dtype)
    steps.put(rows_of, some)
    assert some.tolist() == numbers[rows_of].tolist()


@given(st.integers(-1000, 1000), st.integers(1, 50), st.integers(3, 100), st.sampled_from(["left", "right"]), st.data())
def test_a_search_among_equal_steps_finds_what_numpy_finds(start, step, rows, side, data):
    numbers = in_steps(start, step, rows)
    value = data.draw(st.integers(start - 60, start + step * rows + 60) | st.sampled_from([-(2**63), 2**63 - 1]))
    steps = linear.steps(linear.encode(numbers), rows)
    assert steps.searchsorted(value, side) == np.searchsorted(numbers, value, side)
    values = np.array(data.draw(st.lists(st.integers(start - 60, start + step * rows + 60))), dtype=np.int64)
    found = steps.searchsorted(values, side)
    assert found.dtype == np.intp
    assert found.tolist() == np.searchsorted(numbers, values, side).tolist()


@given(st.integers(3, 400), st.data())
def test_one_step_that_differs_is_not_linear(rows, data):
    numbers = in_steps(7, 5, rows)
    numbers[data.draw(st.integers(0, rows - 1))] += data.draw(st.sampled_from([1, -1, 2**40]))
    assert linear.encode(numbers) is None


def test_more_equal_steps_than_are_counted_in_advance():
    numbers = in_steps(-5, 3, 300_000)
    target = np.empty_like(numbers)
    linear.steps(linear.encode(numbers), len(numbers)).write(target)
    assert (target == numbers).all()


@pytest.mark.parametrize("payload", [b"", bytes(15), bytes(17), b"\1" + bytes(15)])
def test_equal_steps_that_make_no_sense_are_damage(payload):
    with pytest.raises(Damage):
        linear.steps(payload, 5)


def packed_decimals(numbers, digits) -> bytes | None:
    whole = decimals.whole_numbers(numbers, digits)
    return None if whole is None else decimals.join(pco.encode(whole, pco.PLAIN), digits, whole.itemsize)


@given(
    hnp.arrays("<i8", st.integers(1, 300), elements=st.integers(-(2**53), 2**53) | st.integers(-(2**31), 2**31)),
    st.integers(0, 22),
)
def test_quotients_come_back_as_decimals(whole, digits):
    numbers = whole / 10.0**digits
    payload = packed_decimals(numbers, digits)
    if payload is None:  # the nearest float's multiple was rounded to another number
        assert abs(whole).max() > 2**50
        return
    assert decimals.decode(payload, len(numbers)).tobytes() == numbers.tobytes()
    out = np.empty(len(numbers))
    assert decimals.decode(payload, len(numbers), out) is out
    assert out.tobytes() == numbers.tobytes()


@given(hnp.arrays("<i4", st.integers(1, 300)), st.integers(0, 9), st.data())
def test_quotients_are_those_that_are_decoded(whole, digits, data):
    numbers = whole / 10.0**digits
    found = decimals.quotients(packed_decimals(numbers, digits), len(numbers))
    low = data.draw(st.integers(0, len(numbers)))
    part = np.empty(len(numbers) - low)
    found[low:].write(part)
    assert part.tobytes() == numbers[low:].tobytes()
    rows = np.array(data.draw(st.lists(st.integers(0, len(numbers) - 1))), dtype=np.intp)
    some = np.empty(len(rows))
    found.put(rows, some)
    assert some.tobytes() == numbers[rows].tobytes()
    assert len(found) == len(numbers)


@given(hnp.arrays("<u8", st.integers(1, 5)), st.integers(0, 22))
def test_any_floats_come_back_as_decimals_or_are_none(patterns, digits):
    numbers = patterns.view("<f8")
    payload = packed_decimals(numbers, digits)
    assert payload is None or decimals.decode(payload, len(numbers)).tobytes() == numbers.tobytes()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, -0.0, 0.125, 1e17, 5e-324, 1.7e308])
def test_floats_that_are_no_decimals(odd):
    assert decimals.whole_numbers(np.array([1.25, odd, 2.5]), 2) is None
    assert decimals.whole_numbers(np.array([odd]), 2) is None


@pytest.mark.parametrize(
    ("numbers", "width"), [([2.0**31 - 1, -(2.0**31)], 4), ([2.0**31], 8), ([-(2.0**31) - 1], 8), ([0.0], 4)]
)
def test_whole_numbers_are_as_narrow_as_they_can_be(numbers, width):
    assert decimals.whole_numbers(np.array(numbers), 0).itemsize == width


@pytest.mark.parametrize("header", [b"", b"\2", b"\2\5", b"\27\4", b"\2\1"])
def test_decimals_that_make_no_sense_are_damage(header):
    packed = pco.encode(np.arange(10, dtype=np.int32), pco.PLAIN)
    assert decimals.decode(b"\2\4" + packed, 10).tolist() == (np.arange(10) / 100).tolist()
    with pytest.raises(Damage):
        decimals.decode(header + packed if len(header) == 2 else header, 10)
    with pytest.raises(Damage):
        decimals.decode(b"\2\4" + packed, 11)


@given(st.integers(1, 2000), st.sampled_from([0.0, 0.01, 0.5, 1.0]))
def test_bits_come_back(count, share):
    values = np.random.default_rng(count).random(count) < share
    data = bits.encode(values)
    assert bits.decode(data, count).tolist() == values.tolist()
    assert len(data) <= 1 + (count + 7) // 8
    for other in (count + 8, max(count - 8, 0)):
        with pytest.raises(Damage):
            bits.decode(data, other)


@pytest.mark.parametrize("payload", [b"", b"\2\0", b"\1nothing"])
def test_bits_of_no_known_form_are_damage(payload):
    with pytest.raises(Damage):
        bits.decode(payload, 5)


def test_zstd_frames_must_be_what_they_say():
    frame = zstd.shrink(b"again " * 1000)
    assert zstd.expand(frame, 6000) == b"again " * 1000
    for size in (0, 5999, 6001, 2**50):
        with pytest.raises(Damage):
            zstd.expand(frame, size)
    for length in range(len(frame)):
        with pytest.raises(Damage):
            zstd.expand(frame[:length], 6000)
    # A frame that claims 2**40 bytes: magic, a descriptor with 8 bytes of content size, the size, an empty block.
    bomb = b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\1\0\0"
    with pytest.raises(Damage, match="does not hold"):
        zstd.expand(bomb, 2**40)
    assert zstd.shrink(np.random.default_rng(0).bytes(200_000)) is None
    assert zstd.shrink(np.random.default_rng(0).bytes(2000)) is None
    assert zstd.shrink(b"short") is None


@pytest.mark.parametrize("count", [0, 1, 600, 5000])
@pytest.mark.parametrize("distinct", [1, 3])
def test_codes_come_back(count, distinct):
    codes = (np.arange(count) % distinct).astype(np.int32)
    data = dictionary.encode(codes, b"dictionary", choice.choose_codes(codes) if count > dictionary.FEW else None)
    embedded, codec, packed = dictionary.split(data)
    assert embedded == b"dictionary"
    if count == 5000 and distinct == 3:
        assert codec == ids.PCO
    elif count:
        assert codec == (ids.CONSTANT if distinct == 1 or count == 1 else codec)
    assert dictionary.decode_codes(packed, codec, count).tolist() == codes.tolist()
    out = np.empty(count, np.int32)
    assert dictionary.decode_codes(packed, codec, count, out).tolist() == codes.tolist()


def test_codes_outside_their_dictionary_are_damage():
    dictionary.check_codes(np.array([-2, -1, 0, 4], np.int32), 5)
    dictionary.check_codes(np.array([], np.int32), 0)
    dictionary.check_codes(np.array([-1, -1, -2], np.int32), 0)
    ends = [([2**31 - 1], 5), ([-(2**31)], 5)]
    for codes, distinct in (([5], 5), ([-3], 5), ([0], 0), ([-1, 5], 5), ([1, -3, -1], 5), *ends):
        with pytest.raises(Damage, match="outside the dictionary"):
            dictionary.check_codes(np.array(codes, np.int32), distinct)


def test_payloads_of_codes_that_are_cut_are_damage():
    data = dictionary.encode(np.zeros(10, np.int32), b"dictionary", None)
    for length in range(18):
        with pytest.raises(Damage):
            dictionary.split(data[:length])
    with pytest.raises(Damage):
        dictionary.decode_codes(memoryview(b"1234"), ids.RAW, 2)
    with pytest.raises(Damage):
        dictionary.decode_codes(memoryview(b"1234"), 77, 1)
