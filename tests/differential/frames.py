"""Frames from a short description, so that a sequence of operations can be printed, cut down and run again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-03-30 12:00")  # two days before a change of clocks in Europe
ZONE = "Europe/Berlin"
GAP = 3

Columns = tuple[tuple[Any, str], ...]

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "bool"]
TYPES = [*NUMBERS, *["float64", "int64", "time", "text", "text"] * 2, "category"]
KINDS = ["time", "time", "time", "zoned", "range", "range", "number", "words", "levels", "series"]
TIMED = {"time", "zoned", "levels", "series"}


class Frame(NamedTuple):
    """What a frame is like.

    Attributes
    ----------
    kind : str
        What its index is; "series" is a Series with a time index.
    rows : int
    start : int
        Seconds after `START`, or the first number, of the index.
    columns : tuple of (name, type)
    seed : int
    flaw : str
        What is wrong with it on purpose: "", "unsorted", "NaT".
    """

    kind: str
    rows: int
    start: int
    columns: Columns
    seed: int
    flaw: str = ""

    @property
    def end(self) -> int:
        """The first start that does not overlap with this frame."""
        return self.start + (GAP * self.rows + 1 if self.kind in TIMED else self.rows)


def build(what: Frame) -> pd.DataFrame | pd.Series:
    """The frame that is described."""
    random = np.random.default_rng(what.seed)
    index = build_index(what, random)
    if what.kind == "series":
        name, kind = what.columns[0]
        return pd.Series(build_column(kind, what.rows, random), index=index, name=name)
    columns = [build_column(kind, what.rows, random) for _, kind in what.columns]
    frame = pd.DataFrame(dict(enumerate(columns)), index=index)
    frame.columns = pd.Index([name for name, _ in what.columns])
    return frame


def build_index(what: Frame, random: np.random.Generator) -> pd.Index:
    """The index of the described frame."""
    if what.kind == "range":
        return pd.RangeIndex(what.start, what.start + what.rows)
    if what.kind == "number":
        return pd.Index(random.integers(-5, 5, what.rows), name="number")
    if what.kind == "words":
        return pd.Index(random.choice(["x", "y", "z", ""], what.rows).astype(object), name="word")
    seconds = what.start + np.cumsum(random.integers(0, GAP + 1, what.rows))
    if what.flaw == "unsorted":
        seconds = seconds[::-1]
    times = pd.DatetimeIndex(START + pd.to_timedelta(seconds, unit="s"), name="time").as_unit("ns")
    if what.flaw == "NaT" and what.rows:
        times = pd.DatetimeIndex([*times[:-1], pd.NaT], name="time").as_unit("ns")
    if what.kind == "zoned":
        return times.tz_localize("UTC").tz_convert(ZONE)
    if what.kind == "levels":
        words = pd.Index(random.choice(["x", "y"], what.rows).astype(object))
        return pd.MultiIndex.from_arrays([times, words], names=["time", "word"])
    return times


def build_column(kind: str, rows: int, random: np.random.Generator) -> Any:
    """One column of the given type, with its special values among them."""
    if kind == "bool":
        return random.integers(0, 2, rows).astype(bool)
    if kind == "time":
        values = START.to_datetime64().astype("M8[ns]") + random.integers(0, 10**12, rows).astype("m8[ns]")
        return np.where(random.random(rows) < 0.2, np.datetime64("NaT", "ns"), values)
    if kind == "text":
        pool = np.array(["", "a", "ä", "long " * 20, "nul\0", None, np.nan], dtype=object)
        return pool[random.integers(0, len(pool), rows)]
    if kind == "category":
        return pd.Categorical.from_codes(random.integers(-1, 3, rows), categories=["low", "middle", "high"])
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        pool = np.array([np.nan, np.inf, -np.inf, -0.0, 1.5, np.finfo(dtype).max], dtype=dtype)
        return np.where(
            random.random(rows) < 0.3, random.choice(pool, rows), random.standard_normal(rows).astype(dtype)
        )
    limits = np.iinfo(dtype)
    pool = np.array([limits.min, limits.max, 0, 1], dtype=dtype)
    return random.choice(pool, rows)
