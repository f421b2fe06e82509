"""Finding a version: in the head, in a sealed log, or in a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import numpy as np

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.keys import head_key, log_key, snapshot_key
from coldframe.catalog.manifest import Contents, decode_manifest
from coldframe.catalog.pieces import Pieces
from coldframe.catalog.records import (
    Head,
    LogRef,
    Record,
    Sealed,
    decode_head,
    decode_log,
    decode_record,
    integers,
)
from coldframe.catalog.seen import ABSENT
from coldframe.catalog.snapshot_records import Snapshot, decode_held, decode_snapshot
from coldframe.exceptions import KeyNotFoundException, NoDataFoundException, NoSuchVersionException
from coldframe.format.checksums import Damage
from coldframe.stores.base import Reader, Stored


class Version(msgspec.Struct):
    """One version of a symbol, ready to be looked into."""

    symbol: str
    record: Record
    contents: Contents

    def metadata(self) -> bytes | memoryview | None:
        """The user's metadata as bytes; None if there is none."""
        if self.record.metadata_piece is not None:
            return self.contents.piece(self.record.metadata_piece)
        return self.record.metadata


class History:
    """All live versions of a symbol, as one head shows them. Logs are fetched when needed."""

    __slots__ = ("_logs", "fresh", "head", "reader")

    def __init__(self, reader: Reader, head: Head) -> None:
        self.reader = reader
        self.head = head
        self._logs: dict[bytes, Sealed] = {}
        self.fresh: dict[bytes, bytes] = {}  # pieces of a draft that are not stored yet

    def latest(self) -> Version | None:
        """The newest live version."""
        live = self.head.live
        if not live.records:
            return None
        return self._version(decode_record(live.records[-1]), live, None)

    def numbered(self, number: int) -> Version | None:
        """The live version with this number."""
        return self._find(number, "number")

    def at(self, created: int) -> Version | None:
        """The newest live version made at or before this time (nanoseconds since 1970)."""
        return self._find(created, "created")

    def log(self, ref: LogRef) -> Sealed:
        """A sealed chunk of older versions."""
        return self._log(ref.id)

    def home(self, ref: LogRef) -> Sealed:
        """Where the manifest lies that a log shares with newer versions."""
        return self.head.live if ref.home is None else self._log(ref.home)

    def stored_log(self, identifier: bytes) -> Sealed:
        """A log by its id."""
        return self._log(identifier)

    def keep_log(self, identifier: bytes, log: Sealed) -> None:
        """Take in a log that was just made and is not stored yet."""
        self._logs[identifier] = log

    def groups(self) -> Iterator[tuple[LogRef | None, Sealed]]:
        """The logs, oldest first, then what lies in the head."""
        for ref in self.head.logs:
            yield ref, self.log(ref)
        yield None, self.head.live

    def columns(self) -> Iterator[tuple[bytes, bytes]]:
        """Numbers and creation times of all live versions, oldest first, as stored.

        Logs are fetched only where the head does not have them too.
        """
        for ref in self.head.logs:
            group = ref if ref.numbers else self.log(ref)
            yield group.numbers, group.created
        yield self.head.live.numbers, self.head.live.created

    def versions(self) -> Iterator[Version]:
        """Every live version, oldest first."""
        for ref, group in self.groups():
            for raw in group.records:
                yield self._version(decode_record(raw), group, ref)

    def contents(self, record: Record, group: Sealed, ref: LogRef | None) -> Contents:
        """The manifest of a record that stands in this group."""
        home = group
        raw = group.manifests.get(record.manifest)
        if raw is None and ref is not None:
            home = self.home(ref)
            raw = home.manifests.get(record.manifest)
        if raw is None:
            raise Damage(f"version {record.number} names manifest {record.manifest}, which is not in its head or log")
        return Contents(decode_manifest(raw), Pieces(self.head.symbol, self.reader, home.pool, group.pool, self.fresh))

    def _version(self, record: Record, group: Sealed, ref: LogRef | None) -> Version:
        return Version(self.head.symbol, record, self.contents(record, group, ref))

    def _find(self, value: int, column: str) -> Version | None:
        """By number: the record that has it. By creation time: the last record not later."""
        live = self.head.live
        group, ref = live, None
        values = integers(getattr(live, "numbers" if column == "number" else "created"))
        if self.head.logs and (not len(values) or values[0] > value):
            bound = "first_number" if column == "number" else "first_created"
            ref = next((r for r in reversed(self.head.logs) if getattr(r, bound) <= value), None)
            if ref is None:
                return None
            group = self.log(ref)
            values = integers(group.numbers if column == "number" else group.created)
        position = int(np.searchsorted(values, value, side="right")) - 1
        if position < 0 or (column == "number" and values[position] != value):
            return None
        return self._version(decode_record(group.records[position]), group, ref)

    def _log(self, identifier: bytes) -> Sealed:
        if identifier not in self._logs:
            self._logs[identifier] = self._fetch_log(identifier)
        return self._logs[identifier]

    def _fetch_log(self, identifier: bytes) -> Sealed:
        key = log_key(self.head.symbol, identifier)
        try:
            return decode_log(self.reader.get(key).data)
        except Damage as damage:
            damage.key = key
            raise


def look(reader: Reader, catalog: Catalog, symbol: str) -> Stored:
    """The head of a symbol as it is stored now; `ABSENT` where there is none."""
    return _noted(partial(reader.get, head_key(symbol)), catalog, symbol)


def ask(reader: Reader, catalog: Catalog, symbol: str) -> Callable[[], Stored]:
    """Ask for the head of a symbol now; what is returned waits for the answer, which is as that of `look`."""
    return partial(_noted, reader.begin(head_key(symbol)), catalog, symbol)


def _noted(get: Callable[[], Stored], catalog: Catalog, symbol: str) -> Stored:
    try:
        stored = get()
    except KeyNotFoundException:
        stored = ABSENT
    if catalog.seen is not None:
        catalog.seen.note(symbol, stored)
    return stored


def open_head(symbol: str, stored: Stored) -> Head:
    """The head from what `look` found: an empty one where there is none."""
    return Head(symbol) if stored is ABSENT else checked_head(head_key(symbol), stored.data)


def read_head(reader: Reader, catalog: Catalog, symbol: str) -> Head:
    """The head of a symbol as it is now; an empty one where there is none."""
    return open_head(symbol, look(reader, catalog, symbol))


def checked_head(key: str, data: bytes | bytearray | memoryview) -> Head:
    """The head from its bytes; a `Damage` that it raises names the key."""
    try:
        head = decode_head(data)
    except Damage as damage:
        damage.key = key
        raise
    except msgspec.DecodeError as error:
        raise Damage(f"the head does not follow the format: {error}", key) from error
    if head_key(head.symbol) != key:
        raise Damage(f"the head is that of symbol '{head.symbol}'", key)
    return head


def read_snapshot(reader: Reader, library: str, name: str) -> Snapshot:
    """A snapshot by name; raises `NoDataFoundException` where there is none."""
    key = snapshot_key(name)
    try:
        data = reader.get(key).data
    except KeyNotFoundException:
        raise NoDataFoundException(
            f"there is no snapshot '{name}' in library '{library}'. list_snapshots() shows those there are; a time is "
            "given as a datetime, not as a string."
        ) from None
    try:
        return decode_snapshot(data)
    except Damage as damage:
        damage.key = key
        raise


def held_version(reader: Reader, snapshot: Snapshot, symbol: str) -> Version | None:
    """The version of a symbol that a snapshot holds."""
    raw = snapshot.symbols.get(symbol)
    if raw is None:
        return None
    held = decode_held(raw)
    pieces = Pieces(symbol, reader, held.pool)
    return Version(symbol, held.record, Contents(decode_manifest(held.manifest), pieces))


def resolve(
    reader: Reader, catalog: Catalog, symbol: str, as_of: int | str | None, *, by_time: bool = False
) -> Version:
    """The version that `as_of` means: None the newest, a number (negative: from the end), a snapshot, a time in ns.

    Raises
    ------
    NoSuchVersionException
        Naming the symbol, what was asked for and what there is.
    NoDataFoundException
        Where the snapshot does not exist.
    """
    if isinstance(as_of, str):
        version = held_version(reader, read_snapshot(reader, catalog.library, as_of), symbol)
        if version is None:
            raise NoSuchVersionException(
                f"snapshot '{as_of}' of library '{catalog.library}' does not hold symbol '{symbol}'. "
                f"list_symbols(snapshot_name='{as_of}') shows what it holds."
            )
        return version
    head = read_head(reader, catalog, symbol)
    return find(History(reader, head), catalog, as_of, by_time=by_time)


def find(history: History, catalog: Catalog, as_of: int | None, *, by_time: bool = False) -> Version:
    """The version that a number or time means within one head; raises `NoSuchVersionException`."""
    head = history.head
    if as_of is None:
        version = history.latest()
    elif by_time:
        version = history.at(as_of)
    else:
        version = history.numbered(as_of if as_of >= 0 else head.next_number + as_of)
    if version is None:
        raise _no_such_version(head, catalog.library, as_of, by_time=by_time)
    return version


def _no_such_version(head: Head, library: str, as_of: int | None, *, by_time: bool) -> NoSuchVersionException:
    where = f"in library '{library}'"
    if not head.live.records:
        state = "has no live version" if head.next_number else "does not exist"
        return NoSuchVersionException(
            f"symbol '{head.symbol}' {state} {where}. list_symbols() shows the symbols there are."
        )
    newest = integers(head.live.numbers)[-1]
    asked = f"had no version yet at {np.datetime64(as_of, 'ns')} UTC" if by_time else f"has no version {as_of}"
    return NoSuchVersionException(
        f"symbol '{head.symbol}' {asked} {where}; the newest is {newest}. "
        f"list_versions('{head.symbol}') shows those there are."
    )
