"""Row slices as arrays: what a manifest says about rows, segments and blocks, without an object per slice."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coldframe.cached import cached_property
from coldframe.catalog.ids import ID_BYTES
from coldframe.format.segments import BLOCK

SLICE = np.dtype(
    [
        ("rows", "<u8"),  # rows of the version in this slice
        ("offset", "<u8"),  # the first of them within the segments
        ("stored", "<u8"),  # rows stored in the segments
        ("first", "<i8"),  # time index of the first and the last row, in the index's unit; 0 without one
        ("last", "<i8"),
        ("segments", "<u4"),  # how many segments (column groups)
        ("schema", "<u4"),  # position in the manifest's list of schemas
        ("dictionary", "<i4"),  # position in the chunk's list of dictionary segments; -1: none
        ("reserved", "<u4"),
    ]
)
SEGMENT = np.dtype(
    [
        ("id", f"V{ID_BYTES}"),
        ("size", "<u8"),
        ("first", "<u4"),  # stored columns
        ("count", "<u4"),
        ("blocks", "<u4"),
        ("reserved", "<u4"),
    ]
)


class Dictionary(msgspec.Struct, array_like=True):
    """A segment of string dictionaries that several slices share; `blocks` is its BLOCK array."""

    id: bytes
    size: int
    blocks: bytes


class Chunk(msgspec.Struct, array_like=True):
    """A run of slices as stored: a piece of a manifest."""

    slices: bytes
    segments: bytes
    blocks: bytes
    dictionaries: list[Dictionary] = []


class Slices(msgspec.Struct, eq=False, dict=True):
    """A run of row slices: `segments` and `blocks` of all slices one after the other.

    Attributes
    ----------
    slices, segments, blocks : structured arrays of `SLICE`, `SEGMENT`, `BLOCK`
    dictionaries : list of Dictionary
    """

    slices: NDArray[Any]
    segments: NDArray[Any]
    blocks: NDArray[Any]
    dictionaries: list[Dictionary]

    @classmethod
    def empty(cls) -> Slices:
        """No rows."""
        return cls(np.empty(0, SLICE), np.empty(0, SEGMENT), np.empty(0, BLOCK), [])

    @classmethod
    def of_chunk(cls, chunk: Chunk) -> Slices:
        """The slices of a stored chunk, sharing its memory."""
        return cls(
            np.frombuffer(chunk.slices, SLICE),
            np.frombuffer(chunk.segments, SEGMENT),
            np.frombuffer(chunk.blocks, BLOCK),
            chunk.dictionaries,
        )

    def chunk(self) -> Chunk:
        """These slices for storing."""
        return Chunk(self.slices.tobytes(), self.segments.tobytes(), self.blocks.tobytes(), self.dictionaries)

    def __len__(self) -> int:
        return len(self.slices)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The row at which each slice begins, and after the last one the number of rows."""
        return _starts(self.slices["rows"])

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.starts[-1])

    @cached_property
    def segment_starts(self) -> NDArray[np.int64]:
        """Where each slice's segments begin in `segments`."""
        return _starts(self.slices["segments"])

    @cached_property
    def block_starts(self) -> NDArray[np.int64]:
        """Where each segment's blocks begin in `blocks`."""
        return _starts(self.segments["blocks"])

    @cached_property
    def ids(self) -> list[bytes]:
        """The id of each segment."""
        data = np.ascontiguousarray(self.segments["id"]).tobytes()
        return [data[i : i + ID_BYTES] for i in range(0, len(data), ID_BYTES)]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The stored bytes of each slice, over its segments."""
        totals = _starts(self.segments["size"])
        return totals[self.segment_starts[1:]] - totals[self.segment_starts[:-1]]

    def named(self) -> set[bytes]:
        """The ids of all segments and dictionary segments."""
        return set(self.ids).union(d.id for d in self.dictionaries)

    def run(self, start: int, stop: int) -> Slices:
        """The slices from number `start` to `stop`, with the dictionaries they use."""
        if start == 0 and stop >= len(self):
            return self
        a, b = self.segment_starts[start], self.segment_starts[stop]
        slices = self.slices[start:stop]
        dictionaries = self.dictionaries
        if dictionaries:
            used, positions = np.unique(slices["dictionary"], return_inverse=True)
            kept = used[used >= 0].tolist()
            slices = slices.copy()
            slices["dictionary"] = positions - (len(used) - len(kept))
            dictionaries = [dictionaries[i] for i in kept]
        return Slices(
            slices, self.segments[a:b], self.blocks[self.block_starts[a] : self.block_starts[b]], dictionaries
        )

    def head(self, rows: int) -> Slices:
        """The first `rows` rows; the last slice may be cut. Its `last` stays an upper bound."""
        if rows >= self.rows:
            return self
        stop = int(np.searchsorted(self.starts, rows, side="left"))
        kept = self.run(0, stop)
        surplus = kept.rows - rows
        if surplus:
            slices = kept.slices.copy()
            slices["rows"][-1] -= surplus
            kept = Slices(slices, kept.segments, kept.blocks, kept.dictionaries)
        return kept

    def tail(self, start: int) -> Slices:
        """The rows from `start` on; the first slice may be cut. Its `first` stays a lower bound."""
        if start <= 0:
            return self
        if start >= self.rows:
            return Slices.empty()
        begin = int(np.searchsorted(self.starts, start, side="right")) - 1
        kept = self.run(begin, len(self))
        cut = start - int(self.starts[begin])
        if cut:
            slices = kept.slices.copy()
            slices["rows"][0] -= cut
            slices["offset"][0] += cut
            kept = Slices(slices, kept.segments, kept.blocks, kept.dictionaries)
        return kept

    def with_schema(self, number: int) -> Slices:
        """The same slices, as of the schema at position `number` of the manifest's list."""
        slices = self.slices.copy()
        slices["schema"] = number
        return Slices(slices, self.segments, self.blocks, self.dictionaries)

    def bounded(self, first: int | None, last: int | None) -> Slices:
        """The same slices with the exact time index of the first and the last row, where given."""
        if not len(self):
            return self
        slices = self.slices.copy()
        if first is not None:
            slices["first"][0] = first
        if last is not None:
            slices["last"][-1] = last
        return Slices(slices, self.segments, self.blocks, self.dictionaries)


def concat(runs: list[Slices]) -> Slices:
    """Runs of slices one after the other; a dictionary segment that several runs use is named once."""
    runs = [run for run in runs if len(run)]
    if not runs:
        return Slices.empty()
    if len(runs) == 1:
        return runs[0]
    position: dict[bytes, int] = {}
    dictionaries: list[Dictionary] = []
    slices = []
    for run in runs:
        mine = run.slices
        if run.dictionaries:
            moved = np.empty(len(run.dictionaries) + 1, dtype=np.int32)
            moved[-1] = -1
            for i, dictionary in enumerate(run.dictionaries):
                moved[i] = position.setdefault(dictionary.id, len(dictionaries))
                if moved[i] == len(dictionaries):
                    dictionaries.append(dictionary)
            mine = mine.copy()
            mine["dictionary"] = moved[mine["dictionary"]]
        slices.append(mine)
    return Slices(
        np.concatenate(slices),
        np.concatenate([run.segments for run in runs]),
        np.concatenate([run.blocks for run in runs]),
        dictionaries,
    )


def _starts(counts: NDArray[Any]) -> NDArray[np.int64]:
    if len(counts) == 1:  # what small symbols have: no need for the machinery
        return np.array((0, int(counts[0])), dtype=np.int64)
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts
