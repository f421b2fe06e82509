"""Each private part of pandas gives what its public twin gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from coldframe.frames import pandas_compat, pandas_in
from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.testing import strategies

pytestmark = pytest.mark.filterwarnings("ignore:assert_index_equal will check")


def plain(values):
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


@given(strategies.frames(kinds=[kind for kind in strategies.KINDS if not kind.startswith(("float", "datetime"))]))
def test_blocks(frame):
    found = {}
    for values, places in pandas_compat.blocks_of(frame):
        rows = values if values.ndim == 2 else [values]
        assert len(rows) == len(places)
        found.update(zip(places.tolist(), rows, strict=True))
    for values, (place,) in pandas_compat.columns_of(frame):
        other = values[0] if values.ndim == 2 else values
        assert other.dtype == found[place].dtype
        pd.testing.assert_series_equal(pd.Series(other), pd.Series(found[place]))
    assert len(found) == frame.shape[1]


@given(strategies.frames())
def test_tables(frame):
    """A frame taken apart by the public twin makes an equal table, hence an equal frame."""
    direct = normalize(frame, symbol="s")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pandas_in.pandas_compat, "blocks_of", pandas_compat.columns_of)
        public = normalize(frame, symbol="s")
    assert direct.schema == public.schema
    pd.testing.assert_frame_equal(denormalize(direct), denormalize(public), check_exact=True)


@given(strategies.frames())
def test_frames_from_blocks(frame):
    table = normalize(frame, symbol="s")
    fast = denormalize(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pandas_compat, "frame_from_blocks", pandas_compat.frame_from_columns)
        patch.setattr(pandas_compat, "zoned_block", pandas_compat.zoned_columns)
        patch.setattr(pandas_compat, "pin_freq", pandas_compat.pin_freq_checked)
        slow = denormalize(table)
    pd.testing.assert_frame_equal(fast, slow, check_exact=True)
    assert getattr(fast.index, "freq", None) == getattr(slow.index, "freq", None)


def test_this_pandas_has_the_fast_parts():
    """If this fails, everything still works, slower: find out where the parts went."""
    frame = pd.DataFrame(np.zeros((2, 5)))
    assert len(pandas_compat.blocks_of(frame)) == 1
    assert pandas_compat._block_builder() is not None
    assert pandas_compat._freq_holder() != "unknown"
    zoned = pandas_compat.zoned_block(np.zeros((3, 2), dtype="i8"), pd.DatetimeTZDtype("us", "UTC"))
    assert [array.shape for array in zoned] == [(3, 2)]


def test_without_the_private_parts(monkeypatch):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.date_range("2024", periods=2, freq="D", tz="UTC"))
    frame["c"] = frame.index
    monkeypatch.setattr(pandas_compat, "_block_builder", lambda: None)
    monkeypatch.setattr(pandas_compat, "_datetime_array", lambda: object)
    monkeypatch.setattr(pandas_compat, "_freq_holder", lambda: "unknown")
    pd.testing.assert_frame_equal(denormalize(normalize(frame, symbol="s")), frame)


def test_pinning_looks_at_no_rows():
    index = pd.DatetimeIndex(np.array(["2024-01-01", "2024-01-05"], dtype="M8[ns]"))
    pandas_compat.pin_freq(index, "D")
    assert index.freqstr == "D"
    with pytest.raises(ValueError, match="conform"):
        pandas_compat.pin_freq_checked(pd.DatetimeIndex(np.array(["2024-01-01", "2024-01-05"], dtype="M8[ns]")), "D")


def test_frequencies_this_pandas_does_not_know():
    index = pd.DatetimeIndex(np.array(["2024-01-01"], dtype="M8[ns]"))
    pandas_compat.pin_freq(index, "no such thing")
    assert index.freq is None


@pytest.mark.parametrize("freq", ["s", "5min", "D", "B", "W-FRI", "ME", "MS", "QE-DEC", "YE", "2h"])
def test_names_of_frequencies(freq):
    offset = pd.tseries.frequencies.to_offset(freq)
    assert pandas_compat.offset_of(pandas_compat.freq_name(offset)) == offset


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("kind", ["M8", "m8", "Europe/Berlin", "+05:30", "UTC"])
@pytest.mark.parametrize("name", [None, "when", 7])
def test_index_of_instants(kind, unit, name):
    plain_kind = "m8" if kind == "m8" else "M8"
    values = np.array([-5, 0, 10**9, np.iinfo(np.int64).min], dtype=np.int64).view(f"{plain_kind}[{unit}]")
    zone = None if kind in ("M8", "m8") else pd.DatetimeTZDtype(unit, kind)
    fast = pandas_compat.index_of_instants(values, name, zone)
    public = pandas_compat.index_of_instants_checked(values, name, zone)
    pd.testing.assert_index_equal(fast, public, exact=True)
    assert fast.name == public.name == name
    assert fast.freq is public.freq is None
    assert fast.get_indexer(public[:3]).tolist() == [0, 1, 2]
    assert np.shares_memory(fast.asi8, values)
