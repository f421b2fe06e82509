"""Connection strings: what they mean, what is refused and how, and that secrets stay where they are."""

from __future__ import annotations

import warnings
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldframe import config
from coldframe.config import set_config_int
from coldframe.exceptions import UserInputException
from coldframe.stores.credentials.aws import Chain, Role
from coldframe.stores.credentials.fixed import Called, Fixed
from coldframe.stores.object_uri import parse
from coldframe.stores.uri import SCHEMES

SECRET = "hush/SECRET+value=="


def provider(uri, **more):
    return parse(uri, **more).requests.keyring.provider


class TestS3:
    def test_an_endpoint_and_a_bucket(self):
        target = parse("s3://minio.example.com:my-bucket?port=9000&access=a&secret=b&path_prefix=/x/y/").target
        assert (target.endpoint, target.bucket, target.prefix) == ("http://minio.example.com:9000", "my-bucket", "x/y")
        assert (target.virtual, target.region, target.trust.verify) == (False, "us-east-1", True)
        assert target.connections == 64

    def test_s3s_is_https(self):
        assert parse("s3s://minio.example.com:b?access=a&secret=b").target.endpoint == "https://minio.example.com"

    @pytest.mark.parametrize("separator", ["&", ";"])
    def test_both_separators(self, separator):
        target = parse(f"s3://h:b?port=1{separator}region=r{separator}").target
        assert (target.endpoint, target.region) == ("http://h:1", "r")

    @pytest.mark.parametrize(("host", "region", "virtual"), [
        ("s3.eu-west-2.amazonaws.com", "eu-west-2", True),
        ("s3-ap-southeast-1.amazonaws.com", "ap-southeast-1", True),
        ("s3.dualstack.us-west-2.amazonaws.com", "us-west-2", True),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1", True),
        ("s3.amazonaws.com", "us-east-1", False),
        ("minio.example.com", "us-east-1", False),
    ])
    def test_region_of_an_amazon_endpoint(self, host, region, virtual):
        target = parse(f"s3://{host}:b?aws_auth=true").target
        assert (target.region, target.virtual) == (region, virtual)

    def test_a_given_region_beats_the_endpoints(self):
        target = parse("s3://s3.eu-west-2.amazonaws.com:b?aws_auth=true&region=eu-west-1").target
        assert (target.region, target.virtual) == ("eu-west-1", False)

    def test_towards_amazon_always_tls(self):
        assert parse("s3://s3.eu-west-2.amazonaws.com:b").target.endpoint.startswith("https://")
        insecure = parse("s3://s3.eu-west-2.amazonaws.com:b?insecure=true").target
        assert insecure.endpoint.startswith("http://")

    def test_a_dotted_bucket_does_not_fit_the_wildcard_certificate(self):
        assert not parse("s3://s3.eu-west-2.amazonaws.com:a.b").target.virtual
        assert not parse("s3://a.b?region=eu-west-1&aws_auth=false").target.virtual

    def test_the_plain_form(self, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        storage = parse("s3://my-bucket/some/where/")
        target = storage.target
        assert (target.bucket, target.prefix, target.region) == ("my-bucket", "some/where", "eu-central-1")
        assert target.address() == "https://s3.eu-central-1.amazonaws.com"
        assert target.virtual
        assert isinstance(storage.requests.keyring.provider, Chain)

    def test_the_region_of_a_profile(self, monkeypatch, tmp_path):
        config = tmp_path / "config"
        config.write_text("[profile research]\nregion = sa-east-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        assert parse("s3://b?aws_auth=true&aws_profile=research").target.region == "sa-east-1"
        monkeypatch.setenv("AWS_PROFILE", "research")
        assert parse("s3://b").target.region == "sa-east-1"

    def test_the_plain_form_with_another_endpoint(self):
        target = parse("s3://b/p?endpoint=http://minio.example.com:9000&access=a&secret=b").target
        assert (target.endpoint, target.bucket, target.prefix) == ("http://minio.example.com:9000", "b", "p")
        assert (target.region, target.virtual) == ("us-east-1", False)

    def test_values_are_percent_decoded_and_plus_stays(self):
        fetched = provider("s3://h:b?access=a&secret=x%26y%3Bz%25+/==").fetch()
        assert fetched.secret_key == "x&y;z%+/=="

    @pytest.mark.parametrize(("text", "kind"), [
        ("access=a&secret=b", Fixed), ("", type(None)), ("aws_auth=false", type(None)), ("aws_auth=true", Chain),
        ("aws_auth=default&aws_profile=p", Chain), ("aws_auth=yes", Chain), ("aws_auth=sts&aws_profile=p", Chain),
        ("aws_auth=sts&role_arn=arn:aws:iam::1:role/x", Role),
        ("aws_auth=sts&role_arn=arn:aws:iam::1:role/x&access=a&secret=b&external_id=7", Role),
    ])
    def test_where_credentials_come_from(self, text, kind):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert type(provider(f"s3://h:b?{text}")) is kind

    def test_keys_beside_aws_auth_are_ignored_with_a_warning(self):
        with pytest.warns(UserWarning, match="ignored because aws_auth"):
            assert isinstance(provider("s3://h:b?access=a&secret=b&aws_auth=true"), Chain)

    def test_a_callable(self):
        assert isinstance(provider("s3://h:b", credentials=lambda: None), Called)
        with pytest.raises(ValueError, match="contradict"):
            parse("s3://h:b?access=a&secret=b", credentials=lambda: None)

    @pytest.mark.parametrize(("uri", "words"), [
        ("s3://h:b?regoin=x", "unknown option 'regoin'.*did you mean region.*Valid options: port, region"),
        ("s3://h:b?Map_size=1", "unknown option"),
        ("s3://h:b?port", "has no value"),
        ("s3://h:b?port=1&port=2", "twice"),
        ("s3://h:b?port=abc", "port is a number"),
        ("s3://h:b?port=70000", "port is a number"),
        ("s3://h:b?connections=0", "connections.*at least 1"),
        ("s3://h:b?ssl=perhaps", "ssl.*yes or no"),
        ("s3://h:b?access=a", "access.*needs secret"),
        ("s3://h:b?secret=a", "secret.*needs access"),
        ("s3://h:b?token=t", "token.*needs access and secret"),
        ("s3://h:b?aws_auth=maybe", "aws_auth is true, default, sts or false"),
        ("s3://h:b?aws_auth=sts", "needs aws_profile=PROFILE.*or role_arn"),
        ("s3://h:b?role_arn=arn", "role_arn needs aws_auth=sts"),
        ("s3://h:b?aws_auth=sts&aws_profile=p&external_id=1", "external_id goes with role_arn"),
        ("s3://h:b?access=a&secret=b&aws_profile=p", "aws_profile needs aws_auth"),
        ("s3://h:b?force_uri_lib_config=false", "force_uri_lib_config"),
        ("s3://h:b?endpoint=http://x", "endpoint is given twice"),
        ("s3://h:9000/b", "port is an option"),
        ("s3://h:b/prefix", "path_prefix=PREFIX"),
        ("s3://", "bucket is missing"),
        ("s3://h:", "bucket is missing"),
        ("s3://s3.eu-west-2.amazonaws.com?aws_auth=true", "bucket is missing"),
        ("s3://user:pass@host:b", "access=...&secret="),
        ("s3://b?port=9000", "port goes with s3://ENDPOINT:BUCKET"),
        ("s3://b?endpoint=minio:9000", "endpoint is the URL"),
        ("s3://b?endpoint=http://s3.eu-west-1.amazonaws.com", "TLS"),
        ("s3s://b?endpoint=http://minio:9000", "contradict"),
        ("s3://b/p?path_prefix=q&region=r", "prefix is given twice"),
        ("s3://h:ä", "letters, digits"),
        ("s3s://h:b?insecure=true", "contradict"),
        ("gcpxml://h:b", "either access and secret"),
        ("gcpxml://h:b?access=a&secret=b&aws_auth=true", "either access and secret"),
        ("gcpxml://h:b?aws_auth=sts", "true or default"),
        ("gcpxml://h:b?region=r", "unknown option"),
        ("gs://", "gs://BUCKET/PREFIX"),
        ("gs://b/p?path_prefix=q", "twice"),
        ("gs://b?anonymous=true&service_account_path=x", "contradict"),
        ("azure://", "is empty"),
        ("azure://AccountName=a;AccountKey=b", "needs Container"),
        ("azure://Container=c", "needs AccountName"),
        ("azure://AccountName=a;Container=c;Kontainer=d", "unknown option.*Container"),
        ("azure://AccountName=a;Container=c;AccountKey=b;SharedAccessSignature=s", "contradict"),
        ("s3://h:b?CA_cert_path=/no/such/file", "CA_cert_path: cannot read"),
        ("s3://h:b?CA_cert_dir=/no/such/folder", "CA_cert_dir.*is no folder"),
        ("ftp://h:b", "starts with one of"),
    ])
    def test_what_is_wrong_is_said(self, uri, words):
        with pytest.raises(UserInputException, match=words) as caught:
            parse(uri)
        assert isinstance(caught.value, ValueError)
        assert caught.value.code.name == "E_INVALID_USER_ARGUMENT"

    @pytest.mark.parametrize("uri", [
        "s3://h:b?access=a&secret={}&regoin=x", "s3://h:b?access=a&secret=x&{}", "s3://h:b?secret={}",
        "s3://h:b?access=a&secret={}&secret={}", "azure://AccountKey={}", "azure://AccountName=a;AccountKey={};X=1",
        "s3://h:b?access=a;secret={};port=x", "gcpxml://h:b?access=a&secret={}&aws_auth=true",
    ])
    def test_no_error_repeats_a_secret(self, uri):
        with pytest.raises(UserInputException) as caught:
            parse(uri.replace("{}", SECRET))
        assert "SECRET" not in f"{caught.value}{caught.value!r}"

    def test_nothing_prints_a_secret(self):
        storage = parse(f"s3://h:b?access=KEY&secret={SECRET}&token=TOKENTEXT")
        keyring = storage.requests.keyring
        fetched = keyring()
        assert fetched.secret_key == SECRET
        shown = " ".join([repr(storage), str(storage), storage.describe(), repr(storage.target), repr(fetched),
                          repr(keyring.provider), keyring.describe(), repr(storage.store("x")), repr(storage.requests)])
        assert "SECRET" not in shown
        assert "TOKENTEXT" not in shown
        azure = parse(f"azure://AccountName=a;AccountKey={SECRET};Container=c")
        assert "SECRET" not in f"{azure!r} {azure.target!r} {azure.describe()}"

    @given(st.text(max_size=60))
    def test_any_text_is_parsed_or_refused(self, text):
        for scheme in ("s3", "gs", "azure"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with suppress(UserInputException):
                    parse(f"{scheme}://{text}")

    def test_every_scheme_is_registered(self):
        for scheme in ("s3", "s3s", "gcpxml", "gcpxmls", "gs", "azure"):
            assert SCHEMES[scheme] == "coldframe.stores.object_uri"


def test_the_setting_for_connections(monkeypatch):
    monkeypatch.setitem(config._from_code, config._key("VersionStore.NumIOThreads"), 7)
    assert parse("s3://h:b").target.connections == 7
    assert parse("s3://h:b?connections=9").target.connections == 9
    assert parse("azure://AccountName=a;AccountKey=a2V5;Container=c").target.connections == 7
    monkeypatch.undo()
    assert parse("s3://h:b").target.connections == 64


class TestTrust:
    def test_ssl_false_warns(self):
        with pytest.warns(UserWarning, match="not verified for https://h"):
            assert not parse("s3s://h:b?ssl=false").target.trust.verify

    def test_the_setting_beats_the_option(self):
        try:
            set_config_int("S3Storage.VerifySSL", 0)
            with pytest.warns(UserWarning, match="not verified"):
                assert not parse("s3s://h:b?ssl=true").target.trust.verify
            set_config_int("S3Storage.VerifySSL", 1)
            assert parse("s3s://h:b?ssl=false").target.trust.verify
        finally:
            import coldframe.config

            coldframe.config._from_code.pop(coldframe.config._key("S3Storage.VerifySSL"))

    def test_files_folders_and_the_environment(self, tmp_path, monkeypatch):
        text = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
        for name in ("path.pem", "env.pem"):
            (tmp_path / name).write_text(text.format(name))
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "a.crt").write_text(text.format("folder-a"))
        (folder / "b.txt").write_text(text.format("folder-b"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "env.pem"))
        for uri in (
            "s3s://h:b?CA_cert_path={0}&CA_cert_dir={1}",
            "azure://AccountName=a;Container=c;CA_cert_path={0};CA_cert_dir={1}",
            "gs://b?CA_cert_path={0}&CA_cert_dir={1}",
        ):
            found = parse(uri.format(tmp_path / "path.pem", folder)).target.trust.authorities
            assert all(name in found for name in ("path.pem", "folder-a", "env.pem"))
            assert "folder-b" not in found
        (tmp_path / "env.pem").write_text("no certificate")
        with pytest.raises(UserInputException, match=r"AWS_CA_BUNDLE.*holds no certificate"):
            parse("s3s://h:b")


class TestAzure:
    def test_keys(self):
        target = parse("azure://DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a+b/c==;"
                       "EndpointSuffix=core.windows.net;Container=c;Path_prefix=/p/").target
        assert (target.bucket, target.prefix) == ("c", "p")
        assert target.endpoint == "https://acc.blob.core.windows.net"
        assert target.settings["account_key"] == "a+b/c=="

    def test_a_signature_with_ampersands(self):
        target = parse("azure://BlobEndpoint=https://acc.blob.core.windows.net/;"
                       "SharedAccessSignature=sv=2021&sig=a%3D;Container=c").target
        assert target.settings["sas_key"] == "sv=2021&sig=a%3D"
        assert target.settings["account_name"] == "acc"


class TestGoogle:
    def test_bucket_and_prefix(self):
        target = parse("gs://bucket/a/b?connections=8").target
        assert (target.kind, target.bucket, target.prefix, target.connections) == ("gcs", "bucket", "a/b", 8)

    def test_the_xml_interface(self):
        target = parse("gcpxmls://storage.googleapis.com:b?access=a&secret=b").target
        assert (target.kind, target.endpoint) == ("s3", "https://storage.googleapis.com")
