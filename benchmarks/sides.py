"""The two libraries under measurement, behind the one API they share."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cases import Library

OURS = "coldframe"
THEIRS = "arcticdb"
SIDES = (THEIRS, OURS)


def open_library(side: str, folder: Path) -> Library:
    """A library of the given side in a folder of its own, created if need be."""
    if side == THEIRS:
        os.environ.setdefault("ARCTICDB_ALL_LOGLEVEL", "ERROR")
        import arcticdb as module
    else:
        import coldframe as module
    logging.getLogger("arcticdb").setLevel(logging.ERROR)
    library: Library = module.Arctic(f"lmdb://{folder / side}").get_library("bench", create_if_missing=True)
    return library


def module_of(library: Library) -> Any:
    """The package that a library is of."""
    return sys.modules[type(library).__module__.split(".")[0]]


@contextmanager
def both(folder: Path, name: str) -> Iterator[dict[str, Library]]:
    """A fresh library of each side, on the same file system; removed afterwards."""
    place = folder / name
    place.mkdir(parents=True)
    try:
        yield {side: open_library(side, place) for side in SIDES}
    finally:
        shutil.rmtree(place, ignore_errors=True)
