"""Kinds of calls: their arguments, good and bad."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd

from differential.sequences import Created, Operation, Payload
from differential.singles import HOUR, PLAIN, TIMED, TIMES, Single, do, given, library

READS = [
    given("columns as a string", do("read", columns="x")),
    given("columns as integers", do("read", columns=[1])),
    given("columns as a tuple", do("read", columns=("n", "x"))),
    given("columns in another order", do("read", columns=["t", "x"])),
    given("columns twice", do("read", columns=["x", "x"])),
    given("columns that are not there", do("read", columns=["nope"])),
    given("no columns", do("read", columns=[])),
    given("the index as a column", do("read", columns=["time"])),
    given("a range of strings", do("read", date_range=("2024-01-01", "2024-01-02"))),
    given("a range of dates", do("read", date_range=(dt.date(2024, 1, 1), dt.date(2024, 1, 2)))),
    given("a range of datetimes", do("read", date_range=(dt.datetime(2024, 1, 1, 1), None))),  # noqa: DTZ001
    given("a range of datetime64", do("read", date_range=(np.datetime64("2024-01-01"), None))),
    given("a range as a list", do("read", date_range=[TIMES[1], TIMES[2]])),
    given("a range as an index", do("read", date_range=TIMES[1:3])),
    given("a range of one", do("read", date_range=(TIMES[1],))),
    given("a range of three", do("read", date_range=(TIMES[1], TIMES[2], TIMES[3]))),
    given("a range between rows", do("read", date_range=(TIMES[1] + HOUR / 3, TIMES[1] + HOUR / 2))),
    given("a reversed range", do("read", date_range=(TIMES[2], TIMES[1]))),
    given("a range in a zone", do("read", date_range=(TIMES[2].tz_localize("Asia/Tokyo"), None))),
    given("a range of no rows", do("read", date_range=(TIMES[0] - HOUR, TIMES[0] - HOUR))),
    given("a time range of a range", do("read", date_range=(TIMES[0], None)), data=PLAIN),
    given("rows from the end", do("read", row_range=(-2, None))),
    given("rows beyond the end", do("read", row_range=(2, 99))),
    given("reversed rows", do("read", row_range=(3, 1))),
    given("rows as floats", do("read", row_range=(0.5, 2))),
    given("rows as strings", do("read", row_range=("0", "2"))),
    given("three rows", do("read", row_range=(0, 1, 2)), heading="Ranges have two ends"),
    given("rows of a range", do("read", row_range=(1, 3)), data=PLAIN),
    given("rows and times", do("read", row_range=(1, 3), date_range=(TIMES[0], None))),
    given("head of nothing", do("head", n=0)),
    given("head of more than all", do("head", n=99)),
    given("head without the last", do("head", n=-1)),
    given("tail of a range", do("tail", n=2), data=PLAIN),
    given("tail without the first", do("tail", n=-1)),
    given("head of a float", do("head", n=1.5)),
]

VERSIONS = [
    given("as of a string", do("read", as_of="2024-01-01")),
    given("as of a float", do("read", as_of=1.0)),
    given("as of an int64", do("read", as_of=np.int64(0))),
    given("as of a date", do("read", as_of=dt.date(2030, 1, 1))),
    given("as of a datetime64", do("read", as_of=np.datetime64("2030-01-01"))),
    given("as of True", do("read", as_of=True)),
    given("as of the future", do("read", as_of=pd.Timestamp("2100-01-01")), heading="The future is not a version"),
    given("as of the past", do("read", as_of=pd.Timestamp("2000-01-01"))),
    given("as of the creation", do("read", as_of=Created("s", 0))),
    given("as of before the creation", do("read", as_of=Created("s", 0, -1))),
    given("as of a number too high", do("read", as_of=1)),
    given("as of a number too low", do("read", as_of=-2)),
    given(
        "as of -1 after deleting the newest", do("write", data=PLAIN), do("delete", versions=1), do("read", as_of=-1)
    ),
    given("numbers go on after a delete", do("delete"), do("write", data=PLAIN), do("list_versions")),
    given("a version that was deleted", do("write", data=PLAIN), do("delete", versions=0), do("read", as_of=0)),
    given(
        "delete twice",
        do("write", data=PLAIN),
        do("delete", versions=0),
        do("delete", versions=0),
        heading="Deleting what is gone",
    ),
    given("delete a version there is not", do("delete", versions=5)),
    given("delete a negative version", do("delete", versions=-1)),
    given("delete no version", do("delete", versions=[])),
    given("delete the only version", do("delete", versions=0), library("list_symbols"), do("has_symbol")),
    given("delete one there is not", Operation("delete", {"symbol": "nope"})),
    given("delete a version of one there is not", Operation("delete", {"symbol": "nope", "versions": 0})),
    given("prune", do("write", data=PLAIN), do("prune_previous_versions"), do("list_versions")),
    given("prune one there is not", Operation("prune_previous_versions", {"symbol": "nope"})),
    given(
        "deleted but held",
        library("snapshot", snapshot_name="held"),
        do("delete"),
        do("list_versions"),
        library("list_versions", skip_snapshots=True),
        library("list_versions", snapshot="held"),
        do("has_symbol"),
        do("has_symbol", as_of="held"),
        do("read", as_of=0),
        do("read", as_of="held"),
        do("read_metadata", as_of="held"),
        do("get_description", as_of="held"),
        library("snapshot", snapshot_name="again", versions={"s": 0}),
        library("delete_snapshot", snapshot_name="held"),
        do("list_versions"),
    ),
    given(
        "the versions of one of several snapshots",
        library("snapshot", snapshot_name="a"),
        library("snapshot", snapshot_name="b"),
        do("list_versions", snapshot="a"),
        library("list_versions", snapshot="b"),
        library("list_versions", snapshot="b", skip_snapshots=True),
    ),
    given("a snapshot twice", library("snapshot", snapshot_name="a"), library("snapshot", snapshot_name="a")),
    given(
        "the latest version of what is deleted and held",
        library("snapshot", snapshot_name="held"),
        do("delete"),
        do("list_versions", latest_only=True),
        library("list_versions", latest_only=True),
    ),
    given(
        "asking for a version that is only held",
        library("snapshot", snapshot_name="held"),
        do("delete"),
        do("has_symbol", as_of=0),
        heading="Versions that only a snapshot holds",
    ),
    given("a snapshot of no versions", library("snapshot", snapshot_name="a", versions={}), library("list_snapshots")),
    given("a snapshot of a version there is not", library("snapshot", snapshot_name="a", versions={"s": 9})),
    given("a snapshot of a symbol there is not", library("snapshot", snapshot_name="a", versions={"nope": 0})),
    given(
        "a snapshot that skips",
        library("snapshot", snapshot_name="a", skip_symbols=["s"]),
        library("list_snapshots"),
        heading="Snapshots of nothing",
    ),
    given("a snapshot both ways", library("snapshot", snapshot_name="a", skip_symbols=["s"], versions={"s": 0})),
    given("a snapshot called ''", library("snapshot", snapshot_name="")),
    given("a snapshot called a*", library("snapshot", snapshot_name="a*")),
    given("a long snapshot", library("snapshot", snapshot_name="a" * 255)),
    given("a snapshot with metadata", library("snapshot", snapshot_name="a", metadata=[1]), library("list_snapshots")),
    Single("a snapshot of an empty library", [library("snapshot", snapshot_name="a")]),
    given("delete a snapshot there is not", library("delete_snapshot", snapshot_name="a")),
    given("symbols of a snapshot there is not", library("list_symbols", snapshot_name="a")),
    given("versions of a snapshot there is not", library("list_versions", snapshot="a")),
    given("read as of a snapshot there is not", do("read", as_of="a")),
    given("has_symbol as of a snapshot there is not", do("has_symbol", as_of="a")),
    given("symbols by a pattern", library("list_symbols", regex="^s$"), library("list_symbols", regex="^t")),
    given("symbols by a pattern that is none", library("list_symbols", regex="(")),
]

LATER = TIMED.set_axis(TIMED.index + 4 * HOUR)

# The other level falls where times are equal: rows are in the order of time all the same.
LEVELS = TIMED.set_index(pd.MultiIndex.from_arrays([TIMED.index[[0, 1, 1, 2]], list("abac")], names=["time", "word"]))

APPENDS = [
    given("append at the end", do("append", data=LATER), do("read")),
    given("append that touches", do("append", data=TIMED.set_axis(TIMED.index + 3 * HOUR)), do("read")),
    given("append that overlaps", do("append", data=TIMED), do("read")),
    given("append that overlaps unchecked", do("append", data=TIMED, validate_index=False), do("read")),
    given("append unsorted", do("append", data=LATER[::-1])),
    given("append unsorted unchecked", do("append", data=LATER[::-1], validate_index=False), do("get_description")),
    given("append nothing", do("append", data=TIMED.iloc[:0]), do("read"), do("list_versions")),
    given("append to nothing", do("append", data=TIMED), do("read"), data=TIMED.iloc[:0]),
    given(
        "append to a symbol there is not",
        Operation("append", {"symbol": "new", "data": TIMED}),
        library("list_symbols"),
    ),
    given("append without a column", do("append", data=LATER[["x", "t"]])),
    given("append with a new column", do("append", data=LATER.assign(y=1))),
    given("append in another order", do("append", data=LATER[["n", "x", "t"]])),
    given("append of another type", do("append", data=LATER.astype({"n": "float64"}))),
    given("append of a narrower type", do("append", data=LATER.astype({"n": "int32"}))),
    given("append with another index name", do("append", data=LATER.rename_axis("when"))),
    given("append a series to a frame", do("append", data=LATER["x"])),
    given("append a range to times", do("append", data=PLAIN)),
    given(
        "append a range that goes on", do("append", data=PLAIN.set_axis(pd.RangeIndex(4, 8))), do("read"), data=PLAIN
    ),
    given("append a default range", do("append", data=PLAIN), do("read"), data=PLAIN),
    given("append a range with a gap", do("append", data=PLAIN.set_axis(pd.RangeIndex(9, 13))), data=PLAIN),
    given("append another step", do("append", data=PLAIN.set_axis(pd.RangeIndex(4, 12, 2))), data=PLAIN),
    given(
        "append to another zone",
        do("append", data=LATER.tz_localize("UTC")),
        do("read"),
        heading="Time zones are not changed by an append",
    ),
    given(
        "append categories",
        do("append", data=LATER.astype({"t": "category"})),
        data=TIMED.astype({"t": "category"}),
        heading="Categories",
    ),
    given("append a list", do("append", data=[1])),
    given(
        "append other columns to a dynamic library",
        do("append", data=LATER[["n"]].assign(y=True, z="new")),
        do("read"),
        do("read", as_of=0),
        do("get_description"),
        dynamic_schema=True,
    ),
    *(
        given(
            f"append {new} to {old} in a dynamic library",
            do("append", data=pd.DataFrame({"v": np.array([1, 0], new)}, index=LATER.index[:2])),
            do("read"),
            do("read", row_range=(0, 1)),
            data=pd.DataFrame({"v": np.array([1, 0], old)}, index=TIMED.index[:2]),
            dynamic_schema=True,
        )
        for old in ["bool", "int8", "uint8", "int64", "uint32", "uint64", "float32", "float64", "M8[ns]"]
        for new in ["bool", "int16", "uint8", "int32", "uint64", "float32", "float64", "M8[ns]"]
    ),
]

UPDATES = [
    given("update in the middle", do("update", data=TIMED.iloc[1:3].assign(x=9.0)), do("read")),
    given("update before", do("update", data=TIMED.set_axis(TIMED.index - 9 * HOUR)), do("read")),
    given("update after", do("update", data=TIMED.set_axis(TIMED.index + 9 * HOUR)), do("read")),
    given("update between rows", do("update", data=TIMED.iloc[:1].set_axis([TIMES[1] + HOUR / 2])), do("read")),
    given("update with a wider range", do("update", data=TIMED.iloc[1:2], date_range=(TIMES[0], TIMES[2])), do("read")),
    given("update with a narrower range", do("update", data=TIMED, date_range=(TIMES[1], TIMES[2])), do("read")),
    given(
        "update with a range in a zone",
        Operation(
            "update",
            {
                "symbol": "new",
                "data": TIMED,
                "upsert": True,
                "date_range": tuple(TIMES[[0, 3]].tz_localize("UTC").tz_convert("Asia/Tokyo")),
            },
        ),
        Operation("read", {"symbol": "new"}),
        heading="Ranges in a zone",
    ),
    given("update with an open range", do("update", data=TIMED.iloc[1:2], date_range=(None, None)), do("read")),
    given(
        "update with a range beside the data", do("update", data=TIMED, date_range=(TIMES[3] + HOUR, None)), do("read")
    ),
    given("update with nothing", do("update", data=TIMED.iloc[:0]), do("list_versions"), do("read")),
    given("update unsorted", do("update", data=TIMED[::-1])),
    given("update of a range", do("update", data=PLAIN), data=PLAIN),
    given("update a symbol there is not", Operation("update", {"symbol": "nope", "data": TIMED})),
    given(
        "upsert a symbol there is not",
        Operation("update", {"symbol": "new", "data": TIMED, "upsert": True}),
        Operation("read", {"symbol": "new"}),
    ),
    given("update without a column", do("update", data=TIMED[["x"]])),
    given("update of another type", do("update", data=TIMED.astype({"n": "float64"}))),
    given(
        "update other columns in a dynamic library",
        do("update", data=TIMED.iloc[1:2][["x"]]),
        do("read"),
        dynamic_schema=True,
    ),
    given("delete a stretch", do("delete_data_in_range", date_range=(TIMES[1], TIMES[2])), do("read")),
    given(
        "delete a stretch with metadata",
        do("write_metadata", metadata=1),
        do("delete_data_in_range", date_range=(TIMES[1], None)),
        do("read_metadata"),
    ),
    given("delete all rows", do("delete_data_in_range", date_range=(None, None)), do("read"), do("get_description")),
    given("delete no rows", do("delete_data_in_range", date_range=(TIMES[3] + HOUR, None)), do("list_versions")),
    given(
        "delete a reversed stretch",
        do("delete_data_in_range", date_range=(TIMES[2], TIMES[1])),
        do("read"),
        heading="Ranges that end before they start",
    ),
    given(
        "delete a stretch of unsorted rows",
        do("write", data=TIMED[::-1], validate_index=False),
        do("delete_data_in_range", date_range=(TIMES[1], TIMES[2])),
        heading="Stretches of unsorted rows",
    ),
    given(
        "update two levels in a range",
        do("update", data=LEVELS, date_range=(TIMES[1], TIMES[2])),
        data=LEVELS,
        heading="Updates of a MultiIndex",
    ),
    given("pickle what is not in order", do("write_pickle", data=TIMED[::-1]), do("get_description"), do("read")),
    given(
        "a time that is missing",
        do("write", data=TIMED.set_axis(pd.DatetimeIndex([*TIMES[:3], pd.NaT])), validate_index=False),
        do("read"),
        do("get_description"),
        do("append", data=LATER, validate_index=False),
        do("append", data=LATER),
        do("read", date_range=(TIMES[0], None)),
        do("write", data=TIMED.set_axis(pd.DatetimeIndex([*TIMES[:3], pd.NaT]))),
        do("append", data=TIMED.set_axis(pd.DatetimeIndex([pd.NaT, *TIMES[:3]])), validate_index=False),
    ),
    given(
        "update upsert without times",
        Operation("update", {"symbol": "new", "data": PLAIN, "upsert": True}),
        heading="Updates need a time index",
    ),
    given("delete without a range", do("delete_data_in_range", date_range=None)),
    given("delete rows of a range", do("delete_data_in_range", date_range=(TIMES[0], None)), data=PLAIN),
    given(
        "delete rows of a symbol there is not",
        Operation("delete_data_in_range", {"symbol": "nope", "date_range": (None, None)}),
    ),
]

METADATA = [
    *(
        given(f"metadata {value!r}", do("write_metadata", metadata=value), do("read_metadata"), do("read"))
        for value in [
            0,
            "",
            "text",
            b"bytes",
            1.5,
            True,
            [1, [2]],
            (1, (2,)),
            {"a": {"b": None}},
            {1: 2, (1, 2): 3},
            {1, 2},
            2**70,
            pd.Timestamp("2024-01-01", tz="UTC"),
            pd.Timestamp("2024-01-01 00:00:00.123456789"),
            dt.datetime(2024, 1, 1, 5),  # noqa: DTZ001
            dt.date(2024, 1, 1),
            dt.timedelta(seconds=1.5),
            np.int64(7),
            decimal.Decimal("1.5"),
        ]
    ),
    given("metadata None", do("write_metadata", metadata=None), do("read_metadata"), heading="Metadata of every kind"),
    given("metadata NaT", do("write_metadata", metadata=pd.NaT), do("read_metadata"), heading="Metadata of every kind"),
    given("no metadata", do("read_metadata"), do("read_metadata", as_of=3)),
    given("metadata of a symbol there is not", Operation("read_metadata", {"symbol": "nope"})),
    given(
        "metadata for a symbol there is not",
        Operation("write_metadata", {"symbol": "new", "metadata": 1}),
        Operation("read", {"symbol": "new"}),
        Operation("append", {"symbol": "new", "data": TIMED}),
    ),
    given("metadata is not inherited", do("write_metadata", metadata=1), do("append", data=LATER), do("read_metadata")),
]

SYMBOLS = [
    *(
        Single(
            f"a symbol called {name[:20]!r}",
            [
                Operation("write", {"symbol": name, "data": PLAIN}),
                library("list_symbols"),
                Operation("read", {"symbol": name}),
            ],
        )
        for name in ["a b", "a/b", "a\\b", "a.b", "..", "&%+", "a*", "<", "é", "a\n", "a" * 254, "a" * 255]
    ),
    Single("a symbol called ''", [Operation("write", {"symbol": "", "data": PLAIN})]),
    Single("read a symbol called ''", [Operation("read", {"symbol": ""})], "Reading under a bad name"),
    Single(
        "a symbol called 7",
        [
            Operation("write", {"symbol": 7, "data": PLAIN}),
            Operation("read", {"symbol": 7}),
            Operation("has_symbol", {"symbol": "7"}),
            Operation("list_versions", {"symbol": 7}),
            library("list_symbols"),
            Operation("delete", {"symbol": 7}),
            library("list_symbols"),
        ],
    ),
    Single(
        "has_symbol with a bad name", [Operation("has_symbol", {"symbol": "a*"}), Operation("read", {"symbol": "a*"})]
    ),
]

BATCHES = [
    given(
        "write_batch with the same symbol twice",
        library("write_batch", payloads=[Payload("WritePayload", {"symbol": "s", "data": PLAIN})] * 2),
        do("list_versions"),
    ),
    given(
        "write_batch with a list",
        library(
            "write_batch",
            payloads=[
                Payload("WritePayload", {"symbol": name, "data": data}) for name, data in [("a", PLAIN), ("b", [1])]
            ],
        ),
        library("list_symbols"),
    ),
    given(
        "write_batch with an unsorted index",
        library(
            "write_batch",
            payloads=[
                Payload("WritePayload", {"symbol": name, "data": data})
                for name, data in [("a", PLAIN), ("b", TIMED[::-1])]
            ],
        ),
        library("list_symbols"),
    ),
    given(
        "write_batch with a bad name",
        library(
            "write_batch", payloads=[Payload("WritePayload", {"symbol": name, "data": PLAIN}) for name in ["a", "b*"]]
        ),
        library("list_symbols"),
    ),
    given("write_batch of a string", library("write_batch", payloads=["s"]), heading="Wrong arguments are named"),
    given("read_batch of a number", library("read_batch", symbols=[7])),
    given("read_batch of nothing", library("read_batch", symbols=[])),
    given("read_batch of the same", library("read_batch", symbols=["s", "s", "nope"])),
    given(
        "read_batch of versions",
        library(
            "read_batch",
            symbols=[
                Payload("ReadRequest", {"symbol": "s", "as_of": as_of})
                for as_of in [0, 5, -1, "held", pd.Timestamp("2000-01-01"), None]
            ],
        ),
    ),
    given("read_metadata_batch", library("read_metadata_batch", symbols=["s", "nope"])),
    given("get_description_batch", library("get_description_batch", symbols=["s", "nope"])),
    given("get_description_batch of a number", library("get_description_batch", symbols=[7])),
    given(
        "append_batch that overlaps",
        library(
            "append_batch",
            append_payloads=[Payload("WritePayload", {"symbol": name, "data": TIMED}) for name in ["s", "new"]],
        ),
        library("list_versions"),
    ),
    given(
        "update_batch",
        library(
            "update_batch",
            update_payloads=[
                Payload("UpdatePayload", {"symbol": name, "data": TIMED.iloc[1:2]}) for name in ["s", "new"]
            ],
        ),
        library("list_versions"),
    ),
    given(
        "delete_batch",
        library(
            "delete_batch", delete_requests=["nope", Payload("DeleteRequest", {"symbol": "s", "version_ids": [3]})]
        ),
        library("delete_batch", delete_requests=["s", "s"]),
        library("list_symbols"),
    ),
    given(
        "delete_batch of no versions",
        library("delete_batch", delete_requests=[Payload("DeleteRequest", {"symbol": "s", "version_ids": []})]),
        library("list_symbols"),
        heading="No versions means none",
    ),
    given(
        "write_metadata_batch",
        library(
            "write_metadata_batch",
            write_metadata_payloads=[
                Payload("WriteMetadataPayload", {"symbol": name, "metadata": 1}) for name in ["s", "new"]
            ],
        ),
        library("list_versions"),
    ),
]

PICKLES = [
    Single(
        f"pickle {type(value).__name__}",
        [
            do("write_pickle", data=value),
            do("read"),
            do("get_description"),
            do("read", columns=["x"]),
            do("head"),
            do("append", data=PLAIN),
        ],
    )
    for value in [[1, "two"], {"a": 1}, "text", None, 7, PLAIN]
]

SINGLES: list[Single] = [*READS, *VERSIONS, *APPENDS, *UPDATES, *METADATA, *SYMBOLS, *BATCHES, *PICKLES]
