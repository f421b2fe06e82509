"""Deduplication: a write names the newest version's segments where they hold the very bytes it would store."""

from __future__ import annotations

import numpy as np

from coldframe.catalog.ids import ID_BYTES
from coldframe.catalog.slices import Slices
from coldframe.catalog.versions import Version
from coldframe.format.schema import Schema
from coldframe.operations.encode import Encoded


def reuse(latest: Version | None, schema: Schema, encoded: Encoded) -> Encoded:
    """Put segments of the newest version in the place of new ones with equal blocks (checksums, sizes, statistics).

    Only segments of the same schema and without shared dictionaries are compared. Segments that went to the store
    while encoding stay: they are what a later write is compared with.
    """
    if latest is None or not encoded.segments or latest.contents.schema() != schema:
        return encoded
    old = latest.contents.all_slices()
    # An inlined segment lies in a pool that goes with its own version, so no other version may name it.
    inlined = latest.contents.pieces.inlined
    known = {_content(old, i): identifier for i, identifier in enumerate(old.ids) if inlined(identifier) is None}
    segments = encoded.slices.segments.copy()
    kept = dict(encoded.segments)
    for i, identifier in enumerate(encoded.slices.ids):
        same = known.get(_content(encoded.slices, i))
        if same is not None and same != identifier:
            segments["id"][i] = np.void(same)
            kept.pop(identifier, None)
    new = encoded.slices
    return Encoded(Slices(new.slices, segments, new.blocks, new.dictionaries), kept)


def _content(slices: Slices, segment: int) -> bytes:
    blocks = slices.blocks[slices.block_starts[segment] : slices.block_starts[segment + 1]]
    if (blocks["dictionary"] >= 0).any():
        return slices.ids[segment]  # equal to nothing but itself
    record: bytes = slices.segments[segment].tobytes()
    return record[ID_BYTES:] + blocks.tobytes()
