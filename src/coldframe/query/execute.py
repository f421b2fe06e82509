"""Runs plans: prunes slices, filters them on all cores, then gathers or reduces what is left."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from coldframe.exceptions import UnsortedDataException
from coldframe.format.table import Table
from coldframe.parallel import cores, map_jobs, stream_jobs
from coldframe.query.batch import Batch
from coldframe.query.collect import Ready, alone, collect
from coldframe.query.columns import Column
from coldframe.query.group import Stream, group
from coldframe.query.layout import renumbered
from coldframe.query.memory import keep_freed
from coldframe.query.prune import Known, prune
from coldframe.query.resample import resample
from coldframe.query.sort import order, unrepeated
from coldframe.query.source import PlainSource, Source, Statistics, TableSource
from coldframe.query.steps import Between, Bucket, Cut, Group, Keep, Order, Plan, Stage, Step

Live = list[tuple[Step, frozenset[int]]]
_HELD = 64 << 20
"""Bytes of columns kept from filtering to gathering; what is beyond is loaded again."""

_HANDED = 1 << 18
"""Rows that a worker is given at a time, where what it makes of them is streamed."""


def run(plan: Plan, source: Source, ready: Ready | None = None) -> Table:
    """The rows that a plan makes of a source.

    Parameters
    ----------
    plan : Plan
        Made for the source's schema.
    source : Source
    ready : Callable, optional
        Is told of columns of strings, by their slot, that are complete while others are still being gathered.
    """
    for stage in plan.stages[:-1]:
        columns, rows = _run_stage(stage, source)
        table = renumbered(stage.exit).table(columns, rows)
        ordered = source.ordered if stage.reducer is None else isinstance(stage.reducer, Bucket) or None
        source = TableSource(table, ordered=ordered, symbol=source.symbol)
    stage = plan.stages[-1]
    columns, rows = _run_stage(stage, source, ready)
    return stage.exit.table(columns, rows)


def stream(plan: Plan, source: Source, max_rows: int) -> Iterator[Table]:
    """As `run`, but in tables of at most `max_rows` rows, made as they are consumed; at least one, perhaps empty.

    Memory is bounded by a few slices, unless a clause needs all rows (groups, sorting, distinct rows).
    """
    stage = plan.stages[-1]
    if len(plan.stages) > 1 or stage.reducer is not None:
        whole = run(plan, source)
        yield from (whole.slice(at, min(at + max_rows, whole.rows)) for at in range(0, max(whole.rows, 1), max_rows))
        return
    _check_order(stage, source)
    keep_freed()
    steps = _with_live(stage)
    cut = max((at for at, (step, _) in enumerate(steps) if isinstance(step, Cut)), default=-1)
    batches = [Batch(source, index) for index in candidates(stage, source).tolist()]
    if cut >= 0:
        batches = _still(stage, source, _select(stage, source, batches, steps[: cut + 1]), steps[cut + 1 :])
    found = 0
    fields = [(field.slot, field.dtype) for field in stage.exit.fields]
    for at in range(0, max(len(batches), 1), 2 * cores()):
        columns, rows = _gather(stage, source, batches[at : at + 2 * cores()], steps[cut + 1 :], fields)
        if not rows and (found or at + 2 * cores() < len(batches)):
            continue
        found += rows
        table = stage.exit.table(columns, rows)
        yield from (table.slice(first, min(first + max_rows, rows)) for first in range(0, max(rows, 1), max_rows))


def candidates(stage: Stage, source: Source, steps: Sequence[Step] | None = None) -> NDArray[Any]:
    """The slices that may hold rows which the conditions among some steps keep, up to the first cut by position."""
    may = np.ones(len(source.rows), dtype=np.bool_)
    for step in stage.steps if steps is None else steps:
        if isinstance(step, Cut):
            break
        may &= _may_pass(step, stage, source)
    return np.flatnonzero(may)


def _known(source: Source) -> Known:
    count = len(source.rows)

    def absent(column: int) -> NDArray[Any] | None:
        mask = np.fromiter((column in source.missing(index) for index in range(count)), dtype=np.bool_, count=count)
        return mask if mask.any() else None

    return Known(source.rows, source.statistics, absent)


def _may_pass(step: Step, stage: Stage, source: Source) -> NDArray[Any]:
    width = len(stage.entry.fields)
    everything = np.ones(len(source.rows), dtype=np.bool_)
    if isinstance(step, Keep):
        if isinstance(source, PlainSource):
            return everything
        return prune(step.bound.node, step.scope, width, _known(source))
    if isinstance(step, Between) and step.slot < width:
        statistics = source.statistics(step.slot)
        if statistics is not None:
            return _overlaps(step, statistics)
    return everything


def _overlaps(step: Between, statistics: Statistics) -> NDArray[Any]:
    inside = (statistics.maximum >= step.start) & (statistics.minimum <= step.stop)
    return cast("NDArray[Any]", inside | ~statistics.known)


def _run_stage(stage: Stage, source: Source, ready: Ready | None = None) -> tuple[list[Column], int]:
    _check_order(stage, source)
    keep_freed()
    steps = _with_live(stage)
    reducer = stage.reducer
    cut = max((at for at, (step, _) in enumerate(steps) if isinstance(step, Cut)), default=-1)
    batches = [Batch(source, index) for index in candidates(stage, source).tolist()]
    if cut >= 0:
        batches = _select(stage, source, batches, steps[: cut + 1])
        steps = steps[cut + 1 :]
        batches = _still(stage, source, batches, steps)
    elif any(isinstance(step, Keep) for step, _ in steps):
        stored = sorted(slot for slot in stage.live | _reads(steps) if slot < source.schema.width)
        source.expect([batch.index for batch in batches], stored)
    inline = alone(sum(batch.rows for batch in batches))
    if isinstance(reducer, Group | Bucket):
        _announce(source, batches, *_one_by_one(steps), reducer.reads - _reads(steps))
        # What is short work for each slice is slower on two threads, which wait for the GIL in turn, than on one.
        stored = [slot for slot in reducer.reads | _reads(steps) if slot < source.schema.width]
        inline = inline or not source.without_gil(stored)
    if isinstance(reducer, Group):
        with _streaming(batches, steps, inline=inline) as stream:
            return group(stream, reducer)
    if isinstance(reducer, Bucket):
        with _streaming(batches, steps, inline=inline) as stream:
            return resample(stream, reducer, ordered=source.ordered)
    fields = [(field.slot, field.dtype) for field in stage.exit.fields]
    if reducer is None:
        return _gather(stage, source, batches, steps, fields, ready)
    return _reorder(stage, *_gather(stage, source, batches, steps, _with_keys(stage, fields)))


def _gather(
    stage: Stage,
    source: Source,
    batches: list[Batch],
    steps: Live,
    fields: list[tuple[int, Any]],
    ready: Ready | None = None,
) -> tuple[list[Column], int]:
    """Do the steps, and gather the rows that are left."""
    inline = alone(sum(batch.rows for batch in batches))
    last = max((at for at, (step, _) in enumerate(steps) if isinstance(step, Keep | Between)), default=-1)
    if last >= 0:
        batches = _filter(source, batches, steps[: last + 1], inline=inline)
    reads = _reads(steps[last + 1 :])
    _announce(source, batches, reads, stage.live - reads)
    return collect(batches, steps[last + 1 :], fields, ready)


def _with_keys(stage: Stage, fields: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """The columns of a result and those that it is ordered by, with their types."""
    reducer = stage.reducer
    assert reducer is not None  # noqa: S101 -- asked for stages with a reducer only
    shown = {slot for slot, _ in fields}
    types = {field.slot: field.dtype for field in stage.entry.fields}
    for step in stage.steps:
        if hasattr(step, "slot") and hasattr(step, "bound"):
            types[step.slot] = step.bound.dtype
    return fields + [(slot, types[slot]) for slot in sorted(reducer.reads - shown)]


def _reorder(stage: Stage, columns: list[Column], rows: int) -> tuple[list[Column], int]:
    slots = [slot for slot, _ in _with_keys(stage, [(field.slot, field.dtype) for field in stage.exit.fields])]
    by_slot = dict(zip(slots, columns, strict=True))
    reducer = stage.reducer
    if isinstance(reducer, Order):
        chosen = order([by_slot[slot] for slot in reducer.slots], reducer.ascending)
    else:
        assert not isinstance(reducer, Group | Bucket | None)  # noqa: S101 -- dealt with by the caller
        chosen = unrepeated([by_slot[slot] for slot in reducer.slots], reducer.keep, rows)
    wanted = columns[: len(stage.exit.fields)]
    return map_jobs(lambda column: column.take(chosen), wanted, inline=alone(rows)), len(chosen)


def _check_order(stage: Stage, source: Source) -> None:
    if source.ordered is False and any(isinstance(step, Between) for step in stage.steps):
        raise UnsortedDataException(
            f"symbol {source.symbol!r} is not sorted by its index, so date_range cannot be used; "
            "compare the index in a filter, or sort before writing"
        )


def _with_live(stage: Stage) -> Live:
    """Each step with the slots that are needed after it."""
    live = stage.live
    result: Live = []
    for step in reversed(stage.steps):
        result.append((step, live))
        live = live | step.reads
    result.reverse()
    return result


def _announce(source: Source, batches: list[Batch], *loads: Iterable[int]) -> None:
    """Tell a source what will be loaded of each batch, load by load: it can then fetch the bytes of many at once."""
    width = source.schema.width
    groups = [sorted(slot for slot in slots if slot < width) for slots in loads]
    if not any(groups) or isinstance(source, TableSource):
        return
    wanted = ((batch.index, batch.lacking(slots)) for batch in batches for slots in groups)
    source.prefetch([(index, columns) for index, columns in wanted if columns])


def _one_by_one(steps: Live) -> list[tuple[int]]:
    """What steps load: each column when they come to it, for what was found before may spare it."""
    return [(slot,) for slot in dict.fromkeys(slot for step, _ in steps for slot in sorted(step.reads))]


def _reads(steps: Live) -> frozenset[int]:
    return frozenset().union(*(step.reads for step, _ in steps))


def _filter(source: Source, batches: list[Batch], steps: Live, *, inline: bool) -> list[Batch]:
    """Do the steps up to the last condition; batches without rows left are gone."""
    held = [0]
    _announce(source, batches, *_one_by_one(steps))

    def work(batch: Batch) -> None:
        _do(batch, steps)
        if batch.rows:
            held[0] += batch.size()
            if held[0] > _HELD:
                batch.forget_stored()

    map_jobs(work, batches, inline=inline)
    return [batch for batch in batches if batch.rows]


def _do(batch: Batch, steps: Live) -> Batch:
    for step, live in steps:
        if not batch.rows:
            break
        batch.run(step, live)
    return batch


@contextmanager
def _streaming(batches: list[Batch], steps: Live, *, inline: bool) -> Iterator[Stream]:
    """For a reducer: does the steps and the reducer's own work on each batch, and gives the results in order.

    When the context is left, by an error too, no batch is being worked on any more: what it looks at may be lent.
    """
    opened: list[Generator[Any, None, None]] = []

    def stream(work: Callable[[Batch], Any]) -> Iterator[Any]:
        def both(batch: Batch) -> Any:
            _do(batch, steps)
            result = work(batch) if batch.rows else None
            batch.forget(frozenset())
            return result

        results: Iterable[Any]
        if inline or cores() < 2:
            results = map(both, batches)
        else:
            opened.append(stream_jobs(lambda some: [both(batch) for batch in some], _shared_out(batches)))
            results = chain.from_iterable(opened[-1])
        return (result for result in results if result is not None)

    try:
        yield stream
    except BaseException as error:
        for jobs in opened:
            with suppress(BaseException):
                jobs.throw(error)
        raise


def _shared_out(batches: list[Batch]) -> list[list[Batch]]:
    """Neighbouring batches, so many that waking the thread that takes them costs little."""
    jobs: list[list[Batch]] = []
    rows = _HANDED
    for batch in batches:
        if rows >= _HANDED:
            jobs.append([])
            rows = 0
        jobs[-1].append(batch)
        rows += batch.rows
    return jobs


def _select(stage: Stage, source: Source, batches: list[Batch], steps: Live) -> list[Batch]:
    """Do the steps up to the last cut by position."""
    segment: Live = []
    for at, (step, live) in enumerate(steps):
        if isinstance(step, Cut):
            batches = _still(stage, source, _cut(source, batches, segment, step), steps[at + 1 :])
            segment = []
        else:
            segment.append((step, live))
    return batches


def _still(stage: Stage, source: Source, batches: list[Batch], steps: Live) -> list[Batch]:
    """Batches that the conditions of the next steps, up to a cut, may keep rows of."""
    conditions = [step for step, _ in steps]
    if not any(isinstance(step, Keep | Between) for step in conditions):
        return batches
    chosen = set(candidates(stage, source, conditions).tolist())
    return [batch for batch in batches if batch.index in chosen]


def _cut(source: Source, batches: list[Batch], steps: Live, cut: Cut) -> list[Batch]:
    if not steps:
        return _cut_rows(batches, cut)
    if cut.from_start or cut.from_end:
        return _cut_rows(_until(source, batches, steps, cut), cut)
    inline = alone(sum(batch.rows for batch in batches))
    return _cut_rows(_filter(source, batches, steps, inline=inline), cut)


def _until(source: Source, batches: list[Batch], steps: Live, cut: Cut) -> list[Batch]:
    """Filter from one end until there are rows enough for the cut."""
    backwards = cut.from_end
    wanted = -cast("int", cut.start) if backwards else cast("int", cut.stop)
    waiting = batches[::-1] if backwards else batches
    done: list[Batch] = []
    found, window = 0, cores()
    while waiting and found < wanted:
        some, waiting = waiting[:window], waiting[window:]
        inline = alone(sum(batch.rows for batch in some))
        kept = _filter(source, some, steps, inline=inline)
        found += sum(batch.rows for batch in kept)
        done += kept
        # Where little is found, more slices at a time keep all cores busy.
        window = min(2 * window, 64)
    return done[::-1] if backwards else done


def _cut_rows(batches: list[Batch], cut: Cut) -> list[Batch]:
    total = sum(batch.rows for batch in batches)
    start, stop, _ = slice(cut.start, cut.stop).indices(total)
    kept, at = [], 0
    for batch in batches:
        first, last = max(start - at, 0), min(stop - at, batch.rows)
        at += batch.rows
        if first < last:
            batch.cut(first, last)
            kept.append(batch)
    return kept
