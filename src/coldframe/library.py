"""A library: the symbols in one store, and every call a user can make on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig
from coldframe.catalog.names import name_of, symbol_of
from coldframe.exceptions import (
    ArcticDuplicateSymbolsInBatchException,
    ArcticInvalidApiUsageException,
    ArcticUnsupportedDataTypeException,
)
from coldframe.items import (
    NORMALIZABLE_TYPES,
    AsOf,
    DataError,
    DeleteRequest,
    NameWithDType,
    NormalizableType,
    ReadInfoRequest,
    ReadRequest,
    SymbolDescription,
    SymbolVersion,
    UpdatePayload,
    VersionedItem,
    VersionInfo,
    VersionRequestType,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.library_absent import LibraryAbsent
from coldframe.library_base import failure, items_of, named
from coldframe.library_queries import VersionedItemWithJoin
from coldframe.library_reads import LibraryReads
from coldframe.library_writes import LibraryWrites
from coldframe.operations import delete as deleting
from coldframe.operations import listing
from coldframe.operations import reclaim as reclaiming
from coldframe.operations import snapshots as snapshotting
from coldframe.operations import verify as verifying
from coldframe.operations.arguments import parse_flag, parse_versions
from coldframe.operations.results import Reclaimed, Report
from coldframe.options import (
    EnterpriseLibraryOptions,
    LibraryOptions,
    RuntimeOptions,
    enterprise_options_of,
    options_of,
)
from coldframe.stores.base import Storage

__all__ = [
    "NORMALIZABLE_TYPES",
    "ArcticDuplicateSymbolsInBatchException",
    "ArcticInvalidApiUsageException",
    "ArcticUnsupportedDataTypeException",
    "AsOf",
    "DataError",
    "DeleteRequest",
    "Library",
    "NameWithDType",
    "NormalizableType",
    "ReadInfoRequest",
    "ReadRequest",
    "Reclaimed",
    "Report",
    "SymbolDescription",
    "SymbolVersion",
    "UpdatePayload",
    "VersionInfo",
    "VersionRequestType",
    "VersionedItem",
    "VersionedItemWithJoin",
    "WriteMetadataPayload",
    "WritePayload",
]

_log = logging.getLogger(__name__)

_BACKENDS = {"mem": "in_memory", "s3s": "s3"}

# The named tuples' own constructors, without the Python frame of their `__new__`: a listing makes hundreds.
_symbol_version: Callable[[tuple[str, int]], SymbolVersion] = partial(tuple.__new__, SymbolVersion)
_version_info: Callable[[tuple[Any, bool, list[str]]], VersionInfo] = partial(tuple.__new__, VersionInfo)


class Library(LibraryReads, LibraryWrites, LibraryAbsent):
    """A library: symbols and their versions. Opened by `Arctic.get_library` or `Arctic.create_library`.

    A handle may be used from many threads, pickled (it connects again where it is unpickled), and used after a fork.

    Examples
    --------
    >>> import coldframe, pandas as pd
    >>> lib = coldframe.Arctic("mem://").create_library("prices")
    >>> item = lib.write("EURUSD", pd.DataFrame({"bid": [1.1, 1.2]}))
    >>> "EURUSD" in lib, lib["EURUSD"].version
    (True, 0)
    """

    def __repr__(self) -> str:
        scheme = self._storage.uri.partition(":")[0]
        storage = _BACKENDS.get(scheme, scheme)
        return f"Library(Arctic(config={self._host}), path={self._name}, storage={storage}_storage)"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._storage, self._name, self._catalog.config, self._runtime)

    def __contains__(self, symbol: str) -> bool:
        return self.has_symbol(symbol)

    @property
    def name(self) -> str:
        """The name of the library."""
        return self._name

    def options(self) -> LibraryOptions:
        """The options of the library.

        Examples
        --------
        >>> import coldframe
        >>> coldframe.Arctic("mem://").create_library("demo").options().dynamic_schema
        False
        """
        return options_of(self._catalog.config)

    def enterprise_options(self) -> EnterpriseLibraryOptions:
        """The options of the library that tools outside this package act on.

        Examples
        --------
        >>> import coldframe
        >>> coldframe.Arctic("mem://").create_library("demo").enterprise_options()
        EnterpriseLibraryOptions(replication=False, background_deletion=False)
        """
        return enterprise_options_of(self._catalog.config)

    # ---- what is there

    def list_symbols(self, snapshot_name: str | None = None, regex: str | None = None) -> list[str]:
        """The symbols that have a version, or those in a snapshot.

        Parameters
        ----------
        snapshot_name : str, optional
        regex : str, optional
            Only symbols in which this pattern is found somewhere.

        Raises
        ------
        NoDataFoundException
            There is no such snapshot.
        InternalException
            The pattern is not a regular expression.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write(s, pd.DataFrame({"a": [1]})) for s in ("eur/usd", "eur/chf", "oil")]
        >>> sorted(lib.list_symbols(regex="^eur"))
        ['eur/chf', 'eur/usd']
        """
        # Integers are rare, and a caller that has none should not have to tell.
        return listing.list_symbols(self._catalog, snapshot_name, regex)  # type: ignore[return-value]

    def has_symbol(self, symbol: str, as_of: AsOf | None = None) -> bool:
        """Whether the symbol has such a version; so does ``symbol in lib``, for the newest.

        Parameters
        ----------
        symbol : str
        as_of : int, str or datetime, optional
            The version, as in `read`.

        Raises
        ------
        NoDataFoundException
            There is no such snapshot.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1]}))
        >>> lib.has_symbol("s"), lib.has_symbol("s", as_of=7)
        (True, False)
        """
        try:
            name = name_of(symbol)
        except TypeError:
            return False
        return listing.has_symbol(self._catalog, name, as_of)

    def list_versions(
        self,
        symbol: str | None = None,
        snapshot: str | None = None,
        latest_only: bool = False,
        skip_snapshots: bool = False,
    ) -> dict[SymbolVersion, VersionInfo]:
        """The versions of a symbol or of all symbols, the newest of each symbol first.

        Parameters
        ----------
        symbol : str, optional
        snapshot : str, optional
            Only the versions in this snapshot.
        latest_only : bool, default False
            Only the newest version of each symbol.
        skip_snapshots : bool, default False
            Do not look at snapshots: `snapshots` is empty, and deleted versions that snapshots hold are left out.

        Raises
        ------
        NoDataFoundException
            There is no such snapshot.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write("s", pd.DataFrame({"a": [n]})) for n in range(2)]
        >>> lib.snapshot("evening")
        >>> lib.list_versions("s")
        {s_v1: (date=..., snapshots=['evening']), s_v0: (date=...)}
        """
        name = None if symbol is None else name_of(symbol)
        latest, skip = parse_flag(latest_only, "latest_only"), parse_flag(skip_snapshots, "skip_snapshots")
        rows = listing.list_versions(self._catalog, name, snapshot, latest, skip)
        created = np.fromiter((row.created for row in rows), dtype=np.int64, count=len(rows))
        dates = pd.DatetimeIndex(created.view("M8[ns]"), tz="UTC")
        symbols: dict[str, Any] = {stored: symbol_of(stored) for stored in {row.symbol for row in rows}}
        keys = zip([symbols[row.symbol] for row in rows], [row.version for row in rows], strict=True)
        infos = zip(dates, [row.deleted for row in rows], [row.snapshots for row in rows], strict=True)
        return dict(zip(map(_symbol_version, keys), map(_version_info, infos), strict=True))

    # ---- deleting

    def delete(self, symbol: str, versions: int | Iterable[int] | None = None) -> None:
        """Delete a symbol, or some of its versions. What snapshots hold stays readable through these.

        Parameters
        ----------
        symbol : str
            One that does not exist is no error where all versions are deleted.
        versions : int or iterable of int, optional
            Only these versions; those that are deleted already are passed over.

        Raises
        ------
        NoSuchVersionException
            A version that was never written.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write("s", pd.DataFrame({"a": [n]})) for n in range(3)]
        >>> lib.delete("s", versions=[0, 1])
        >>> [key.version for key in lib.list_versions("s")]
        [2]
        """
        self._check_writable("delete")
        deleting.delete(self._catalog, name_of(symbol), parse_versions(versions))

    def delete_batch(self, delete_requests: Iterable[str | DeleteRequest]) -> list[DataError | None]:
        """Delete several symbols or versions at once.

        Parameters
        ----------
        delete_requests : list of str or DeleteRequest
            A string deletes the whole symbol. A request without version numbers deletes nothing.

        Returns
        -------
        list of DataError or None
            One for each request, in their order: None where it went well.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write(s, pd.DataFrame({"a": [1]})) for s in ("x", "y")]
        >>> lib.delete_batch(["x", coldframe.DeleteRequest("y", [0])])
        [None, None]
        """
        self._check_writable("delete_batch")
        wanted = [
            (item, None) if isinstance(item, str) else (item.symbol, parse_versions(item.version_ids))
            for item in named(items_of(delete_requests, str, DeleteRequest))
        ]
        # No versions means none: the way from an empty list to a deleted symbol should not be that short.
        done = iter(deleting.delete_batch(self._catalog, [(name_of(s), v) for s, v in wanted if v != []]))
        results = [(symbol, None if versions == [] else next(done)) for symbol, versions in wanted]
        return [None if error is None else failure(symbol, error) for symbol, error in results]

    def prune_previous_versions(self, symbol: str) -> None:
        """Delete all versions of a symbol but the newest. What snapshots hold stays readable through these.

        Raises
        ------
        StorageException
            There is no such symbol.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = [lib.write("s", pd.DataFrame({"a": [n]})) for n in range(3)]
        >>> lib.prune_previous_versions("s")
        >>> [key.version for key in lib.list_versions("s")]
        [2]
        """
        self._check_writable("prune_previous_versions")
        deleting.prune_previous_versions(self._catalog, name_of(symbol))

    # ---- snapshots

    def snapshot(
        self,
        snapshot_name: str,
        metadata: Any = None,
        skip_symbols: list[str] | None = None,
        versions: Mapping[str, int] | None = None,
    ) -> None:
        """Give a name to one version of each symbol, which keeps them readable whatever is deleted later.

        Parameters
        ----------
        snapshot_name : str
        metadata : object, optional
        skip_symbols : list of str, optional
            Symbols to leave out.
        versions : mapping of str to int, optional
            Exactly these versions; by default the newest of every symbol.

        Raises
        ------
        NoSuchVersionException
            One of `versions` does not exist, or there is no symbol at all.
        InternalException
            A snapshot of that name exists, or both `skip_symbols` and `versions` are given.
        UserInputException
            The name is not allowed.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> lib.snapshot("evening", metadata="before the correction")
        >>> item = lib.write("s", pd.DataFrame({"a": [9]}), prune_previous_versions=True)
        >>> lib.read("s", as_of="evening").data["a"].tolist()
        [1, 2]
        """
        self._check_writable("snapshot")
        snapshotting.snapshot(self._catalog, snapshot_name, metadata, skip_symbols, versions)

    def delete_snapshot(self, snapshot_name: str) -> None:
        """Delete a snapshot, and with it the versions that nothing else holds.

        Raises
        ------
        NoDataFoundException
            There is no such snapshot.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> lib.snapshot("evening")
        >>> lib.delete_snapshot("evening")
        >>> lib.list_snapshots()
        {}
        """
        self._check_writable("delete_snapshot")
        snapshotting.delete_snapshot(self._catalog, snapshot_name)

    def list_snapshots(self, load_metadata: bool = True) -> dict[str, Any] | list[str]:
        """The names of the snapshots, with their metadata unless `load_metadata` is False.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> lib.snapshot("evening", metadata=17)
        >>> lib.list_snapshots(), lib.list_snapshots(load_metadata=False)
        ({'evening': 17}, ['evening'])
        """
        return snapshotting.list_snapshots(self._catalog, parse_flag(load_metadata, "load_metadata"))

    # ---- care

    def verify(self, symbol: str | None = None) -> Report:
        """Check that every object is there and holds what was written, and report what does not.

        Reads everything that the library, or the symbol, names: as slow as reading it all.

        Parameters
        ----------
        symbol : str, optional
            Only this one; by default all, with what is deleted but held by snapshots.

        Returns
        -------
        Report

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> lib.verify().ok
        True
        """
        return verifying.verify(self._catalog, None if symbol is None else name_of(symbol))

    def reclaim(self, grace: float | timedelta | None = None, orphans: bool = False) -> Reclaimed:
        """Free the bytes of what was deleted, pruned or replaced.

        Writing does so by and by for the symbol it writes; this does it for the whole library, at once.

        Parameters
        ----------
        grace : float (seconds) or timedelta, optional
            Free only what was let go of at least this long ago, so that a reader that has just begun is not
            disturbed. By default what the store needs: none on LMDB, a minute in memory, an hour in a bucket.
        orphans : bool, default False
            Look through everything that is stored and free what nothing names, such as what a killed writer left.

        Returns
        -------
        Reclaimed
            How many objects and bytes were freed.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": range(100_000)}))
        >>> lib.delete("s")
        >>> freed = lib.reclaim(orphans=True)
        """
        self._check_writable("reclaim")
        return reclaiming.reclaim(self._catalog, grace, parse_flag(orphans, "orphans"))

    def reload_symbol_list(self) -> None:
        """Do nothing: there is no list of symbols beside the symbols themselves that could be out of date."""
        _log.info("library %r: nothing to reload, symbols are listed from what is stored", self._name)

    def compact_symbol_list(self) -> int:
        """Do nothing and return 0: there is no list of symbols beside the symbols themselves.

        Examples
        --------
        >>> import coldframe
        >>> coldframe.Arctic("mem://").create_library("demo").compact_symbol_list()
        0
        """
        self._check_writable("compact_symbol_list")
        _log.info("library %r: nothing to compact, symbols are listed from what is stored", self._name)
        return 0


def _reopen(storage: Storage, name: str, config: LibraryConfig, runtime: RuntimeOptions) -> Library:
    return Library(Catalog(storage.store(name), name, config), storage, runtime)
