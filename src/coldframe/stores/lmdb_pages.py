"""Walks the pages of an LMDB file without LMDB, which may end the process on pages that do not fit together.

This reads data format 1, that of LMDB 0.9: 16 bytes of header on each page, then nodes. It checks that every page that
the file's two trees reach is there, is of the kind it should be and lies within bounds; not what the objects hold.
"""

# Paths are strings, as in the other LMDB modules.
# ruff: noqa: PTH123

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Final

_MAGIC: Final = 0xBEEFC0DE
_FORMAT: Final = 1
_HEADER: Final = 16
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_BIG: Final = 1
_NONE: Final = (1 << 64) - 1
_DEEPEST: Final = 64

_header = struct.Struct("<QHHHH").unpack_from
_node = struct.Struct("<HHHH").unpack_from
_meta = struct.Struct("<IIQQ").unpack_from
_tree = struct.Struct("<IHHQQQQQ").unpack_from
_end = struct.Struct("<QQ").unpack_from


class _Damage(Exception):
    """The pages do not fit together."""


def damage_of(path: str, page_size: int, transaction: int | None = None) -> str | None:
    """What is wrong with the pages of a file, as somebody reads them who began at a transaction; None if nothing is.

    Parameters
    ----------
    path : str
        The file `data.mdb`.
    page_size : int
        Bytes of a page.
    transaction : int, optional
        The number of a read transaction that is running, so that nobody reuses its pages meanwhile; by default the
        newest. Nothing is found wrong with a file in another format, nor where two writes have happened since.
    """
    with open(path, "rb") as file:
        try:
            roots = _roots(file, page_size, transaction)
            length = file.seek(0, 2)
            seen: set[int] = set()
            for root in roots:
                _check_tree(file, page_size, length, root, seen)
        except _Damage as damage:
            return str(damage)
        except struct.error:
            return "a page ends too early"
    return None


def _roots(file: BinaryIO, page_size: int, transaction: int | None) -> list[int]:
    """The roots of the tree of free pages and of the tree of objects."""
    found: dict[int, list[int]] = {}
    for number in (0, 1):
        file.seek(number * page_size)
        page = file.read(page_size)
        with suppress(struct.error):
            magic, version, _, _ = _meta(page, _HEADER)
            if magic == _MAGIC and version == _FORMAT:
                trees = [_tree(page, _HEADER + 24 + 48 * which)[-1] for which in (0, 1)]
                _, committed = _end(page, _HEADER + 24 + 96)
                found[committed] = [root for root in trees if root != _NONE]
    if not found:
        return []
    return found.get(max(found) if transaction is None else transaction, [])


def _check_tree(file: BinaryIO, page_size: int, length: int, root: int, seen: set[int]) -> None:
    waiting = [(root, 0)]
    while waiting:
        number, depth = waiting.pop()
        if depth > _DEEPEST or number in seen:
            raise _Damage(f"page {number} is reached twice")
        seen.add(number)
        page = _read(file, page_size, length, number, 1)
        kind = _header(page)[2] & (_BRANCH | _LEAF | _OVERFLOW)
        if kind == _BRANCH:
            waiting += ((child, depth + 1) for child in _children(page, number))
        elif kind == _LEAF:
            for first, size in _big_objects(page, number):
                pages = -(-(_HEADER + size) // page_size)
                start = _read(file, page_size, length, first, pages)
                if not _header(start)[2] & _OVERFLOW:
                    raise _Damage(f"page {first} should begin an object")
        else:
            raise _Damage(f"page {number} is of no known kind")


def _read(file: BinaryIO, page_size: int, length: int, number: int, pages: int) -> bytes:
    """A page, of a run that must lie within the file."""
    if number < 2 or (number + pages) * page_size > length:
        raise _Damage(f"page {number + pages - 1} is needed, the file ends at page {length // page_size - 1}")
    file.seek(number * page_size)
    page = file.read(page_size)
    if _header(page)[0] != number:
        raise _Damage(f"page {number} says that it is page {_header(page)[0]}")
    return page


def _nodes(page: bytes, number: int) -> Iterator[int]:
    """Where the nodes of a page begin."""
    _, _, _, lower, upper = _header(page)
    if not _HEADER <= lower <= upper <= len(page) or lower % 2:
        raise _Damage(f"page {number} has impossible bounds")
    for at in struct.unpack_from(f"<{(lower - _HEADER) // 2}H", page, _HEADER):
        if not upper <= at <= len(page) - 8:
            raise _Damage(f"page {number} has a node outside of it")
        yield at


def _children(page: bytes, number: int) -> Iterator[int]:
    for at in _nodes(page, number):
        low, middle, high, _ = _node(page, at)
        yield low | middle << 16 | high << 32


def _big_objects(page: bytes, number: int) -> Iterator[tuple[int, int]]:
    """First page and size of each object that has pages of its own."""
    for at in _nodes(page, number):
        low, high, flags, key = _node(page, at)
        size = low | high << 16
        if at + 8 + key + (8 if flags & _BIG else size) > len(page):
            raise _Damage(f"page {number} has a node that is cut off")
        if flags & _BIG:
            yield int.from_bytes(page[at + 8 + key : at + 16 + key], "little"), size
