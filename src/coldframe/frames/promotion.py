"""Which type two types become when rows of both stand in one column."""

from __future__ import annotations

from functools import lru_cache

from coldframe.format.dtypes import DType

_NUMBERS = ("int", "uint", "float")
# How many bits of an integer each width of a float holds without a step to the next width.
_FLOAT_HOLDS = {16: 8, 32: 16, 64: 64}


@lru_cache(maxsize=1024)
def promote(old: DType, new: DType) -> DType | None:
    """The common type under a dynamic schema; None where there is none.

    Integers of one signedness take the wider; signed and unsigned the smallest signed type that holds both; an
    integer beside a float the float if it is wide enough, else float64.

    Examples
    --------
    >>> str(promote(DType("int", 8), DType("uint", 8))), str(promote(DType("int", 32), DType("float", 32)))
    ('int16', 'float64')
    >>> promote(DType("uint", 64), DType("int", 8)) is None
    True
    """
    if old.kind in _NUMBERS and new.kind in _NUMBERS:
        return _numbers(old, new)
    return common(old, new)


def common(old: DType, new: DType) -> DType | None:
    """The common type under a static schema: the same, but for the unit of time and the width of codes."""
    if old == new:
        return old
    if old.kind != new.kind:
        return None
    if old.temporal and old.zone == new.zone:
        return old  # new values are brought into the symbol's unit
    if old.kind == "category" and old.ordered == new.ordered:
        return old if old.bits >= new.bits else new
    return None


def _numbers(old: DType, new: DType) -> DType | None:
    if old.kind == new.kind:
        return old if old.bits >= new.bits else new
    if "float" in (old.kind, new.kind):
        number, integer = (old, new) if old.kind == "float" else (new, old)
        bits = next(b for b in (16, 32, 64) if b >= number.bits and (integer.bits <= _FLOAT_HOLDS[b]))
        return DType("float", bits)
    signed, unsigned = (old, new) if old.kind == "int" else (new, old)
    if unsigned.bits == 64:
        return None
    return DType("int", max(signed.bits, 2 * unsigned.bits))
