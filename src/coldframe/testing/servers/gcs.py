"""A small faithful stand-in for Google Cloud Storage's XML interface, with generations and their preconditions.

It does what a store needs and answers as the real service is documented to: every object has a generation, a PUT or
DELETE with ``x-goog-if-generation-match`` is carried out only if the generation still is that one (0: no object), and
otherwise refused with 412 PreconditionFailed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from coldframe.testing.servers.answering import Answer, Answering, Asked

_XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True)
class GcsServer:
    """A running stub with one bucket."""

    endpoint: str
    bucket: str

    def uri(self, *, endpoint: str | None = None, bucket: str | None = None, **options: object) -> str:
        """A connection string to this server, or through a proxy in front of it."""
        text = "".join(f"&{name}={value}" for name, value in options.items())
        return f"gs://{bucket or self.bucket}?endpoint={endpoint or self.endpoint}{text}"


@dataclass
class _Object:
    data: bytes
    generation: int
    etag: str
    modified: float = field(default_factory=time.time)

    def described(self) -> dict[str, str]:
        return {"ETag": self.etag, "x-goog-generation": str(self.generation),
                "Last-Modified": formatdate(self.modified, usegmt=True)}

    def entry(self, name: str) -> str:
        """Its entry in a listing."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.modified))
        return (f"<Contents><Key>{escape(name)}</Key><Generation>{self.generation}</Generation>"
                f"<LastModified>{moment}</LastModified><ETag>{escape(self.etag)}</ETag><Size>{len(self.data)}</Size>"
                "</Contents>")


@contextlib.contextmanager
def running(*, bucket: str = "test-bucket") -> Iterator[GcsServer]:
    """A started stub, in threads of this process."""
    with _Service(bucket) as service:
        yield GcsServer(service.url, bucket)


class _Service(Answering):
    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._objects: dict[str, _Object] = {}
        self._lock = threading.Lock()
        self._generations = itertools.count(time.time_ns() // 1000)
        super().__init__()

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            return _refused(501, "NotImplemented", "Uploads in parts are not part of this stub.")
        url = urlsplit(asked.path)
        bucket, _, name = url.path.lstrip("/").partition("/")
        if unquote(bucket) != self._bucket:
            return _refused(404, "NoSuchBucket", "The specified bucket does not exist.")
        name = unquote(name)
        if asked.method == "PUT":
            return self._put(name, asked)
        if asked.method == "DELETE":
            return self._delete(name)
        if not name:
            return self._list({key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()})
        return _object(self._objects.get(name), asked.headers)

    def _put(self, name: str, asked: Asked) -> Answer:
        wanted = asked.headers.get("x-goog-if-generation-match")
        if wanted is not None and not wanted.isdigit():
            return _refused(400, "InvalidArgument", "Invalid argument.")
        with self._lock:
            found = self._objects.get(name)
            if wanted is not None and int(wanted) != (found.generation if found else 0):
                return _refused(412, "PreconditionFailed",
                                "At least one of the pre-conditions you specified did not hold.")
            etag = f'"{hashlib.md5(asked.body, usedforsecurity=False).hexdigest()}"'
            made = self._objects[name] = _Object(asked.body, next(self._generations), etag)
        return Answer(200, b"", made.described())

    def _delete(self, name: str) -> Answer:
        with self._lock:
            found = self._objects.pop(name, None)
        return _refused(404, "NoSuchKey", "The specified key does not exist.") if found is None else Answer(204)

    def _list(self, query: dict[str, str]) -> Answer:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        limit = min(int(query.get("max-keys", "1000")), 1000)
        with self._lock:
            names = sorted((name for name in self._objects if name.startswith(prefix)), key=str.encode)
            parts: list[str] = []
            folders: list[str] = []
            last, more = "", False
            for name in names:
                if name <= after or (folders and name.startswith(folders[-1])):
                    continue
                if delimiter and delimiter in name[len(prefix):]:
                    folder = prefix + name[len(prefix):].split(delimiter)[0] + delimiter
                    if folder <= after:
                        continue
                    last = folder + "\U0010ffff"
                    folders.append(folder)
                else:
                    last = name
                    parts.append(self._objects[name].entry(name))
                if len(parts) + len(folders) >= limit:
                    more = True
                    break
        common = "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        body = ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
                f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(parts)}{common}</ListBucketResult>")
        return Answer(200, body, _XML)


def _object(found: _Object | None, headers: Message) -> Answer:
    if found is None:
        return _refused(404, "NoSuchKey", "The specified key does not exist.")
    described = found.described()
    if headers.get("If-None-Match") == found.etag:
        return Answer(304, b"", described)
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("Range", ""))
    if span is None:
        return Answer(200, found.data, described)
    start = int(span[1])
    stop = min(int(span[2]) + 1 if span[2] else len(found.data), len(found.data))
    if start >= len(found.data):
        return _refused(416, "InvalidRange", "The requested range cannot be satisfied.")
    described["Content-Range"] = f"bytes {start}-{stop - 1}/{len(found.data)}"
    return Answer(206, found.data[start:stop], described)


def _refused(status: int, code: str, message: str) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, body, _XML)
