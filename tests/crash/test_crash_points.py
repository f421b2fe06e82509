"""Every operation, interrupted at every call to the store: what is left is exactly the old state or the new one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress, product
from typing import Any

import pytest
from tests.crash.scenarios import KEPT, OPERATIONS, ROWS_PER_SEGMENT, Act, Kept, Operation, opened
from tests.operations.states import canonical, library, state_of, ticks

from coldframe.catalog import commit as committing
from coldframe.catalog.versions import checked_head
from coldframe.exceptions import ArcticException
from coldframe.stores.base import Store
from coldframe.testing.faults import CONDITIONAL, READS, Call, Crash, FaultStore

STORES = sorted(KEPT)
SIZES = sorted(OPERATIONS)
NAMES = list(OPERATIONS["small"])


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(committing.time, "sleep", lambda seconds: None)


@pytest.fixture(scope="module", params=[(store, size) for store in STORES for size in SIZES], ids="-".join)
def kept(request, tmp_path_factory) -> tuple[Kept, str]:
    store, size = request.param
    return KEPT[store](size, tmp_path_factory.mktemp("kept")), size


def states(kept: Kept, operation: Operation) -> list[dict[str, Any]]:
    """The states an operation may leave: before, after, and after some of its commits where it makes several."""
    found = []
    for chosen in product((False, True), repeat=len(operation.parts)):
        lib = opened(kept.copy())
        for part in compress(operation.parts, chosen):
            part(lib)
        found.append(state_of(lib))
    last = opened(kept.copy())
    operation.act(last)
    return [*found, state_of(last)]


class Checked:
    """Looks at what is left, at the same bytes only once."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.seen: dict[frozenset[Any], dict[str, Any]] = {}

    def reopen(self, store: Store, allowed: list[dict[str, Any]]) -> None:
        """What a new process finds is one of these states; reclaiming and writing then go well."""
        objects = frozenset((entry.key, store.get(entry.key).tag) for entry in store.list(""))
        if objects not in self.seen:
            self.seen[objects] = self._look(store)
        assert self.seen[objects] in allowed, "neither the state before nor the one after"

    def _look(self, store: Store) -> dict[str, Any]:
        lib = opened(store)
        found = state_of(lib)
        now = library(store, rows_per_segment=ROWS_PER_SEGMENT)
        assert now.verify().damaged == []
        now.reclaim(grace=0, orphans=True)
        report = now.verify()
        assert report.damaged == []
        assert report.unreachable == [], "an orphan is left"
        assert state_of(lib) == found, "reclaiming changed what is there"
        more = ticks(2, "2025-01-01", 99)
        version = now.append("cut", more).version
        assert version == (4 if ("cut", 3) in found["versions"] else 3)
        assert canonical(now.read("cut", row_range=(-2, None)).data) == canonical(more)
        return found


def interrupted(kept: Kept, act: Act, plan: Callable[[FaultStore], None]) -> tuple[Store, BaseException | None]:
    """The objects that are left by an operation that goes as planned, and what it raised."""
    store = kept.copy()
    faults = FaultStore(store, verbs=kept.verbs)
    plan(faults)
    try:
        act(opened(faults))
    except (Crash, ArcticException) as error:
        return store, error
    return store, None


def calls_of(kept: Kept, operation: Operation) -> list[Call]:
    faults = FaultStore(kept.copy(), verbs=kept.verbs)
    operation.act(opened(faults))
    return faults.calls


def test_the_libraries_have_what_can_be_torn(kept):
    base, size = kept
    store = base.copy()
    kinds = {entry.key.partition("/")[0] for entry in store.list("")}
    assert {"heads", "snapshots"} <= kinds
    assert size == "small" or {"logs", "manifests", "data"} <= kinds
    heads = [checked_head(entry.key, store.get(entry.key).data) for entry in store.list("heads/")]
    assert any(head.retired for head in heads)
    calls = [call for operation in OPERATIONS["large"].values() for call in calls_of(base, operation)]
    expected = {"publish", "delete"} if store.atomic else {"get", "list", "put", "swap", "delete"}
    assert {call.verb for call in calls} >= expected


@pytest.mark.parametrize("name", NAMES)
def test_a_crash_leaves_the_old_state_or_the_new(kept, name):
    base, size = kept
    operation = OPERATIONS[size][name]
    allowed = states(base, operation)
    checked = Checked(base)
    for call in calls_of(base, operation):
        for when in ("before", "after"):
            store, error = interrupted(base, operation.act, lambda f, n=call.number, w=when: f.crash(n, w))
            # A read that finds nothing raises, and so has no end after which there could be a crash.
            assert isinstance(error, Crash) or (when == "after" and call.verb in READS)
            checked.reopen(store, allowed)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_reply_is_a_success_or_a_typed_error(kept, name):
    base, size = kept
    operation = OPERATIONS[size][name]
    allowed = states(base, operation)
    checked = Checked(base)
    for call in calls_of(base, operation):
        if operation.parts and call.verb in READS:
            continue  # what a read that fails does is shown where there is only one commit
        for applied in (True, False):
            store, error = interrupted(base, operation.act, lambda f, n=call.number, a=applied: f.lose(n, applied=a))
            if call.verb in CONDITIONAL:
                assert error is None, "whether a conditional write went through can be found out"
                checked.reopen(store, allowed[-1:])
            else:
                assert error is None or isinstance(error, ArcticException)
                checked.reopen(store, allowed if error is not None or operation.parts else allowed[-1:])


@pytest.mark.parametrize("name", ["append with a key"])
def test_an_append_with_a_key_may_be_sent_again_after_any_crash(kept, name):
    base, size = kept
    operation = OPERATIONS[size][name]
    after = states(base, operation)[-1]
    for call in calls_of(base, operation):
        for when in ("before", "after"):
            store, _ = interrupted(base, operation.act, lambda f, n=call.number, w=when: f.crash(n, w))
            for _ in range(2):
                operation.act(opened(store))
                assert state_of(opened(store)) == after
