"""What operations take and give: plain values that the API dresses for users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from coldframe.format.dtypes import DType
from coldframe.format.schema import Name


class Commit(msgspec.Struct):
    """A version that was made: its number and creation time (nanoseconds since 1970)."""

    symbol: str
    version: int
    created: int


class Loaded(msgspec.Struct):
    """A version that was read; `data` is None where only metadata was asked for."""

    symbol: str
    version: int
    created: int
    data: Any
    metadata: Any


class VersionRow(msgspec.Struct):
    """A version in a listing."""

    symbol: str
    version: int
    created: int
    deleted: bool
    snapshots: list[str]


class Description(msgspec.Struct):
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


class WriteItem(msgspec.Struct):
    """One entry of a batch of writes or appends."""

    symbol: str
    data: Any
    metadata: Any = None


class UpdateItem(msgspec.Struct):
    """One entry of a batch of updates."""

    symbol: str
    data: Any
    metadata: Any = None
    date_range: Any = None


class ReadItem(msgspec.Struct):
    """One entry of a batch of reads."""

    symbol: str
    as_of: Any = None
    date_range: Any = None
    row_range: Any = None
    columns: Any = None


class Damaged(msgspec.Struct):
    """An object that `verify` found wrong: its key, what is wrong, and which versions it belongs to."""

    key: str
    reason: str
    symbol: str | None = None
    versions: Sequence[int] = ()


class Report(msgspec.Struct):
    """What `verify` found.

    Attributes
    ----------
    objects, bytes : int
        How many objects were read, and how large they are.
    versions : int
        How many versions were looked at, those that only snapshots hold among them.
    damaged : list of Damaged
        Objects that are missing, or do not hold what was written.
    unreachable : list of str
        The keys of objects that nothing names, or nothing names any more: `Library.reclaim` frees them.
    """

    objects: int = 0
    bytes: int = 0
    versions: int = 0
    damaged: list[Damaged] = msgspec.field(default_factory=list)
    unreachable: list[str] = msgspec.field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged. Unreachable objects waste space and harm nothing."""
        return not self.damaged


class Reclaimed(msgspec.Struct):
    """What `reclaim` freed: retired objects and, where asked for, orphans that nothing ever named."""

    objects: int = 0
    bytes: int = 0
    orphans: int = 0
