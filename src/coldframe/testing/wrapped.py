"""What the stores that wrap another one have in common: they promise what the wrapped one promises."""

from __future__ import annotations

from coldframe.stores.base import Reader, Store


class WrappedStore(Store):
    """A store in front of another one.

    Parameters
    ----------
    inner : Store
        What it promises (`limits`, `grace`, `atomic`, `read_only`) is taken over, and may be changed here.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.limits = inner.limits
        self.grace = inner.grace
        self.atomic = inner.atomic
        self.read_only = inner.read_only

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

    def close(self) -> None:
        """Close the wrapped store."""
        self.inner.close()


class WrappedReader(Reader):
    """A view of a wrapped store.

    Parameters
    ----------
    inner : Reader
        The view of the wrapped store.
    """

    def __init__(self, inner: Reader) -> None:
        self.inner = inner
