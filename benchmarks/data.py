"""The data that are measured on: made from a seed, made once."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

START = pd.Timestamp("2020-01-01")
LETTERS = "abcdefgh"


def rng(seed: int) -> np.random.Generator:
    """A generator of random numbers that gives the same ones in every run."""
    return np.random.default_rng(seed)


def seconds(start: int, count: int) -> pd.DatetimeIndex:
    """Every second, `count` of them, from second `start` of the data's time."""
    return pd.date_range(START + pd.Timedelta(seconds=start), periods=count, freq="s", name="time")


def middle_day(rows: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """A day in the middle of so many seconds, or a tenth of them where that is less."""
    middle = START + pd.Timedelta(seconds=rows // 2)
    return middle, middle + pd.Timedelta(seconds=min(86_400, rows // 10) - 1)


def normals(index: pd.Index, columns: int, seed: int) -> pd.DataFrame:
    """Random normals: numbers that do not compress."""
    values = rng(seed).standard_normal((columns, len(index)))
    return pd.DataFrame({LETTERS[at]: values[at] for at in range(columns)}, index=index)


@cache
def tall(rows: int) -> pd.DataFrame:
    """Eight columns of random normals at every second."""
    return normals(seconds(0, rows), 8, seed=1)


@cache
def ticks(rows: int) -> pd.DataFrame:
    """Trades: irregular milliseconds, a price that walks in cents, a size, one of five venues.

    Five million of them fill a trading day of six and a half hours.
    """
    random = rng(2)
    milliseconds = np.cumsum(random.exponential(6.5 * 3_600_000 / 5_000_000, rows).astype(np.int64))
    price = np.round(100 + np.cumsum(random.normal(0, 0.01, rows)), 2)
    venues = np.array(["ARCA", "BATS", "EDGX", "NASDAQ", "NYSE"], dtype=object)
    return pd.DataFrame(
        {
            "price": price,
            "size": random.integers(1, 1000, rows),
            "venue": venues[random.integers(0, len(venues), rows)],
        },
        index=pd.DatetimeIndex(START + pd.to_timedelta(milliseconds, unit="ms"), name="time"),
    )


@cache
def keyed(rows: int, keys: int) -> pd.DataFrame:
    """A number for each row, one of many keys, and a column that rises from each fiftieth of the rows to the next."""
    random = rng(7)
    return pd.DataFrame(
        {
            "key": random.integers(0, keys, rows),
            "batch": np.arange(rows) * 50 // rows,
            "value": random.standard_normal(rows),
        },
        index=seconds(0, rows),
    )


def part(number: int, rows: int) -> pd.DataFrame:
    """One of many symbols: six columns, of which two in every other symbol have other names."""
    columns = normals(seconds(number * rows, rows), 6, seed=1000 + number)
    return columns.rename(columns={"e": "g", "f": "h"}) if number % 2 else columns


@cache
def strings(rows: int, distinct: int) -> pd.DataFrame:
    """One column of strings, each distinct string one Python object that many rows share."""
    random = rng(3)
    values = np.array([f"customer-{number:08x}" for number in random.integers(0, 2**32, distinct)], dtype=object)
    return pd.DataFrame({"customer": values[random.integers(0, distinct, rows)]})


@cache
def unshared_strings(rows: int, distinct: int) -> pd.DataFrame:
    """The same strings, but each row has a Python object of its own, as after parsing a file by hand."""
    shared = strings(rows, distinct)["customer"].to_numpy()
    return pd.DataFrame({"customer": np.array([value[:1] + value[1:] for value in shared], dtype=object)})


@cache
def wide(rows: int, columns: int) -> pd.DataFrame:
    """Many columns: one float for each instrument."""
    names = [f"instrument_{number:05d}" for number in range(columns)]
    return pd.DataFrame(rng(4).standard_normal((rows, columns)), index=seconds(0, rows), columns=names)


@cache
def small(rows: int = 100) -> pd.DataFrame:
    """Eight columns of a hundred rows."""
    return normals(seconds(0, rows), 8, seed=5)


def piece(turn: int, rows: int = 100) -> pd.DataFrame:
    """The rows that append number `turn` adds."""
    return normals(seconds(turn * rows, rows), 8, seed=6 + turn)
