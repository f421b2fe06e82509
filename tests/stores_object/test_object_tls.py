"""TLS: good certificates are accepted, bad ones are named, and where authorities may be told."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager

import pytest

from coldframe.exceptions import ErrorCode, StorageException
from coldframe.stores.object_uri import parse
from coldframe.testing.servers import Unavailable
from coldframe.testing.servers.certificates import Authority, Certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    try:
        return Authority(tmp_path_factory.mktemp("authority"))
    except Unavailable as reason:
        pytest.skip(str(reason))


@contextmanager
def serving(certificate: Certificate | None):
    """A server that answers every request with 404 NoSuchKey, with TLS or without."""
    body = b"<Error><Code>NoSuchKey</Code></Error>"
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.recv(65536)
                connection.sendall(answer)
                if context is not None:
                    connection.unwrap()
            except OSError:
                pass
            finally:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def get(port: int, **options: object) -> str:
    text = "".join(f"&{name}={value}" for name, value in options.items())
    store = parse(f"s3s://localhost:b?port={port}&access=a&secret=b&retry_timeout=1{text}").store("lib")
    with pytest.raises(StorageException) as caught:
        store.get("a")
    if caught.value.code is ErrorCode.E_S3_RETRYABLE:
        assert f"https://localhost:{port}" in str(caught.value)
    return str(caught.value)


def test_a_good_certificate(authority):
    with serving(authority.issue("good")) as port:
        assert "E_KEY_NOT_FOUND" in get(port, CA_cert_path=authority.bundle)


def test_a_folder_of_authorities(authority, tmp_path):
    (tmp_path / "our.pem").write_text(authority.bundle.read_text())
    with serving(authority.issue("good")) as port:
        assert "E_KEY_NOT_FOUND" in get(port, CA_cert_dir=tmp_path)


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_of_the_environment(authority, tmp_path, name):
    value = str(authority.bundle)
    if name == "SSL_CERT_DIR":
        digest = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", value], capture_output=True, text=True,
                                check=True).stdout.strip()
        (tmp_path / f"{digest}.0").write_text(authority.bundle.read_text())
        value = str(tmp_path)
    with serving(authority.issue("good")) as port:
        script = textwrap.dedent(f"""
            from coldframe.stores.object_uri import parse
            try:
                parse("s3s://localhost:b?port={port}&access=a&secret=b&retry_timeout=1").store("lib").get("a")
            except Exception as error:
                print(error)
        """)
        plain = {key: text for key, text in os.environ.items()
                 if key not in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")}
        for env, words in (({**plain, name: value}, "E_KEY_NOT_FOUND"), (plain, "authority that is not trusted")):
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
            assert words in done.stdout


@pytest.mark.parametrize(("name", "words", "remedy"), [
    ("expired", "has expired", "renew"),
    ("wrong host", "for another host name.*expected localhost.*other.example", "host name that the certificate"),
    ("self-signed", "is self-signed", "CA_cert_path"),
    ("unknown authority", "authority that is not trusted", "CA_cert_path"),
])
def test_a_bad_certificate_is_named(authority, name, words, remedy):
    made = {
        "expired": lambda: authority.issue("expired", expired=True),
        "wrong host": lambda: authority.issue("host", names="DNS:other.example"),
        "self-signed": lambda: authority.self_signed("self"),
        "unknown authority": lambda: authority.issue("good"),
    }[name]()
    options = {} if name == "unknown authority" else {"CA_cert_path": authority.bundle}
    with serving(made) as port:
        text = get(port, **options)
        assert re.search(words, text), text
        assert remedy in text
        assert "TLS handshake failed" in text
        with pytest.warns(UserWarning, match="not verified"):
            assert "E_KEY_NOT_FOUND" in get(port, ssl="false")


def test_a_server_without_tls_is_named():
    with serving(None) as port:
        assert "does not speak TLS" in get(port)


def test_a_real_server(ministack_tls, prefix):
    storage = parse(ministack_tls.uri(path_prefix=prefix, CA_cert_path=ministack_tls.ca_bundle))
    storage.create("lib", "library", b"options")
    assert storage.names() == ["lib"]


def test_ceph_speaks_tls(ceph_server, prefix):
    storage = parse(ceph_server.uri(endpoint=ceph_server.endpoint_tls, path_prefix=prefix,
                                    CA_cert_path=ceph_server.ca_bundle))
    storage.create("lib", "library", b"options")
    storage.store("lib").put("big", bytes(12 << 20))
    assert storage.names() == ["lib"]


def test_azure_over_tls(prefix):
    from coldframe.testing.servers import azurite

    try:
        with azurite.running(tls=True) as server:
            storage = parse(server.uri(Path_prefix=prefix, CA_cert_path=server.ca_bundle))
            storage.create("lib", "library", b"options")
            assert storage.names() == ["lib"]
            bad = parse(server.uri(Path_prefix=prefix, retry_timeout=1))
            with pytest.raises(StorageException, match=r"authority that is not trusted.*CA_cert_path"):
                bad.names()
    except Unavailable as reason:
        pytest.skip(str(reason))
