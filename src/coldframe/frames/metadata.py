"""User metadata as bytes: plain values by msgpack, all others by pickle, so that types come back exactly."""

from __future__ import annotations

import datetime as dt
import logging
import pickle
from typing import Any

import msgspec
import pandas as pd

from coldframe.config import get_config_string
from coldframe.exceptions import ArcticDbNotYetImplemented, ArcticException, ErrorCode

MOST_BYTES = 16 << 20
WARNED_BYTES = 8 << 20

_MSGPACK = b"m"
_PICKLE = b"p"
_DEPTH = 32
_SCALARS = frozenset({type(None), bool, float, str, bytes})
_TIMES = frozenset({pd.Timestamp, type(pd.NaT), dt.datetime, dt.timedelta})

_log = logging.getLogger("coldframe")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def encode_metadata(value: object, owner: str = "") -> bytes | None:
    """Metadata as bytes; None, which is no metadata, stays None. `owner` says in messages whose it is.

    Raises
    ------
    ArcticDbNotYetImplemented
        It is larger than 16 MiB.
    ArcticException
        It cannot be pickled.

    Examples
    --------
    >>> decode_metadata(encode_metadata({"source": "exchange", "span": (1, 2)}))
    {'source': 'exchange', 'span': (1, 2)}
    """
    if value is None:
        return None
    of = f" of {owner}" if owner else ""
    data = _packed(value, of)
    if len(data) > WARNED_BYTES:
        if len(data) > MOST_BYTES:
            raise ArcticDbNotYetImplemented(
                f"The metadata{of} takes {len(data):,} bytes; {MOST_BYTES:,} are the most that is stored. "
                f"Write large values as a symbol of their own."
            )
        _log.warning(
            "The metadata%s takes %s bytes, which every read of the symbol reads; over %s bytes it will be refused.",
            of,
            f"{len(data):,}",
            f"{MOST_BYTES:,}",
        )
    return data


def decode_metadata(data: bytes | None) -> Any:
    """The metadata of `encode_metadata`.

    Raises
    ------
    ArcticException
        It was pickled and cannot be made again, as when its class is not to be found here.
    """
    if data is None:
        return None
    try:
        return _decode(data[1:]) if data[:1] == _MSGPACK else pickle.loads(data[1:])  # noqa: S301 -- by its own writer
    except Exception as error:
        raise ArcticException(
            f"The metadata cannot be restored here ({type(error).__name__}: {error}). Reading it needs the modules and "
            f"classes of the program that wrote it.",
            code=ErrorCode.E_RUNTIME_ERROR,
        ) from error


def _packed(value: object, of: str) -> bytes:
    if _plain(value, _DEPTH):
        try:
            return _MSGPACK + _encode(value)
        except UnicodeEncodeError:
            pass  # a lone surrogate, which pickle knows how to keep
    try:
        pickled = _PICKLE + pickle.dumps(value, protocol=5)
    except Exception as error:
        kind = type(value)
        raise ArcticException(
            f"The metadata{of} is of type {kind.__module__}.{kind.__qualname__} and cannot be stored: it cannot be "
            f"pickled ({error}). Use plain values: dicts, lists, strings, numbers, timestamps.",
            code=ErrorCode.E_INVALID_USER_ARGUMENT,
        ) from error
    if not _plain(value, _DEPTH, _SCALARS | _TIMES):
        level = logging.getLevelName((get_config_string("PickledMetadata.LogLevel") or "WARNING").upper())
        _log.log(
            level if isinstance(level, int) else logging.WARNING,
            "The metadata%s (%s) is pickled: programs that lack what it is made of cannot read it.",
            of,
            type(value).__name__,
        )
    return pickled


def _plain(value: object, depth: int, scalars: frozenset[type] = _SCALARS) -> bool:
    """Whether msgpack gives the value back with exactly its types; `scalars` are those that it keeps."""
    kind = type(value)
    if kind in scalars:
        return True
    if kind is int:
        return -(2**63) <= value < 2**64  # type: ignore[operator]
    if kind is dict:
        entries: dict[Any, Any] = value  # type: ignore[assignment]
        if not depth or set(map(type, entries)) - {str}:
            return False
        return all(_plain(entry, depth - 1, scalars) for entry in entries.values())
    if kind is list:
        items: list[Any] = value  # type: ignore[assignment]
        return depth > 0 and all(_plain(item, depth - 1, scalars) for item in items)
    return False
