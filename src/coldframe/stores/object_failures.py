"""What went wrong with one request to an object store, as a value; read from the text that the client library gives.

The client library says most of what matters only in words: the answer's status and the server's XML, or the innermost
cause of a connection that failed. This module is the only one that looks at those words.
"""

from __future__ import annotations

import enum
import html
import re
from typing import Any


class Kind(enum.Enum):
    """What a failure means for the one who asked."""

    MISSING = "no such object"
    MISSING_BUCKET = "no such bucket"
    CONDITION = "condition not met"
    CONTENTION = "conflicting request in progress"
    NOT_MODIFIED = "not modified"
    RANGE = "range not satisfiable"
    DENIED = "access denied"
    SIGNATURE = "signature does not match"
    UNKNOWN_KEY = "unknown access key"
    EXPIRED = "credentials have expired"
    BAD_TOKEN = "session token not valid"  # noqa: S105 - a description, not a secret
    SKEW = "clocks differ"
    REGION = "wrong region"
    UNSUPPORTED = "not supported by the server"
    THROTTLED = "too many requests"
    SERVER = "server error"
    REFUSED = "connection refused"
    DNS = "host name not found"
    TLS = "TLS handshake failed"
    CONNECT = "cannot connect"
    RESET = "connection reset"
    TIMEOUT = "no answer in time"
    CUT = "answer cut short"
    CREDENTIALS = "credential provider failed"
    HELPER = "helper process ended"
    OTHER = "unexpected answer"


# Nothing reached the server: a conditional write that failed so has certainly not happened.
NEVER_SENT = frozenset({Kind.REFUSED, Kind.DNS, Kind.TLS, Kind.CONNECT, Kind.CREDENTIALS})
# A second attempt may go better.
TRANSIENT = frozenset({
    Kind.CONTENTION, Kind.THROTTLED, Kind.SERVER, Kind.REFUSED, Kind.DNS, Kind.CONNECT, Kind.RESET, Kind.TIMEOUT,
    Kind.CUT, Kind.HELPER,
})
# New credentials may be accepted where these were not. Some servers know an expired session only as an unknown key.
STALE_CREDENTIALS = frozenset({Kind.EXPIRED, Kind.UNKNOWN_KEY, Kind.BAD_TOKEN})


class Failure(Exception):
    """One request failed.

    Attributes
    ----------
    kind : Kind
    status : int or None
        The answer's HTTP status, if there was an answer.
    code, message : str
        The server's own words, or the innermost cause.
    about : dict
        What the server's answer names besides: the right region, its time.
    """

    def __init__(self, kind: Kind, *, status: int | None = None, code: str = "", message: str = "",
                 about: dict[str, str] | None = None) -> None:
        super().__init__(kind, status, code, message)
        self.kind = kind
        self.status = status
        self.code = code
        self.message = message
        self.about = about or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.kind, self.status, self.code, self.message, self.about)

    def words(self) -> str:
        """The server's answer in short: ``403 AccessDenied: ...``."""
        head = " ".join(part for part in (str(self.status or ""), self.code) if part)
        return ": ".join(part for part in (head, self.message) if part)


def _restore(kind: Kind, status: int | None, code: str, message: str, about: dict[str, str]) -> Failure:
    return Failure(kind, status=status, code=code, message=message, about=about)


_STATUS = re.compile(r"status code: (\d{3})")
_CODES = {
    "NoSuchBucket": Kind.MISSING_BUCKET,
    "ContainerNotFound": Kind.MISSING_BUCKET,
    "NoSuchKey": Kind.MISSING,
    "BlobNotFound": Kind.MISSING,
    "SignatureDoesNotMatch": Kind.SIGNATURE,
    "InvalidAccessKeyId": Kind.UNKNOWN_KEY,
    "InvalidClientTokenId": Kind.UNKNOWN_KEY,
    "ExpiredToken": Kind.EXPIRED,
    "ExpiredTokenException": Kind.EXPIRED,
    "TokenRefreshRequired": Kind.EXPIRED,
    "RequestExpired": Kind.EXPIRED,
    "InvalidToken": Kind.BAD_TOKEN,
    "RequestTimeTooSkewed": Kind.SKEW,
    "PermanentRedirect": Kind.REGION,
    "TemporaryRedirect": Kind.REGION,
    "IllegalLocationConstraintException": Kind.REGION,
    "AuthorizationHeaderMalformed": Kind.REGION,
    "SlowDown": Kind.THROTTLED,
    "Throttling": Kind.THROTTLED,
    "ThrottlingException": Kind.THROTTLED,
    "RequestLimitExceeded": Kind.THROTTLED,
    "RequestThrottled": Kind.THROTTLED,
    "ServerBusy": Kind.THROTTLED,
    "RequestTimeout": Kind.TIMEOUT,
    "InternalError": Kind.SERVER,
    "ServiceUnavailable": Kind.SERVER,
    "OperationAborted": Kind.CONTENTION,
    "ConditionalRequestConflict": Kind.CONTENTION,
    "BlobAlreadyExists": Kind.CONDITION,
    "ConditionNotMet": Kind.CONDITION,
    "PreconditionFailed": Kind.CONDITION,
    "UnauthorizedBlobOverwrite": Kind.DENIED,
    "AuthenticationFailed": Kind.SIGNATURE,
    "NotImplemented": Kind.UNSUPPORTED,
}
_STATUSES = {
    301: Kind.REGION, 307: Kind.REGION, 304: Kind.NOT_MODIFIED, 401: Kind.DENIED, 403: Kind.DENIED, 404: Kind.MISSING,
    408: Kind.TIMEOUT, 409: Kind.CONTENTION, 412: Kind.CONDITION, 416: Kind.RANGE, 429: Kind.THROTTLED,
    501: Kind.UNSUPPORTED, 503: Kind.THROTTLED, 504: Kind.TIMEOUT,
}
_BY_NAME = {
    "UnauthenticatedError": Kind.CREDENTIALS, "NotModifiedError": Kind.NOT_MODIFIED, "FileNotFoundError": Kind.MISSING,
    "PermissionDeniedError": Kind.DENIED,
}
_CERTIFICATE = (
    ("Expired", "the server's certificate has expired"),
    ("NotValidYet", "the server's certificate is not valid yet"),
    ("NotValidForName", "the server's certificate is for another host name"),
    ("CaUsedAsEndEntity", "the server's certificate is self-signed"),
    ("UnknownIssuer", "the server's certificate is signed by an authority that is not trusted here"),
    ("Revoked", "the server's certificate is revoked"),
    ("BadSignature", "the signature of the server's certificate is wrong"),
    ("InvalidContentType", "the server does not speak TLS on this port"),
    ("InvalidCertificate", "the server's certificate is not accepted"),
)


def understand(error: BaseException) -> Failure:
    """The failure behind an exception of the client library.

    Examples
    --------
    >>> text = "Generic S3 error: ... status code: 503 Slow Down: <Error><Code>SlowDown</Code></Error>"
    >>> understand(RuntimeError(text)).kind
    <Kind.THROTTLED: 'too many requests'>
    """
    head, _, debug = str(error).partition("Debug source:")
    if status := _STATUS.search(head):
        return _answered(int(status[1]), head)
    named = _BY_NAME.get(type(error).__name__)
    if named is not None:
        return Failure(named, message=_first_line(head))
    if (bulk := re.search(r'DeleteFailed.*?code: "(\w+)".*?message: "([^"]*)"', debug, re.DOTALL)) is not None:
        return Failure(_CODES.get(bulk[1], Kind.DENIED if bulk[1] == "AccessDenied" else Kind.OTHER), status=200,
                       code=bulk[1], message=bulk[2])
    return _unanswered(head, debug)


def _answered(status: int, text: str) -> Failure:
    body = text[text.find("<"):] if "<" in text else ""
    code, message = _element(body, "Code"), _element(body, "Message").split("\n")[0]
    about = {name: value for name in ("Region", "ServerTime", "RequestTime", "Endpoint", "BucketName")
             if (value := _element(body, name))}
    if status == 409 and code in ("BucketAlreadyExists", "ContainerBeingDeleted"):
        return Failure(Kind.OTHER, status=status, code=code, message=message, about=about)
    kind = _CODES.get(code) or _STATUSES.get(status) or (Kind.SERVER if status >= 500 else Kind.OTHER)
    if code == "AuthorizationHeaderMalformed" and "region" not in message.lower():
        kind = Kind.SIGNATURE
    if kind is Kind.REGION and "Region" not in about and (told := re.search(r"expecting '([\w-]+)'", message)):
        about["Region"] = told[1]
    if code == "AccessDenied" and "expired" in message.lower():
        kind = Kind.EXPIRED
    if code == "AccessDenied":
        kind = kind if kind is Kind.EXPIRED else Kind.DENIED
    return Failure(kind, status=status, code=code, message=message, about=about)


# The first sign found in the innermost cause decides.
_SIGNS = (
    ("BadScheme", Kind.CONNECT), ("ConnectionRefused", Kind.REFUSED), ("dns error", Kind.DNS),
    ("kind: Timeout", Kind.TIMEOUT), ("TimedOut", Kind.TIMEOUT), ("ConnectionReset", Kind.RESET),
    ("BrokenPipe", Kind.RESET), ("kind: Connect,", Kind.CONNECT), ("kind: Body", Kind.CUT),
    ("kind: Interrupted", Kind.CUT), ("UnexpectedEof", Kind.CUT), ("IncompleteMessage", Kind.RESET),
    ("kind: Request", Kind.RESET), ("kind: Decode", Kind.CUT), ("ListResponse", Kind.CUT),
)


def _unanswered(head: str, debug: str) -> Failure:
    text = " ".join(debug.split())
    if "redirect without LOCATION" in head:
        return Failure(Kind.REGION, status=301)
    if "Got invalid" in head:
        return Failure(Kind.CUT, message="the answer cannot be read")
    # Only a handshake that failed is known to have sent nothing; an alert may also come later.
    if "kind: Connect," in text and ("InvalidCertificate" in text or "InvalidMessage" in text or "Alert" in text):
        for sign, words in _CERTIFICATE:
            if sign in text:
                return Failure(Kind.TLS, code=sign, message=words + _presented(text))
        return Failure(Kind.TLS, message=_cause(text) or _first_line(head))
    for sign, kind in _SIGNS:
        if sign in text:
            if kind is Kind.TIMEOUT and "Connect," in text:  # not even connected
                return Failure(Kind.CONNECT, message="no answer in time")
            return Failure(kind, message=_cause(text) if kind is Kind.CONNECT else "")
    return Failure(Kind.OTHER, message=_first_line(head))


def _element(body: str, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", body, re.DOTALL)
    return html.unescape(found[1]).strip() if found else ""


def _presented(text: str) -> str:
    expected = re.search(r'expected: (?:DnsName|IpAddress)\(\s*"?([^",)]+)', text)
    presented = re.findall(r'DnsName\(\\"([^"\\]+)', text)
    if expected is None:
        return ""
    return f" (expected {expected[1].strip()}, it is for {', '.join(presented) or 'no name at all'})"


def _cause(text: str) -> str:
    found = re.findall(r'message: "([^"]+)"', text) or re.findall(r'error: "([^"]+)"', text)
    return found[-1] if found else ""


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0][:300]
