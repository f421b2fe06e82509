"""The least rights that a connection string needs: IAM policies for its bucket and prefix, and how to install them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from coldframe.exceptions import UserInputException
from coldframe.stores.credentials.aws import Chain, Role
from coldframe.stores.object_target import Target
from coldframe.stores.object_uri import parse

READ = ("s3:GetObject",)
WRITE = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
_ARN = re.compile(r"arn:[\w-]+:iam:[\w-]*:(?P<account>\d*):role/(?P<name>.+)")


@dataclass(frozen=True)
class Policies:
    """The policies of one connection string.

    Attributes
    ----------
    access : dict
        What the user, or the role, may do with the bucket.
    trust, assume : dict, optional
        Who may assume the role; what lets a user ask for it.
    commands : list of str
        Commands of the `aws` program that install them.
    """

    access: dict[str, Any]
    trust: dict[str, Any] | None = None
    assume: dict[str, Any] | None = None
    commands: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        found: dict[str, Any] = {"access": self.access, "trust": self.trust, "assume": self.assume}
        return {name: policy for name, policy in found.items() if policy} | {"commands": self.commands}

    def script(self) -> str:
        """A shell script that writes the policies into files and installs them."""
        parts = []
        for name, policy in (("access", self.access), ("trust", self.trust), ("assume", self.assume)):
            if policy:
                parts.append(f"cat > coldframe-{name}.json <<'JSON'\n{json.dumps(policy, indent=2)}\nJSON\n")
        return "".join(parts) + "".join(f"{command}\n" for command in self.commands)


def policies(uri: str, *, read_only: bool = False, sts: bool = False, user: str = "", role: str = "",
             account: str = "") -> Policies:
    """The policies that a connection string to S3 needs.

    Parameters
    ----------
    uri : str
    read_only : bool
        Only reading.
    sts : bool
        For a role that a user assumes.
    user, role, account : str
        Names to put in; what the connection string or its profile says is taken where they are empty.

    Examples
    --------
    >>> found = policies("s3://s3.eu-west-1.amazonaws.com:prices?path_prefix=team&aws_auth=true", read_only=True)
    >>> [statement["Action"] for statement in found.access["Statement"]]
    [['s3:ListBucket'], ['s3:GetObject']]
    """
    storage = parse(uri, read_only=True)
    if storage.target.kind != "s3" or uri.startswith("gcpxml"):
        raise UserInputException("coldframe policy knows the policies of S3; for Azure give the role Storage Blob Data "
                                 "Contributor, for Google Cloud Storage roles/storage.objectUser, on the container")
    provider = storage.requests.keyring.provider
    partition = _partition(storage.target)
    arn, external = _role_of(provider)
    arn = role or arn
    if not (match := _ARN.fullmatch(arn)):
        arn = f"arn:{partition}:iam::{account or '123456789012'}:role/{arn or 'coldframe'}"
        match = _ARN.fullmatch(arn)
    name, number = (match["name"], match["account"]) if match else ("coldframe", "")
    user = user or "USER"
    principal = f"arn:{partition}:iam::{account or number or '123456789012'}:user/{user}"
    access = access_policy(storage.target, read_only=read_only)
    if not sts:
        command = (f"aws iam put-user-policy --user-name {user} --policy-name coldframe "
                   "--policy-document file://coldframe-access.json")
        return Policies(access, commands=[command])
    return Policies(access, _trust(principal, external), _statement("sts:AssumeRole", arn), [
        f"aws iam create-role --role-name {name} --assume-role-policy-document file://coldframe-trust.json",
        (f"aws iam put-role-policy --role-name {name} --policy-name coldframe "
         "--policy-document file://coldframe-access.json"),
        (f"aws iam put-user-policy --user-name {user} --policy-name coldframe-assume "
         "--policy-document file://coldframe-assume.json"),
    ])


def access_policy(target: Target, *, read_only: bool) -> dict[str, Any]:
    """What may be done with a target's bucket and prefix."""
    bucket = f"arn:{_partition(target)}:s3:::{target.bucket}"
    listing: dict[str, Any] = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]}
    if target.prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [f"{target.prefix}/*"]}}
    objects = f"{bucket}/{target.prefix}/*" if target.prefix else f"{bucket}/*"
    using = {"Effect": "Allow", "Action": list(READ if read_only else WRITE), "Resource": [objects]}
    return {"Version": "2012-10-17", "Statement": [listing, using]}


def _trust(principal: str, external: str) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": [principal]}, "Action": ["sts:AssumeRole"]}
    if external:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _statement(action: str, resource: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": [resource]}]}


def _partition(target: Target) -> str:
    if target.region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if target.region.startswith("us-gov-") else "aws"


def _role_of(provider: object) -> tuple[str, str]:
    """ARN and external id of the role that a connection string or its profile names."""
    if isinstance(provider, Role):
        return provider.arn, provider.external_id
    if isinstance(provider, Chain):
        return provider.role()
    return "", ""
