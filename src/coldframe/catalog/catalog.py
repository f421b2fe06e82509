"""The catalog of one library: where its store, its name, its options and its clock come together."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from coldframe.catalog.config import LibraryConfig
from coldframe.catalog.seen import SeenHeads, seen_heads
from coldframe.exceptions import PermissionException
from coldframe.stores.base import Store


class Catalog(msgspec.Struct):
    """One library as the operations see it.

    Attributes
    ----------
    store : Store
    library : str
        Its name, for messages and results.
    config : LibraryConfig
    clock : callable
        Nanoseconds since 1970.
    seen : SeenHeads or None
        Where commits on an object store start.
    """

    store: Store
    library: str
    config: LibraryConfig = msgspec.field(default_factory=LibraryConfig)
    clock: Callable[[], int] = time.time_ns
    seen: SeenHeads | None = None

    def __post_init__(self) -> None:
        self.seen = seen_heads(self.store)

    def check_writable(self, operation: str) -> None:
        """Refuse to change a library that was opened for reading."""
        if self.store.read_only:
            raise PermissionException(
                f"{operation} on library '{self.library}' is not allowed: it was opened with mode='r'. "
                "Open it with Arctic(uri) to change it."
            )
