"""An attribute computed at its first use, without a lock.

Before Python 3.12 `functools.cached_property` holds one lock per attribute, for all instances at once, while it
computes: threads wait for each other, and a child forked while another thread holds it waits for ever. Here two threads
may both compute a value at the same time; what is cached is equal either way.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:
    from collections.abc import Callable

    T = TypeVar("T")

    class cached_property(Generic[T]):  # noqa: N801 - named as what it stands for
        """A method whose result replaces it in the instance at the first access."""

        def __init__(self, compute: Callable[[Any], T]) -> None:
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            """Remember the attribute under which the result is kept."""
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            """The result, computed now: later accesses find it in the instance and do not come here."""
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._compute(instance)
            return value


__all__ = ["cached_property"]
