"""Categories as bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from coldframe.frames.categories import code_bits, decode_categories, encode_categories, recode, union_categories
from coldframe.frames.refusals import Place

PLACE = Place("sym", "column", "c")


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["a", "b"]),
        pd.Index(["b", "a"], dtype=object, name="kind"),
        pd.Index([], dtype=object),
        pd.Index([], dtype="int64"),
        pd.Index([3, 1], dtype="int8"),
        pd.Index([3, 1], dtype="uint64"),
        pd.Index([0.5, np.inf], dtype="float32"),
        pd.Index([True, False]),
        pd.RangeIndex(2, 8, 3, name=7),
        pd.to_datetime(["2024", "1999"]).as_unit("s"),
        pd.to_datetime(["2024", "1999"]).tz_localize("Europe/Paris").as_unit("us"),
        pd.to_datetime(["2024"]).tz_localize("UTC"),
        pd.date_range("2024", periods=3, freq="MS"),
        pd.to_timedelta(["1s", "2h"]).as_unit("ms"),
    ],
    ids=repr,
)
def test_there_and_back(index):
    data = encode_categories(index, PLACE)
    restored = decode_categories(data)
    pd.testing.assert_index_equal(restored, index, exact=True)
    assert type(restored) is type(index)
    assert getattr(restored, "freq", None) == getattr(index, "freq", None)
    assert encode_categories(restored, PLACE) == data


def test_any_arrow_reader_can_read_them():
    table = pa.ipc.open_stream(encode_categories(pd.Index(["a", "b"]), PLACE)).read_all()
    assert table.column(0).to_pylist() == ["a", "b"]


def encoded(*values, dtype=object):
    return encode_categories(pd.Index(values, dtype=dtype), PLACE)


def test_unions():
    joined = union_categories(encoded("b", "a"), encoded("a", "c"))
    assert decode_categories(joined).tolist() == ["b", "a", "c"]
    assert union_categories(encoded("a", "b"), encoded("b")) == encoded("a", "b")
    assert union_categories(encoded("a"), encoded(1, dtype="int64")) is None
    assert union_categories(encoded(1, dtype="int64"), encoded(1, dtype="int8")) is None
    mixed = union_categories(encoded("a"), encoded("b", dtype=pd.Index(["a"]).dtype))
    assert decode_categories(mixed).tolist() == ["a", "b"]
    assert decode_categories(mixed).dtype == object
    assert decode_categories(union_categories(encoded(2, 1, dtype="int8"), encoded(3, dtype="int8"))).dtype == "int8"
    ranges = union_categories(encode_categories(pd.RangeIndex(2), PLACE), encode_categories(pd.RangeIndex(4), PLACE))
    assert decode_categories(ranges).tolist() == [0, 1, 2, 3]


def test_codes():
    old, new = encoded("a", "b"), encoded("b", "x", "a")
    assert recode(np.array([0, 1, -1], dtype="i1"), old, new, 16).tolist() == [2, 0, -1]
    assert recode(np.array([0], dtype="i1"), old, new, 16).dtype == np.int16
    assert code_bits(encoded(*map(str, range(127)))) == 8
    assert code_bits(encoded(*map(str, range(128)))) == 16
