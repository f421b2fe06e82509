"""Credentials as every AWS tool finds them: boto3's chain, profiles with roles, and roles named in the URI."""

from __future__ import annotations

import os
from typing import Any

from coldframe.exceptions import PermissionException
from coldframe.stores.credentials.fixed import Fixed
from coldframe.stores.credentials.values import Credentials, from_answer
from coldframe.stores.object_target import Trust
from coldframe.stores.tls import certificates_file


def configured_region(profile: str = "") -> str:
    """The region that the environment or the profile names; empty if none does."""
    told = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if told and not profile:
        return told
    from botocore.exceptions import BotoCoreError

    try:
        return _session(profile).get_config_variable("region") or told or ""
    except BotoCoreError:
        return told or ""


class Chain:
    """Environment, shared files, profile, `credential_process`, SSO, web identity, ECS, IMDSv2: botocore's own order.

    Each time it is asked it begins anew, so that changed files and environment variables are seen.
    """

    def __init__(self, profile: str = "", *, trust: Trust | None = None, needs_role: bool = False) -> None:
        self.profile = profile
        self._trust = trust or Trust()
        self._needs_role = needs_role

    def describe(self) -> str:
        """What it is, without secrets."""
        profile = self.profile or os.environ.get("AWS_PROFILE", "")
        return f"profile {profile!r}" if profile else "AWS's default credential chain"

    def fetch(self) -> Credentials:
        """Fresh credentials."""
        try:
            session = _session(self.profile, self._trust)
            self._check_role(session)
            found = session.get_credentials()
            self._check_found(session, found)
            frozen = from_answer(found.get_frozen_credentials())
        except PermissionException:
            raise
        except Exception as error:
            raise PermissionException(self._failed(error)) from error
        return _dated(frozen, found)

    def role(self) -> tuple[str, str]:
        """ARN and external id of the role that the profile names; empty where it names none."""
        from botocore.exceptions import BotoCoreError

        try:
            profile = _session(self.profile).get_scoped_config()
        except BotoCoreError:
            return "", ""
        return str(profile.get("role_arn", "")), str(profile.get("external_id", ""))

    def _check_role(self, session: Any) -> None:
        if self._needs_role and "role_arn" not in session.get_scoped_config():
            raise PermissionException(
                f"Permission error: profile {self.profile!r} in {_config_file(session)} has no role_arn; "
                "aws_auth=sts needs role_arn and source_profile there, aws_auth=true takes the profile as it is")

    def _check_found(self, session: Any, found: Any) -> None:
        if found is None:
            raise PermissionException(
                f"Permission error: {self.describe()} has no credentials: set AWS_ACCESS_KEY_ID and "
                f"AWS_SECRET_ACCESS_KEY, or write a profile into {_config_file(session)}, or give access and "
                "secret in the connection string")

    def _failed(self, error: Exception) -> str:
        file = os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")
        return (f"Permission error: no credentials from {self.describe()} (config file {file}): "
                f"{type(error).__name__}: {_one_line(error)}{_remedy(error)}")


class Role:
    """A role named in the connection string, assumed with a given key or with those of a profile."""

    def __init__(self, arn: str, *, profile: str = "", base: Fixed | None = None, external_id: str = "",
                 session_name: str = "", seconds: int = 0, endpoint: str = "", region: str = "",
                 trust: Trust | None = None) -> None:
        self.arn = arn
        self.external_id = external_id
        self._profile = profile
        self._base = base
        self._request: dict[str, Any] = {"RoleArn": arn, "RoleSessionName": session_name or f"coldframe-{os.getpid()}"}
        if external_id:
            self._request["ExternalId"] = external_id
        if seconds:
            self._request["DurationSeconds"] = seconds
        self._endpoint = endpoint
        self._region = region
        self._trust = trust or Trust()

    def describe(self) -> str:
        """What it is, without secrets."""
        return f"role {self.arn}"

    def fetch(self) -> Credentials:
        """Fresh credentials."""
        from botocore.config import Config

        base = self._base.fetch() if self._base else Chain(self._profile, trust=self._trust).fetch()
        try:
            session = _session(self._profile, self._trust)
            region = self._region or session.get_config_variable("region") or "us-east-1"
            # The server says which durations it allows; botocore would refuse short ones by itself.
            client = session.create_client(
                "sts", region_name=region, endpoint_url=self._endpoint or None, aws_access_key_id=base.access_key,
                aws_secret_access_key=base.secret_key, aws_session_token=base.token or None,
                config=Config(parameter_validation=False, connect_timeout=5, read_timeout=20,
                              retries={"total_max_attempts": 3, "mode": "standard"}))
            answer = client.assume_role(**self._request)
        except Exception as error:
            who = self._base.describe() if self._base else Chain(self._profile).describe()
            raise PermissionException(
                f"Permission error: sts:AssumeRole of {self.arn} with {who} failed: {type(error).__name__}: "
                f"{_one_line(error)}{_remedy(error)}") from error
        return from_answer(answer["Credentials"])


def _session(profile: str, trust: Trust | None = None) -> Any:
    """A session that accepts the same certificates as the object store, where it is going to talk to anybody."""
    import botocore.session

    session = botocore.session.Session(profile=profile or None)
    if trust is not None:
        told = session.get_config_variable("ca_bundle")
        bundle = certificates_file(trust, besides=str(told or ""))
        if bundle != "":
            session.set_config_variable("ca_bundle", bundle)
    return session


def _dated(credentials: Credentials, found: Any) -> Credentials:
    """With the moment of expiry, which botocore keeps to itself."""
    expires = getattr(found, "_expiry_time", None)
    seconds = expires.timestamp() if expires is not None else None
    return Credentials(credentials.access_key, credentials.secret_key, credentials.token, seconds)


def _config_file(session: Any) -> str:
    return str(session.get_config_variable("config_file") or "~/.aws/config")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _remedy(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    for sign, remedy in _REMEDIES:
        if sign in text:
            return f"; {remedy}"
    return f"; {_ROLE}" if "AssumeRole" in text else ""


_ROLE = ("check role_arn, that the role's trust policy names this user or role (and the external_id), and that the "
         "user may do sts:AssumeRole; `coldframe policy --sts` prints both policies")
_REMEDIES = (
    ("ProfileNotFound", "check the profile's name and AWS_CONFIG_FILE"),
    ("InfiniteLoopConfig", "the profiles' source_profile entries go in a circle"),
    ("InvalidConfig", (
        "correct the profile: role_arn needs source_profile or credential_source, and the source profile must exist "
        "and have credentials")),
    ("InvalidClientTokenId", "the source profile's access key is not known: check it"),
    ("SignatureDoesNotMatch", "the source profile's secret is wrong: check it"),
    ("ExpiredToken", "the source profile's own token has expired: renew it (for SSO: `aws sso login`)"),
    ("NoSuchEntity", "there is no such role: check role_arn"),
    ("AccessDenied", _ROLE),
    ("TokenRetrieval", "sign in again: `aws sso login`"),
    ("UnauthorizedSSOToken", "sign in again: `aws sso login`"),
    ("SSOTokenLoad", "sign in first: `aws sso login`"),
    ("EndpointConnection", "check the network and the STS endpoint (AWS_ENDPOINT_URL_STS, services in the profile)"),
    ("SSL", "give the authority's certificate with CA_cert_path or AWS_CA_BUNDLE"),
    ("CredentialRetrieval", "run the credential_process by hand to see what it says"),
)
