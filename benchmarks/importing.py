"""What importing the package adds to importing pandas and PyArrow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.cases import Sizes
from benchmarks.limits import Limit
from benchmarks.sides import OURS, SIDES, THEIRS

PROGRAM = """
import time, pandas, pyarrow
started = time.perf_counter()
import {package}
print((time.perf_counter() - started) * 1e3)
"""


def measure(_folder: Path, sizes: Sizes) -> list[Limit]:
    """Median of several fresh interpreters, in turn; the first of each only fills the caches."""
    samples: dict[str, list[float]] = {side: [] for side in SIDES}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(4 if sizes.quick else 12):
        for side in SIDES:
            command = [sys.executable, "-c", PROGRAM.format(package=side)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            took = float(done.stdout)
            if turn:
                samples[side].append(took)
    return [Limit("import, beyond pandas and PyArrow", "ms", median(samples[THEIRS]), median(samples[OURS]), 50.0)]
