"""What a case is: an operation that both libraries do, and the ratio that is wanted.

The API is the same on both sides, so a case is written once and run on either library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Library(Protocol):
    """What both libraries offer, as far as the cases use it."""

    read: Callable[..., Any]
    write: Callable[..., Any]
    append: Callable[..., Any]
    update: Callable[..., Any]
    delete: Callable[..., Any]
    tail: Callable[..., Any]
    read_batch: Callable[..., Any]
    read_batch_and_join: Callable[..., Any]
    write_batch: Callable[..., Any]
    list_versions: Callable[..., Any]


def nothing(_library: Any) -> None:
    """Prepare nothing."""


def turn_alone(_library: Any, turn: int) -> Any:
    """The number of the turn as argument."""
    return turn


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What both libraries do in turn, wherever they keep their data.

    Attributes
    ----------
    name : str
        As it stands in the table of results.
    run : callable
        `run(library, argument)`: what is timed. Its result is kept until the clock has stopped.
    prepare : callable
        `prepare(library)`: writes what the operation needs, once, untimed.
    argument : callable
        `argument(library, turn)`: makes what the timed call is given, before every call, untimed.
    compare : callable or None
        Makes of a result what must be equal on both sides. None: results are not compared.
    """

    name: str
    run: Callable[[Library, Any], Any]
    prepare: Callable[[Library], None] = nothing
    argument: Callable[[Library, int], Any] = turn_alone
    compare: Callable[[Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Case(Operation):
    """One operation on embedded stores.

    Attributes
    ----------
    goal, floor : float or None
        Wanted ratio of ArcticDB's time to ours, and the least that is accepted. None: for information.
    rounds : int
        How often the turn passes from one library to the other.
    calls : int
        How many calls each library makes when it has the turn.
    exact : bool
        Whether floats must be equal to the last bit; sums depend on the order in which they are added up.
    """

    goal: float | None = None
    floor: float | None = None
    rounds: int = 9
    calls: int = 1
    exact: bool = True


@dataclass(frozen=True)
class Sizes:
    """How large the data are: as the goals are stated, or small to try the benchmarks themselves."""

    tall: int = 5_000_000
    ticks: int = 5_000_000
    strings: int = 2_000_000
    distinct: int = 200_000
    wide_rows: int = 1_000
    wide_columns: int = 20_000
    appends: int = 300
    symbols: int = 1_000
    one_row_appends: int = 3_000
    quick: bool = False


QUICK = Sizes(
    tall=200_000,
    ticks=200_000,
    strings=100_000,
    distinct=10_000,
    wide_rows=100,
    wide_columns=2_000,
    appends=40,
    symbols=100,
    one_row_appends=200,
    quick=True,
)
