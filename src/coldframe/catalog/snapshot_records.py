"""What a snapshot holds: for each symbol one version with everything needed to read it, inlined pieces included."""

from __future__ import annotations

import msgspec

from coldframe.catalog.records import Record
from coldframe.format.checksums import seal, unseal

SNAPSHOT = b"SNAP"


class Held(msgspec.Struct, array_like=True):
    """One version as held by a snapshot; `pool` has the pieces that lay inlined in the symbol's head."""

    record: Record
    manifest: msgspec.Raw
    pool: dict[bytes, bytes]


class Snapshot(msgspec.Struct, array_like=True):
    """An immutable set of versions under a name. `symbols` maps a symbol to its undecoded `Held`."""

    name: str
    created: int
    metadata: bytes
    symbols: dict[str, msgspec.Raw]


_snapshots = msgspec.msgpack.Decoder(Snapshot)
_held = msgspec.msgpack.Decoder(Held)
_encode = msgspec.msgpack.Encoder().encode


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The snapshot as stored."""
    return seal(SNAPSHOT, _encode(snapshot))


def decode_snapshot(data: bytes | bytearray | memoryview) -> Snapshot:
    """The snapshot from its stored bytes; raises `Damage`.

    Snapshots outlive the view they were read in, and their undecoded parts are views of the bytes: hence the copy.
    """
    return _snapshots.decode(unseal(SNAPSHOT, bytes(data)))


def encode_held(held: Held) -> msgspec.Raw:
    """One version for a snapshot."""
    return msgspec.Raw(_encode(held))


def decode_held(raw: msgspec.Raw) -> Held:
    """One version from a snapshot."""
    return _held.decode(raw)
