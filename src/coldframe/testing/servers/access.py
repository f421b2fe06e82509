"""What a server's own log says that was asked of it, and whether we asked for more than we say we do."""

from __future__ import annotations

import re
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

AGENT = "coldframe"
"""How requests of ours name their sender; those of others set tests up."""
WAIT = 30.0
_TAIL = 64 * 1024
# Ceph names operations where its log shows no header that would tell a copy from a put.
_CEPH_COPY = " s3:copy_obj verifying requester"
_LINE = re.compile(r'"([A-Z]+) (.*) HTTP/[0-9.]+" (\d+) \S+(?: (\S+) "([^"]*)")?')

_S3 = {
    "GetObject": re.compile(r"GET /[^/?]+/[^?]+(?:\?(?:&?X-Amz-[\w-]+=[^&]*)+)?"),  # the query may be its signature
    "HeadObject": re.compile(r"HEAD /[^/?]+/[^?]+"),
    "PutObject": re.compile(r"PUT /[^/?]+/[^?]+"),
    "DeleteObject": re.compile(r"DELETE /[^/?]+/[^?]+"),
    "DeleteObjects": re.compile(r"POST /[^/?]+/?\?delete=?"),
    "ListObjectsV2": re.compile(r"GET /[^/?]+/?\?(?:.*&)?list-type=2(&.*)?"),
}
_AZURE = {
    "Get Blob": re.compile(r"GET /\w+/[^/?]+/[^?]+"),
    "Get Blob Properties": re.compile(r"HEAD /\w+/[^/?]+/[^?]+"),
    "Put Blob": re.compile(r"PUT /\w+/[^/?]+/[^?]+"),
    "Delete Blob": re.compile(r"DELETE /\w+/[^/?]+/[^?]+"),
    "Blob Batch": re.compile(r"POST /\w+/[^/?]+\?restype=container&comp=batch"),
    "List Blobs": re.compile(r"GET /\w+/[^/?]+\?restype=container&comp=list&?.*"),
}
# The log does not say who asks: a container is made for the tests, and `coldframe check` looks at one anonymously.
_SIGNATURE = re.compile(r"(?<=[?&])(?:sp|se|sv|sr|sig)=[^&]*&?")
_AZURE_OTHERS = re.compile(r"PUT /\w+/[^/?]+\?restype=container|HEAD /\w+/[^/?]+|GET /(end-of-log-.*)?")


@dataclass(frozen=True, slots=True)
class Access:
    """One line of a log: a request and its answer.

    Examples
    --------
    >>> Access.read('"PUT /b/k HTTP/1.1" 200 - /b/from "coldframe" ?', "ministack").operation()
    'CopyObject'
    """

    server: str
    request: str
    status: int
    agent: str = ""
    copies: bool = False

    @classmethod
    def read(cls, line: str, server: str) -> Access | None:
        """What a line of the log says; None where it is not about a request."""
        if server == "ceph" and _CEPH_COPY in line:
            return cls(server, "copy_obj", 0, copies=True)
        found = _LINE.search(line) if " HTTP/" in line else None
        if found is None:
            return None
        method, target, status, more, agent = found.groups()
        if server == "azurite":
            target = _SIGNATURE.sub("", target).rstrip("?&")
        if server == "ministack":
            query = line.rpartition(" ?")[2].strip()
            target = target.replace("?", "%3F") + (f"?{query}" if query else "")
        copies = method == "PUT" and (status == "202" if server == "azurite" else
                                      server == "ministack" and more not in ("-", None))
        return cls(server, f"{method} {target}", int(status), agent or AGENT, copies=copies)

    def operation(self) -> str:
        """The operation's name; empty where it is none of ours."""
        if self.copies:
            return "CopyObject"
        operations = _AZURE if self.server == "azurite" else _S3
        return next((name for name, form in operations.items() if form.fullmatch(self.request)), "")

    def is_allowed(self) -> bool:
        """Whether it is an operation that we say we use; others may do more, but copy nothing and use no parts."""
        if self.server == "azurite" and _AZURE_OTHERS.fullmatch(self.request):
            return True
        if self.agent == AGENT:
            return self.operation() not in ("", "CopyObject")
        return not self.copies and not re.search(r"[?&](uploads|uploadId|partNumber)\b", self.request)


def read_log(path: Path, server: str) -> Iterator[Access]:
    """The requests in a server's log."""
    with path.open(errors="replace") as file:
        for line in file:
            found = Access.read(line, server)
            if found is not None:
                yield found


def check_log(path: Path, server: str, endpoint: str, bundle: str | None = None) -> Counter[str]:
    """How often each operation was asked for by us, up to now.

    Raises
    ------
    AssertionError
        We asked for something else, or the log cannot be read.
    """
    mark = f"end-of-log-{uuid.uuid4().hex}"
    _ask(f"{endpoint}/{mark}", bundle)
    end = time.monotonic() + WAIT
    while not _ends_with(path, mark):
        if time.monotonic() > end:
            raise AssertionError(f"{server} does not write what it is asked for into {path}")
        time.sleep(0.05)
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    marked = False
    for access in read_log(path, server):
        if mark in access.request:
            marked = True
        elif not access.is_allowed():
            wrong[f"{access.request} -> {access.status}, asked by {access.agent!r}"] += 1
        elif access.agent == AGENT and (name := access.operation()):
            counts[name] += 1
    if not marked:
        raise AssertionError(f"{path}, the log of {server}, is not in the form that it used to be")
    if wrong:
        lines = "\n".join(f"{count} x {text}" for text, count in wrong.most_common(20))
        raise AssertionError(f"{server} was asked for more than the operations we say we use:\n{lines}")
    return counts


def _ends_with(path: Path, mark: str) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return b"\n" in file.read().partition(mark.encode())[2]


def _ask(url: str, bundle: str | None) -> None:
    context = ssl.create_default_context(cafile=bundle) if bundle else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        opener.open(url, timeout=WAIT).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
