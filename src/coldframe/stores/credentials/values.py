"""Credentials as a value that does not print its secrets, and what a provider of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from coldframe.exceptions import UserInputException


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key with its secret.

    Attributes
    ----------
    access_key, secret_key, token : str
        The token is empty unless the key is temporary.
    expires : float, optional
        When, in seconds since 1970; None: not known or never.
    fixed : bool
        Whether asking again would give the same.

    Examples
    --------
    >>> Credentials("AKIA", "hush")
    Credentials(access_key='AKIA', expires=None, fixed=False)
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires: float | None = None
    fixed: bool = False


class Provider(Protocol):
    """Something that can be asked for credentials again and again."""

    def fetch(self) -> Credentials:
        """Fresh credentials; raises `PermissionException` that says what failed."""

    def describe(self) -> str:
        """Where they come from, for errors: ``profile 'research'``."""


_SPELLINGS = {
    "access_key": ("access_key", "access_key_id", "AccessKeyId", "aws_access_key_id", "access"),
    "secret_key": ("secret_key", "secret_access_key", "SecretAccessKey", "aws_secret_access_key", "secret"),
    "token": ("token", "session_token", "SessionToken", "aws_session_token", "Token"),
    "expires": ("expires", "expires_at", "Expiration", "expiry_time", "expiration", "expiry"),
}


def from_answer(answer: Any) -> Credentials:
    """Credentials from what a user's callable returned: a mapping or an object, as boto3, STS or obstore spell it.

    Examples
    --------
    >>> from_answer({"AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "2030-01-01T00:00:00Z"}).expires
    1893456000.0
    """
    if isinstance(answer, Credentials):
        return answer
    if hasattr(answer, "get_frozen_credentials"):
        answer = answer.get_frozen_credentials()
    found: dict[str, Any] = {}
    for name, spellings in _SPELLINGS.items():
        for spelling in spellings:
            value = answer.get(spelling) if isinstance(answer, Mapping) else getattr(answer, spelling, None)
            if value is not None:
                found[name] = value
                break
    if not found.get("access_key") or not found.get("secret_key"):
        raise UserInputException(
            "the credentials callable must return a mapping with access_key, secret_key and, for temporary keys, "
            f"token and expires; got {type(answer).__name__} with {_names(answer)}")
    return Credentials(str(found["access_key"]), str(found["secret_key"]), str(found.get("token") or ""),
                       _seconds(found.get("expires")))


def _names(answer: Any) -> str:
    names = list(answer) if isinstance(answer, Mapping) else []
    return ", ".join(str(name) for name in names) or "no such names"


def _seconds(moment: Any) -> float | None:
    if moment is None or isinstance(moment, int | float):
        return moment
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise UserInputException(
        f"credentials say when they expire as a datetime, an ISO 8601 text or seconds since 1970, not as a "
        f"{type(moment).__name__}")
