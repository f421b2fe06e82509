"""What is not a race but a limit: a measured value of each side and the most (or least) it may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One measured value.

    Attributes
    ----------
    name, unit : str
        As in the table of results.
    theirs, ours : float
        The value of either side; of theirs NaN where it has none.
    wanted : float or None
        What `ours` may be at most; None: for information.
    """

    name: str
    unit: str
    theirs: float
    ours: float
    wanted: float | None = None
    error: str = ""

    @property
    def verdict(self) -> str:
        """Whether the limit is kept."""
        if self.error:
            return "failed"
        if self.wanted is None:
            return ""
        return "kept" if self.ours <= self.wanted else "exceeded"
