"""Credentials that are given: in the connection string, or by a callable of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coldframe.exceptions import ArcticException, PermissionException
from coldframe.stores.credentials.values import Credentials, from_answer


class Fixed:
    """A key that does not change."""

    def __init__(self, access_key: str, secret_key: str, token: str = "") -> None:
        self._credentials = Credentials(access_key, secret_key, token, fixed=True)

    def fetch(self) -> Credentials:
        """Fresh credentials."""
        return self._credentials

    def describe(self) -> str:
        """What it is, without secrets."""
        return f"access key {self._credentials.access_key}"


class Called:
    """A user's callable, asked again when what it returned expires or is refused."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def fetch(self) -> Credentials:
        """Fresh credentials."""
        try:
            return from_answer(self.function())
        except ArcticException:
            raise
        except Exception as error:
            raise PermissionException(
                f"Permission error: {self.describe()} failed with {type(error).__name__}: {error}") from error

    def describe(self) -> str:
        """What it is, without secrets."""
        return f"the credentials callable {getattr(self.function, '__qualname__', type(self.function).__name__)}"
