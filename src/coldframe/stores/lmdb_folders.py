"""Which folder holds which library: names become file names and back, half-made folders are told from libraries.

A library lies in the folder of its percent-encoded name; where that is too long for a file name, in one called
``<start>%~<hash>`` whose file `library.name` holds the name. Folders that begin with a dot are no libraries:
``.creating-...`` becomes one by being renamed, ``.dropping-...`` was one.
"""

# Paths are strings: to ask for a file by one takes half as long, and every read does.
# ruff: noqa: PTH102, PTH104, PTH113, PTH118, PTH123

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

import xxhash

from coldframe.stores.lmdb_environment import DATA

CREATING: Final = ".creating-"
DROPPING: Final = ".dropping-"
LONGEST: Final = 200
"""Bytes that a folder's name may have."""
OLD: Final = 3600.0
"""Seconds after which a half-made or half-removed folder is abandoned."""

_NAME_FILE = "library.name"
_KEPT = 150
# Everything else is a separator, an escape, a wildcard or a device on some system, or not ASCII.
_unsafe = re.compile(rb"[^A-Za-z0-9 _\-.+~@,=()\[\]{}!$&'^;#]")


def encode_name(library: str) -> str:
    """The name of a library's folder.

    Examples
    --------
    >>> encode_name("research/prices 5%")
    'research%2Fprices 5%25'
    >>> encode_name(".hidden")
    '%2Ehidden'
    """
    raw = library.encode("utf-8", "surrogatepass")
    spelled = _unsafe.sub(_percent, raw).decode("ascii")
    if spelled.startswith("."):
        spelled = "%2E" + spelled[1:]
    if spelled.endswith((".", " ")):  # Windows drops them
        spelled = f"{spelled[:-1]}%{ord(spelled[-1]):02X}"
    if len(spelled) <= LONGEST and spelled:
        return spelled
    start = re.sub(r"%[0-9A-F]?$", "", spelled[:_KEPT])
    return f"{start}%~{xxhash.xxh3_128_hexdigest(raw)}"


def _percent(match: re.Match[bytes]) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in match.group())


def is_shortened(folder_name: str) -> bool:
    """Whether the folder's name is not the whole name of the library."""
    return "%~" in folder_name


def write_name(folder: str, library: str) -> None:
    """Keep the name of a library whose folder's name is shortened."""
    with open(os.path.join(folder, _NAME_FILE), "wb") as file:
        file.write(library.encode("utf-8", "surrogatepass"))
        file.flush()
        os.fsync(file.fileno())


def library_names(path: str) -> list[str]:
    """The libraries under a path, sorted."""
    names = []
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and os.path.isfile(os.path.join(entry.path, DATA)):
                name = _decode(entry.path, entry.name)
                if name is not None:
                    names.append(name)
    return sorted(names)


def _decode(folder: str, folder_name: str) -> str | None:
    if not is_shortened(folder_name):
        return unquote(folder_name, errors="surrogatepass")
    try:
        with open(os.path.join(folder, _NAME_FILE), "rb") as file:
            return file.read().decode("utf-8", "surrogatepass")
    except OSError:
        return None  # removed in this moment


def new_folder(path: str) -> str:
    """A fresh folder to build a library in, on the same file system."""
    folder = os.path.join(path, CREATING + secrets.token_hex(8))
    os.mkdir(folder)
    return folder


def set_aside(path: str, folder: str) -> str | None:
    """Rename a library's folder so that it is none any more; None if there is no such folder."""
    aside = os.path.join(path, DROPPING + secrets.token_hex(8))
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        return None
    os.utime(aside)  # its age counts from now
    sync_folder(path)
    return aside


def sweep(path: str) -> None:
    """Remove what crashed processes left half-made or half-removed an hour ago or earlier."""
    before = time.time() - OLD
    with suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith((CREATING, DROPPING)) and entry.stat().st_mtime < before:
                shutil.rmtree(entry.path, ignore_errors=True)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
