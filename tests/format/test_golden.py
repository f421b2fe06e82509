"""Files of format version 1, as the first release wrote them: every later release reads them to the same values."""

from __future__ import annotations

import numpy as np
import pytest
from tests.format.golden_tables import CODECS, FOLDER, ROWS, TABLES
from tests.format.tables import assert_same, open_dictionaries, payloads

from coldframe.format.assembly import Assembly, Dictionaries
from coldframe.format.checksums import Damage
from coldframe.format.directory import DICTIONARIES
from coldframe.format.segments import EncodedSegment, verify_segment
from coldframe.format.table import Table


def load(name: str) -> EncodedSegment:
    data = (FOLDER / name).read_bytes()
    found = verify_segment(data)
    return EncodedSegment(data, found.first, len(found.columns.names), found.rows, found.blocks)


def decode(name: str) -> Table:
    """The table of a segment, by what the segment says about itself."""
    segment = load(f"{name}.segment")
    schema = verify_segment(segment.data).schema
    dictionaries: Dictionaries | None = None
    if (FOLDER / f"{name}.dictionaries").exists():
        dictionaries = open_dictionaries(load(f"{name}.dictionaries"))
    assembly = Assembly(schema, None, segment.rows)
    assembly.add(
        schema,
        segment.blocks,
        payloads(segment, segment.blocks),
        rows=segment.rows,
        from_row=0,
        to_row=segment.rows,
        at=0,
        dictionaries=dictionaries,
    )
    return assembly.finish()


@pytest.mark.parametrize("name", TABLES)
def test_golden_files_decode_to_what_was_written(name):
    expected = TABLES[name]()
    if name == "shared":
        expected = expected.slice(0, ROWS // 2)
    assert_same(decode(name), expected)


@pytest.mark.parametrize("name", TABLES)
def test_golden_files_hold_the_codecs_they_are_there_for(name):
    assert set(load(f"{name}.segment").blocks["codec"].tolist()) == CODECS[name]


def test_there_is_a_golden_file_for_each_table_and_no_other():
    assert {path.name for path in FOLDER.iterdir()} == {*(f"{name}.segment" for name in TABLES), "shared.dictionaries"}
    assert verify_segment((FOLDER / "shared.dictionaries").read_bytes()).kind == DICTIONARIES


@pytest.mark.parametrize("name", ["bits", "dictionary"])
def test_every_damaged_byte_of_a_golden_file_is_found(name):
    data = (FOLDER / f"{name}.segment").read_bytes()
    for position in np.unique(np.linspace(0, len(data) - 1, 1500).astype(int)).tolist():
        bad = bytearray(data)
        bad[position] ^= 0x20
        with pytest.raises(Damage):
            verify_segment(bad)
