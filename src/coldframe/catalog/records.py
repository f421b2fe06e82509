"""What a head holds: version records, manifests, the pool of inlined bytes, references to logs, retired keys.

These are msgpack arrays in the order of the attributes (docs/format.md gives them byte by byte). Parts that a reader
of the newest version does not need stay undecoded (`msgspec.Raw`), so a head with hundreds of versions opens fast.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.format.checksums import seal, unseal

HEAD = b"HEAD"
LOG = b"LOGC"

SORTED = ("UNKNOWN", "ASCENDING", "DESCENDING", "UNSORTED")
UNKNOWN, ASCENDING, DESCENDING, UNSORTED = range(4)


class Record(msgspec.Struct, array_like=True):
    """One version of a symbol.

    Attributes
    ----------
    number, created : int
        Version number; nanoseconds since 1970, strictly increasing within the symbol.
    commit : bytes
        The id of the commit that made it.
    cause : str
        The operation that made it: write, append, update, ...
    manifest, rows : int
        The version is the first `rows` rows of the manifest with this number.
    sorted : int
        Position in `SORTED`.
    first, last : int or None
        Values of the first and the last row of a time index, in its own unit.
    metadata : bytes or None
        The user's metadata as bytes, or
    metadata_piece : bytes or None
        the id of the piece that holds it.
    """

    number: int
    created: int
    commit: bytes
    cause: str
    manifest: int
    rows: int
    sorted: int = UNKNOWN
    first: int | None = None
    last: int | None = None
    metadata: bytes | None = None
    metadata_piece: bytes | None = None


class LogRef(msgspec.Struct, array_like=True):
    """A sealed chunk of older records: which versions it holds.

    `size` is that of its object in bytes. `spanning` is the number of a manifest that its newest records share with
    newer ones, and so is not in the chunk; `home` is the id of the log that holds it, None while the head does.
    `numbers` and `created` are the log's own columns once more, so that versions are listed without fetching it; they
    are left out of the oldest logs.
    """

    id: bytes
    count: int
    first_number: int
    last_number: int
    first_created: int
    last_created: int
    size: int
    spanning: int | None = None
    home: bytes | None = None
    numbers: bytes = b""
    created: bytes = b""


class Retired(msgspec.Struct, array_like=True):
    """A key that the symbol no longer names: `at` is in seconds.

    `kind` is D (segment), M (piece), C (chunk, for itself and the segments it names), L (log, for itself and all that
    its versions name) or G (log, for itself: its versions stand in another).
    """

    kind: str
    id: bytes
    at: int


class Sealed(msgspec.Struct, array_like=True):
    """Records with the manifests and inlined pieces that belong to them: the body of a log, and part of a head."""

    numbers: bytes = b""
    created: bytes = b""
    records: list[msgspec.Raw] = []
    manifests: dict[int, msgspec.Raw] = {}
    pool: dict[bytes, bytes] = {}


class Head(msgspec.Struct, array_like=True):
    """The one mutable object of a symbol.

    Attributes
    ----------
    symbol : str
    next_number, last_created : int
        Never go back, even when every version is deleted.
    commits : list of bytes
        The ids of the newest commits, newest last: how a writer whose reply was lost finds out that it won.
    live : Sealed
        The newest versions, oldest first.
    logs : list of LogRef
        Older versions, oldest first.
    retired : list of Retired
    appended : list of (key digest, version)
        Idempotency keys of the newest appends that had one.
    """

    symbol: str
    next_number: int = 0
    last_created: int = 0
    commits: list[bytes] = []
    live: Sealed = msgspec.field(default_factory=Sealed)
    logs: list[LogRef] = []
    retired: list[Retired] = []
    appended: list[tuple[bytes, int]] = []


_encoder = msgspec.msgpack.Encoder()
_heads = msgspec.msgpack.Decoder(Head)
_logs = msgspec.msgpack.Decoder(Sealed)
_records = msgspec.msgpack.Decoder(Record)

encode = _encoder.encode


def encode_head(head: Head) -> bytes:
    """The head as stored: a tombstone's size is odd, a live head's even, so a listing tells them apart."""
    return seal(HEAD, _encoder.encode(head), odd=not head.live.records and not head.logs)


def decode_head(data: bytes | bytearray | memoryview) -> Head:
    """The head from its stored bytes; raises `Damage`."""
    return _heads.decode(unseal(HEAD, data))


def is_tombstone(size: int) -> bool:
    """Whether a head of this many stored bytes is a tombstone."""
    return size % 2 == 1


def encode_log(log: Sealed) -> bytes:
    """A log as stored."""
    return seal(LOG, _encoder.encode(log))


def decode_log(data: bytes | bytearray | memoryview) -> Sealed:
    """A log from its stored bytes; raises `Damage`."""
    return _logs.decode(unseal(LOG, data))


def decode_record(raw: msgspec.Raw) -> Record:
    """A version record from its place in a head or log."""
    return _records.decode(raw)


def integers(data: bytes) -> NDArray[np.int64]:
    """A column of numbers as stored: little-endian int64."""
    return np.frombuffer(data, dtype="<i8")


def packed(values: NDArray[np.int64] | list[int]) -> bytes:
    """A column of numbers for storing."""
    return np.asarray(values, dtype="<i8").tobytes()
