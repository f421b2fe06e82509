"""User metadata comes back with exactly its types, and in time."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import logging
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe.exceptions import ArcticDbNotYetImplemented, ArcticException
from coldframe.frames.metadata import decode_metadata, encode_metadata

plain = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.text(st.characters()), st.just("\ud800")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=12,
)


def same(left, right):
    assert type(left) is type(right), (left, right)
    if isinstance(left, dict):
        assert list(map(type, left)) == list(map(type, right))
        assert list(left) == list(right)
        for key in left:
            same(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            same(a, b)
    elif isinstance(left, float):
        assert left == right or (math.isnan(left) and math.isnan(right))
        assert math.copysign(1, left) == math.copysign(1, right)
    else:
        assert left == right


@given(plain)
def test_plain_values(value):
    same(value, decode_metadata(encode_metadata(value)))


class Colour(enum.Enum):
    RED = 1


class Weight(enum.IntEnum):
    HEAVY = 2


class Sub(dict):
    pass


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        {1, 2},
        frozenset({1}),
        b"x",
        bytearray(b"x"),
        pd.Timestamp("2024", tz="Europe/Paris"),
        pd.Timestamp("2024"),
        pd.Timedelta("1s"),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 1),  # noqa: DTZ001
        dt.date(2024, 1, 1),
        dt.timedelta(1),
        np.int64(3),
        np.float32(0.5),
        np.bool_(True),
        2**100,
        -(2**63) - 1,
        2**64,
        {1: "a"},
        {None: 1},
        {("a", 1): 2},
        {True: 1, 2: 2},
        decimal.Decimal("1.10"),
        Colour.RED,
        Weight.HEAVY,
        {"a": Weight.HEAVY},
        Sub(a=1),
        collections.OrderedDict(a=1),
        Point(1, 2),
        complex(1, 2),
        range(3),
        np.str_("x"),
    ],
    ids=repr,
)
def test_types_come_back(value):
    for held in (value, [value], {"k": value}):
        same_type = decode_metadata(encode_metadata(held))
        assert same_type == held
        assert repr(same_type) == repr(held)
        assert type(same_type) is type(held)


def test_nat_nan_and_frames():
    assert decode_metadata(encode_metadata(pd.NaT)) is pd.NaT
    assert decode_metadata(encode_metadata({"a": pd.NA}))["a"] is pd.NA
    frame = pd.DataFrame({"a": [1]})
    pd.testing.assert_frame_equal(decode_metadata(encode_metadata(frame)), frame)
    assert decode_metadata(encode_metadata(np.arange(3))).tolist() == [0, 1, 2]


def test_none_is_no_metadata():
    assert encode_metadata(None) is None
    assert decode_metadata(None) is None
    assert decode_metadata(encode_metadata([None])) == [None]
    for empty in ({}, [], "", 0, False, b""):
        same(empty, decode_metadata(encode_metadata(empty)))


def test_deep_and_circular():
    deep: list = []
    for _ in range(200):
        deep = [deep]
    assert decode_metadata(encode_metadata(deep)) == deep
    loop: list = []
    loop.append(loop)
    again = decode_metadata(encode_metadata(loop))
    assert again[0] is again


@pytest.mark.parametrize("value", [lambda: 1, (i for i in ()), {"a": open}], ids=["lambda", "generator", "function"])
def test_what_cannot_be_pickled(value):
    if isinstance(value, dict):
        assert decode_metadata(encode_metadata(value)) == value
        return
    with pytest.raises(ArcticException, match="cannot be pickled"):
        encode_metadata(value)


@pytest.mark.parametrize("value", [{1, 2}, {"a": (1,)}, np.int64(3), [2**70], {1: 2}])
def test_what_is_pickled_is_said(caplog, value):
    with caplog.at_level(logging.DEBUG, "coldframe"):
        encode_metadata(value, "symbol 's'")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "of symbol 's'" in record.message
    assert "pickled" in record.message


@pytest.mark.parametrize("value", [None, "x", {"a": [1.5, None]}, {"at": [pd.Timestamp("2024"), pd.NaT]}])
def test_what_any_program_can_read_and_times_are_not_worth_a_word(caplog, value):
    with caplog.at_level(logging.DEBUG, "coldframe"):
        encode_metadata(value)
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "level"), [("DEBUG", "DEBUG"), ("error", "ERROR"), ("loud", "WARNING"), ("WARN", "WARNING")]
)
def test_how_loud_pickling_is_said(caplog, monkeypatch, name, level):
    monkeypatch.setattr("coldframe.frames.metadata.get_config_string", {"PickledMetadata.LogLevel": name}.get)
    with caplog.at_level(logging.DEBUG, "coldframe"):
        encode_metadata({1})
    assert [record.levelname for record in caplog.records] == [level]


def test_size(caplog):
    with caplog.at_level(logging.WARNING, "coldframe"):
        encode_metadata(b"x" * ((8 << 20) - 100))
        assert not caplog.records
        encode_metadata(b"x" * ((8 << 20) + 1))
        assert "metadata takes" in caplog.text
    with pytest.raises(ArcticDbNotYetImplemented, match="16,777,216"):
        encode_metadata("x" * ((16 << 20) + 1))
    encode_metadata(b"x" * ((16 << 20) - 100))


@given(st.binary(max_size=40))
def test_bytes_that_are_no_metadata(data):
    if data[:1] == b"p":  # unpickling strangers' bytes is not done for sport
        return
    try:
        decode_metadata(b"m" + data)
    except ArcticException as error:
        assert "cannot be restored" in str(error)  # noqa: PT017


def test_a_class_that_is_gone():
    gone = type("Gone", (), {"__module__": __name__})
    globals()["Gone"] = gone
    data = encode_metadata(gone())
    del globals()["Gone"]
    with pytest.raises(ArcticException, match="cannot be restored here"):
        decode_metadata(data)
