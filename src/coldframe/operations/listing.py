"""Listing: symbols and versions, live or in snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.damage import damaged
from coldframe.catalog.keys import HEADS, head_key
from coldframe.catalog.names import decode_symbol, symbol_of
from coldframe.catalog.reclaim import snapshots
from coldframe.catalog.records import Head, integers, is_tombstone
from coldframe.catalog.snapshot_records import Snapshot, decode_held
from coldframe.catalog.versions import History, checked_head, read_snapshot
from coldframe.exceptions import InternalException, NoSuchVersionException
from coldframe.format.checksums import Damage
from coldframe.operations.arguments import parse_as_of
from coldframe.operations.results import VersionRow
from coldframe.operations.versions import with_version
from coldframe.stores.base import Reader


def list_symbols(catalog: Catalog, snapshot: str | None = None, regex: str | None = None) -> list[str | int]:
    """All live symbols, or those a snapshot holds; with `regex` those in whose names it is found."""
    pattern = None
    if regex is not None:
        try:
            pattern = re.compile(regex)
        except (re.error, TypeError) as error:
            raise InternalException(
                f"regex {regex!r} is not a valid regular expression: {error}. Escape special characters with a "
                "backslash."
            ) from None
    with catalog.store.reading() as reader:
        if snapshot is not None:
            names = list(_snapshot(reader, catalog, snapshot).symbols)
        else:
            names = _live_symbols(reader, catalog)
    symbols = [symbol_of(name) for name in names]
    return symbols if pattern is None else [one for one in symbols if isinstance(one, str) and pattern.search(one)]


def has_symbol(catalog: Catalog, symbol: Any, as_of: Any = None) -> bool:
    """Whether a symbol has a live version, or the version that `as_of` means."""
    if not isinstance(symbol, str):
        return False
    try:
        with_version(catalog, symbol, parse_as_of(as_of), lambda *_: None)
    except NoSuchVersionException:
        return False
    return True


def list_versions(
    catalog: Catalog,
    symbol: str | None = None,
    snapshot: str | None = None,
    latest_only: bool = False,
    skip_snapshots: bool = False,
) -> list[VersionRow]:
    """The versions of one symbol or all, newest first for each symbol."""
    try:
        with catalog.store.reading() as reader:
            if snapshot is not None:
                return _versions_in_snapshot(reader, catalog, snapshot, symbol, alone=skip_snapshots)
            looks: list[Callable[[], Any]] = [lambda: _heads(reader, symbol)]
            if not skip_snapshots:
                looks.append(lambda: snapshots(reader)[0])
            heads, *holders = reader.concurrently(lambda look: look(), looks)
            return _rows(reader, heads, holders[0] if holders else [], symbol, latest_only=latest_only)
    except Damage as damage:
        raise damaged(damage, catalog.library, symbol) from damage


def _rows(
    reader: Reader, heads: dict[str, Head], holders: list[Snapshot], symbol: str | None, *, latest_only: bool
) -> list[VersionRow]:
    held = _held(holders, symbol)
    rows: list[VersionRow] = []
    for name in sorted(heads.keys() | held.keys()):
        kept = held.get(name, {})
        numbers: list[int] = []
        created: list[int] = []
        if name in heads:
            history = History(reader, heads[name])
            live = heads[name].live
            for group in [(live.numbers, live.created)] if latest_only else history.columns():
                numbers.extend(integers(group[0]).tolist())
                created.extend(integers(group[1]).tolist())
        if not kept:
            pairs = zip(numbers[::-1], created[::-1], strict=True)
            found = [VersionRow(name, n, c, deleted=False, snapshots=[]) for n, c in pairs]
        else:
            times = dict(zip(numbers, created, strict=True))
            found = [
                VersionRow(name, n, times.get(n) or kept[n][0], n not in times, kept[n][1] if n in kept else [])
                for n in sorted(times.keys() | kept.keys(), reverse=True)
            ]
        rows.extend([row for row in found if not row.deleted][:1] if latest_only else found)
    return rows


def _held(holders: list[Snapshot], symbol: str | None) -> dict[str, dict[int, tuple[int, list[str]]]]:
    """For each symbol: the versions that snapshots hold, with creation time and the snapshots' names."""
    found: dict[str, dict[int, tuple[int, list[str]]]] = {}
    for snapshot in holders:
        names = snapshot.symbols if symbol is None else [symbol] if symbol in snapshot.symbols else []
        for name in names:
            record = decode_held(snapshot.symbols[name]).record
            found.setdefault(name, {}).setdefault(record.number, (record.created, []))[1].append(snapshot.name)
    return found


def _versions_in_snapshot(
    reader: Reader, catalog: Catalog, name: str, symbol: str | None, *, alone: bool
) -> list[VersionRow]:
    """What a snapshot holds, with every snapshot that holds the same, unless it is looked at `alone`."""
    snapshot = _snapshot(reader, catalog, name)
    held = {} if alone else _held(snapshots(reader)[0], symbol)
    rows = []
    for held_symbol, raw in sorted(snapshot.symbols.items()):
        if symbol is None or symbol == held_symbol:
            record = decode_held(raw).record
            # Another may delete the snapshot between the two looks at it.
            others = held.get(held_symbol, {}).get(record.number, (0, [name]))[1]
            holders = [] if alone else others
            rows.append(VersionRow(held_symbol, record.number, record.created, deleted=False, snapshots=holders))
    return rows


def _snapshot(reader: Reader, catalog: Catalog, name: str) -> Snapshot:
    try:
        return read_snapshot(reader, catalog.library, name)
    except Damage as damage:
        raise damaged(damage, catalog.library, None) from damage


def _heads(reader: Reader, symbol: str | None) -> dict[str, Head]:
    if symbol is not None:
        keys = [head_key(symbol)]
    else:
        keys = [entry.key for entry in reader.list(HEADS) if not is_tombstone(entry.size)]
    found: dict[str, Head] = {}
    for key, stored in zip(keys, reader.get_many(keys), strict=True):
        if stored is not None:
            head = checked_head(key, stored.data)
            found[head.symbol] = head
    return found


def _live_symbols(reader: Reader, catalog: Catalog) -> list[str]:
    # A library may have very many symbols: this is short work for each.
    spelled = [key[len(HEADS) :] for key, size in reader.list(HEADS) if not is_tombstone(size)]
    names: list[str] = []
    shortened: list[str] = []
    for spelling, name in zip(spelled, map(decode_symbol, spelled), strict=True):
        if name is None:
            shortened.append(HEADS + spelling)
        else:
            names.append(name)
    for key, stored in zip(shortened, reader.get_many(shortened), strict=True):
        if stored is not None:
            try:
                names.append(checked_head(key, stored.data).symbol)
            except Damage as damage:
                raise damaged(damage, catalog.library, None) from damage
    return names
