"""What a connection string to an object store says, as a value; it holds no connection and prints no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from coldframe.stores.object_retry import Patience

Kind = Literal["s3", "gcs", "azure"]


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificates to accept.

    Attributes
    ----------
    verify : bool
        False accepts any certificate.
    authorities : str
        Certificates in PEM to trust besides the system's.
    """

    verify: bool = True
    authorities: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket on a server and how to talk to it. Can be sent to another process.

    Attributes
    ----------
    kind : {'s3', 'gcs', 'azure'}
        Which protocol.
    bucket, prefix : str
        Bucket or container, and the path in it under which the libraries lie.
    endpoint : str
        The server's URL; empty: the protocol's own.
    region : str
    virtual : bool
        Whether the bucket's name is part of the host name.
    settings : mapping
        The client library's own settings for this protocol; may hold secrets.
    trust : Trust
    connections : int
        How many requests may be under way at once.
    connect_timeout, request_timeout : float
        Seconds to connect, and for one request from start to end.
    patience : Patience
        How long to retry.
    unsafe_writes : bool
        Whether a store that does not honour conditional writes may be written to.
    """

    kind: Kind
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    virtual: bool = False
    settings: Mapping[str, str | bool] = field(default_factory=dict, repr=False)
    trust: Trust = field(default_factory=Trust)
    connections: int = 64
    connect_timeout: float = 3.0
    request_timeout: float = 60.0
    patience: Patience = field(default_factory=Patience)
    unsafe_writes: bool = False

    def address(self) -> str:
        """The server as named in errors."""
        if self.endpoint:
            return self.endpoint
        if self.kind == "s3":
            return f"https://s3.{self.region or 'us-east-1'}.amazonaws.com"
        if self.kind == "gcs":
            return "https://storage.googleapis.com"
        return f"https://{self.settings.get('account_name', '')}.blob.core.windows.net"
