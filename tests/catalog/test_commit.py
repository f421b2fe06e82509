"""Commits whose reply was lost."""

from __future__ import annotations

from tests.operations.states import library, ticks

from coldframe.stores.base import Publication, UnknownOutcome
from coldframe.stores.memory import MemoryStore


class Late(MemoryStore):
    """The next commit's reply is lost, and the store carries it out only when the writer tries again."""

    waiting: Publication | None = None
    lose = False

    def publish(self, publication: Publication) -> str:
        if self.lose:
            self.lose, self.waiting = False, publication
            raise UnknownOutcome(publication.swap.key, "no answer")
        if self.waiting is not None:
            late, self.waiting = self.waiting, None
            super().publish(late)
        return super().publish(publication)


def test_a_commit_carried_out_late_is_reported_as_it_was_carried_out():
    store = Late()
    lib = library(store)
    rows = ticks(5)
    lib.write("s", rows[:3])
    store.lose = True
    item = lib.append("s", rows[3:])
    assert len(lib.read("s").data) == 5, "once, not twice"
    versions = lib.list_versions("s")
    assert len(versions) == 2
    found = versions["s", 1].date.value
    assert (item.version, item.timestamp) == (1, found)
