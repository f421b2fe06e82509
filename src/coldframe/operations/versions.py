"""Working on a version: it is found as it was asked for, and looked for again where an object has gone meanwhile.

On an object store a head is mostly what it was when this process saw it last. So the work begins with that one while
the newest is on its way: one round trip instead of two. What came of it counts only if the two are the same, so that a
read is as fresh as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.damage import damaged
from coldframe.catalog.versions import History, Version, ask, find, open_head, resolve
from coldframe.exceptions import (
    ArcticException,
    ErrorCode,
    KeyNotFoundException,
    NoSuchVersionException,
    StorageException,
)
from coldframe.format.checksums import Damage
from coldframe.operations.arguments import AsOf
from coldframe.stores.base import Reader, Stored

T = TypeVar("T")
Work = Callable[[Reader, Version], T]

TRIES = 4
"""A reader that finds an object gone looks at the head anew this often: the version may have been deleted."""
FUTURE_ALLOWED = 60_000_000_000
"""Nanoseconds that a time may be ahead of this machine's clock: clocks differ a little."""


def with_version(catalog: Catalog, symbol: str, as_of: AsOf, work: Work[T]) -> T:
    """Find a version and work on it; if an object has been freed meanwhile, look at the newest head again.

    Raises
    ------
    NoSuchVersionException, NoDataFoundException
        There is no such version (any more).
    DamagedDataException
        Naming library, symbol, version and key.
    """
    version: Version | None = None

    def noting(reader: Reader, found: Version) -> T:
        nonlocal version
        version = found
        return work(reader, found)

    def try_once(reader: Reader) -> T:
        nonlocal version
        version = None
        seen = None if catalog.seen is None or isinstance(as_of.value, str) else catalog.seen.steady(symbol)
        if seen is None:
            return noting(reader, checked_resolve(reader, catalog, symbol, as_of))
        newest = ask(reader, catalog, symbol)
        early = _early(reader, catalog, symbol, seen, as_of, work)
        stored = newest()
        if early and stored.tag == seen.tag:
            return early[0]
        return noting(reader, checked_find(History(reader, open_head(symbol, stored)), catalog, as_of))

    try:
        return with_reader(catalog, try_once)
    except Damage as damage:
        raise damaged(damage, catalog.library, symbol, version.record.number if version else None) from damage


def _early(
    reader: Reader, catalog: Catalog, symbol: str, seen: Stored, as_of: AsOf, work: Work[T]
) -> tuple[T] | tuple[()]:
    """What comes of the work on a head that may be old; nothing where it fails, for that may be why."""
    try:
        return (work(reader, checked_find(History(reader, open_head(symbol, seen)), catalog, as_of)),)
    except StorageException as error:
        if error.code == ErrorCode.E_S3_RETRYABLE:
            raise  # to wait as long once more would not help
        return ()
    except (ArcticException, Damage):
        return ()


def with_reader(catalog: Catalog, work: Callable[[Reader], T]) -> T:
    """Work on a view of the store; if an object is gone, look again: a version may have been deleted meanwhile."""
    store = catalog.store
    for tried in range(1, TRIES + 1):
        try:
            with store.reading() as reader:
                return work(reader)
        except KeyNotFoundException as error:
            if tried == TRIES or store.atomic:
                raise Damage(f"an object that is named is missing ({error.message})") from error
    raise AssertionError("the last try returns or raises")


def checked_resolve(reader: Reader, catalog: Catalog, symbol: str, as_of: AsOf) -> Version:
    """The version that is meant; times ahead of the clock are refused."""
    if as_of.by_time:
        _check_not_future(catalog, symbol, as_of)
    return resolve(reader, catalog, symbol, as_of.value, by_time=as_of.by_time)


def checked_find(history: History, catalog: Catalog, as_of: AsOf) -> Version:
    """The same within one head, which holds no snapshots."""
    if as_of.by_time:
        _check_not_future(catalog, history.head.symbol, as_of)
    value = as_of.value
    return find(history, catalog, value if not isinstance(value, str) else None, by_time=as_of.by_time)


def _check_not_future(catalog: Catalog, symbol: str, as_of: AsOf) -> None:
    if isinstance(as_of.value, int) and as_of.value > catalog.clock() + FUTURE_ALLOWED:
        raise NoSuchVersionException(
            f"as_of {np.datetime64(as_of.value, 'ns')} UTC for symbol '{symbol}' lies in the future: what it means "
            "would change with the next write. Give a time that has passed, or leave as_of out for the newest version."
        )
