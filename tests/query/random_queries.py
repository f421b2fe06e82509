"""Random queries that fit a frame: conditions, expressions and chains of clauses for its columns."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pandas as pd

from coldframe.query.builder import QueryBuilder
from coldframe.query.expressions import ExpressionNode, col, where

Known = dict[str, tuple[str, list[Any]]]
"""What queries can name: the family of each column or level of the index, and some of its values."""

AGGREGATES = {
    "number": ["sum", "mean", "min", "max", "count", "first", "last", "std", "var", "median", "nunique", "any", "all"],
    "bool": ["sum", "mean", "min", "max", "count", "first", "last", "any", "all"],
    "time": ["mean", "min", "max", "count", "first", "last", "median", "nunique"],
    "span": ["sum", "mean", "min", "max", "count", "first", "last", "median", "nunique"],
    "text": ["count", "first", "last", "nunique"],
    "category": ["count", "first", "last", "nunique"],
}
RULES = ["1s", "90s", "7min", "1h", "D", "W", "ME", "QS", "YE", "B"]
COMPARISONS = ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]


def family(values: Any) -> str:
    """What can be asked of a column or an index level."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "time"
    kind = getattr(dtype, "kind", "O")
    return {"M": "time", "m": "span", "b": "bool"}.get(kind, "number" if kind in "iuf" else "text")


def askable(frame: pd.DataFrame) -> Known:
    """The columns and the levels of the index, by the names that queries know."""
    found: Known = {}
    if not isinstance(frame.index, pd.RangeIndex):
        for at in range(frame.index.nlevels):
            level = frame.index.get_level_values(at)
            name = str(level.name) if level.name is not None else "index" if at == 0 else f"index_level_{at}"
            found[name] = (family(level), _present(level))
    for name in frame.columns:
        found[str(name)] = (family(frame[name]), _present(frame[name]))
    return found


def _present(values: Any) -> list[Any]:
    return [value for value in pd.Series(values).drop_duplicates().tolist()[:8] if not pd.isna(value)]


def conditions(random: Random, known: Known, depth: int = 2) -> ExpressionNode:
    """A condition on the columns that are known."""
    if depth and random.random() < 0.35:
        left, right = conditions(random, known, depth - 1), conditions(random, known, depth - 1)
        return random.choice([left & right, left | right, left ^ right, ~left])
    name = random.choice(sorted(known))
    kind, present = known[name]
    column = col(name)
    if kind == "category" or random.random() < 0.15:
        return random.choice([column.isna(), column.notna()])
    return _CONDITIONS[kind](random, column, random.choice(COMPARISONS), present)


def _of_number(random: Random, column: ExpressionNode, compare: str, present: list[Any]) -> ExpressionNode:
    value = random.choice([*present, 0, 1, -1, 0.5])
    value = value if np.isfinite(value) else 0.5
    return random.choice(
        [
            getattr(column, compare)(value),
            getattr(column, compare)(value),
            column.isin([value, 1]),
            column.isnotin([value, 3]),
            getattr(column * 2, compare)(value),
            getattr(column % 3, compare)(1),
            column.between(-1, value),
            getattr(column.clip(-5, 5).round(), compare)(value),
        ]
    )


def _of_time(random: Random, column: ExpressionNode, compare: str, present: list[Any]) -> ExpressionNode:
    value = random.choice([*present, pd.Timestamp(0)])
    return random.choice(
        [
            getattr(column, compare)(value),
            getattr(column, compare)(value),
            column.isin([value]),
            column.isnotin([value]),
            getattr(column.dt.hour, compare)(7),
            getattr(column.dt.floor("1h"), compare)(value),
        ]
    )


def _of_span(random: Random, column: ExpressionNode, compare: str, present: list[Any]) -> ExpressionNode:
    value = pd.Timedelta(random.choice([*present, pd.Timedelta(0)]))
    return random.choice([getattr(column, compare)(value), getattr(column * 2, compare)(value), column.isin([value])])


def _of_text(random: Random, column: ExpressionNode, compare: str, present: list[Any]) -> ExpressionNode:
    value = random.choice([*present, "", "a"])
    return random.choice(
        [
            getattr(column, compare)(value),
            getattr(column, compare)(value),
            column.isin([value, "b"]),
            column.isnotin([value]),
            column.str.contains(value[:2], regex=False),
            column.str.startswith(value[:1]),
            column.str.len() > 1,
            column.str.lower() == value.lower(),
            column.regex_match("[a-m]"),
        ]
    )


def _of_bool(random: Random, column: ExpressionNode, compare: str, _present: list[Any]) -> ExpressionNode:
    return random.choice([column, ~column, getattr(column, compare)(True)])


_CONDITIONS = {"number": _of_number, "time": _of_time, "span": _of_span, "text": _of_text, "bool": _of_bool}


def values(random: Random, known: Known) -> ExpressionNode:
    """An expression that gives a value for each row."""
    name = random.choice(sorted(known))
    kind, _ = known[name]
    column = col(name)
    made = [column]
    if kind == "number":
        made += [column + 1, column * 0.5, -column, abs(column), column // 3, column / 7, column.fillna(1), column - 2]
    if kind == "time":
        made += [column.dt.year, column.dt.weekday, column.dt.floor("1h"), column - pd.Timestamp("2024-01-01")]
    if kind == "span":
        made += [column * 3, column / pd.Timedelta("1s")]
    if kind == "text":
        made += [column.str.upper(), column.str.len(), column.str.slice(0, 2), column.fillna("?"), column.str.strip()]
    if kind == "bool":
        made += [~column]
    if kind in ("number", "bool", "text"):
        made.append(where(conditions(random, known, 1), column, {"number": 7, "bool": True, "text": "z"}[kind]))
    return random.choice(made)


def aggregations(random: Random, known: Known) -> dict[str, tuple[str, str]]:
    """What to compute for groups: one to three outputs."""
    names = [random.choice(sorted(known)) for _ in range(random.randint(1, 3))]
    return {f"x{at}": (name, random.choice(AGGREGATES[known[name][0]])) for at, name in enumerate(names)}


class _Chain:
    """Clauses added one by one, and what they leave for the next to name."""

    def __init__(self, random: Random, frame: pd.DataFrame) -> None:
        self.random = random
        self.frame = frame
        self.known = askable(frame)
        self.query = QueryBuilder()
        self.timed = isinstance(frame.index, pd.DatetimeIndex)

    def kinds(self) -> list[str]:
        """The clauses that may come next."""
        made = ["head", "tail", "rows", *(["dates"] if self.timed else [])]
        return made + (["filter"] * 3 + ["apply", "apply", "sort", "distinct", "select", "rename"]) * bool(self.known)

    def some(self) -> list[str]:
        """One or two names."""
        return self.random.sample(sorted(self.known), min(len(self.known), self.random.randint(1, 2)))

    def filter(self) -> None:
        self.query = self.query[conditions(self.random, self.known)]

    def head(self) -> None:
        self.query.head(self.random.randint(-4, 9))

    def tail(self) -> None:
        self.query.tail(self.random.randint(-4, 9))

    def rows(self) -> None:
        ends = [None, *range(-9, 20)]
        self.query.row_range((self.random.choice(ends), self.random.choice(ends)))

    def dates(self) -> None:
        stamps = [stamp.tz_convert(None) if stamp.tz else stamp for stamp in self.frame.index[:9]]
        ends = [None, *(stamps or [pd.Timestamp(0)])]
        self.query.date_range((self.random.choice(ends), self.random.choice(ends)))

    def apply(self) -> None:
        self.query.apply(f"n{len(self.query.clauses)}", values(self.random, self.known))

    def sort(self) -> None:
        self.query.sort_values(self.some(), self.random.random() < 0.5)

    def distinct(self) -> None:
        subset = self.random.choice([None, self.some()])
        self.query.drop_duplicates(subset, self.random.choice(["first", "last", False]))

    def select(self) -> None:
        names = self.some()
        self.query.select(*names)
        levels = {str(name) for name in self.frame.index.names} | {"index", "index_level_1"}
        self.known = {name: what for name, what in self.known.items() if name in names or name in levels}

    def rename(self) -> None:
        columns = sorted(set(self.known) & set(self.frame.columns))
        if columns:
            old, new = self.random.choice(columns), f"renamed {len(self.query.clauses)}"
            self.query.rename({old: new})
            self.known[new] = self.known.pop(old)

    def reduce(self) -> None:
        """Groups or buckets, and perhaps something after them."""
        outputs = aggregations(self.random, self.known)
        if self.timed and self.random.random() < 0.5:
            closed, label = (self.random.choice([None, "left", "right"]) for _ in range(2))
            self.query.resample(self.random.choice(RULES), closed, label).agg(outputs)
        else:
            self.query.groupby(self.some(), self.random.random() < 0.5).agg(outputs)
        after = self.random.random()
        if after < 0.2:
            self.query.head(3)
        elif after < 0.4:
            self.query = self.query[col("x0").notna()]


def queries(random: Random, frame: pd.DataFrame) -> QueryBuilder:
    """One to four clauses for a frame, then perhaps groups or buckets."""
    chain = _Chain(random, frame)
    for _ in range(random.randint(1, 4)):
        getattr(chain, random.choice(chain.kinds()))()
    if chain.known and random.random() < 0.5:
        chain.reduce()
    return chain.query
