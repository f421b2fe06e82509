"""Queries on large symbols: filters, a projection, groups, buckets of time, rows of many symbols stacked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from benchmarks import data
from benchmarks.cases import Case, Library, Sizes
from benchmarks.reading import frame
from benchmarks.sides import module_of

Build = Callable[[Any], Any]
"""What a query is made of: given an empty QueryBuilder, the one that is read through."""


def grouped(item: Any) -> pd.DataFrame:
    """Groups by key, columns by name: ArcticDB promises no order of either."""
    return item.data.sort_index().sort_index(axis=1)


def columns_sorted(item: Any) -> pd.DataFrame:
    """Columns by name: of aggregates ArcticDB promises no order."""
    return item.data.sort_index(axis=1)


def _reading(symbol: str, build: Build, **options: Any) -> Callable[[Library, Any], Any]:
    """A read of a symbol through a query, which is made while the clock runs."""

    def run(library: Library, _: Any) -> Any:
        return library.read(symbol, query_builder=build(module_of(library).QueryBuilder()), **options)

    return run


def _conjunction(q: Any) -> Any:
    return q[(q["a"] > 1) & (q["b"] < 0)]


def _projection(q: Any) -> Any:
    return q.apply("i", q["a"] * q["b"] + q["c"])


def _joined(names: list[str]) -> Callable[[Library, Any], Any]:
    def run(library: Library, _: Any) -> Any:
        return library.read_batch_and_join(names, module_of(library).QueryBuilder().concat("outer"))

    return run


def _resampled(name: str, rule: str, prepare: Callable[[Library], None]) -> Case:
    return Case(
        name=name,
        prepare=prepare,
        run=_reading("tall", lambda q: q.resample(rule).agg({"a": "mean", "b": "max"})),
        goal=2.5,
        floor=1.5,
        rounds=15,
        compare=columns_sorted,
        exact=False,
    )


def cases(sizes: Sizes) -> list[Case]:
    """Every case of this group."""
    day = data.middle_day(sizes.tall)
    names = [f"part_{number:02d}" for number in range(50)]
    part = sizes.tall // 50

    def tall(library: Library) -> None:
        library.write("tall", data.tall(sizes.tall))

    def ticks(library: Library) -> None:
        library.write("ticks", data.ticks(sizes.ticks))

    def keyed(library: Library) -> None:
        library.write("keyed", data.keyed(sizes.tall, sizes.distinct))

    def parts(library: Library) -> None:
        for number, name in enumerate(names):
            library.write(name, data.part(number, part))

    return [
        Case(
            name="filter a > 1 of 5M × 8 floats",
            prepare=tall,
            run=_reading("tall", lambda q: q[q["a"] > 1]),
            goal=3,
            floor=2,
            compare=frame,
        ),
        Case(
            name="filter a > 1 and b < 0",
            prepare=tall,
            run=_reading("tall", _conjunction),
            goal=3,
            floor=2,
            compare=frame,
        ),
        Case(
            name="filter one of 5 strings in 5M ticks",
            prepare=ticks,
            run=_reading("ticks", lambda q: q[q["venue"] == "NYSE"]),
            goal=6,
            floor=3,
            compare=frame,
        ),
        Case(
            name="project a * b + c",
            prepare=tall,
            # Beside the columns it is made of, a projection reads the others: three are enough to measure it.
            run=_reading("tall", _projection, columns=["a", "b", "c", "i"]),
            goal=2,
            floor=1.5,
            compare=frame,
        ),
        Case(
            name="group 5M ticks by 5 strings",
            prepare=ticks,
            run=_reading("ticks", lambda q: q.groupby("venue").agg({"price": "mean", "size": "sum"})),
            goal=5,
            floor=3,
            compare=grouped,
            exact=False,
        ),
        Case(
            name="group 5M rows by 200k keys",
            prepare=keyed,
            run=_reading("keyed", lambda q: q.groupby("key").agg({"value": "sum"})),
            goal=4,
            floor=2,
            compare=grouped,
            exact=False,
        ),
        _resampled("resample 5M seconds to 1 h", "1h", tall),
        _resampled("resample 5M seconds to 1 min", "1min", tall),
        Case(
            name="filter 1 of 50 slices, by statistics",
            prepare=keyed,
            run=_reading("keyed", lambda q: q[q["batch"] == 37]),
            goal=5,
            floor=3,
            rounds=15,
            compare=frame,
        ),
        Case(
            name="filter a > 1 of one day of 5M seconds",
            prepare=tall,
            run=_reading("tall", lambda q: q[q["a"] > 1], date_range=day),
            goal=3,
            floor=2,
            rounds=15,
            calls=3,
            compare=frame,
        ),
        Case(
            name="stack 50 symbols, outer",
            prepare=parts,
            run=_joined(names),
            goal=2,
            floor=1.5,
            compare=frame,
        ),
    ]
