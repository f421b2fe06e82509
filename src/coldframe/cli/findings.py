"""What `coldframe check` finds, one row per question."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One finding.

    Attributes
    ----------
    name : str
    ok : bool, optional
        None: could not be found out, or does not apply.
    found, remedy : str
    milliseconds : float, optional
    """

    name: str
    ok: bool | None
    found: str = ""
    remedy: str = ""
    milliseconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def passed(name: str, found: str = "", remedy: str = "", milliseconds: float | None = None) -> Row:
    """Something that is as it should be."""
    return Row(name, ok=True, found=found, remedy=remedy, milliseconds=milliseconds)


def failed(name: str, found: str = "", remedy: str = "", milliseconds: float | None = None) -> Row:
    """Something that must be put right."""
    return Row(name, ok=False, found=found, remedy=remedy, milliseconds=milliseconds)


def unknown(name: str, found: str = "", remedy: str = "", milliseconds: float | None = None) -> Row:
    """Something that cannot be found out, or does not apply."""
    return Row(name, ok=None, found=found, remedy=remedy, milliseconds=milliseconds)
