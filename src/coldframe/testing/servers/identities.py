"""Users, roles and policies on a test server, and the AWS files that name them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coldframe.testing.servers.processes import S3Server, run

ALL_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")


def allow(actions: Sequence[str], resources: Sequence[str], **more: object) -> str:
    """A policy that allows `actions` on `resources`.

    Without spaces: Ceph 16 does not decode a plus sign in a POST body.
    """
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


@dataclass(frozen=True)
class User:
    """A user of a test server with one access key."""

    name: str
    arn: str
    access_key: str
    secret_key: str


def make_user(server: S3Server, actions: Sequence[str] = (), *, prefix: str = "*") -> User:
    """A user who may do `actions` on the server's bucket, and nothing else."""
    name = "user" + uuid.uuid4().hex[:8]
    iam = server.client("iam")
    if server.name == "ceph":
        env = {**os.environ, "CEPH_CONF": str(server.config_file)}
        command = ["radosgw-admin", "user", "create", f"--uid={name}", f"--display-name={name}"]
        made = json.loads(run(command, why="radosgw-admin user create", env=env))["keys"][0]
        user = User(name, f"arn:aws:iam:::user/{name}", made["access_key"], made["secret_key"])
    else:
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        made = iam.create_access_key(UserName=name)["AccessKey"]
        user = User(name, arn, made["AccessKeyId"], made["SecretAccessKey"])
    if actions:
        iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=allow(actions, _resources(server, prefix)))
    return user


def allow_assuming(server: S3Server, user: User) -> None:
    """Let a user ask for roles; which of them say yes is in their trust policies."""
    server.client("iam").put_user_policy(
        UserName=user.name, PolicyName="assume", PolicyDocument=allow(["sts:AssumeRole"], ["*"]))


def make_role(server: S3Server, trusted: Sequence[str], actions: Sequence[str], *,
              condition: Mapping[str, object] | None = None) -> str:
    """A role that the `trusted` ARNs may assume and that may do `actions` on the bucket; its ARN."""
    name = "role" + uuid.uuid4().hex[:8]
    statement: dict[str, object] = {
        "Effect": "Allow", "Principal": {"AWS": list(trusted)}, "Action": ["sts:AssumeRole"]}
    if condition:
        statement["Condition"] = condition
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    iam = server.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="s3", PolicyDocument=allow(
        [*actions, "sts:AssumeRole"] if server.name != "ceph" else list(actions), [*_resources(server, "*"), "*"]
        if server.name != "ceph" else _resources(server, "*")))
    return arn


def _resources(server: S3Server, prefix: str) -> list[str]:
    return [f"arn:aws:s3:::{server.bucket}", f"arn:aws:s3:::{server.bucket}/{prefix}"]


def write_aws_files(folder: Path, server: S3Server, credentials: Mapping[str, User],
                    profiles: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Write a config and a credentials file; the environment variables that point at them."""
    folder.mkdir(parents=True, exist_ok=True)
    config, secrets = folder / "config", folder / "credentials"
    secrets.write_text("".join(
        f"[{name}]\naws_access_key_id = {user.access_key}\naws_secret_access_key = {user.secret_key}\n"
        for name, user in credentials.items()))
    bundle = f"ca_bundle = {server.ca_bundle}\n" if server.ca_bundle else ""
    parts = []
    for name, pairs in profiles.items():
        lines = "".join(f"{key} = {value}\n" for key, value in pairs.items())
        parts.append(f"[profile {name}]\nregion = {server.region}\nservices = local\n"
                     f"parameter_validation = false\n{bundle}{lines}")
    config.write_text("".join(parts) + f"[services local]\nsts =\n  endpoint_url = {server.endpoint}\n"
                      f"s3 =\n  endpoint_url = {server.endpoint}\n")
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(secrets)}
