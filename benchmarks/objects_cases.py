"""What is measured in a bucket. The API is the same on both sides, so a case is written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from benchmarks import data
from benchmarks.cases import Operation
from benchmarks.reading import frame

VERSIONS = 100
OLD = 3


@dataclass(frozen=True, kw_only=True)
class BucketCase(Operation):
    """One operation in a bucket; it is prepared without latency, and given arguments so too.

    Attributes
    ----------
    floors : pair of float, or None
        The least ratio of ArcticDB's time to ours that is accepted, without latency and with 20 ms. None: for
        information.
    cold : bool
        Whether every call is made on a library that was opened just before it, by a connection of its own.
    calls : int
        How many are timed without latency; with latency a third of them.
    """

    floors: tuple[float, float] | None = None
    cold: bool = False
    calls: int = 30


@dataclass(frozen=True)
class BucketSizes:
    """How large the data are."""

    rows: int = 2_000_000
    batch: int = 100
    symbols: int = 10_000
    quick: bool = False


QUICK = BucketSizes(rows=200_000, batch=20, symbols=300, quick=True)


def cases(sizes: BucketSizes) -> list[BucketCase]:
    """Every case, in the order of the table."""
    return [*small_cases(), *history_cases(), *large_cases(sizes), *many_cases(sizes)]


def small_cases() -> list[BucketCase]:
    """A hundred rows of eight columns."""

    def first(library: Any) -> None:
        library.write("small", data.small())
        library.write("growing", data.piece(0))

    pieces = count(1)
    small = {"prepare": first}
    return [
        BucketCase(
            name="write a new small symbol",
            argument=lambda *_: f"new_{next(pieces)}",
            run=lambda library, name: library.write(name, data.small()),
            floors=(1.5, 3),
        ),
        BucketCase(
            name="write its next version", run=lambda library, _: library.write("small", data.small()),
            floors=(1.5, 3), **small,
        ),
        BucketCase(
            name="write its next version, cold", run=lambda library, _: library.write("small", data.small()),
            cold=True, **small,
        ),
        BucketCase(
            name="read it, cold", run=lambda library, _: library.read("small"), floors=(1.5, 2.5), cold=True,
            compare=frame, **small,
        ),
        BucketCase(name="read it, warm", run=lambda library, _: library.read("small"), compare=frame, **small),
        BucketCase(
            name="append 100 rows",
            argument=lambda *_: data.piece(next(pieces)),
            run=lambda library, rows: library.append("growing", rows),
            floors=(1.5, 3),
            **small,
        ),
    ]


def history_cases() -> list[BucketCase]:
    """A symbol of a hundred versions."""

    def versions(name: str) -> Callable[[Any], None]:
        def prepare(library: Any) -> None:
            for turn in range(VERSIONS):
                library.write(name, data.piece(turn))

        return prepare

    numbers = count()
    history = {"prepare": versions("history")}

    def old(library: Any, _: Any) -> Any:
        return library.read("history", as_of=OLD)

    def listed(library: Any, _: Any) -> Any:
        return library.list_versions("history")

    def doomed(library: Any, _: int) -> str:
        name = f"doomed_{next(numbers)}"
        versions(name)(library)
        return name

    return [
        # A warm ArcticDB answers from what it knew up to two seconds ago, so the first look is what is compared.
        BucketCase(
            name=f"read version {OLD} of {VERSIONS}, cold", run=old, floors=(10, 30), cold=True, calls=9, compare=frame,
            **history,
        ),
        BucketCase(name=f"read version {OLD} of {VERSIONS}, warm", run=old, calls=9, **history),
        BucketCase(
            name=f"list_versions of {VERSIONS}, cold", run=listed, floors=(10, 50), cold=True, calls=9,
            compare=lambda found: sorted(key.version for key in found), **history,
        ),
        BucketCase(name=f"list_versions of {VERSIONS}, warm", run=listed, calls=9, **history),
        BucketCase(
            name=f"write and prune {VERSIONS} versions", argument=doomed,
            run=lambda library, name: library.write(name, data.small(), prune_previous_versions=True),
            floors=(10, 50), calls=6,
        ),
    ]


def large_cases(sizes: BucketSizes) -> list[BucketCase]:
    """Two million rows."""

    def tall(library: Any) -> None:
        library.write("tall", data.tall(sizes.rows))

    def ticks(library: Any) -> None:
        library.write("ticks", data.ticks(sizes.rows))

    return [
        BucketCase(
            name="write 2M × 8 floats",
            run=lambda library, _: library.write("tall", data.tall(sizes.rows), prune_previous_versions=True), calls=6,
        ),
        BucketCase(
            name="read 2M × 8 floats", prepare=tall, run=lambda library, _: library.read("tall"), floors=(1.2, 1.2),
            calls=9, compare=frame,
        ),
        BucketCase(
            name="read one column of 8", prepare=tall, run=lambda library, _: library.read("tall", columns=["c"]),
            floors=(2, 3), calls=15, compare=frame,
        ),
        BucketCase(
            name="write 2M ticks",
            run=lambda library, _: library.write("ticks", data.ticks(sizes.rows), prune_previous_versions=True),
            floors=(1.2, 1.5), calls=9,
        ),
        BucketCase(
            name="read 2M ticks", prepare=ticks, run=lambda library, _: library.read("ticks"), floors=(2, 1.5), calls=9,
            compare=frame,
        ),
    ]


def many_cases(sizes: BucketSizes) -> list[BucketCase]:
    """Many symbols."""
    names = [f"symbol_{number:05d}" for number in range(sizes.symbols)]

    def many(library: Any) -> None:
        payload = __import__(type(library).__module__.partition(".")[0]).WritePayload
        row = data.small().iloc[:1]
        library.write_batch([payload(name, data.small() if at < sizes.batch else row) for at, name in enumerate(names)])

    return [
        BucketCase(
            name=f"read_batch of {sizes.batch} small symbols", prepare=many,
            run=lambda library, _: library.read_batch(names[: sizes.batch]), floors=(2, 20), calls=9,
            compare=lambda items: [items[0].data, items[-1].data, len(items)],
        ),
        BucketCase(
            name=f"list_symbols of {sizes.symbols:,}", prepare=many, run=lambda library, _: library.list_symbols(),
            floors=(1, 1), calls=9, compare=lambda found: [name for name in sorted(found) if name in names[:1]],
        ),
        BucketCase(
            name=f"list_symbols of {sizes.symbols:,}, cold", prepare=many,
            run=lambda library, _: library.list_symbols(), cold=True, calls=9,
        ),
    ]
