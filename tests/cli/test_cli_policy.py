"""`coldframe policy`: what it prints is enough, and nothing in it can be left out."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from dataclasses import replace

import pytest

from coldframe.cli.main import main
from coldframe.cli.policy import policies
from coldframe.exceptions import PermissionException
from coldframe.stores.object_uri import parse
from coldframe.testing.servers.identities import make_user


def install(server, user, document, name="coldframe"):
    server.client("iam").put_user_policy(UserName=user.name, PolicyName=name,
                                         PolicyDocument=json.dumps(document, separators=(",", ":")))


def everything(uri):
    storage = parse(uri)
    storage.create("lib", "library", b"options")
    store = storage.store("lib")
    tag = store.swap("head", b"one", None)
    store.swap("head", b"two", tag)
    store.put_many((f"data/{number}", b"x") for number in range(3))
    assert [found.data for found in store.get_many(["head", "data/1"])] == [b"two", b"x"]
    assert len(list(store.list("data/"))) == 3
    assert storage.names() == ["lib"]
    storage.drop("lib")


@pytest.mark.parametrize("name", ["ministack_server", "ceph_server"])
@pytest.mark.parametrize("folder", [True, False])
def test_it_is_enough_and_not_more(name, folder, request, prefix):
    server = request.getfixturevalue(name)
    if not folder:
        server = replace(server, bucket=f"bucket-{prefix}")
        server.client().create_bucket(Bucket=server.bucket)
    user = make_user(server)
    options = {"path_prefix": prefix} if folder else {}
    uri = server.uri(access=user.access_key, secret=user.secret_key, **options)
    document = policies(uri).access
    install(server, user, document)
    everything(uri)
    for at, statement in enumerate(document["Statement"]):
        for action in statement["Action"]:
            if (server.name, action) == ("ceph", "s3:GetObject"):
                continue  # there whoever has written an object may read it
            lesser = copy.deepcopy(document)
            lesser["Statement"][at]["Action"].remove(action)
            lesser["Statement"] = [part for part in lesser["Statement"] if part["Action"]]
            install(server, user, lesser)
            with pytest.raises(PermissionException, match=action):
                everything(uri)
            parse(server.uri(**options)).drop("lib")


@pytest.mark.parametrize("name", ["ministack_server", "ceph_server"])
def test_other_folders_are_out_of_reach(name, request, prefix):
    server = request.getfixturevalue(name)
    user = make_user(server)
    mine = server.uri(access=user.access_key, secret=user.secret_key, path_prefix=f"{prefix}/mine")
    yours = server.uri(access=user.access_key, secret=user.secret_key, path_prefix=f"{prefix}/yours")
    install(server, user, policies(mine).access)
    everything(mine)
    for work in (parse(yours).names, lambda: parse(yours).store("lib").get("head"),
                 lambda: parse(yours).create("lib", "library", b"")):
        with pytest.raises(PermissionException):
            work()


def test_reading_only(ministack_server, prefix):
    parse(ministack_server.uri(path_prefix=prefix)).create("lib", "library", b"options")
    user = make_user(ministack_server)
    uri = ministack_server.uri(access=user.access_key, secret=user.secret_key, path_prefix=prefix)
    install(ministack_server, user, policies(uri, read_only=True).access)
    storage = parse(uri)
    assert storage.names() == ["lib"]
    assert storage.store("lib").get("library").data == b"options"
    with pytest.raises(PermissionException, match="s3:PutObject"):
        storage.store("lib").put("a", b"")


def test_a_role(ministack_server, prefix):
    server = ministack_server
    user = make_user(server)
    role = f"role-{prefix}"
    base = server.uri(access=user.access_key, secret=user.secret_key, path_prefix=prefix, aws_auth="sts",
                      sts_endpoint=server.endpoint, external_id="7",
                      role_arn=f"arn:aws:iam::000000000000:role/{role}")
    uri = f"{base}&access={user.access_key}&secret={user.secret_key}"
    found = policies(uri, sts=True, user=user.name)
    iam = server.client("iam")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(found.trust))
    iam.put_role_policy(RoleName=role, PolicyName="coldframe", PolicyDocument=json.dumps(found.access))
    with pytest.raises(PermissionException, match="sts:AssumeRole"):
        everything(uri)
    install(server, user, found.assume, "assume")
    everything(uri)
    with pytest.raises(PermissionException, match="external_id"):
        everything(uri.replace("external_id=7", "external_id=8"))


def test_the_script_is_a_shell_script(tmp_path, capsys):
    uri = "s3://s3.eu-west-1.amazonaws.com:prices?path_prefix=team&aws_auth=true"
    assert main(["policy", "--sts", "--user", "ann", "--account", "210987654321", uri]) == 0
    script = capsys.readouterr().out
    (tmp_path / "aws").write_text('#!/bin/sh\necho "$@" >> commands\n')
    (tmp_path / "aws").chmod(0o755)
    subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, check=True,
                   env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    trust = json.loads((tmp_path / "coldframe-trust.json").read_text())
    assert trust["Statement"][0]["Principal"]["AWS"] == ["arn:aws:iam::210987654321:user/ann"]
    access = json.loads((tmp_path / "coldframe-access.json").read_text())
    assert access["Statement"][1]["Resource"] == ["arn:aws:s3:::prices/team/*"]
    commands = (tmp_path / "commands").read_text()
    assert "create-role --role-name coldframe" in commands
    assert "put-user-policy --user-name ann" in commands


def test_the_role_of_a_profile(monkeypatch, tmp_path, capsys):
    config = tmp_path / "config"
    config.write_text("[profile p]\nrole_arn = arn:aws-cn:iam::111122223333:role/path/reader\nexternal_id = x9\n"
                      "source_profile = q\nregion = cn-north-1\n[profile q]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    uri = "s3://s3.cn-north-1.amazonaws.com.cn:b?aws_auth=sts&aws_profile=p"
    assert main(["policy", "--sts", "--json", uri]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["assume"]["Statement"][0]["Resource"] == ["arn:aws-cn:iam::111122223333:role/path/reader"]
    assert found["trust"]["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "x9"}}
    assert found["access"]["Statement"][0]["Resource"] == ["arn:aws-cn:s3:::b"]
