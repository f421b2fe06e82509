"""What LMDB and the file system report, as coldframe's typed errors: which file, which key, what to do."""

# Paths are strings: to ask for a file by one takes half as long, and every read does.
# ruff: noqa: PTH120

from __future__ import annotations

import errno
import os

import lmdb

from coldframe.exceptions import (
    ArcticException,
    CompatibilityException,
    DamagedDataException,
    ErrorCode,
    LmdbMapFullError,
    NoDataFoundException,
    PermissionException,
    StorageException,
)

_SPELLED = {os.strerror(code): code for code in (errno.EIO, errno.EROFS, errno.ENOENT, errno.EDQUOT, errno.EMFILE)}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_REMEDIES: dict[type[Exception], str] = {
    lmdb.ReadersFullError: "There are as many reads at once as it allows: end some of them and try again.",
    lmdb.BadValsizeError: "A key has 1 to 480 bytes, an object less than 4 GiB.",
    lmdb.MemoryError: "There is no memory or address space left for it.",
}


def error_number(error: Exception) -> int:
    """The system's error number behind an error, 0 where there is none."""
    if isinstance(error, OSError):
        return error.errno or 0
    code = getattr(error, "code", None)
    if isinstance(code, int) and code > 0:
        return code
    if isinstance(error, lmdb.DiskError):
        return errno.ENOSPC
    if isinstance(error, lmdb.ReadonlyError):
        return errno.EACCES
    if isinstance(error, lmdb.MemoryError):
        return errno.ENOMEM
    # Before 3.0, py-lmdb says the rest only in words.
    text = str(error)
    return next((code for words, code in _SPELLED.items() if words in text), 0)


def disk_is_full(error: Exception, folder: str, needed: int = 0) -> bool:
    """Whether an error means that the disk has no room left.

    A write that fits in part ends as an I/O error in LMDB, so after one of those the free space decides.
    """
    number = error_number(error)
    if number != errno.EIO or not hasattr(os, "statvfs"):
        return number in _FULL
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < max(needed, 1 << 20)


def translated(error: Exception, folder: str, key: str | None = None, needed: int = 0) -> ArcticException:
    """The typed error for what LMDB or the file system raised."""
    where = f"the LMDB library at '{folder}'" + (f" (key '{key}')" if key is not None else "")
    number = error_number(error)
    if disk_is_full(error, folder, needed):
        return StorageException(
            f"the disk of {where} is full: {error}. Nothing was written; free some space and try again.",
            code=ErrorCode.E_QUOTA_EXCEEDED,
        )
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError):
        return damaged(folder, f"its pages do not fit together ({error})", key)
    if isinstance(error, lmdb.InvalidError):
        return StorageException(
            f"'{folder}' holds no LMDB library: data.mdb is not an LMDB file ({error}). Check the path.",
            code=ErrorCode.E_UNEXPECTED_LMDB_ERROR,
        )
    if isinstance(error, lmdb.VersionMismatchError):
        return CompatibilityException(
            f"{where} was written by another version of LMDB ({error}). Open it with a newer release of py-lmdb."
        )
    if number == errno.ENOENT:
        return deleted(folder)
    if number in _FORBIDDEN:
        return PermissionException(
            f"not allowed to open or change {where}: {error}. Grant this user access to the folder, data.mdb and "
            'lock.mdb, or open it with mode="r" to read only.'
        )
    remedy = next((words for kind, words in _REMEDIES.items() if isinstance(error, kind)), "Nothing was written.")
    return StorageException(
        f"{where} failed: {type(error).__name__}: {error}. {remedy}", code=ErrorCode.E_UNEXPECTED_LMDB_ERROR
    )


def map_full(folder: str, size: int, limit: int) -> LmdbMapFullError:
    """The error of a map that may not grow any more."""
    return LmdbMapFullError(
        f"the LMDB library at '{folder}' is full: its map is {size:,} bytes and map_size allows {limit:,}. Nothing was "
        f"written. Connect with a larger map_size, e.g. lmdb://{os.path.dirname(folder)}?map_size="
        f"{max(1, -(-2 * limit // 1_000_000))}MB, or without one, or delete versions that are not needed."
    )


def damaged(folder: str, reason: str, key: str | None = None) -> DamagedDataException:
    """The error of a library whose file is damaged."""
    about = f" (key '{key}')" if key is not None else ""
    return DamagedDataException(
        f"the LMDB library at '{folder}'{about} is damaged: {reason}. Restore data.mdb from a backup."
    )


def deleted(folder: str) -> NoDataFoundException:
    """The error of a library that is not there."""
    return NoDataFoundException(
        f"there is no library at '{folder}': it was deleted, or never created. Create it, or check the path."
    )
