"""How long to keep trying, and how long to wait between attempts: decisions without a clock of their own."""

from __future__ import annotations

import random
from dataclasses import dataclass

from coldframe.stores.object_failures import TRANSIENT, Failure, Kind

_CONNECTING = frozenset({Kind.REFUSED, Kind.DNS, Kind.CONNECT})


@dataclass(frozen=True, slots=True)
class Patience:
    """Capped exponential backoff with full jitter, bounded in time.

    Attributes
    ----------
    total : float
        Seconds from the first attempt after which no further one is started.
    connecting : float
        The same while nothing answers at all: a wrong host or port is reported soon.
    first, cap : float
        The first wait is up to `first` seconds, then doubling, up to `cap`.
    """

    total: float = 60.0
    connecting: float = 3.0
    first: float = 0.05
    cap: float = 5.0

    def wait(self, failure: Failure, attempts: int, seconds: float, chance: random.Random) -> float | None:
        """Seconds to wait before the next attempt; None: give up.

        Parameters
        ----------
        failure : Failure
            What the last attempt met.
        attempts : int
            How many have been made.
        seconds : float
            Since the first attempt began.
        chance : random.Random

        Examples
        --------
        >>> Patience().wait(Failure(Kind.DENIED), 1, 0.1, random.Random(1)) is None
        True
        >>> 0 < Patience().wait(Failure(Kind.RESET), 1, 0.1, random.Random(1)) <= 0.05
        True
        """
        if failure.kind not in TRANSIENT:
            return None
        limit = min(self.connecting, self.total) if failure.kind in _CONNECTING else self.total
        wait = min(self.cap, self.first * 2.0 ** min(attempts - 1, 30)) * (0.2 + 0.8 * chance.random())
        return wait if seconds + wait < limit else None
