"""The credentials in use: fetched once for all threads, renewed before they expire and when they are refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from coldframe.exceptions import PermissionException
from coldframe.stores import fork
from coldframe.stores.credentials.values import Credentials, Provider

_log = logging.getLogger("coldframe.s3")

# Renew this long before the end, but not before four fifths of the time are over.
EARLY = 300.0
SHARE = 0.2
# After a failed renewal of credentials that still work, wait this long before the next.
PAUSE = 10.0


class Keyring:
    """Holds one provider's current credentials.

    Parameters
    ----------
    provider : Provider, optional
        None: requests are anonymous.
    clock : callable
    """

    def __init__(self, provider: Provider | None, clock: Callable[[], float] = time.time) -> None:
        self.provider = provider
        self._clock = clock
        self._lock = threading.Lock()
        self._current: Credentials | None = None
        self._renew_at = float("inf")
        fork.renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Replace what a forked child must not use."""
        self._lock = threading.Lock()

    def __call__(self) -> Credentials | None:
        """The credentials to use now; None: anonymous."""
        if self.provider is None:
            return None
        current = self._current
        if current is not None and self._clock() < self._renew_at:
            return current
        with self._lock:
            if self._current is None or self._clock() >= self._renew_at:
                self._fetch()
            return self._current

    def refused(self, used: Credentials | None) -> bool:
        """The server refused `used`: fetch others. Whether there are others."""
        if self.provider is None or (used is not None and used.fixed):
            return False
        with self._lock:
            if self._current is used:
                before, self._current = self._current, None
                try:
                    self._fetch()
                except PermissionException:
                    self._current = before
                    raise
            return self._current != used

    def _fetch(self) -> None:
        assert self.provider is not None  # noqa: S101 - callers have looked
        try:
            fetched = self.provider.fetch()
        except Exception as error:
            current = self._current
            if current is None or current.expires is None or self._clock() >= current.expires:
                raise
            self._renew_at = self._clock() + min(PAUSE, max(0.1, (current.expires - self._clock()) / 2))
            _log.warning("renewing the credentials of %s failed, the old ones still work: %s",
                         self.provider.describe(), error)
            return
        now = self._clock()
        self._current = fetched
        self._renew_at = float("inf")
        if fetched.expires is not None:
            self._renew_at = fetched.expires - min(EARLY, SHARE * max(0.0, fetched.expires - now))

    def describe(self) -> str:
        """What it is, without secrets."""
        return self.provider.describe() if self.provider is not None else ""
