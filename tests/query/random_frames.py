"""Random frames for queries: every type the engine stores, few distinct values, missing ones, every kind of index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import pandas as pd

UNITS = ("s", "ms", "us", "ns")
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "+05:30")
TEXTS = ["", "a", "b", "ab", "B", "ä", "a b", " x", "日本", "zz" * 12, None, np.nan]
KINDS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
KINDS += ["float16", "float32", "float64", "bool", "object", "str", "category", "ordered", "none", "nan"]
KINDS += [f"datetime64[{unit}]" for unit in UNITS] + [f"timedelta64[{unit}]" for unit in UNITS] + ["zoned"]
INDEXES = ["time", "time", "time", "zoned", "range", "int64", "object", "float64", "levels", "levels", "words"]
START = 1_583_560_000  # in March 2020, before clocks change
STEPS = (1, 60, 1800, 40_000)


def column(random: Random, kind: str, rows: int) -> Any:
    """Values of one of `KINDS`."""
    if kind in MAKERS:
        return MAKERS[kind](random, rows)
    dtype = np.dtype(kind)
    if dtype.kind == "b":
        return np.array([random.random() < 0.5 for _ in range(rows)], dtype=bool)
    if dtype.kind == "f":
        pool = [0.0, -0.0, 0.5, -1.5, 0.1, 3.0, 1e4, np.nan, np.nan, random.gauss(0, 10), random.gauss(0, 0.01)]
        return np.array([random.choice(pool) for _ in range(rows)], dtype=dtype)
    if dtype.kind in "mM":
        unit = np.datetime_data(dtype)[0]
        nat = np.iinfo(np.int64).min
        start = START if dtype.kind == "M" else 0
        pool = [start + step for step in (0, 1, 3600, 3599, 86_400, 86_400 * 40, -7)]
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        numbers = [second * per_second + random.choice([0, 1, per_second // 3]) for second in pool] + [nat]
        return np.array([random.choice(numbers) for _ in range(rows)], dtype=np.int64).view(dtype)
    limits = np.iinfo(dtype)
    pool = [0, 1, 2, 3, 5, 100, *([] if dtype.kind == "u" else [-1, -7])]
    if random.random() < 0.3:
        pool += [limits.min, limits.max]
    return np.array([random.choice(pool) for _ in range(rows)], dtype=dtype)


def objects(values: Sequence[Any]) -> Any:
    """An array of exactly these objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _zoned(random: Random, rows: int) -> Any:
    naive = column(random, f"datetime64[{random.choice(UNITS)}]", rows)
    return pd.DatetimeIndex(naive).tz_localize("UTC").tz_convert(random.choice(ZONES)).array


def _category(random: Random, rows: int, *, ordered: bool = False) -> Any:
    pools: list[Any] = [["y", "x", "never"], [3, 1, 2], [0.5, -1.0], pd.date_range("2024", periods=3), ["ä"]]
    categories = pd.Index(random.choice(pools))
    codes = [random.randrange(-1, len(categories)) for _ in range(rows)]
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories, ordered))


MAKERS: dict[str, Callable[[Random, int], Any]] = {
    "object": lambda random, rows: objects([random.choice(TEXTS) for _ in range(rows)]),
    "str": lambda random, rows: pd.array([random.choice(TEXTS) for _ in range(rows)], dtype=_str()),
    "zoned": _zoned,
    "category": _category,
    "ordered": lambda random, rows: _category(random, rows, ordered=True),
    "none": lambda _random, rows: objects([None] * rows),
    "nan": lambda _random, rows: objects([np.nan] * rows),
}


def _str() -> Any:
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:
        return pd.StringDtype("pyarrow_numpy")


def times(random: Random, rows: int, *, unit: str | None = None, zone: str | None = None) -> pd.DatetimeIndex:
    """Times in order, now and then equal."""
    step = random.choice(STEPS)
    gaps = [random.choice([0, 1, 1, 2, 5]) for _ in range(rows)]
    unit = unit or random.choice(UNITS)
    seconds = START + np.cumsum(np.array(gaps, dtype=np.int64)) * step
    index = pd.DatetimeIndex(seconds.view("M8[s]")).as_unit(unit)
    return index if zone is None else index.tz_localize("UTC").tz_convert(zone)


def index(random: Random, rows: int, kind: str) -> pd.Index:
    """An index of one of `INDEXES`."""
    name = random.choice([None, "when", "key"])
    if kind == "range":
        return pd.RangeIndex(3, 3 + 2 * rows, 2, name=name)
    if kind in ("time", "zoned"):
        return times(random, rows, zone=random.choice(ZONES) if kind == "zoned" else None).rename(name)
    if kind == "levels":
        levels = [times(random, rows), pd.Index(objects([random.choice(["x", "y", "z"]) for _ in range(rows)]))]
        if random.random() < 0.5:
            levels.append(pd.Index(column(random, "int16", rows)))
        return pd.MultiIndex.from_arrays(levels, names=["when", "word", "number"][: len(levels)])
    if kind == "words":
        levels = [objects([random.choice(["x", "y"]) for _ in range(rows)]), column(random, "int64", rows)]
        return pd.MultiIndex.from_arrays(levels, names=["word", None])
    return pd.Index(column(random, kind, rows), name=name)


def frame(
    random: Random, *, max_rows: int = 24, kinds: Sequence[str] = KINDS, indexes: Sequence[str] = INDEXES
) -> pd.DataFrame:
    """A frame of up to seven columns; often without rows, or with one."""
    rows = random.choice([0, 1, 2, max_rows, max_rows, random.randint(3, max_rows)])
    chosen = [random.choice(kinds) for _ in range(random.randint(1, 7))]
    data = {f"{'abcdefg'[at]}": pd.Series(column(random, kind, rows)) for at, kind in enumerate(chosen)}
    made = pd.DataFrame(data)
    made.index = index(random, rows, random.choice(indexes))
    return made
