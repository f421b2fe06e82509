"""`coldframe check`: what it finds on good and bad storages, and that it leaves nothing behind."""

from __future__ import annotations

import json

import pytest

from coldframe.cli.main import main
from coldframe.testing.servers.identities import ALL_ACTIONS, make_user

FIVE = ["PutObject", "GetObject", "HeadObject", "ListObjectsV2", "DeleteObject"]


def run(capsys, *arguments):
    code = main(["check", "--json", *arguments])
    return code, {row["name"]: row for row in json.loads(capsys.readouterr().out)["checks"]}


@pytest.mark.parametrize("name", ["ministack_server", "ceph_server", "azurite_server", "gcs_server"])
def test_a_good_storage(name, request, prefix, capsys):
    server = request.getfixturevalue(name)
    uri = server.uri(**{"Path_prefix" if "azurite" in name else "path_prefix": prefix})
    code, rows = run(capsys, uri)
    assert code == 0
    assert [key for key in rows if key in FIVE] == FIVE
    assert all(row["ok"] is not False for row in rows.values())
    for key in (*FIVE, "connection", "clock", "conditional writes", "round trip (1 kB read)"):
        assert rows[key]["ok"] is True
    assert rows["round trip (1 kB read)"]["milliseconds"] > 0
    from coldframe.stores.object_uri import parse

    assert list(parse(uri).requests.pages(prefix, "")) == []


def test_the_table(ministack_server, prefix, capsys):
    assert main(["check", ministack_server.uri(path_prefix=prefix)]) == 0
    text = capsys.readouterr().out
    assert "✓ PutObject" in text
    assert "✗" not in text
    assert ministack_server.secret_key not in text
    assert main(["check", ministack_server.uri(path_prefix=prefix, secret="wrong")]) == 1
    out = capsys.readouterr()
    assert "✗ PutObject" in out.out
    assert "→" in out.out
    assert "check the secret" in out.out


@pytest.mark.parametrize("missing", ALL_ACTIONS)
@pytest.mark.parametrize("name", ["ministack_server", "ceph_server"])
def test_a_missing_permission(name, missing, request, prefix, capsys):
    if (name, missing) == ("ceph_server", "s3:GetObject"):
        pytest.skip("on Ceph whoever has written an object may read it")
    server = request.getfixturevalue(name)
    user = make_user(server, [action for action in ALL_ACTIONS if action != missing])
    code, rows = run(capsys, server.uri(path_prefix=prefix, access=user.access_key, secret=user.secret_key))
    assert code == 1
    failed = {key for key, row in rows.items() if row["ok"] is False}
    operation = {"s3:GetObject": "GetObject", "s3:PutObject": "PutObject", "s3:DeleteObject": "DeleteObject",
                 "s3:ListBucket": "ListObjectsV2"}[missing]
    assert operation in failed
    assert missing in rows[operation]["remedy"]
    assert failed == {operation}
    from coldframe.stores.object_uri import parse

    assert list(parse(server.uri()).requests.pages(prefix, "")) == []


def test_reading_only_writes_nothing(ministack_server, prefix, proxy, capsys):
    user = make_user(ministack_server, ["s3:GetObject", "s3:ListBucket"])
    uri = ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix, access=user.access_key,
                               secret=user.secret_key)
    code, rows = run(capsys, "--read-only", uri)
    assert code == 0
    assert not {"PutObject", "DeleteObject", "conditional writes"} & set(rows)
    assert {seen.method for seen in proxy.log if seen.target != "/"} <= {"GET", "HEAD"}  # to / go questions to STS
    assert proxy.count("PUT", "DELETE") == 0


def test_a_store_without_conditional_writes(rclone_server, prefix, capsys):
    code, rows = run(capsys, rclone_server.uri(path_prefix=prefix))
    assert code == 1
    assert rows["conditional writes"]["ok"] is False
    assert "unsafe_writes=true" in rows["conditional writes"]["remedy"]
    code, rows = run(capsys, rclone_server.uri(path_prefix=prefix, unsafe_writes="true"))
    assert code == 0


@pytest.mark.parametrize(("uri", "name", "words"), [
    ("s3://127.0.0.1:b?port=1&access=a&secret=b", "connection", "refused"),
    ("s3://no-such-host.invalid:b?access=a&secret=b", "connection", "no-such-host.invalid"),
])
def test_a_server_that_is_not_there(uri, name, words, capsys):
    code, rows = run(capsys, uri)
    assert code == 1
    assert list(rows) == [name]
    assert words in rows[name]["found"]


def test_tls(ministack_tls, prefix, capsys):
    code, rows = run(capsys, ministack_tls.uri(path_prefix=prefix, CA_cert_path=ministack_tls.ca_bundle))
    assert code == 0
    assert rows["TLS"]["ok"] is True
    assert "TLSv1" in rows["TLS"]["found"]
    code, rows = run(capsys, ministack_tls.uri(path_prefix=prefix))
    assert code == 1
    assert "CA_cert_path" in rows["TLS"]["remedy"]
    assert "PutObject" not in rows


def test_temporary_credentials_say_until_when(ministack_server, prefix, monkeypatch, tmp_path, capsys):
    from coldframe.testing.servers.identities import allow_assuming, make_role, write_aws_files

    user = make_user(ministack_server)
    allow_assuming(ministack_server, user)
    arn = make_role(ministack_server, [user.arn], ALL_ACTIONS)
    profiles = {"base": {}, "role": {"role_arn": arn, "source_profile": "base"}}
    for name, value in write_aws_files(tmp_path, ministack_server, {"base": user}, profiles).items():
        monkeypatch.setenv(name, value)
    code, rows = run(capsys, ministack_server.uri(path_prefix=prefix, aws_auth="sts", aws_profile="role"))
    assert code == 0
    assert "until 20" in rows["credentials"]["found"]
    assert "profile 'role'" in rows["credentials"]["found"]
    assert arn.rpartition("/")[2] in rows["identity"]["found"]
    code, rows = run(capsys, ministack_server.uri(path_prefix=prefix, aws_auth="sts", aws_profile="none"))
    assert code == 1
    assert "check the profile's name" in rows["credentials"]["remedy"]


def test_a_clock_that_is_wrong(ministack_server, prefix, monkeypatch, capsys):
    from coldframe.cli import surroundings

    real = surroundings.time.time
    monkeypatch.setattr(surroundings.time, "time", lambda: real() + 700)
    code, rows = run(capsys, ministack_server.uri(path_prefix=prefix))
    assert code == 1
    assert "s ahead of the server's" in rows["clock"]["found"]
    assert "timedatectl" in rows["clock"]["remedy"]


@pytest.mark.parametrize("arguments", [
    ["check", "s3://h:b?prt=1"], ["check", "ftp://h"], ["check", "lmdb://x"], ["policy", "gs://bucket"],
])
def test_what_cannot_be_checked(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err
