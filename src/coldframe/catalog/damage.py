"""Damage found below becomes an error that says where: library, symbol, version, key."""

from __future__ import annotations

from coldframe.exceptions import DamagedDataException
from coldframe.format.checksums import Damage


def damaged(damage: Damage, library: str, symbol: str | None, version: int | None = None) -> DamagedDataException:
    """The error for damage met while working on a symbol."""
    place = f"library '{library}'"
    if symbol is not None:
        place += f", symbol '{symbol}'"
    if version is not None:
        place += f", version {version}"
    if damage.key:
        place += f", key '{damage.key}'"
    return DamagedDataException(
        f"stored bytes are damaged: {damage} ({place}). Nothing was read from them. Restore the object from a backup, "
        "or "
        "read another version; Library.verify() lists everything that is damaged."
    )
