"""Runs a sequence on both libraries, compares after every step, and cuts a failing sequence down."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from differential.accepted import ACCEPTED, FORGIVEN, Step
from differential.compare import difference
from differential.outcomes import Outcome, Side
from differential.sequences import SYMBOLS, Operation, Sequence
from differential.singles import Single

THEIRS, OURS = "arcticdb", "coldframe"
CHANGING = {"write", "append", "update", "delete_data_in_range", "delete", "prune_previous_versions", "write_metadata"}
ATTEMPTS = 300


@dataclass
class Report:
    """What came out of one sequence."""

    done: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    difference: str = ""


@contextmanager
def sides(sequence: Sequence) -> Iterator[tuple[Side, Side]]:
    """A fresh library of either side, with the options of the sequence."""
    with tempfile.TemporaryDirectory() as folder:
        opened = []
        for package in (THEIRS, OURS):
            module = import_module(package)
            uri = "mem://" if sequence.store == "mem" else f"lmdb://{Path(folder) / package}?map_size=64MB"
            options = module.LibraryOptions(**sequence.options)
            opened.append(Side(package, module.Arctic(uri).create_library("lib", library_options=options)))
        yield opened[0], opened[1]


def run(sequence: Sequence) -> Report:
    """Run a sequence until its end or its first difference that is not accepted."""
    report = Report()
    before: list[Operation] = []
    with sides(sequence) as (theirs, ours):
        for operation in with_checks(sequence.operations):
            one, other = theirs.do(operation), ours.do(operation)
            before.append(operation)
            report.done += 1
            report.outcomes[f"{operation.method} {one.error or 'ok'}"] += 1
            found = outcome_difference(one, other, report)
            if not found:
                continue
            step = Step(operation, one, other, before)
            rule = next((rule for rule in ACCEPTED if rule.applies(step)), None)
            if rule is None:
                report.difference = f"{operation}\n    {found}"
                return report
            report.accepted[rule.heading] += 1
            if rule.diverges(step):
                return report
    return report


def run_single(single: Single) -> str:
    """Do what a single says, on fresh libraries; the first difference, of whatever kind."""
    sequence = Sequence(0, "mem", dict(single.options), tuple(single.operations))
    with sides(sequence) as (theirs, ours):
        for operation in single.operations:
            one, other = theirs.do(operation), ours.do(operation)
            found = outcome_difference(one, other, Report())
            if found:
                return f"{operation.method}: {found}"
    return ""


def with_checks(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """The operations; after each that changes a symbol a look at that symbol, at the end a look at everything."""
    for operation in operations:
        yield operation
        if operation.method in CHANGING:
            symbol = operation.arguments["symbol"]
            yield Operation("list_versions", {"symbol": symbol})
            yield Operation("read", {"symbol": symbol})
    yield Operation("list_symbols", {})
    yield Operation("list_versions", {})
    yield Operation("list_snapshots", {})
    for symbol in SYMBOLS:
        yield Operation("get_description", {"symbol": symbol})
        yield from (Operation("read", {"symbol": symbol, "as_of": number}) for number in range(12))


def outcome_difference(theirs: Outcome, ours: Outcome, report: Report) -> str | None:
    """What differs between two outcomes after what is forgiven."""
    if theirs.error or ours.error:
        same = theirs.error == ours.error
        return None if same else f"ArcticDB: {theirs}\n    coldframe: {ours}"
    return difference(*level(theirs.value, ours.value, report))


def level(theirs: Any, ours: Any, report: Report) -> tuple[Any, Any]:
    """Take away what is forgiven, in every part of two results."""
    if type(theirs) is not type(ours):
        return theirs, ours
    for rule in FORGIVEN:
        made = rule.level(theirs, ours)
        if made is not None:
            report.accepted[rule.heading] += 1
            theirs, ours = made
    if isinstance(theirs, dict) and theirs.keys() == ours.keys():
        pairs = {key: level(theirs[key], ours[key], report) for key in theirs}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(theirs, list) and len(theirs) == len(ours):
        both = [level(one, other, report) for one, other in zip(theirs, ours, strict=True)]
        return [pair[0] for pair in both], [pair[1] for pair in both]
    return theirs, ours


def shrink(sequence: Sequence) -> tuple[Sequence, Report]:
    """Leave operations out as long as the two libraries still differ."""
    report = run(sequence)
    attempts = 0
    changed = True
    while changed and attempts < ATTEMPTS:
        changed = False
        for at in reversed(range(len(sequence.operations))):
            shorter = sequence._replace(operations=sequence.operations[:at] + sequence.operations[at + 1 :])
            attempts += 1
            again = run(shorter)
            if again.difference:
                sequence, report, changed = shorter, again, True
    return sequence, report
