"""What the data take on disk: bytes the file system has given out, and pages of the map that are in use.

A map is a sparse file that grows in steps and keeps freed pages, so the two differ: the first is what a user sees
with `du`, the second is what the data need. Pages are counted in a process of its own, because one process must not
open an LMDB environment twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import data
from benchmarks.cases import Sizes
from benchmarks.limits import Limit
from benchmarks.sides import OURS, THEIRS, both

MEGABYTE = 1e6


def allocated(folder: Path) -> int:
    """Bytes that the file system has given to the files in a folder."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def pages_in_use(folder: Path) -> int:
    """Bytes in the pages that the databases of every environment below a folder use."""
    command = [sys.executable, "-m", "benchmarks.footprint", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout))


def count_pages(folder: Path) -> int:
    """Do the counting of `pages_in_use`, here."""
    import lmdb

    total = 0
    for path in folder.rglob("data.mdb"):
        with lmdb.open(str(path.parent), readonly=True, lock=False, max_dbs=64) as environment:
            total += sum(used(environment))
    return total


def used(environment: Any) -> Iterator[int]:
    """Bytes used by the main database and by each named one."""
    import lmdb

    with environment.begin() as transaction:
        names = [key for key, _ in transaction.cursor()] if environment.stat()["entries"] <= 64 else []
        yield in_pages(environment.stat())
        for name in names:
            try:
                yield in_pages(transaction.stat(environment.open_db(name, transaction, create=False)))
            except lmdb.Error:  # an ordinary key
                continue


def in_pages(stat: dict[str, int]) -> int:
    """Bytes of a database's pages."""
    return stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"])


def measure(folder: Path, sizes: Sizes) -> list[Limit]:
    """The sizes of the two data sets that have a goal, and of the others."""
    sets: list[tuple[str, pd.DataFrame, float | None]] = [
        ("5M ticks", data.ticks(sizes.ticks), 1 / 5),
        ("5M × 8 random floats", data.tall(sizes.tall), 1.0),
        ("2M strings, 200k distinct", data.strings(sizes.strings, sizes.distinct), None),
        ("1,000 × 20,000", data.wide(sizes.wide_rows, sizes.wide_columns), None),
    ]
    rows = []
    for name, frame, share in sets:
        with both(folder, "footprint") as libraries:
            before = {side: allocated(folder / "footprint" / side) for side in libraries}
            for library in libraries.values():
                library.write("data", frame)
            given = {side: allocated(folder / "footprint" / side) - before[side] for side in libraries}
            in_use = {side: pages_in_use(folder / "footprint" / side) for side in libraries}
        for what, taken in ("on disk", given), ("pages in use", in_use):
            theirs, ours = taken[THEIRS] / MEGABYTE, taken[OURS] / MEGABYTE
            rows.append(Limit(f"{name}: {what}", "MB", theirs, ours, None if share is None else theirs * share))
    return rows


if __name__ == "__main__":
    print(count_pages(Path(sys.argv[1])))
