"""What operations take and give: plain values that the API dresses for users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from coldframe.format.dtypes import DType
from coldframe.format.schema import Name


@dataclass(slots=True)
class Commit:
    """A version that was made: its number and creation time (nanoseconds since 1970)."""

    symbol: str
    version: int
    created: int


@dataclass(slots=True)
class Loaded:
    """A version that was read; `data` is None where only metadata was asked for."""

    symbol: str
    version: int
    created: int
    data: Any
    metadata: Any


@dataclass(slots=True)
class VersionRow:
    """A version in a listing."""

    symbol: str
    version: int
    created: int
    deleted: bool
    snapshots: list[str]


@dataclass(slots=True)
class Description:
    """What is known of a version without reading its rows.

    `first` and `last` are values of the time index in `unit`; `rows` is None for pickled data.
    """

    columns: list[tuple[Name, DType]]
    index: list[tuple[Name, DType]]
    index_type: str
    rows: int | None
    created: int
    first: int | None
    last: int | None
    unit: str
    zone: str | None
    sorted: str


@dataclass(slots=True)
class WriteItem:
    """One entry of a batch of writes or appends."""

    symbol: str
    data: Any
    metadata: Any = None


@dataclass(slots=True)
class UpdateItem:
    """One entry of a batch of updates."""

    symbol: str
    data: Any
    metadata: Any = None
    date_range: Any = None


@dataclass(slots=True)
class ReadItem:
    """One entry of a batch of reads."""

    symbol: str
    as_of: Any = None
    date_range: Any = None
    row_range: Any = None
    columns: Any = None


@dataclass(slots=True)
class Damaged:
    """An object that `verify` found wrong: its key, what is wrong, and which versions it belongs to."""

    key: str
    reason: str
    symbol: str | None = None
    versions: Sequence[int] = ()


@dataclass(slots=True)
class Report:
    """What `verify` found."""

    objects: int = 0
    bytes: int = 0
    versions: int = 0
    damaged: list[Damaged] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged. Unreachable objects waste space and harm nothing."""
        return not self.damaged


@dataclass(slots=True)
class Reclaimed:
    """What `reclaim` freed: retired objects and, where asked for, orphans that nothing ever named."""

    objects: int = 0
    bytes: int = 0
    orphans: int = 0
