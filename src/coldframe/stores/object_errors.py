"""From a failed request to the error a user reads: what was tried, what the server said, what to do about it."""

from __future__ import annotations

import email.utils
import enum
from dataclasses import dataclass
from datetime import datetime

from coldframe.exceptions import (
    ArcticException,
    ErrorCode,
    KeyNotFoundException,
    PermissionException,
    StorageException,
)
from coldframe.stores.object_failures import Failure, Kind


class Operation(enum.Enum):
    """A request as the server's documentation names it."""

    GET = "GetObject"
    HEAD = "HeadObject"
    PUT = "PutObject"
    DELETE = "DeleteObject"
    LIST = "ListObjectsV2"


_PERMISSIONS = {
    "s3": {
        Operation.GET: "s3:GetObject", Operation.HEAD: "s3:GetObject", Operation.PUT: "s3:PutObject",
        Operation.DELETE: "s3:DeleteObject", Operation.LIST: "s3:ListBucket",
    },
    "azure": {
        Operation.GET: "blobs/read", Operation.HEAD: "blobs/read", Operation.PUT: "blobs/write",
        Operation.DELETE: "blobs/delete", Operation.LIST: "blobs/read (list)",
    },
    "gcs": {
        Operation.GET: "storage.objects.get", Operation.HEAD: "storage.objects.get",
        Operation.PUT: "storage.objects.create", Operation.DELETE: "storage.objects.delete",
        Operation.LIST: "storage.objects.list",
    },
}


@dataclass(frozen=True, slots=True)
class Attempted:
    """What was asked of which server, for the text of an error.

    Attributes
    ----------
    operation : Operation
    kind : str
        ``s3``, ``azure`` or ``gcs``.
    endpoint, bucket, key, region : str
    identity : str
        Where the credentials come from, without secrets; empty for anonymous access.
    attempts : int
    seconds : float
    """

    operation: Operation
    kind: str
    endpoint: str
    bucket: str
    key: str
    region: str = ""
    identity: str = ""
    attempts: int = 1
    seconds: float = 0.0

    def place(self) -> str:
        """What was asked for, in words."""
        what = "prefix" if self.operation is Operation.LIST else "key"
        return f"{self.operation.value} on {what} {self.key!r} of bucket {self.bucket!r}"

    def permission(self) -> str:
        """The permission that this operation needs."""
        return _PERMISSIONS[self.kind][self.operation]


def explain(failure: Failure, attempted: Attempted, now: datetime | None = None) -> ArcticException:
    """The error for a failure that no retry will heal.

    Examples
    --------
    >>> attempted = Attempted(Operation.PUT, "s3", "https://s3.example.com", "b", "k", identity="a key")
    >>> print(explain(Failure(Kind.DENIED, status=403, code="AccessDenied"), attempted).message.split(";")[0])
    Permission error: PutObject on key 'k' of bucket 'b' is not allowed (403 AccessDenied) with a key
    """
    kind = failure.kind
    if kind is Kind.MISSING:
        return KeyNotFoundException(f"there is no object {attempted.key!r} in bucket {attempted.bucket!r}")
    if kind is Kind.MISSING_BUCKET:
        noun = "container" if attempted.kind == "azure" else "bucket"
        return StorageException(
            f"there is no {noun} {attempted.bucket!r} at {attempted.endpoint}: create it first, or correct its name in "
            "the connection string", code=ErrorCode.E_RESOURCE_NOT_FOUND)
    if kind in _PERMISSION_TEXTS:
        return PermissionException(_permission(failure, attempted, now))
    if kind is Kind.REGION:
        return _wrong_region(failure, attempted)
    if kind is Kind.UNSUPPORTED:
        return StorageException(
            f"the server at {attempted.endpoint} does not support {attempted.place()}: {failure.words()}",
            code=ErrorCode.E_NOT_IMPLEMENTED_BY_STORAGE)
    if kind in _NETWORK:
        return _network(failure, attempted)
    code = ErrorCode.E_UNEXPECTED_AZURE_ERROR if attempted.kind == "azure" else ErrorCode.E_UNEXPECTED_S3_ERROR
    return StorageException(
        f"unexpected answer to {attempted.place()} at {attempted.endpoint}: {failure.words() or kind.value}; "
        "`coldframe check` on the connection string tries each operation by itself", code=code)


_PERMISSION_TEXTS = {
    Kind.DENIED, Kind.SIGNATURE, Kind.UNKNOWN_KEY, Kind.EXPIRED, Kind.BAD_TOKEN, Kind.SKEW, Kind.CREDENTIALS,
}


def _permission(failure: Failure, attempted: Attempted, now: datetime | None) -> str:
    said = failure.words() or failure.kind.value
    what = f"Permission error: {attempted.place()} is not allowed ({said})"
    who = f" with {attempted.identity}" if attempted.identity else ""
    if failure.kind is Kind.DENIED and not attempted.identity:
        return (f"{what}; the request was anonymous: give credentials with access=...&secret=... in the connection "
                "string, or aws_auth=true for those of the environment, profile or instance")
    if failure.kind is Kind.DENIED:
        resource = attempted.bucket if attempted.operation is Operation.LIST else f"{attempted.bucket}/{attempted.key}"
        listing = ("" if attempted.kind != "s3" or attempted.operation not in (Operation.GET, Operation.HEAD) else
                   " (or, if the object does not exist, s3:ListBucket on the bucket)")
        return (f"{what}{who}; missing permission: {attempted.permission()} on {resource!r}{listing}; "
                "`coldframe policy` prints a policy with what is needed")
    if failure.kind is Kind.SIGNATURE:
        return (f"{what}{who}; the secret does not belong to the access key, or was altered in the connection string "
                "(& is written %26, ; %3B and % %25): check the secret")
    if failure.kind is Kind.UNKNOWN_KEY:
        return (f"{what}{who}; the server at {attempted.endpoint} does not know this access key: check the key, that "
                "it is active, that it belongs to this server, and that a temporary key comes with its token")
    if failure.kind is Kind.EXPIRED:
        return (f"{what}{who}; the credentials have expired and fetching new ones did not help: renew them (for SSO: "
                "`aws sso login`), or use aws_auth=true or sts so that they are renewed by themselves")
    if failure.kind is Kind.BAD_TOKEN:
        return f"{what}{who}; the session token is damaged or belongs to another key: fetch key, secret and token anew"
    if failure.kind is Kind.SKEW:
        return f"{what}; {_skew(failure, now)}: set the clock (`timedatectl set-ntp true`, chrony)"
    return f"{what}{who}; {failure.message or 'no credentials'}"


def _skew(failure: Failure, now: datetime | None) -> str:
    server = _moment(failure.about.get("ServerTime", ""))
    if server is None:
        return "this machine's clock and the server's differ by more than the server tolerates (15 minutes)"
    here = _moment(failure.about.get("RequestTime", "")) or now or datetime.now(server.tzinfo)
    seconds = (here - server).total_seconds()
    return f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the server's"


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, email.utils.parsedate_to_datetime):
        try:
            found = read(text)
        except (ValueError, TypeError):
            continue
        return found if found.tzinfo else None
    return None


def _wrong_region(failure: Failure, attempted: Attempted) -> ArcticException:
    right = failure.about.get("Region", "")
    endpoint = failure.about.get("Endpoint", "")
    remedy = f"add region={right}" if right else "add region=... with the bucket's region"
    if right and "amazonaws" in attempted.endpoint:
        remedy += f" and use the endpoint s3.{right}.amazonaws.com"
    elif endpoint:
        remedy += f" and use the endpoint {endpoint}"
    return StorageException(
        f"bucket {attempted.bucket!r} is not in region {attempted.region!r}"
        f"{f' but in {right!r}' if right else ''} ({failure.words()}): {remedy} in the connection string",
        code=ErrorCode.E_BAD_REQUEST)


_NETWORK = {
    Kind.REFUSED: "nothing listens there: check host, port and that the server runs",
    Kind.DNS: "check the host name and the network",
    Kind.TLS: "",
    Kind.CONNECT: "check host, port, network, firewall and proxy settings",
    Kind.RESET: "the network or the server is failing",
    Kind.TIMEOUT: "the network or the server is failing; request_timeout=SECONDS in the connection string waits longer",
    Kind.CUT: "the network or the server is failing",
    Kind.THROTTLED: "the server asks for fewer requests: try later, or lower connections=... in the connection string",
    Kind.SERVER: "the server is failing: try later",
    Kind.CONTENTION: "other writers keep writing this object: try later",
    Kind.HELPER: "the helper process of this forked process was ended from outside",
}


def _network(failure: Failure, attempted: Attempted) -> ArcticException:
    remedy = _tls_remedy(failure) if failure.kind is Kind.TLS else _NETWORK[failure.kind]
    said = failure.words()
    times = f"{attempted.attempts} attempt{'s' if attempted.attempts > 1 else ''} in {attempted.seconds:.1f} s"
    return StorageException(
        f"Network error: {failure.kind.value} at {attempted.endpoint}{f' ({said})' if said else ''} during "
        f"{attempted.place()}, {times}; {remedy}", code=ErrorCode.E_S3_RETRYABLE)


def _tls_remedy(failure: Failure) -> str:
    if failure.code == "InvalidContentType":
        return "use s3:// instead of s3s://, or the port that speaks TLS"
    if failure.code in ("Expired", "NotValidYet"):
        return "renew the server's certificate, and check this machine's clock"
    if failure.code == "NotValidForName":
        return "use the host name that the certificate is made for"
    if failure.code in ("UnknownIssuer", "CaUsedAsEndEntity"):
        return ("give the authority's certificate with CA_cert_path=FILE in the connection string or in AWS_CA_BUNDLE "
                "or SSL_CERT_FILE")
    return "check the server's certificate; ssl=false in the connection string switches verification off"
