"""From a connection string to a storage."""

from __future__ import annotations

from importlib import import_module

from coldframe.stores.base import Storage
from coldframe.stores.uri import SCHEMES, scheme_of


def open_storage(uri: str, *, read_only: bool = False) -> Storage:
    """Open what a connection string names.

    Parameters
    ----------
    uri : str
        E.g. ``lmdb:///data/prices?map_size=10GB`` or ``mem://``.
    read_only : bool
        Nothing is ever written; a storage that is not there is an error.

    Raises
    ------
    ValueError
        The scheme is not known.

    Examples
    --------
    >>> open_storage("mem://").names()
    []
    """
    module = import_module(SCHEMES[scheme_of(uri)])
    storage: Storage = module.parse(uri, read_only=read_only)
    return storage
