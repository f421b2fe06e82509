"""The manifest: the table of contents of one version, and the pure functions that make the next one from it.

A manifest is a list of schemas and a list of chunks, each a run of row slices. A version is the first `rows` rows of
its manifest: appending makes the manifest longer, and the older versions, being shorter, stay what they were. Only
the last chunk is rewritten by an append; chunks that an update does not touch are shared.
"""

from __future__ import annotations

from itertools import accumulate

import msgspec
import numpy as np

from coldframe.catalog.ids import new_id
from coldframe.catalog.pieces import Pieces
from coldframe.catalog.slices import Chunk, Slices, concat
from coldframe.format.codecs.linear import Numbers
from coldframe.format.schema import Schema

CHUNK_BLOCKS = 1024
"""A chunk holds at most about this many blocks."""
OPEN_BLOCKS = 128
"""A chunk with fewer blocks than this is still filled by appends: it is small enough to be inlined."""
SMALL_CHUNKS = 8
"""So many small chunks in a row are made into one."""


class ChunkRef(msgspec.Struct, array_like=True):
    """A chunk in the manifest's list: its id, rows and blocks, and the time index of its first and last row."""

    id: bytes
    rows: int
    blocks: int
    first: int
    last: int


class Manifest(msgspec.Struct, array_like=True):
    """The table of contents of a version, as stored.

    Attributes
    ----------
    number : int
        Unique within the symbol: the version that began it.
    rows : int
    schemas : list of bytes
        Ids of the schema pieces that slices refer to.
    schema : int
        Which of them is the schema of the version.
    chunks : list of ChunkRef
    inlined : list of bytes
        Ids of its pieces and segments that lie in the pool beside it.
    """

    number: int
    rows: int
    schemas: list[bytes]
    schema: int
    chunks: list[ChunkRef]
    inlined: list[bytes] = []


_manifests = msgspec.msgpack.Decoder(Manifest)
_chunks = msgspec.msgpack.Decoder(Chunk)
_schemas = msgspec.msgpack.Decoder(Schema)
_encode = msgspec.msgpack.Encoder().encode

_SCHEMAS_KEPT = 4096
_SMALL_SCHEMA = 4096
_schema_cache: dict[bytes, Schema] = {}
"""Schemas by the id of their piece, and small ones by their bytes too: many symbols have the same columns."""


def decode_manifest(raw: msgspec.Raw) -> Manifest:
    """A manifest from its place in a head, log or snapshot."""
    return _manifests.decode(raw)


def decode_chunk(data: bytes | memoryview) -> Chunk:
    """A chunk from its piece."""
    return _chunks.decode(data)


def encode_manifest(manifest: Manifest) -> msgspec.Raw:
    """A manifest for a head, log or snapshot."""
    return msgspec.Raw(_encode(manifest))


def encode_schema(schema: Schema) -> bytes:
    """A schema as a piece."""
    return _encode(schema)


class Contents(msgspec.Struct):
    """A manifest with the means to look into it.

    Attributes
    ----------
    manifest : Manifest
    pieces : Pieces
    fresh : dict of id to bytes
        Pieces that exist only here so far: not yet in a pool or a store.
    dropped : set of (kind, id)
        What the manifest that this one was made from names and this one does not.
    times : dict of bytes to array or Steps
        The time index of segments, by their id, which a search has decoded: loading rows need not do it again.
    """

    manifest: Manifest
    pieces: Pieces
    fresh: dict[bytes, bytes] = msgspec.field(default_factory=dict)
    dropped: set[tuple[str, bytes]] = msgspec.field(default_factory=set)
    times: dict[bytes, Numbers] = msgspec.field(default_factory=dict)
    _chunks: dict[bytes, Slices] = msgspec.field(default_factory=dict)

    def piece(self, identifier: bytes) -> bytes | memoryview:
        """A piece, fresh or stored."""
        data = self.fresh.get(identifier)
        return data if data is not None else self.pieces.get(identifier)

    def schema(self, position: int | None = None) -> Schema:
        """One of the schemas that slices refer to; by default that of the version."""
        identifier = self.manifest.schemas[self.manifest.schema if position is None else position]
        schema = _schema_cache.get(identifier)
        if schema is None:
            schema = _decode_schema(self.piece(identifier))
            _keep_schema(identifier, schema)
        return schema

    def chunk(self, number: int) -> Slices:
        """The slices of one chunk."""
        identifier = self.manifest.chunks[number].id
        slices = self._chunks.get(identifier)
        if slices is None:
            slices = self._chunks[identifier] = Slices.of_chunk(decode_chunk(self.piece(identifier)))
        return slices

    def slices(self, start: int = 0, stop: int | None = None) -> tuple[Slices, int]:
        """The slices of the chunks that hold rows `start` to `stop`, and the row at which the first of them begins."""
        manifest = self.manifest
        end = manifest.rows if stop is None else min(stop, manifest.rows)
        if len(manifest.chunks) == 1:
            return self.chunk(0), 0
        if start >= end:
            return Slices.empty(), start
        begins = np.concatenate(([0], np.cumsum([chunk.rows for chunk in manifest.chunks])))
        low = int(np.searchsorted(begins, start, side="right")) - 1
        high = int(np.searchsorted(begins, end, side="left"))
        return concat([self.chunk(i) for i in range(low, high)]), int(begins[low])

    def all_slices(self) -> Slices:
        """Every slice."""
        return concat([self.chunk(i) for i in range(len(self.manifest.chunks))])

    def piece_ids(self) -> set[bytes]:
        """The ids of the pieces that the manifest names."""
        return {*self.manifest.schemas, *(chunk.id for chunk in self.manifest.chunks)}

    def segment_ids(self) -> set[bytes]:
        """The ids of all segments that the manifest names."""
        return self.all_slices().named()


def begin(number: int, schema: Schema, slices: Slices, pieces: Pieces) -> Contents:
    """A new manifest of one schema."""
    identifier = new_id()
    made = Contents(Manifest(number, 0, [identifier], 0, []), pieces, {identifier: encode_schema(schema)})
    _keep_schema(identifier, schema)
    _add(made, slices)
    return made


def replace(
    base: Contents, number: int, start: int, stop: int, new: Slices, schema: Schema, stored: Schema | None = None
) -> Contents:
    """A manifest whose rows `start` to `stop` of `base` are replaced by the slices `new`, with `schema` as its own.

    Chunks that lie wholly outside the rows are shared; the others are cut and rewritten with the new slices.
    `stored` is the schema of the new slices' segments where it differs from `schema`.
    """
    old = base.manifest
    made = Contents(Manifest(number, 0, list(old.schemas), old.schema, []), base.pieces, dict(base.fresh))
    made.manifest.schema = _schema_number(made, schema)
    if len(new):
        new = new.with_schema(_schema_number(made, stored or schema))
    low, high = _touched_chunks(old, start, stop)
    touched = concat([base.chunk(i) for i in range(low, high)])
    first = sum(chunk.rows for chunk in old.chunks[:low])
    made.manifest.chunks.extend(old.chunks[:low])
    made.manifest.rows = first
    renewed = concat([touched.head(start - first), new, touched.tail(stop - first)])
    _add(made, renewed)
    made.manifest.chunks.extend(old.chunks[high:])
    made.manifest.rows += sum(chunk.rows for chunk in old.chunks[high:])
    made.dropped = _dropped(base, low, high, touched, renewed)
    lost = {identifier for _, identifier in made.dropped}
    made.manifest.inlined = [identifier for identifier in old.inlined if identifier not in lost]
    return made


def keep_rows(base: Contents, rows: int) -> Contents:
    """The manifest cut to its first `rows` rows, under the same number."""
    return replace(base, base.manifest.number, rows, base.manifest.rows, Slices.empty(), base.schema())


def _schema_number(made: Contents, schema: Schema) -> int:
    """The position of a schema in the manifest's list, to which it is added where it is new."""
    schemas = made.manifest.schemas
    number: int
    for number in (made.manifest.schema, *range(len(schemas))):
        if made.schema(number) == schema:
            return number
    identifier = new_id()
    made.fresh[identifier] = encode_schema(schema)
    _keep_schema(identifier, schema)
    schemas.append(identifier)
    return len(schemas) - 1


def _decode_schema(data: bytes | memoryview) -> Schema:
    if len(data) > _SMALL_SCHEMA:
        return _schemas.decode(data)
    content = bytes(data)
    schema = _schema_cache.get(content)
    if schema is None:
        schema = _schemas.decode(content)
        _keep_schema(content, schema)
    return schema


def _keep_schema(identifier: bytes, schema: Schema) -> None:
    if len(_schema_cache) >= _SCHEMAS_KEPT:
        _schema_cache.clear()
    _schema_cache[identifier] = schema


def _touched_chunks(manifest: Manifest, start: int, stop: int) -> tuple[int, int]:
    """Which chunks are rewritten when rows `start` to `stop` are replaced: from number `low` up to `high`."""
    chunks = manifest.chunks
    begins: list[int] = [0, *accumulate(chunk.rows for chunk in chunks)]
    if start < manifest.rows:
        low = next(i for i in range(len(chunks)) if begins[i + 1] > start)
        high = next((i for i in range(low + 1, len(chunks)) if begins[i] >= stop), len(chunks))
        return low, high
    small = len(chunks)
    while small and chunks[small - 1].blocks < CHUNK_BLOCKS // 2:
        small -= 1
    if chunks and chunks[-1].blocks < OPEN_BLOCKS:
        return len(chunks) - 1, len(chunks)
    return (small if len(chunks) - small >= SMALL_CHUNKS else len(chunks)), len(chunks)


def _dropped(base: Contents, low: int, high: int, touched: Slices, renewed: Slices) -> set[tuple[str, bytes]]:
    """What the chunks from `low` to `high` named and their successors do not, nor any other chunk."""
    names = {("M", chunk.id) for chunk in base.manifest.chunks[low:high]}
    lost = touched.named() - renewed.named()
    if lost:
        cut = touched.slices["rows"] != touched.slices["stored"]
        shared = {s for run in np.flatnonzero(cut).tolist() for s in touched.run(run, run + 1).ids}
        shared.update(dictionary.id for dictionary in touched.dictionaries)
        if lost & shared:
            # A cut slice's segment, or a dictionary, may be in use beyond the chunks that were touched.
            for i in [*range(low), *range(high, len(base.manifest.chunks))]:
                lost -= base.chunk(i).named()
        names.update(("D", identifier) for identifier in lost)
    return names


def _add(made: Contents, slices: Slices) -> None:
    """Add slices to the end of a manifest that is being made, in chunks of bounded size."""
    if not len(slices):
        return
    manifest = made.manifest
    blocks = slices.block_starts[slices.segment_starts]
    start = 0
    while start < len(slices):
        stop = int(np.searchsorted(blocks, blocks[start] + CHUNK_BLOCKS, side="right")) - 1
        stop = min(max(stop, start + 1), start + CHUNK_BLOCKS, len(slices))
        run = slices.run(start, stop)
        identifier = new_id()
        made.fresh[identifier] = _encode(run.chunk())
        manifest.chunks.append(
            ChunkRef(
                identifier, run.rows, len(run.blocks), int(run.slices["first"][0]), int(run.slices["last"][-1])
            )
        )
        manifest.rows += run.rows
        start = stop
