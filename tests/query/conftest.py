"""How query tests ask: a frame becomes a table, cut into slices that are loaded and pruned like stored ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe.frames.pandas_in import normalize
from coldframe.frames.pandas_out import denormalize
from coldframe.query.columns import Column, columns_of
from coldframe.query.execute import run
from coldframe.query.plan import make_plan
from coldframe.query.source import Statistics


class SlicedSource:
    """A table cut into slices, with statistics, that notes what is loaded; `lacking` columns are not in some slices."""

    def __init__(self, table, size, *, ordered=None, statistics=True, lacking=None):
        self.table = table
        self.schema = table.schema
        self.symbol = "prices"
        self.ordered = ordered
        self.size = size
        starts = np.arange(0, table.rows, size)
        self.rows = np.minimum(size, table.rows - starts).astype(np.int64)
        self.loads = []
        self.expected = None
        self.prefetched = []
        self._columns = columns_of(table)
        self._statistics = statistics
        self._lacking = lacking or {}

    def _piece(self, index, column) -> Column:
        start = index * self.size
        return self._columns[column].rows(start, start + int(self.rows[index]))

    def load(self, index, columns):
        wanted = list(columns)
        assert wanted == sorted(set(wanted))
        assert not set(wanted) & set(self.missing(index))
        assert self.expected is None or (index in self.expected[0] and self.expected[1].issuperset(wanted))
        self.loads.append((index, tuple(self.schema.names[column] for column in wanted)))
        return [self._piece(index, column) for column in wanted]

    def missing(self, index):
        return self._lacking.get(index, ())

    def statistics(self, column):
        dtype = self.schema.dtype(column)
        if not self._statistics or not dtype.fixed or dtype.kind == "category":
            return None
        count = len(self.rows)
        known = np.zeros(count, dtype=bool)
        low, high = (np.zeros(count, dtype=dtype.storage) for _ in range(2))
        nulls = np.zeros(count, dtype=np.int64)
        for index in range(count):
            if column in self.missing(index):
                continue
            piece = self._piece(index, column)
            gone = piece.missing()
            nulls[index] = gone.sum()
            present = piece.data[~gone]
            if len(present):
                known[index], low[index], high[index] = True, present.min(), present.max()
        return Statistics(known, low, high, nulls)

    def without_gil(self, columns):
        return True

    def expect(self, slices, columns):
        self.expected = (set(slices), set(columns))

    def prefetch(self, wanted):
        self.prefetched.append([(index, tuple(columns)) for index, columns in wanted])


def ask_frame(data, query, *, size=3, columns=None, ordered=None, statistics=True, lacking=None):
    """What a query makes of a frame; `size` rows to the slice."""
    table = normalize(data, symbol="prices")
    source = SlicedSource(table, size, ordered=ordered, statistics=statistics, lacking=lacking)
    plan = make_plan(query.clauses, table.schema, columns=columns)
    return denormalize(run(plan, source))


@pytest.fixture(scope="session")
def ask():
    return ask_frame


@pytest.fixture(scope="session")
def sliced():
    return SlicedSource


@pytest.fixture
def frame():
    count = 12
    return pd.DataFrame(
        {
            "i": np.arange(count) - 3,
            "u": np.arange(count, dtype=np.uint8),
            "f": [0.5, np.nan, -1.0, 2.5, 0.0, -0.0, 1e300, 7.0, np.nan, 3.0, 0.1, 9.0],
            "g": np.arange(count, dtype=np.float32) / 10,
            "b": [True, False, False] * 4,
            "s": np.array(["a", "b", None, "ab", np.nan, "", "B", "a", "c", "ä", "a b", "b"], dtype=object),
            "t": np.array(["2020-01-01", "NaT", "2020-01-03T12:00"] * 4, dtype="M8[ns]"),
            "c": pd.Categorical(["x", "y", None] * 4),
        },
        index=pd.date_range("2020-03-28 22:00", periods=count, freq="37min", name="when"),
    )
