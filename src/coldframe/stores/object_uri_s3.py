"""Connection strings of S3 servers, and of Google's S3-like interface."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from coldframe.stores.credentials.fixed import Called, Fixed
from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.credentials.values import Provider
from coldframe.stores.object_options import FALSE, TRUE, ConnectionStringError, Options
from coldframe.stores.object_target import Target, Trust
from coldframe.stores.tls import trust

S3_OPTIONS = (
    "port", "region", "use_virtual_addressing", "access", "secret", "token", "path_prefix", "aws_auth", "aws_profile",
    "role_arn", "external_id", "role_session_name", "duration_seconds", "sts_endpoint", "CA_cert_path", "CA_cert_dir",
    "ssl", "endpoint", "insecure", "force_uri_lib_config",
)
GCPXML_OPTIONS = ("port", "access", "secret", "aws_auth", "path_prefix", "CA_cert_path", "CA_cert_dir", "ssl")

_AT_ENDPOINT = re.compile(r"(?P<endpoint>\[[0-9a-fA-F:.]+\]|[^:/?\[\]@\s]+):(?P<bucket>[-_a-zA-Z0-9.]+)")
_PLAIN = re.compile(r"(?P<bucket>[-_a-zA-Z0-9.]+)(?:/(?P<prefix>.*))?")
_AWS_REGION = re.compile(r"(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.")


def read_s3(scheme: str, rest: str, function: Callable[[], Any] | None) -> tuple[Target, Keyring]:
    """What an ``s3://``, ``s3s://``, ``gcpxml://`` or ``gcpxmls://`` connection string says after the scheme."""
    place, _, text = rest.partition("?")
    google = scheme.startswith("gcpxml")
    options = Options(scheme, text, "&;", GCPXML_OPTIONS if google else S3_OPTIONS)
    if options.flag("force_uri_lib_config") is False:
        raise ConnectionStringError(
            "force_uri_lib_config=false is not supported: what the connection string says always applies")
    if (match := _AT_ENDPOINT.fullmatch(place)) is not None:
        endpoint, region, virtual = _at_endpoint(scheme, match["endpoint"], match["bucket"], options)
        bucket, prefix, plain = match["bucket"], options.text("path_prefix"), False
    elif not google and (match := _PLAIN.fullmatch(place)) is not None:
        endpoint, region, virtual = _plain(scheme, match["bucket"], options)
        bucket, plain = match["bucket"], True
        prefix = match["prefix"] or options.text("path_prefix")
        if match["prefix"] and options.text("path_prefix"):
            raise ConnectionStringError("the prefix is given twice: after the bucket and as path_prefix")
    else:
        raise ConnectionStringError(_malformed(scheme, place))
    authorities = trust(path=options.text("CA_cert_path"), folder=options.text("CA_cert_dir"),
                        verify=options.flag("ssl"), where=endpoint or "Amazon S3")
    if google:
        _check_google(options)
    provider = _provider(options, function, authorities, plain=plain)
    common: dict[str, Any] = options.common()
    target = Target("s3", bucket, prefix.strip("/"), endpoint, region, virtual, trust=authorities, **common)
    return target, Keyring(provider)


def _at_endpoint(scheme: str, host: str, bucket: str, options: Options) -> tuple[str, str, bool]:
    if "endpoint" in options:
        raise ConnectionStringError("the endpoint is given twice: before the bucket and as endpoint=")
    amazon = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    tls = scheme.endswith("s") or (amazon and not options.flag("insecure"))
    if scheme.endswith("s") and scheme != "s3" and options.flag("insecure"):
        raise ConnectionStringError(f"{scheme}:// and insecure=true contradict each other")
    region = options.text("region")
    virtual = options.flag("use_virtual_addressing")
    found = _AWS_REGION.search(host)
    if found and not region:
        region = found[1]
        # A bucket with a dot in its name does not fit Amazon's wildcard certificate.
        virtual = virtual if virtual is not None else not (tls and "." in bucket)
    port = options.text("port")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise ConnectionStringError(f"port is a number from 1 to 65535, not {port!r}")
    url = f"{'https' if tls else 'http'}://{host}{f':{port}' if port else ''}"
    return url, region or "us-east-1", bool(virtual)


def _plain(scheme: str, bucket: str, options: Options) -> tuple[str, str, bool]:
    for name in ("port",):
        if name in options:
            raise ConnectionStringError(
                f"{name} goes with {scheme}://ENDPOINT:BUCKET; {scheme}://{bucket} names no endpoint. Write "
                f"{scheme}://ENDPOINT:{bucket} or endpoint=http://HOST:PORT")
    if bucket.endswith((".amazonaws.com", ".amazonaws.com.cn")) or bucket == "localhost":
        raise ConnectionStringError(f"the bucket is missing: write {scheme}://{bucket}:BUCKET")
    told = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    endpoint = options.text("endpoint", told).rstrip("/")
    region = options.text("region")
    if endpoint:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query or "@" in url.netloc:
            source = "endpoint" if "endpoint" in options else "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL"
            raise ConnectionStringError(f"{source} is the URL of an S3 server, such as https://s3.example.com:9000")
        if scheme == "s3s" and url.scheme == "http":
            raise ConnectionStringError("s3s:// and an endpoint with http:// contradict each other")
        if url.hostname.endswith(".amazonaws.com") and url.scheme == "http" and not options.flag("insecure"):
            raise ConnectionStringError("Amazon S3 is spoken to with TLS: write https:// in endpoint, or insecure=true")
        found = _AWS_REGION.search(url.hostname)
        region = region or (found[1] if found else "us-east-1")
    virtual = options.flag("use_virtual_addressing")
    if virtual is None:
        virtual = not endpoint and "." not in bucket
    if not region:
        from coldframe.stores.credentials.aws import configured_region

        region = configured_region(options.text("aws_profile"))
    return endpoint, region, virtual


def _malformed(scheme: str, place: str) -> str:
    usage = f"{scheme}://ENDPOINT:BUCKET?options" + ("" if "gcp" in scheme else f" or {scheme}://BUCKET/PREFIX?options")
    if "@" in place:
        return f"credentials are given as access=...&secret=...: write {usage}"
    if re.match(r"[^:/]+:\d+(/|$)", place):
        return f"the port is an option: write {scheme}://ENDPOINT:BUCKET?port=PORT"
    if re.match(r"[^:/]+:[-_a-zA-Z0-9.]+/", place):
        return f"the prefix is an option: write {scheme}://ENDPOINT:BUCKET?path_prefix=PREFIX"
    if not place or place.endswith(":"):
        return f"the bucket is missing: write {usage}"
    return f"not a connection string for S3: write {usage}; a bucket's name is made of letters, digits and - _ ."


def _provider(options: Options, function: Callable[[], Any] | None, authorities: Trust, *,
              plain: bool) -> Provider | None:
    options.together("access", "secret")
    access, secret, token = options.text("access"), options.text("secret"), options.text("token")
    word = options.text("aws_auth").lower()
    if word not in TRUE | FALSE | {"default", "sts", "disabled"}:
        raise ConnectionStringError("aws_auth is true, default, sts or false")
    if token and not access:
        raise ConnectionStringError("token in the connection string needs access and secret too")
    enabled = word in TRUE or word in ("default", "sts")
    _check_role(options, word, enabled=enabled)
    if function is not None:
        if access or enabled:
            raise ConnectionStringError("credentials= and access, secret or aws_auth in the connection string "
                                        "contradict each other: give one of them")
        return Called(function)
    if not enabled:
        if access:
            return Fixed(access, secret, token)
        if not plain or word in FALSE - {""} or word == "disabled":
            return None
    from coldframe.stores.credentials import aws

    profile = options.text("aws_profile")
    if options.text("role_arn"):
        base = Fixed(access, secret, token) if access else None
        return aws.Role(
            options.text("role_arn"), profile=profile, base=base, external_id=options.text("external_id"),
            session_name=options.text("role_session_name"), seconds=int(options.number("duration_seconds", 0)),
            endpoint=options.text("sts_endpoint"), region=options.text("region"), trust=authorities)
    if access:
        warnings.warn("access and secret in the connection string are ignored because aws_auth is given", UserWarning,
                      stacklevel=5)
    return aws.Chain(profile, trust=authorities, needs_role=word == "sts")


def _check_role(options: Options, word: str, *, enabled: bool) -> None:
    if options.text("aws_profile") and not enabled and "access" in options:
        raise ConnectionStringError("aws_profile needs aws_auth=true or aws_auth=sts, and no access and secret")
    if options.text("role_arn") and word != "sts":
        raise ConnectionStringError("role_arn needs aws_auth=sts")
    if word == "sts" and not (options.text("aws_profile") or options.text("role_arn")):
        raise ConnectionStringError(
            "aws_auth=sts needs aws_profile=PROFILE (a profile with role_arn and source_profile) or role_arn=ARN")
    for name in ("external_id", "role_session_name", "duration_seconds", "sts_endpoint"):
        if name in options and not options.text("role_arn"):
            raise ConnectionStringError(f"{name} goes with role_arn; in a profile it is set in the AWS config file")


def _check_google(options: Options) -> None:
    word = options.text("aws_auth").lower()
    if word == "sts":
        raise ConnectionStringError("aws_auth in a gcpxml:// connection string is true or default")
    enabled = word in TRUE or word == "default"
    if enabled == ("access" in options):
        raise ConnectionStringError("a gcpxml:// connection string has either access and secret (an HMAC key) or "
                                    "aws_auth=true")
