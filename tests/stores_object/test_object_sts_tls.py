"""STS over TLS: it trusts what the object store trusts, however that was said."""

from __future__ import annotations

import os
import ssl
import warnings
from pathlib import Path

import pytest

import coldframe.config
from coldframe.exceptions import PermissionException
from coldframe.stores.credentials import aws
from coldframe.stores.credentials.fixed import Fixed
from coldframe.stores.object_target import Trust
from coldframe.stores.object_uri import parse
from coldframe.stores.tls import certificates_file
from coldframe.testing.servers.identities import ALL_ACTIONS, allow_assuming, make_role, make_user, write_aws_files


@pytest.fixture
def base(ministack_tls):
    user = make_user(ministack_tls)
    allow_assuming(ministack_tls, user)
    return user


@pytest.fixture
def role(ministack_tls, base):
    return make_role(ministack_tls, [base.arn], ALL_ACTIONS)


@pytest.fixture
def uri(ministack_tls, prefix, base, role):
    text = ministack_tls.uri(path_prefix=prefix, aws_auth="sts", role_arn=role, sts_endpoint=ministack_tls.endpoint)
    return f"{text}&access={base.access_key}&secret={base.secret_key}&retry_timeout=2"


@pytest.fixture
def folder(ministack_tls, tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "our.pem").write_text(Path(ministack_tls.ca_bundle).read_text())
    return tmp_path / "ours"


@pytest.mark.parametrize("said", ["CA_cert_path", "CA_cert_dir", "AWS_CA_BUNDLE", "ssl", "S3Storage.VerifySSL"])
def test_a_role_over_tls(ministack_tls, uri, folder, monkeypatch, said):
    if said == "AWS_CA_BUNDLE":
        monkeypatch.setenv(said, ministack_tls.ca_bundle)
    if said == "S3Storage.VerifySSL":
        monkeypatch.setitem(coldframe.config._from_code, coldframe.config._key(said), 0)
    options = {"CA_cert_path": f"&CA_cert_path={ministack_tls.ca_bundle}", "CA_cert_dir": f"&CA_cert_dir={folder}",
               "ssl": "&ssl=false"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = parse(uri + options.get(said, ""))
        storage.create("lib", "library", b"options")
        assert storage.names() == ["lib"]


def test_an_authority_that_is_not_trusted(uri):
    with pytest.raises(PermissionException, match=r"AssumeRole.*SSL.*certificate with CA_cert_path"):
        parse(uri).names()


def test_a_bundle_in_the_profile_and_one_in_the_connection_string(ministack_tls, prefix, base, role, monkeypatch,
                                                                  tmp_path):
    """Both are trusted: the profile's is for STS, too."""
    for name, value in write_aws_files(tmp_path, ministack_tls, {"base": base}, {
            "base": {}, "it": {"role_arn": role, "source_profile": "base"}}).items():
        monkeypatch.setenv(name, value)
    uri = ministack_tls.uri(path_prefix=prefix, aws_auth="sts", aws_profile="it")
    assert parse(f"{uri}&CA_cert_path={ministack_tls.ca_bundle}").names() == []
    config = tmp_path / "config"
    config.write_text("".join(line for line in config.read_text().splitlines(keepends=True) if "ca_bundle" not in line))
    assert parse(f"{uri}&CA_cert_path={ministack_tls.ca_bundle}").names() == []
    with pytest.raises(PermissionException, match="CA_cert_path"):
        parse(uri).names()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_of_the_environment(ministack_tls, base, role, folder, monkeypatch, name):
    provider = aws.Role(role, base=Fixed(base.access_key, base.secret_key), endpoint=ministack_tls.endpoint)
    with pytest.raises(PermissionException, match="CA_cert_path"):
        provider.fetch()
    monkeypatch.setenv(name, ministack_tls.ca_bundle if name == "SSL_CERT_FILE" else f"{folder}{os.pathsep}/nowhere")
    assert provider.fetch().token


def test_the_systems_authorities_are_trusted(monkeypatch, folder, ministack_tls):
    """As the store trusts them: not only those that come with botocore."""
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    ours = Path(ministack_tls.ca_bundle).read_text()
    made = certificates_file(Trust(authorities=ours))
    assert ours in Path(made).read_text()
    system = ssl.get_default_verify_paths().cafile
    if system:
        assert Path(system).read_text() in Path(made).read_text()
        assert certificates_file(Trust()) == system
    assert certificates_file(Trust(authorities=ours)) == made
    assert certificates_file(Trust(verify=False)) is False
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    assert ours in Path(certificates_file(Trust())).read_text()


def test_a_forked_child_leaves_the_file(ministack_tls):
    made = Path(certificates_file(Trust(authorities=Path(ministack_tls.ca_bundle).read_text() + "\n# forked\n")))
    child = os.fork()
    if child == 0:
        import atexit

        atexit._run_exitfuncs()
        os._exit(0)
    os.waitpid(child, 0)
    assert made.is_file()
