"""Reclaim: which of the keys that symbols retired may be freed, and what a library's objects are named by.

An object may be freed when no head and no snapshot names it and readers have had the grace period to move on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from coldframe.catalog.draft import version_names
from coldframe.catalog.keys import SNAPSHOTS, data_key, log_key, manifest_key
from coldframe.catalog.manifest import Contents, decode_chunk, decode_manifest
from coldframe.catalog.pieces import Pieces
from coldframe.catalog.records import Retired, Sealed, decode_record
from coldframe.catalog.slices import Slices
from coldframe.catalog.snapshot_records import Snapshot, decode_snapshot
from coldframe.catalog.versions import History, held_version
from coldframe.exceptions import KeyNotFoundException
from coldframe.format.checksums import Damage
from coldframe.stores.base import Reader

Name = tuple[str, bytes]

_SNAPSHOTS_KEPT = 64
_snapshot_cache: dict[tuple[str, str], Snapshot] = {}


def object_key(symbol: str, name: Name) -> str:
    """The key of what a symbol names; `Retired` has the kinds."""
    kind, identifier = name
    make = data_key if kind == "D" else log_key if kind in "LG" else manifest_key
    return make(symbol, identifier)


def snapshots(reader: Reader) -> tuple[list[Snapshot], dict[str, str]]:
    """All snapshots of the library, and the tag of each one's object."""
    keys = [entry.key for entry in reader.list(SNAPSHOTS)]
    found: list[Snapshot] = []
    tags: dict[str, str] = {}
    if not keys:
        return found, tags
    for key, stored in zip(keys, reader.get_many(keys), strict=True):
        if stored is None:
            continue
        tags[key] = stored.tag
        snapshot = _snapshot_cache.get((key, stored.tag))
        if snapshot is None:
            try:
                snapshot = decode_snapshot(bytes(stored.data))  # kept beyond the read whose buffers these are
            except Damage as damage:
                damage.key = key
                raise
            if len(_snapshot_cache) >= _SNAPSHOTS_KEPT:
                _snapshot_cache.clear()
            _snapshot_cache[key, stored.tag] = snapshot
        found.append(snapshot)
    return found, tags


def names_held(reader: Reader, symbol: str) -> tuple[set[Name], dict[str, str]]:
    """What snapshots name of a symbol, and the tag of each snapshot's object."""
    found, tags = snapshots(reader)
    held: set[Name] = set()
    for snapshot in found:
        version = held_version(reader, snapshot, symbol)
        if version is not None:
            held |= version_names(version)
    return held, tags


def free_due(history: History, held: set[Name], before: int) -> tuple[list[str], list[Retired]]:
    """Of the keys a head retired until `before` (seconds): the objects to free, and what stays retired.

    Names that stand for others (a chunk for its segments, a log for its versions) are worked out here, less what
    live versions still name.
    """
    symbol = history.head.symbol
    due = [entry for entry in history.head.retired if entry.at <= before]
    staying = [entry for entry in history.head.retired if entry.at > before]
    if not due:
        return [], staying
    compound = any(entry.kind in "CL" for entry in due)
    live = names_of_head(history) if compound else set()
    held = held | {("C", identifier) for kind, identifier in held if kind == "M"}
    keys: list[str] = []
    for entry in due:
        for name in _expanded(history, entry):
            if name in live:
                continue  # not retired at all: were it to stay, it would be freed when the snapshot goes
            if name in held:
                staying.append(Retired(name[0], name[1], entry.at))
            else:
                keys.append(object_key(symbol, name))
    return list(dict.fromkeys(keys)), staying


def names_of_head(history: History) -> set[Name]:
    """Everything that a symbol's live versions name, logs included."""
    names: set[Name] = set()
    for ref in history.head.logs:
        names.add(("L", ref.id))
        if ref.home is not None:
            names.add(("L", ref.home))
            names |= _group_names(history, history.home(ref))
        names |= _group_names(history, history.log(ref))
    names |= _group_names(history, history.head.live)
    return names | {("C", identifier) for kind, identifier in names if kind == "M"}


def names_of_snapshot(reader: Reader, snapshot: Snapshot, symbols: Iterable[str]) -> Iterator[tuple[str, set[Name]]]:
    """What a snapshot names, symbol by symbol."""
    for symbol in symbols:
        version = held_version(reader, snapshot, symbol)
        if version is not None:
            yield symbol, version_names(version)


def _group_names(history: History, group: Sealed) -> set[Name]:
    return _sealed_names(history, group, history.fresh)


def _sealed_names(history: History, group: Sealed, fresh: Mapping[bytes, bytes]) -> set[Name]:
    names: set[Name] = set()
    pieces = Pieces(history.head.symbol, history.reader, group.pool, fresh)
    for raw in group.manifests.values():
        contents = Contents(decode_manifest(raw), pieces)
        names.update(("M", identifier) for identifier in contents.piece_ids())
        names.update(("D", identifier) for identifier in contents.segment_ids())
    for raw in group.records:
        piece = decode_record(raw).metadata_piece
        if piece is not None:
            names.add(("M", piece))
    return names


def _expanded(history: History, entry: Retired) -> set[Name]:
    """A retired name and those it stands for; an object that is gone already stands for nothing."""
    name = (entry.kind, entry.id)
    try:
        if entry.kind == "C":
            pieces = Pieces(history.head.symbol, history.reader)
            chunk = decode_chunk(pieces.get(entry.id))
            return {name, *(("D", identifier) for identifier in Slices.of_chunk(chunk).named())}
        if entry.kind == "L":
            return {name} | _sealed_names(history, history.stored_log(entry.id), {})
    except (KeyNotFoundException, Damage, msgspec.DecodeError):
        pass
    return {name}
