"""A cached attribute is computed once, and nobody waits for a lock while it is."""

from __future__ import annotations

import threading

from coldframe.cached import cached_property


class Slow:
    def __init__(self) -> None:
        self.started, self.may_end, self.calls = threading.Event(), threading.Event(), 0

    @cached_property
    def value(self) -> int:
        """What it says."""
        self.started.set()
        assert self.may_end.wait(20)
        self.calls += 1
        return self.calls


def test_computed_once():
    slow = Slow()
    slow.may_end.set()
    assert [slow.value, slow.value, slow.calls] == [1, 1, 1]
    assert Slow.value.__doc__ == "What it says."


def test_nobody_waits_for_another_instance():
    """With `functools.cached_property` of Python 3.11 a forked child waited for a thread that did not exist there."""
    first, second = Slow(), Slow()
    second.may_end.set()
    thread = threading.Thread(target=lambda: first.value)
    thread.start()
    try:
        assert first.started.wait(20)
        found: list[int] = []
        other = threading.Thread(target=lambda: found.append(second.value), daemon=True)
        other.start()
        other.join(10)
        assert found == [1]
    finally:
        first.may_end.set()
        thread.join(20)
