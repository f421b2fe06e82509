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
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


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


class _Buckets:
    def __init__(self, bucket: str) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, dict[str, _Object]] = {bucket: {}}
        self.generations = itertools.count(time.time_ns() // 1000)


@contextlib.contextmanager
def running(*, bucket: str = "test-bucket") -> Iterator[GcsServer]:
    """A started stub, in threads of this process."""
    buckets = _Buckets(bucket)
    handler = type("Handler", (_Handler,), {"buckets": buckets})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield GcsServer(f"http://127.0.0.1:{server.server_address[1]}", bucket)
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    buckets: _Buckets

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _locate(self) -> tuple[dict[str, _Object] | None, str, dict[str, str]]:
        url = urlsplit(self.path)
        bucket, _, name = url.path.lstrip("/").partition("/")
        query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        return self.buckets.objects.get(unquote(bucket)), unquote(name), query

    def do_GET(self) -> None:
        objects, name, query = self._locate()
        if objects is None:
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist.")
        elif not name:
            self._list(objects, query)
        else:
            self._object(objects.get(name))

    do_HEAD = do_GET  # noqa: N815 - the name that the base class looks for

    def do_PUT(self) -> None:
        data = self._body()
        objects, name, _ = self._locate()
        if objects is None:
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist.")
            return
        if not self.headers.get("x-goog-if-generation-match", "0").isdigit():
            self._refuse(400, "InvalidArgument", "Invalid argument.")
            return
        with self.buckets.lock:
            if not self._condition_holds(objects.get(name)):
                made = None
            else:
                etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
                made = objects[name] = _Object(data, next(self.buckets.generations), etag)
        if made is None:
            self._refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        else:
            self._answer(200, b"", self._describe(made))

    def do_DELETE(self) -> None:
        objects, name, _ = self._locate()
        with self.buckets.lock:
            found = objects.pop(name, None) if objects is not None else None
        if found is None:
            self._refuse(404, "NoSuchKey", "The specified key does not exist.")
        else:
            self._answer(204, b"", {})

    def do_POST(self) -> None:
        self._body()
        self._refuse(501, "NotImplemented", "Uploads in parts are not part of this stub.")

    def _condition_holds(self, found: _Object | None) -> bool:
        wanted = self.headers.get("x-goog-if-generation-match")
        return wanted is None or int(wanted) == (found.generation if found else 0)

    def _object(self, found: _Object | None) -> None:
        if found is None:
            self._refuse(404, "NoSuchKey", "The specified key does not exist.")
            return
        if self.headers.get("If-None-Match") == found.etag:
            self._answer(304, b"", self._describe(found))
            return
        headers = self._describe(found)
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span is None:
            self._answer(200, found.data, headers)
            return
        start = int(span[1])
        stop = min(int(span[2]) + 1 if span[2] else len(found.data), len(found.data))
        if start >= len(found.data):
            self._refuse(416, "InvalidRange", "The requested range cannot be satisfied.")
            return
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(found.data)}"
        self._answer(206, found.data[start:stop], headers)

    def _list(self, objects: dict[str, _Object], query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        limit = min(int(query.get("max-keys", "1000")), 1000)
        with self.buckets.lock:
            names = sorted((name for name in objects if name.startswith(prefix)), key=str.encode)
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
                    parts.append(self._entry(name, objects[name]))
                if len(parts) + len(folders) >= limit:
                    more = True
                    break
        common = "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        body = ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
                f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(parts)}{common}</ListBucketResult>")
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _entry(self, name: str, found: _Object) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.modified))
        return (f"<Contents><Key>{escape(name)}</Key><Generation>{found.generation}</Generation>"
                f"<LastModified>{moment}</LastModified><ETag>{escape(found.etag)}</ETag><Size>{len(found.data)}</Size>"
                "</Contents>")

    def _describe(self, found: _Object) -> dict[str, str]:
        return {"ETag": found.etag, "x-goog-generation": str(found.generation),
                "Last-Modified": formatdate(found.modified, usegmt=True)}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
        self._answer(status, body.encode(), {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
