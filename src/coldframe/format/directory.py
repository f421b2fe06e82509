"""The ends of a segment: its header, its directory and its footer, by which it describes and proves itself."""

from __future__ import annotations

from struct import Struct
from typing import Any

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from coldframe.format.blocks import BLOCK
from coldframe.format.checksums import FORMAT_VERSION, MAGIC, Buffer, Damage, checksum, require_version
from coldframe.format.dtypes import DType
from coldframe.format.schema import Name, Schema

SEGMENT = b"SEGM"
"""The kind of a segment of rows."""
DICTIONARIES = b"DICT"
"""The kind of a segment of string dictionaries."""

_HEADER = Struct("<4s4sHHI")  # magic, kind, version, flags, reserved
_LENGTH = Struct("<Q")
_FOOTER = Struct("<QQ4s4s")  # length of the directory, check, kind, magic
HEADER_SIZE = _HEADER.size
FOOTER_SIZE = _FOOTER.size


class Columns(msgspec.Struct, array_like=True, frozen=True):
    """The columns of a segment, as its directory has them.

    Attributes
    ----------
    width, index_columns : int
        Of the whole table.
    names : list
        Of the segment's columns, in stored order.
    types : list of DType
        The table's types.
    kinds, places : bytes
        For each column its position in `types` (uint16), and its position in the table's order (uint32).
    categories : dict of int to bytes
        By position in the table's order.
    frame : bytes
        What the user's object was; only where the segment holds the first stored column.
    """

    width: int
    index_columns: int
    names: list[Name]
    types: list[DType]
    kinds: bytes
    places: bytes
    categories: dict[int, bytes]
    frame: bytes


class _Wire(msgspec.Struct, array_like=True):
    symbol: str
    rows: int
    first: int
    columns: msgspec.Raw
    blocks: bytes


class Directory(msgspec.Struct, frozen=True):
    """What a segment says about itself.

    Attributes
    ----------
    kind : bytes
        `SEGMENT` or `DICTIONARIES`.
    symbol : str
    rows : int
    first : int
        The stored position of its first column.
    columns : Columns
    blocks : array of BLOCK
    """

    kind: bytes
    symbol: str
    rows: int
    first: int
    columns: Columns
    blocks: NDArray[Any]

    @property
    def schema(self) -> Schema:
        """The schema of the segment's columns, in table order among themselves."""
        columns = self.columns
        places = np.frombuffer(columns.places, "<u4")
        kinds = np.frombuffer(columns.kinds, "<u2")
        order = np.argsort(places, kind="stable")
        where = order.tolist()
        position = {int(places[old]): new for new, old in enumerate(where)}
        return Schema(
            [columns.names[old] for old in where],
            columns.types,
            kinds[order].tobytes(),
            int(np.count_nonzero(places < columns.index_columns)),
            {position[place]: data for place, data in columns.categories.items() if place in position},
            columns.frame,
        )


_encode = msgspec.msgpack.Encoder().encode
_wire = msgspec.msgpack.Decoder(_Wire)
_columns = msgspec.msgpack.Decoder(Columns)
NO_COLUMNS = msgspec.Raw(_encode(Columns(0, 0, [], [], b"", b"", {}, b"")))


def describe(schema: Schema, first: int, count: int) -> msgspec.Raw:
    """The encoded `Columns` of a range of stored columns."""
    places = schema.order[first : first + count]
    names: list[Name] = schema.names
    categories: dict[int, bytes] = schema.categories
    if len(schema.types) > 1 or count < schema.width:
        where = places.tolist()
        names = [names[place] for place in where]
        if categories:
            categories = {place: categories[place] for place in where if place in categories}
    frame = schema.frame if first == 0 else b""
    kinds = schema.kind_of[places].tobytes()
    described = Columns(
        schema.width,
        schema.index_columns,
        names,
        schema.types,
        kinds,
        places.astype("<u4").tobytes(),
        categories,
        frame,
    )
    return msgspec.Raw(_encode(described))


def header(kind: bytes) -> bytes:
    """The first bytes of a segment."""
    return _HEADER.pack(MAGIC, kind, FORMAT_VERSION, 0, 0)


def tail(kind: bytes, symbol: str, rows: int, first: int, columns: msgspec.Raw, blocks: bytes) -> bytes:
    """The directory and the footer of a segment; `blocks` are its BLOCK records."""
    directory = _encode(_Wire(symbol, rows, first, columns, blocks))
    return directory + _FOOTER.pack(len(directory), _digest(header(kind), directory), kind, MAGIC)


def _digest(head: Buffer, directory: Buffer) -> int:
    digest = xxhash.xxh3_64(head)
    digest.update(directory)
    digest.update(_LENGTH.pack(len(directory)))
    return digest.intdigest()


def read_directory(data: Buffer) -> Directory:
    """What a segment says about itself; of its blocks nothing is read.

    Raises
    ------
    Damage
        Header, directory or footer are not as they were written, or contradict each other.
    CompatibilityException
        The segment is of a newer format.
    """
    view = memoryview(data)
    if len(view) < HEADER_SIZE + FOOTER_SIZE:
        raise Damage(f"{len(view)} bytes are too few for a segment")
    magic, kind, version, flags, reserved = _HEADER.unpack_from(view)
    length, check, end_kind, end_magic = _FOOTER.unpack_from(view, len(view) - FOOTER_SIZE)
    if magic != MAGIC or end_magic != MAGIC or kind != end_kind or kind not in (SEGMENT, DICTIONARIES):
        raise Damage("not a whole segment: its magic is missing")
    start = len(view) - FOOTER_SIZE - length
    if start < HEADER_SIZE:
        raise Damage(f"a directory of {length} bytes in a segment of {len(view)}")
    directory = view[start : start + length]
    if _digest(view[:HEADER_SIZE], directory) != check:
        raise Damage("checksum mismatch in the directory of the segment")
    require_version(version, "segment")
    if flags or reserved:
        raise Damage(f"unknown flags {flags:#x} in the header of the segment")
    try:
        wire = _wire.decode(directory)
        columns = _columns.decode(wire.columns)
    except msgspec.MsgspecError as error:
        raise Damage(f"a directory that cannot be read: {error}") from error
    if len(wire.blocks) % BLOCK.itemsize:
        raise Damage("a directory with part of a block record")
    blocks = np.frombuffer(wire.blocks, BLOCK)
    found = Directory(kind, wire.symbol, wire.rows, wire.first, columns, blocks)
    _check_extent(found, start)
    return found


def _check_extent(found: Directory, end: int) -> None:
    """Blocks lie between header and directory, one after the other, and those of rows cover all columns."""
    blocks = found.blocks
    starts, lengths = blocks["offset"], blocks["length"]
    stops = starts + lengths
    if len(blocks):
        ordered = (starts[1:] >= stops[:-1]).all() and (stops >= starts).all()
        if not ordered or starts[0] < HEADER_SIZE or stops[-1] > end:
            raise Damage("blocks that overlap or lie outside their segment")
    if found.kind == SEGMENT:
        ends = np.concatenate(([found.first], blocks["first"].astype(np.int64) + blocks["count"]))
        if (ends[:-1] != blocks["first"]).any() or ends[-1] != found.first + len(found.columns.names):
            raise Damage("blocks that do not cover the columns of their segment")
        if not len(found.columns.names) == len(found.columns.kinds) // 2 == len(found.columns.places) // 4:
            raise Damage("a directory whose lists of columns differ in length")


def verify_segment(data: Buffer) -> Directory:
    """Check every byte of a segment; its directory if all are as they were written.

    Raises
    ------
    Damage
        Some byte is not; the message names the column where it lies in a block.
    CompatibilityException
        The segment is of a newer format.
    """
    found = read_directory(data)
    view = memoryview(data)
    names = found.columns.names
    position = HEADER_SIZE
    for block in found.blocks.tolist():
        first, _, offset, length, check = block[:5]
        where = f"column {names[first - found.first]!r}" if found.kind == SEGMENT else f"dictionary of column {first}"
        if any(view[position:offset]):
            raise Damage(f"{where}: stray bytes before its block")
        if checksum(view[offset : offset + length]) != check:
            raise Damage(f"{where}: checksum mismatch")
        position = offset + length
    (directory_length,) = _LENGTH.unpack_from(view, len(view) - FOOTER_SIZE)
    if any(view[position : len(view) - FOOTER_SIZE - directory_length]):
        raise Damage("stray bytes before the directory of the segment")
    return found
