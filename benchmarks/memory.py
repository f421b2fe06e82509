"""Peak memory of a read, a filtered read and a write: what the process has beyond its input and its result.

A child does the work; this process looks at it every millisecond, so that the work is not slowed and no lock of the
interpreter hides a peak. Counted is anonymous memory (RssAnon; where the system has no such figure, USS): pages of
the map that were read or written are the file's own pages in the system's cache. They are shared with every other
process that has the file open and are given back without being written to swap, so they cost no memory that anybody
else could need, though `top` adds them to the process.
"""

from __future__ import annotations

import gc
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.cases import Library, Sizes
from benchmarks.limits import Limit
from benchmarks.sides import OURS, SIDES, THEIRS, module_of, open_library

MEBIBYTE = 1 << 20
INTERVAL = 0.001
SETS = {"floats": "5M × 8 random floats", "ticks": "5M ticks"}
ALLOWED = {"read": 64.0, "filter": 128.0, "write": 256.0}
CONDITIONS = {"floats": ("a", 1.0), "ticks": ("size", 840)}
"""Of each data set the column and the number that it has to pass: about one row in six does."""


def measure(folder: Path, sizes: Sizes) -> list[Limit]:
    """Peak of every side, data set and direction, in MiB beyond input and result."""
    rows = []
    for name, title in SETS.items():
        size = sizes.tall if name == "floats" else sizes.ticks
        peaks = {}
        for verb in ("write", "read", "filter"):  # the reads find what the write has left
            for side in SIDES:
                peaks[verb, side] = peak(folder / f"memory-{name}", side, verb, name, size)
        for verb, allowed in ALLOWED.items():
            beyond = "the input" if verb == "write" else "the result"
            rows.append(
                Limit(
                    f"{verb} {title}: peak beyond {beyond}",
                    "MiB",
                    peaks[verb, THEIRS],
                    peaks[verb, OURS],
                    allowed,
                )
            )
    return rows


def peak(folder: Path, side: str, verb: str, name: str, size: int) -> float:
    """Run one operation in a child and watch it."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.memory", str(folder), side, verb, name, str(size)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        if child.stdin is None or child.stdout is None or child.stdout.readline() != "ready\n":
            raise RuntimeError(f"{' '.join(command[1:])} did not start")
        base = highest = anonymous(child.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            child.stdin.write("go\n")
            child.stdin.flush()
            while not selector.select(INTERVAL):
                highest = max(highest, anonymous(child.pid))
        result = int(child.stdout.readline() or -1)
        if result < 0:
            raise RuntimeError(f"{' '.join(command[1:])} failed")
        child.stdin.close()
    return (highest - base - result) / MEBIBYTE


def condition(library: Library, name: str) -> Any:
    """The filter of a data set."""
    query = module_of(library).QueryBuilder()
    column, limit = CONDITIONS[name]
    return query[query[column] > limit]


def anonymous(pid: int) -> int:
    """Bytes of memory that belong to a process and to no file."""
    try:
        with Path(f"/proc/{pid}/status").open() as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    import psutil

    return int(psutil.Process(pid).memory_full_info().uss)


def child(folder: Path, side: str, verb: str, name: str, size: int) -> None:
    """Do one operation when told to, in this process, and say how large its result is."""
    frame = (data.tall(size) if name == "floats" else data.ticks(size)) if verb == "write" else None
    library = open_library(side, folder)
    library.write("warm-up", data.small())
    library.read("warm-up")
    gc.collect()
    time.sleep(0.05)
    print("ready", flush=True)
    sys.stdin.readline()
    if verb == "write":
        library.write("data", frame)
        print(0, flush=True)
    else:
        query = condition(library, name) if verb == "filter" else None
        result = library.read("data", query_builder=query).data
        print(int(result.memory_usage(index=True).sum()), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    child(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
