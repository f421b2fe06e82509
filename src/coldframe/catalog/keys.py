"""The keys of a library: one place that knows where each kind of object lies.

    library                     options, format version
    heads/<symbol>              the symbol's head: the only mutable object
    logs/<symbol>/<id>          sealed older versions
    manifests/<symbol>/<id>     pieces of manifests: schemas, chunks, user metadata
    data/<symbol>/<id>          segments
    snapshots/<name>            immutable, self-contained
"""

from __future__ import annotations

from coldframe.catalog.ids import id_text
from coldframe.catalog.names import encode_symbol

LIBRARY = "library"
HEADS = "heads/"
LOGS = "logs/"
MANIFESTS = "manifests/"
DATA = "data/"
SNAPSHOTS = "snapshots/"


def head_key(symbol: str) -> str:
    """The key of a symbol's head."""
    return HEADS + encode_symbol(symbol)


def log_key(symbol: str, identifier: bytes) -> str:
    """The key of a sealed chunk of older versions."""
    return f"{LOGS}{encode_symbol(symbol)}/{id_text(identifier)}"


def manifest_key(symbol: str, identifier: bytes) -> str:
    """The key of a piece of a manifest that is not inlined in the head."""
    return f"{MANIFESTS}{encode_symbol(symbol)}/{id_text(identifier)}"


def data_key(symbol: str, identifier: bytes) -> str:
    """The key of a segment."""
    return f"{DATA}{encode_symbol(symbol)}/{id_text(identifier)}"


def snapshot_key(name: str) -> str:
    """The key of a snapshot."""
    return SNAPSHOTS + encode_symbol(name, "snapshot")
