"""What survives a fork: locks are renewed in the child, and whether obstore may still be used there is known.

obstore's threads do not exist in a forked child, and any call there would wait for them for ever.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Protocol


class Renewable(Protocol):
    """An object with locks or connections that a forked child must replace."""

    def renew_after_fork(self) -> None:
        """Called in the child, before anything else of ours runs there."""


_renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()
_state = {"imported": False, "used": False, "lost": False}


def renew_in_child(renewable: Renewable) -> None:
    """Call `renewable.renew_after_fork()` in every process forked from this one."""
    _renewables.add(renewable)


def importing_obstore() -> None:
    """Note that obstore is imported by us, so that its mere presence does not mean that others used it."""
    if "obstore" not in sys.modules:
        _state["imported"] = True


def using_obstore() -> None:
    """Note that obstore's threads are about to be started in this process."""
    _state["used"] = True


def obstore_is_lost() -> bool:
    """Whether this process was forked from one that used obstore."""
    return _state["lost"]


def _after_fork_in_child() -> None:
    used_by_others = "obstore" in sys.modules and not _state["imported"]
    _state["lost"] = _state["lost"] or _state["used"] or used_by_others
    _state["used"] = False
    for renewable in list(_renewables):
        renewable.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
