"""Manifests: whatever is appended, replaced or cut, each row of the version is the row it should be."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coldframe.catalog import manifest as manifests
from coldframe.catalog.ids import new_id
from coldframe.catalog.manifest import Contents, begin, keep_rows, replace
from coldframe.catalog.pieces import Pieces
from coldframe.catalog.slices import SEGMENT, SLICE, Dictionary, Slices
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.segments import BLOCK
from coldframe.stores.base import Reader

SCHEMA = Schema.of(["a"], [DType("int")])
OTHER = Schema.of(["a", "b"], [DType("int"), DType("float")])


class NoStore(Reader):
    """Every piece of these tests is fresh or in a pool."""

    def get(self, key):
        raise AssertionError(key)

    get_many = fetch = list = get


def new_slices(counts: list[int], blocks: int, *, dictionary: bool) -> Slices:
    """Slices of new segments, `counts` rows each, with one shared dictionary segment."""
    slices = np.array([(n, 0, n, 0, 0, 1, 0, 0 if dictionary else -1, 0) for n in counts], SLICE)
    segments = np.array([(new_id(), 10 * n, 0, 1, blocks, 0) for n in counts], SEGMENT)
    shared = [Dictionary(new_id(), 7, b"")] if dictionary and counts else []
    return Slices(slices, segments, np.zeros(blocks * len(counts), BLOCK), shared)


def rows_of(slices: Slices) -> list[tuple[bytes, int, bytes | None]]:
    """For each row: its segment, its place in it, and the dictionary segment it uses."""
    rows = []
    for number, record in enumerate(slices.slices):
        used = slices.dictionaries[record["dictionary"]].id if record["dictionary"] >= 0 else None
        identifier = slices.ids[int(slices.segment_starts[number])]
        begin_row = int(record["offset"])
        rows.extend((identifier, row, used) for row in range(begin_row, begin_row + int(record["rows"])))
    return rows


def stored(contents: Contents) -> Contents:
    """The manifest as it comes back from storage."""
    raw = manifests.encode_manifest(contents.manifest)
    pool = {i: contents.fresh.get(i) or contents.pieces.inlined(i) for i in contents.piece_ids()}
    return Contents(manifests.decode_manifest(raw), Pieces("s", NoStore(), pool))


changes = st.lists(
    st.tuples(
        st.sampled_from(["append", "replace", "cut"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.lists(st.integers(1, 5), max_size=4),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 6), max_size=5), changes, st.integers(1, 3))
def test_rows_are_those_of_a_plain_list(counts, steps, blocks):
    limits = manifests.CHUNK_BLOCKS, manifests.OPEN_BLOCKS, manifests.SMALL_CHUNKS
    manifests.CHUNK_BLOCKS, manifests.OPEN_BLOCKS, manifests.SMALL_CHUNKS = 6, 3, 3
    try:
        slices = new_slices(counts, blocks, dictionary=True)
        model = rows_of(slices)
        contents = stored(begin(0, SCHEMA, slices, Pieces("s", NoStore())))
        for number, (what, at, width, new_counts, dictionary, widened) in enumerate(steps, 1):
            before = contents.segment_ids()
            schema = OTHER if widened else SCHEMA
            new = new_slices(new_counts, blocks, dictionary=dictionary)
            total = len(model)
            if what == "cut":
                keep = int(at * total)
                made, model = keep_rows(contents, keep), model[:keep]
            else:
                start = total if what == "append" else int(at * total)
                stop = total if what == "append" else start + int(width * (total - start))
                made = replace(contents, number, start, stop, new, schema)
                model = model[:start] + rows_of(new) + model[stop:]
                assert made.schema() == schema
            dropped = made.dropped
            contents = stored(made)
            assert contents.manifest.rows == len(model)
            assert rows_of(contents.all_slices()) == model
            assert sum(chunk.rows for chunk in contents.manifest.chunks) == len(model)
            gone = {("D", i) for i in before - contents.segment_ids()}
            assert {name for name in dropped if name[0] == "D"} == gone
            for start in range(0, len(model), 3):
                part, first = contents.slices(start, start + 2)
                assert rows_of(part)[start - first : start - first + 2] == model[start : start + 2]
    finally:
        manifests.CHUNK_BLOCKS, manifests.OPEN_BLOCKS, manifests.SMALL_CHUNKS = limits


def test_an_append_rewrites_only_the_end():
    contents = begin(0, SCHEMA, new_slices([1] * 5000, 1, dictionary=False), Pieces("s", NoStore()))
    contents = stored(contents)
    many = len(contents.manifest.chunks)
    assert many > 2
    longer = replace(contents, 0, 5000, 5000, new_slices([1], 1, dictionary=False), SCHEMA)
    assert longer.manifest.chunks[: many - 1] == contents.manifest.chunks[: many - 1]
    assert len(longer.fresh) == 1


def test_the_list_of_chunks_stays_short_however_many_appends():
    contents = begin(0, SCHEMA, Slices.empty(), Pieces("s", NoStore()))
    for row in range(3000):
        contents = stored(replace(contents, 0, row, row, new_slices([1], 9, dictionary=False), SCHEMA))
    assert contents.manifest.rows == 3000
    assert len(contents.manifest.chunks) < 3000 * 9 / manifests.CHUNK_BLOCKS * 2 + manifests.SMALL_CHUNKS + 1


def test_chunks_are_small_messages():
    slices = new_slices([3, 4], 2, dictionary=True)
    again = Slices.of_chunk(msgspec.msgpack.decode(msgspec.msgpack.encode(slices.chunk()), type=manifests.Chunk))
    assert rows_of(again) == rows_of(slices)
