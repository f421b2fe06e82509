"""Snapshots: named, immutable sets of versions that stay readable whatever happens to the symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.commit import commit
from coldframe.catalog.damage import damaged
from coldframe.catalog.draft import Draft
from coldframe.catalog.keys import HEADS, head_key, snapshot_key
from coldframe.catalog.manifest import encode_manifest
from coldframe.catalog.names import check_snapshot, name_of, plain_name
from coldframe.catalog.reclaim import snapshots
from coldframe.catalog.records import is_tombstone
from coldframe.catalog.snapshot_records import Held, Snapshot, encode_held, encode_snapshot
from coldframe.catalog.versions import History, Version, checked_head, held_version, read_snapshot
from coldframe.exceptions import ConflictException, ErrorCode, InternalException, NoSuchVersionException
from coldframe.format.checksums import Damage
from coldframe.frames.metadata import decode_metadata, encode_metadata
from coldframe.frames.refusals import short
from coldframe.operations.arguments import parse_version
from coldframe.stores.base import Conflict, Publication, Reader, Stored, Swap, UnknownOutcome

ATTEMPTS = 100


def snapshot(
    catalog: Catalog,
    name: str,
    metadata: Any = None,
    skip_symbols: Iterable[str] | None = None,
    versions: Mapping[str, int] | None = None,
) -> None:
    """Hold the newest version of every symbol, or exactly the given versions, under a name."""
    catalog.check_writable("snapshot")
    name = check_snapshot(name)
    skipped = _names(skip_symbols)
    versions = _numbered(versions)
    if skipped and versions:
        raise InternalException(
            f"snapshot '{name}': skip_symbols and versions were both given; give one of them.",
            code=ErrorCode.E_INVALID_ARGUMENT,
        )
    key = snapshot_key(name)
    packed = encode_metadata(metadata, f"snapshot {name!r}") or b""
    mine: bytes | None = None
    for _ in range(ATTEMPTS):
        try:
            with catalog.store.reading() as reader:
                stored = reader.get_many([key])[0]
                if stored is not None:
                    if mine is not None and bytes(stored.data) == mine:
                        return  # the reply was lost, the snapshot was not
                    raise InternalException(
                        f"snapshot '{name}' exists already in library '{catalog.library}'. Delete it first, or take "
                        "another name."
                    )
                symbols, unchanged = _to_hold(reader, catalog, versions, skipped)
        except Damage as damage:
            raise damaged(damage, catalog.library, None) from damage
        data = encode_snapshot(Snapshot(name, catalog.clock(), packed, symbols))
        try:
            catalog.store.publish(Publication((), Swap(key, data, None), unchanged=unchanged))
        except Conflict:
            continue
        except UnknownOutcome:
            mine = data
            continue
        return
    raise ConflictException(
        f"snapshot '{name}' of library '{catalog.library}' lost to other writers {ATTEMPTS} times. Nothing was "
        "written; "
        "try again."
    )


def _names(skip_symbols: Any) -> set[str]:
    """The symbols to leave out, checked."""
    if isinstance(skip_symbols, str | bytes) or not isinstance(skip_symbols, Iterable | None):
        raise TypeError(f"skip_symbols is {short(skip_symbols)}; give a list of symbols.")
    try:
        return set(map(name_of, () if skip_symbols is None else skip_symbols))
    except TypeError as error:
        raise TypeError(f"skip_symbols: {error}") from None


def _numbered(versions: Any) -> dict[str, int]:
    """The versions to hold, checked: one for each symbol."""
    if versions is None:
        return {}
    if not isinstance(versions, Mapping):
        kind = type(versions).__name__
        raise TypeError(f"versions is a {kind}; give a dict of symbols and numbers of versions, as in {{'s': 0}}.")
    found = {}
    for symbol, number in versions.items():
        try:
            found[plain_name(name_of(symbol))] = parse_version(number)
        except TypeError as error:
            raise TypeError(f"versions, at {short(symbol)}: {error}") from None
    return found


def delete_snapshot(catalog: Catalog, name: str) -> None:
    """Delete a snapshot; what only it held is freed."""
    catalog.check_writable("delete_snapshot")
    with catalog.store.reading() as reader:
        try:
            symbols = list(read_snapshot(reader, catalog.library, name).symbols)
        except Damage:
            symbols = []  # a damaged snapshot holds nothing that could be read; it may still be deleted
    catalog.store.delete([snapshot_key(name)])
    if catalog.store.atomic:
        # Without a grace period, what the snapshot held can go at once: its symbols' heads still list it as retired.
        for symbol in _retiring(catalog, symbols):
            commit(catalog, symbol, _free_retired, operation="delete_snapshot")


def list_snapshots(catalog: Catalog, load_metadata: bool = True) -> dict[str, Any] | list[str]:
    """The names of all snapshots, with their metadata unless told otherwise."""
    try:
        with catalog.store.reading() as reader:
            found, _ = snapshots(reader)
    except Damage as damage:
        raise damaged(damage, catalog.library, None) from damage
    if not load_metadata:
        return [each.name for each in found]
    return {each.name: decode_metadata(each.metadata) if each.metadata else None for each in found}


def _retiring(catalog: Catalog, symbols: list[str]) -> list[str]:
    """Those of some symbols whose heads list retired keys, or cannot be read: all are looked at in one view."""

    def is_retiring(key: str, stored: Stored) -> bool:
        try:
            return bool(checked_head(key, stored.data).retired)
        except Damage:
            return True

    keys = [head_key(symbol) for symbol in symbols]
    with catalog.store.reading() as reader:
        heads = zip(symbols, keys, reader.get_many(keys), strict=True)
        return [symbol for symbol, key, stored in heads if stored is not None and is_retiring(key, stored)]


def _free_retired(draft: Draft) -> None:
    draft.changed = bool(draft.head.retired)


def _to_hold(
    reader: Reader, catalog: Catalog, versions: Mapping[str, int], skipped: set[str]
) -> tuple[dict[str, Any], dict[str, str | None]]:
    """What a snapshot names, and the heads that must not change until it is published."""
    if versions:
        keys = [head_key(symbol) for symbol in versions]
    else:
        keys = [entry.key for entry in reader.list(HEADS) if not is_tombstone(entry.size)]
        if not keys:
            raise NoSuchVersionException(
                f"library '{catalog.library}' has no symbols, so there is nothing for a snapshot to hold."
            )
    held: dict[str, Any] = {}
    unchanged: dict[str, str | None] = {}
    wanted = list(versions.items())
    for number, (key, stored) in enumerate(zip(keys, reader.get_many(keys), strict=True)):
        unchanged[key] = None if stored is None else stored.tag
        history = None if stored is None else History(reader, checked_head(key, stored.data))
        if versions:
            symbol, asked = wanted[number]
            version = history.numbered(asked) if history is not None else None
            if version is None:
                version = _held_elsewhere(reader, catalog, symbol, asked)
            held[symbol] = encode_held(_hold(version))
        elif history is not None and history.head.symbol not in skipped:
            latest = history.latest()
            if latest is not None:
                held[history.head.symbol] = encode_held(_hold(latest))
    return held, unchanged


def _held_elsewhere(reader: Reader, catalog: Catalog, symbol: str, number: int) -> Version:
    """A version that is deleted but that another snapshot still holds."""
    for other in snapshots(reader)[0]:
        version = held_version(reader, other, symbol)
        if version is not None and version.record.number == number:
            return version
    raise NoSuchVersionException(
        f"symbol '{symbol}' has no version {number} in library '{catalog.library}', so no snapshot was made. "
        f"list_versions('{symbol}') shows the versions there are."
    )


def _hold(version: Version) -> Held:
    contents = version.contents
    pool = {}
    for identifier in contents.manifest.inlined:
        data = contents.pieces.inlined(identifier)
        if data is not None:
            pool[identifier] = data
    return Held(version.record, encode_manifest(contents.manifest), pool)
