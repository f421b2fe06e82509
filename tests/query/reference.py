"""What queries mean, row by row in plain Python: slow, without numpy, and nothing of the engine's.

Numbers are Python's integers and floats, times and durations are nanoseconds, missing values are None.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from coldframe.query import clauses
from coldframe.query.expressions import ExpressionNode

DAY = 86_400 * 10**9


@dataclass
class Column:
    """Values of one column: what they are, the bits and sign of numbers, the zone of times and their unit."""

    kind: str
    held: list[Any]
    bits: int = 64
    unsigned: bool = False
    zone: Any = None
    unit: int = 1

    def take(self, rows: Iterable[int]) -> Column:
        return replace(self, held=[self.held[row] for row in rows])


@dataclass
class Rows:
    """Rows on their way through a query: the levels of the index and the columns, by the names that queries know."""

    levels: dict[str, Column]
    columns: dict[str, Column]
    count: int

    def take(self, rows: list[int]) -> Rows:
        chosen = [{name: column.take(rows) for name, column in part.items()} for part in (self.levels, self.columns)]
        return Rows(chosen[0], chosen[1], len(rows))

    def find(self, name: str) -> Column:
        return self.columns[name] if name in self.columns else self.levels[name]


def column_of(values: Any) -> Column:
    """A column or level of a pandas object."""
    dtype, held = values.dtype, pd.Series(values).tolist()
    plain = [None if pd.isna(value) else value for value in held]
    if isinstance(dtype, pd.CategoricalDtype):
        place = {category: at for at, category in enumerate(dtype.categories)}
        return Column("category", [None if value is None else place[value] for value in plain])
    if isinstance(dtype, pd.DatetimeTZDtype) or getattr(dtype, "kind", "") == "M":
        unit = _UNITS[pd.DatetimeIndex(values).unit]
        zone = getattr(dtype, "tz", None)
        return Column("time", [None if v is None else _instant(v) for v in plain], zone=zone, unit=unit)
    kind = getattr(dtype, "kind", "O")
    if kind == "m":
        spans = [None if value is None else pd.Timedelta(value).as_unit("ns").value for value in plain]
        return Column("span", spans, unit=_UNITS[pd.TimedeltaIndex(values).unit])
    if kind in "iu":
        return Column("int", [None if v is None else int(v) for v in plain], 8 * dtype.itemsize, kind == "u")
    if kind == "f":
        return Column("float", [None if v is None else float(v) for v in plain], 8 * dtype.itemsize)
    return Column("bool" if kind == "b" else "text", plain)


_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def _instant(value: Any) -> int:
    return int(pd.Timestamp(value).as_unit("ns").value)


def rows_of(data: pd.DataFrame) -> Rows:
    """A frame."""
    levels = {}
    if not isinstance(data.index, pd.RangeIndex):
        for at in range(data.index.nlevels):
            level = data.index.get_level_values(at)
            name = str(level.name) if level.name is not None else "index" if at == 0 else f"index_level_{at}"
            levels[name] = column_of(level)
    return Rows(levels, {str(name): column_of(data[name]) for name in data.columns}, len(data))


# Expressions


def evaluate(node: ExpressionNode, rows: Rows) -> Column:
    """The value of an expression in each row."""
    op = node.op
    if op == "COLUMN":
        return rows.find(node.args[0])
    if op == "VALUE":
        return _constant(node.args[0], rows.count)
    if op in _COMPARE:
        return _compared(op, *_operands(node, rows))
    if op in ("AND", "OR", "XOR"):
        how = {"AND": lambda a, b: a and b, "OR": lambda a, b: a or b, "XOR": lambda a, b: a != b}[op]
        return _each("bool", how, *(_truth(evaluate(part, rows)) for part in node.args))
    if op == "NOT":
        return _each("bool", lambda a: not a, _truth(evaluate(node.args[0], rows)))
    if op in _ARITHMETIC:
        return _computed(op, *_operands(node, rows))
    if op == "TERNARY":
        condition, left, right = (evaluate(part, rows) for part in node.args)
        chosen = [b if a else c for a, b, c in zip(_truth(condition).held, left.held, right.held, strict=True)]
        return Column("float" if "float" in (left.kind, right.kind) else left.kind, chosen)
    return _FUNCTIONS[op](node, evaluate(node.args[0], rows))


def _operands(node: ExpressionNode, rows: Rows) -> tuple[Column, Column]:
    left, right = (evaluate(part, rows) for part in node.args)
    for one, other, part in ((left, right, node.args[1]), (right, left, node.args[0])):
        # A Python float takes the precision of the column that it meets in a comparison.
        if node.op in _COMPARE and part.op == "VALUE" and other.kind == one.kind == "float" and one.bits < 64:
            other.held = [float(np.dtype(f"f{one.bits // 8}").type(value)) for value in other.held]
    return left, right


def _constant(literal: Any, count: int) -> Column:
    kind = {"uint": "int", "timestamp": "time", "duration": "span", "string": "text"}.get(
        literal.dtype.kind, literal.dtype.kind
    )
    return Column(kind, [literal.value] * count, literal.dtype.bits, literal.dtype.kind == "uint")


def _each(kind: str, of: Callable[..., Any], *columns: Column) -> Column:
    return Column(kind, [of(*values) for values in zip(*(column.held for column in columns), strict=True)])


def _present(kind: str, of: Callable[..., Any], *columns: Column) -> Column:
    """As `_each`, missing where any operand is."""
    return _each(kind, lambda *values: None if None in values else of(*values), *columns)


def _truth(column: Column) -> Column:
    return _each("bool", bool, column)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda a, b: a == b,
    "NE": lambda a, b: a != b,
    "LT": lambda a, b: a < b,
    "LE": lambda a, b: a <= b,
    "GT": lambda a, b: a > b,
    "GE": lambda a, b: a >= b,
}


def _compared(op: str, left: Column, right: Column) -> Column:
    return _each("bool", lambda a, b: op == "NE" if a is None or b is None else _COMPARE[op](a, b), left, right)


_ARITHMETIC = ("ADD", "SUB", "MUL", "DIV", "FLOORDIV", "MOD")


def _computed(op: str, left: Column, right: Column) -> Column:
    if "time" in (left.kind, right.kind):
        return _present(
            "span" if left.kind == right.kind else "time", lambda a, b: a - b if op == "SUB" else a + b, left, right
        )
    if left.kind == "span" and op == "DIV":
        return _present("float", lambda a, b: a / b, left, right)
    if left.kind == "span":
        return _present("span", lambda a, b: int(a * b), left, right)
    if op == "DIV":
        return _present("float", _divided, left, right)
    if "float" in (left.kind, right.kind):
        return _present("float", lambda a, b: _FLOAT[op](float(a), float(b)), left, right)
    unsigned = left.unsigned and right.unsigned and op != "SUB"
    unsigned |= op == "MOD" and right.unsigned and right.bits == 64
    made = _present("int", lambda a, b: _wrapped(_EXACT[op](a, b), unsigned=unsigned), left, right)
    made.unsigned = unsigned
    return made


def _divided(a: Any, b: Any) -> float | None:
    if b == 0:
        return None if a == 0 else math.copysign(math.inf, a) * math.copysign(1, b)
    return float(a) / float(b)


_EXACT = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "FLOORDIV": lambda a, b: a // b if b else None,
    "MOD": lambda a, b: a % b if b else None,
}
_FLOAT = _EXACT | {"FLOORDIV": lambda a, b: float(np.floor_divide(a, b)), "MOD": lambda a, b: float(np.mod(a, b))}


def _wrapped(value: int | None, *, unsigned: bool) -> int | None:
    """An integer as 64 bits hold it."""
    if value is None:
        return None
    value %= 2**64
    return value if unsigned or value < 2**63 else value - 2**64


def _in(node: ExpressionNode, column: Column) -> Column:
    wanted = set(np.asarray(node.args[1].values).tolist())
    return _each("bool", lambda a: (a is not None and a in wanted) == (node.op == "ISIN"), column)


def _negative(node: ExpressionNode, column: Column) -> Column:
    if column.kind == "int":
        return _present("int", lambda a: _wrapped(-a, unsigned=False), column)
    return _present(column.kind, lambda a: -a, column)


def _absolute(node: ExpressionNode, column: Column) -> Column:
    return _present(
        column.kind, lambda a: _wrapped(abs(a), unsigned=column.unsigned) if column.kind == "int" else abs(a), column
    )


def _clipped(node: ExpressionNode, column: Column) -> Column:
    low, high = (bound.value for bound in node.args[1:])
    made = _present(column.kind, lambda a: min(max(a, low), high), column)
    if column.unsigned:
        made.held = [None if value is None else max(value, 0) for value in made.held]
    return made


def _filled(node: ExpressionNode, column: Column) -> Column:
    return _each(column.kind, lambda a: node.args[1].value if a is None else a, column)


def _time_part(node: ExpressionNode, column: Column) -> Column:
    how, *arguments = node.args[1:]

    def part(value: int) -> Any:
        stamp = pd.Timestamp(value, tz="UTC").tz_convert(column.zone) if column.zone else pd.Timestamp(value)
        if how == "floor":
            return stamp.floor(pd.Timedelta(arguments[0]), ambiguous=bool(stamp.dst())).value
        return stamp.weekday() if how == "weekday" else getattr(stamp, how)

    made = _present("time" if how == "floor" else "int", part, column)
    if how == "floor":
        made.zone, made.unit = column.zone, column.unit
    return made


def _string_part(node: ExpressionNode, column: Column) -> Column:
    how, *arguments = node.args[1:]
    if how == "startswith":
        return _each("bool", lambda a: a is not None and a.startswith(arguments[0]), column)
    if how == "len":
        return _present("int", len, column)
    if how == "slice":
        return _present("text", lambda a: a[slice(*arguments)], column)
    return _present("text", getattr(str, how), column)


_FUNCTIONS: dict[str, Callable[[ExpressionNode, Column], Column]] = {
    "ISIN": _in,
    "ISNOTIN": _in,
    "ISNULL": lambda _, column: _each("bool", lambda a: a is None, column),
    "NOTNULL": lambda _, column: _each("bool", lambda a: a is not None, column),
    "NEG": _negative,
    "ABS": _absolute,
    "CLIP": _clipped,
    "ROUND": lambda _, column: _present(column.kind, round, column),
    "FILLNA": _filled,
    "DT": _time_part,
    "STR": _string_part,
    "REGEX_MATCH": lambda node, column: _each(
        "bool", lambda a: a is not None and re.search(node.args[1], a) is not None, column
    ),
}


# Clauses


def _key(value: Any) -> Any:
    return 0.0 if value == 0 and isinstance(value, float) else value


def _filter(rows: Rows, clause: clauses.Filter) -> Rows:
    holds = _truth(evaluate(clause.expression, rows)).held
    return rows.take([row for row, holding in enumerate(holds) if holding])


def _apply(rows: Rows, clause: clauses.Apply) -> Rows:
    return Rows(rows.levels, rows.columns | {clause.name: evaluate(clause.expression, rows)}, rows.count)


def _dates(rows: Rows, clause: clauses.DateRange) -> Rows:
    times = next(iter(rows.levels.values())).held
    return rows.take([row for row, time in enumerate(times) if clause.start <= time <= clause.stop])


def _sort(rows: Rows, clause: clauses.Sort) -> Rows:
    order = list(range(rows.count))
    for name, up in list(zip(clause.by, clause.ascending, strict=True))[::-1]:
        values = rows.find(name).held
        present = [row for row in order if values[row] is not None]
        missing = [row for row in order if values[row] is None]
        # Rows with equal values stay in order also downwards: `reverse` keeps them so.
        order = sorted(present, key=lambda row, values=values: values[row], reverse=not up) + missing
    return rows.take(order)


def _distinct(rows: Rows, clause: clauses.Distinct) -> Rows:
    columns = [rows.find(name) for name in clause.subset] if clause.subset else list(rows.columns.values())
    if not columns:
        return rows  # as in pandas
    groups: dict[Any, list[int]] = {}
    for row in range(rows.count):
        groups.setdefault(tuple(_key(column.held[row]) for column in columns), []).append(row)
    if clause.keep is False:
        return rows.take(sorted(found[0] for found in groups.values() if len(found) == 1))
    return rows.take(sorted(found[0 if clause.keep == "first" else -1] for found in groups.values()))


def _select(rows: Rows, clause: clauses.Select) -> Rows:
    return Rows(rows.levels, {name: rows.columns[name] for name in clause.names if name in rows.columns}, rows.count)


def _rename(rows: Rows, clause: clauses.Rename) -> Rows:
    names = dict(clause.names)
    return Rows(rows.levels, {names.get(name, name): column for name, column in rows.columns.items()}, rows.count)


def _group(rows: Rows, clause: clauses.GroupBy, outputs: Iterable[clauses.Aggregation]) -> Rows:
    keys = [rows.find(name) for name in clause.keys]
    groups: dict[Any, list[int]] = {}
    for row in range(rows.count):
        key = tuple(_key(column.held[row]) for column in keys)
        if None not in key:
            groups.setdefault(key, []).append(row)
    ordered = sorted(groups) if clause.sort else list(groups)
    levels = {
        name: Column(column.kind, [key[at] for key in ordered], zone=column.zone)
        for at, (name, column) in enumerate(zip(clause.keys, keys, strict=True))
    }
    return Rows(levels, _aggregated(rows, [groups[key] for key in ordered], outputs), len(ordered))


def _buckets(rows: Rows, clause: clauses.Resample, outputs: Iterable[clauses.Aggregation]) -> Rows:
    """Buckets by pandas, which only has to say which rows belong together."""
    ((name, times),) = list(rows.levels.items())[:1]
    order = sorted(range(rows.count), key=lambda row: times.held[row])
    index = pd.DatetimeIndex(np.array([times.held[row] for row in order], dtype="i8").view("M8[ns]"))
    if times.zone is not None:
        index = index.tz_localize("UTC").tz_convert(times.zone)
    found = pd.Series(order, index=index, dtype="i8").resample(
        clause.rule, closed=clause.closed, label=clause.label, origin="epoch"
    )
    labels, groups = [], []
    for label, rows_of_bucket in found:
        if len(rows_of_bucket):
            labels.append(_instant(label))
            groups.append(rows_of_bucket.tolist())
    return Rows({name: Column("time", labels, zone=times.zone)}, _aggregated(rows, groups, outputs), len(labels))


def _aggregated(rows: Rows, groups: list[list[int]], outputs: Iterable[clauses.Aggregation]) -> dict[str, Column]:
    made = {}
    for output in outputs:
        column = rows.find(output.column)
        present = [[column.held[row] for row in group if column.held[row] is not None] for group in groups]
        made[output.output] = Column(column.kind, [_aggregate(output.how, column, values) for values in present])
    return made


def _aggregate(how: str, column: Column, values: list[Any]) -> Any:
    if how in _OF_ANY:
        return _OF_ANY[how](column, values)
    if len(values) < (2 if how in ("std", "var") else 1):
        return None
    if how in ("std", "var"):
        exact = statistics.variance([Fraction(value) for value in values])
        return float(exact) if how == "var" else math.sqrt(exact)
    if how in ("mean", "median"):
        if how == "mean":
            exact = Fraction(sum(map(Fraction, values)), len(values))
        else:
            exact = statistics.median(map(float if column.kind == "int" else Fraction, values))
        return math.floor(exact / column.unit) * column.unit if column.kind in ("time", "span") else float(exact)
    return {"min": min, "max": max, "first": lambda found: found[0], "last": lambda found: found[-1]}[how](values)


def _sum(column: Column, values: list[Any]) -> Any:
    if column.kind == "float":
        return math.fsum(values)
    return _wrapped(sum(values), unsigned=column.unsigned or column.kind == "bool")


_OF_ANY: dict[str, Callable[[Column, list[Any]], Any]] = {
    "count": lambda _, values: len(values),
    "nunique": lambda _, values: len({_key(value) for value in values}),
    "any": lambda _, values: any(value != 0 for value in values),
    "all": lambda _, values: all(value != 0 for value in values),
    "sum": _sum,
}


_CLAUSES: dict[type, Callable[[Rows, Any], Rows]] = {
    clauses.Filter: _filter,
    clauses.Apply: _apply,
    clauses.Head: lambda rows, clause: rows.take(list(range(rows.count))[: clause.n]),
    clauses.Tail: lambda rows, clause: rows.take(list(range(rows.count))[-clause.n :] if clause.n else []),
    clauses.RowRange: lambda rows, clause: rows.take(list(range(rows.count))[clause.start : clause.stop]),
    clauses.DateRange: _dates,
    clauses.Sort: _sort,
    clauses.Distinct: _distinct,
    clauses.Select: _select,
    clauses.Rename: _rename,
}


def answer(data: pd.DataFrame, query: Iterable[clauses.Clause]) -> Rows:
    """What a query gives."""
    rows, pending = rows_of(data), None
    for clause in query:
        if isinstance(clause, clauses.GroupBy | clauses.Resample):
            pending = clause
        elif isinstance(clause, clauses.Aggregate):
            reduce = _group if isinstance(pending, clauses.GroupBy) else _buckets
            rows = reduce(rows, pending, clause.outputs)
        else:
            rows = _CLAUSES[type(clause)](rows, clause)
    return rows
