"""What surrounds the requests of `coldframe check`: the connection, TLS, the clock, the region and who one is."""

from __future__ import annotations

import email.utils
import socket
import ssl
import time
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from coldframe.cli.findings import Row, failed, passed, unknown
from coldframe.exceptions import ArcticException
from coldframe.stores.object_region import headers_of
from coldframe.stores.object_storage import ObjectStorage
from coldframe.stores.object_target import Target, Trust
from coldframe.stores.tls import certificates_file, tls_context

SECONDS = 5.0
SKEW = 60.0
DAYS = 14


def look(storage: ObjectStorage) -> list[Row]:
    """Rows about everything but the five operations."""
    url = urlsplit(storage.target.address())
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    started = time.perf_counter()
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as error:
        remedy = "check host name, port, network, firewall and that the server runs"
        return [failed("connection", f"{host}:{port}: {error.strerror or error}", remedy)]
    took = (time.perf_counter() - started) * 1000
    rows = [passed("connection", f"{host}:{port}", milliseconds=took)]
    rows.append(_tls(host, port, storage.target.trust) if url.scheme == "https" else Row(
        "TLS", None, "off: what is sent can be read and changed on the way",
        "use s3s:// or an https:// endpoint" if host not in ("localhost", "127.0.0.1", "::1") else ""))
    if rows[-1].ok is False:
        return rows
    headers = headers_of(storage.target)
    rows.append(_clock(headers))
    if storage.target.kind == "s3":
        rows.append(_region(storage.target, headers))
    rows += _identity(storage)
    return rows


def _tls(host: str, port: int, trust: Trust) -> Row:
    if not trust.verify:
        return unknown("TLS", "certificates are not verified", "remove ssl=false; name the authority with "
                                                                  "CA_cert_path=FILE")
    context = tls_context(trust)
    try:
        with socket.create_connection((host, port), SECONDS) as plain, \
                context.wrap_socket(plain, server_hostname=host) as secured:
            version, certificate = secured.version(), secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return failed("TLS", f"the server's certificate is not accepted: {error.verify_message}",
                   "give the authority's certificate with CA_cert_path=FILE, or have the server's renewed")
    except OSError as error:
        return failed("TLS", f"{error}", "use s3:// if the server does not speak TLS on this port")
    ends = str(certificate.get("notAfter", ""))
    left = (ssl.cert_time_to_seconds(ends) - time.time()) / 86400 if ends else float("inf")
    remedy = f"renew the certificate: {left:.0f} days are left" if left < DAYS else ""
    return passed("TLS", f"{version}, the certificate ends {ends}", remedy)


def _clock(headers: Message | None) -> Row:
    date = headers.get("Date") if headers is not None else None
    if not date:
        return unknown("clock", "the server does not say its time")
    ahead = time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    words = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    remedy = "set the clock (`timedatectl set-ntp true`, chrony); a difference of 15 minutes is refused"
    return Row("clock", abs(ahead) < SKEW, words, remedy if abs(ahead) >= SKEW else "")


def _region(target: Target, headers: Message | None) -> Row:
    told = headers.get("x-amz-bucket-region") if headers is not None else None
    if not told:
        return unknown("region", f"{target.region or 'not given'}; the server does not name the bucket's")
    if target.region and told != target.region:
        return failed("region", f"{target.region}, but the bucket is in {told}", f"add region={told}")
    return passed("region", told)


def _identity(storage: ObjectStorage) -> list[Row]:
    if storage.target.kind != "s3":
        return []
    keyring = storage.requests.keyring
    try:
        credentials = keyring()
    except ArcticException as error:
        found, _, remedy = error.message.rpartition("; ")
        return [failed("credentials", found or error.message, remedy if found else "")]
    if credentials is None:
        return [unknown("credentials", "anonymous", "add access=...&secret=... or aws_auth=true")]
    words = f"{keyring.describe()}"
    if credentials.access_key not in words:
        words += f", access key {credentials.access_key}"
    remedy = ""
    if credentials.expires is not None:
        ends = datetime.fromtimestamp(credentials.expires, UTC)
        words += f", until {ends:%Y-%m-%d %H:%M:%S} UTC (renewed by itself)"
    elif credentials.token:
        words += ", temporary, does not say until when"
        remedy = "use aws_auth=true or aws_auth=sts, so that it is renewed by itself" if credentials.fixed else ""
    return [passed("credentials", words, remedy), _caller(storage)]


def _caller(storage: ObjectStorage) -> Row:
    """Who the server's STS says one is; many servers have none."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    credentials = storage.requests.keyring()
    target = storage.target
    if credentials is None:
        return unknown("identity", "anonymous")
    endpoint = None if "amazonaws" in target.address() else target.address()
    trusted = certificates_file(target.trust)
    try:
        client: Any = botocore.session.Session().create_client(
            "sts", region_name=target.region or "us-east-1", endpoint_url=endpoint,
            aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token or None, verify=trusted if trusted != "" else None,
            config=Config(connect_timeout=3, read_timeout=3, retries={"total_max_attempts": 1}))
        answer = client.get_caller_identity()
    except (BotoCoreError, ClientError, ValueError) as error:
        return unknown("identity", f"not told ({type(error).__name__})")
    return passed("identity", str(answer.get("Arn", "")))
