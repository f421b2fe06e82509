"""In which region a bucket is: the server says so to anybody who asks, whatever the answer otherwise."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import replace
from email.message import Message

from coldframe.stores.object_target import Target
from coldframe.stores.tls import tls_context

SECONDS = 5.0


def headers_of(target: Target) -> Message | None:
    """The headers of the answer to an anonymous look at the bucket; None where there is no answer."""
    opener = urllib.request.build_opener(_Staying, urllib.request.HTTPSHandler(context=tls_context(target.trust)))
    url = f"{target.address()}/{target.bucket}"
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - http or https, as the connection string says
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            headers: Message = answer.headers
            return headers
    except urllib.error.HTTPError as error:
        return error.headers
    except (OSError, ValueError):
        return None


def bucket_region(target: Target) -> str:
    """The region the server names for a bucket; empty if it names none."""
    headers = headers_of(target)
    return str(headers.get("x-amz-bucket-region") or "") if headers is not None else ""


def located(target: Target) -> Target:
    """The target with its bucket's region, where the connection string and the environment name none."""
    if target.kind != "s3" or target.region:
        return target
    return replace(target, region=bucket_region(target) or "us-east-1")


class _Staying(urllib.request.HTTPRedirectHandler):
    """The answer itself is what was asked for, not what it points to."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Never follow."""
