"""What a library is configured to be: one small object under the key ``library``, written once and rarely changed."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from coldframe.catalog.names import check_library, is_library
from coldframe.catalog.seen import seen_heads
from coldframe.exceptions import (
    CompatibilityException,
    ConflictException,
    DamagedDataException,
    KeyNotFoundException,
    LibraryNotFound,
    NoDataFoundException,
    StorageException,
)
from coldframe.format.checksums import Damage, seal, unseal
from coldframe.stores.base import Conflict, Storage, Store, UnknownOutcome

KEY = "library"
KIND = b"LIBR"
FORMAT = 1
"""The number of the layout of a library's keys. A release refuses libraries with a higher one."""

_ATTEMPTS = 10


class LibraryConfig(msgspec.Struct, frozen=True):
    """The options of a library, and the layout it is stored in.

    Attributes
    ----------
    dynamic_schema, dedup, rows_per_segment, columns_per_segment, encoding_version, recursive_normalizers,
    prune_previous_versions, replication, background_deletion
        As in `coldframe.LibraryOptions` and `coldframe.EnterpriseLibraryOptions`.
    format : int
        The layout of the library's keys.
    identity : str
        Drawn when the library is created: tells it from an earlier one of that name.
    """

    dynamic_schema: bool = False
    dedup: bool = False
    rows_per_segment: int = 100_000
    columns_per_segment: int = 127
    encoding_version: int = 0
    recursive_normalizers: bool = False
    prune_previous_versions: bool = False
    replication: bool = False
    background_deletion: bool = False
    format: int = FORMAT
    identity: str = ""


def create(storage: Storage, name: str, config: LibraryConfig) -> LibraryConfig:
    """Create a library with these options; what was stored.

    Raises
    ------
    ValueError
        A library of that name exists.
    UserInputException
        The name is not allowed.
    """
    check_library(name)
    config = msgspec.structs.replace(config, format=FORMAT, identity=secrets.token_hex(8))
    exists = f"a library named {name!r} exists already in {storage.describe()}"
    cause = ""
    for _ in range(_ATTEMPTS):
        try:
            storage.create(name, KEY, _pack(config))
            _begin(storage.store(name))
            return config
        except Conflict:
            stored = _identity(storage, name)
        except UnknownOutcome as unknown:
            stored, cause = _identity(storage, name), unknown.cause
        if stored == config.identity:
            return config  # An attempt whose reply was lost has gone through.
        if stored is not None:
            raise ValueError(exists)
    raise StorageException(
        f"library {name!r} was not created: {storage.describe()} did not answer {_ATTEMPTS} times ({cause}). Try again."
    )


def load(where: Storage | Store, name: str) -> LibraryConfig:
    """The options of a library.

    Raises
    ------
    LibraryNotFound
        There is none of that name; names those that are spelled like it.
    CompatibilityException
        A newer release wrote it.
    DamagedDataException
        Its options cannot be read.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a library must be a str, got {type(name).__name__}: {name!r}")
    if isinstance(where, Store):
        return _current(where, name)[0]
    if is_library(name):
        try:
            return _current(where.store(name), name)[0]
        except LibraryNotFound:
            pass
    raise LibraryNotFound(_not_found(where, name))


def change(store: Store, name: str, **changes: Any) -> LibraryConfig:
    """Change some options of a library by compare-and-swap, keeping what others change at the same time.

    Parameters
    ----------
    store : Store
        The library's store.
    name : str
        The library's name, for messages.
    **changes
        Fields of `LibraryConfig` with their new values.

    Returns
    -------
    LibraryConfig
        What is stored now.
    """
    for _ in range(_ATTEMPTS):
        config, tag = _current(store, name)
        wanted = msgspec.structs.replace(config, **changes)
        if wanted == config:
            return config
        try:
            store.swap(KEY, _pack(wanted), tag)
            return wanted
        except (Conflict, UnknownOutcome):
            continue  # Setting the same fields again is harmless, so a lost reply needs no other care.
    raise ConflictException(
        f"the options of library {name!r} were changed by others {_ATTEMPTS} times in a row; nothing was written. "
        "Try again."
    )


def _begin(store: Store) -> None:
    """Nothing is in a library that was just created, so its symbols need not be looked for."""
    heads = seen_heads(store)
    if heads is not None:
        heads.clear()
        heads.expect(new=True)


def _pack(config: LibraryConfig) -> bytes:
    return bytes(seal(KIND, msgspec.msgpack.encode(config)))


def _current(store: Store, name: str) -> tuple[LibraryConfig, str]:
    try:
        stored = store.get(KEY)
    except (KeyNotFoundException, NoDataFoundException):
        raise LibraryNotFound(f"there is no library named {name!r}. Create it with create_library.") from None
    try:
        config = msgspec.msgpack.decode(unseal(KIND, stored.data), type=LibraryConfig)
    except CompatibilityException as error:
        raise CompatibilityException(f"library {name!r}: {error.message}", code=error.code) from None
    except (Damage, msgspec.DecodeError) as damage:
        raise DamagedDataException(f"the options of library {name!r} (key {KEY!r}) are damaged: {damage}") from None
    if config.format > FORMAT:
        raise CompatibilityException(
            f"library {name!r} has layout {config.format}; this release reads up to {FORMAT}. Upgrade coldframe."
        )
    return config, stored.tag


def _identity(storage: Storage, name: str) -> str | None:
    try:
        return _current(storage.store(name), name)[0].identity
    except LibraryNotFound:
        return None


def _not_found(storage: Storage, name: str) -> str:
    names = sorted(storage.names())
    if not names:
        return f"there is no library named {name!r} in {storage.describe()}, and no other. Create it first."
    import difflib  # Only a mistake needs it.

    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    known = ", ".join(repr(n) for n in (near or names[:5]))
    more = "" if near or len(names) <= 5 else f" and {len(names) - 5} more"
    return (
        f"there is no library named {name!r} in {storage.describe()}. "
        f"{'Similar names' if near else 'Libraries there'}: {known}{more}."
    )
