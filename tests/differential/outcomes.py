"""What an operation did on one library, as plain values that can be compared with the other's."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from differential import frames
from differential.frames import Frame
from differential.sequences import Created, Operation, Payload, Seconds

TEXT = 240


@dataclass(frozen=True)
class Outcome:
    """The value an operation returned, or the name of the exception's class it raised."""

    value: Any = None
    error: str = ""
    message: str = ""

    def __str__(self) -> str:
        text = f"{self.error}: {self.message}" if self.error else repr(self.value)
        return " ".join(text.split())[:TEXT]


class Description(dict[str, Any]):
    """A `SymbolDescription`, as a dict."""


class Failure(dict[str, Any]):
    """A `DataError`, as a dict."""


@dataclass
class Side:
    """One library under test: which package, its library, and when each version was created."""

    package: str
    library: Any
    created: dict[tuple[str, int], int] = field(default_factory=dict)

    def do(self, operation: Operation) -> Outcome:
        """Run an operation."""
        try:
            arguments = {name: self.resolve(value) for name, value in operation.arguments.items()}
            returned = getattr(self.library, operation.method)(**arguments)
        except Exception as error:  # noqa: BLE001 - what it raises is what is compared
            return Outcome(error=type(error).__name__, message=str(error)[:300])
        return Outcome(self.plain(returned))

    def resolve(self, value: Any) -> Any:
        """An argument as this library wants it."""
        if isinstance(value, Frame):
            return frames.build(value)
        if isinstance(value, Created):
            stamp = self.created.get((value.symbol, value.version))
            if stamp is None:
                return pd.Timestamp("2001-01-01", tz="UTC")
            return pd.Timestamp(stamp + value.nanoseconds, tz="UTC")
        if isinstance(value, Seconds):
            time = frames.START + pd.Timedelta(seconds=value.value)
            return time.tz_localize("UTC").tz_convert("America/New_York") if value.zoned else time
        if isinstance(value, Payload):
            kind = getattr(importlib.import_module(self.package), value.kind, None)
            kind = kind or getattr(importlib.import_module(f"{self.package}.version_store.library"), value.kind)
            return kind(**{name: self.resolve(part) for name, part in value.arguments.items()})
        if type(value) in {list, tuple}:
            return type(value)(self.resolve(part) for part in value)
        return value

    def plain(self, value: Any) -> Any:
        """What was returned, without what belongs to one library alone: its classes, its clock, its place."""
        kind = type(value).__name__
        if kind == "VersionedItem":
            if value.timestamp:
                self.created[value.symbol, value.version] = value.timestamp
            return {"symbol": value.symbol, "version": value.version, "metadata": value.metadata, "data": value.data}
        if kind == "DataError":
            asked = name_of(value.version_request_type)
            return Failure(
                symbol=value.symbol,
                code=name_of(value.error_code),
                category=name_of(value.error_category),
                asked=asked,
                of=asked_for(asked, value.version_request_data),
            )
        if kind == "SymbolDescription":
            return Description(
                columns=dtypes(value.columns),
                index=dtypes(value.index),
                index_type=value.index_type,
                row_count=value.row_count,
                date_range=tuple(map(pd.Timestamp, value.date_range)),
                sorted=value.sorted,
            )
        if isinstance(value, dict):
            return {str(self.plain(key)): self.plain(part) for key, part in value.items()}
        if kind == "SymbolVersion":
            return (value.symbol, value.version)
        if kind == "VersionInfo":
            return {"deleted": value.deleted, "snapshots": sorted(value.snapshots)}
        if isinstance(value, list):
            parts = [self.plain(part) for part in value]
            return sorted(parts) if all(isinstance(part, str) for part in parts) else parts
        return value


def name_of(member: Any) -> str | None:
    """The name of a member of an enumeration, whichever library's."""
    return None if member is None else member.name


def asked_for(kind: str | None, data: Any) -> Any:
    """Which version an item of a batch asked for: True is the number 1, times differ between the libraries."""
    if kind == "TIMESTAMP":
        return "a time"
    return int(data) if isinstance(data, bool) else data


def dtypes(columns: Iterable[Any]) -> list[tuple[Any, str]]:
    """Names and types as they print; of a range, which is not stored, ArcticDB prints the inside of a message."""
    return [(column.name, "range" if "value_type" in (text := str(column.dtype)) else text) for column in columns]
