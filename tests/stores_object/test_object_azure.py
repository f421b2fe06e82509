"""Azure's ways in besides the account's key: shared access signatures, managed identity, the command line's sign-in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import stat
from urllib.parse import urlencode

import pytest

from coldframe.exceptions import ArcticException, KeyNotFoundException, PermissionException
from coldframe.stores.object_uri import parse
from coldframe.testing.servers.answering import Answer, Answering, Asked
from coldframe.testing.servers.azurite import ACCOUNT, KEY


def signature(container: str, rights: str, until: str = "2099-01-01T00:00:00Z") -> str:
    """A shared access signature for a container, as the account's owner makes one."""
    version = "2020-10-02"
    parts = [rights, "", until, f"/blob/{ACCOUNT}/{container}", "", "", "", version, "c", "", "", "", "", "", ""]
    made = hmac.new(base64.b64decode(KEY), "\n".join(parts).encode(), hashlib.sha256).digest()
    return urlencode({"sp": rights, "se": until, "sv": version, "sr": "c", "sig": base64.b64encode(made).decode()})


def signed(server, prefix: str, token: str):
    return parse(f"azure://DefaultEndpointsProtocol=http;AccountName={ACCOUNT};BlobEndpoint={server.endpoint}/{ACCOUNT};"
                 f"Container={server.container};Path_prefix={prefix};retry_timeout=2;SharedAccessSignature={token}")


def test_a_shared_access_signature(azurite_server, prefix):
    storage = signed(azurite_server, prefix, signature(azurite_server.container, "racwdl"))
    storage.create("lib", "library", b"options")
    store = storage.store("lib")
    store.swap("head", b"two", store.swap("head", b"one", None))
    assert storage.names() == ["lib"]
    storage.drop("lib")
    assert storage.names() == []


def test_a_shared_access_signature_that_allows_less(azurite_server, prefix):
    owner = parse(azurite_server.uri(Path_prefix=prefix))
    owner.create("lib", "library", b"options")
    token = signature(azurite_server.container, "rl")
    storage = signed(azurite_server, prefix, token)
    assert storage.names() == ["lib"]
    assert storage.store("lib").get("library").data == b"options"
    for work in (lambda: storage.store("lib").put("a", b""), lambda: storage.create("b", "library", b"")):
        with pytest.raises(PermissionException, match="Put") as caught:
            work()
        assert token.partition("sig=")[2] not in str(caught.value)
    late = signed(azurite_server, prefix, signature(azurite_server.container, "rl", "2001-01-01T00:00:00Z"))
    with pytest.raises(PermissionException):
        late.names()


class Service(Answering):
    """Hands out bearer tokens like a machine's identity service, and is the blob service that they are for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bearers: list[str] = []
        super().__init__()

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked.path)
        if asked.path.startswith("/identity"):
            return Answer(200, json.dumps({"access_token": "a machine's token", "expires_on": "4070908800",
                                           "expires_in": "3600", "token_type": "Bearer"}))
        self.bearers.append(asked.headers["Authorization"])
        return Answer(404, "<Error><Code>BlobNotFound</Code></Error>")


@pytest.fixture
def service():
    found = Service()
    yield found
    found.close()


def test_a_managed_identity(service):
    storage = parse(f"azure://AccountName=a;BlobEndpoint={service.url};Container=c;MsiEndpoint={service.url}/identity;"
                    "ClientId=the-one;retry_timeout=2")
    with pytest.raises(KeyNotFoundException):
        storage.store("lib").get("a")
    assert service.bearers == ["Bearer a machine's token"]
    assert "the-one" in service.asked[0]


def test_the_command_lines_sign_in(service, tmp_path, monkeypatch):
    program = tmp_path / "az"
    answer = {"accessToken": "my token", "expires_on": 4070908800, "expiresOn": "2099-01-01 00:00:00.000000",
              "subscription": "s", "tenant": "t", "tokenType": "Bearer"}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    uri = f"azure://AccountName=a;BlobEndpoint={service.url};Container=c;UseAzureCli=true;retry_timeout=2"
    with pytest.raises(KeyNotFoundException):
        parse(uri).store("lib").get("a")
    assert service.bearers == ["Bearer my token"]
    program.write_text("#!/bin/sh\necho 'Please run az login' >&2\nexit 1\n")
    with pytest.raises(ArcticException, match="az login"):
        parse(uri).store("lib").get("a")
