"""The numbers by which stored blocks name their codec. They are part of the format and never change."""

from __future__ import annotations

from typing import Final

RAW: Final = 0
"""Numbers as they lie in memory."""
CONSTANT: Final = 1
"""One number for the whole block, or one for each of its columns."""
PCO: Final = 2
"""Numbers packed by pcodec."""
BITS: Final = 3
"""Booleans, one bit each."""
DICTIONARY: Final = 4
"""Strings as positions in a list of distinct ones."""
STRINGS: Final = 5
"""Strings as lengths and bytes."""
IPC: Final = 6
"""Reserved: any Arrow type, as an Arrow IPC stream."""
LINEAR: Final = 7
"""Eight-byte integers in equal steps: the first, and the step."""
DECIMALS: Final = 8
"""Floats of eight bytes with few digits behind the point: whole numbers packed by pcodec."""
