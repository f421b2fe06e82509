"""Read: rows and columns of a version, or its metadata, one symbol or many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.keys import head_key
from coldframe.catalog.records import ASCENDING, SORTED
from coldframe.catalog.versions import History, Version, checked_head
from coldframe.exceptions import (
    ArcticException,
    ErrorCode,
    InternalException,
    NoDataFoundException,
    NoSuchVersionException,
    UnsortedDataException,
)
from coldframe.format.checksums import Damage
from coldframe.format.schema import Schema
from coldframe.frames.evolve import index_kind, is_timeseries
from coldframe.frames.meta import frame_meta, select
from coldframe.frames.metadata import decode_metadata
from coldframe.frames.pandas_out import columns_of_objects, denormalize
from coldframe.frames.pickled import unpickle_table
from coldframe.operations.ahead import ahead
from coldframe.operations.arguments import (
    TimeRange,
    check_one_range,
    parse_as_of,
    parse_columns,
    parse_date_range,
    parse_row_range,
)
from coldframe.operations.batches import attempt_each, check_each, several
from coldframe.operations.locate import rows_between
from coldframe.operations.results import Loaded, ReadItem
from coldframe.operations.rows import load
from coldframe.operations.versions import checked_find, with_version
from coldframe.stores.base import Reader


class Wanted:
    """What of a version is to be read: checked arguments."""

    __slots__ = ("as_of", "columns", "rows", "times")

    def __init__(self, item: ReadItem) -> None:
        check_one_range(item.date_range, item.row_range)
        self.as_of = parse_as_of(item.as_of)
        self.times = parse_date_range(item.date_range)
        self.rows = parse_row_range(item.row_range)
        self.columns = parse_columns(item.columns)

    @property
    def whole(self) -> bool:
        """Whether nothing limits what is read."""
        return self.times is None and self.rows is None and self.columns is None


def read(
    catalog: Catalog,
    symbol: str,
    as_of: Any = None,
    *,
    date_range: Any = None,
    row_range: Any = None,
    columns: Any = None,
) -> Loaded:
    """Read a version: all of it, or some rows or columns."""
    wanted = Wanted(ReadItem(symbol, as_of, date_range, row_range, columns))
    return with_version(catalog, symbol, wanted.as_of, lambda reader, version: _loaded(reader, version, wanted))


def head(catalog: Catalog, symbol: str, n: int = 5, as_of: Any = None, columns: Any = None) -> Loaded:
    """The first `n` rows, or all but the last `-n`, as pandas has it."""
    return read(catalog, symbol, as_of, row_range=(None, _count(n)), columns=columns)


def tail(catalog: Catalog, symbol: str, n: int = 5, as_of: Any = None, columns: Any = None) -> Loaded:
    """The last `n` rows, or all but the first `-n`, as pandas has it."""
    count = _count(n)
    rows = (0, 0) if count == 0 else (-count, None)
    return read(catalog, symbol, as_of, row_range=rows, columns=columns)


def read_batch(catalog: Catalog, items: Sequence[ReadItem]) -> list[Loaded | ArcticException]:
    """Read several symbols; an item that fails leaves its error in the list.

    The heads come all at once. Of a distant store, versions of which more is wanted are then loaded several at once.
    """
    checked = wanted_each(items)
    asked = {i: one for i, one in enumerate(checked) if isinstance(one, Wanted)}
    newest = [(i, one) for i, one in asked.items() if not isinstance(one.as_of.value, str)]
    results: dict[int, Loaded | ArcticException] = {}
    later: list[tuple[int, History]] = []
    with catalog.store.reading() as reader:

        def load_one(i: int, history: History) -> None:
            one = asked[i]
            try:
                results[i] = _loaded(reader, checked_find(history, catalog, one.as_of), one)
            except NoSuchVersionException as error:
                results[i] = error
            except (ArcticException, Damage):
                pass  # read on its own below, with all that a single read does about it

        keys = [head_key(items[i].symbol) for i, _ in newest]
        for (i, one), key, stored in zip(newest, keys, reader.get_many(keys), strict=True):
            if stored is None:
                continue
            if catalog.seen is not None:
                catalog.seen.note(items[i].symbol, stored)
            try:
                history = History(reader, checked_head(key, stored.data))
                apart = reader.distant and not _in_head(history, one)
            except (ArcticException, Damage):
                continue
            if apart:
                later.append((i, history))
            else:
                load_one(i, history)
        several(reader, lambda job: load_one(*job), later)

    def read_one(i: int) -> Loaded:
        one = asked[i]
        return with_version(catalog, items[i].symbol, one.as_of, partial(_loaded, wanted=one))

    rest = [i for i in asked if i not in results]
    results.update(zip(rest, attempt_each(catalog, read_one, rest), strict=True))
    return [one if isinstance(one, ArcticException) else results[i] for i, one in enumerate(checked)]


def _in_head(history: History, wanted: Wanted) -> bool:
    """Whether a read needs nothing but the head: the newest version, with all of its pieces and segments in it."""
    version = history.latest()
    if version is None:
        return True
    inlined, chunks = version.contents.pieces.inlined, version.contents.manifest.chunks
    named = [chunk.id for chunk in chunks]
    if version.record.metadata_piece is not None:
        named.append(version.record.metadata_piece)
    if wanted.as_of.value is not None or any(inlined(name) is None for name in named):
        return False
    return all(inlined(name) is not None for at in range(len(chunks)) for name in version.contents.chunk(at).ids)


def wanted_each(items: Sequence[ReadItem]) -> list[Wanted | ArcticException]:
    """The checked arguments of several reads; arguments that do not go together leave their error in the list."""
    return check_each(items, _wanted)


def _wanted(item: ReadItem) -> Wanted | ArcticException:
    try:
        return Wanted(item)
    except ArcticException as error:
        return error


def read_metadata(catalog: Catalog, symbol: str, as_of: Any = None) -> Loaded:
    """A version's metadata, without its data."""
    try:
        return with_version(catalog, symbol, parse_as_of(as_of), lambda _, version: result_of(version, None))
    except NoSuchVersionException as error:
        raise NoDataFoundException(error.message, code=error.code) from None


def read_metadata_batch(catalog: Catalog, items: Sequence[tuple[str, Any]]) -> list[Loaded | ArcticException]:
    """The metadata of several versions; an item that fails leaves its error in the list."""
    return attempt_each(catalog, lambda item: read_metadata(catalog, *item), items)


def _loaded(reader: Reader, version: Version, wanted: Wanted) -> Loaded:
    schema = version.contents.schema()
    what = frame_meta(schema).kind
    if what == "pickled":
        if not wanted.whole:
            raise InternalException(
                f"symbol '{version.symbol}' (version {version.record.number}) holds pickled data, which can only be "
                "read "
                "whole: leave out columns, date_range, row_range, head and tail.",
                code=ErrorCode.E_OPERATION_NOT_SUPPORTED_WITH_PICKLED_DATA,
            )
        return result_of(version, unpickle_table(load(reader, version, 0, version.record.rows)))
    stored, selected = None, schema
    if wanted.columns is not None and what != "series":
        positions = _positions(schema, wanted.columns)
        stored, selected = np.sort(schema.place[positions]), select(schema, positions)
    if wanted.times is not None and is_timeseries(schema):
        reader = ahead(reader, version, *wanted.times.in_unit(schema.dtype(0).unit), stored)
    start, stop = rows_wanted(reader, version, schema, wanted)
    table = load(reader, version, start, stop, stored, partial(columns_of_objects, selected))
    table.schema = selected
    return result_of(version, denormalize(table))


def result_of(version: Version, data: Any) -> Loaded:
    """What a read gives back: the data with the version's number, time and metadata."""
    record = version.record
    packed = version.metadata()
    metadata = None if packed is None else decode_metadata(bytes(packed))
    return Loaded(version.symbol, record.number, record.created, data, metadata)


def rows_wanted(reader: Reader, version: Version, schema: Schema, wanted: Wanted) -> tuple[int, int]:
    """The range of rows that a read is limited to."""
    total = version.record.rows
    if wanted.rows is not None:
        start, stop, _ = slice(*wanted.rows).indices(total)
        return start, max(start, stop)
    if wanted.times is not None:
        return _rows_in_time(reader, version, schema, wanted.times)
    return 0, total


def _rows_in_time(reader: Reader, version: Version, schema: Schema, times: TimeRange) -> tuple[int, int]:
    record = version.record
    if not record.rows:
        return 0, 0
    if not is_timeseries(schema):
        raise InternalException(
            f"symbol '{version.symbol}' has a {index_kind(schema)} index, so date_range has no meaning for it. Use "
            "row_range, or store it with a DatetimeIndex.",
            code=ErrorCode.E_UNSUPPORTED_INDEX_TYPE,
        )
    if record.sorted != ASCENDING:
        raise UnsortedDataException(
            f"symbol '{version.symbol}' (version {record.number}) is stored {SORTED[record.sorted].lower()}, so "
            "date_range cannot be applied. Read it whole, or write it sorted."
        )
    return rows_between(reader, version, *times.in_unit(schema.dtype(0).unit))


def _positions(schema: Schema, names: list[str]) -> NDArray[np.intp]:
    """The positions in table order of the index and of the columns with these names; unknown names are passed over."""
    positions = list(range(schema.index_columns))
    for name in dict.fromkeys(names):
        positions.extend(schema.columns_named.get(name, ()))
    return np.array(sorted(positions), dtype=np.intp)


def _count(n: Any) -> int:
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"n is {n!r}; give the number of rows as an int.")
    return int(n)
