"""Connection strings: which schemes there are, who reads them, and the options of `lmdb://`.

A scheme's reader is a module with a function ``parse(uri, *, read_only=False) -> Storage``; it is imported when such a
connection string is first used.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from coldframe.exceptions import LmdbOptionsError

SCHEMES: Final[dict[str, str]] = {
    "lmdb": "coldframe.stores.lmdb",
    "mem": "coldframe.stores.memory",
    "s3": "coldframe.stores.object_uri",
    "s3s": "coldframe.stores.object_uri",
    "gcpxml": "coldframe.stores.object_uri",
    "gcpxmls": "coldframe.stores.object_uri",
    "gs": "coldframe.stores.object_uri",
    "azure": "coldframe.stores.object_uri",
}
"""Which module reads which scheme."""

OPENED_WITH_CREDENTIALS: Final = tuple(scheme for scheme, module in SCHEMES.items() if module.endswith("object_uri"))
"""The schemes of stores that ask who is there."""

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_size = re.compile(r"(\d+)(KB|MB|GB|TB)", re.ASCII).fullmatch
_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)").match


class LmdbLocation(msgspec.Struct, frozen=True):
    """What an `lmdb://` connection string says."""

    path: str
    map_size: int | None = None


def scheme_of(uri: str) -> str:
    """The scheme of a connection string.

    Raises
    ------
    ValueError
        The scheme is not known; names those that are.

    Examples
    --------
    >>> scheme_of("lmdb:///data/prices")
    'lmdb'
    """
    if not isinstance(uri, str):
        raise TypeError(f"a connection string must be a str, got {type(uri).__name__}")
    match = _scheme(uri)
    if match is not None and match.group() in SCHEMES:
        return match.group()
    # The rest of the string may hold a secret.
    found = f"the scheme '{match.group()}://' is not known" if match else "the connection string has no scheme"
    known = ", ".join(f"{name}://" for name in SCHEMES)
    raise ValueError(f"{found}: it must start with one of {known} (in lower case), e.g. lmdb:///path/to/folder")


def split_options(query: str) -> list[tuple[str, str]]:
    """The options behind the `?` of a connection string, between `&` or `;`; each must have a `=`.

    Examples
    --------
    >>> split_options("map_size=2GB&x=1")
    [('map_size', '2GB'), ('x', '1')]
    """
    pairs = []
    for part in re.split("[&;]", query):
        if not part:
            continue
        name, equals, value = part.partition("=")
        if not equals:
            raise LmdbOptionsError(f"the option '{part}' has no value: write it as {part}=VALUE.")
        pairs.append((name, value))
    return pairs


def lmdb_location(uri: str) -> LmdbLocation:
    """Read `lmdb://PATH[?map_size=N(KB|MB|GB|TB)]`.

    Raises
    ------
    LmdbOptionsError
        An option is unknown, has no value or one that is not allowed, or there is no path.

    Examples
    --------
    >>> lmdb_location("lmdb://data?map_size=5MB")
    LmdbLocation(path='data', map_size=5000000)
    """
    path, _, query = uri.removeprefix("lmdb://").partition("?")
    if not path:
        raise LmdbOptionsError(f"'{uri}' has no path: write lmdb://PATH, e.g. lmdb:///data/prices.")
    if "\0" in path:
        raise LmdbOptionsError(f"{uri!r} has a zero byte in its path.")
    map_size = None
    for name, value in split_options(query):
        if name != "map_size":
            raise LmdbOptionsError(f"'{uri}' has an unknown option '{name}'. Valid options: map_size.")
        map_size = _map_size(value, uri)
    return LmdbLocation(path, map_size)


def _map_size(text: str, uri: str) -> int:
    match = _size(text)
    size = int(match.group(1)) * _UNITS[match.group(2)] if match and len(text) < 20 else 0
    if not 0 < size < 1 << 62:
        raise LmdbOptionsError(
            f"'{uri}' has map_size={text}: it must be a positive whole number and one of the units KB, MB, GB and TB, "
            "e.g. map_size=10GB."
        )
    return size
