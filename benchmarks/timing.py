"""The clock: the same call on both sides in turn, so that a slow moment of the machine meets both."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cases import Case, Library
from benchmarks.sides import OURS, SIDES, THEIRS


@dataclass(frozen=True)
class Timing:
    """What was measured of one case, in milliseconds; `error` where a side could not do it."""

    case: Case
    theirs: float
    ours: float
    spread: float
    error: str = ""

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.theirs / self.ours if self.ours else float("nan")

    @property
    def verdict(self) -> str:
        """Whether the ratio reaches the goal, or at least the floor."""
        if self.error:
            return "failed"
        if self.case.goal is None or self.case.floor is None:
            return ""
        if self.ratio >= self.case.goal:
            return "goal met"
        return "floor met" if self.ratio >= self.case.floor else "below floor"


def measure(case: Case, libraries: dict[str, Library], *, rounds: int | None = None) -> Timing:
    """Median time of a call on either side; the libraries hold what `case.prepare` wrote."""
    turns = {side: count() for side in SIDES}
    samples: dict[str, list[float]] = {side: [] for side in SIDES}

    def calls(side: str, number: int) -> Any:
        library, result = libraries[side], None
        gc.collect()
        for _ in range(number):
            del result
            argument = case.argument(library, next(turns[side]))
            started = time.perf_counter()
            result = case.run(library, argument)
            samples[side].append((time.perf_counter() - started) * 1e3)
        return result

    try:
        results = {side: calls(side, max(1, case.calls // 4)) for side in SIDES}
        if case.compare is not None:
            same(case.compare(results[THEIRS]), case.compare(results[OURS]), exact=case.exact)
        del results
        for side in SIDES:
            samples[side].clear()
        for number in range(rounds or case.rounds):
            for side in SIDES if number % 2 == 0 else reversed(SIDES):
                calls(side, case.calls)
    except Exception as error:  # noqa: BLE001 - the other cases are still worth measuring
        return Timing(case, float("nan"), float("nan"), float("nan"), f"{type(error).__name__}: {error}")
    return Timing(case, median(samples[THEIRS]), median(samples[OURS]), spread(samples[OURS]))


def spread(samples: list[float]) -> float:
    """Half the distance between the quartiles, as a share of the median."""
    low, middle, high = np.percentile(samples, [25, 50, 75])
    return float((high - low) / 2 / middle)


def same(theirs: Any, ours: Any, *, exact: bool = True) -> None:
    """Raise if the two sides did not return the same; what differs on purpose (frequency, unit) is passed over."""
    if isinstance(theirs, list):
        if len(theirs) != len(ours):
            raise AssertionError(f"{len(theirs)} results and {len(ours)}")
        for one, other in zip(theirs, ours, strict=True):
            same(one, other, exact=exact)
    elif isinstance(theirs, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs, check_freq=False, check_exact=exact)
    elif theirs != ours:
        raise AssertionError(f"{theirs!r} and {ours!r}")


def in_turn(actions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each of several actions, made in turn."""
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    for number in range(rounds):
        for name in actions if number % 2 == 0 else reversed(actions):
            gc.collect()
            started = time.perf_counter()
            result = actions[name]()
            samples[name].append((time.perf_counter() - started) * 1e3)
            del result
    return {name: median(values) for name, values in samples.items()}
