"""Batches: an operation on many symbols, each on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from coldframe.catalog.catalog import Catalog
from coldframe.exceptions import ArcticException
from coldframe.stores.base import Reader


class _Named(Protocol):
    @property
    def symbol(self) -> str: ...


N = TypeVar("N", bound=_Named)
T = TypeVar("T")
R = TypeVar("R")


def check_each(items: Sequence[N], check: Callable[[N], R]) -> list[R]:
    """Each item's checked arguments, before the first of them is worked on; what is of a wrong type names its item."""
    checked = []
    for position, item in enumerate(items):
        try:
            checked.append(check(item))
        except TypeError as error:
            raise TypeError(f"item {position} of the batch, {item.symbol!r}: {error}") from None
    return checked


def attempt_each(catalog: Catalog, work: Callable[[T], R], items: Sequence[T]) -> list[R | ArcticException]:
    """Each item's result, or its error as a value. On an object store several are worked on at once."""

    def attempt(item: T) -> R | ArcticException:
        try:
            return work(item)
        except ArcticException as error:
            return error

    return several(catalog.store, attempt, items)


def several(reader: Reader, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Work on several items at once where that helps; on a single one here, with all cores for it."""
    return reader.concurrently(work, items) if len(items) > 1 else [work(item) for item in items]
