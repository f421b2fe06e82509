"""Tables through segments and back: whole, in parts, into other types, and with damage on the way."""

from __future__ import annotations

import contextlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.format.tables import (
    STRING,
    add,
    assert_same,
    bits,
    open_dictionaries,
    payloads,
    read,
    tables,
    take,
    texts,
    write,
)

from coldframe.exceptions import SchemaException
from coldframe.format.assembly import Assembly, Dictionaries
from coldframe.format.checksums import Damage, checksum
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.segments import Encoder
from coldframe.format.table import NAN, NONE, Band, StringColumn, Table
from coldframe.parallel import map_jobs

INT = DType("int")
FLOAT = DType("float")


def ints(*columns: list[int], names: str = "abcdef", dtype: DType = INT) -> Table:
    values = np.array(columns, dtype.storage)
    return Table(Schema.of(list(names[: len(columns)]), [dtype] * len(columns)), values.shape[1], [Band(values)])


def noise(columns: int, rows: int) -> Table:
    """Integers that no codec packs."""
    values = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, (columns, rows))
    return ints(*values.tolist())


@given(tables(), st.sampled_from([1, 3, 50, 1000]), st.sampled_from([1, 2, 100]), st.sampled_from([1, 1000, 10**7]))
def test_every_table_comes_back_bit_for_bit(table, slice_rows, columns_per_segment, segment_bytes):
    if table.rows > 60:
        slice_rows = max(slice_rows, 50)
    written = write(table, slice_rows, columns_per_segment=columns_per_segment, segment_bytes=segment_bytes)
    assert_same(read(written), table)


@given(tables(), st.data())
def test_payloads_may_be_put_in_their_places(table, data):
    width = table.schema.width
    stored = np.array(sorted(data.draw(st.sets(st.integers(0, width - 1)))) if width else [], int)
    start = data.draw(st.integers(0, table.rows))
    stop = data.draw(st.integers(start, table.rows))
    written = write(table, data.draw(st.sampled_from([7, 50])), columns_per_segment=2, segment_bytes=500)
    assembly = Assembly(written.schema, stored, stop - start)
    add(assembly, written, start, stop, 0, placing=lambda: data.draw(st.booleans()))
    assert_same(assembly.finish(), take(table.slice(start, stop), stored))


def test_raw_numbers_have_a_place_of_their_own():
    table = noise(3, 80_000)
    written = write(table, 40_000)
    assembly = Assembly(written.schema, None, table.rows)
    assert add(assembly, written, 0, table.rows, 0, placing=lambda: True) == 6
    assert_same(assembly.finish(), table)
    # Of part of a slice there is no such place: its payload holds rows that are not wanted.
    assert add(Assembly(written.schema, None, 5_000), written, 0, 5_000, 0, placing=lambda: True) == 0


def test_a_payload_in_the_place_of_another_column_is_copied():
    table = noise(2, 40_000)
    [(_, _, [segment])] = write(table, 40_000).slices
    assembly = Assembly(table.schema, None, table.rows)
    where = {"rows": table.rows, "from_row": 0, "to_row": table.rows, "at": 0}
    blocks = segment.blocks
    first, second = assembly.places(table.schema, blocks, **where)
    second[:] = payloads(segment, blocks)[0]
    assembly.add(table.schema, blocks[:1], [second], **where)
    assembly.add(table.schema, blocks[1:], payloads(segment, blocks[1:]), **where)
    assert_same(assembly.finish(), table)
    assert first.tobytes() == table.bands[0].values[0].tobytes()


@given(tables(), st.data())
def test_any_rows_of_any_columns_come_back(table, data):
    stored = np.array(
        sorted(data.draw(st.sets(st.integers(0, table.schema.width - 1)))) if table.schema.width else [], int
    )
    start = data.draw(st.integers(0, table.rows))
    stop = data.draw(st.integers(start, table.rows))
    written = write(table, 50, columns_per_segment=2, segment_bytes=500)
    assert_same(read(written, stored, start, stop), take(table.slice(start, stop), stored))


@settings(max_examples=20)
@given(tables(max_rows=50, max_columns=4), st.integers(2, 5))
def test_slices_of_several_writes_make_one_table(table, times):
    """Appends: every write has its own dictionaries and codecs."""
    assembly = Assembly(table.schema, None, table.rows * times)
    for i in range(times):
        add(assembly, write(table, 20), 0, table.rows, i * table.rows)
    whole = assembly.finish()
    for i in range(times):
        assert_same(whole.slice(i * table.rows, (i + 1) * table.rows), table)


@pytest.mark.parametrize("rows", [1000, 70_000])
def test_large_blocks_of_every_layout_come_back(rows):
    """Large enough for samples, pco, own arrays per column and several blocks per slice."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.integers(-3, 4, (5, rows)), axis=1)
    for values in (walk / 100, walk, walk.astype(np.int16), rng.standard_normal((5, rows)), walk % 7 == 0):
        dtype = {"f": FLOAT, "i": DType("int", values.itemsize * 8), "b": DType("bool", 8)}[values.dtype.kind]
        schema = Schema.of(list("abcde"), [dtype] * 5)
        valid = rng.random(values.shape) < 0.9
        for made in (values, np.ascontiguousarray(values.T).T, np.repeat(values, 2, axis=1)[:, ::2]):
            for mask in (None, valid):
                table = Table(schema, rows, [Band(made, mask)])
                written = write(table, 30_000)
                assert_same(read(written), table)
                assert_same(
                    read(written, np.array([1, 3, 4]), 10, rows - 10),
                    take(table, np.array([1, 3, 4])).slice(10, rows - 10),
                )


def test_tall_results_have_an_array_per_column_and_wide_ones_a_matrix():
    tall = Table(Schema.of(["a", "b"], [FLOAT] * 2), 600_000, [Band(np.zeros((2, 600_000)))])
    wide = Table(Schema.of(list(range(70)), [FLOAT] * 70), 50_000, [Band(np.zeros((70, 50_000)))])
    short = Table(Schema.of(["a", "b"], [FLOAT] * 2), 50, [Band(np.zeros((2, 50)))])
    assert isinstance(read(write(tall)).bands[0].values, list)
    assert isinstance(read(write(wide)).bands[0].values, np.ndarray)
    assert isinstance(read(write(short)).bands[0].values, np.ndarray)


@pytest.mark.parametrize("step", [1, 3], ids=["linear", "pco"])
def test_numbers_are_decoded_straight_into_the_result(step):
    values = (np.arange(600_000) // step)[None]
    table = Table(Schema.of(["a"], [INT]), 600_000, [Band(values)])
    written = write(table)
    assembly = Assembly(table.schema, None, 600_000)
    assembly._prepare()
    [before] = assembly._targets[0].arrays
    add(assembly, written, 0, 600_000, 0)
    [after] = assembly.finish().bands[0].values
    assert after is before
    assert (after == values[0]).all()


@settings(max_examples=10)
@given(tables(max_rows=3000), st.randoms())
def test_threads_may_add_slices_in_any_order(table, random):
    written = write(table, 100, columns_per_segment=1, segment_bytes=1)
    assembly = Assembly(table.schema, None, table.rows)
    jobs = [(begin, rows, segment) for begin, rows, segments in written.slices for segment in segments]
    random.shuffle(jobs)

    def work(job):
        begin, rows, segment = job
        assembly.add(
            table.schema, segment.blocks, payloads(segment, segment.blocks),
            rows=rows, from_row=0, to_row=rows, at=begin, dictionaries=written.dictionaries,
        )  # fmt: skip

    map_jobs(work, jobs)
    assert_same(assembly.finish(), table)


@settings(max_examples=10)
@given(tables(max_rows=3000), st.randoms())
def test_threads_may_add_blocks_of_one_segment(table, random):
    """A wide table is one slice: its blocks are what the threads share."""
    written = write(table, max(table.rows, 1))
    assembly = Assembly(table.schema, None, table.rows)
    jobs = [(segment, i) for segment in written.segments for i in range(len(segment.blocks))]
    random.shuffle(jobs)

    def work(job):
        segment, i = job
        blocks = segment.blocks[i : i + 1]
        assembly.add(
            table.schema, blocks, payloads(segment, blocks),
            rows=table.rows, from_row=0, to_row=table.rows, at=0, dictionaries=written.dictionaries,
        )  # fmt: skip

    map_jobs(work, jobs)
    assert_same(assembly.finish(), table)


def test_wanted_names_just_the_blocks_that_are_needed():
    rng = np.random.default_rng(0)
    table = Table(
        Schema.of([f"c{i}" for i in range(1000)], [FLOAT] * 1000), 1000, [Band(rng.standard_normal((1000, 1000)))]
    )
    [segment] = Encoder(table).slice(0, 1000)
    columns = np.array([0, 130, 131, 999])
    wanted = Assembly(table.schema, columns, 1000).wanted(segment.blocks)
    holding = [any(b["first"] <= c < b["first"] + b["count"] for c in columns) for b in segment.blocks]
    assert wanted.tolist() == holding
    assert 1 < wanted.sum() < len(wanted)


def test_blocks_that_are_missing_or_there_twice_are_damage():
    table = ints([1, 2, 3], [4, 5, 6])
    written = write(table, 2)
    assembly = Assembly(table.schema, None, 3)
    add(assembly, written, 0, 2, 0)
    with pytest.raises(Damage, match="4 values where 6 belong"):
        assembly.finish()
    add(assembly, written, 0, 2, 0)
    with pytest.raises(Damage):
        assembly.finish()
    strings = Table(Schema.of(["s"], [STRING]), 2, [Band([StringColumn(pa.array(["a", "b"], pa.large_string()))])])
    with pytest.raises(Damage, match="0 rows of strings where 2 belong"):
        Assembly(strings.schema, None, 2).finish()


@pytest.mark.parametrize(("from_row", "to_row", "at"), [(-1, 2, 0), (2, 1, 0), (0, 4, 0), (0, 3, 1), (0, 1, -1)])
def test_rows_outside_the_slice_or_the_result_are_damage(from_row, to_row, at):
    table = ints([1, 2, 3])
    [segment] = write(table).segments
    with pytest.raises(Damage, match="do not fit"):
        Assembly(table.schema, None, 3).add(
            table.schema,
            segment.blocks,
            payloads(segment, segment.blocks),
            rows=3,
            from_row=from_row,
            to_row=to_row,
            at=at,
        )


class TestOtherSchemas:
    """A slice written under another schema than the one it is read as."""

    def convert(self, table: Table, schema: Schema, columns: np.ndarray | None = None) -> Table:
        assembly = Assembly(schema, columns, table.rows)
        add(assembly, write(table, 2), 0, table.rows, 0)
        return assembly.finish()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (DType("int", 8), DType("int", 64)),
            (DType("uint", 8), DType("int", 16)),
            (DType("uint", 32), DType("uint", 64)),
            (DType("int", 64), FLOAT),
            (DType("float", 32), FLOAT),
            (DType("float", 16), DType("float", 32)),
            (DType("int", 16), DType("float", 32)),
            (DType("category", 8), DType("category", 16)),
        ],
        ids=str,
    )
    def test_numbers_are_widened(self, old, new):
        table = ints([1, 2, 3], [4, 5, 6], dtype=old)
        found = self.convert(table, Schema.of(["a", "b"], [new, new]))
        assert found.schema.types == [new]
        assert found.bands[0].values.tolist() == [[1, 2, 3], [4, 5, 6]]

    def test_one_of_two_columns_changes_its_type(self):
        found = self.convert(ints([1, 2, 3], [4, 5, 6]), Schema.of(["a", "b"], [INT, FLOAT]))
        assert [band.values.tolist() for band in found.bands] == [[[1, 2, 3]], [[4.0, 5.0, 6.0]]]
        assert [band.values.dtype for band in found.bands] == [np.int64, np.float64]

    def test_tall_columns_are_converted_too(self):
        values = np.arange(120_000).reshape(2, 60_000)
        table = Table(Schema.of(["a", "b"], [INT] * 2), 60_000, [Band(values)])
        assembly = Assembly(Schema.of(["b", "a"], [FLOAT] * 2), None, 60_000)
        add(assembly, write(table), 0, 60_000, 0)
        assert bits(assembly.finish().bands[0].values) == bits(values[::-1].astype(float))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (FLOAT, INT),
            (DType("int"), DType("int", 32)),
            (DType("uint"), INT),
            (FLOAT, DType("float", 32)),
            (INT, DType("timestamp", unit="ns")),
            (DType("timestamp", unit="ns"), DType("timestamp", unit="us")),
            (DType("timestamp", unit="ns"), DType("duration", unit="ns")),
            (DType("category", 8), INT),
            (INT, STRING),
        ],
        ids=str,
    )
    def test_what_would_lose_values_is_refused(self, old, new):
        with pytest.raises(SchemaException, match="column 'a' is stored as"):
            self.convert(ints([1, 2, 3], dtype=old), Schema.of(["a"], [new]))

    def test_zones_of_stored_instants_may_differ(self):
        table = ints([1, 2, 3], dtype=DType("timestamp", unit="ns"))
        found = self.convert(table, Schema.of(["a"], [DType("timestamp", unit="ns", zone="UTC")]))
        assert found.bands[0].values.tolist() == [[1, 2, 3]]

    def test_columns_match_by_name_and_levels_by_place(self):
        table = Table(Schema.of(["t", "a", "b"], [INT] * 3, 1), 2, [Band(np.array([[1, 2], [3, 4], [5, 6]]))])
        found = self.convert(table, Schema.of(["time", "b", "a"], [INT] * 3, 1))
        assert found.bands[0].values.tolist() == [[1, 2], [5, 6], [3, 4]]

    def test_names_of_different_types_are_different_and_repeated_ones_go_in_order(self):
        table = Table(Schema.of([1, True, "x", "x"], [INT] * 4), 1, [Band(np.array([[1], [2], [3], [4]]))])
        found = self.convert(table, Schema.of([True, "x", 1, "x"], [INT] * 4))
        assert found.bands[0].values.tolist() == [[2], [3], [1], [4]]

    def test_lacking_columns_are_filled(self):
        kinds = [
            INT,
            DType("uint", 8),
            FLOAT,
            DType("bool", 8),
            DType("timestamp", unit="us"),
            DType("category", 8),
            STRING,
        ]
        schema = Schema.of(["a", *(str(kind) for kind in kinds)], [INT, *kinds])
        found = self.convert(ints([1, 2, 3]), schema)
        nat = np.iinfo(np.int64).min
        fixed = [band.values.tolist() for band in found.bands[:-1]]
        assert fixed[0] == [[1, 2, 3], [0, 0, 0]]
        assert fixed[1] == [[0, 0, 0]]
        assert np.isnan(fixed[2]).all()
        assert fixed[3:] == [[[False] * 3], [[nat] * 3], [[-1] * 3]]
        assert texts(found.bands[-1].values[0]) == [("None",)] * 3

    def test_a_slice_without_any_wanted_column_still_gives_rows(self):
        found = self.convert(ints([1, 2, 3]), Schema.of(["x", "s"], [FLOAT, STRING]), np.array([0, 1]))
        assert np.isnan(found.bands[0].values).all()
        assert texts(found.bands[1].values[0]) == [("None",)] * 3

    @pytest.mark.parametrize("rows", [3, 60_000])
    def test_lacking_columns_are_filled_once_however_many_segments_a_slice_has(self, rows):
        table = Table(Schema.of(list("abc"), [INT] * 3), rows, [Band(np.ones((3, rows), int))])
        schema = Schema.of(["a", "x", "c", "s"], [INT, INT, INT, STRING])
        assembly = Assembly(schema, None, rows)
        add(assembly, write(table, columns_per_segment=1, segment_bytes=1), 0, rows, 0)
        found = assembly.finish()
        assert [column.sum() for column in found.bands[0].values] == [rows, 0, rows]
        assert len(found.bands[1].values[0]) == rows

    def test_blocks_of_columns_that_are_not_wanted_are_skipped(self):
        strings = [StringColumn(pa.array([name] * 3, pa.large_string())) for name in ("p", "q")]
        schema = Schema.of(["a", "b", "p", "q"], [INT, FLOAT, STRING, STRING])
        table = Table(schema, 3, [Band(np.ones((1, 3), int)), Band(np.ones((1, 3))), Band(strings)])
        [segment] = write(table).segments
        assembly = Assembly(schema, np.array([1, 3]), 3)
        everything = payloads(segment, segment.blocks)
        assembly.add(schema, segment.blocks, everything, rows=3, from_row=0, to_row=3, at=0)
        found = assembly.finish()
        assert found.schema.names == ["b", "q"]
        assert texts(found.bands[1].values[0]) == ["q"] * 3

    def test_surplus_columns_are_left_out(self):
        found = self.convert(ints([1, 2, 3], [4, 5, 6], [7, 8, 9]), Schema.of(["c", "a"], [INT] * 2), np.array([0]))
        assert found.schema.names == ["c"]
        assert found.bands[0].values.tolist() == [[7, 8, 9]]

    def test_old_and_new_slices_side_by_side(self):
        schema = Schema.of(["a", "s"], [FLOAT, STRING])
        new = Table(
            schema, 2, [Band(np.array([[0.5, 1.5]])), Band([StringColumn(pa.array(["x", "y"], pa.large_string()))])]
        )
        assembly = Assembly(schema, None, 5)
        add(assembly, write(ints([1, 2, 3])), 0, 3, 0)
        add(assembly, write(new), 0, 2, 3)
        found = assembly.finish()
        assert found.bands[0].values.tolist() == [[1, 2, 3, 0.5, 1.5]]
        assert texts(found.bands[1].values[0]) == [("None",)] * 3 + ["x", "y"]

    def test_validity_survives_conversion(self):
        table = Table(
            Schema.of(["a"], [DType("int", 32)]),
            3,
            [Band(np.array([[1, 2, 3]], "i4"), np.array([[True, False, True]]))],
        )
        found = self.convert(table, Schema.of(["x", "a"], [FLOAT, FLOAT]))
        assert found.bands[0].valid.tolist() == [[True, True, True], [True, False, True]]


class TestDamage:
    def table(self) -> Table:
        rng = np.random.default_rng(1)
        schema = Schema.of(["t", "x", "s", "p"], [DType("timestamp", unit="ns"), FLOAT, STRING, STRING])
        coded = StringColumn(pa.array(["a", "b"], pa.large_string()), rng.integers(-2, 2, 40).astype(np.int32))
        plain = StringColumn(pa.array([f"s{i}" for i in range(40)], pa.large_string()))
        return Table(schema, 40, [Band(np.arange(40)[None]), Band(rng.standard_normal((1, 40))), Band([coded, plain])])

    def add(self, table: Table, blocks, payloads) -> None:
        assembly = Assembly(table.schema, None, 40)
        assembly.add(table.schema, blocks, payloads, rows=40, from_row=0, to_row=40, at=0)

    def test_every_flipped_byte_of_a_block_names_its_column(self):
        table = self.table()
        [segment] = write(table).segments
        names = ["t", "x", "s", "p"]
        for number, name in enumerate(names):
            blocks = segment.blocks[number : number + 1]
            [good] = payloads(segment, blocks)
            for position in range(len(good)):
                bad = bytearray(good)
                bad[position] ^= 1 << position % 8
                with pytest.raises(Damage, match=f"column '{name}': checksum mismatch"):
                    Assembly(table.schema, None, 40).add(
                        table.schema, blocks, [bad], rows=40, from_row=0, to_row=40, at=0
                    )
                with pytest.raises(Damage, match=f"column '{name}'"):
                    Assembly(table.schema, None, 40).add(
                        table.schema, blocks, [good[:position]], rows=40, from_row=0, to_row=40, at=0
                    )

    @settings(max_examples=300)
    @given(st.data())
    def test_bytes_that_nobody_wrote_under_a_right_checksum_never_crash(self, data):
        """The checksum is no secret: decoders look at lengths, codecs and codes themselves."""
        table = self.table()
        [segment] = write(table).segments
        number = data.draw(st.integers(0, 3))
        blocks = segment.blocks[number : number + 1].copy()
        [good] = payloads(segment, blocks)
        bad = bytearray(good)
        for _ in range(data.draw(st.integers(0, 3))):
            bad[data.draw(st.integers(0, min(len(bad) - 1, 60)))] = data.draw(st.integers(0, 255))
        bad = bad[: data.draw(st.integers(0, len(bad)))] if data.draw(st.booleans()) else bad
        blocks["length"], blocks["check"] = len(bad), checksum(bad)
        # pco is left out: it trusts what it is given, and is given only what was written.
        blocks["codec"] = data.draw(st.sampled_from([int(blocks["codec"][0]), 0, 1, 3, 4, 5, 6, 255]))
        with contextlib.suppress(Damage):
            self.add(table, blocks, [bad])

    @pytest.mark.parametrize(("first", "count"), [(0, 2), (4, 1), (2, 0), (1, 9), (2**32 - 1, 1)])
    def test_a_record_that_fits_no_columns_is_damage(self, first, count):
        table = self.table()
        [segment] = write(table).segments
        blocks = segment.blocks[:1].copy()
        blocks["first"], blocks["count"] = first, count
        with pytest.raises(Damage):
            self.add(table, blocks, payloads(segment, blocks))


class TestDictionaries:
    def written(self):
        rng = np.random.default_rng(0)
        values = pa.array([f"value {rng.integers(0, 2**60)}" for _ in range(800)], pa.large_string())
        codes = rng.integers(0, 800, 3000).astype(np.int32)
        codes[:800] = np.arange(800)
        table = Table(Schema.of(["s"], [STRING]), 3000, [Band([StringColumn(values, codes)])])
        return table, write(table, 1000)

    def test_a_large_dictionary_is_stored_once_and_decoded_once(self):
        table, written = self.written()
        assert written.shared is not None
        assert written.shared.count == len(written.shared.blocks) == 1
        assert all(segment.blocks["dictionary"].tolist() == [0] for segment in written.segments)
        found = read(written)
        assert found.bands[0].values[0].values is written.dictionaries.values(0, pa.large_string())
        assert_same(found, table)

    def test_two_openings_of_one_segment_are_one_dictionary(self):
        table, written = self.written()
        assembly = Assembly(table.schema, None, 3000)
        for begin, rows, [segment] in written.slices:
            assembly.add(
                table.schema, segment.blocks, payloads(segment, segment.blocks), rows=rows, from_row=0, to_row=rows,
                at=begin, dictionaries=open_dictionaries(written.shared),
            )  # fmt: skip
        found = assembly.finish()
        assert len(found.bands[0].values[0].values) == 800
        assert_same(found, table)

    def test_a_single_slice_has_its_dictionary_inside(self):
        table, _ = self.written()
        written = write(table, 3000)
        assert written.shared is None
        assert_same(read(written), table)

    def test_a_missing_or_damaged_dictionary_is_damage(self):
        _, written = self.written()
        good = bytes(payloads(written.shared, written.shared.blocks)[0])
        blocks = written.shared.blocks
        for dictionaries in (
            None,
            Dictionaries(blocks, {}),
            Dictionaries(blocks[:0], {}),
            Dictionaries(blocks, {0: good[:-1]}),
            *(
                Dictionaries(blocks, {0: good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :]})
                for i in range(0, len(good), 97)
            ),
        ):
            written.dictionaries = dictionaries
            with pytest.raises(Damage, match="column 's'"):
                read(written)

    def test_different_dictionaries_become_one(self):
        def part(values, codes):
            column = StringColumn(pa.array(values, pa.large_string()), np.array(codes, np.int32))
            return Table(Schema.of(["s"], [STRING]), len(codes), [Band([column])])

        parts = [
            part(["a", "b"], [0, 1, NONE, 0, 1, 0, 1, 0]),
            part(["b", "c"], [0, 1, NAN, 0, 1, 0, 1, 0]),
            part(["a", "b"], [1, 1, 1, 1, 1, 1, 1, 0]),
            part(["z"], [NONE] * 7 + [0]),
        ]
        schema = parts[0].schema
        assembly = Assembly(schema, None, 32)
        for i, one in enumerate(parts):
            add(assembly, write(one), 0, 8, 8 * i)
        [column] = assembly.finish().bands[0].values
        assert column.codes is not None
        assert sorted(column.values.to_pylist()) == ["a", "b", "c", "z"]
        assert texts(column) == [text for one in parts for text in texts(one.bands[0].values[0])]

    @pytest.mark.parametrize("coded_rows", [8, 100])
    def test_coded_and_plain_slices_become_what_most_rows_are(self, coded_rows):
        kind = pa.large_string()
        codes = np.arange(coded_rows, dtype=np.int32) % 3 - 1
        missing = np.array([0] * 18 + [NAN, NONE], np.int8)
        words = pa.array(["a", *(f"p{i}" for i in range(17)), "", ""], kind)
        schema = Schema.of(["s"], [STRING])
        coded = Table(schema, coded_rows, [Band([StringColumn(pa.array(["a", "b"], kind), codes)])])
        plain = Table(schema, 20, [Band([StringColumn(words, None, missing)])])
        assembly = Assembly(coded.schema, None, coded_rows + 20)
        add(assembly, write(plain), 0, 20, 0)
        add(assembly, write(coded), 0, coded_rows, 20)
        [column] = assembly.finish().bands[0].values
        assert (column.codes is None) == (coded_rows < 20)
        assert texts(column) == texts(plain.bands[0].values[0]) + texts(coded.bands[0].values[0])

    @pytest.mark.parametrize("coded", [0, 30])
    def test_plain_slices_that_arrive_in_any_order_stand_in_theirs(self, coded):
        kind = pa.large_string()
        words = pa.array([f"row {i}" if i % 9 else "" for i in range(100)], kind)
        missing = np.array([0 if i % 9 else NONE - i % 2 for i in range(100)], np.int8)
        schema = Schema.of(["s"], [STRING])
        plain = write(Table(schema, 100, [Band([StringColumn(words, None, missing)])]), 10)
        repeats = StringColumn(pa.array(["a"], kind), np.array([0, 0, NAN] * 10, np.int32)[:coded])
        assembly = Assembly(schema, None, 100 + coded)
        for start in range(90, -1, -10):
            add(assembly, plain, start, start + 10, coded + start)
        if coded:
            add(assembly, write(Table(schema, coded, [Band([repeats])])), 0, coded, 0)
        [column] = assembly.finish().bands[0].values
        assert column.codes is None
        assert texts(column) == texts(repeats) + texts(StringColumn(words, None, missing))
