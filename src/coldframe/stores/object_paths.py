"""Where a library's keys lie in a bucket, as pure functions between keys and paths.

    <path_prefix>/<percent-encoded library>/<key>

Object stores' clients refuse or alter paths with empty parts and with the parts ``.`` and ``..``. Such a part gets a
``!`` at its end, and so does one that looks as if it had got one.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_SPECIAL = re.compile(r"\.{0,2}!*")


def library_path(prefix: str, library: str) -> str:
    """The folder of a library.

    Examples
    --------
    >>> library_path("team", "prices/daily")
    'team/prices%2Fdaily'
    """
    name = escape(quote(library, safe=""))
    return f"{prefix}/{name}" if prefix else name


def library_name(folder: str) -> str:
    """The library whose folder is called `folder`.

    Examples
    --------
    >>> library_name("prices%2Fdaily")
    'prices/daily'
    """
    return unquote(unescape(folder))


def escape(key: str) -> str:
    """The path of a key below its library.

    Examples
    --------
    >>> escape("heads/a"), escape("heads/.."), escape("a//b")
    ('heads/a', 'heads/..!', 'a/!/b')
    """
    parts = key.split("/")
    if not any(_SPECIAL.fullmatch(part) for part in parts):
        return key
    return "/".join(f"{part}!" if _SPECIAL.fullmatch(part) else part for part in parts)


def unescape(path: str) -> str:
    """The key of a path; undoes `escape`."""
    if "!" not in path:
        return path
    return "/".join(part[:-1] if _SPECIAL.fullmatch(part) else part for part in path.split("/"))


def listing_start(prefix: str) -> tuple[str, str]:
    """The folder to list and the path to start after, so that all keys with `prefix` follow soon.

    Clients list whole folders; what comes before the prefix within its folder is skipped by starting after a path
    that is less than every key wanted.

    Examples
    --------
    >>> listing_start("heads/"), listing_start("heads/ab")
    (('heads', ''), ('heads', 'heads/aa~'))
    """
    folder, slash, rest = prefix.rpartition("/")
    inside = escape(folder) if slash else ""
    before = chr(ord(rest[-1]) - 1) if rest else ""
    if not "!" <= before <= "~" or before in "/.":
        return inside, ""
    start = f"{rest[:-1]}{before}~"
    return inside, f"{inside}/{start}" if slash else start
