"""Batches: an operation on many symbols, each on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from coldframe.catalog.catalog import Catalog
from coldframe.exceptions import ArcticException

T = TypeVar("T")
R = TypeVar("R")


def attempt_each(catalog: Catalog, work: Callable[[T], R], items: Sequence[T]) -> list[R | ArcticException]:
    """Each item's result, or its error as a value. On an object store several are worked on at once."""

    def attempt(item: T) -> R | ArcticException:
        try:
            return work(item)
        except ArcticException as error:
            return error

    return catalog.store.concurrently(attempt, items)
