"""Ids of stored objects: 16 bytes that begin with the time they were made, so that an orphan's age is in its key."""

from __future__ import annotations

import base64
import os
import time
from functools import lru_cache

ID_BYTES = 16
_TIME_BYTES = 6


def new_id() -> bytes:
    """A new id: 6 bytes of milliseconds since 1970 (big-endian) and 10 random bytes."""
    return (time.time_ns() // 1_000_000).to_bytes(_TIME_BYTES, "big") + os.urandom(ID_BYTES - _TIME_BYTES)


@lru_cache(4096)  # a segment's key is needed again at each read, and base32 costs more than finding it
def id_text(identifier: bytes) -> str:
    """The id as it stands in keys: 26 characters of base32hex, in the order of the bytes."""
    return base64.b32hexencode(identifier).rstrip(b"=").decode("ascii").lower()


def id_of_text(text: str) -> bytes | None:
    """The id in a key; None where the text is not one."""
    try:
        identifier = base64.b32hexdecode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        return None
    return identifier if len(identifier) == ID_BYTES else None


def id_seconds(identifier: bytes) -> float:
    """When the id was made, in seconds since 1970 by its maker's clock."""
    return int.from_bytes(identifier[:_TIME_BYTES], "big") / 1000
