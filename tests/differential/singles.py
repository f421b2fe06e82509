"""Single operations: one kind of value or argument each, on a library that holds just what it needs.

Each has to do the same on both sides, unless it names the heading of docs/differences.md that says why it does not;
then it has to differ, so that what is said there stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from differential.sequences import Operation

TIMES = pd.date_range("2024-01-01", periods=4, freq="h", name="time").as_unit("ns")
TIMED = pd.DataFrame(
    {"x": [1.0, 2.0, 3.0, 4.0], "n": [1, 2, 3, 4], "t": ["a", "b", None, "a"]}, index=TIMES._with_freq(None)
)
PLAIN = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "n": [1, 2, 3, 4]})
HOUR = pd.Timedelta(hours=1)


class Single(NamedTuple):
    """What is done, and the difference that is meant, if any."""

    name: str
    operations: list[Operation]
    heading: str = ""
    options: Mapping[str, Any] = MappingProxyType({})


def do(method: str, **arguments: Any) -> Operation:
    """An operation on the symbol s."""
    return Operation(method, {"symbol": "s", **arguments})


def library(method: str, **arguments: Any) -> Operation:
    """An operation on the library as a whole."""
    return Operation(method, arguments)


def stored(name: str, data: Any, heading: str = "") -> Single:
    """Write something and read it back."""
    return Single(f"write {name}", [do("write", data=data), do("read"), do("get_description")], heading)


def column(name: str, values: Any, heading: str = "") -> Single:
    """Write a column and read it back."""
    return stored(f"a column of {name}", pd.DataFrame({"c": values}, index=TIMED.index[: len(values)]), heading)


def index(name: str, values: Any, heading: str = "") -> Single:
    """Write a frame with this index and read it back."""
    return stored(f"an index of {name}", pd.DataFrame({"c": np.arange(len(values))}, index=values), heading)


def called(name: str, label: Any, heading: str = "") -> Single:
    """Write a column with this name and read it back."""
    frame = pd.DataFrame(np.arange(4.0).reshape(4, 1), index=TIMED.index)
    frame.columns = pd.Index([label], dtype=object)
    return stored(f"a column called {name}", frame, heading)


def objects(*values: Any) -> np.ndarray:
    """An array of exactly these objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def given(name: str, *operations: Operation, data: Any = TIMED, heading: str = "", **options: Any) -> Single:
    """Operations on a symbol that holds `data`."""
    return Single(name, [do("write", data=data), *operations], heading, options)
