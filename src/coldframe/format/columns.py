"""Decodes single columns of a slice, in place where a codec allows it: what queries and searches look at."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from coldframe.format import blocks
from coldframe.format.blocks import Decoded, Unwritten
from coldframe.format.checksums import Buffer, Damage, checksum
from coldframe.format.codecs import dictionary, ids, strings
from coldframe.format.codecs.linear import Numbers
from coldframe.format.gather import Dictionaries, split_codes
from coldframe.format.schema import Schema
from coldframe.format.table import StringColumn
from coldframe.format.text import EMBEDDED

_KEPT = 256
"""So many dictionaries are kept for the slices that follow, which often have the same: such as fit into every block."""
_UNWRITTEN = (ids.LINEAR, ids.DECIMALS)
Record = tuple[int, ...]
"""A record of BLOCK as plain numbers, as `tolist` makes them."""


class ColumnDecoder:
    """Decodes blocks of slices that have one schema. May be used by many threads.

    What it returns may be a view of the bytes it was given; such arrays cannot be written to.

    Parameters
    ----------
    schema : Schema
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._starts: list[int] = schema.bounds.tolist()
        self._embedded: dict[tuple[bytes, int], Any] = {}

    def numbers(self, block: Record, payload: Buffer, rows: int) -> Decoded | Unwritten:
        """All columns of a block of numbers; numbers that can be had one by one are not written out.

        Raises
        ------
        Damage
            The payload is not what was written; the message names the column.
        """
        first, count, _, length, check, _, _, _, _, codec, _, flags = block
        try:
            verify(payload, length, check)
            dtype = self._schema.types[kind_of(self._starts, first, count)]
            if codec in _UNWRITTEN:
                unwritten = blocks.decode_unwritten(dtype, codec, flags, payload, count, rows)
                if unwritten is not None:
                    return unwritten
            values, valid = blocks.decode(dtype, codec, flags, payload, count, rows)
        except Damage as damage:
            raise damage.within(described(self._schema, first)) from None
        return Decoded(values if values.flags.aligned else values.copy(), valid)

    def strings(self, block: Record, payload: Buffer, rows: int, dictionaries: Dictionaries | None) -> StringColumn:
        """The column of a block of strings; slices that share a dictionary share its values.

        Raises
        ------
        Damage
            The payload is not what was written; the message names the column.
        """
        first, count, _, length, check, _, _, _, number, codec, _, _ = block
        try:
            verify(payload, length, check)
            kind = self._schema.types[kind_of(self._starts, first, count)].kind
            arrow = pa.large_binary() if kind == "binary" else pa.large_string()
            if codec == ids.STRINGS:
                return strings.decode(payload, arrow, rows)
            embedded, codes_codec, data = split_codes(codec, payload)
            values = self._values(first, embedded, number, dictionaries, arrow)
            codes = dictionary.decode_codes(data, codes_codec, rows)
            dictionary.check_codes(codes, len(values))
        except Damage as damage:
            raise damage.within(described(self._schema, first)) from None
        return StringColumn(values, codes)

    def _values(self, stored: int, embedded: bytes, number: int, dictionaries: Dictionaries | None, arrow: Any) -> Any:
        if number >= 0:
            if embedded or dictionaries is None:
                raise Damage("a block of codes whose dictionary is missing")
            return dictionaries.values(number, arrow)
        if len(embedded) > EMBEDDED:
            return strings.decode(embedded, arrow).values
        values = self._embedded.get((embedded, stored))
        if values is None:
            if len(self._embedded) >= _KEPT:
                self._embedded.clear()
            values = self._embedded[embedded, stored] = strings.decode(embedded, arrow).values
        return values


def decode_column(source: Schema, column: int, block: Any, payload: Buffer, rows: int) -> Numbers:
    """The numbers of one column (by its position in table order), alone, out of a slice's block that holds it.

    Numbers in equal steps need not be written out for a search among them.

    Raises
    ------
    Damage
        The payload is not what was written, or the block does not hold this column, or values are missing.
    """
    first, count, _, length, check, _, _, _, _, codec, _, flags = block.tolist()
    place = int(source.place[column]) - first
    dtype = source.dtype(column)
    try:
        if not 0 <= place < count:
            raise Damage("its block is missing")  # noqa: TRY301 - told like all other damage
        verify(payload, length, check)
        kind_of(source.bounds.tolist(), first, count)
        steps = blocks.decode_steps(dtype, codec, flags, payload, count, rows)
        if steps is not None:
            return steps
        values, valid = blocks.decode(dtype, codec, flags, payload, count, rows)
    except Damage as damage:
        raise damage.within(described(source, int(source.place[column]))) from None
    if valid is not None:
        raise Damage(f"{described(source, first)}: values are missing where that cannot be")
    found: Numbers = values[place]
    return found


def described(source: Schema, stored: int) -> str:
    """A stored column as messages name it."""
    name = source.names[int(source.order[stored])] if stored < source.width else stored
    return f"column {name!r}"


def kind_of(starts: list[int], first: int, count: int) -> int:
    """The position of a block's type among those of its source, which begin at these stored columns."""
    for kind, stop in enumerate(starts[1:]):
        if first < stop:
            if not count or first + count > stop:
                break
            return kind
    raise Damage(f"a block of {count} columns from column {first} on, where the schema has no such run")


def verify(payload: Buffer, length: int, check: int) -> None:
    """Refuse a payload that is not what was written."""
    if len(payload) != length:
        raise Damage(f"{len(payload)} bytes of a block of {length}")
    if checksum(payload) != check:
        raise Damage("checksum mismatch")
