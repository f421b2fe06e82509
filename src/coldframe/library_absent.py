"""What ArcticDB's `Library` has and this one does not: asking for it says so, and what to use instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from coldframe.exceptions import ArcticDbNotYetImplemented, ErrorCode
from coldframe.operations.arguments import parse_flag

_STAGING = "Use append or write: any number of programs may append to one symbol at once, and no row is lost."
_COMPACTION = "Use append as it is: small appends merge by themselves. A read and a write store a symbol anew."
_TOOLS = "Use verify, reclaim, list_versions and get_description."

ABSENT: dict[str, str] = {
    "stage": _STAGING,
    "finalize_staged_data": _STAGING,
    "sort_and_finalize_staged_data": _STAGING,
    "delete_staged_data": _STAGING,
    "get_staged_symbols": _STAGING,
    "merge_experimental": "Use update for stretches of time, or read, merge with pandas and write.",
    "compact_data": _COMPACTION,
    "compact_data_batch": _COMPACTION,
    "compact_data_explain_plan": _COMPACTION,
    "is_symbol_fragmented": _COMPACTION,
    "defragment_symbol_data": _COMPACTION,
    "admin_tools": _TOOLS,
    "_dev_tools": _TOOLS,
    "_nvs": "Use the calls of Library, which is the one interface there is.",
}
"""Calls that are not there, and what to use instead."""


class _NotThere(ArcticDbNotYetImplemented, AttributeError):
    """Also an AttributeError, so that `hasattr` says no and programs can choose another way."""


class LibraryAbsent:
    """A library's answer to calls and parameters that it does not have."""

    # Hidden from type checkers, for which every attribute would exist otherwise.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            instead = ABSENT.get(name)
            if instead is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise _NotThere(f"Library.{name} is not there. {instead}", code=ErrorCode.E_NOT_IMPLEMENTED)


def refuse_parameter(name: str, value: Any) -> None:
    """Refuse a parameter that means something in ArcticDB, and nothing yet here, unless it is switched off."""
    if parse_flag(value, name):
        instead = _STAGING if name == "staged" else _COMPACTION
        raise ArcticDbNotYetImplemented(f"{name}={value!r} is not there. {instead}", code=ErrorCode.E_NOT_IMPLEMENTED)
