"""Zstandard frames, with contexts that threads do not share."""

from __future__ import annotations

import threading

import zstandard

from coldframe.format.checksums import Buffer, Damage

_LEVEL = 1
"""Level 1 decodes as fast as the others, encodes at some 500 MB/s, and gains most of what there is to gain."""
_SAMPLE = 16 * 1024
_WORTH = 0.9
_LIMIT = 32 * 1024
"""No frame is this many times smaller than its content: a block of 128 KiB takes four bytes or more."""


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def shrink(data: Buffer) -> bytes | None:
    """The data as a zstd frame, or None where that saves less than a tenth."""
    size = len(data)
    if size < 64:
        return None
    compress = _contexts.compressor.compress
    if size > 4 * _SAMPLE:
        middle = (size - _SAMPLE) // 2
        sample = memoryview(data)[middle : middle + _SAMPLE]
        if len(compress(sample)) > _SAMPLE * _WORTH:
            return None
    packed = compress(data)
    return packed if len(packed) <= size * _WORTH else None


def expand(data: Buffer, size: int) -> bytes:
    """The content of a zstd frame, which must be `size` bytes."""
    try:
        # The frame says how much memory it wants; that must be what the block says, before any is taken.
        if zstandard.frame_content_size(data) != size or size > len(data) * _LIMIT:
            raise Damage(f"a zstd frame that does not hold the {size} bytes it should")
        return _contexts.decompressor.decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise Damage(f"zstd cannot decode the block: {error}") from error
