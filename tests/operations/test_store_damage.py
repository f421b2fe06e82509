"""A store whose own structure is damaged: verify says so and looks no further."""

from __future__ import annotations

import pandas as pd

import coldframe


def test_pages_of_the_file_that_do_not_fit_together_are_reported(tmp_path):
    library = coldframe.Arctic(f"lmdb://{tmp_path}").create_library("library")
    library.write("s", pd.DataFrame({"a": range(200_000)}))
    assert library.verify().ok
    file = next(tmp_path.glob("*/data.mdb"))
    content = bytearray(file.read_bytes())
    page = 4096
    for start in range(2 * page, len(content), page):  # the first two pages are LMDB's own
        content[start + 10 : start + 12] = b"\xff\xff"  # the flags, which say what kind of page it is
    with file.open("r+b") as stream:
        stream.write(content)
    report = library.verify()
    assert not report.ok
    assert report.damaged[0].key == "(the store itself)"
