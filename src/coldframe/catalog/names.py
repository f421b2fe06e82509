"""Names of symbols, snapshots and libraries: which are allowed, and how a symbol is spelled in a key.

A name is checked where something is created under it, nowhere else: asking for a name that cannot exist is asking
for something that is not there.

In a key, the characters of a symbol that a store could misread are percent-encoded: ``/`` (keys have parts), ``%`` and
``~`` (they mean something here), a leading ``.``, control characters and everything beyond ASCII. A name whose spelling
would pass `LONGEST` bytes is cut and followed by ``~`` and its hash; the head then holds the name itself.
"""

from __future__ import annotations

import re
import reprlib
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import xxhash

from coldframe.config import get_config_int
from coldframe.exceptions import ErrorCode, UserInputException

LONGEST_NAME = 254
"""Characters that a name may have."""
LONGEST = 300
"""Bytes that a symbol's spelling in a key may have."""
_KEPT = 200
"""Bytes that stay of a spelling that is longer."""

_brackets = re.compile(r"<+-?\d+>").fullmatch
_plain = re.compile(r"(?!\.)[ -$&-.0-}]+").fullmatch
_unsafe = re.compile(rb"[^ -$&-.0-}]")
_forbidden = re.compile(r"[^ -~]|[*<>]").search


def name_of(symbol: Any) -> str:
    """The name under which a symbol is stored: an integer's stands in brackets, which no other name has.

    Raises
    ------
    TypeError
        It is neither a string nor an integer of 64 bits.

    Examples
    --------
    >>> name_of("7"), name_of(7)
    ('7', '<7>')
    """
    if isinstance(symbol, str):
        return f"<{symbol}" if symbol[:1] == "<" and _brackets(symbol) else symbol
    if isinstance(symbol, int | np.integer):
        if not -(2**63) <= symbol < 2**64:
            raise TypeError(f"symbol {symbol} is beyond 64 bits; give a name, or an integer of 64 bits.")
        return f"<{int(symbol)}>"
    raise TypeError(f"the name of a symbol must be a str, got {type(symbol).__name__}: {reprlib.repr(symbol)}")


def symbol_of(name: str) -> str | int:
    """The symbol that is stored under a name.

    Examples
    --------
    >>> symbol_of("7"), symbol_of("<7>")
    ('7', 7)
    """
    if name[:1] != "<" or not _brackets(name):
        return name
    return name[1:] if name[1] == "<" else int(name[1:-1])


def check_symbol(name: object) -> str:
    """The name, as `name_of` gives it, if a symbol may be created under it.

    Raises
    ------
    TypeError
        It is not a string.
    UserInputException
        It is empty, longer than 254 characters or has a character that is not allowed.

    Examples
    --------
    >>> check_symbol("prices/2024")
    'prices/2024'
    """
    if isinstance(name, str) and isinstance(symbol_of(name), int):
        return name
    return _check(name, "symbol")


def check_snapshot(name: object) -> str:
    """The name, if a snapshot may be created under it; raises as `check_symbol` does."""
    return _check(name, "snapshot")


def check_library(name: object) -> str:
    """The name, if a library may be created under it; raises as `check_symbol` does.

    Besides, the parts between dots must not be empty and must not start with a slash.

    Examples
    --------
    >>> check_library("research.prices")
    'research.prices'
    """
    text = _check(name, "library", strict=True)
    for part in text.split("."):
        if not part:
            raise UserInputException(
                f"the library name {text!r} has an empty part: names of libraries are parts with dots between them, "
                "as in 'research.prices'. Remove the leading, trailing or doubled dot.",
                code=ErrorCode.E_INVALID_CHAR_IN_NAME,
            )
        if part.startswith("/"):
            raise UserInputException(
                f"the library name {text!r} has a part that starts with '/': write it without that slash.",
                code=ErrorCode.E_INVALID_CHAR_IN_NAME,
            )
    if text.endswith("/") or "//" in text:
        raise UserInputException(
            f"the library name {text!r} has an empty part between slashes: write each '/' once, and none at the end.",
            code=ErrorCode.E_INVALID_CHAR_IN_NAME,
        )
    return text


def is_library(name: str) -> bool:
    """Whether a library could have that name.

    Examples
    --------
    >>> is_library("a..b")
    False
    """
    try:
        check_library(name)
    except UserInputException:
        return False
    return True


def _check(name: object, what: str, *, strict: bool | None = None) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a {what} must be a str, got {type(name).__name__}: {name!r}")
    if not name:
        raise UserInputException(f"the name of a {what} must not be empty.", code=ErrorCode.E_EMPTY_NAME)
    if len(name) > LONGEST_NAME:
        raise UserInputException(
            f"the {what} name {name[:40]!r}... has {len(name)} characters: at most {LONGEST_NAME} are allowed.",
            code=ErrorCode.E_NAME_TOO_LONG,
        )
    bad = _forbidden(name)
    if bad is not None and (strict or not get_config_int("VersionStore.NoStrictSymbolCheck")):
        raise UserInputException(
            f"the {what} name {name!r} has the character {bad.group()!r} at position {bad.start()}: allowed are the "
            "printable ASCII characters except '*', '<' and '>'.",
            code=ErrorCode.E_INVALID_CHAR_IN_NAME,
        )
    return plain_name(name)


def plain_name(name: str) -> str:
    """The name as a plain str: one of a kind of str, such as ``numpy.str_`` or a member of an Enum, is its text.

    Examples
    --------
    >>> import numpy as np
    >>> type(plain_name(np.str_("EURUSD")))
    <class 'str'>
    """
    return str.__str__(name)


def encode_symbol(name: str, what: str = "symbol") -> str:
    """How a symbol is spelled in a key: at most 300 bytes of ASCII, different for different names.

    Examples
    --------
    >>> encode_symbol("EUR/USD 5%")
    'EUR%2FUSD 5%25'
    """
    try:
        if _plain(name) is not None and len(name) <= LONGEST:
            return name
    except TypeError:
        raise TypeError(f"the name of a {what} must be a str, got {type(name).__name__}: {name!r}") from None
    raw = name.encode("utf-8", "surrogatepass")
    spelled = _unsafe.sub(_percent, raw)
    if spelled.startswith(b"."):
        spelled = b"%2E" + spelled[1:]
    if len(spelled) > LONGEST:
        return f"{spelled[:_KEPT].decode('ascii')}~{xxhash.xxh3_128_hexdigest(raw)}"
    return spelled.decode("ascii")


def decode_symbol(encoded: str) -> str | None:
    """The symbol spelled `encoded`; None where only the head knows it, because the name was too long.

    Examples
    --------
    >>> decode_symbol("EUR%2FUSD 5%25")
    'EUR/USD 5%'
    """
    if "~" in encoded:
        return None
    if "%" not in encoded:
        return encoded
    return unquote_to_bytes(encoded).decode("utf-8", "surrogatepass")


def _percent(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match.group()[0]
