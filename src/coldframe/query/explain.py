"""A plan as text: what is read of the stored data, what is done slice by slice, and what over all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from coldframe.query.execute import candidates
from coldframe.query.source import Source
from coldframe.query.steps import Cut, Keep, Plan, Stage

_SHOWN = 20


def explain(plan: Plan, source: Source) -> str:
    """What a plan does with a source; reads nothing but the statistics that prune.

    A source that has a method ``stored_bytes(slices, columns)`` is asked for the bytes to be fetched.
    """
    first = plan.stages[0]
    chosen = candidates(first, source)
    schema = source.schema
    columns = plan.columns
    names = [str(schema.names[column]) for column in columns]
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    total, left = int(source.rows.sum()), int(source.rows[chosen].sum())
    lines = [
        f"read {source.symbol}".rstrip(),
        f"  slices: {len(chosen)} of {len(source.rows)} after pruning ({left:,} of {total:,} rows)",
        f"  columns: {len(columns)} of {schema.width} ({shown})",
    ]
    size: Any = getattr(source, "stored_bytes", None)
    if size is not None:
        lines.append(f"  bytes to fetch: at most {size(chosen, np.array(columns, dtype=np.intp)):,}")
    for number, stage in enumerate(plan.stages):
        lines += _stage(stage, number)
    return "\n".join(lines)


def _stage(stage: Stage, number: int) -> list[str]:
    where = "on each slice" if number == 0 else "on the result, in memory"
    lines: list[str] = []
    if stage.steps:
        lines.append(f"{where}, on all cores:")
    for step in stage.steps:
        early = " (stops when there are enough)" if isinstance(step, Cut) and (step.from_start or step.from_end) else ""
        first = " (its columns first, the others where rows are left)" if isinstance(step, Keep) and number == 0 else ""
        lines.append(f"  {step}{first}{early}")
    if stage.reducer is not None:
        lines.append(f"over all rows: {stage.reducer}")
    shown = [str(field.name) for field in stage.exit.fields]
    lines.append(f"gives: {', '.join(shown[:_SHOWN])}{' …' if len(shown) > _SHOWN else ''}")
    return lines
