"""Everything a library needs from an object store, tried one by one, with what to do about what fails."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from coldframe.cli import surroundings
from coldframe.cli.findings import Row, failed, passed, unknown
from coldframe.exceptions import ArcticException
from coldframe.stores.object_client import OVERWRITE, Client
from coldframe.stores.object_errors import Operation
from coldframe.stores.object_failures import Failure, Kind
from coldframe.stores.object_probe import STALE_TAG, probe
from coldframe.stores.object_requests import Requests
from coldframe.stores.object_retry import Patience
from coldframe.stores.object_storage import ObjectStorage
from coldframe.stores.object_uri import parse

FOLDER = "_coldframe_check"
BODY = b"coldframe check"
ROUNDS = 5


def check(uri: str, *, read_only: bool = False) -> list[Row]:
    """Try a connection string; nothing is left behind.

    Parameters
    ----------
    uri : str
    read_only : bool
        Only what reading needs; nothing is written.
    """
    storage = parse(uri, read_only=True)
    storage.target = storage.requests.target = replace(storage.target, patience=Patience(total=4.0, connecting=1.5))
    rows = surroundings.look(storage)
    if any(row.ok is False for row in rows if row.name in ("connection", "TLS", "credentials")):
        return rows  # every request would fail for the same reason
    return rows + (_reading(storage) if read_only else _everything(storage))


def _reading(storage: ObjectStorage) -> list[Row]:
    folder = _folder(storage)
    missing = f"{folder}/none"
    rows = [_try(storage, Operation.LIST, folder, lambda client: next(client.pages(folder, ""), None))]
    rows += _getting(storage, missing, absent=True)
    if all(row.ok for row in rows):
        rows.append(_round_trips(storage.requests, "round trip (list)", Operation.LIST,
                                 lambda client: next(client.pages(folder, ""), None)))
    return rows


def _everything(storage: ObjectStorage) -> list[Row]:
    folder = _folder(storage)
    path = f"{folder}/{uuid.uuid4().hex}"
    # Whether deleting is allowed is found out first, with nothing to delete, so that nothing is left behind if not.
    deleting = _try(storage, Operation.DELETE, path, lambda client: client.delete([path]))
    if not deleting.ok:
        return [*_without_deleting(storage, path), deleting, *_reading(storage)[:3]]
    try:
        rows = [_try(storage, Operation.PUT, path, lambda client: client.put(path, BODY, OVERWRITE))]
        rows += _getting(storage, path, absent=not rows[0].ok)
        rows.append(_try(storage, Operation.LIST, folder, lambda client: next(client.pages(folder, ""), None)))
        if rows[0].ok and rows[1].ok:
            rows.append(_conditions(storage, folder))
            rows.append(_round_trips(storage.requests, "round trip (1 kB read)", Operation.GET,
                                     lambda client: client.get(path)))
            rows.append(_round_trips(storage.requests, "round trip (1 kB write)", Operation.PUT,
                                     lambda client: client.put(path, bytes(1000), OVERWRITE)))
    finally:
        with suppress(ArcticException):
            storage.requests.call(Operation.DELETE, path, lambda client: client.delete([path]))
    return [*rows[:4], deleting, *rows[4:]]


def _getting(storage: ObjectStorage, path: str, *, absent: bool) -> list[Row]:
    getting = _try(storage, Operation.GET, path, lambda client: client.get(path), absent=absent)
    if not getting.ok:  # the answer to HeadObject has no body that could say why not
        return [getting, unknown(Operation.HEAD.value, "not tried: it needs what GetObject needs")]
    return [getting, _try(storage, Operation.HEAD, path, lambda client: client.head(path), absent=absent)]


def _without_deleting(storage: ObjectStorage, path: str) -> list[Row]:
    """Whether writing is allowed, asked with a condition that cannot hold."""
    condition = f"={STALE_TAG}" if storage.target.kind == "s3" else '="0x0"'
    row = _try(storage, Operation.PUT, path, lambda client: client.put(path, BODY, condition), absent=True)
    return [row]


def _conditions(storage: ObjectStorage, folder: str) -> Row:
    started = time.perf_counter()
    try:
        finding = storage.requests.workers.run(probe, storage.requests, folder)
    except ArcticException as error:
        return failed("conditional writes", _first(error), _remedy(error))
    took = (time.perf_counter() - started) * 1000
    if finding.honoured:
        spelling = "If-Match with quotes" if finding.quoted else "If-None-Match and If-Match"
        return passed("conditional writes", f"honours {spelling}", milliseconds=took)
    remedy = ("use a store that does conditional writes; or, if only one process ever writes at a time, add "
              "unsafe_writes=true")
    answer = passed if storage.target.unsafe_writes else failed
    return answer("conditional writes", finding.trouble, remedy, took)


def _try(storage: ObjectStorage, operation: Operation, path: str, attempt: Callable[[Client], object], *,
         absent: bool = False) -> Row:
    """Make one request; with `absent` the server's saying that there is no such object is what is wanted."""
    expected: frozenset[object] = frozenset({Kind.MISSING, Kind.CONDITION}) if absent else frozenset()
    started = time.perf_counter()
    try:
        storage.requests.call(operation, path, attempt, expected)
    except Failure:
        pass
    except ArcticException as error:
        return failed(operation.value, _first(error), _remedy(error))
    return passed(operation.value, path, milliseconds=(time.perf_counter() - started) * 1000)


def _round_trips(requests: Requests, name: str, operation: Operation, attempt: Callable[[Client], object]) -> Row:
    took = []
    try:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            requests.call(operation, FOLDER, attempt)
            took.append((time.perf_counter() - started) * 1000)
    except ArcticException as error:
        return unknown(name, _first(error))
    return passed(name, f"median of {ROUNDS}; {min(took):.1f} to {max(took):.1f} ms",
               milliseconds=statistics.median(took))


def _folder(storage: ObjectStorage) -> str:
    prefix = storage.target.prefix
    return f"{prefix}/{FOLDER}" if prefix else FOLDER


def _first(error: ArcticException) -> str:
    return error.message.split("; ", 1)[0]


def _remedy(error: ArcticException) -> str:
    return error.message.partition("; ")[2]
