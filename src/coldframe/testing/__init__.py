"""For those who write a store or test against one: a conformance suite, and stores that count, wait and fail.

`coldframe.testing.conformance` and `coldframe.testing.storage_conformance` need pytest and are imported by name.
"""

from coldframe.testing.counting import Count, CountingStore
from coldframe.testing.faults import Crash, FaultStore
from coldframe.testing.latency import LatencyStore

__all__ = ["Count", "CountingStore", "Crash", "FaultStore", "LatencyStore"]
