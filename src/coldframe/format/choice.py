"""Which codec numbers get: found out once per column of a write, on a sample, and kept for all its slices.

A candidate's score is (bytes per value + 0.5) x the price of its time; the lowest wins. The half byte keeps a
candidate from winning by saving next to nothing of next to nothing; the prices make 10-30 % of size the least that
slower packing has to earn. `docs/design/002-codecs.md` has the measurements.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coldframe.format.codecs import decimals, ids, pco

SAMPLE = 8192
"""The largest sample, in values."""
_LOOK = 512
"""This many values show whether floats have few decimals and integers a common divisor."""
_OVERHEAD = 0.5
_HARD = 0.8
"""A score below this (a tenth of a byte per value) needs no mode to be tried."""
_PRICES = {0: 1.15, 4: 1.3, 8: 1.35}
_MODE_PRICES = {"": 0.0, "decimals": 0.08, "ints": 0.1, "quanta": 0.1, "floats": 0.2}
_DIGITS = 6
"""So many digits behind the point are looked for."""


class Choice(NamedTuple):
    """How to pack.

    Attributes
    ----------
    how : pcodec configuration, or None for codec `raw`
    expected : float
        Bytes per value, on the sample.
    fallback : pcodec configuration or None
        What to try where a block comes out much larger than expected: level 0 has one bin for all values, which one
        outlier can spoil.
    digits : int or None
        Codec `decimals`: what is packed are the numbers times this power of ten.
    instead : Choice or None
        For blocks whose numbers, other than the sample, are no such decimals.
    """

    how: Any
    expected: float
    fallback: Any = None
    digits: int | None = None
    instead: Choice | None = None


class Packed(NamedTuple):
    """A block's codec and payload."""

    codec: int
    data: bytes


class _Scored(NamedTuple):
    points: float
    choice: Choice
    deltas: bool = False


def sample(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Contiguous runs of (columns, rows) numbers: differences say something only between neighbours.

    One column gives two runs, apart. Several columns that will share blocks give one run with their seams in it.
    """
    columns, rows = values.shape
    budget = min(max(columns * rows // (64 if columns == 1 else 128), _LOOK), SAMPLE)
    if columns * rows <= budget:
        return [np.ascontiguousarray(values).reshape(-1)]
    length = min(budget // 2, rows)
    if columns == 1:
        quarter = (rows - length) // 4
        return [np.ascontiguousarray(values[0, start : start + length]) for start in (quarter, 3 * quarter)]
    start = (rows - length) // 2
    wanted = np.unique(np.linspace(0, columns - 1, max(budget // length, 2)).astype(int))
    return [np.ascontiguousarray(values[wanted, start : start + length]).reshape(-1)]


def choose(runs: list[NDArray[Any]]) -> Choice:
    """How to pack numbers like those of the sample."""
    first = runs[0]
    raw = _Scored(first.itemsize + _OVERHEAD, Choice(None, first.itemsize))
    if first.dtype.kind not in pco.TYPES or len(first) < 2:
        return raw.choice
    best = raw
    digits = None
    if first.dtype.kind == "f":
        digits = _digits(first)
        modes = [("floats", 0.0 if digits is None else 1.0 / 10.0**digits), ("quanta", _zero_bits(first))]
    else:
        modes = [("ints", _common_divisor(first))]
        best = min(best, *(_score(runs, 0, deltas) for deltas in (False, True)), key=_points)
    modes = [(mode, base) for mode, base in modes if base]
    plain, deltas = (_score(runs, 4, deltas) for deltas in (False, True))
    best = min(best, plain, deltas, key=_points)
    if modes or best is not raw:
        # Level 8 is worth a look only where packing as such is.
        best = min(best, _score(runs, 8, deltas.points < plain.points), key=_points)
    for mode, base in modes:
        if best.points > _HARD:
            scores = [_score(runs, level, deltas, mode, base) for level in (0, 4) for deltas in (False, True)]
            best = min(best, *scores, key=_points)
    if digits is not None and first.itemsize == 8 and best.points > _HARD:
        best = min(best, _decimals(runs, digits, best.choice), key=_points)
    return best.choice


def _decimals(runs: list[NDArray[Any]], digits: int, instead: Choice) -> _Scored:
    """The best way to pack floats as whole numbers, if all of the sample are that."""
    whole = [numbers for run in runs if (numbers := decimals.whole_numbers(run, digits)) is not None]
    if len(whole) < len(runs):
        return _Scored(float("inf"), instead)
    scores = [_score(whole, level, deltas, "decimals") for level in (0, 4) for deltas in (False, True)]
    best = min(scores, key=_points)
    return best._replace(choice=best.choice._replace(digits=digits, instead=instead))


def choose_codes(codes: NDArray[Any]) -> Choice:
    """How to pack the codes of strings, which always is worth while."""
    choice = choose(sample(codes[None, :]))
    return choice if choice.how is not None else Choice(pco.PLAIN, choice.expected)


def encode(numbers: NDArray[Any], choice: Choice) -> Packed | None:
    """Contiguous numbers packed as chosen, or None where `raw` is as good."""
    if choice.digits is not None:
        whole = decimals.whole_numbers(numbers, choice.digits)
        if whole is not None:
            data = _pack(whole, choice)
            if data is None:
                return None
            return Packed(ids.DECIMALS, decimals.join(data, choice.digits, whole.itemsize))
        choice = choice.instead or choice
    data = _pack(numbers, choice)
    return None if data is None else Packed(ids.PCO, data)


def _pack(numbers: NDArray[Any], choice: Choice) -> bytes | None:
    if choice.how is None:
        return None
    try:
        packed = pco.encode(numbers, choice.how)
    except RuntimeError:  # a mode that these numbers, other than the sample, do not allow
        return None
    if choice.fallback is not None and len(packed) > 1.2 * choice.expected * len(numbers) + 64:
        packed = min(packed, pco.encode(numbers, choice.fallback), key=len)
    return packed if len(packed) < 0.95 * numbers.nbytes else None


def _points(scored: _Scored) -> float:
    return scored.points


def _score(runs: list[NDArray[Any]], level: int, deltas: bool, mode: str = "", base: float = 0) -> _Scored:
    how = _config(level, deltas, mode, base)
    try:
        size = sum(len(pco.encode(run, how)) for run in runs) / sum(map(len, runs))
    except RuntimeError:  # a mode that these numbers do not allow
        return _Scored(float("inf"), Choice(None, 0.0))
    price = _PRICES[level] + _MODE_PRICES[mode] + (0.03 if deltas else 0.0)
    fallback = _config(4, deltas, mode, base) if level == 0 else None
    return _Scored((size + _OVERHEAD) * price, Choice(how, size, fallback), deltas)


@lru_cache(maxsize=256)
def _config(level: int, deltas: bool, mode: str, base: float) -> Any:
    if mode == "ints":
        return pco.config(level, deltas=deltas, mode=pco.int_multiples(int(base)))
    if mode == "floats":
        return pco.config(level, deltas=deltas, mode=pco.float_multiples(base))
    if mode == "quanta":
        return pco.config(level, deltas=deltas, mode=pco.float_quanta(int(base)))
    return pco.config(level, deltas=deltas)


def _common_divisor(numbers: NDArray[Any]) -> int:
    """What all differences between the values are multiples of; 0 if nothing."""
    if numbers.itemsize == 1:
        return 0
    look = numbers[:_LOOK]
    look = look[look != np.iinfo(look.dtype).min].astype(np.int64)  # NaT is no multiple of anything
    divisor = int(np.gcd.reduce(np.diff(look))) if len(look) > 1 else 0
    return divisor if 1 < divisor < np.iinfo(numbers.dtype).max else 0


def _digits(numbers: NDArray[Any]) -> int | None:
    """How many digits behind the point nearly all values have at most; None if many, or without an end."""
    if numbers.itemsize < 4:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        finite = numbers[:: max(len(numbers) // _LOOK, 1)].astype(np.float64)
        # Nearly all floats without an end are told by a few of them.
        few = finite[: _LOOK // 16]
        if not any(_count_multiples(few, scale, numbers.dtype) for scale in (1.0, 1e2, 1e6)):
            return None
        finite = finite[np.isfinite(finite)]
        for digits in range(_DIGITS + 1):
            if finite.any() and _count_multiples(finite, 10.0**digits, numbers.dtype) >= 0.9 * len(finite):
                return digits
    return None


def _count_multiples(numbers: NDArray[Any], scale: float, dtype: np.dtype[Any]) -> int:
    """How many of the numbers are, in their own precision, the nearest to a multiple of 1 / scale."""
    multiples = np.rint(numbers * scale)
    exact = 2.0 ** (53 if dtype.itemsize == 8 else 24)
    nearest = (multiples / scale).astype(dtype)
    return int(np.count_nonzero((nearest == numbers) & (np.abs(multiples) < exact)))


def _zero_bits(numbers: NDArray[Any]) -> int:
    """How many of the lowest bits of the floats are zero in all of them; 0 if too few to matter."""
    if numbers.itemsize < 4:
        return 0
    bits = int(np.bitwise_or.reduce(numbers.view(f"u{numbers.itemsize}")))
    zeros = (bits & -bits).bit_length() - 1 if bits else 0
    return zeros if 8 <= zeros <= (52 if numbers.itemsize == 8 else 23) else 0
