"""Objects that no column can hold."""

from __future__ import annotations

import numpy as np
import pytest

from coldframe.exceptions import ArcticException
from coldframe.format.table import Band, StringColumn, Table
from coldframe.frames.meta import index_kind, is_timeseries
from coldframe.frames.pandas_out import denormalize
from coldframe.frames.pickled import pickle_table, unpickle_table
from coldframe.frames.timeline import sortedness


@pytest.mark.parametrize("value", [None, 1, {"a": (1, {2})}, "text", b"\0", [1.5], 2**100])
def test_objects(value):
    table = pickle_table(value, symbol="s")
    assert index_kind(table.schema) == "pickled"
    assert not is_timeseries(table.schema)
    assert sortedness(table) == "UNKNOWN"
    assert table.rows == 1
    assert unpickle_table(table) == value
    assert denormalize(table) == value


def test_from_a_dictionary():
    table = pickle_table([1], symbol="s")
    column = table.bands[0].values[0]
    coded = Table(table.schema, 1, [Band([StringColumn(column.values, np.zeros(1, dtype=np.int32))])])
    assert unpickle_table(coded) == [1]


def test_what_cannot_be_pickled():
    with pytest.raises(ArcticException, match=r"function.*'sym'.*cannot be pickled"):
        pickle_table(lambda: 1, symbol="sym")


def test_what_cannot_be_restored():
    gone = type("Gone", (), {"__module__": __name__})
    globals()["Gone"] = gone
    table = pickle_table(gone(), symbol="s")
    del globals()["Gone"]
    with pytest.raises(ArcticException, match="cannot be restored here"):
        denormalize(table)
