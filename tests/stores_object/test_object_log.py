"""The servers' own logs: what they tell of requests, and that every operation we do not use is found in them."""

from __future__ import annotations

from functools import partial

import pytest

from coldframe.stores.object_uri import parse
from coldframe.testing.servers import Unavailable, ceph, ministack
from coldframe.testing.servers.access import Access, check_log

OURS = [
    ("GET /b/a/b", "GetObject"), ("HEAD /b/a", "HeadObject"), ("PUT /b/a/b", "PutObject"),
    ("DELETE /b/a", "DeleteObject"), ("POST /b?delete", "DeleteObjects"), ("POST /b/?delete=", "DeleteObjects"),
    ("GET /b?list-type=2&prefix=x", "ListObjectsV2"), ("GET /b/?delimiter=%2F&list-type=2&prefix=x", "ListObjectsV2"),
]
NOT_OURS = [
    "POST /b/a?uploads", "PUT /b/a?partNumber=1&uploadId=2", "POST /b/a?uploadId=2", "DELETE /b/a?uploadId=2", "PUT /b",
    "GET /b", "GET /b?prefix=x", "GET /b?location", "HEAD /b", "PUT /b/a?tagging", "GET /b/a?versionId=3",
    "GET /b/a?X-Amz-Date=1&versionId=3", "POST /",
]


def read(server: str, request: str, source: str = "-", agent: str = "coldframe") -> Access:
    path, _, query = request.partition("?")
    target, more = (path, f" ?{query}") if server == "ministack" else (request, "")
    return Access.read(f'[2026-01-01] "{target} HTTP/1.1" 200 0 {source} "{agent}"{more}\n', server)


@pytest.mark.parametrize("server", ["ministack", "ceph"])
def test_operations_of_s3(server):
    for request, operation in OURS:
        access = read(server, request)
        assert (access.operation(), access.is_allowed()) == (operation, True)
    for request in NOT_OURS:
        assert not read(server, request).is_allowed(), request
    assert read(server, "PUT /b", agent="Boto3/1").is_allowed()
    assert not read(server, "POST /b/a?uploads", agent="Boto3/1").is_allowed()


def test_copies():
    assert not read("ministack", "PUT /b/a", "/b/c").is_allowed()
    assert not Access.read("2 req 1 0.0s s3:copy_obj verifying requester", "ceph").is_allowed()
    for status, allowed in ((201, True), (202, False)):
        assert Access.read(f'"PUT /account/c/a HTTP/1.1" {status} -', "azurite").is_allowed() is allowed


@pytest.mark.parametrize(("request_line", "allowed"), [
    ("PUT /account/c/a?comp=block&blockid=1", False), ("PUT /account/c/a?comp=blocklist", False),
    ("PUT /account/c/a?comp=appendblock", False), ("POST /account/c?restype=container&comp=batch", True),
    ("POST /account/c?restype=container&comp=batch&sp=rl&sv=1&sr=c&sig=x", True), ("PUT /account/c/a?sp=r&sig=x", True),
    ("PUT /account/c/a?comp=block&blockid=1&sp=r&sig=x", False),
    ("GET /account/c?restype=container&comp=list&prefix=a", True), ("PUT /account/c?restype=container", True),
])
def test_operations_of_azure(request_line, allowed):
    assert Access.read(f'"{request_line} HTTP/1.1" 201 -', "azurite").is_allowed() is allowed


@pytest.mark.parametrize("name", ["ministack_server", "ceph_server", "azurite_server"])
def test_a_log_is_read_to_its_end(name, request, prefix):
    """What is done now is in it, as often as it was done; the whole session is looked at when the server stops."""
    server, kind = request.getfixturevalue(name), name.partition("_")[0]
    counted = ("Put Blob", "Get Blob", "Blob Batch", "List Blobs") if kind == "azurite" else (
        "PutObject", "GetObject", "DeleteObjects", "ListObjectsV2")
    before = check_log(server.log, kind, server.endpoint)
    store = parse(server.uri(**{"Path_prefix" if kind == "azurite" else "path_prefix": prefix})).store("lib")
    for number in range(5):
        store.put(f"k/{number}", b"x")
    for number in range(3):
        store.get(f"k/{number}")
    store.delete(["k/1", "k/2"])
    assert [entry.key for entry in store.list("")] == ["k/0", "k/3", "k/4"]
    after = check_log(server.log, kind, server.endpoint)
    assert [after[operation] - before[operation] for operation in counted] == [5, 3, 1, 1]


@pytest.mark.parametrize("running", [
    ministack.running, pytest.param(partial(ceph.running, log_operations=True), marks=pytest.mark.slow)],
    ids=["ministack", "ceph"])
@pytest.mark.parametrize("wrong", ["copy", "parts"])
def test_copies_and_parts_are_found_in_a_real_log(running, wrong):
    try:
        with running() as server:
            client, bucket = server.client(), server.bucket
            client.put_object(Bucket=bucket, Key="a", Body=b"x")
            check_log(server.log, server.name, server.endpoint)
            if wrong == "copy":
                client.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
            else:
                client.create_multipart_upload(Bucket=bucket, Key="b")
            with pytest.raises(AssertionError, match="copy|PUT /test-bucket/b " if wrong == "copy" else "uploads"):
                check_log(server.log, server.name, server.endpoint)
    except Unavailable as reason:
        pytest.skip(str(reason))
