"""`docs/aws.md`, executed: its programs and profiles on a server, its error texts against what the errors say."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from coldframe.cli.policy import policies
from coldframe.stores.object_errors import Attempted, Operation, explain
from coldframe.stores.object_failures import Failure, Kind
from coldframe.stores.object_uri import parse
from coldframe.testing.servers.identities import User, make_user

_fence = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(root):
    return (root / "docs" / "aws.md").read_text()


def blocks(page, language):
    return [re.sub(r"^   ", "", text, flags=re.MULTILINE) if text.startswith("   ") else text
            for found, text in _fence.findall(page) if found == language]


def test_from_an_empty_account_to_the_first_frame(page, ministack_server, monkeypatch, tmp_path):
    server = replace(ministack_server, bucket="my-bucket", region="eu-west-1")
    server.client().create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    iam = server.client("iam")
    user = make_user(server)
    credentials, config = blocks(page, "ini")
    write_files(tmp_path, monkeypatch, credentials, config, user)
    # Step 2: what `coldframe policy` prints is installed.
    uri = "s3://my-bucket/research?region=eu-west-1"
    access = policies(uri, user=user.name).access
    iam.put_user_policy(UserName=user.name, PolicyName="coldframe", PolicyDocument=json.dumps(access))
    names: dict[str, object] = {}
    first, second = blocks(page, "py")
    exec(first, names)
    # With a role: the user keeps no right but to assume it.
    iam.delete_user_policy(UserName=user.name, PolicyName="coldframe")
    found = policies(uri, sts=True, user=user.name, role="research", account="000000000000")
    iam.create_role(RoleName="research", AssumeRolePolicyDocument=json.dumps(found.trust))
    iam.put_role_policy(RoleName="research", PolicyName="coldframe", PolicyDocument=json.dumps(found.access))
    iam.put_user_policy(UserName=user.name, PolicyName="assume", PolicyDocument=json.dumps(found.assume))
    exec(second, names)


def write_files(folder, monkeypatch, credentials, config, user: User):
    text = re.sub(r"AKIA\w+", user.access_key, credentials)
    text = re.sub(r"(secret_access_key = ).*", rf"\g<1>{user.secret_key}", text)
    assert user.secret_key in text
    (folder / "credentials").write_text(text + text.replace("[default]", "[ann]"))
    (folder / "config").write_text(config.replace("123456789012", "000000000000"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))


def test_the_connection_strings_are_understood(page):
    found = [word for word in re.findall(r"`((?:s3s?|gs|azure)://[^`]+)`", page) if "BUCKET" not in word]
    found += [line for text in blocks(page, "text") for line in text.splitlines() if line.startswith("s3")]
    assert len(found) > 8
    for uri in found:
        plain = re.sub(r"[&?]CA_cert_(path|dir)=[^&]*", "", uri)
        assert parse(plain).target.bucket in ("my-bucket", "CONTAINER")


def test_the_error_texts_are_those_of_the_errors(page, root):
    table = page.partition("## When it does not work")[2]
    texts = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(texts) > 15
    source = "".join(path.read_text() for path in (root / "src/coldframe/stores").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", source)
    for kind in Kind:  # what is put together from parts
        joined += str(explain(Failure(kind), Attempted(Operation.GET, "s3", "https://h", "b", "k", identity="a key")))
    missing = [text for text in texts if text not in joined]
    assert missing == []


def test_the_options_are_those_there_are(page):
    from coldframe.stores.object_options import COMMON
    from coldframe.stores.object_uri_s3 import S3_OPTIONS

    for option in (*COMMON, *S3_OPTIONS):
        if option not in ("force_uri_lib_config", "insecure", "token", "use_virtual_addressing"):
            assert option in page, option
