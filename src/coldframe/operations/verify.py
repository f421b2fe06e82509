"""Verify: every object's checksum, and that everything that is named is there."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.keys import DATA, HEADS, LIBRARY, LOGS, MANIFESTS, SNAPSHOTS, data_key, head_key, manifest_key
from coldframe.catalog.pieces import PIECE
from coldframe.catalog.reclaim import object_key
from coldframe.catalog.records import decode_log
from coldframe.catalog.snapshot_records import Snapshot, decode_snapshot
from coldframe.catalog.versions import History, Version, checked_head, held_version
from coldframe.exceptions import CompatibilityException, KeyNotFoundException, NoSuchVersionException
from coldframe.format.checksums import Damage, unseal
from coldframe.format.segments import verify_segment
from coldframe.operations.results import Damaged, Report
from coldframe.stores.base import Buffer, Reader


def verify(catalog: Catalog, symbol: str | None = None) -> Report:
    """Check every object of a library, or of one symbol: its bytes, and that what it names is there.

    Raises
    ------
    NoSuchVersionException
        There has never been such a symbol.
    """
    reason = catalog.store.damage()
    if reason is not None:  # no object can be trusted, and looking for one may end the process
        return Report(damaged=[Damaged("(the store itself)", reason)])
    with catalog.store.reading() as reader:
        if symbol is not None and reader.get_many([head_key(symbol)]) == [None]:
            raise NoSuchVersionException(
                f"symbol '{symbol}' does not exist in library '{catalog.library}', so there is nothing to verify."
            )
        return _Check(reader, symbol).run()


class _Check:
    """One run over a library. Each object is read once; what is wrong is collected, not raised."""

    def __init__(self, reader: Reader, symbol: str | None) -> None:
        self.reader = reader
        self.symbol = symbol
        self.report = Report()
        self.sound: dict[str, bool] = {}
        self.found: dict[str, Damaged] = {}

    def run(self) -> Report:
        """Go through heads, then snapshots, then what nobody named."""
        if self.symbol is None:
            self._object(LIBRARY, None)
        prefix = HEADS if self.symbol is None else head_key(self.symbol)
        for entry in list(self.reader.list(prefix)):
            if self.symbol is None or entry.key == prefix:
                self._head(entry.key)
        for entry in list(self.reader.list(SNAPSHOTS)):
            self._snapshot(entry.key)
        if self.symbol is None:
            for kind in (DATA, MANIFESTS, LOGS):
                for entry in list(self.reader.list(kind)):
                    if entry.key not in self.sound:
                        self.report.unreachable.append(entry.key)
        self.report.damaged = list(self.found.values())
        return self.report

    def _head(self, key: str) -> None:
        head = None
        data = self._object(key, None)
        if data is None:
            return
        try:
            head = checked_head(key, data)
        except (Damage, CompatibilityException) as error:
            self._note(key, str(error), None, ())
            return
        history = History(self.reader, head)
        homes = (ref.home for ref in head.logs if ref.home is not None)  # one may be left for its manifest alone
        for identifier in dict.fromkeys([*(ref.id for ref in head.logs), *homes]):
            self._object(object_key(head.symbol, ("L", identifier)), head.symbol)
        try:
            for version in history.versions():
                self._version(version)
        except (Damage, KeyNotFoundException, msgspec.DecodeError) as error:
            self._note(getattr(error, "key", None) or key, str(error), head.symbol, ())

    def _snapshot(self, key: str) -> None:
        data = self._object(key, None)
        if data is None:
            return
        try:
            snapshot: Snapshot = decode_snapshot(data)
        except (Damage, CompatibilityException, msgspec.DecodeError) as error:
            self._note(key, str(error), None, ())
            return
        for symbol in snapshot.symbols:
            if self.symbol in (None, symbol):
                version = held_version(self.reader, snapshot, symbol)
                if version is not None:
                    self._version(version)

    def _version(self, version: Version) -> None:
        self.report.versions += 1
        contents, symbol, number = version.contents, version.symbol, version.record.number
        manifest = contents.manifest
        pieces = [*manifest.schemas, *(chunk.id for chunk in manifest.chunks)]
        if version.record.metadata_piece is not None:
            pieces.append(version.record.metadata_piece)
        self._objects(
            (manifest_key(symbol, identifier) for identifier in pieces if contents.pieces.inlined(identifier) is None),
            symbol,
            number,
        )
        try:
            slices = contents.all_slices()
        except (Damage, KeyNotFoundException, msgspec.DecodeError) as error:
            key = getattr(error, "key", None)
            if key not in self.found:
                self._note(key or head_key(symbol), str(error), symbol, (number,))
            return
        own = slices.head(version.record.rows).named()  # the manifest may go on, for newer versions
        for identifier in sorted(slices.named()):
            inlined = contents.pieces.inlined(identifier)
            if inlined is None:
                self._objects([data_key(symbol, identifier)], symbol, *([number] if identifier in own else []))
            else:
                reason = _segment_damage(inlined)
                if reason is not None:
                    self._note(head_key(symbol), f"an inlined segment: {reason}", symbol, (number,))

    def _objects(self, keys: Iterable[str], symbol: str, *versions: int) -> None:
        for key in keys:
            if key not in self.sound:
                self._object(key, symbol)
            if not self.sound[key]:
                self._note(key, self.found[key].reason, symbol, versions)

    def _object(self, key: str, symbol: str | None) -> Buffer | None:
        """Read and check one object; None where it is missing or damaged."""
        try:
            data = self.reader.get(key).data
        except KeyNotFoundException:
            self._note(key, "the object is missing", symbol, ())
            return None
        self.report.objects += 1
        self.report.bytes += len(data)
        reason = _damage(key, data)
        self.sound[key] = reason is None
        if reason is not None:
            self._note(key, reason, symbol, ())
            return None
        return data

    def _note(self, key: str, reason: str, symbol: str | None, versions: tuple[int, ...]) -> None:
        self.sound[key] = False
        known = self.found.setdefault(key, Damaged(key, reason, symbol))
        known.symbol = known.symbol or symbol
        known.versions = sorted({*known.versions, *versions})


def _damage(key: str, data: Buffer) -> str | None:
    """What is wrong with an object's own bytes."""
    if key.startswith(DATA):
        return _segment_damage(data)
    try:
        if key.startswith(MANIFESTS):
            unseal(PIECE, data)
        elif key.startswith(LOGS):
            decode_log(data)
        elif key == LIBRARY:
            unseal(b"LIBR", data)
    except (Damage, CompatibilityException, msgspec.DecodeError) as error:
        return str(error)
    return None


def _segment_damage(data: Buffer) -> str | None:
    try:
        verify_segment(data)
    except (Damage, CompatibilityException) as error:
        return str(error)
    return None


