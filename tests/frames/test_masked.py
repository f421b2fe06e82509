"""Missing integers and booleans in tables become floats and objects in pandas; columns that rows lack are 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.table import Band, Table
from coldframe.frames.meta import FrameMeta, encode_meta
from coldframe.frames.pandas_out import denormalize


def _made(values, valid, *, meta=None, dtype=None):
    dtype = dtype or DType("int", 64)
    names = [f"c{at}" for at in range(len(values))]
    schema = Schema.of(names, [dtype] * len(values), 0, {}, encode_meta(meta or FrameMeta()))
    return denormalize(Table(schema, len(values[0]), [Band(values, np.array(valid))]))


@pytest.mark.parametrize("form", [np.array, lambda rows: [np.array(row) for row in rows]])
def test_only_columns_with_missing_values_change(form):
    valid = [[True, True, True], [True, False, True], [True, False, False], [True, False, True]]
    made = _made(form([[1, 2, 3], [4, 0, 6], [7, 0, 1], [8, 1, 9]]), valid)
    wanted = pd.DataFrame({"c0": [1, 2, 3], "c1": [4, 0, 6], "c2": [7, np.nan, np.nan], "c3": [8, np.nan, 9]})
    pd.testing.assert_frame_equal(made, wanted, check_column_type=False)


def test_all_columns_may_change():
    made = _made(np.array([[1, 2], [1, 1]]), [[False, True], [True, False]])
    pd.testing.assert_frame_equal(made, pd.DataFrame({"c0": [np.nan, 2], "c1": [1, np.nan]}), check_column_type=False)


def test_booleans_become_objects():
    values = np.array([[True, True, False]])
    made = _made(values, [[True, False, True]], dtype=DType("bool", 8))
    assert made["c0"].tolist() == [True, None, False]
    assert _made(values & False, [[True, False, True]], dtype=DType("bool", 8))["c0"].dtype == bool


def test_a_series():
    made = _made([np.array([1, 1, 5])], [[False, True, True]], meta=FrameMeta(kind="series"))
    pd.testing.assert_series_equal(made, pd.Series([np.nan, 1, 5], name="c0"))
