"""The reader printed in docs/format.md reads every version of a symbol, by the page alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xxhash

import coldframe
from coldframe.catalog import manifest as manifests
from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig
from coldframe.catalog.records import SORTED
from coldframe.catalog.slices import SEGMENT, SLICE
from coldframe.frames.meta import FrameMeta
from coldframe.operations.append import append
from coldframe.operations.delete import delete
from coldframe.operations.listing import list_versions
from coldframe.operations.read import read
from coldframe.operations.update import update
from coldframe.operations.write import write
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore

PAGE = Path(__file__).parents[2] / "docs" / "format.md"


@pytest.fixture(scope="module")
def page() -> dict:
    names: dict = {}
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    return names


def frame(start: int, rows: int) -> pd.DataFrame:
    index = pd.DatetimeIndex(np.arange(start, start + rows) * 1_000_000_000, name="t")
    names = [f"name{i % 7}" if i % 5 else None for i in range(start, start + rows)]
    numbers = np.arange(start, start + rows) * 1.5
    return pd.DataFrame({"x": numbers, "n": pd.Series(names, dtype=object, index=index)}, index)


def columns_of(found: list) -> dict[str, list]:
    columns: dict[str, list] = {}
    for part in found:
        for name, values in part:
            columns.setdefault(name, []).extend(values)
    return columns


@pytest.mark.parametrize("limits", [Limits(), Limits(inline_piece=600, head=4_000, segment=2_000)])
def test_the_printed_reader_reads_every_version(page, limits):
    store = MemoryStore()
    store.limits = limits
    catalog = Catalog(store, "library", LibraryConfig(rows_per_segment=50))
    write(catalog, "s", frame(0, 120))
    for step in range(40):
        append(catalog, "s", frame(120 + 3 * step, 3))
    update(catalog, "s", frame(30, 20))
    for step in range(40):
        append(catalog, "s", frame(240 + 30 * step, 30))
    delete(catalog, "s", [3, 77])
    objects = {entry.key: bytes(store.get(entry.key).data) for entry in store.list("")}
    rows = list_versions(catalog, "s")
    assert len(rows) == 80
    if limits.head < 10_000:
        assert any(key.startswith("logs/") for key in objects)
    for row in rows[::7]:
        expected = read(catalog, "s", row.version).data
        columns = columns_of(page["read_version"](objects, "s", row.version))
        assert columns["x"] == expected["x"].tolist()
        assert columns["t"] == expected.index.as_unit("ns").asi8.tolist()
        assert [v.decode() if isinstance(v, bytes) else None for v in columns["n"]] == expected["n"].tolist()


@pytest.mark.parametrize(("heading", "record"), [("slice record", SLICE), ("segment record", SEGMENT)])
def test_the_page_gives_the_offsets_of_the_records(heading, record):
    part = PAGE.read_text().partition(f"A **{heading}** has {record.itemsize} bytes")[2]
    assert part, f"the page gives another size of the {heading}"
    table = re.findall(r"^\| (\d+) \|", part.partition("\n\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert [int(offset) for offset in table] == [offset for _, offset in record.fields.values()]


def test_the_page_gives_the_orders():
    assert "0 unknown, 1 ascending, 2 descending, 3 unsorted" in PAGE.read_text()
    assert [name.lower() for name in SORTED] == ["unknown", "ascending", "descending", "unsorted"]
    fields = manifests.Manifest.__struct_fields__
    assert f"A manifest is `[{', '.join(fields)}]`" in PAGE.read_text()


def test_the_page_tells_where_a_library_lies_in_a_folder(page, tmp_path):
    long = "long." + "x/" * 100 + "x"
    arctic = coldframe.Arctic(f"lmdb://{tmp_path}")
    for library, folder in {
        "team.fx/daily 5%": "team.fx%2Fdaily 5%25",
        long: f"{encoded(long)}%~{xxhash.xxh3_128_hexdigest(long.encode())}",
    }.items():
        lib = arctic.create_library(library, coldframe.LibraryOptions(rows_per_segment=20_000))
        noise = pd.DataFrame({"x": np.random.default_rng(1).random(50_000)})
        lib.write("s", noise)
        # A copy, as LMDB opens no environment twice in one process.
        copy = shutil.copytree(tmp_path / folder, tmp_path / "copies" / str(len(folder)))
        objects = page["folder_objects"](str(copy))
        assert set(objects) == {entry.key for entry in lib._catalog.store.list("")}
        assert columns_of(page["read_version"](objects, "s", 0))["x"] == noise["x"].tolist()
        assert page["payload"](objects["library"], b"LIBR")["rows_per_segment"] == 20_000
    assert (tmp_path / folder / "library.name").read_text() == long


def encoded(name: str) -> str:
    return re.sub("%[0-9A-F]?$", "", name.replace("/", "%2F")[:150])


def test_the_page_lists_what_is_known_of_a_frame():
    section = PAGE.read_text().split("### Frames")[1].split("### Slices")[0]
    rows = re.findall(r"^\| `(\w+)` \| .*\((.*)\) \|$", section, re.MULTILINE)
    defaults = {"null": None, "empty": b"", "0": 0, "1": 1}
    said = {name: defaults.get(default, default.strip("`")) for name, default in rows}
    assert said == dict(zip(FrameMeta.__struct_fields__, FrameMeta.__struct_defaults__, strict=True))
