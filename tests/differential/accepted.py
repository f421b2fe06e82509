"""Where the two libraries may differ: each rule names the heading of docs/differences.md that gives the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from differential.outcomes import Outcome
from differential.sequences import Operation


@dataclass(frozen=True)
class Accepted:
    """A difference that is meant.

    Attributes
    ----------
    heading : str
        The heading in docs/differences.md.
    applies : callable
        `applies(operation, theirs, ours)`: whether this explains that the outcomes differ.
    diverges : bool
        Whether the two libraries hold different things from here on, so that the sequence must end.
    """

    heading: str
    applies: Callable[[Operation, Outcome, Outcome], bool]
    diverges: bool = False


@dataclass(frozen=True)
class Forgiven:
    """A difference in what a read returns that is taken away before the results are compared.

    Attributes
    ----------
    heading : str
        The heading in docs/differences.md.
    level : callable
        `level(theirs, ours)`: the two frames made alike in this respect, or None where it does not concern them.
    """

    heading: str
    level: Callable[[Any, Any], tuple[Any, Any] | None]


def zero_rows(theirs: Any, ours: Any) -> tuple[Any, Any] | None:
    """ArcticDB returns an empty DatetimeIndex, whatever was written."""
    if len(theirs) or len(ours):
        return None
    empty = pd.RangeIndex(0)
    return theirs.set_axis(empty), ours.set_axis(empty)


FORGIVEN: list[Forgiven] = [
    Forgiven("Zero rows", zero_rows),
]

ACCEPTED: list[Accepted] = []
