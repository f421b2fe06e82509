"""Hypothesis strategies for pandas objects: every type, index and oddity that coldframe promises to give back.

Frames are small (rows and columns up to a handful), since what breaks is odd rather than large.

>>> from hypothesis import given
>>> @given(frames())
... def test_gives_back(frame): ...
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

__all__ = [
    "KINDS",
    "ZONES",
    "append_chunks",
    "arrays",
    "column_names",
    "frames",
    "indexes",
    "series",
    "strings",
    "time_frames",
    "time_indexes",
]

Names = Literal["distinct", "text", "any"]
UNITS = ("s", "ms", "us", "ns")
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "+05:30", "-03:00")
_FREQUENCIES = ("s", "min", "h", "D", "B", "W-MON", "MS", "15min")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NAT = np.iinfo(np.int64).min
_CENTURY = 100 * 366 * 86_400

INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
FLOATS = ("float16", "float32", "float64")
INSTANTS = tuple(f"datetime64[{unit}]" for unit in UNITS)
DURATIONS = tuple(f"timedelta64[{unit}]" for unit in UNITS)
KINDS = (*INTEGERS, *FLOATS, "bool", *INSTANTS, *DURATIONS, "zoned", "object", "str", "category", "none", "nan")
"""What a column may be: numpy types by name, instants with a zone, strings as objects or `str`, categories, missing."""


def strings() -> st.SearchStrategy[str]:
    """Strings of all sorts: empty, with NUL, of any script; never lone surrogates, which cannot be stored."""
    return st.one_of(
        st.sampled_from(["", "a", "b", "AAPL", "\0", "x\0y", "é", "日本語", "🙂", " ", "None", "nan", "long " * 40]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    )


def column_names(count: int, names: Names = "any") -> st.SearchStrategy[pd.Index]:
    """The Index of column names: distinct strings, any strings, or whatever may name a column."""
    if names == "distinct":
        return st.lists(strings().filter(bool), min_size=count, max_size=count, unique=True).map(_text_index)
    of_text = st.builds(
        lambda found, name: _text_index(found).rename(name),
        st.lists(strings(), min_size=count, max_size=count),
        _index_names(),
    )
    if names == "text":
        return of_text
    one = st.one_of(strings(), st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.just(0.5))
    return st.one_of(
        of_text,
        st.builds(
            lambda start, step: pd.RangeIndex(start, start + count * step, step),
            st.integers(-3, 3),
            st.sampled_from([1, 2, -1]),
        ),
        st.lists(st.integers(-9, 9), min_size=count, max_size=count).map(lambda found: pd.Index(found, dtype="int64")),
        st.lists(one, min_size=count, max_size=count).map(lambda found: pd.Index(found, dtype=object)),
    )


def _text_index(names: list[str]) -> pd.Index:
    # With no name to look at, pandas would take the Index to be of objects.
    return pd.Index(names) if names else pd.Index(names, dtype=pd.Index(["a"]).dtype)


def _index_names() -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(["time", "", "a", 0, 7]))


def arrays(rows: int, kind: str) -> st.SearchStrategy[Any]:
    """The values of a column of one of `KINDS`."""
    if kind in INTEGERS or kind in FLOATS:
        return _bits(rows, np.dtype(kind))
    if kind == "bool":
        return _bits(rows, np.dtype("u1")).map(lambda found: (found & 1).astype(np.bool_))
    if kind.startswith(("datetime64", "timedelta64")):
        return _moments(rows, kind[-3:-1].strip("[")).map(lambda found: found.view(kind))
    return _EXTENSIONS[kind](rows)


def _bits(rows: int, dtype: np.dtype[Any]) -> st.SearchStrategy[NDArray[Any]]:
    """Any bits: for floats infinities, negative zeros and every NaN, too."""
    size = rows * dtype.itemsize
    return st.binary(min_size=size, max_size=size).map(lambda data: np.frombuffer(data, dtype).copy())


def _moments(rows: int, unit: str, *, missing: bool = True) -> st.SearchStrategy[NDArray[Any]]:
    """Numbers of units within two centuries, and NaT."""
    most = _CENTURY * _PER_SECOND[unit]
    one = st.integers(-most, 2 * most)
    choice = st.one_of(one, st.just(_NAT)) if missing else one
    return st.lists(choice, min_size=rows, max_size=rows).map(lambda found: np.array(found, dtype=np.int64))


def _zoned(rows: int) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda numbers, unit, zone: pd.DatetimeIndex(numbers, dtype=pd.DatetimeTZDtype(unit, zone)).array,
        _moments(rows, "s").map(lambda found: np.where(found == _NAT, _NAT, found % _CENTURY)),
        st.sampled_from(UNITS),
        st.sampled_from(ZONES),
    )


def _objects(rows: int) -> st.SearchStrategy[NDArray[Any]]:
    one = st.one_of(strings(), st.sampled_from([None, np.nan]))
    return st.lists(one, min_size=rows, max_size=rows).map(_object_array)


def _object_array(values: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _str(rows: int) -> st.SearchStrategy[Any]:
    """What this pandas makes of strings when asked for its `str`, or objects where it has none."""
    return _objects(rows).map(lambda found: pd.Series(found, dtype=_str_dtype()).array)


def _str_dtype() -> Any:
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:
        return pd.StringDtype("pyarrow_numpy")


def _categories(rows: int) -> st.SearchStrategy[pd.Categorical]:
    pools = st.one_of(
        st.lists(strings(), max_size=5, unique=True).map(_text_index),
        st.lists(strings(), max_size=5, unique=True).map(lambda found: pd.Index(found, dtype=object)),
        st.lists(st.integers(-5, 5), max_size=5, unique=True).map(lambda found: pd.Index(found, dtype="int64")),
        st.lists(st.sampled_from([0.5, -1.0, np.inf]), max_size=3, unique=True).map(
            lambda found: pd.Index(found, dtype="float64")
        ),
        st.integers(0, 4).map(pd.RangeIndex),
        st.integers(0, 3).map(lambda count: pd.date_range("2024", periods=count, tz="Europe/Paris")),
    )

    def build(pool: pd.Index, codes: list[int], ordered: bool) -> pd.Categorical:
        within = [code if code < len(pool) else -1 for code in codes]
        return pd.Categorical.from_codes(within, dtype=pd.CategoricalDtype(pool, ordered=ordered))

    return st.builds(build, pools, st.lists(st.integers(-1, 4), min_size=rows, max_size=rows), st.booleans())


_EXTENSIONS: dict[str, Callable[[int], st.SearchStrategy[Any]]] = {
    "zoned": _zoned,
    "object": _objects,
    "str": _str,
    "category": _categories,
    "none": lambda rows: st.just(_object_array([None] * rows)),
    "nan": lambda rows: st.just(_object_array([np.nan] * rows)),
}


def time_indexes(
    rows: int, *, unit: str | None = None, zone: str | None = "any"
) -> st.SearchStrategy[pd.DatetimeIndex]:
    """A DatetimeIndex in order, instants repeated now and then, with a frequency now and then."""
    zones = st.sampled_from([None, *ZONES]) if zone == "any" else st.just(zone)
    units = st.sampled_from(UNITS) if unit is None else st.just(unit)
    steps = st.lists(st.integers(0, 3), min_size=rows, max_size=rows)
    ticking = st.builds(_ticking, steps, units, zones, _index_names())
    regular = st.builds(
        lambda freq, at, of, name: pd.date_range("2024-02-28", periods=rows, freq=freq, tz=at, unit=of, name=name),
        st.sampled_from(_FREQUENCIES),
        zones,
        units,
        _index_names(),
    )
    return st.one_of(ticking, regular)


def _ticking(steps: list[int], unit: str, zone: str | None, name: Any) -> pd.DatetimeIndex:
    numbers = 1_700_000_000 * _PER_SECOND[unit] + np.cumsum(np.array(steps, dtype=np.int64))
    if zone is None:
        return pd.DatetimeIndex(numbers.view(f"M8[{unit}]"), name=name)
    return pd.DatetimeIndex(numbers, dtype=pd.DatetimeTZDtype(unit, zone), name=name)


def indexes(rows: int) -> st.SearchStrategy[pd.Index]:
    """An index of any kind."""
    return st.one_of(
        st.builds(
            lambda start, step, name: pd.RangeIndex(start, start + rows * step, step, name=name),
            st.integers(-10, 10),
            st.sampled_from([1, 2, -3]),
            _index_names(),
        ),
        time_indexes(rows),
        st.integers(2, 3).flatmap(lambda levels: _multi_indexes(rows, levels)),
        st.builds(
            lambda values, name: values.rename(name),
            st.sampled_from(
                [*INTEGERS, "float32", "float64", "bool", "object", "str", "timedelta64[ns]", "timedelta64[s]", "none"]
            ).flatmap(lambda kind: _plain_index(rows, kind)),
            _index_names(),
        ),
    )


def _plain_index(rows: int, kind: str) -> st.SearchStrategy[pd.Index]:
    return arrays(rows, kind).map(lambda found: pd.Index(found, dtype=found.dtype))


def _multi_indexes(rows: int, levels: int) -> st.SearchStrategy[pd.MultiIndex]:
    kinds = ["int64", "uint8", "float64", "bool", "datetime64[ns]", "timedelta64[s]", "zoned", "object", "str"]
    level = st.sampled_from(kinds).flatmap(lambda kind: _plain_index(rows, kind))
    first = st.one_of(time_indexes(rows), level)
    rest = st.lists(level, min_size=levels - 1, max_size=levels - 1)
    names = st.lists(_index_names(), min_size=levels, max_size=levels)
    return st.builds(lambda a, b, c: pd.MultiIndex.from_arrays([a, *b], names=c), first, rest, names)


@st.composite
def frames(
    draw: st.DrawFn,
    *,
    index: Callable[[int], st.SearchStrategy[pd.Index]] = indexes,
    names: Names = "any",
    kinds: Sequence[str] = KINDS,
    min_rows: int = 0,
    max_rows: int = 12,
    min_columns: int = 0,
    max_columns: int = 6,
) -> pd.DataFrame:
    """DataFrames.

    Parameters
    ----------
    index : function of the number of rows
        A strategy for the index.
    names : {"distinct", "text", "any"}
        Distinct strings, strings that may repeat, or whatever may name a column.
    kinds : sequence
        Which of `KINDS` columns may be.
    min_rows, max_rows, min_columns, max_columns : int
    """
    rows = draw(st.integers(min_rows, max_rows))
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=min_columns, max_size=max_columns))
    columns = [_series(draw(arrays(rows, kind))) for kind in chosen]
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(rows))
    frame.index = draw(index(rows))
    frame.columns = draw(column_names(len(chosen), names))
    return frame


def _series(values: Any) -> pd.Series:
    return pd.Series(values, dtype=values.dtype)


@st.composite
def series(draw: st.DrawFn, *, kinds: Sequence[str] = KINDS, max_rows: int = 12) -> pd.Series:
    """Series, of any type, index and name."""
    rows = draw(st.integers(0, max_rows))
    made = _series(draw(arrays(rows, draw(st.sampled_from(kinds)))))
    made.index = draw(indexes(rows))
    made.name = draw(st.one_of(st.none(), strings(), st.integers(-5, 5), st.booleans()))
    return made


def time_frames(
    *,
    unit: str | None = None,
    zone: str | None = "any",
    names: Names = "distinct",
    kinds: Sequence[str] = KINDS,
    min_rows: int = 0,
    max_rows: int = 12,
) -> st.SearchStrategy[pd.DataFrame]:
    """DataFrames indexed by time, in order."""
    return frames(
        index=lambda rows: time_indexes(rows, unit=unit, zone=zone),
        names=names,
        kinds=kinds,
        min_rows=min_rows,
        max_rows=max_rows,
    )


@st.composite
def append_chunks(
    draw: st.DrawFn, whole: st.SearchStrategy[pd.DataFrame] | None = None, *, max_chunks: int = 4
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """A frame, and the consecutive pieces, some without rows, that appended one after the other make it."""
    frame = draw(time_frames() if whole is None else whole)
    cuts = sorted(draw(st.lists(st.integers(0, len(frame)), max_size=max_chunks - 1)))
    bounds = [0, *cuts, len(frame)]
    return frame, [frame.iloc[a:b] for a, b in itertools.pairwise(bounds)]
