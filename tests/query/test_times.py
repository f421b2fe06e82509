"""Times rounded in zones whose clocks change, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import col

ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu", "UTC"]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("freq", ["15min", "h", "2h", "D"])
@pytest.mark.parametrize("how", ["floor", "ceil", "round"])
@pytest.mark.parametrize("zone", ZONES)
def test_rounded_to_the_hour_that_the_clock_shows(ask, zone, how, freq, unit):
    days = ["2020-03-08", "2020-03-29", "2020-04-05", "2020-10-04", "2020-10-25", "2020-11-01"]
    if zone == "Australia/Lord_Howe":
        days.remove("2020-10-04")  # pandas leaves out an hour where this clock leaves out half of one
    starts = [pd.Timestamp(day, tz="UTC") - pd.Timedelta("20h") for day in days]
    times = pd.DatetimeIndex([time for start in starts for time in pd.date_range(start, periods=200, freq="17min")])
    times = times.tz_convert(zone).as_unit(unit)
    summer = np.array([bool(time.dst()) for time in times])
    rounded = getattr(times, how)(freq, ambiguous=summer, nonexistent="shift_forward")
    frame = pd.DataFrame({"t": times.insert(7, pd.NaT)})
    made = ask(frame, QueryBuilder().apply("t", getattr(col("t").dt, how)(freq)), size=100)["t"]
    assert made.tolist() == rounded.insert(7, pd.NaT).tolist()


def test_hours_that_the_clock_shows_twice_are_two_groups(ask):
    times = pd.date_range("2020-10-25 00:10", periods=4, freq="30min", tz="UTC").tz_convert("Europe/London")
    query = QueryBuilder().apply("hour", col("t").dt.floor("h")).groupby("hour").agg({"x": "sum"})
    made = ask(pd.DataFrame({"t": times, "x": [1, 2, 4, 8]}), query)
    assert made["x"].tolist() == [3, 12]
    assert (made.index.tz_convert("UTC").hour).tolist() == [0, 1]
