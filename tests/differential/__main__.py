"""`python -m differential FIRST LAST [LENGTH]`: run the sequences of these seeds; prints a report as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections import Counter

os.environ["ARCTICDB_ALL_LOGLEVEL"] = "OFF"  # it warns of empty frames and pickled metadata, which are wanted here
os.environ["ARCTICDB_STORAGELOCK_WAITMS_INT"] = "1"  # nobody else uses these libraries

from differential.sequences import Generator
from differential.session import run, shrink

LENGTH = 25
ENOUGH = 5


def main(first: int, last: int, length: int = LENGTH) -> int:
    """Run, report; 1 if there was a difference that is not accepted."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
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


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
