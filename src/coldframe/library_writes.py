"""The calls of `Library` that make new versions: write, append, update, and deleting a stretch of time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coldframe.catalog.names import name_of
from coldframe.exceptions import ArcticDbNotYetImplemented, ArcticInvalidApiUsageException
from coldframe.items import (
    DataError,
    NormalizableType,
    UpdatePayload,
    VersionedItem,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.library_absent import refuse_parameter
from coldframe.library_base import LibraryBase, payloads_of
from coldframe.operations import append as appending
from coldframe.operations import update as updating
from coldframe.operations import write as writing
from coldframe.operations.arguments import parse_flag
from coldframe.operations.results import UpdateItem, WriteItem


class LibraryWrites(LibraryBase):
    """The calls of `Library` that make new versions."""

    def write(
        self,
        symbol: str,
        data: NormalizableType,
        metadata: Any = None,
        prune_previous_versions: bool | None = None,
        staged: bool = False,
        validate_index: bool = True,
        index_column: bool = False,  # noqa: ARG002 -- for Arrow data
        recursive_normalizers: bool | None = None,
    ) -> VersionedItem:
        """Write a new version of a symbol; one that does not exist is created.

        Parameters
        ----------
        symbol : str
            Printable ASCII except ``*``, ``<`` and ``>``, at most 254 characters. An integer is one, too: 7 is another
            symbol than ``"7"``.
        data : pandas.DataFrame or pandas.Series
        metadata : object, optional
            Stored with the version and returned by every read of it. What is not made of dicts, lists, strings, numbers
            and times is pickled, and the log says so: reading it runs what it was pickled from.
        prune_previous_versions : bool, optional
            Delete the older versions; those that snapshots hold stay readable through these. By default what the
            library's options say.
        staged : bool, default False
            Not there yet: True is refused.
        validate_index : bool, default True
            Refuse a time index that is not sorted.
        index_column : bool, default False
            Of no consequence for pandas objects, which have an index of their own.
        recursive_normalizers : bool, optional
            Whether containers of frames are taken apart, which is not there yet; by default what the library's
            options say.

        Returns
        -------
        VersionedItem
            With `data` None.

        Raises
        ------
        ArcticUnsupportedDataTypeException
            `data` is of a kind that is not stored as columns; see `write_pickle`.
        ArcticDbNotYetImplemented
            A column is of a type that is not stored; names the column.
        UnsortedDataException
            The time index is not sorted, or has missing values.
        UserInputException
            The name is not allowed.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> lib.write("s", pd.DataFrame({"a": [1, 2]})).version
        0
        >>> lib.write("s", pd.Series([1.5, 2.5]), metadata={"unit": "EUR"}).version
        1
        >>> lib.read("s", as_of=0).data["a"].tolist()
        [1, 2]
        """
        self._check_writable("write")
        refuse_parameter("staged", staged)
        self._check_container(data, recursive_normalizers)
        commit = writing.write(
            self._catalog,
            name_of(symbol),
            data,
            metadata=metadata,
            prune=self._prune(prune_previous_versions),
            validate_index=parse_flag(validate_index, "validate_index"),
        )
        return self._written(commit, metadata)

    def write_pickle(
        self,
        symbol: str,
        data: Any,
        metadata: Any = None,
        prune_previous_versions: bool | None = None,
        staged: bool = False,
        recursive_normalizers: bool | None = None,  # noqa: ARG002 -- pickled as a whole either way
    ) -> VersionedItem:
        """Write any object: as columns where it can be, as by `write`, else pickled.

        A pickled object can be read as a whole only, and not appended to or updated. Reading it runs what it was
        pickled from: read pickles only from storages whose writers you trust.

        Parameters
        ----------
        symbol : str
        data : object
        metadata : object, optional
        prune_previous_versions : bool, optional
        staged : bool, default False
            Not there yet: True is refused.
        recursive_normalizers : bool, optional
            Of no consequence: an object that is not stored as columns is pickled as a whole.

        Returns
        -------
        VersionedItem

        Raises
        ------
        ArcticException
            The object cannot be pickled.

        Examples
        --------
        >>> import coldframe
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write_pickle("s", {"weights": [0.5, 0.5]})
        >>> lib.read("s").data
        {'weights': [0.5, 0.5]}
        """
        self._check_writable("write_pickle")
        refuse_parameter("staged", staged)
        prune = self._prune(prune_previous_versions)
        commit = writing.write(
            self._catalog, name_of(symbol), data, metadata=metadata, prune=prune, validate_index=False, pickle=True
        )
        return self._written(commit, metadata)

    def write_batch(
        self,
        payloads: Iterable[WritePayload],
        prune_previous_versions: bool | None = None,
        validate_index: bool = True,
    ) -> list[VersionedItem | DataError]:
        """Write several symbols at once. Each is written as a whole or not at all; not all of them together.

        Parameters
        ----------
        payloads : list of WritePayload
            For different symbols.
        prune_previous_versions : bool, optional
        validate_index : bool, default True

        Returns
        -------
        list of VersionedItem or DataError
            One for each payload, in their order; a `DataError` where that write failed.

        Raises
        ------
        ArcticDuplicateSymbolsInBatchException
            A symbol stands twice in `payloads`; nothing is written.
        ArcticUnsupportedDataTypeException
            The data of a payload is of a kind that is not stored as columns; nothing is written.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> frame = pd.DataFrame({"a": [1, 2]})
        >>> [item.symbol for item in lib.write_batch([coldframe.WritePayload(s, frame) for s in ("x", "y")])]
        ['x', 'y']
        """
        return self._write_batch("write_batch", payloads, prune_previous_versions, validate_index, pickle=False)

    def write_pickle_batch(
        self, payloads: Iterable[WritePayload], prune_previous_versions: bool | None = None
    ) -> list[VersionedItem | DataError]:
        """Write several objects at once, pickled where they are not stored as columns.

        Parameters
        ----------
        payloads : list of WritePayload
            For different symbols.
        prune_previous_versions : bool, optional

        Returns
        -------
        list of VersionedItem or DataError
            One for each payload, in their order.

        Raises
        ------
        ArcticDuplicateSymbolsInBatchException
            A symbol stands twice in `payloads`; nothing is written.

        Examples
        --------
        >>> import coldframe
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> items = lib.write_pickle_batch([coldframe.WritePayload("s", {1, 2}), coldframe.WritePayload("t", "text")])
        >>> lib.read("t").data
        'text'
        """
        return self._write_batch("write_pickle_batch", payloads, prune_previous_versions, False, pickle=True)  # noqa: FBT003

    def _check_container(self, data: Any, recursive: bool | None) -> None:
        options = self._catalog.config
        apart = options.recursive_normalizers if recursive is None else parse_flag(recursive, "recursive_normalizers")
        if apart and isinstance(data, dict | list | tuple):
            raise ArcticDbNotYetImplemented(
                f"recursive_normalizers: a {type(data).__name__} is not taken apart yet. Use write_pickle, which "
                "stores it as a whole, or write each frame under a symbol of its own."
            )

    def _write_batch(
        self, call: str, payloads: Iterable[WritePayload], prune: bool | None, validate_index: bool, *, pickle: bool
    ) -> list[VersionedItem | DataError]:
        self._check_writable(call)
        wanted: list[WritePayload] = payloads_of(payloads, WritePayload)
        items = [WriteItem(name_of(p.symbol), p.data, p.metadata) for p in wanted]
        validate = parse_flag(validate_index, "validate_index")
        results = writing.write_batch(
            self._catalog, items, prune=self._prune(prune), validate_index=validate, pickle=pickle
        )
        return self._all_written(results, wanted)

    def append(
        self,
        symbol: str,
        data: NormalizableType,
        metadata: Any = None,
        prune_previous_versions: bool | None = None,
        validate_index: bool = True,
        index_column: bool = False,  # noqa: ARG002 -- for Arrow data
        compact_data: bool = False,
        *,
        idempotency_key: str | None = None,
    ) -> VersionedItem:
        """Add rows after those of the newest version; a symbol that does not exist is created.

        Any number of programs may append to one symbol at once: no row is lost, each appended block stays together.

        Parameters
        ----------
        symbol : str
        data : pandas.DataFrame or pandas.Series
            Of the same kind and columns as what is stored; with a time index, not before its end.
        metadata : object, optional
            Stored with the new version; that of the older one is not carried over.
        prune_previous_versions : bool, optional
        validate_index : bool, default True
            Refuse a time index that is not sorted.
        index_column : bool, default False
            Of no consequence for pandas objects, which have an index of their own.
        compact_data : bool, default False
            Not there yet: True is refused. Small appends merge by themselves.
        idempotency_key : str, optional
            Names this append: if the symbol has one with this key already, nothing is added and its version is
            returned. Makes it safe to try again when it is not known whether the first attempt went through.

        Returns
        -------
        VersionedItem
            With `data` None.

        Raises
        ------
        StreamDescriptorMismatch
            The columns or their types differ from what is stored; names them.
        NormalizationException
            The kind of object or index differs from what is stored.
        InternalException
            The rows begin before the end of what is stored, or what is stored is pickled.
        UnsortedDataException
            The time index is not sorted.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> lib.append("s", pd.DataFrame({"a": [3]}), idempotency_key="batch 17").version
        1
        >>> lib.append("s", pd.DataFrame({"a": [3]}), idempotency_key="batch 17").version
        1
        >>> lib.read("s").data["a"].tolist()
        [1, 2, 3]
        """
        self._check_writable("append")
        refuse_parameter("compact_data", compact_data)
        commit = appending.append(
            self._catalog,
            name_of(symbol),
            data,
            metadata=metadata,
            prune=self._prune(prune_previous_versions),
            validate_index=parse_flag(validate_index, "validate_index"),
            idempotency_key=idempotency_key,
        )
        return self._written(commit, metadata)

    def append_batch(
        self,
        append_payloads: Iterable[WritePayload],
        prune_previous_versions: bool | None = None,
        validate_index: bool = True,
        compact_data: bool = False,
    ) -> list[VersionedItem | DataError]:
        """Append to several symbols at once.

        Parameters
        ----------
        append_payloads : list of WritePayload
            For different symbols.
        prune_previous_versions : bool, optional
        validate_index : bool, default True
        compact_data : bool, default False
            Not there yet: True is refused.

        Returns
        -------
        list of VersionedItem or DataError
            One for each payload, in their order; a `DataError` where that append failed.

        Raises
        ------
        ArcticDuplicateSymbolsInBatchException
            A symbol stands twice in the batch; nothing is written.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> frame = pd.DataFrame({"a": [1, 2]})
        >>> batch = [coldframe.WritePayload(s, frame) for s in ("x", "y")]
        >>> [[item.version for item in lib.append_batch(batch)] for _ in range(2)]
        [[0, 0], [1, 1]]
        """
        self._check_writable("append_batch")
        refuse_parameter("compact_data", compact_data)
        wanted: list[WritePayload] = payloads_of(append_payloads, WritePayload)
        items = [WriteItem(name_of(p.symbol), p.data, p.metadata) for p in wanted]
        prune = self._prune(prune_previous_versions)
        validate = parse_flag(validate_index, "validate_index")
        results = appending.append_batch(self._catalog, items, prune=prune, validate_index=validate)
        return self._all_written(results, wanted)

    def update(
        self,
        symbol: str,
        data: NormalizableType,
        metadata: Any = None,
        upsert: bool = False,
        date_range: Any = None,
        prune_previous_versions: bool | None = None,
        index_column: bool = False,  # noqa: ARG002 -- for Arrow data
    ) -> VersionedItem:
        """Replace a stretch of time: the rows from the first to the last time of `data`, both included.

        Parameters
        ----------
        symbol : str
            A symbol with a time index.
        data : pandas.DataFrame or pandas.Series
            Of the same columns as what is stored, sorted by time.
        metadata : object, optional
            Stored with the new version; that of the older one is not carried over.
        upsert : bool, default False
            Create a symbol that does not exist.
        date_range : pair of timestamps, optional
            The stretch to replace, where it differs from that of `data`; rows of `data` outside it are left out.
        prune_previous_versions : bool, optional
        index_column : bool, default False
            Of no consequence for pandas objects, which have an index of their own.

        Returns
        -------
        VersionedItem
            With `data` None.

        Raises
        ------
        InternalException
            There is no such symbol and not `upsert`; or its index, or that of `data`, is not of times.
        UnsortedDataException
            `data`, or what is stored, is not sorted by time.
        StreamDescriptorMismatch
            The columns or their types differ from what is stored.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> days = pd.date_range("2024-01-01", periods=4)
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2, 3, 4]}, index=days))
        >>> item = lib.update("s", pd.DataFrame({"a": [20, 30]}, index=days[1:3]))
        >>> lib.read("s").data["a"].tolist()
        [1, 20, 30, 4]
        """
        self._check_writable("update")
        commit = updating.update(
            self._catalog,
            name_of(symbol),
            data,
            metadata=metadata,
            upsert=parse_flag(upsert, "upsert"),
            date_range=date_range,
            prune=self._prune(prune_previous_versions),
        )
        return self._written(commit, metadata)

    def update_batch(
        self,
        update_payloads: Iterable[UpdatePayload],
        upsert: bool = False,
        prune_previous_versions: bool | None = None,
    ) -> list[VersionedItem | DataError]:
        """Update several symbols at once.

        Parameters
        ----------
        update_payloads : list of UpdatePayload
            For different symbols.
        upsert : bool, default False
        prune_previous_versions : bool, optional

        Returns
        -------
        list of VersionedItem or DataError
            One for each payload, in their order; a `DataError` where that update failed.

        Raises
        ------
        ArcticDuplicateSymbolsInBatchException
            A symbol stands twice in the batch; nothing is written.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> frame = pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024", periods=2))
        >>> batch = [coldframe.UpdatePayload(s, frame) for s in ("x", "y")]
        >>> [item.version for item in lib.update_batch(batch, upsert=True)]
        [0, 0]
        """
        self._check_writable("update_batch")
        wanted: list[UpdatePayload] = payloads_of(update_payloads, UpdatePayload)
        items = [UpdateItem(name_of(p.symbol), p.data, p.metadata, p.date_range) for p in wanted]
        prune = self._prune(prune_previous_versions)
        results = updating.update_batch(self._catalog, items, upsert=parse_flag(upsert, "upsert"), prune=prune)
        return self._all_written(results, wanted)

    def delete_data_in_range(
        self, symbol: str, date_range: Any, prune_previous_versions: bool | None = None
    ) -> None:
        """Make a new version without the rows of a stretch of time; the metadata is carried over.

        Parameters
        ----------
        symbol : str
            A symbol with a time index.
        date_range : pair of timestamps
            The first and the last time to remove, both included; None leaves an end open.
        prune_previous_versions : bool, optional

        Raises
        ------
        InternalException
            There is no such symbol, or its index is not of times.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> days = pd.date_range("2024-01-01", periods=4)
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2, 3, 4]}, index=days))
        >>> lib.delete_data_in_range("s", (days[1], days[2]))
        >>> lib.read("s").data["a"].tolist()
        [1, 4]
        """
        self._check_writable("delete_data_in_range")
        if date_range is None:
            raise ArcticInvalidApiUsageException(
                "delete_data_in_range needs a date_range; to delete the whole symbol call delete."
            )
        updating.delete_data_in_range(
            self._catalog, name_of(symbol), date_range, prune=self._prune(prune_previous_versions)
        )

    def write_metadata(
        self, symbol: str, metadata: Any, prune_previous_versions: bool | None = None
    ) -> VersionedItem:
        """Make a new version with the data of the newest one and other metadata; no data is copied.

        Parameters
        ----------
        symbol : str
            One that does not exist is created, and holds None.
        metadata : object
        prune_previous_versions : bool, optional

        Returns
        -------
        VersionedItem
            With `data` None.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> lib.write_metadata("s", {"checked": True}).version
        1
        >>> lib.read("s").metadata, len(lib.read("s").data)
        ({'checked': True}, 2)
        """
        self._check_writable("write_metadata")
        prune = self._prune(prune_previous_versions)
        return self._written(writing.write_metadata(self._catalog, name_of(symbol), metadata, prune=prune), metadata)

    def write_metadata_batch(
        self, write_metadata_payloads: Iterable[WriteMetadataPayload], prune_previous_versions: bool | None = None
    ) -> list[VersionedItem | DataError]:
        """Write the metadata of several symbols at once.

        Parameters
        ----------
        write_metadata_payloads : list of WriteMetadataPayload
            For different symbols.
        prune_previous_versions : bool, optional

        Returns
        -------
        list of VersionedItem or DataError
            One for each payload, in their order.

        Raises
        ------
        ArcticDuplicateSymbolsInBatchException
            A symbol stands twice in the batch; nothing is written.

        Examples
        --------
        >>> import coldframe, pandas as pd
        >>> lib = coldframe.Arctic("mem://").create_library("demo")
        >>> item = lib.write("s", pd.DataFrame({"a": [1, 2]}))
        >>> [item.metadata for item in lib.write_metadata_batch([coldframe.WriteMetadataPayload("s", "checked")])]
        ['checked']
        """
        self._check_writable("write_metadata_batch")
        wanted: list[WriteMetadataPayload] = payloads_of(write_metadata_payloads, WriteMetadataPayload)
        pairs = [(name_of(p.symbol), p.metadata) for p in wanted]
        prune = self._prune(prune_previous_versions)
        return self._all_written(writing.write_metadata_batch(self._catalog, pairs, prune=prune), wanted)
