"""The draft of a symbol's next head: what one commit adds, drops and retires, as changes to values, without I/O.

An operation gets a draft made from the current head, changes it, and `commit` publishes the result. If another
writer was faster, the draft is thrown away and the operation gets a new one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from coldframe.catalog.catalog import Catalog
from coldframe.catalog.ids import new_id
from coldframe.catalog.keys import data_key, log_key, manifest_key
from coldframe.catalog.manifest import Contents, decode_manifest, encode_manifest, keep_rows
from coldframe.catalog.pieces import Pieces, sealed_piece
from coldframe.catalog.records import (
    UNKNOWN,
    Head,
    LogRef,
    Record,
    Retired,
    Sealed,
    decode_record,
    encode,
    encode_head,
    encode_log,
    integers,
    packed,
)
from coldframe.catalog.versions import History, Version
from coldframe.stores.base import Buffer, Limits, Reader

COMMITS_KEPT = 64
APPENDS_KEPT = 1024
RECORDS_KEPT = 512
LOG_FAN = 8
"""So many logs of about one size in a row are made into one."""
LOG_HEADS = 16
"""A log has at most about so many times the bytes of a full head."""


class Draft:
    """One attempt at changing a symbol.

    Attributes
    ----------
    catalog : Catalog
    history : History
        The symbol as the head shows it now.
    tag : str or None
        The head's tag in the store; None where the symbol has no head.
    commit : bytes
        The id of this commit.
    changed : bool
        Whether there is anything to publish.
    puts : list of (key, buffer)
        Objects to store before the swap.
    freed : list of str
        Keys to remove after it.
    """

    def __init__(self, catalog: Catalog, reader: Reader, head: Head, tag: str | None, commit: bytes) -> None:
        self.catalog = catalog
        self.history = History(reader, head)
        self.tag = tag
        self.commit = commit
        self.changed = False
        self.puts: list[tuple[str, Buffer]] = []
        self.freed: list[str] = []
        self._data: dict[bytes, bytes] = {}

    @property
    def head(self) -> Head:
        """The head that is being changed."""
        return self.history.head

    @property
    def limits(self) -> Limits:
        """How the store wants its objects cut."""
        return self.catalog.store.limits

    def store_segments(self, segments: Mapping[bytes, Buffer]) -> None:
        """Take in new segments: inlined when together they are small, else as objects of their own."""
        if sum(len(data) for data in segments.values()) <= self.limits.inline_piece:
            self._data.update((identifier, bytes(data)) for identifier, data in segments.items())
        else:
            self.puts.extend((data_key(self.head.symbol, identifier), data) for identifier, data in segments.items())

    def add_version(
        self,
        cause: str,
        contents: Contents,
        *,
        sorted_as: int = UNKNOWN,
        first: int | None = None,
        last: int | None = None,
        metadata: bytes | None = None,
    ) -> Record:
        """Add the next version: all rows of `contents`, whose fresh pieces and segments become part of the head."""
        head = self.head
        record = Record(
            head.next_number,
            max(self.catalog.clock(), head.last_created + 1),
            self.commit,
            cause,
            contents.manifest.number,
            contents.manifest.rows,
            sorted_as,
            first,
            last,
        )
        if metadata is not None and len(metadata) > self.limits.inline_piece // 4:
            record.metadata_piece = new_id()
            self.puts.append((manifest_key(head.symbol, record.metadata_piece), sealed_piece(metadata)))
        else:
            record.metadata = metadata
        self._hold(contents)
        live = head.live
        live.numbers += packed([record.number])
        live.created += packed([record.created])
        live.records.append(msgspec.Raw(encode(record)))
        head.next_number = record.number + 1
        head.last_created = record.created
        self.changed = True
        return record

    def remember_append(self, digest: bytes, number: int) -> None:
        """Note the idempotency key of an append."""
        self.head.appended = [*self.head.appended, (digest, number)][-APPENDS_KEPT:]

    def appended(self, digest: bytes) -> int | None:
        """The version that an earlier append with this idempotency key made."""
        return next((number for known, number in reversed(self.head.appended) if known == digest), None)

    def keep_newest(self) -> None:
        """Drop every version but the newest: prune."""
        head = self.head
        if len(head.live.records) < 2 and not head.logs:
            return
        newest = self.history.latest()
        if newest is None:
            return
        kept = version_names(newest)
        doomed = _metadata_names_of(head.live.records[:-1])
        for number, raw in head.live.manifests.items():
            if number != newest.record.manifest:
                doomed |= _outline(Contents(decode_manifest(raw), newest.contents.pieces))
        doomed |= _log_names(head)
        self._retire(doomed - kept)
        head.logs = []
        _keep_records(head.live, [len(head.live.records) - 1], self.history)
        self.changed = True

    def drop(self, numbers: Iterable[int]) -> None:
        """Drop versions by number; those that are not live are passed over."""
        doomed = set(numbers)
        head = self.head
        oldest_in_head = integers(head.live.numbers)[0] if head.live.records else head.next_number
        if head.logs and min(doomed, default=head.next_number) <= oldest_in_head:
            self._drop_with_logs(doomed)
        else:
            positions = [i for i, n in enumerate(integers(head.live.numbers).tolist()) if n not in doomed]
            if len(positions) == len(head.live.records):
                return
            self._retire_run(_live_versions(self.history), doomed)
            _keep_records(head.live, positions, self.history)
        if head.logs and not head.live.records:
            self._unseal_newest_log()
        self._cut_newest()
        self.changed = True

    def drop_all(self) -> None:
        """Drop every version: the head becomes a tombstone that remembers the next number."""
        head = self.head
        if not head.live.records:
            return
        doomed = _metadata_names_of(head.live.records) | _log_names(head)
        pieces = Pieces(head.symbol, self.history.reader, head.live.pool)
        for raw in head.live.manifests.values():
            doomed |= _outline(Contents(decode_manifest(raw), pieces))
        self._retire(doomed)
        head.logs = []
        head.live = Sealed()
        self.changed = True

    def retire_replaced(self, new: Contents) -> None:
        """Retire what the newest manifest named before it was made into `new` under the same number.

        A manifest further back may share some of it: the one just before does, or none does.
        """
        lost = new.dropped
        if not lost:
            return
        before = self._contents_before(new.manifest.number)
        if before is not None:
            lost = lost - {("M", identifier) for identifier in before.piece_ids()}
            inlined = set(before.manifest.inlined)
            lost = {name for name in lost if name[1] not in inlined}
            if any(kind == "D" and identifier not in self.head.live.pool for kind, identifier in lost):
                lost -= {("D", identifier) for identifier in before.segment_ids()}
        self._retire(lost)
        for _, identifier in lost:
            self.head.live.pool.pop(identifier, None)

    def finish(self) -> bytes:
        """The bytes of the new head; older versions are sealed into a log where the head would be too large."""
        head = self.head
        head.commits = [*head.commits, self.commit][-COMMITS_KEPT:]
        self._shorten_index()
        data = encode_head(head)
        while (len(data) > self.limits.head or len(head.live.records) > RECORDS_KEPT) and len(head.live.records) > 1:
            self._seal_older()
            self._shorten_index()
            data = encode_head(head)
        return data

    # -- private ------------------------------------------------------------------------------------------------

    def _hold(self, contents: Contents) -> None:
        """Make a manifest part of the head, its fresh pieces and segments inlined or put."""
        live = self.head.live
        inlined = self._data
        for identifier, data in contents.fresh.items():
            if len(data) <= self.limits.inline_piece:
                inlined[identifier] = data
            else:
                self.history.fresh[identifier] = data
                self.puts.append((manifest_key(self.head.symbol, identifier), sealed_piece(data)))
        live.pool.update(inlined)
        contents.manifest.inlined = [*contents.manifest.inlined, *inlined]
        contents.fresh = {}
        self._data = {}
        live.manifests[contents.manifest.number] = encode_manifest(contents.manifest)

    def _retire(self, names: set[tuple[str, bytes]]) -> None:
        """Note names whose objects are to be freed; what lay in the pool goes with the head itself."""
        if not names:
            return
        now = self.catalog.clock() // 1_000_000_000
        pool = self.head.live.pool
        self.head.retired = self.head.retired + [
            Retired(kind, identifier, now) for kind, identifier in sorted(names) if identifier not in pool
        ]

    def _retire_run(self, versions: list[Version], doomed: set[int]) -> None:
        """Retire what only doomed versions name.

        Every version is made from the newest before it, so the versions that name an object stand next to each
        other: what the remaining neighbours of a doomed run do not name, nobody names.
        """
        previous: Version | None = None
        run: list[Version] = []
        for version in [*versions, None]:
            if version is not None and version.record.number in doomed:
                run.append(version)
                continue
            if run:
                kept = (version_names(previous) if previous else set()) | (version_names(version) if version else set())
                lost: set[tuple[str, bytes]] = set()
                for each in run:
                    lost |= version_names(each)
                self._retire(lost - kept)
                run = []
            previous = version

    def _drop_with_logs(self, doomed: set[int]) -> None:
        """Drop versions some of which are sealed: the logs concerned are written anew."""
        history, head = self.history, self.head
        before = _log_names(head)
        self._retire_run(list(history.versions()), doomed)
        logs: list[LogRef] = []
        staying = {
            ref.id: [i for i, n in enumerate(integers(history.log(ref).numbers).tolist()) if n not in doomed]
            for ref in head.logs
        }
        for ref in head.logs:
            log, positions = history.log(ref), staying[ref.id]
            if len(positions) == len(log.records):
                logs.append(ref)
                continue
            kept = Sealed(log.numbers, log.created, list(log.records), dict(log.manifests), dict(log.pool))
            spare = {other.spanning for other in head.logs if other.home == ref.id and staying[other.id]}
            _keep_records(kept, positions, history, spare=spare)
            if positions or kept.manifests:
                renewed = self._put_log(kept, ref)
                for other in [*head.logs, *logs]:
                    if other.home == ref.id:
                        other.home = renewed.id
                if positions:
                    logs.append(renewed)
        head.logs = logs
        self._drop_logs({identifier for _, identifier in before - _log_names(head)})
        positions = [i for i, n in enumerate(integers(head.live.numbers).tolist()) if n not in doomed]
        _keep_records(head.live, positions, history, spare={ref.spanning for ref in logs if ref.home is None})

    def _put_log(self, log: Sealed, like: LogRef | None = None) -> LogRef:
        identifier = new_id()
        data = encode_log(log)
        self.puts.append((log_key(self.head.symbol, identifier), data))
        numbers, created = integers(log.numbers), integers(log.created)
        bounds = (0, 0, 0, 0)
        if len(numbers):
            bounds = (int(numbers[0]), int(numbers[-1]), int(created[0]), int(created[-1]))
        ref = LogRef(identifier, len(numbers), *bounds, len(data), numbers=log.numbers, created=log.created)
        if like is not None:
            ref.spanning, ref.home = like.spanning, like.home
        self.history.keep_log(identifier, log)
        return ref

    def _seal_older(self) -> None:
        """Move the older half of the records in the head, and what only they need, into a new log."""
        head, live = self.head, self.head.live
        count = len(live.records) // 2
        records = [decode_record(raw) for raw in live.records]
        staying = {record.manifest for record in records[count:]}
        moving = {record.manifest for record in records[:count]} - staying
        log = Sealed(live.numbers[: count * 8], live.created[: count * 8], live.records[:count])
        for manifest in {ref.spanning for ref in head.logs if ref.home is None and ref.spanning is not None}:
            if manifest not in staying:
                moving.add(manifest)
        for manifest in sorted(moving):
            raw = live.manifests[manifest]
            log.manifests[manifest] = raw
            log.pool.update((i, live.pool[i]) for i in decode_manifest(raw).inlined)
        ref = self._put_log(log)
        last = records[count - 1].manifest
        ref.spanning = last if last in staying else None
        for older in head.logs:
            if older.spanning in moving and older.home is None:
                older.home = ref.id
        head.logs = [*head.logs, ref]
        _keep_records(live, list(range(count, len(records))), self.history)
        self._merge_logs()

    def _merge_logs(self) -> None:
        """Make one log of many small ones in a row, so that the head's list of logs stays short."""
        while True:
            logs = self.head.logs
            levels = [_log_level(ref.size, self.limits.head) for ref in logs]
            first = len(logs)
            while first and levels[first - 1] <= levels[-1]:
                first -= 1
            run = logs[first:]
            if len(run) < LOG_FAN or sum(ref.size for ref in run) > LOG_HEADS * self.limits.head:
                return
            before = _log_names(self.head)
            self.head.logs = [*logs[:first], self._merged(run)]
            self._drop_logs({identifier for _, identifier in before - _log_names(self.head)})

    def _drop_logs(self, gone: set[bytes]) -> None:
        """Retire the objects of logs, or do not store those that this draft has made itself."""
        keys = {log_key(self.head.symbol, identifier): identifier for identifier in gone}
        unstored = {key for key, _ in self.puts if key in keys}
        self.puts = [put for put in self.puts if put[0] not in unstored]
        self._retire({("G", identifier) for key, identifier in keys.items() if key not in unstored})

    def _merged(self, run: list[LogRef]) -> LogRef:
        """One log with the contents of several that follow each other.

        What these share with newer versions is one manifest, that of the last: a manifest is used in one stretch. One
        that lies elsewhere although its newer versions are gone is taken in.
        """
        merged = Sealed()
        kept = (run[-1].spanning, run[-1].home)
        for ref in run:
            if ref.spanning is not None and (ref.spanning, ref.home) != kept:
                home = self.history.home(ref)
                merged.manifests[ref.spanning] = home.manifests[ref.spanning]
                merged.pool.update((i, home.pool[i]) for i in decode_manifest(home.manifests[ref.spanning]).inlined)
            log = self.history.log(ref)
            merged.numbers += log.numbers
            merged.created += log.created
            merged.records = [*merged.records, *log.records]
            merged.manifests.update(log.manifests)
            merged.pool.update(log.pool)
        gone = {ref.id for ref in run}
        made = self._put_log(merged)
        if run[-1].home not in gone:
            made.spanning, made.home = run[-1].spanning, run[-1].home
        for other in self.head.logs:
            if other.home in gone:
                other.home = made.id
        return made

    def _shorten_index(self) -> None:
        """Leave the version numbers of the oldest logs to the logs themselves, where there are very many."""
        room = self.limits.head // 4
        for ref in reversed(self.head.logs):
            room -= 2 * len(ref.numbers)
            if room < 0:
                ref.numbers = ref.created = b""

    def _unseal_newest_log(self) -> None:
        """Bring the newest log back into the head, which must hold the newest version."""
        head = self.head
        ref = head.logs[-1]
        log = self.history.log(ref)
        manifests, pool = dict(head.live.manifests), dict(head.live.pool)
        if ref.spanning is not None and ref.home is not None:
            home = self.history.home(ref)
            manifests[ref.spanning] = home.manifests[ref.spanning]
            pool.update(home.pool)
        manifests.update(log.manifests)
        pool.update(log.pool)
        head.live = Sealed(log.numbers, log.created, list(log.records), manifests, pool)
        head.logs = head.logs[:-1]
        for older in head.logs:
            if older.home == ref.id:
                older.home = None
        self._retire({("G", ref.id)})

    def _cut_newest(self) -> None:
        """After newer versions are gone: the newest manifest must not go on beyond the newest version's rows."""
        newest = self.history.latest()
        if newest is None or newest.contents.manifest.rows == newest.record.rows:
            return
        shorter = keep_rows(newest.contents, newest.record.rows)
        self._hold(shorter)
        self.retire_replaced(shorter)

    def _contents_before(self, manifest: int) -> Contents | None:
        """The manifest in use just before the versions of this one.

        A manifest's number is that of the version that began it, and while it is in use no later version has an older
        one: the record to look for is the newest with a smaller number. At most one log is fetched.
        """
        for ref in (None, *reversed(self.head.logs)):
            if ref is not None and ref.first_number >= manifest:
                continue
            group = self.head.live if ref is None else self.history.log(ref)
            position = int(np.searchsorted(integers(group.numbers), manifest))
            if position:
                return self.history.contents(decode_record(group.records[position - 1]), group, ref)
        return None


def version_names(version: Version) -> set[tuple[str, bytes]]:
    """Everything a version names: (kind, id) of data and manifest pieces, inlined or not."""
    return _manifest_names(version.contents) | _metadata_names(version.record)


def _metadata_names(record: Record) -> set[tuple[str, bytes]]:
    return set() if record.metadata_piece is None else {("M", record.metadata_piece)}


def _manifest_names(contents: Contents) -> set[tuple[str, bytes]]:
    names = {("D", identifier) for identifier in contents.segment_ids()}
    names.update(("M", identifier) for identifier in contents.piece_ids())
    return names


def _log_level(size: int, base: int) -> int:
    """How often a log of this size was merged: logs of one level are of about one size."""
    return 0 if size <= base else math.ceil(math.log(size / base, LOG_FAN))


def _log_names(head: Head) -> set[tuple[str, bytes]]:
    homes = {ref.home for ref in head.logs if ref.home is not None}
    return {("L", identifier) for identifier in homes | {ref.id for ref in head.logs}}


def _live_versions(history: History) -> list[Version]:
    """The versions in the head itself, oldest first."""
    live = history.head.live
    records = [decode_record(raw) for raw in live.records]
    return [Version(history.head.symbol, r, history.contents(r, live, None)) for r in records]


def _metadata_names_of(records: list[msgspec.Raw]) -> set[tuple[str, bytes]]:
    names: set[tuple[str, bytes]] = set()
    for raw in records:
        names |= _metadata_names(decode_record(raw))
    return names


def _outline(contents: Contents) -> set[tuple[str, bytes]]:
    """What a manifest names, without fetching anything: a chunk that is not inlined stands for its segments."""
    names = {("M", identifier) for identifier in contents.manifest.schemas}
    for i, chunk in enumerate(contents.manifest.chunks):
        if contents.pieces.inlined(chunk.id) is None:
            names.add(("C", chunk.id))
        else:
            names.update(("D", identifier) for identifier in contents.chunk(i).named())
    return names


def _keep_records(group: Sealed, positions: list[int], history: History, spare: set[int | None] | None = None) -> None:
    """Cut a head's or log's records to some of them, with the manifests and inlined pieces that those need."""
    numbers, created = integers(group.numbers), integers(group.created)
    group.numbers, group.created = packed(numbers[positions]), packed(created[positions])
    group.records = [group.records[i] for i in positions]
    needed = {decode_record(raw).manifest for raw in group.records} | (spare or set())
    if group is history.head.live:
        needed |= {ref.spanning for ref in history.head.logs if ref.home is None}
    group.manifests = {number: raw for number, raw in group.manifests.items() if number in needed}
    kept: dict[bytes, bytes] = {}
    for raw in group.manifests.values():
        kept.update((i, group.pool[i]) for i in decode_manifest(raw).inlined)
    group.pool = kept
