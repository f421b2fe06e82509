"""`docs/format.md` is enough to read what is stored: the reader that is printed there reads the golden files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.format.golden_tables import FOLDER, ROWS, TABLES

from coldframe.format.blocks import BLOCK
from coldframe.format.table import NAN, NONE, StringColumn

PAGE = Path(__file__).parents[2] / "docs" / "format.md"


@pytest.fixture(scope="module")
def reader() -> dict[str, Any]:
    code, *_ = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def as_bytes(column: StringColumn) -> list[Any]:
    plain = column.plain()
    marks = np.zeros(len(plain), np.int8) if plain.missing is None else plain.missing
    values = plain.values.cast("large_binary").to_pylist()
    return [{0: v, NONE: ("None",), NAN: ("NaN",)}[m] for v, m in zip(values, marks.tolist(), strict=True)]


@pytest.mark.parametrize("name", TABLES)
def test_the_printed_reader_reads_the_golden_files(reader, name):
    dictionaries: list[bytes] = []
    if (FOLDER / f"{name}.dictionaries").exists():
        dictionaries = reader["read_segment"]((FOLDER / f"{name}.dictionaries").read_bytes())
    found = reader["read_segment"]((FOLDER / f"{name}.segment").read_bytes(), dictionaries)
    expected = TABLES[name]()
    if name == "shared":
        expected = expected.slice(0, ROWS // 2)
    schema = expected.schema
    assert [column[0] for column in found] == [schema.names[place] for place in schema.order.tolist()]
    columns = [(band, i) for band in expected.bands for i in range(band.count)]
    for place, (_, kind, values, valid), (band, i) in zip(schema.order.tolist(), found, columns, strict=True):
        assert kind == schema.dtype(place).kind
        if kind in ("string", "binary"):
            assert values == as_bytes(band.values[i])
            continue
        assert np.ascontiguousarray(values).tobytes() == np.ascontiguousarray(band.values[i]).tobytes()
        assert valid is None or (valid == band.valid[i]).all()


def test_the_page_gives_the_offsets_of_the_record():
    table = PAGE.read_text().split("### Block records")[1].split("### Numbers")[0]
    offsets = [int(offset) for offset in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert offsets == [BLOCK.fields[name][1] for name in BLOCK.names]
