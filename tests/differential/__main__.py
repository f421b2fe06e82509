"""The comparison as a program that prints a report as JSON.

`python -m differential FIRST LAST [LENGTH]` runs the random sequences of these seeds, `python -m differential singles
[TEXT]` the single operations.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections import Counter

os.environ["ARCTICDB_ALL_LOGLEVEL"] = "OFF"  # it warns of empty frames and pickled metadata, which are wanted here
os.environ["ARCTICDB_STORAGELOCK_WAITMS_INT"] = "1"  # nobody else uses these libraries

from differential import single_calls, single_values
from differential.sequences import Generator
from differential.session import run, run_single, shrink

LENGTH = 25
ENOUGH = 12


def sequences(first: int, last: int, length: int = LENGTH) -> int:
    """Run random sequences, report; 1 if there was a difference that is not accepted."""
    accepted: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    differences = []
    done = 0
    for seed in range(first, last):
        sequence = Generator(seed).sequence(length)
        report = run(sequence)
        done += report.done
        accepted += report.accepted
        outcomes += report.outcomes
        if report.difference:
            shorter, cause = shrink(sequence)
            steps = "\n  ".join(map(str, shorter.operations))
            differences.append(f"seed {seed}, {shorter.store}, {shorter.options}\n  {steps}\n  => {cause.difference}")
        if len(differences) >= ENOUGH:
            break
    print(json.dumps({"operations": done, "accepted": accepted, "outcomes": outcomes, "differences": differences}))
    return int(bool(differences))


def singles(text: str = "") -> int:
    """Run the single operations whose name contains the text, report; 1 if one differs and should not, or should."""
    differences, agreeing = [], []
    done = 0
    for single in (*single_values.SINGLES, *single_calls.SINGLES):
        if text not in single.name:
            continue
        found = run_single(single)
        done += len(single.operations)
        if found and not single.heading:
            differences.append(f"{single.name}\n  => {found}")
        elif single.heading and not found:
            agreeing.append(f"{single.name}: {single.heading}")
    print(json.dumps({"operations": done, "differences": differences, "agreeing": agreeing}))
    return int(bool(differences or agreeing))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    if sys.argv[1] == "singles":
        sys.exit(singles(*sys.argv[2:]))
    sys.exit(sequences(*map(int, sys.argv[1:])))
