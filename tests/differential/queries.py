"""Random queries on both libraries: filters, projections, groups, buckets, cuts by row and time, and joins.

`python -m differential.queries FIRST LAST` runs the queries of these seeds and prints a line of JSON for each. A seed
makes a frame, written in one or several pieces, and queries for it; each library builds the queries from its own
classes by the same random choices. What docs/differences.md lists under *Queries* is not asked for here: see
`query_calls`.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
import warnings
from collections import Counter
from importlib import import_module
from random import Random
from typing import Any, NamedTuple

os.environ["ARCTICDB_ALL_LOGLEVEL"] = "OFF"

import numpy as np
import pandas as pd

from differential.compare import index_difference, same

SIDES = ("arcticdb", "coldframe")
SIZES = (2, 7, 100_000)
START = pd.Timestamp("2024-03-30 12:00")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")
TEXTS = ("", "a", "b", "ab", "ä", "long " * 9, None, np.nan)
COLUMNS = (*INTEGERS, *FLOATS, "bool", "text", "text", "time", "whole")
PER_FRAME = 6
RULES = ("1s", "7s", "1min", "90s", "1h", "7h", "D", "1h30min")


class Column(NamedTuple):
    """What a query may do with a column."""

    name: str
    kind: str
    held: list[Any]


def make_column(random: Random, kind: str, rows: int) -> Any:
    """Few distinct values of a type, the farthest and missing ones among them."""
    if kind == "bool":
        return np.array([random.random() < 0.5 for _ in range(rows)], dtype=bool)
    if kind == "text":
        made = np.empty(rows, dtype=object)
        made[:] = [random.choice(TEXTS) for _ in range(rows)]
        return made
    if kind in ("time", "whole"):
        pool = [START + pd.Timedelta(seconds=n) for n in (0, 1, 60, 86_400, -5)] + [pd.NaT] * (kind == "time")
        return pd.DatetimeIndex([random.choice(pool) for _ in range(rows)]).to_numpy().astype("M8[ns]")
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        pool = [0.0, -0.0, 0.5, -1.5, 3.0, 100.0, np.nan, random.gauss(0, 10)]
        return np.array([random.choice(pool) for _ in range(rows)], dtype=dtype)
    limits = np.iinfo(dtype)
    pool = [0, 1, 2, 3, 100, *([] if dtype.kind == "u" else [-1, -7])]
    if random.random() < 0.2:
        pool += [int(limits.min), int(limits.max)]
    return np.array([random.choice(pool) for _ in range(rows)], dtype=dtype)


def make_index(random: Random, rows: int, kind: str, start: int) -> pd.Index:
    """Times in order, now and then equal; or row numbers; or times and words."""
    if kind == "range":
        return pd.RangeIndex(start, start + rows)
    step = random.choice([1, 20, 3600])
    seconds = start * 5 * 3600 + np.cumsum([random.choice([0, 1, 1, 4]) for _ in range(rows)]) * step
    times = pd.DatetimeIndex(START + pd.to_timedelta(seconds.astype("i8"), unit="s"), name="time").as_unit("ns")
    if kind == "levels":
        words = [random.choice(["x", "y", "z"]) for _ in range(rows)]
        return pd.MultiIndex.from_arrays([times, pd.Index(words, dtype=object)], names=["time", "word"])
    return times


def make_frame(random: Random, columns: list[tuple[str, str]], kind: str, rows: int, start: int = 0) -> pd.DataFrame:
    """A frame of these columns."""
    made = pd.DataFrame({name: make_column(random, of, rows) for name, of in columns})
    return made.set_axis(make_index(random, rows, kind, start))


class Asked:
    """Random expressions and clauses with the classes of one library; the same choices on the other side."""

    def __init__(self, module: Any, random: Random, columns: list[Column]) -> None:
        self.module = module
        self.random = random
        self.columns = columns
        self.query = module.QueryBuilder()
        self.grouped = False
        self.made = 0
        self.mistaken = False

    def fresh(self, letter: str) -> str:
        """The name of a new column."""
        self.made += 1
        return f"{letter}{self.made}"

    def of(self, *kinds: str) -> Column | None:
        """A column of one of these types."""
        found = [column for column in self.columns if column.kind in kinds]
        return self.random.choice(found) if found else None

    def number(self, column: Column) -> Any:
        """A constant that a column of numbers meets; floats that need no double."""
        present = [value for value in column.held if value == value and abs(value) < 2**31]  # noqa: PLR0124 - NaN
        pool = [0, 1, -1, 100, 300, 0.5, -1.5, *(present if column.kind in INTEGERS else map(np.float64, present))]
        return self.random.choice(pool)

    def compared(self, left: Any, right: Any) -> Any:
        """A comparison by any operator."""
        how = self.random.choice(["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"])
        return getattr(left, how)(right)

    def condition(self, depth: int = 2) -> Any:
        """A condition on the columns."""
        random, col = self.random, self.module.col
        if depth and random.random() < 0.4:
            how = random.choice("&|^~")
            left = self.condition(depth - 1)
            if how == "~":
                return ~left
            right = self.condition(depth - 1)
            return left & right if how == "&" else left | right if how == "|" else left ^ right
        if not self.mistaken and random.random() < 0.02:
            return self.wrong()
        column = random.choice(self.columns)
        one = col(column.name)
        if random.random() < 0.12:
            return one.isna() if random.random() < 0.5 else one.notna()
        if column.kind == "bool":
            return self.compared(one, random.random() < 0.5)
        if column.kind == "text":
            text = random.choice([value for value in TEXTS if isinstance(value, str)])
            made = random.choice(["eq", "ne", "in", "out", "match", "columns"])
            other = col(self.of("text").name)
            return {
                "eq": lambda: one == text,
                "ne": lambda: one != text,
                "in": lambda: one.isin([text, "b"]),
                "out": lambda: one.isnotin([text, "a"]),
                "match": lambda: one.regex_match(random.choice(["a", "^a", "b$", "o.g", "[ab]"])),
                "columns": lambda: one == other,
            }[made]()
        if column.kind in ("time", "whole"):
            stamp = START + pd.Timedelta(seconds=random.choice([0, 1, 30, 60]))
            other = col(self.of("time", "whole").name)
            return self.compared(one, random.choice([stamp, stamp, other]))
        return self.about_numbers(column, one)

    def wrong(self) -> Any:
        """A condition on a column that may not be there, or that may be of a type for which it has no meaning."""
        self.mistaken = True
        names = [one.name for one in self.columns if one.kind not in ("time", "whole")]
        column = self.module.col(self.random.choice([*names, "nothing"]))
        made = [
            lambda: column == "a",
            lambda: column > 3,
            lambda: column == True,  # noqa: E712 - an expression
            lambda: column.regex_match("a"),
            lambda: column + 1 > 3,
            lambda: -column < 1,
            lambda: column.isin(["a"]),
            lambda: column.isin([1]),
            lambda: column & (column == 1),
            lambda: ~column,
        ]
        return self.random.choice(made)()

    def about_numbers(self, column: Column, one: Any) -> Any:
        """A condition on numbers."""
        random = self.random
        how = random.choice(["value", "value", "columns", "in", "sum"])
        value = self.number(column)
        if how == "columns":
            return self.compared(one, self.module.col(self.of(*INTEGERS, *FLOATS).name))
        if how == "in":
            values = [1, 3, value if column.kind in INTEGERS and isinstance(value, int) else 100]
            return one.isin(values) if random.random() < 0.5 else one.isnotin(values)
        if how == "sum":
            return self.compared(self.number_expression(), value)
        return self.compared(one, value)

    def number_expression(self, depth: int = 1) -> Any:
        """Arithmetic on columns of numbers and constants."""
        random, col = self.random, self.module.col
        column = self.of(*INTEGERS, *FLOATS)
        one = col(column.name)
        how = random.choice(["+", "-", "*", "/", "neg", "abs"])
        if how == "neg":
            return -one
        if how == "abs":
            return abs(one)
        if depth and random.random() < 0.3:
            other = self.number_expression(depth - 1)
        else:
            other = random.choice([1, 2, -3, 300, 0.5, col(self.of(*INTEGERS, *FLOATS).name)])
        pair = (one, other) if random.random() < 0.7 else (other, one)
        left, right = pair
        return (
            left + right if how == "+" else left - right if how == "-" else left * right if how == "*" else left / right
        )

    def clause(self, kind: str) -> None:
        """Add one clause."""
        random = self.random
        if kind == "filter":
            self.query = self.query[self.condition()]
        elif kind in ("head", "tail"):
            getattr(self.query, kind)(random.randint(-4, 9))
        elif kind == "rows":
            self.query.row_range((random.choice([None, 0, 2, -7]), random.choice([None, 5, 12, -1])))
        elif kind == "dates":
            first, last = sorted(random.choice(range(0, 40_000, 7)) for _ in range(2))
            ends = [START + pd.Timedelta(seconds=seconds) for seconds in (first, last)]
            self.query.date_range((random.choice([None, ends[0]]), random.choice([None, ends[1]])))
        elif kind == "apply":
            self.query.apply(self.fresh("n"), self.number_expression())
        elif kind == "where":
            self.query.apply(self.fresh("w"), self.chosen())

    def chosen(self) -> Any:
        """Values of one or the other side."""
        random, module = self.random, self.module
        column = self.of(*INTEGERS, *FLOATS, "text", "bool")
        one, condition = module.col(column.name), self.condition(1)
        if column.kind == "text":
            other = random.choice(["x", module.col(self.of("text").name)])
        elif column.kind == "bool":
            other = random.choice([True, False, module.col(self.of("bool").name)])
        else:
            other = random.choice([1, -1, 0.5, module.col(self.of(*INTEGERS, *FLOATS).name)])
        left, right = (one, other) if random.random() < 0.5 else (other, one)
        return module.where(condition, left, right)

    def outputs(self, *, bucket: bool) -> dict[str, tuple[str, str]]:
        """Aggregations that both libraries have, of the types for which they agree."""
        random = self.random
        made = {}
        columns = [column for column in self.columns if column.kind != "time"]
        for at in range(random.randint(1, 3) if columns else 0):
            column = random.choice(columns)
            hows = ["sum", "mean", "min", "max", "count"] + ["first", "last"] * bucket
            if column.kind == "text":
                hows = ["count", "first", "last"] if bucket else []
            elif column.kind == "whole":
                hows = ["min", "max", "count"] + ["first", "last"] * bucket
            if hows:
                made[f"x{at}"] = (column.name, random.choice(hows))
        return made

    def reduce(self, *, timed: bool) -> None:
        """Groups or buckets."""
        random = self.random
        key = self.of(*INTEGERS, *FLOATS, "text", "bool", "whole")
        if timed and random.random() < 0.5:
            outputs = self.outputs(bucket=True)
            if not outputs:
                return
            closed, label = (random.choice([None, "left", "right"]) for _ in range(2))
            origin = random.choice(["epoch", "epoch", "start", "start_day", "end", "end_day", START])
            # Counted back from the end, then shifted, buckets may not reach the first rows: see `query_calls`.
            offset = None if origin in ("end", "end_day") else random.choice([None, None, "17s", "-3s"])
            self.query.resample(random.choice(RULES), closed, label, offset, origin).agg(outputs)
        elif key is not None:
            outputs = {out: one for out, one in self.outputs(bucket=False).items() if one[0] != key.name}
            if outputs:
                self.query.groupby(key.name).agg(outputs)
                self.grouped = True


def make_query(
    module: Any, seed: int, columns: list[Column], *, timed: bool, careful: bool = False
) -> tuple[Any, bool]:
    """A query for these columns, and whether it ends in groups, which ArcticDB gives in no order."""
    random = Random(seed)
    asked = Asked(module, random, columns)
    asked.mistaken = careful
    numbers = asked.of(*INTEGERS, *FLOATS) is not None
    kinds = ["filter", "filter", "head", "tail", "rows"] + ["dates"] * timed + ["apply", "where"] * numbers
    for _ in range(random.randint(1, 3)):
        asked.clause(random.choice(kinds))
    if random.random() < 0.5:
        asked.reduce(timed=timed)
    return asked.query, asked.grouped


class Pair:
    """The two libraries, with libraries of theirs for each size of segments."""

    def __init__(self) -> None:
        self.modules = [import_module(name) for name in SIDES]
        self.connections = [module.Arctic("mem://") for module in self.modules]

    def libraries(self, rows: int, *, dynamic: bool) -> list[Any]:
        """A library of each, fresh or used before."""
        options = {"rows_per_segment": rows, "dynamic_schema": dynamic}
        return [
            connection.get_library(f"{rows}-{dynamic}", True, library_options=module.LibraryOptions(**options))
            for module, connection in zip(self.modules, self.connections, strict=True)
        ]


def outcome(ask: Any) -> Any:
    """What a call gives, or the name of the exception's class."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - what it raises is what is compared
        return f"{type(error).__name__}: {str(error)[:200]}"


def difference(theirs: Any, ours: Any, *, grouped: bool) -> str | None:
    """What differs first between two results; sums of floats may be added in another order."""
    if isinstance(theirs, str) and "E_ASSERTION_FAILURE" in theirs:
        return None  # ArcticDB has found a mistake of its own
    if isinstance(ours, str) and not isinstance(theirs, str) and not len(theirs) and "date_range" in ours:
        return None  # with no rows at all ArcticDB does not look at the origin of a resample
    if isinstance(theirs, str) or isinstance(ours, str):
        alike = isinstance(theirs, str) and isinstance(ours, str) and theirs.split(":")[0] == ours.split(":")[0]
        return None if alike else f"ArcticDB: {theirs!r}\n    coldframe: {ours!r}"
    if sorted(theirs.columns) != sorted(ours.columns):
        return f"columns {list(theirs)} and {list(ours)}"
    theirs = theirs[list(ours)]
    if grouped:
        theirs, ours = (one.set_axis(unsigned(one.index)).sort_index(kind="stable") for one in (theirs, ours))
    if len(theirs) != len(ours):
        return f"{len(theirs)} rows and {len(ours)}:\n{theirs}\n{ours}"
    if len(ours):
        found = index_difference(theirs.index, ours.index, "index")
        if found:
            return found
    for name in ours:
        found = column_difference(theirs[name], ours[name])
        if found:
            return f"column {name}: {found}"
    return None


def unsigned(index: pd.Index) -> pd.Index:
    """Keys of groups without the sign of zero: 0.0 and -0.0 are one group."""
    return index + index.dtype.type(0) if index.dtype.kind == "f" else index


def column_difference(one: pd.Series, other: pd.Series) -> str | None:
    """What differs between two columns."""
    if one.dtype != other.dtype:
        return f"types {one.dtype} and {other.dtype}"
    if one.dtype == object:
        alike = all(map(same, one, other))
    elif one.dtype.kind == "f":
        with np.errstate(all="ignore"):
            alike = np.allclose(one, other, rtol=1e-6 if one.dtype.itemsize == 4 else 1e-12, atol=0, equal_nan=True)
    else:
        alike = one.to_numpy().tobytes() == other.to_numpy().tobytes()
    return None if alike else f"values {one.tolist()[:30]} and {other.tolist()[:30]}"


def run_frame(pair: Pair, seed: int, report: Counter[str]) -> list[str]:
    """A frame in both libraries, in one or several pieces, and some queries on it and on it joined with another."""
    random = Random(seed)
    kinds = [random.choice(COLUMNS) for _ in range(random.randint(2, 6))]
    spec = list(zip("abcdef", kinds, strict=False))
    kind, rows = random.choice(["time", "time", "range", "levels"]), random.choice([0, 1, 5, 12, 25])
    dynamic = random.random() < 0.3
    libraries = pair.libraries(random.choice(SIZES), dynamic=dynamic)
    pieces = []
    for part in range(random.choice([1, 1, 2, 3]) if rows else 1):
        names = spec if not dynamic or part == 0 else random.sample(spec, random.randint(1, len(spec)))
        pieces.append(make_frame(random, sorted(names), kind, rows, part * rows if kind == "range" else 100 * part))
    others = [*random.sample(spec, random.randint(1, len(spec))), ("z", random.choice(COLUMNS))]
    other = make_frame(random, others, kind, random.choice([1, 5]), 1000)
    for lib in libraries:
        lib.write("s", pieces[0])
        for piece in pieces[1:]:
            lib.append("s", piece)
        lib.write("t", other)
    columns = [Column(name, of, pieces[0][name].tolist()) for name, of in spec]
    differences = []
    for number in range(PER_FRAME):
        of = seed * PER_FRAME + number
        ask = ask_joined if number == 0 and rows else ask_one
        results = [
            ask(module, lib, of, columns, timed=kind == "time")
            for module, lib in zip(pair.modules, libraries, strict=True)
        ]
        (theirs, _, grouped), (ours, asked, _) = results
        report[theirs.split(":")[0] if isinstance(theirs, str) else "groups" if grouped else "rows"] += 1
        found = difference(theirs, ours, grouped=grouped)
        if found:
            where = f"seed {seed}.{number} ({rows} rows, {kind}, dynamic={dynamic})"
            differences.append(f"{where}: {ask.__name__} {asked}\n  {found}")
    return differences


def ask_one(module: Any, lib: Any, seed: int, columns: list[Column], *, timed: bool) -> tuple[Any, str, bool]:
    """The outcome of a query on one symbol, what it asked, and whether it ends in groups."""
    query, grouped = make_query(module, seed, columns, timed=timed)
    random = Random(seed)
    arguments: dict[str, Any] = {}
    reduced = "AGGREGATE" in str(query)
    if random.random() < 0.2 and not reduced:
        arguments["columns"] = random.choice([["a"], ["b"], ["b", "a", "n1"], ["nothing", "b"]])
    if random.random() < 0.15 and "DATE RANGE" not in str(query):
        arguments["row_range"] = random.choice([(0, 5), (3, 9), (-6, -1), (None, 4)])
    elif random.random() < 0.15 and timed and not reduced:
        arguments["date_range"] = (START + pd.Timedelta(seconds=30), START + pd.Timedelta(hours=4))
    made = outcome(lambda: lib.read("s", query_builder=query, **arguments).data)
    return made, f"{query} {arguments or ''}", grouped


def ask_joined(module: Any, lib: Any, seed: int, columns: list[Column], *, timed: bool) -> tuple[Any, str, bool]:
    """The same of two symbols stacked, each perhaps through a query of its own."""
    random = Random(seed)
    query, grouped = make_query(module, seed, columns, timed=timed and random.random() < 0.3, careful=True)
    how = random.choice(["outer", "inner"])
    own = module.QueryBuilder().head(3) if random.random() < 0.5 else None
    requests = [module.ReadRequest("s"), module.ReadRequest("t", query_builder=own)]
    joined = module.QueryBuilder().concat(how).then(query)
    made = outcome(lambda: lib.read_batch_and_join(requests, joined).data)
    return made, f"{how} {own} {query}", grouped


def main(first: int, last: int) -> None:
    """Run the frames of these seeds, and print a line for each: what came out how often, and what differs."""
    pair = Pair()
    for seed in range(first, last):
        report: Counter[str] = Counter()
        differences = run_frame(pair, seed, report)
        print(json.dumps({"seed": seed, "outcomes": report, "differences": differences}), flush=True)


if __name__ == "__main__":
    faulthandler.enable()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    main(*map(int, sys.argv[1:]))
