"""Users, roles and tokens on servers that check them: who may do what, and what those who may not are told."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config

from coldframe.exceptions import ArcticException, ErrorCode, KeyNotFoundException, PermissionException, StorageException
from coldframe.stores.object_uri import parse
from coldframe.testing.servers.answering import Answer, Answering, Asked
from coldframe.testing.servers.identities import (
    ALL_ACTIONS,
    allow_assuming,
    make_role,
    make_user,
    write_aws_files,
)


@pytest.fixture(params=["ministack_server", pytest.param("ceph_server", marks=pytest.mark.slow)])
def server(request):
    return request.getfixturevalue(request.param)


def refused(work, *words: str) -> PermissionException:
    with pytest.raises(PermissionException) as caught:
        work()
    assert caught.value.code is ErrorCode.E_PERMISSION
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return caught.value


class TestPermissions:
    @pytest.fixture
    def filled(self, server, prefix):
        storage = parse(server.uri(path_prefix=prefix))
        storage.create("lib", "library", b"options")
        storage.store("lib").put("data/a", b"a")
        storage.store("lib").swap("head", b"one", None)
        return storage

    def as_user(self, server, prefix, actions):
        user = make_user(server, actions)
        return parse(server.uri(path_prefix=prefix, access=user.access_key, secret=user.secret_key))

    def test_without_getting(self, server, prefix, filled):
        storage = self.as_user(server, prefix, ["s3:PutObject", "s3:DeleteObject", "s3:ListBucket"])
        refused(lambda: storage.store("lib").get("data/a"), "GetObject", f"{prefix}/lib/data/a", server.bucket,
                "missing permission: s3:GetObject", "coldframe policy")
        refused(lambda: storage.has("lib"), "s3:GetObject")
        refused(storage.names, "s3:GetObject")
        refused(lambda: storage.store("lib").get_many(["data/a", "head"]), "s3:GetObject")

    def test_without_putting(self, server, prefix, filled):
        storage = self.as_user(server, prefix, ["s3:GetObject", "s3:DeleteObject", "s3:ListBucket"])
        store = storage.store("lib")
        refused(lambda: store.put("data/b", b"b"), "PutObject", "missing permission: s3:PutObject", "data/b")
        refused(lambda: store.put_many([("data/b", b"b"), ("data/c", b"c")]), "s3:PutObject")
        refused(lambda: store.swap("head", b"two", store.get("head").tag), "s3:PutObject", "head")
        refused(lambda: storage.create("lib2", "library", b""), "s3:PutObject")
        assert store.get("head").data == b"one"
        assert storage.names() == ["lib"]
        assert [entry.key for entry in store.list("")] == ["data/a", "head", "library"]

    def test_without_deleting(self, server, prefix, filled):
        storage = self.as_user(server, prefix, ["s3:GetObject", "s3:PutObject", "s3:ListBucket"])
        refused(lambda: storage.store("lib").delete(["data/a"]), "DeleteObject", "s3:DeleteObject", "data/a")
        refused(lambda: storage.drop("lib"), "s3:DeleteObject")
        assert storage.has("lib")
        storage.create("lib2", "library", b"options")  # the probe's object stays behind, the library works
        assert storage.names() == ["lib", "lib2"]

    def test_without_listing(self, server, prefix, filled):
        storage = self.as_user(server, prefix, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
        refused(storage.names, "ListObjectsV2", "missing permission: s3:ListBucket", server.bucket)
        refused(lambda: list(storage.store("lib").list("data/")), "s3:ListBucket")
        assert storage.store("lib").get("data/a").data == b"a"
        with pytest.raises((PermissionException, KeyNotFoundException)):
            storage.store("lib").get("none")

    def test_a_reader_reads(self, server, prefix, filled):
        storage = self.as_user(server, prefix, ["s3:GetObject", "s3:ListBucket"])
        assert storage.names() == ["lib"]
        assert storage.store("lib").get("data/a").data == b"a"

    def test_outside_its_folder(self, server, prefix):
        user = make_user(server, ALL_ACTIONS, prefix=f"{prefix}/mine/*")
        storage = parse(server.uri(path_prefix=prefix, access=user.access_key, secret=user.secret_key))
        storage.create("mine", "library", b"options")
        refused(lambda: storage.create("yours", "library", b""), "s3:PutObject", f"{prefix}/yours")


class TestWrongKeys:
    def test_a_wrong_secret(self, server):
        storage = parse(server.uri(secret="wrong"))
        for work in (storage.names, lambda: storage.store("l").get("a"), lambda: storage.store("l").put("a", b""),
                     lambda: storage.store("l").delete(["a"])):
            refused(work, "check the secret", server.access_key)

    def test_an_unknown_key(self, server):
        refused(parse(server.uri(access="AKIAUNKNOWN000000000")).names, "does not know this access key",
                "AKIAUNKNOWN000000000")

    def test_anonymous(self, server):
        refused(lambda: parse(server.uri(aws_auth="false")).store("l").get("a"), "anonymous", "access=...")

    def test_a_missing_bucket(self, server):
        storage = parse(server.uri(bucket="no-such-bucket"))
        for work in (storage.names, lambda: storage.store("l").get("a"), lambda: storage.store("l").put("a", b"")):
            with pytest.raises(StorageException, match="no bucket 'no-such-bucket'") as caught:
                work()
            assert caught.value.code is ErrorCode.E_RESOURCE_NOT_FOUND

    def test_a_secret_is_never_in_an_error(self, server):
        storage = parse(server.uri(secret="hushhushhush"))
        for work in (storage.names, lambda: storage.store("l").get("a")):
            with pytest.raises(ArcticException) as caught:
                work()
            chain, error = "", caught.value
            while error is not None:
                chain += f"{error!r}{error}{vars(error)}"
                error = error.__cause__ or error.__context__
            assert "hushhushhush" not in chain


class TestRoles:
    @pytest.fixture
    def base(self, server):
        user = make_user(server)
        if server.name != "ceph":
            allow_assuming(server, user)
        return user

    def use(self, monkeypatch, tmp_path, server, credentials, profiles):
        for name, value in write_aws_files(tmp_path, server, credentials, profiles).items():
            monkeypatch.setenv(name, value)

    def sts(self, server, prefix, profile):
        return parse(server.uri(path_prefix=prefix, aws_auth="sts", aws_profile=profile))

    def test_a_role_by_profile(self, server, prefix, base, monkeypatch, tmp_path):
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        self.use(monkeypatch, tmp_path, server, {"base": base}, {
            "base": {}, "writer": {"role_arn": arn, "source_profile": "base", "role_session_name": "me"}})
        storage = self.sts(server, prefix, "writer")
        storage.create("lib", "library", b"options")
        assert storage.names() == ["lib"]
        refused(lambda: parse(server.uri(path_prefix=prefix, aws_auth="true", aws_profile="base")).names(), "base")

    def test_the_session_is_called_what_the_profile_says(self, server, prefix, base, monkeypatch, tmp_path):
        if server.name == "ceph":
            pytest.skip("Ceph 16 does not say who asks: it has no GetCallerIdentity")
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        self.use(monkeypatch, tmp_path, server, {"base": base}, {
            "base": {}, "named": {"role_arn": arn, "source_profile": "base", "role_session_name": "the-night-job"}})
        used = self.sts(server, prefix, "named").requests.keyring()
        sts = boto3.client("sts", endpoint_url=server.endpoint, region_name=server.region,
                           aws_access_key_id=used.access_key, aws_secret_access_key=used.secret_key,
                           aws_session_token=used.token)
        assert sts.get_caller_identity()["Arn"].endswith("/the-night-job")

    def test_a_reading_role_cannot_write(self, server, prefix, base, monkeypatch, tmp_path):
        arn = make_role(server, [base.arn], ["s3:GetObject", "s3:ListBucket"])
        self.use(monkeypatch, tmp_path, server, {"base": base},
                 {"base": {}, "reader": {"role_arn": arn, "source_profile": "base"}})
        storage = self.sts(server, prefix, "reader")
        assert storage.names() == []
        refused(lambda: storage.create("lib", "library", b""), "s3:PutObject", "profile 'reader'")

    def test_a_role_in_the_connection_string(self, server, prefix, base):
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        storage = parse(server.uri(path_prefix=prefix, aws_auth="sts", role_arn=arn, access=base.access_key,
                                   secret=base.secret_key, sts_endpoint=server.endpoint)
                        + f"&access={base.access_key}&secret={base.secret_key}")
        storage.create("lib", "library", b"options")
        assert storage.names() == ["lib"]

    def test_chained_roles(self, server, prefix, base, monkeypatch, tmp_path):
        if server.name == "ceph":
            pytest.skip("Ceph 16 does not let a role assume a role")
        first = make_role(server, [base.arn], [])
        second = make_role(server, [first], ALL_ACTIONS)
        self.use(monkeypatch, tmp_path, server, {"base": base}, {
            "base": {}, "first": {"role_arn": first, "source_profile": "base"},
            "second": {"role_arn": second, "source_profile": "first"}})
        storage = self.sts(server, prefix, "second")
        storage.create("lib", "library", b"options")
        assert storage.names() == ["lib"]

    def test_an_external_id(self, server, prefix, base, monkeypatch, tmp_path):
        if server.name == "ceph":
            pytest.skip("Ceph 16 does not look at the external id")
        arn = make_role(server, [base.arn], ALL_ACTIONS, condition={"StringEquals": {"sts:ExternalId": "the desk"}})
        self.use(monkeypatch, tmp_path, server, {"base": base}, {
            "base": {}, "right": {"role_arn": arn, "source_profile": "base", "external_id": "the desk"},
            "wrong": {"role_arn": arn, "source_profile": "base", "external_id": "another"}})
        assert self.sts(server, prefix, "right").names() == []
        refused(self.sts(server, prefix, "wrong").names, "profile 'wrong'", "external_id", "check role_arn")
        uri = server.uri(path_prefix=prefix, aws_auth="sts", role_arn=arn, sts_endpoint=server.endpoint)
        uri += f"&access={base.access_key}&secret={base.secret_key}"
        assert parse(f"{uri}&external_id=the%20desk").names() == []
        refused(parse(f"{uri}&external_id=another").names, "external_id")

    def test_a_role_on_top_of_the_environments_keys(self, server, prefix, base, monkeypatch, tmp_path):
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        self.use(monkeypatch, tmp_path, server, {}, {"it": {"role_arn": arn, "credential_source": "Environment"}})
        refused(self.sts(server, prefix, "it").names, "profile 'it'")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", base.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", base.secret_key)
        assert self.sts(server, prefix, "it").names() == []

    @pytest.mark.parametrize(("case", "words"), [
        ("no such profile", "check the profile's name"),
        ("no role", "has no role_arn"),
        ("no source", "source_profile"),
        ("source does not exist", "nowhere"),
        ("source without credentials", "empty"),
        ("circle", "source_profile"),
        ("wrong arn", "check role_arn"),
        ("not trusted", "check role_arn"),
        ("wrong source key", "source profile's access key"),
    ])
    def test_what_is_wrong_with_a_profile(self, server, prefix, base, monkeypatch, tmp_path, case, words):
        if server.name == "ceph" and case == "wrong source key":
            words = "Permission error"
        other = make_user(server)
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        missing = arn[:-4] + "none"
        profiles = {"base": {}, "other": {}, "empty": {}, "unknown": {}}
        wrong = {
            "no such profile": None,
            "no role": {},
            "no source": {"role_arn": arn},
            "source does not exist": {"role_arn": arn, "source_profile": "nowhere"},
            "source without credentials": {"role_arn": arn, "source_profile": "empty"},
            "circle": {"role_arn": arn, "source_profile": "loop"},
            "wrong arn": {"role_arn": missing, "source_profile": "base"},
            "not trusted": {"role_arn": arn, "source_profile": "other"},
            "wrong source key": {"role_arn": arn, "source_profile": "unknown"},
        }[case]
        if wrong is not None:
            profiles["it"] = wrong
        if case == "circle":
            profiles["loop"] = {"role_arn": arn, "source_profile": "it"}
        self.use(monkeypatch, tmp_path, server,
                 {"base": base, "other": other, "unknown": replace(other, access_key="AKIANOBODY0000000000")}, profiles)
        error = refused(self.sts(server, prefix, "it").names, "it", words)
        assert other.secret_key not in str(error)
        assert str(tmp_path / "config") in str(error)

    def test_a_wrong_role_in_the_connection_string(self, server, base):
        uri = server.uri(aws_auth="sts", role_arn="arn:aws:iam:::role/none", sts_endpoint=server.endpoint)
        storage = parse(f"{uri}&access={base.access_key}&secret={base.secret_key}")
        error = refused(storage.names, "sts:AssumeRole", "arn:aws:iam:::role/none", base.access_key, "check role_arn")
        assert base.secret_key not in str(error)


class TestExpiry:
    def assume(self, server, base, arn, seconds):
        client = boto3.client("sts", endpoint_url=server.endpoint, region_name=server.region,
                              aws_access_key_id=base.access_key, aws_secret_access_key=base.secret_key,
                              config=Config(parameter_validation=False))
        return client.assume_role(RoleArn=arn, RoleSessionName="session", DurationSeconds=seconds)["Credentials"]

    @pytest.fixture
    def base(self, server):
        user = make_user(server)
        if server.name != "ceph":
            allow_assuming(server, user)
        return user

    def test_a_long_job_outlives_its_tokens(self, server, prefix, base):
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        calls = []

        def credentials():
            calls.append(time.time())
            return self.assume(server, base, arn, 2)

        uri = server.uri(path_prefix=prefix, aws_auth="x").replace("aws_auth=x&", "").replace("&aws_auth=x", "")
        storage = parse(uri, credentials=credentials)
        storage.create("lib", "library", b"options")
        store = storage.store("lib")
        end = time.monotonic() + 5
        tag, number = None, 0
        while time.monotonic() < end:
            tag = store.swap("head", b"%d" % number, tag)
            number += 1
            time.sleep(0.02)
        assert 3 <= len(calls) <= 8

    def test_a_profile_with_short_tokens(self, server, prefix, base, monkeypatch, tmp_path):
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        for name, value in write_aws_files(tmp_path, server, {"base": base}, {
                "base": {}, "short": {"role_arn": arn, "source_profile": "base", "duration_seconds": 2}}).items():
            monkeypatch.setenv(name, value)
        storage = parse(server.uri(path_prefix=prefix, aws_auth="sts", aws_profile="short"))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            storage.names()
            time.sleep(0.1)

    def test_a_token_that_expires_unannounced_is_renewed_once(self, server, prefix, base):
        """The provider does not say when its tokens end; the server's refusal is what renews them."""
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        calls = []

        def credentials():
            calls.append(1)
            found = self.assume(server, base, arn, 2)
            return {"access_key": found["AccessKeyId"], "secret_key": found["SecretAccessKey"],
                    "token": found["SessionToken"]}

        uri = server.uri(path_prefix=prefix, aws_auth="x").replace("aws_auth=x&", "").replace("&aws_auth=x", "")
        storage = parse(uri, credentials=credentials)
        storage.store("lib").put("a", b"a")
        time.sleep(2.5)
        storage.store("lib").put("b", b"b")
        assert len(calls) == 2

    def test_an_expired_token_that_cannot_be_renewed(self, server, prefix, base):
        arn = make_role(server, [base.arn], ALL_ACTIONS)
        found = self.assume(server, base, arn, 1)
        time.sleep(1.5)
        from urllib.parse import quote

        storage = parse(server.uri(access=found["AccessKeyId"], secret=quote(found["SecretAccessKey"], safe=""),
                                   token=quote(found["SessionToken"], safe=""), path_prefix=prefix))
        refused(storage.names, "expired" if server.name != "ceph" else "does not know this access key")

    def test_a_callable_that_fails(self, server, prefix):
        def credentials():
            raise OSError("the vault is sealed")

        uri = server.uri(path_prefix=prefix, aws_auth="x").replace("aws_auth=x&", "").replace("&aws_auth=x", "")
        storage = parse(uri, credentials=credentials)
        refused(storage.names, "the vault is sealed", "credentials callable")


def test_the_environments_keys_are_not_mixed_with_given_ones(ministack_server, prefix, monkeypatch):
    """A session token of the environment belongs to the environment's key, not to the one in the connection string."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "environment")
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_SKIP_SIGNATURE", "true"),
                        ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true"), ("AWS_REGION", "mars-1"),
                        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"), ("AWS_CONDITIONAL_PUT", "disabled")):
        monkeypatch.setenv(name, value)
    storage = parse(ministack_server.uri(path_prefix=prefix))
    storage.create("lib", "library", b"options")
    assert storage.names() == ["lib"]


def test_the_environments_keys(ministack_server, prefix, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ministack_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ministack_server.secret_key)
    storage = parse(ministack_server.uri(path_prefix=prefix, aws_auth="default"))
    assert storage.names() == []
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    refused(parse(ministack_server.uri(path_prefix=prefix, aws_auth="default")).names, "no credentials")


def test_a_credential_process(ministack_server, prefix, monkeypatch, tmp_path):
    import json
    import sys

    answer = {"Version": 1, "AccessKeyId": ministack_server.access_key,
              "SecretAccessKey": ministack_server.secret_key}
    program = tmp_path / "program.py"
    program.write_text(f"print({json.dumps(json.dumps(answer))})")
    config = tmp_path / "config"
    config.write_text(f"[profile p]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    uri = ministack_server.uri(path_prefix=prefix, aws_auth="true", aws_profile="p")
    assert parse(uri).names() == []
    program.write_text("import sys; sys.exit('no ticket')")
    error = refused(parse(uri).names, "profile 'p'", "credential_process", str(config))
    assert "no ticket" in str(error) or os.name == "nt"


@pytest.fixture
def far(ministack_server, prefix):
    """A bucket in another region."""
    server = replace(ministack_server, bucket=f"far-{prefix}", region="eu-west-1")
    server.client().create_bucket(Bucket=server.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return server


def test_a_wrong_region_is_known_as_such(far):
    storage = parse(replace(far, region="us-west-2").uri())
    for work in (storage.names, lambda: storage.store("l").get("a"), lambda: storage.store("l").put("a", b"")):
        with pytest.raises(StorageException, match=r"not in region 'us-west-2'.*add region="):
            work()


class LikeAmazon(Answering):
    """Refuses everybody, but says in its headers where the bucket is."""

    def answer(self, asked: Asked) -> Answer:
        status = 403 if "Authorization" not in asked.headers else 301
        return Answer(status, headers={"x-amz-bucket-region": "eu-west-1"})


@pytest.fixture
def like_amazon():
    with LikeAmazon() as service:
        yield service.port


def test_a_wrong_region_names_the_right_one(like_amazon):
    storage = parse(f"s3://127.0.0.1:b?port={like_amazon}&access=a&secret=b&region=us-west-2")
    wanted = r"not in region 'us-west-2' but in 'eu-west-1'.*add region=eu-west-1"
    for work in (storage.names, lambda: storage.store("l").get("a"), lambda: storage.store("l").put("a", b"")):
        with pytest.raises(StorageException, match=wanted):
            work()


def test_the_region_of_the_bucket(like_amazon):
    """Neither connection string nor environment name one: the server is asked."""
    storage = parse(f"s3://127.0.0.1:b?port={like_amazon}&access=a&secret=b")
    storage.requests.target = replace(storage.target, region="")
    with pytest.raises(StorageException):
        storage.names()
    assert storage.requests.target.region == "eu-west-1"
