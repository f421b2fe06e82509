"""Finding out whether a store honours conditional writes, before anything depends on it."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass

from coldframe.exceptions import ArcticException, ErrorCode, StorageException
from coldframe.stores.object_client import CREATE, Client
from coldframe.stores.object_errors import Operation
from coldframe.stores.object_failures import Failure, Kind
from coldframe.stores.object_requests import Requests

_REFUSED: frozenset[object] = frozenset({Kind.CONDITION, Kind.CONTENTION})
_ANSWERED: frozenset[object] = _REFUSED | {Kind.UNSUPPORTED}
STALE_TAG = "00000000000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the probe found.

    Attributes
    ----------
    honoured : bool
        Whether a conditional write that must not happen does not, and one that must does.
    quoted : bool
        Whether the store wants the quotes of an ETag in If-Match.
    trouble : str
        What went wrong where it is not honoured.
    """

    honoured: bool
    quoted: bool = False
    trouble: str = ""


def probe(requests: Requests, folder: str) -> Finding:
    """Create an object twice, replace it with a stale tag and with the current one, and remove it."""
    path = f"{folder}/probe-{uuid.uuid4().hex}"
    try:
        return _probe(requests, path)
    finally:
        _remove(requests, path)


def _probe(requests: Requests, path: str) -> Finding:
    created = _put(requests, path, b"1", CREATE)
    if isinstance(created, Failure):
        return Finding(honoured=False, trouble=f"it refuses If-None-Match ({created.words()})")
    if not isinstance(_put(requests, path, b"2", CREATE), Failure):
        return Finding(honoured=False, trouble="it ignores If-None-Match and overwrites an object that exists")
    current = requests.persist(Operation.GET, path, lambda client: client.get(path)).tag
    if requests.target.kind != "s3":
        stale = current[:-1] + ("1" if current[-1:] != "1" else "2") if requests.target.kind == "gcs" else '"0x0"'
        return _replace(requests, path, stale, current, quoted=False)
    bare = _replace(requests, path, STALE_TAG, current.strip('"'), quoted=False)
    if bare.honoured:
        return bare
    current = requests.persist(Operation.GET, path, lambda client: client.get(path)).tag
    with_quotes = _replace(requests, path, f'"{STALE_TAG}"', current, quoted=True)
    return with_quotes if with_quotes.honoured else bare


def _replace(requests: Requests, path: str, stale: str, current: str, *, quoted: bool) -> Finding:
    if not isinstance(_put(requests, path, b"3", f"={stale}"), Failure):
        return Finding(honoured=False, trouble="it ignores If-Match and overwrites an object that has changed")
    replaced = _put(requests, path, b"4", f"={current}")
    if isinstance(replaced, Failure):
        return Finding(honoured=False, trouble=f"it refuses If-Match with the object's own ETag ({replaced.words()})")
    return Finding(honoured=True, quoted=quoted)


def _put(requests: Requests, path: str, data: bytes, condition: str) -> str | Failure:
    """The new tag, or the failure if the condition was refused."""
    def attempt(client: Client) -> str:
        return client.put(path, data, condition)

    try:
        return requests.persist(Operation.PUT, path, attempt, _ANSWERED)
    except Failure as failure:
        return failure


def _remove(requests: Requests, path: str) -> None:
    with suppress(ArcticException):  # a writer without the right to delete leaves a tiny object that no one reads
        requests.persist(Operation.DELETE, path, lambda client: client.delete([path]))


def refusal(finding: Finding, requests: Requests) -> ArcticException:
    """The error for a store that does not honour conditional writes."""
    target = requests.target
    return StorageException(
        f"the store at {target.address()} (bucket {target.bucket!r}) does not do conditional writes: "
        f"{finding.trouble}. Two writers of one symbol would silently lose each other's data, so no library is created "
        "there. Use a store that honours If-None-Match and If-Match on PUT, or, if only one process ever writes at a "
        "time, say unsafe_writes=true in the connection string",
        code=ErrorCode.E_UNSUPPORTED_ATOMIC_OPERATION)
