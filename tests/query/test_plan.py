"""What plans make of clauses."""

from __future__ import annotations

import numpy as np
import pandas as pd

from coldframe.query.builder import QueryBuilder


def test_an_open_end_is_open_beyond_the_years_of_nanoseconds(ask):
    index = pd.DatetimeIndex(np.array(["1500-01-01", "2020-01-01", "3000-01-01"], dtype="M8[s]"), name="when")
    frame = pd.DataFrame({"x": [1, 2, 3]}, index=index)
    after, before = (pd.Timestamp(2020, 1, 1), None), (None, pd.Timestamp(2020, 1, 1))
    assert ask(frame, QueryBuilder().date_range(after))["x"].tolist() == [2, 3]
    assert ask(frame, QueryBuilder().date_range(before))["x"].tolist() == [1, 2]
