"""Random sequences of operations: plain values, made from a seed without running anything.

A rough picture of what each symbol holds keeps most operations meaningful; about one in seven has an argument that is
wrong, and both libraries have to refuse it in the same way.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from differential.frames import KINDS, TIMED, TYPES, Columns, Frame

SYMBOLS = ["a", "b", "c"]
SNAPSHOTS = ["s1", "s2", "s3"]
NAMES = ["p", "q", "r", "s", "t", "u"]
WRONG = 0.13


class Created(NamedTuple):
    """Stands for the creation time of a version, which each library knows only when it has made it."""

    symbol: str
    version: int
    nanoseconds: int = 0


class Seconds(NamedTuple):
    """A time in the data, in seconds after `frames.START`."""

    value: int
    zoned: bool = False


class Payload(NamedTuple):
    """An item of a batch: which class of the library, and its arguments."""

    kind: str
    arguments: dict[str, Any]


class Operation(NamedTuple):
    """A method of `Library` and its arguments."""

    method: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


class Sequence(NamedTuple):
    """The options of a library and what is done to it."""

    seed: int
    store: str
    options: dict[str, Any]
    operations: tuple[Operation, ...]


@dataclass
class Picture:
    """What the generator believes a symbol holds."""

    kind: str = "time"
    columns: Columns = ()
    start: int = 0
    end: int = 0
    versions: int = 0


@dataclass
class Generator:
    """Makes one sequence."""

    seed: int
    random: random.Random = field(init=False)
    pictures: dict[str, Picture] = field(init=False)
    dynamic: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.pictures = {symbol: Picture() for symbol in SYMBOLS}

    def sequence(self, length: int) -> Sequence:
        """The whole sequence."""
        self.dynamic = self.seed % 3 == 0
        options: dict[str, Any] = {"dynamic_schema": self.dynamic}
        if self.seed % 2:
            options |= {"rows_per_segment": self.random.choice([2, 5]), "columns_per_segment": 3}
        if self.seed % 7 == 0:
            options["prune_previous_versions"] = True
        store = "lmdb" if self.seed % 5 == 0 else "mem"
        operations = [self.write(symbol) for symbol in SYMBOLS[:2]]
        operations += [self.operation() for _ in range(length)]
        return Sequence(self.seed, store, options, tuple(operations))

    def operation(self) -> Operation:
        """One operation, chosen by how much there is to it."""
        makers = {
            self.write: 8,
            self.append: 14,
            self.update: 9,
            self.delete_data_in_range: 7,
            self.delete: 6,
            self.prune_previous_versions: 3,
            self.snapshot: 4,
            self.delete_snapshot: 2,
            self.write_metadata: 4,
            self.read: 16,
            self.head_or_tail: 5,
            self.look: 12,
            self.batch_of_writes: 4,
            self.batch_of_reads: 4,
        }
        maker = self.random.choices(list(makers), list(makers.values()))[0]
        return maker(self.symbol())

    def wrong(self, share: float = WRONG) -> bool:
        """Whether to make a mistake here."""
        return self.random.random() < share

    def symbol(self) -> str:
        """A symbol, rarely one that has never been written."""
        return self.random.choice(["nope", "bad*name"]) if self.wrong(0.03) else self.random.choice(SYMBOLS)

    # What is written

    def columns(self) -> Columns:
        """Names and types of a new frame's columns."""
        names = self.random.sample(NAMES, self.random.randint(0 if self.wrong(0.05) else 1, 5))
        return tuple((name, self.random.choice(TYPES)) for name in names)

    def new(self) -> Frame:
        """A frame that has nothing to do with what is stored."""
        kind = self.random.choice(KINDS)
        columns = self.columns()
        if kind == "series":
            columns = columns[:1] or (("p", "float64"),)
        rows = 0 if self.wrong(0.02) else self.random.randint(1, 12)
        flaw = self.random.choice(["unsorted", "NaT"]) if kind in TIMED and rows > 1 and self.wrong() else ""
        start = self.random.randint(0, 20) if kind != "range" or self.wrong(0.3) else 0
        return Frame(kind, rows, start, columns, self.random.randrange(1 << 30), flaw)

    def fitting(self, symbol: str, *, start: int | None = None) -> Frame:
        """A frame like the one that is stored; with a mistake now and then."""
        picture = self.pictures.get(symbol, Picture())
        columns = picture.columns or (("p", "float64"),)
        if picture.kind != "series" and (self.wrong() or (self.dynamic and self.wrong(0.4))):
            columns = self.changed(columns)
        kind = self.random.choice(KINDS) if self.wrong(0.04) else picture.kind
        if kind == "series":
            columns = columns[:1]
        rows = 0 if self.wrong(0.03) else self.random.randint(1, 6)
        at = picture.end if start is None else start
        if self.wrong(0.08):
            at = max(0, at - self.random.randint(1, 10))
        flaw = "unsorted" if kind in TIMED and rows > 1 and self.wrong(0.05) else ""
        return Frame(kind, rows, at, columns, self.random.randrange(1 << 30), flaw)

    def changed(self, columns: Columns) -> Columns:
        """The same columns with one missing, new, renamed, moved or of another type."""
        changed = list(columns)
        at = self.random.randrange(len(changed))
        what = self.random.choice(["drop", "add", "rename", "move", "retype"])
        free = [name for name in NAMES if name not in {name for name, _ in columns}]
        if what == "drop" and len(changed) > 1:
            del changed[at]
        elif what == "add" and free:
            changed.insert(at, (free[0], self.random.choice(TYPES)))
        elif what == "rename" and free:
            changed[at] = (free[0], changed[at][1])
        elif what == "move":
            changed.insert(0, changed.pop(at))
        else:
            changed[at] = (changed[at][0], self.random.choice(TYPES))
        return tuple(changed)

    def options(self, *, validate: bool = True) -> dict[str, Any]:
        """Arguments that every call that writes has."""
        chosen: dict[str, Any] = {}
        if self.wrong(0.4):
            chosen["metadata"] = self.random.choice([{"n": 1}, "text", 7, [1, "two"], ("a", 2), None])
        if self.wrong(0.15):
            chosen["prune_previous_versions"] = self.random.random() < 0.8
        if validate and self.wrong(0.05):
            chosen["validate_index"] = False
        return chosen

    def note(self, symbol: str, frame: Frame, *, replace: bool) -> None:
        """Bring the picture of the symbol up to date."""
        picture = self.pictures.get(symbol)
        if picture is None:
            return
        if replace or not picture.versions:
            picture.kind, picture.columns, picture.start = frame.kind, frame.columns, frame.start
            picture.end = frame.end
        elif frame.kind == picture.kind:
            picture.end = max(picture.end, frame.end)
        picture.versions += 1

    def write(self, symbol: str) -> Operation:
        """Store a new frame."""
        frame = self.new()
        self.note(symbol, frame, replace=True)
        return Operation("write", {"symbol": symbol, "data": frame, **self.options()})

    def append(self, symbol: str) -> Operation:
        """Add rows at the end."""
        frame = self.fitting(symbol)
        self.note(symbol, frame, replace=False)
        return Operation("append", {"symbol": symbol, "data": frame, **self.options()})

    def update(self, symbol: str) -> Operation:
        """Replace rows in the middle."""
        picture = self.pictures.get(symbol, Picture())
        frame = self.fitting(symbol, start=self.random.randint(0, max(1, picture.end)))
        arguments: dict[str, Any] = {"symbol": symbol, "data": frame, **self.options(validate=False)}
        if self.wrong(0.3):
            arguments["date_range"] = tuple(part and part._replace(zoned=False) for part in self.range())
        if self.wrong(0.2):
            arguments["upsert"] = True
        self.note(symbol, frame, replace=False)
        return Operation("update", arguments)

    def write_metadata(self, symbol: str) -> Operation:
        """New metadata for the same data."""
        if symbol in self.pictures:
            self.pictures[symbol].versions += 1
        return Operation("write_metadata", {"symbol": symbol, "metadata": self.random.choice([{"m": 2}, "x", [3]])})

    # What is taken away

    def range(self) -> tuple[Seconds | None, Seconds | None]:
        """A range of time in the data, sometimes open, empty or reversed."""
        first, second = self.random.randint(-3, 60), self.random.randint(-3, 60)
        low, high = min(first, second), max(first, second)
        if self.wrong(0.05):
            low, high = high, low
        zoned = self.wrong(0.2)
        start = None if self.wrong(0.1) else Seconds(low, zoned)
        stop = None if self.wrong(0.1) else Seconds(high, zoned)
        return start, stop

    def delete_data_in_range(self, symbol: str) -> Operation:
        """Take the rows of a stretch of time away."""
        if symbol in self.pictures:
            self.pictures[symbol].versions += 1
        date_range = None if self.wrong(0.03) else self.range()
        return Operation("delete_data_in_range", {"symbol": symbol, "date_range": date_range})

    def delete(self, symbol: str) -> Operation:
        """Delete some versions, or all."""
        if self.wrong(0.25):
            return Operation("delete", {"symbol": symbol})
        known = self.pictures.get(symbol, Picture()).versions
        versions: Any = [self.random.randint(0, known) for _ in range(self.random.randint(0, 3))]
        if self.wrong(0.3):
            versions = self.random.randint(-1, known)
        return Operation("delete", {"symbol": symbol, "versions": versions})

    def prune_previous_versions(self, symbol: str) -> Operation:
        """Keep only the newest version."""
        return Operation("prune_previous_versions", {"symbol": symbol})

    def snapshot(self, _symbol: str) -> Operation:
        """Hold versions."""
        arguments: dict[str, Any] = {"snapshot_name": self.random.choice(SNAPSHOTS)}
        if self.wrong(0.3):
            arguments["metadata"] = {"why": self.random.randint(0, 9)}
        if self.wrong(0.3):
            arguments["versions"] = {
                symbol: self.random.randint(0, self.pictures[symbol].versions)
                for symbol in self.random.sample(SYMBOLS, self.random.randint(0, 2))
            }
        if self.wrong(0.15):
            arguments["skip_symbols"] = self.random.sample([*SYMBOLS, "nope"], 1)
        return Operation("snapshot", arguments)

    def delete_snapshot(self, _symbol: str) -> Operation:
        """Let versions go."""
        return Operation("delete_snapshot", {"snapshot_name": self.random.choice(SNAPSHOTS)})

    # What is looked at

    def as_of(self, symbol: str) -> dict[str, Any]:
        """Which version to look at: none, a number, a snapshot, a time, or nonsense."""
        known = self.pictures.get(symbol, Picture()).versions
        choices = [
            {},
            {"as_of": self.random.randint(0, max(0, known - 1))},
            {"as_of": self.random.randint(-3, known + 1)},
            {"as_of": self.random.choice(SNAPSHOTS)},
            {"as_of": Created(symbol, self.random.randint(0, max(0, known - 1)), self.random.choice([-1, 0, 1]))},
            {"as_of": self.random.choice([1.5, "2024-01-01", True])},
        ]
        return self.random.choices(choices, [10, 5, 3, 4, 4, 0.6])[0]

    def columns_wanted(self, symbol: str) -> list[Any]:
        """Some names of columns: stored ones, unknown ones, twice the same."""
        stored = [name for name, _ in self.pictures.get(symbol, Picture()).columns]
        return [self.random.choice([*stored, self.random.choice(NAMES)]) for _ in range(self.random.randint(0, 3))]

    def read(self, symbol: str) -> Operation:
        """Read a version, whole or in part."""
        arguments: dict[str, Any] = {"symbol": symbol, **self.as_of(symbol)}
        what = self.random.random()
        if what < 0.3:
            arguments["date_range"] = self.range()
        elif what < 0.55:
            arguments["row_range"] = tuple(None if self.wrong(0.1) else self.random.randint(-4, 20) for _ in range(2))
        if self.random.random() < 0.3:
            arguments["columns"] = self.columns_wanted(symbol)
        if self.wrong(0.02):
            arguments |= {"row_range": (0, 2), "date_range": self.range()}
        return Operation("read", arguments)

    def head_or_tail(self, symbol: str) -> Operation:
        """The first or last rows."""
        arguments: dict[str, Any] = {"symbol": symbol, "n": self.random.randint(-4, 15), **self.as_of(symbol)}
        if self.wrong(0.2):
            arguments["columns"] = self.columns_wanted(symbol)
        return Operation(self.random.choice(["head", "tail"]), arguments)

    def look(self, symbol: str) -> Operation:
        """Everything that is not data."""
        snapshot = {"snapshot": self.random.choice(SNAPSHOTS)} if self.wrong(0.25) else {}
        choices = [
            Operation("list_versions", ({"symbol": symbol} if self.random.random() < 0.7 else {}) | snapshot),
            Operation("list_versions", {"symbol": symbol, "latest_only": True}),
            Operation("list_versions", {"symbol": symbol, "skip_snapshots": True}),
            Operation("list_symbols", {}),
            Operation("list_symbols", {"regex": self.random.choice(["a", "^b$", "[bc]", "nothing"])}),
            Operation("list_symbols", {"snapshot_name": self.random.choice(SNAPSHOTS)}),
            Operation("has_symbol", {"symbol": symbol, **self.as_of(symbol)}),
            Operation("get_description", {"symbol": symbol, **self.as_of(symbol)}),
            Operation("get_description", {"symbol": symbol}),
            Operation("read_metadata", {"symbol": symbol, **self.as_of(symbol)}),
            Operation("list_snapshots", {}),
            Operation("list_snapshots", {"load_metadata": False}),
        ]
        return self.random.choice(choices)

    # Batches

    def some(self) -> list[str]:
        """Different symbols, in any order."""
        return self.random.sample(SYMBOLS, self.random.randint(1, 3))

    def batch_of_writes(self, _symbol: str) -> Operation:
        """One call that changes several symbols."""
        method = self.random.choice(
            ["write_batch", "append_batch", "update_batch", "write_metadata_batch", "delete_batch"]
        )
        if method == "delete_batch":
            return Operation(method, {"delete_requests": [self.delete_request(symbol) for symbol in self.some()]})
        operations = {
            "write_batch": self.write,
            "append_batch": self.append,
            "update_batch": self.update,
            "write_metadata_batch": self.write_metadata,
        }
        kinds = {"update_batch": "UpdatePayload", "write_metadata_batch": "WriteMetadataPayload"}
        names = {"symbol", "data", "metadata", "date_range"}
        payloads = [
            Payload(
                kinds.get(method, "WritePayload"),
                {
                    name: value
                    for name, value in operations[method](symbol).arguments.items()
                    if name in names and not (name == "date_range" and method != "update_batch")
                },
            )
            for symbol in self.some()
        ]
        argument = {"write_batch": "payloads", "write_metadata_batch": "write_metadata_payloads"}
        arguments: dict[str, Any] = {argument.get(method, f"{method.split('_')[0]}_payloads"): payloads}
        if self.wrong(0.1):
            arguments["prune_previous_versions"] = True
        if method == "update_batch" and self.wrong(0.3):
            arguments["upsert"] = True
        return Operation(method, arguments)

    def delete_request(self, symbol: str) -> Any:
        """A symbol to delete, or versions of it."""
        if self.wrong(0.3):
            return symbol
        known = self.pictures[symbol].versions
        versions = [self.random.randint(0, known) for _ in range(self.random.randint(1, 2))]
        return Payload("DeleteRequest", {"symbol": symbol, "version_ids": versions})

    def batch_of_reads(self, _symbol: str) -> Operation:
        """One call that looks at several symbols."""
        method = self.random.choice(["read_batch", "read_batch", "read_metadata_batch", "get_description_batch"])
        kind = "ReadRequest" if method == "read_batch" else "ReadInfoRequest"
        items: list[Any] = []
        for _ in range(self.random.randint(1, 4)):
            symbol = self.symbol()
            if self.wrong(0.4):
                items.append(symbol)
                continue
            arguments = {"symbol": symbol, **self.as_of(symbol)}
            if method == "read_batch" and self.wrong(0.4):
                arguments["date_range"] = self.range()
            items.append(Payload(kind, arguments))
        return Operation(method, {"symbols": items})
