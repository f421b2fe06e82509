"""Segments: how tables are cut, what segments say about themselves, and that no byte of them can change unnoticed."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.format.tables import STRING, assert_same, read, tables, write

from coldframe.exceptions import CompatibilityException
from coldframe.format import directory
from coldframe.format.blocks import BLOCK
from coldframe.format.checksums import Damage
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.segments import Encoder, column_groups, read_directory, verify_segment
from coldframe.format.table import Band, StringColumn, Table

INT = DType("int")
FLOAT = DType("float")


def small() -> Table:
    schema = Schema.of(["t", "a", 3, "s"], [DType("timestamp", unit="ns"), FLOAT, INT, STRING], 1, {}, b"frame")
    strings = StringColumn(pa.array(["x", "naïve", ""], pa.large_string()), None, np.array([0, 0, -1], np.int8))
    bands = [
        Band(np.array([[1, 2, 3]])),
        Band(np.array([[0.5, np.nan, 2.5]])),
        Band(np.array([[7, 7, 7]])),
        Band([strings]),
    ]
    return Table(schema, 3, bands)


class TestCutting:
    @given(
        st.lists(st.floats(1, 1e9), max_size=60),
        st.floats(1, 1e10),
        st.integers(1, 80),
    )
    @example([1.0] * 10, 1.0, 10)
    @example([1.0] * 4 + [1e9] + [1.0] * 5, 10.0, 2)
    @example([1.0] * 10 + [100.0] + [1.0] * 9, 30.0, 2)
    @example([1e9] + [1.0] * 9, 10.0, 3)
    @example([1.0] * 9 + [1e9], 10.0, 3)
    def test_groups_cover_the_columns_and_none_is_too_short(self, sizes, segment_bytes, least):
        groups = column_groups(np.array(sizes), segment_bytes, least)
        assert [first for first, _ in groups] == np.cumsum([0, *(count for _, count in groups)]).tolist()[: len(groups)]
        assert sum(count for _, count in groups) == len(sizes)
        assert all(count >= min(least, len(sizes)) for _, count in groups)

    def test_groups_are_about_as_large_as_asked(self):
        groups = column_groups(np.full(20_000, 8000.0), 8 * 2**20, 127)
        assert {count for _, count in groups} <= {1052, 1053}

    def test_wide_tables_have_blocks_of_many_columns(self):
        values = np.random.default_rng(0).standard_normal((2000, 1000))
        table = Table(Schema.of(list(range(2000)), [FLOAT] * 2000), 1000, [Band(values)])
        segments = Encoder(table).slice(0, 1000)
        assert len(segments) == 1
        assert set(segments[0].blocks["count"].tolist()) == {131, 2000 % 131}

    def test_small_tables_have_one_block_per_type(self):
        [segment] = Encoder(small()).slice(0, 3)
        assert segment.blocks["count"].tolist() == [1, 1, 1, 1]
        table = Table(Schema.of(list("abcdefgh"), [FLOAT] * 8), 100, [Band(np.random.default_rng(0).random((8, 100)))])
        [segment] = Encoder(table).slice(0, 100)
        assert segment.blocks["count"].tolist() == [8]

    def test_tall_tables_have_blocks_of_one_column(self):
        table = Table(Schema.of(list("ab"), [FLOAT] * 2), 200_000, [Band(np.zeros((2, 200_000)))])
        [segment] = Encoder(table).slice(0, 100_000)
        assert segment.blocks["count"].tolist() == [1, 1]

    @pytest.mark.parametrize(("rows", "counts"), [(20_000, [6, 2]), (32_767, [4, 4]), (32_768, [1] * 8)])
    def test_a_column_of_many_rows_is_alone_though_two_would_fit(self, rows, counts):
        values = np.random.default_rng(0).random((8, rows))
        [segment] = Encoder(Table(Schema.of(list("abcdefgh"), [FLOAT] * 8), rows, [Band(values)])).slice(0, rows)
        assert segment.blocks["count"].tolist() == counts

    def test_blocks_never_cross_groups_or_types(self):
        dtypes = [INT, FLOAT, INT, FLOAT, INT]
        table = Table(Schema.of(list("abcde"), dtypes), 1, [Band(np.ones((3, 1), int)), Band(np.ones((2, 1)))])
        segments = Encoder(table, segment_bytes=1, columns_per_segment=2).slice(0, 1)
        assert [(s.first, s.count) for s in segments] == [(0, 2), (2, 3)]
        assert [(b["first"], b["count"]) for s in segments for b in s.blocks] == [(0, 2), (2, 1), (3, 2)]

    def test_no_columns_no_segments(self):
        table = Table(Schema.of([], []), 5, [])
        assert Encoder(table).slice(0, 5) == []
        assert Encoder(table).dictionaries() is None

    def test_no_rows_still_make_a_segment(self):
        table = small().slice(0, 0)
        [segment] = Encoder(table).slice(0, 0)
        assert verify_segment(segment.data).rows == 0
        assert_same(read(write(table)), table)


class TestDirectory:
    @given(tables(max_rows=30))
    def test_segments_describe_themselves(self, table):
        seen = []
        for segment in write(table, 20, columns_per_segment=2, segment_bytes=1).segments:
            found = verify_segment(segment.data)
            assert (found.symbol, found.rows, found.first) == ("symbol", segment.rows, segment.first)
            assert (found.blocks == segment.blocks).all()
            stored = np.arange(segment.first, segment.first + segment.count)
            expected = table.schema.select(stored)
            mine = found.schema
            assert mine.names == expected.names
            assert [mine.dtype(i) for i in range(mine.width)] == [expected.dtype(i) for i in range(expected.width)]
            assert mine.index_columns == expected.index_columns
            assert mine.categories == expected.categories
            assert mine.frame == (b"frame" if segment.first == 0 else b"")
            seen.extend(stored.tolist())
        if table.rows:
            assert sorted(set(seen)) == list(range(table.schema.width))

    def test_the_whole_schema_can_be_put_together_again(self):
        dtypes = [INT, FLOAT, STRING, INT, FLOAT]
        text = StringColumn(pa.array(["x"], pa.large_string()))
        table = Table(
            Schema.of(list("abcde"), dtypes), 1, [Band(np.ones((2, 1), int)), Band(np.ones((2, 1))), Band([text])]
        )
        names: dict[int, object] = {}
        for segment in Encoder(table, segment_bytes=1, columns_per_segment=1).slice(0, 1):
            columns = read_directory(segment.data).columns
            assert columns.width == 5
            names.update(zip(np.frombuffer(columns.places, "<u4").tolist(), columns.names, strict=True))
        assert [names[i] for i in range(5)] == list("abcde")

    def test_one_segment_with_types_that_alternate(self):
        category = DType("category", 8)
        dtypes = [INT, category, FLOAT, INT, category]
        schema = Schema.of(list("abcde"), dtypes, 2, {1: b"one", 4: b"four"}, b"frame")
        table = Table(schema, 2, [Band(np.ones((2, 2), int)), Band(np.zeros((2, 2), "i1")), Band(np.ones((1, 2)))])
        [segment] = Encoder(table).slice(0, 2)
        found = read_directory(segment.data)
        assert found.columns.names == ["a", "d", "b", "e", "c"]
        assert found.schema == schema

    def test_dictionary_segments_verify(self):
        values = pa.array([f"{i:09}{i * i % 977}" for i in range(3000)], pa.large_string())
        codes = np.tile(np.arange(3000, dtype=np.int32), 3)
        table = Table(Schema.of(["s"], [STRING]), 9000, [Band([StringColumn(values, codes)])])
        shared = write(table, 1000).shared
        found = verify_segment(shared.data)
        assert found.kind == directory.DICTIONARIES
        assert (found.blocks == shared.blocks).all()

    def test_records_have_64_bytes_without_gaps(self):
        assert BLOCK.itemsize == 64
        assert sum(BLOCK[name].itemsize for name in BLOCK.names) == 64


class TestDamage:
    def segments(self):
        rng = np.random.default_rng(0)
        large = Table(Schema.of(list("abc"), [FLOAT] * 3), 3001, [Band(rng.standard_normal((3, 3001)))])
        odd = Table(Schema.of(list("ab"), [DType("int", 8)] * 2), 3, [Band(np.array([[1, 2, 3], [4, 5, 6]], "i1"))])
        return [write(table).segments[0] for table in (small(), odd)], write(large).segments[0]

    def test_every_flipped_byte_is_found(self):
        segments, large = self.segments()
        for segment in segments:
            data = bytes(segment.data)
            for position in range(len(data)):
                for bit in (0, 7):
                    bad = bytearray(data)
                    bad[position] ^= 1 << bit
                    with pytest.raises(Damage):
                        verify_segment(bad)
        data = bytes(large.data)
        for position in [*range(0, len(data), 997), *range(len(data) - 300, len(data))]:
            bad = bytearray(data)
            bad[position] ^= 16
            with pytest.raises(Damage):
                verify_segment(bad)

    def test_every_truncation_is_found(self):
        segments, _ = self.segments()
        for segment in segments:
            data = bytes(segment.data)
            for length in range(len(data)):
                with pytest.raises(Damage):
                    verify_segment(data[:length])
                with pytest.raises(Damage):
                    verify_segment(data[length + 1 :])
            with pytest.raises(Damage):
                verify_segment(data + b"\0")

    def test_damage_in_a_block_names_the_column(self):
        [segment] = write(small()).segments
        for block, name in zip(segment.blocks, ["'t'", "'a'", "3", "'s'"], strict=True):
            bad = bytearray(segment.data)
            bad[int(block["offset"])] ^= 1
            with pytest.raises(Damage, match=f"column {name}: checksum mismatch"):
                verify_segment(bad)

    def forge(self, *, version: int = 1, flags: int = 0, blocks: bytes | None = None, columns=None) -> bytes:
        """A segment whose checksums are right and whose content is not."""
        [segment] = write(small()).segments
        end = int(segment.blocks[-1]["offset"] + segment.blocks[-1]["length"])
        if columns is None:
            columns = directory.describe(small().schema, 0, 4)
        if blocks is None:
            blocks = segment.blocks.tobytes()
        head = directory._HEADER.pack(b"CFRM", b"SEGM", version, flags, 0)
        listing = directory._encode(directory._Wire("s", 3, 0, columns, blocks))
        foot = directory._FOOTER.pack(len(listing), directory._digest(head, listing), b"SEGM", b"CFRM")
        return head + bytes(segment.data)[16:end] + listing + foot

    def test_a_forged_segment_that_is_right_is_right(self):
        assert verify_segment(self.forge()).rows == 3

    def test_a_newer_version_says_so(self):
        with pytest.raises(CompatibilityException, match="the segment is of format version 7"):
            read_directory(self.forge(version=7))

    def test_directories_that_contradict_themselves_are_damage(self):
        [segment] = write(small()).segments

        def changed(field, value, row=0):
            blocks = segment.blocks.copy()
            blocks[field][row] = value
            return blocks.tobytes()

        for bad in (
            self.forge(flags=1),
            self.forge(blocks=b"x"),
            self.forge(blocks=b""),
            self.forge(blocks=changed("offset", 0)),
            self.forge(blocks=changed("offset", 2**63, 3)),
            self.forge(blocks=changed("length", 2**64 - 1)),
            self.forge(blocks=changed("length", 2**20, 3)),
            self.forge(blocks=changed("first", 1)),
            self.forge(blocks=changed("count", 2)),
            self.forge(columns=directory.NO_COLUMNS),
            self.forge(columns=directory.msgspec.Raw(b"\x90")),
        ):
            with pytest.raises(Damage):
                read_directory(bad)

    @given(st.binary(max_size=300))
    def test_arbitrary_bytes_are_damage(self, data):
        with pytest.raises(Damage):
            verify_segment(data)
        with pytest.raises(Damage):
            verify_segment(b"CFRMSEGM\1\0\0\0\0\0\0\0" + data + b"SEGMCFRM")


class TestEncoder:
    def test_threads_encode_the_same_bytes(self):
        rng = np.random.default_rng(0)
        values = np.round(np.cumsum(rng.standard_normal((8, 40_000)), axis=1), 2)
        table = Table(Schema.of(list("abcdefgh"), [FLOAT] * 8), 40_000, [Band(values)])
        alone = [bytes(s.data) for s in write(table, 5000).segments]
        encoder = Encoder(table, symbol="symbol", slice_rows=5000)
        found: dict[int, bytes] = {}

        def work(start: int) -> None:
            for begin in range(start, 40_000, 10_000):
                [segment] = encoder.slice(begin, begin + 5000)
                found[begin] = bytes(segment.data)

        threads = [threading.Thread(target=work, args=(start,)) for start in (0, 5000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[begin] for begin in sorted(found)] == alone

    def test_segments_that_are_kept_do_not_share_memory(self):
        values = np.random.default_rng(0).standard_normal((1, 400_000))
        table = Table(Schema.of(["a"], [FLOAT]), 400_000, [Band(values)])
        encoder = Encoder(table)
        kept = [encoder.slice(start, start + 50_000)[0] for start in range(0, 200_000, 50_000)]
        for start in range(200_000, 400_000, 50_000):
            encoder.slice(start, start + 50_000)
        for number, segment in enumerate(kept):
            verify_segment(segment.data)
            part = values[0, number * 50_000 : (number + 1) * 50_000]
            assert segment.blocks["min"].view(float).tolist() == [part.min()]
            assert segment.blocks["max"].view(float).tolist() == [part.max()]

    def test_small_tables_stay_small(self):
        schema = Schema.of(["t", *"abcdefg"], [DType("timestamp", unit="ns"), *[FLOAT] * 7], 1)
        table = Table(schema, 1, [Band(np.array([[1]])), Band(np.arange(7.0)[:, None])])
        [segment] = Encoder(table, symbol="prices").slice(0, 1)
        assert len(segment.data) < 400

    def test_the_memory_of_the_user_is_not_touched(self):
        values = np.random.default_rng(0).standard_normal((4, 20_000))
        values.flags.writeable = False
        table = Table(Schema.of(list("abcd"), [FLOAT] * 4), 20_000, [Band(values)])
        assert_same(read(write(table)), table)
