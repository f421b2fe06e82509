"""From clauses and a schema to a plan: pure functions; everything that can be wrong with a query is found here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from coldframe.exceptions import ErrorCode, InternalException, SchemaException, UserInputException
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.query import clauses
from coldframe.query.bound import Bound, bind
from coldframe.query.buckets import fixed_width
from coldframe.query.evaluate import bind_condition
from coldframe.query.expressions import ExpressionNode, col
from coldframe.query.layout import Layout, regrouped, renumbered, resampled
from coldframe.query.literals import BOOL, FLOAT64, INT64
from coldframe.query.scope import Field
from coldframe.query.steps import (
    Between,
    Bucket,
    Compute,
    Cut,
    Group,
    Keep,
    Order,
    Output,
    Plan,
    Reducer,
    Stage,
    Step,
    Unrepeat,
)
from coldframe.query.types import NUMBERS, PER_SECOND, UINT64, unsupported

OPEN_START, OPEN_STOP = -(2**63) + 1, 2**63 - 1


def make_plan(
    query: Sequence[clauses.Clause],
    schema: Schema,
    *,
    columns: Sequence[str] | None = None,
    date_range_given: bool = False,
    joined: bool = False,
) -> Plan:
    """The plan of a query on tables of a schema.

    Parameters
    ----------
    query : sequence of Clause
        Of a `QueryBuilder`: its `clauses`.
    schema : Schema
    columns : sequence of str, optional
        What `read` was asked for: chosen at the end, unknown names are ignored.
    date_range_given : bool
        Whether the read itself has a date range, which some origins of resample exclude.
    joined : bool
        Whether the tables are several symbols, one after the other: a date range is then a clause like any other.
    """
    layout = Layout.of(schema)
    check_queryable(layout.meta.kind)
    planner = _Planner(layout, date_range_given=date_range_given, untouched=not joined)
    for clause in _reordered(list(query)):
        planner.add(clause)
    return planner.finish(columns)


def check_queryable(kind: str, symbol: str = "the symbol") -> None:
    """Raise the error for kinds of object whose rows cannot be queried."""
    what = f"{symbol} holds {kind} data, which cannot be queried; read it whole"
    if kind == "pickled":
        raise InternalException(what, code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_PICKLED_DATA)
    if kind == "ndarray":
        raise SchemaException(what, code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_NUMPY_ARRAY)
    if kind == "nested":
        raise SchemaException(what, code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_RECURSIVE_NORMALIZED_DATA)


def _reordered(query: list[clauses.Clause]) -> list[clauses.Clause]:
    """Filters before the sorting that they follow: fewer rows to sort, the same result."""
    moved = True
    while moved:
        moved = False
        for at in range(len(query) - 1):
            if isinstance(query[at], clauses.Sort) and isinstance(query[at + 1], clauses.Filter):
                query[at], query[at + 1] = query[at + 1], query[at]
                moved = True
    return query


class _Planner:
    """Collects the steps of the stage that is being planned, and the stages before it."""

    def __init__(self, layout: Layout, *, date_range_given: bool, untouched: bool) -> None:
        self._dated = date_range_given
        self._untouched = untouched
        self._stages: list[Stage] = []
        self._pending: clauses.GroupBy | clauses.Resample | None = None
        self._begin(layout)

    def _begin(self, layout: Layout) -> None:
        self._entry = self._layout = layout
        self._steps: list[Step] = []
        self._next = len(layout.fields)

    def add(self, clause: clauses.Clause) -> None:
        pending, self._pending = self._pending, None
        if pending is not None and not isinstance(clause, clauses.Aggregate):
            self._without_aggregates(pending)
        _HANDLERS[type(clause)](self, clause if pending is None else (pending, clause))
        if not isinstance(clause, clauses.DateRange):
            self._dated = self._untouched = False

    def finish(self, columns: Sequence[str] | None) -> Plan:
        if self._pending is not None:
            self._without_aggregates(self._pending)
            self._pending = None
        layout = self._layout
        if layout.meta.kind == "series" and len(layout.data) > 1:
            # A Series has one column; what was computed beside it served filters.
            layout = layout.with_data(layout.data[:1])
        if columns is not None:
            layout = _chosen(layout, columns)
        self._layout = layout
        if self._steps or not self._stages or layout.fields != self._entry.fields:
            self._stages.append(Stage(self._entry, _pushed(self._steps), None, self._final()))
        return Plan(tuple(self._stages))

    def _final(self) -> Layout:
        changed = any(not isinstance(step, Compute) for step in self._steps)
        return self._layout.without_freq() if changed else self._layout

    def _reduce(self, reducer: Reducer, result: Layout) -> None:
        self._stages.append(Stage(self._entry, _pushed(self._steps), reducer, result))
        self._begin(renumbered(result))

    # Clauses

    def filter(self, clause: clauses.Filter) -> None:
        scope = self._layout.scope
        self._steps.append(Keep(bind_condition(clause.expression, scope, "FilterClause"), scope))

    def apply(self, clause: clauses.Apply) -> None:
        bound = bind(clause.expression, self._layout.scope, "ProjectClause")
        self._put(clause.name, clause.expression, bound)

    def cast(self, clause: clauses.Cast) -> None:
        for name, dtype in clause.types:
            field = self._layout.scope.find(name, "CastClause")
            if field in self._layout.levels:
                raise UserInputException(f"cast does not change the index {name!r}; use apply to make a column of it")
            expression = col(name).cast(dtype)
            self._put(name, expression, bind(expression, self._layout.scope, "CastClause"))

    def _put(self, name: str, expression: ExpressionNode, bound: Bound) -> None:
        layout = self._layout
        old = next((field for field in layout.data if str(field.name) == name), None)
        categories, flavour = None, 0
        if bound.dtype.kind == "category":
            categories = layout.scope.find(expression.args[0]).categories
        elif bound.dtype.kind == "string":
            flavour = layout.flavour()
        field = Field(name if old is None else old.name, self._next, bound.dtype, categories, flavour)
        self._steps.append(Compute(self._next, bound))
        self._next += 1
        data = [*layout.data, field] if old is None else [field if one is old else one for one in layout.data]
        self._layout = layout.with_data(data)

    def head(self, clause: clauses.Head) -> None:
        self._steps.append(Cut(None, clause.n))

    def tail(self, clause: clauses.Tail) -> None:
        # Of no rows, the last n rows; a slice from -0 would be all of them.
        self._steps.append(Cut(-clause.n, None) if clause.n else Cut(0, 0))

    def row_range(self, clause: clauses.RowRange) -> None:
        self._steps.append(Cut(clause.start, clause.stop))

    def date_range(self, clause: clauses.DateRange) -> None:
        index = self._time_index("date_range")
        self._dated = self._dated or self._untouched
        factor = 10**9 // PER_SECOND[index.dtype.unit]
        start = -(-clause.start // factor) if clause.start != OPEN_START else OPEN_START
        stop = clause.stop // factor if clause.stop != OPEN_STOP else OPEN_STOP
        self._steps.append(Between(index.slot, start, stop, index.dtype.unit, index.dtype.zone))

    def _time_index(self, what: str) -> Field:
        layout = self._layout
        if not layout.levels or layout.levels[0].dtype.kind != "timestamp":
            kind = str(layout.levels[0].dtype) if layout.levels else "a range of row numbers"
            raise SchemaException(
                f"{what} needs rows indexed by time, but the index is {kind}",
                code=ErrorCode.E_UNSUPPORTED_INDEX_TYPE,
            )
        return layout.levels[0]

    def groupby(self, clause: clauses.GroupBy) -> None:
        self._pending = clause

    def resample(self, clause: clauses.Resample) -> None:
        index = self._time_index("resample")
        if isinstance(clause.origin, str) and clause.origin != "epoch" and self._dated:
            raise UserInputException(
                f"resample with origin={clause.origin!r} does not go together with a date_range, which would move it; "
                "give a pd.Timestamp as origin, or filter by the index"
            )
        origin = clause.origin
        if not isinstance(origin, str) and (origin.tz is None) != (index.dtype.zone is None):
            # A wall time given for an index with a zone is one of that zone, and the other way round UTC.
            origin = origin.tz_localize(index.dtype.zone) if origin.tz is None else origin.tz_convert(None)
            clause = replace(clause, origin=origin)
        self._pending = clause

    def aggregate(self, both: tuple[Any, clauses.Aggregate]) -> None:
        pending, clause = both
        if isinstance(pending, clauses.GroupBy):
            self._group(pending, clause.outputs)
        else:
            self._bucket(pending, clause.outputs)

    def _group(self, clause: clauses.GroupBy, wanted: Sequence[clauses.Aggregation]) -> None:
        scope = self._layout.scope
        found = [scope.find(name, "GroupByClause") for name in clause.keys]
        bounds = tuple(
            bind(_key(name, field), scope, "GroupByClause") for name, field in zip(clause.keys, found, strict=True)
        )
        for name, bound in zip(clause.keys, bounds, strict=True):
            if bound.dtype.kind == "binary":
                raise unsupported("groupby", bound.dtype, name)
        keys = [
            Field(_index_name(field, name), field.slot, bound.dtype, None, self._layout.flavour())
            if field.is_level
            else replace(field, name=_index_name(field, name), dtype=bound.dtype)
            for field, bound, name in zip(found, bounds, clause.keys, strict=True)
        ]
        outputs, fields = self._outputs(wanted, "AggregationClause")
        self._reduce(Group(bounds, outputs, clause.sort), regrouped(self._layout, keys, fields))

    def _bucket(self, clause: clauses.Resample, wanted: Sequence[clauses.Aggregation]) -> None:
        index = self._time_index("resample")
        index = replace(index, dtype=_bucket_type(clause, index.dtype))
        for one in wanted:
            if any(one.column == str(level.name) for level in self._layout.levels[1:]):
                raise SchemaException(f"resample cannot aggregate {one.column!r}: it is a level of the index")
        outputs, fields = self._outputs(wanted, "ResampleClause")
        reducer = Bucket(
            index.slot,
            index.dtype,
            clause.rule,
            clause.closed,
            clause.label,
            clause.offset,
            clause.origin,
            clause.keep_empty,
            outputs,
        )
        self._reduce(reducer, resampled(self._layout, index, fields))

    def _outputs(self, wanted: Sequence[clauses.Aggregation], what: str) -> tuple[tuple[Output, ...], list[Field]]:
        outputs: list[Output] = []
        fields: list[Field] = []
        for one in wanted:
            field = self._layout.scope.find(one.column, what)
            slot = field.slot
            source, flavour = field.dtype, field.flavour
            if field.is_level:
                slot, source, flavour = self._decoded(one.column)
            dtype = aggregate_type(one.how, source, one.column)
            outputs.append(Output(slot, one.how, source, dtype))
            kept = dtype.kind == "category"
            text = dtype.kind == "string"
            fields.append(
                Field(one.output, len(fields), dtype, field.categories if kept else None, flavour if text else 0)
            )
        return tuple(outputs), fields

    def _decoded(self, name: str) -> tuple[int, DType, int]:
        bound = bind(col(name), self._layout.scope)
        slot = self._next
        self._next += 1
        self._steps.append(Compute(slot, bound))
        return slot, bound.dtype, self._layout.flavour()

    def _without_aggregates(self, pending: clauses.GroupBy | clauses.Resample) -> None:
        if isinstance(pending, clauses.GroupBy):
            raise UserInputException(f"{pending} has no agg; say what to compute, e.g. .agg({{'price': 'mean'}})")
        self._bucket(pending, ())

    def sort(self, clause: clauses.Sort) -> None:
        scope = self._layout.scope
        slots = []
        for name in clause.by:
            field = scope.find(name, "SortClause")
            if field.dtype.kind == "binary":
                raise unsupported("sort_values", field.dtype, name)
            slots.append(self._decoded(name)[0] if field.is_level else field.slot)
        self._reduce(Order(tuple(slots), clause.ascending, clause.by), self._layout.without_freq())

    def distinct(self, clause: clauses.Distinct) -> None:
        layout = self._layout
        if clause.subset is None:
            fields = list(layout.data)
        else:
            fields = [layout.scope.find(name, "DistinctClause") for name in clause.subset]
        slots = tuple(field.slot for field in fields)
        self._reduce(Unrepeat(slots, clause.keep, clause.subset), layout.without_freq())

    def select(self, clause: clauses.Select) -> None:
        found = [self._layout.scope.find(name, "SelectClause") for name in dict.fromkeys(clause.names)]
        self._layout = self._layout.with_data(field for field in found if field not in self._layout.levels)

    def drop(self, clause: clauses.Drop) -> None:
        found = [self._layout.scope.find(name, "DropClause") for name in clause.names]
        if any(field in self._layout.levels for field in found):
            raise UserInputException(f"drop leaves out columns, not levels of the index: {', '.join(clause.names)}")
        self._layout = self._layout.with_data(field for field in self._layout.data if field not in found)

    def rename(self, clause: clauses.Rename) -> None:
        layout = self._layout
        names = {layout.scope.find(old, "RenameClause"): new for old, new in clause.names}
        if any(field in layout.levels for field in names):
            raise UserInputException(f"rename gives columns other names, not the index: {clause}")
        self._layout = layout.with_data(
            replace(field, name=names[field]) if field in names else field for field in layout.data
        )

    def concat(self, _clause: clauses.Concat) -> None:
        raise UserInputException(
            "Multi-symbol clause cannot be used on a single symbol: concat is the first clause of read_batch_and_join"
        )


_HANDLERS: dict[type, Any] = {
    clauses.Filter: _Planner.filter,
    clauses.Apply: _Planner.apply,
    clauses.Cast: _Planner.cast,
    clauses.Head: _Planner.head,
    clauses.Tail: _Planner.tail,
    clauses.RowRange: _Planner.row_range,
    clauses.DateRange: _Planner.date_range,
    clauses.GroupBy: _Planner.groupby,
    clauses.Resample: _Planner.resample,
    clauses.Aggregate: _Planner.aggregate,
    clauses.Sort: _Planner.sort,
    clauses.Distinct: _Planner.distinct,
    clauses.Select: _Planner.select,
    clauses.Drop: _Planner.drop,
    clauses.Rename: _Planner.rename,
    clauses.Concat: _Planner.concat,
}


def _bucket_type(clause: clauses.Resample, dtype: DType) -> DType:
    """The type of labels: the index's own, or nanoseconds where its unit cannot hold them."""
    per_unit = 10**9 // PER_SECOND[dtype.unit]
    counts = [clause.offset, fixed_width(clause.rule) or 0]
    if not isinstance(clause.origin, str):
        counts.append(clause.origin.as_unit("ns").value)
    return dtype if all(count % per_unit == 0 for count in counts) else DType("timestamp", 64, "ns", dtype.zone)


def _key(name: str, field: Field) -> ExpressionNode:
    """A key of groups: pandas has no index of half floats."""
    return col(name).cast("float32") if field.dtype == DType("float", 16) else col(name)


def _index_name(field: Field, asked: str) -> Any:
    return asked if field.name is None else field.name


def _chosen(layout: Layout, columns: Sequence[str]) -> Layout:
    """The columns of these names, in their own order; unknown and ambiguous names choose nothing."""
    wanted = set(columns)
    names = [str(field.name) for field in layout.data]
    return layout.with_data(
        field for field, name in zip(layout.data, names, strict=True) if name in wanted and names.count(name) == 1
    )


def _pushed(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Conditions before the computations that they do not read, and times first of all conditions."""
    result: list[Step] = []
    for step in steps:
        at = len(result)
        if isinstance(step, Keep | Between):
            while at:
                before = result[at - 1]
                passes = isinstance(before, Compute) and before.slot not in step.reads
                if not passes and not (isinstance(before, Keep) and isinstance(step, Between)):
                    break
                at -= 1
        result.insert(at, step)
    return tuple(result)


def aggregate_type(how: str, dtype: DType, column: str) -> DType:
    """The type of an aggregate of values of a type; `SchemaException` where it has no meaning."""
    kind = dtype.kind
    number = kind in (*NUMBERS, "bool")
    if how in ("count", "nunique"):
        return UINT64
    if how in ("first", "last"):
        return dtype
    if how == "sum" and number:
        return {"int": INT64, "float": FLOAT64}.get(kind, UINT64)
    if how == "sum" and kind == "duration":
        return dtype
    if how in ("min", "max") and (number or dtype.temporal):
        return dtype
    if how in ("mean", "median") and (number or dtype.temporal):
        return dtype if dtype.temporal else FLOAT64
    if how in ("std", "var") and number:
        return FLOAT64
    if how in ("any", "all") and number:
        return BOOL
    raise unsupported(f"{how} aggregation", dtype, column)
