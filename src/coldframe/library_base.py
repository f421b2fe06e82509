"""What the parts of `Library` share: its handle on the catalog, and turning results into what users see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pandas as pd

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig
from coldframe.catalog.names import name_of, symbol_of
from coldframe.exceptions import (
    ArcticDuplicateSymbolsInBatchException,
    ArcticException,
    ArcticInvalidApiUsageException,
    ErrorCode,
    NoDataFoundException,
)
from coldframe.frames.refusals import short
from coldframe.items import DataError, VersionedItem, VersionRequestType
from coldframe.operations.arguments import nanoseconds, parse_flag
from coldframe.operations.results import Commit
from coldframe.options import RuntimeOptions
from coldframe.stores.base import Storage


class LibraryBase:
    """A handle on one library: its catalog, where it is, and how reads return what they read."""

    def __init__(self, catalog: Catalog, storage: Storage, runtime: RuntimeOptions) -> None:
        self._catalog = catalog
        self._storage = storage
        self._runtime = runtime
        self._name = catalog.library
        self._host = storage.describe()

    def adopt(self, config: LibraryConfig) -> None:
        """Go on with these options of the library, which `Arctic.modify_library_option` has just stored."""
        self._catalog = msgspec.structs.replace(self._catalog, config=config)

    def _check_writable(self, operation: str) -> None:
        self._catalog.check_writable(operation)

    def _prune(self, prune_previous_versions: bool | None) -> bool:
        if prune_previous_versions is None:
            return self._catalog.config.prune_previous_versions
        return parse_flag(prune_previous_versions, "prune_previous_versions")

    def _written(self, commit: Commit, metadata: Any) -> VersionedItem:
        return VersionedItem(
            str(symbol_of(commit.symbol)), self._name, None, commit.version, metadata, self._host, commit.created
        )

    def _all_written(
        self, results: Iterable[Commit | ArcticException], payloads: Sequence[Any]
    ) -> list[VersionedItem | DataError]:
        return [
            failure(payload.symbol, result)
            if isinstance(result, ArcticException)
            else self._written(result, payload.metadata)
            for result, payload in zip(results, payloads, strict=True)
        ]


def failure(symbol: str, error: ArcticException, asked: tuple[Any] | None = None) -> DataError:
    """What stands for `error` in the result of a batch; `asked` holds the `as_of` of calls that read a version."""
    code = error.code
    kind, data = (None, None) if asked is None else _request(asked[0])
    if kind is VersionRequestType.SNAPSHOT and isinstance(error, NoDataFoundException):
        code = ErrorCode.E_NO_SUCH_VERSION  # In a batch, an unknown snapshot is one of the ways to miss a version.
    return DataError(symbol, str(error), code, kind, data)


def _request(as_of: Any) -> tuple[VersionRequestType | None, int | str | None]:
    if as_of is None:
        return VersionRequestType.LATEST, None
    if isinstance(as_of, str):
        return VersionRequestType.SNAPSHOT, as_of
    if isinstance(as_of, int):
        return VersionRequestType.SPECIFIC, as_of
    if isinstance(as_of, datetime) and as_of is not pd.NaT:
        return VersionRequestType.TIMESTAMP, nanoseconds(as_of)
    return None, None


def items_of(given: Iterable[Any], *kinds: type) -> list[Any]:
    """The items of a batch call as a list, each checked to be of one of `kinds`."""
    names = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArcticInvalidApiUsageException(
            f"a batch call needs a list of {names}, got {type(given).__name__}: {short(given)}. Put it into a list."
        )
    items = list(given)
    for position, item in enumerate(items):
        if not isinstance(item, kinds):
            raise ArcticInvalidApiUsageException(
                f"item {position} of the batch is of type {type(item).__name__}: {short(item)}. Allowed is {names}."
            )
    return items


def named(items: list[Any]) -> list[Any]:
    """The items of a batch, after a look at the names of their symbols: nothing is done yet where one is no string."""
    for position, item in enumerate(items):
        try:
            name_of(item if isinstance(item, str) else item.symbol)
        except TypeError as error:
            raise TypeError(f"item {position} of the batch: {error}") from None
    return items


def payloads_of(given: Iterable[Any], kind: type) -> list[Any]:
    """The payloads of a batch call that writes, checked to be of one kind and for different symbols."""
    payloads = named(items_of(given, kind))
    seen: set[Any] = set()
    twice = sorted({repr(p.symbol) for p in payloads if p.symbol in seen or seen.add(p.symbol)})  # type: ignore[func-returns-value]
    if twice:
        raise ArcticDuplicateSymbolsInBatchException(
            f"symbols that stand twice in one batch: {', '.join(twice)}. The order of their writes would be "
            "undefined; use a batch for each."
        )
    return payloads
