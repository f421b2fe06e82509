"""Connection strings of object stores: from the text to a storage that has not connected yet.

==================================  ================================================================
``s3://ENDPOINT:BUCKET?...``        any S3 server, by host name; ``s3s://`` with TLS
``s3://BUCKET/PREFIX?...``          Amazon S3, or another server with ``endpoint=URL``
``gcpxml://ENDPOINT:BUCKET?...``    Google's S3-like interface; ``gcpxmls://`` with TLS
``gs://BUCKET/PREFIX?...``          Google Cloud Storage
``azure://Name=value;...``          Azure Blob Storage
==================================  ================================================================
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from coldframe.stores.object_options import ConnectionStringError
from coldframe.stores.object_storage import ObjectStorage

SCHEMES = ("s3", "s3s", "gcpxml", "gcpxmls", "gs", "azure")


def parse(uri: str, *, read_only: bool = False, credentials: Callable[[], Any] | None = None) -> ObjectStorage:
    """The storage a connection string names; nothing is connected to yet.

    Parameters
    ----------
    uri : str
    read_only : bool, default False
        Refuse everything that writes.
    credentials : callable, optional
        Returns a mapping with ``access_key``, ``secret_key`` and, for temporary keys, ``token`` and ``expires``
        (boto3's, STS's and obstore's spellings are understood too); called again when they expire or are refused.

    Raises
    ------
    ConnectionStringError
        An unknown option, a missing bucket, options that contradict each other. Also a `ValueError`.

    Examples
    --------
    >>> parse("s3s://storage.example.com:prices?access=key&secret=hush", read_only=True)
    S3(endpoint=https://storage.example.com, bucket=prices)
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ConnectionStringError(f"a connection string starts with one of {', '.join(f'{s}://' for s in SCHEMES)}")
    if scheme in ("s3", "s3s", "gcpxml", "gcpxmls"):
        from coldframe.stores.object_uri_s3 import read_s3

        target, keyring = read_s3(scheme, rest, credentials)
    elif credentials is not None:
        raise ConnectionStringError(f"credentials= goes with s3:// connection strings, not with {scheme}://")
    elif scheme == "azure":
        from coldframe.stores.object_uri_azure import read_azure

        target, keyring = read_azure(rest)
    else:
        from coldframe.stores.object_uri_gcs import read_gcs

        target, keyring = read_gcs(rest)
    return ObjectStorage(uri, target, keyring, read_only=read_only)


_reopened: weakref.WeakValueDictionary[tuple[str, bool], ObjectStorage] = weakref.WeakValueDictionary()


def reopen(uri: str, read_only: bool, credentials: Callable[[], Any] | None) -> ObjectStorage:
    """The storage of a library that was sent here; libraries sent one by one share its connections."""
    if credentials is not None:
        return parse(uri, read_only=read_only, credentials=credentials)
    found = _reopened.get((uri, read_only))
    if found is None:
        found = _reopened[uri, read_only] = parse(uri, read_only=read_only)
    return found
