"""Where AWS's machines find credentials: container, instance, web identity and SSO, each played by a small server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config

from coldframe.exceptions import PermissionException
from coldframe.stores.credentials.aws import Chain
from coldframe.stores.object_uri import parse
from coldframe.testing.servers.answering import Answer, Answering, Asked
from coldframe.testing.servers.identities import ALL_ACTIONS, allow_assuming, make_role, make_user

SECONDS = 2
ROLE = "arn:aws:iam::000000000000:role/there"


class Source(Answering):
    """Hands out keys that really work for some seconds; what it was asked, and whether it answers."""

    def __init__(self, server) -> None:
        user = make_user(server)
        allow_assuming(server, user)
        self._role = make_role(server, [user.arn], ALL_ACTIONS)
        self._sts = boto3.client(  # without looking at parameters: it would refuse a few seconds
            "sts", endpoint_url=server.endpoint, region_name=server.region, aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key, config=Config(parameter_validation=False))
        self.server = server
        self.seconds = 3600
        self.broken = False
        self.granted: list[dict] = []
        self.asked: list[tuple[str, str]] = []
        super().__init__()

    def grant(self) -> dict:
        found = self._sts.assume_role(RoleArn=self._role, RoleSessionName="session", DurationSeconds=self.seconds)
        self.granted.append(found["Credentials"])
        return found["Credentials"]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append((asked.method, asked.path))
        return Answer(*self._say(asked))

    def _say(self, asked: Asked) -> tuple[int, str]:
        method, path, headers, body = asked
        if self.broken:
            return 500, "out of order"
        if path == "/container":
            return (200, self._plain()) if headers["Authorization"] == "let me in" else (401, "who are you")
        if path == "/latest/api/token":
            return (200, "a token") if method == "PUT" else (405, "")
        if path.startswith("/latest/meta-data/iam/security-credentials/"):
            if headers["x-aws-ec2-metadata-token"] != "a token":  # nobody is answered without one: version 2 only
                return 401, ""
            return 200, self._plain(Code="Success") if path.endswith("/my-role") else "my-role"
        if path.startswith("/federation/credentials"):
            return (200, self._sso()) if headers["x-amz-sso_bearer_token"] == "signed in" else (401, "{}")
        form = parse_qs(body.decode())
        if form.get("Action") == ["AssumeRoleWithWebIdentity"] and form["RoleArn"] == [ROLE]:
            return (200, self._xml()) if form["WebIdentityToken"] == ["it is me"] else (403, "")
        return 404, ""

    def _plain(self, **more) -> str:
        found = self.grant()
        return json.dumps({
            "AccessKeyId": found["AccessKeyId"], "SecretAccessKey": found["SecretAccessKey"],
            "Token": found["SessionToken"], "Expiration": f"{found['Expiration']:%Y-%m-%dT%H:%M:%SZ}", **more})

    def _sso(self) -> str:
        found = self.grant()
        return json.dumps({"roleCredentials": {
            "accessKeyId": found["AccessKeyId"], "secretAccessKey": found["SecretAccessKey"],
            "sessionToken": found["SessionToken"], "expiration": int(found["Expiration"].timestamp() * 1000)}})

    def _xml(self) -> str:
        found = self.grant()
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        fields = "".join(f"<{name}>{found[name]}</{name}>" for name in names)
        return ('<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                f"<AssumeRoleWithWebIdentityResult><Credentials>{fields}"
                f"<Expiration>{found['Expiration']:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
                "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")


@pytest.fixture
def source(ministack_server):
    found = Source(ministack_server)
    yield found
    found.close()


def environment(kind, source, folder) -> dict[str, str]:
    if kind == "container":
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{source.url}/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in"}
    if kind == "instance":
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": source.url, "AWS_EC2_METADATA_DISABLED": "false"}
    if kind == "web identity":
        (folder / "token").write_text("it is me")
        return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"), "AWS_ROLE_ARN": ROLE,
                "AWS_ENDPOINT_URL_STS": source.url}
    (folder / "config").write_text(
        "[profile me]\nsso_session = ours\nsso_account_id = 000000000000\nsso_role_name = there\n"
        "[sso-session ours]\nsso_region = us-east-1\nsso_start_url = https://ours.awsapps.com/start\n")
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(b'ours').hexdigest()}.json").write_text(json.dumps({
        "startUrl": "https://ours.awsapps.com/start", "region": "us-east-1", "accessToken": "signed in",
        "expiresAt": "2099-01-01T00:00:00Z"}))
    return {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_PROFILE": "me", "AWS_ENDPOINT_URL_SSO": source.url}


@pytest.fixture(params=["container", "instance", "web identity", "sso"])
def kind(request, source, tmp_path, monkeypatch):
    for name, value in environment(request.param, source, tmp_path).items():
        monkeypatch.setenv(name, value)
    if request.param == "sso":  # botocore looks at the home directory once
        cache = str(tmp_path / ".aws" / "sso" / "cache")
        monkeypatch.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR", cache)
        monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", cache)
    return request.param


def test_they_arrive_with_their_true_expiry(kind, source, prefix):
    found = Chain().fetch()
    granted = source.granted[-1]
    assert (found.access_key, found.secret_key) == (granted["AccessKeyId"], granted["SecretAccessKey"])
    assert found.token == granted["SessionToken"]
    assert found.expires == granted["Expiration"].timestamp()
    storage = parse(source.server.uri(path_prefix=prefix, aws_auth="default"))
    storage.create("lib", "library", b"options")
    assert storage.names() == ["lib"]


@pytest.mark.slow
def test_a_job_outlives_its_tokens(kind, source, prefix):
    source.seconds = SECONDS
    storage = parse(source.server.uri(path_prefix=prefix, aws_auth="true"))
    used = set()
    end = time.monotonic() + 2 * SECONDS
    while time.monotonic() < end:
        storage.names()
        current = storage.requests.keyring()
        used.add(current.access_key)
        time.sleep(0.1)
    # What a metadata service hands out botocore takes for good for another quarter of an hour: the refusal renews it.
    assert len(used) >= 2


def test_a_source_that_is_out_of_order_is_an_error(kind, source, prefix, monkeypatch):
    source.broken = True
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    words = "profile 'me'" if kind == "sso" else "default credential chain"
    with pytest.raises(PermissionException, match=words) as caught:
        parse(source.server.uri(path_prefix=prefix, aws_auth="true")).names()
    assert os.environ["AWS_CONFIG_FILE"] in str(caught.value)


def test_a_sign_in_that_is_over_is_named(source, prefix, tmp_path):
    settings = environment("sso", source, tmp_path)
    file = next((tmp_path / ".aws" / "sso" / "cache").iterdir())
    file.write_text(file.read_text().replace("2099", "2001"))
    script = textwrap.dedent(f"""
        from coldframe.stores.object_uri import parse
        try:
            parse({source.server.uri(path_prefix=prefix, aws_auth="true")!r}).names()
        except Exception as error:
            print(type(error).__name__, error)
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env={**os.environ, **settings, "HOME": str(tmp_path)})
    assert done.stdout.startswith("PermissionException")
    assert "profile 'me'" in done.stdout
    assert "aws sso login" in done.stdout


def test_a_home_directory_of_its_own(source, prefix, tmp_path):
    """Nothing patched: what `aws sso login` leaves in the home directory is found."""
    settings = environment("sso", source, tmp_path)
    uri = source.server.uri(path_prefix=prefix, aws_auth="true")
    script = f"from coldframe.stores.object_uri import parse\nprint(parse({uri!r}).names())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False,
                          env={**os.environ, **settings, "HOME": str(tmp_path)})
    assert done.stdout.strip() == "[]", done.stderr
