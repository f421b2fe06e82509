"""The tables behind the golden files, and the way to write those files anew.

The files in `golden/` were written by the first release that wrote format version 1. Every later release must read
them. They are written anew only if format version 1 itself was wrong, by hand, and that is a decision to explain:

    python -m tests.format.golden_tables --overwrite
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tests.format.tables import BINARY, STRING, write

from coldframe.format.codecs import ids
from coldframe.format.dtypes import DType
from coldframe.format.schema import Schema
from coldframe.format.table import NAN, NONE, Band, StringColumn, Table

FOLDER = Path(__file__).parent / "golden"
ROWS = 1200


def noise(rows: int, seed: int = 0) -> NDArray[np.uint64]:
    """Numbers without any order, the same on every machine."""
    mixed = (np.arange(rows, dtype=np.uint64) + np.uint64(seed * 1000 + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def _table(columns: dict[Any, tuple[DType, Any]], levels: int = 0, frame: bytes = b"", valid: Any = None) -> Table:
    schema = Schema.of(list(columns), [dtype for dtype, _ in columns.values()], levels, {}, frame)
    bands = []
    for dtype in schema.types:
        mine = [values for other, values in columns.values() if other == dtype]
        bands.append(Band(np.stack([np.asarray(v, dtype.storage) for v in mine]), valid) if dtype.fixed else Band(mine))
    return Table(schema, len(next(iter(columns.values()))[1]), bands)


def raw() -> Table:
    """Numbers of every type that do not shrink."""
    kinds = [DType(kind, bits) for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    kinds += [DType("float", bits) for bits in (16, 32, 64)]
    return _table({str(d): (d, noise(ROWS, i).astype(f"u{d.bits // 8}").view(d.storage)) for i, d in enumerate(kinds)})


def constant() -> Table:
    """One value for all columns, and one for each."""
    return _table(
        {
            "nan": (DType("float"), [np.nan] * ROWS),
            "minus zero": (DType("float"), [-0.0] * ROWS),
            "seven": (DType("int", 16), [7] * ROWS),
            "yes": (DType("bool", 8), [True] * ROWS),
            "never": (DType("timestamp", unit="ns", zone="UTC"), [-(2**63)] * ROWS),
        }
    )


def pco() -> Table:
    """Numbers that shrink, in pco's modes and with and without differences."""
    rows = 7 * ROWS  # the column of bytes, too, is long enough for a sample
    walk = np.cumsum(noise(rows) % np.uint64(7)).astype(np.int64) - 3 * np.arange(rows)
    few = noise(rows) % np.uint64(5)
    return _table(
        {
            "time": (DType("timestamp", unit="ns"), 1_600_000_000_000_000_000 + 10**9 * np.arange(rows)),
            "cents": (DType("float"), (5000 + walk) / 100),
            "halves": (DType("float", 32), few.astype(np.float32) / 2),
            "lots": (DType("int"), few.astype(np.int64) * 100),
            "walk": (DType("int", 32), walk),
            "few": (DType("uint", 16), few),
            "tiny": (DType("uint", 8), few),
            "since": (DType("duration", unit="ms"), walk * 1000),
        },
        levels=1,
        frame=b"what the object was",
    )


def decimals() -> Table:
    """Floats with few digits behind the point, as whole numbers of four bytes."""
    rows = 2 * ROWS
    walk = np.cumsum(noise(rows) % np.uint64(7)).astype(np.int64) - 3 * np.arange(rows)
    return _table(
        {
            "cents": (DType("float"), (5000 + walk) / 100),
            "below zero": (DType("float"), -(1 + noise(rows) % np.uint64(500)).astype(np.float64)),
        }
    )


def wide_decimals() -> Table:
    """The same, of eight bytes."""
    return _table({"wide": (DType("float"), (noise(3 * ROWS) % np.uint64(2**36)).astype(np.float64) / 1000)})


def linear() -> Table:
    """Integers in equal steps, forwards, backwards and around the end of their range."""
    rows = 2 * ROWS
    with np.errstate(over="ignore"):
        around = np.uint64(2**64 - 1000) + np.arange(rows, dtype=np.uint64)
    return _table(
        {
            "time": (DType("timestamp", unit="ns"), 1_600_000_000_000_000_000 + 10**9 * np.arange(rows)),
            "down": (DType("int"), 5 - 3 * np.arange(rows)),
            "around": (DType("uint"), around),
            "since": (DType("duration", unit="s"), 60 * np.arange(rows)),
        },
        levels=1,
    )


def bits() -> Table:
    """Booleans, and numbers of which some are missing."""
    odd = noise(ROWS) % np.uint64(3) == 0
    valid = np.stack([noise(ROWS, 1) % np.uint64(2) == 0, np.arange(ROWS) < 600])
    table = _table(
        {"x": (DType("float"), np.arange(ROWS) / 4), "y": (DType("float"), np.arange(ROWS) * 2.0)}, valid=valid
    )
    flags = _table({"runs": (DType("bool", 8), np.arange(ROWS) > 700), "odd": (DType("bool", 8), odd)})
    schema = Schema.of(["x", "y", "runs", "odd"], [DType("float")] * 2 + [DType("bool", 8)] * 2)
    return Table(schema, ROWS, [*table.bands, *flags.bands])


def strings() -> Table:
    """Strings and bytes that do not repeat, of all lengths, some missing."""
    words = [f"{'αβγ' if i % 3 else ''}{i}{'x' * (i % 300)}" for i in range(ROWS)]
    words[5], words[6], words[7] = "", "a\0b", "\U0001f642"
    missing = np.zeros(ROWS, np.int8)
    missing[::7], missing[1::11] = NONE, NAN
    kept = [w if not m else "" for w, m in zip(words, missing.tolist(), strict=True)]
    binary = [int(n).to_bytes(8, "little") for n in noise(ROWS)]
    return _table(
        {
            "words": (STRING, StringColumn(pa.array(kept, pa.large_string()), None, missing)),
            "bytes": (BINARY, StringColumn(pa.array(binary, pa.large_binary()))),
            "short": (STRING, StringColumn(pa.array([f"{i:05}" for i in range(ROWS)], pa.large_string()))),
        }
    )


def dictionary() -> Table:
    """Strings that repeat, with a dictionary in the block; and codes of a category."""
    codes = (noise(ROWS) % np.uint64(5)).astype(np.int32) - 2
    column = StringColumn(pa.array(["AAPL", "naïve", ""], pa.large_string()), codes)
    schema = Schema.of(["s", "none", "k"], [STRING, STRING, DType("category", 8, ordered=True)], 0, {2: b"categories"})
    none = StringColumn(pa.array([], pa.large_string()), np.full(ROWS, NONE, np.int32))
    return Table(schema, ROWS, [Band([column, none]), Band((codes[None] + 1).astype(np.int8))])


def shared() -> Table:
    """Strings that repeat, with a dictionary of their own segment."""
    values = pa.array([f"{int(n):x}" for n in noise(ROWS // 2)], pa.large_string())
    return _table({"s": (STRING, StringColumn(values, (np.arange(ROWS) * 7 % (ROWS // 2)).astype(np.int32)))})


def names() -> Table:
    """Columns by any name, without rows."""
    return _table({name: (DType("int"), []) for name in ("", "naïve", 1, -(2**63), 2.5, True, None)})


NUMBERS = (raw, constant, pco, decimals, wide_decimals, linear, bits)
TABLES = {f.__name__: f for f in (*NUMBERS, strings, dictionary, shared, names)}
CODECS = {
    "raw": {ids.RAW},
    "constant": {ids.CONSTANT},
    "pco": {ids.PCO},
    "decimals": {ids.DECIMALS},
    "wide_decimals": {ids.DECIMALS},
    "linear": {ids.LINEAR},
    "bits": {ids.PCO, ids.BITS},
    "strings": {ids.STRINGS},
    "dictionary": {ids.DICTIONARY, ids.RAW},
    "shared": {ids.DICTIONARY},
    "names": {ids.RAW},
}


def main() -> None:
    """Write all golden files."""
    if sys.argv[1:] != ["--overwrite"]:
        sys.exit(__doc__)
    for name, make in TABLES.items():
        table = make()
        written = write(table, ROWS // 2 if name == "shared" else 10**6)
        (FOLDER / f"{name}.segment").write_bytes(bytes(written.segments[0].data))
        if written.shared is not None:
            (FOLDER / f"{name}.dictionaries").write_bytes(bytes(written.shared.data))


if __name__ == "__main__":
    main()
