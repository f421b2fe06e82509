"""What users give to operations, as plain values."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from coldframe.operations.arguments import nanoseconds

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


@pytest.mark.parametrize("year", [1, 1677, 1970, 2024, 2262, 2263, 9999])
@pytest.mark.parametrize("zone", [None, dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
def test_nanoseconds_of_any_year(year, zone):
    moment = dt.datetime(year, 3, 4, 5, 6, 7, 89, tzinfo=zone)
    expected = (moment.replace(tzinfo=zone or dt.UTC) - EPOCH) // MICROSECOND * 1000
    assert nanoseconds(moment) == expected
    assert nanoseconds(pd.Timestamp(moment)) == expected
    assert type(nanoseconds(moment)) is int


def test_nanoseconds_of_a_date_and_of_nanoseconds():
    assert nanoseconds(dt.date(1970, 1, 2)) == 86_400 * 10**9
    assert nanoseconds(pd.Timestamp(1_700_000_000_123_456_789)) == 1_700_000_000_123_456_789
    assert nanoseconds(pd.Timestamp("1970-01-01 01:00", tz="Europe/Paris")) == 0
