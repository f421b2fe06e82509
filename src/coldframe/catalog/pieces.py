"""Pieces: the immutable bytes that records and manifests name by id, inlined in a pool or stored by key."""

from __future__ import annotations

from collections.abc import Mapping

from coldframe.catalog.keys import manifest_key
from coldframe.format.checksums import Damage, seal, unseal
from coldframe.stores.base import Reader

PIECE = b"PIEC"


class Pieces:
    """Finds pieces of one symbol: first in the pools that came with a head, log or snapshot, then in the store."""

    __slots__ = ("pools", "reader", "symbol")

    def __init__(self, symbol: str, reader: Reader, *pools: Mapping[bytes, bytes]) -> None:
        self.symbol = symbol
        self.reader = reader
        self.pools = pools

    def inlined(self, identifier: bytes) -> bytes | None:
        """The piece if it lies in a pool."""
        for pool in self.pools:
            data = pool.get(identifier)
            if data is not None:
                return data
        return None

    def get(self, identifier: bytes) -> bytes | memoryview:
        """The piece, from wherever it lies."""
        data = self.inlined(identifier)
        if data is not None:
            return data
        key = manifest_key(self.symbol, identifier)
        try:
            return unseal(PIECE, self.reader.get(key).data)
        except Damage as damage:
            damage.key = key
            raise


def sealed_piece(data: bytes) -> bytes:
    """A piece as stored under its own key."""
    return seal(PIECE, data)
