"""Gathers the rows of one string column from the blocks of many slices, coded or plain, in any order.

No Python string is made here: dictionaries are unified as Arrow arrays, once the last block has arrived.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coldframe.format.checksums import Buffer, Damage, checksum
from coldframe.format.codecs import dictionary, ids, strings
from coldframe.format.table import NAN, NONE, StringColumn
from coldframe.memory import result_array

Key = bytes | tuple[int, int]


class Dictionaries:
    """The blocks of a dictionary segment that a read needs. Each is decoded once, by whichever thread comes first.

    Parameters
    ----------
    blocks : array of BLOCK
        All records of the dictionary segment.
    payloads : mapping of int to buffer
        The bytes of those blocks that are needed, by number.
    """

    def __init__(self, blocks: NDArray[Any], payloads: Mapping[int, Buffer]) -> None:
        self._blocks = blocks
        self._payloads = payloads
        self._decoded: dict[int, Any] = {}
        self._lock = threading.Lock()

    def key(self, number: int) -> Key:
        """What identifies the bytes of a dictionary."""
        if not 0 <= number < len(self._blocks):
            raise Damage(f"there is no dictionary number {number}")
        block = self._blocks[number]
        return int(block["check"]), int(block["length"])

    def values(self, number: int, kind: Any) -> Any:
        """The strings of a dictionary, as an Arrow array."""
        with self._lock:
            values = self._decoded.get(number)
            if values is None:
                values = self._decoded[number] = self._decode(number, kind)
            return values

    def _decode(self, number: int, kind: Any) -> Any:
        check, length = self.key(number)
        payload = self._payloads.get(number)
        if payload is None:
            raise Damage(f"dictionary number {number} was not read")
        if len(payload) != length or checksum(payload) != check:
            raise Damage(f"checksum mismatch in dictionary number {number}")
        return strings.decode(payload, kind).values


def split_codes(codec: int, payload: Buffer) -> tuple[bytes, int, memoryview]:
    """The parts of a block of strings that is not plain: its dictionary, if it has one, the codes' codec, the codes."""
    if codec != ids.DICTIONARY:
        raise Damage(f"codec {codec} does not belong to a block of strings")
    return dictionary.split(payload)


class Gatherer:
    """Collects one string column.

    Parameters
    ----------
    rows : int
    kind : Arrow type
        large_string or large_binary.
    """

    def __init__(self, rows: int, kind: Any) -> None:
        self._rows = rows
        self._kind = kind
        self._lock = threading.Lock()
        self._codes: NDArray[Any] | None = None
        self._positions: dict[Key, int] = {}
        self._values: list[Any] = []
        self._coded: list[tuple[int, int, int]] = []
        self._plain: list[tuple[int, StringColumn]] = []
        self._finished: StringColumn | None = None

    def add(
        self,
        codec: int,
        payload: Buffer,
        rows: int,
        part: tuple[int, int],
        at: int,
        number: int = -1,
        dictionaries: Dictionaries | None = None,
    ) -> None:
        """Take rows `part` of a block of `rows` rows, whose checksum has been verified, as the rows from `at` on."""
        start, stop = part
        if codec == ids.STRINGS:
            self._plain.append((at, strings.decode(payload, self._kind, rows).rows(start, stop)))
            return
        embedded, codes_codec, data = split_codes(codec, payload)
        position = self._position(embedded, number, dictionaries)
        target = self._own_codes()[at : at + stop - start]
        codes = dictionary.decode_codes(data, codes_codec, rows, target if len(target) == rows else None)
        if codes is not target:
            target[:] = codes[start:stop]
        dictionary.check_codes(target, len(self._values[position]))
        self._coded.append((at, stop - start, position))

    def fill(self, at: int, rows: int) -> None:
        """Make `rows` rows from `at` on missing."""
        self._own_codes()[at : at + rows] = NONE
        self._coded.append((at, rows, -1))

    def _own_codes(self) -> NDArray[Any]:
        codes = self._codes
        if codes is None:
            with self._lock:
                codes = self._codes
                if codes is None:
                    codes = self._codes = result_array(self._rows, dictionary.CODES)
        return codes

    def _position(self, embedded: bytes, number: int, dictionaries: Dictionaries | None) -> int:
        """Which of the column's dictionaries this one is; decoded when it is seen for the first time."""
        if number < 0:
            key: Key = embedded
        elif embedded or dictionaries is None:
            raise Damage("a block of codes whose dictionary is missing")
        else:
            key = dictionaries.key(number)
        with self._lock:
            position = self._positions.get(key)
            if position is None:
                if number < 0 or dictionaries is None:
                    values = strings.decode(embedded, self._kind).values
                else:
                    values = dictionaries.values(number, self._kind)
                self._values.append(values)
                position = self._positions[key] = len(self._values) - 1
        return position

    def finish(self) -> StringColumn:
        """The column, when every row has been added; the same one each time."""
        if self._finished is None:
            self._finished = self._finish()
        return self._finished

    def _finish(self) -> StringColumn:
        coded_rows = sum(rows for _, rows, _ in self._coded)
        plain_rows = sum(len(column) for _, column in self._plain)
        if coded_rows + plain_rows != self._rows:
            raise Damage(f"{coded_rows + plain_rows} rows of strings where {self._rows} belong")
        if plain_rows > coded_rows or not self._coded:
            return self._as_plain()
        if plain_rows:
            self._code_plain()
        return StringColumn(self._unify(), self._own_codes())

    def _as_plain(self) -> StringColumn:
        blank = pa.array([], self._kind)
        pieces = list(self._plain)
        for at, rows, position in self._coded:
            values = self._values[position] if position >= 0 else blank
            pieces.append((at, StringColumn(values, self._own_codes()[at : at + rows]).plain()))
        pieces.sort(key=lambda piece: piece[0])
        if not pieces:
            return StringColumn(blank)
        arrays = [column.values for _, column in pieces]
        missing = None
        if any(column.missing is not None for _, column in pieces):
            missing = np.zeros(self._rows, np.int8)
            for at, column in pieces:
                if column.missing is not None:
                    missing[at : at + len(column)] = column.missing
        return StringColumn(arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays), None, missing)

    def _code_plain(self) -> None:
        """Turn the plain pieces, the smaller part, into codes with a dictionary of their own."""
        codes = self._own_codes()
        coded = pa.concat_arrays([column.values for _, column in self._plain]).dictionary_encode()
        indices = np.asarray(coded.indices)
        start = 0
        for at, column in self._plain:
            rows = len(column)
            mine = indices[start : start + rows]
            codes[at : at + rows] = mine if column.missing is None else np.where(column.missing, column.missing, mine)
            self._coded.append((at, rows, len(self._values)))
            start += rows
        self._values.append(coded.dictionary)

    def _unify(self) -> Any:
        """The values of all dictionaries, each once; the codes are changed to point into them."""
        if len(self._values) < 2:
            return self._values[0] if self._values else pa.array([], self._kind)
        codes = self._own_codes()
        unified = pa.concat_arrays(self._values).dictionary_encode()
        indices = np.asarray(unified.indices)
        starts = np.cumsum([0, *map(len, self._values)]).tolist()
        # Behind each dictionary's new codes stand those of NaN and None, which negative codes pick from the end.
        moved = [
            np.concatenate((indices[start:stop], [NAN, NONE])).astype(dictionary.CODES)
            for start, stop in pairwise(starts)
        ]
        for at, rows, position in self._coded:
            if position > 0 or (position == 0 and len(unified.dictionary) != len(indices)):
                mine = codes[at : at + rows]
                mine[:] = moved[position][mine]
        return unified.dictionary
