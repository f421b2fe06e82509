"""What processes of the tests do; a module of its own, so that spawned processes can import it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

import coldframe
from coldframe.library import Library


def rows(writer: int, first: int, count: int = 1) -> pd.DataFrame:
    """Rows that say who wrote them, and in which order."""
    numbers = np.arange(first, first + count, dtype="int64")
    return pd.DataFrame({"writer": np.full(count, writer, dtype="int64"), "n": numbers, "noise": numbers * 0.1})


def append_many(uri: str, writer: int, count: int) -> int:
    """Append one row after the other on a connection of its own."""
    lib = coldframe.Arctic(uri)["shared"]
    for n in range(count):
        lib.append("s", rows(writer, n))
    return writer


def appended_at(row: int) -> int:
    """How many rows are appended there: some are inlined in the head, some are segments of their own."""
    return 2_000 if row % 5 == 4 else 1


def append_and_tell(uri: str, writer: int, pipe: int) -> None:
    """Append without end, telling the number of the last row after each append has returned."""
    lib = coldframe.Arctic(uri)["shared"]
    first = 0
    while True:
        count = appended_at(first)
        lib.append("s", rows(writer, first, count), prune_previous_versions=first % 7 == 6)
        first += count
        os.write(pipe, first.to_bytes(8, "big"))


def use(lib: Library, writer: int) -> tuple[int, int]:
    """Read, append and read again through a handle that came from elsewhere."""
    before = lib.read("shared").data["n"].tolist()
    assert before == [0, 1, 2]
    item = lib.append("s", rows(writer, 0, 3))
    found = lib.read("s", as_of=item.version).data
    assert found[found["writer"] == writer]["n"].tolist() == [0, 1, 2]
    lib.write(f"own {writer}", rows(writer, 0))
    return writer, os.getpid()


def use_and_put(lib: Library, writer: int, queue: Any) -> None:
    queue.put(use(lib, writer))
