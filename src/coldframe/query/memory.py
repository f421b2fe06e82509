"""Memory that queries work in: what one slice has freed, the next one gets."""

from __future__ import annotations

from functools import cache

import numpy as np

_KEPT = 30 << 20


@cache
def keep_freed() -> None:
    """Let the C library keep what is freed, up to about 60 MiB, instead of giving it back after every slice.

    Memory given back comes back as pages that the kernel has to clear, which took half of the time of a filter. glibc's
    limit for keeping is twice the largest block that was freed (up to 32 MiB): so one is, of which no page was touched.
    Programs that ever freed a frame of that size are there already; other C libraries do not notice.
    """
    np.empty(_KEPT, dtype=np.uint8)
