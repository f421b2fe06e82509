"""Envelopes: what is sealed comes back, whatever else is damage."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from coldframe.exceptions import CompatibilityException
from coldframe.format.checksums import FORMAT_VERSION, Damage, checksum, seal, unseal


@given(st.binary(max_size=200), st.sampled_from([None, True, False]))
def test_what_is_sealed_comes_back(payload, odd):
    data = seal(b"HEAD", payload, odd=odd)
    assert bytes(unseal(b"HEAD", data)) == payload
    assert bytes(unseal(b"HEAD", memoryview(data))) == payload
    if odd is not None:
        assert len(data) % 2 == odd


@pytest.mark.parametrize("odd", [None, True, False])
def test_every_flipped_bit_is_damage(odd):
    data = seal(b"HEAD", b"some payload", odd=odd)
    for position in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[position] ^= 1 << bit
            with pytest.raises(Damage):
                unseal(b"HEAD", bad)


def test_every_truncation_and_every_surplus_is_damage():
    data = seal(b"HEAD", b"some payload")
    for length in range(len(data)):
        with pytest.raises(Damage):
            unseal(b"HEAD", data[:length])
    for surplus in (b"\0", b"x", data):
        with pytest.raises(Damage):
            unseal(b"HEAD", data + surplus)


def test_another_kind_is_damage():
    with pytest.raises(Damage, match="kind b'HEAD' where b'LIBR' belongs"):
        unseal(b"LIBR", seal(b"HEAD", b""))


def forge(version: int = FORMAT_VERSION, flags: int = 0) -> bytes:
    header = b"CFRM" + b"HEAD" + version.to_bytes(2, "little") + flags.to_bytes(2, "little") + (3).to_bytes(8, "little")
    return header + xxhash.xxh3_64_intdigest(header + b"abc").to_bytes(8, "little") + b"abc"


def test_a_newer_version_says_so():
    assert bytes(unseal(b"HEAD", forge())) == b"abc"
    with pytest.raises(CompatibilityException, match="version 2, this release reads up to version 1"):
        unseal(b"HEAD", forge(version=2))


def test_versions_and_flags_that_never_were_are_damage():
    with pytest.raises(Damage, match="version 0"):
        unseal(b"HEAD", forge(version=0))
    with pytest.raises(Damage, match="unknown flags 0x4"):
        unseal(b"HEAD", forge(flags=4))


def test_damage_tells_where():
    damage = Damage("checksum mismatch", "data/s/1").within("column 'a'")
    assert str(damage) == "column 'a': checksum mismatch"
    assert damage.key == "data/s/1"


def test_the_checksum_is_xxh3():
    assert checksum(b"") == 0x2D06800538D394C2
