"""From a connection string to a storage."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from coldframe.stores.base import Storage
from coldframe.stores.uri import OPENED_WITH_CREDENTIALS, SCHEMES, scheme_of


def open_storage(uri: str, *, read_only: bool = False, credentials: Callable[[], Any] | None = None) -> Storage:
    """Open what a connection string names.

    Parameters
    ----------
    uri : str
        E.g. ``lmdb:///data/prices?map_size=10GB`` or ``mem://``.
    read_only : bool
        Nothing is ever written; a storage that is not there is an error.
    credentials : callable, optional
        Gives credentials of an object store, each time they are needed anew.

    Raises
    ------
    ValueError
        The scheme is not known, or takes no credentials.

    Examples
    --------
    >>> open_storage("mem://").names()
    []
    """
    module = import_module(SCHEMES[scheme_of(uri)])
    if credentials is None:
        storage: Storage = module.parse(uri, read_only=read_only)
    elif scheme_of(uri) in OPENED_WITH_CREDENTIALS:
        storage = module.parse(uri, read_only=read_only, credentials=credentials)
    else:
        known = ", ".join(f"{scheme}://" for scheme in OPENED_WITH_CREDENTIALS)
        raise ValueError(f"credentials were given for {scheme_of(uri)}://, which needs none; they belong to {known}.")
    return storage
