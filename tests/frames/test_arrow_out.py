"""Tables as Arrow record batches, against pandas' own conversion of the same frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from coldframe.frames.arrow_out import record_batch
from coldframe.frames.pandas_in import normalize

COLUMNS = {
    "int8": np.array([1, -2, 3], "i1"),
    "uint64": np.array([2**64 - 1, 0, 1], "u8"),
    "float32": np.array([1.5, np.nan, -0.0], "f4"),
    "bool": np.array([True, False, True]),
    "stamp": pd.to_datetime(["2024-01-01", None, "1969-12-31"]),
    "zoned": pd.to_datetime(["2024-01-01", None, "1969-12-31"]).tz_localize("Europe/Paris"),
    "delta": pd.to_timedelta(["1s", None, "-3h"]),
    "strings": np.array(["a", None, "ü"], dtype=object),
    "category": pd.Categorical(["x", None, "y"], categories=["y", "x"], ordered=True),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_values_and_nulls(name):
    frame = pd.DataFrame({name: COLUMNS[name]})
    [found] = record_batch(normalize(frame, symbol="s")).columns
    [expected] = pa.RecordBatch.from_pandas(frame, preserve_index=False).columns
    if name.startswith("float"):
        assert found.null_count == 0
        assert np.array_equal(found.to_numpy(), COLUMNS[name], equal_nan=True)
    elif name == "category":
        assert found.type.ordered
        assert found.to_pylist() == expected.to_pylist()
    else:
        assert found.to_pylist() == expected.to_pylist()
        assert found.type == expected.type or name == "strings"


def test_names_of_the_index():
    times = pd.date_range("2024", periods=2)
    assert record_batch(normalize(pd.DataFrame({"a": [1, 2]}, times), symbol="s")).schema.names == ["__index__", "a"]
    two = pd.MultiIndex.from_arrays([times, ["x", "y"]], names=["t", None])
    frame = pd.DataFrame({3: [1, 2]}, two)
    assert record_batch(normalize(frame, symbol="s")).schema.names == ["t", "__index_level_1__", "3"]
