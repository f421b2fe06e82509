"""Checksums, and the sealed envelope around every object that is not a segment.

An envelope is a header of 28 bytes, the payload, and at most one byte of padding; `docs/format.md` has the bytes.
The place of magic, version, lengths and checksum is the same in every version of the format, so that an older
release can tell damage from an object that is merely newer than itself.
"""

from __future__ import annotations

from struct import Struct

import xxhash

from coldframe.exceptions import CompatibilityException

FORMAT_VERSION = 1
"""The version of the format that this release writes, and the newest it reads."""

MAGIC = b"CFRM"

_HEADER = Struct("<4s4sHHQ")
_CHECK = Struct("<Q")
_START = _HEADER.size + _CHECK.size
_PADDED = 1

Buffer = bytes | bytearray | memoryview


class Damage(Exception):
    """Bytes that are not what was written.

    The layers above know which library, symbol, version and key they were reading and raise
    `DamagedDataException` in its place.

    Parameters
    ----------
    reason : str
        What does not fit, e.g. ``"checksum mismatch"``.
    key : str, optional
        The key of the damaged object, filled in by the layer that knows it.
    """

    def __init__(self, reason: str, key: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.key = key

    def within(self, place: str) -> Damage:
        """The same damage, saying where it is."""
        return Damage(f"{place}: {self.reason}", self.key)


checksum = xxhash.xxh3_64_intdigest
"""The xxh3 checksum (64 bits, seed 0) of a buffer, as an int."""


def require_version(version: int, what: str) -> None:
    """Refuse an object of a format that this release does not know."""
    if version > FORMAT_VERSION:
        raise CompatibilityException(
            f"the {what} is of format version {version}, this release reads up to version {FORMAT_VERSION}; "
            "upgrade coldframe to read it"
        )
    if version < 1:
        raise Damage(f"format version {version} does not exist")


def seal(kind: bytes, payload: Buffer, *, odd: bool | None = None) -> bytes:
    """Put a payload into an envelope.

    Parameters
    ----------
    kind : bytes
        What the payload is, four bytes, e.g. ``b"HEAD"``.
    payload : buffer
        The bytes to protect.
    odd : bool, optional
        Whether the whole shall have an odd or an even number of bytes; None: whatever it comes to.

    Examples
    --------
    >>> bytes(unseal(b"HEAD", seal(b"HEAD", b"payload")))
    b'payload'
    >>> len(seal(b"HEAD", b"payload", odd=True)) % 2, len(seal(b"HEAD", b"payload", odd=False)) % 2
    (1, 0)
    """
    padded = odd is not None and (_START + len(payload)) % 2 != odd
    header = _HEADER.pack(MAGIC, kind, FORMAT_VERSION, _PADDED if padded else 0, len(payload))
    return b"".join((header, _CHECK.pack(_digest(header, payload)), payload, b"\0" if padded else b""))


def unseal(kind: bytes, data: Buffer) -> memoryview:
    """The payload of an envelope, without copying.

    Raises
    ------
    Damage
        The bytes are not an undamaged envelope of this kind.
    CompatibilityException
        The envelope is intact and of a newer format.
    """
    view = memoryview(data)
    if len(view) < _START:
        raise Damage(f"{len(view)} bytes are too few for an object")
    magic, found, version, flags, length = _HEADER.unpack_from(view)
    (check,) = _CHECK.unpack_from(view, _HEADER.size)
    if magic != MAGIC:
        raise Damage("not an object of coldframe: the magic is missing")
    padding = flags & _PADDED
    if len(view) != _START + length + padding:
        raise Damage(f"{len(view)} bytes where the header says {_START + length + padding}")
    payload = view[_START : _START + length]
    if _digest(view[: _HEADER.size], payload) != check or (padding and view[-1] != 0):
        raise Damage("checksum mismatch")
    require_version(version, "object")
    if found != kind:
        raise Damage(f"an object of kind {bytes(found)!r} where {kind!r} belongs")
    if flags & ~_PADDED:
        raise Damage(f"unknown flags {flags:#x}")
    return payload


def _digest(header: Buffer, payload: Buffer) -> int:
    digest = xxhash.xxh3_64(header)
    digest.update(payload)
    return digest.intdigest()
