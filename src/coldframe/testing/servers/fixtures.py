"""Pytest fixtures: a running server of each kind, and empty storages on them.

    from coldframe.testing.servers.fixtures import *

in a `conftest.py`. A test is skipped, with the reason, where its server cannot be had. Each server is started once per
session, when first asked for. At the session's end its own log is read: nothing but GetObject, HeadObject, PutObject,
DeleteObject(s) and ListObjectsV2 may have reached it from us.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from coldframe.stores.object_storage import ObjectStorage
from coldframe.stores.object_uri import parse
from coldframe.testing.proxy import FaultProxy
from coldframe.testing.servers import S3Server, Unavailable, azurite, ceph, gcs, ministack, rclone, swift
from coldframe.testing.servers.access import check_log


@contextmanager
def _started(running: Callable[[], AbstractContextManager[Any]], log_of: str = "") -> Iterator[Any]:
    """A server; where its kind is told, its log is read at the end of the session."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except Unavailable as reason:  # only the start may be skipped, not what a test does
            pytest.skip(str(reason))
        yield server
        if log_of:
            check_log(server.log, log_of, server.endpoint, server.ca_bundle)


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[S3Server]:
    """MiniStack, which checks signatures and policies."""
    with _started(ministack.running, "ministack") as server:
        yield server


@pytest.fixture(scope="session")
def ministack_tls() -> Iterator[S3Server]:
    """MiniStack with TLS and a private authority."""
    with _started(lambda: ministack.running(tls=True), "ministack") as server:
        yield server


@pytest.fixture(scope="session")
def ceph_server() -> Iterator[S3Server]:
    """Ceph's gateway, with HTTP and HTTPS."""
    with _started(lambda: ceph.running(log_operations=True), "ceph") as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[S3Server]:
    """A store that ignores conditions."""
    with _started(rclone.running) as server:
        yield server


@pytest.fixture(scope="session")
def swift_server() -> Iterator[S3Server]:
    """A store that refuses conditions."""
    with _started(swift.running) as server:
        yield server


@pytest.fixture(scope="session")
def azurite_server() -> Iterator[azurite.AzureServer]:
    """Azure's blob service."""
    with _started(azurite.running, "azurite") as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[gcs.GcsServer]:
    """Google Cloud Storage's XML interface."""
    with _started(gcs.running) as server:
        yield server


@pytest.fixture
def proxy(ministack_server: S3Server) -> Iterator[FaultProxy]:
    """A proxy in front of MiniStack."""
    with FaultProxy(ministack_server.endpoint) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A folder of the bucket that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def storage(ministack_server: S3Server, prefix: str) -> ObjectStorage:
    """An empty storage on MiniStack."""
    return parse(ministack_server.uri(path_prefix=prefix))


@pytest.fixture
def proxied(ministack_server: S3Server, proxy: FaultProxy, prefix: str) -> ObjectStorage:
    """The same behind the proxy, impatient."""
    return parse(ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix, retry_timeout=3, request_timeout=2))


@pytest.fixture(autouse=True)
def no_aws_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWS settings of whoever runs the tests do not reach them."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


__all__ = [
    "azurite_server", "ceph_server", "gcs_server", "ministack_server", "ministack_tls", "no_aws_settings", "prefix",
    "proxied", "proxy", "rclone_server", "storage", "swift_server",
]
