"""The stores that count, wait and fail: they pass the conformance suite, and do what they are for."""

import pytest

from coldframe.exceptions import KeyNotFoundException, StorageException
from coldframe.stores.base import Conflict, Fetch, Publication, Swap, UnknownOutcome
from coldframe.stores.lmdb import LmdbStorage
from coldframe.stores.memory import MemoryStore
from coldframe.testing import Count, CountingStore, Crash, FaultStore, LatencyStore
from coldframe.testing.conformance import StoreConformance
from coldframe.testing.faults import WRITES, Call


def lmdb_store(path):
    storage = LmdbStorage(str(path))
    storage.create("lib", "x", b"")
    store = storage.store("lib")
    store.delete(["x"])
    return store


@pytest.fixture(params=["memory", "lmdb"])
def inner(request, tmp_path):
    return MemoryStore() if request.param == "memory" else lmdb_store(tmp_path)


class Wrapped(StoreConformance):
    large = 8 * 1024 * 1024
    many = 200  # the fault store puts objects one by one


class TestCountingStore(Wrapped):
    @pytest.fixture
    def store(self, inner):
        return CountingStore(inner)


class TestLatencyStore(Wrapped):
    @pytest.fixture
    def store(self, inner):
        return LatencyStore(inner, 0.00001)


class TestFaultStore(Wrapped):
    @pytest.fixture
    def store(self, inner):
        return FaultStore(inner)


class TestAllOfThem(Wrapped):
    @pytest.fixture
    def store(self, inner):
        return CountingStore(FaultStore(LatencyStore(inner, 0.0)))


def test_counts(inner):
    store = CountingStore(inner)
    store.publish(Publication([("a", b"123"), ("b", b"45")], Swap("head", b"6", None), ["x", "y"]))
    if inner.atomic:
        assert store.counts == {"publish": Count(1, 5, 6)}
    else:
        assert store.counts == {"put": Count(1, 2, 5), "swap": Count(1, 1, 1), "delete": Count(1, 2, 0)}
    assert store.requests == 5
    store.reset()
    with store.reading() as view:
        view.get("a")
        view.get_many(["a", "b", "missing"])
        view.fetch([Fetch("a", [(0, 1), (2, 3)]), Fetch("b", [(0, 1)])])
        with pytest.raises(KeyNotFoundException):
            view.get("missing")
        assert len([*view.list("")]) == 3
    store.get("a")
    assert store.counts == {"get": Count(4, 6, 11), "fetch": Count(1, 2, 3), "list": Count(1, 3, 0)}
    assert store.requests == 9


def test_a_lost_swap_counts_too():
    store = CountingStore(MemoryStore())
    store.swap("head", b"1", None)
    with pytest.raises(Conflict):
        store.swap("head", b"2", None)
    assert store.counts["swap"] == Count(2, 2, 2)


def test_latency(inner):
    waited = []
    store = LatencyStore(inner, 2.0, parallel=10, sleep=waited.append)
    store.publish(Publication([(f"{number}", b"") for number in range(11)], Swap("head", b"", None), ["1"]))
    assert waited == ([2.0] if inner.atomic else [4.0, 2.0, 2.0])
    waited.clear()
    with store.reading() as view:
        view.get("head")
        view.get_many(["2", "3"])
        view.get_many([])
        view.fetch([Fetch(f"{number}", [(0, 1)]) for number in range(2, 11)] * 3)
        [*view.list("")]
    assert waited == [2.0, 2.0, 6.0, 2.0]


def publication(expected=None):
    return Publication(
        [("a", b"1"), ("b", b"2")], Swap("head", b"new" if expected else b"old", expected), ["gone", "too"]
    )


def test_calls_are_logged_and_a_publication_is_taken_apart(inner):
    store = FaultStore(inner)
    store.publish(publication())
    verbs = [(call.verb, call.keys) for call in store.calls]
    if inner.atomic:
        assert verbs == [("publish", ("head",))]
    else:
        assert verbs == [
            ("put", ("a",)),
            ("put", ("b",)),
            ("swap", ("head",)),
            ("delete", ("gone",)),
            ("delete", ("too",)),
        ]
    assert [call.number for call in store.calls] == [*range(1, len(verbs) + 1)]


def test_only_chosen_verbs_have_numbers(inner):
    store = FaultStore(inner, verbs=WRITES)
    store.get_many(["a"])
    store.put("a", b"")
    [*store.list("")]
    assert store.calls == [Call(1, "put", ("a",))]


def test_a_refused_call_does_nothing(inner):
    store = FaultStore(inner)
    store.fail(2)
    store.put("a", b"1")
    with pytest.raises(StorageException, match="call 2, put b, was refused"):
        store.put("b", b"2")
    store.put("c", b"3")
    assert [entry.key for entry in store.list("")] == ["a", "c"]


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_reply(inner, applied):
    store = FaultStore(inner)
    store.lose(1, applied=applied)
    with pytest.raises(UnknownOutcome) as caught:
        store.swap("head", b"1", None)
    assert caught.value.key == "head"
    assert (inner.get_many(["head"])[0] is not None) == applied
    store.lose(2, applied=applied)
    with pytest.raises(StorageException, match="got no reply"):
        store.put("a", b"1")
    assert (inner.get_many(["a"])[0] is not None) == applied


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_crash_point_of_a_publication(tmp_path, when):
    for make in (MemoryStore, lambda: lmdb_store(tmp_path)):
        plain = FaultStore(make())
        tag = plain.swap("head", b"old", None)
        plain.revive()
        plain.publish(publication(tag))
        calls = plain.calls
        plain.inner.delete([entry.key for entry in plain.inner.list("")])
        for number in range(1, len(calls) + 1):
            inner = plain.inner
            tag = inner.swap("head", b"old", None)
            store = FaultStore(inner)
            store.crash(number, when)
            with pytest.raises(Crash):
                store.publish(publication(tag))
            swapped = [call.verb for call in calls].index("publish" if inner.atomic else "swap") + 1
            done = number > swapped or (number == swapped and when == "after")
            assert bytes(inner.get("head").data) == (b"new" if done else b"old")
            with pytest.raises(Crash):
                store.put("after the end", b"")
            with pytest.raises(Crash), store.reading():
                pass
            assert inner.get_many(["after the end"]) == [None]
            store.revive()
            assert store.get("head").tag == inner.get("head").tag
            inner.delete([entry.key for entry in inner.list("")])


def test_no_handler_of_exceptions_holds_a_crash_up():
    store = FaultStore(MemoryStore())
    store.crash(1)

    def handled():
        try:
            store.put("a", b"")
        except Exception:  # noqa: BLE001 - the point of the test
            pytest.fail("a crash is no Exception")

    with pytest.raises(Crash):
        handled()


def test_damaged_reads(inner):
    store = FaultStore(inner)
    store.put("a", b"\x00\x01\x02\x03")
    store.put("b", b"whole")
    store.truncate("a", 3)
    store.flip("a", 1, 7)
    assert bytes(store.get("a").data) == b"\x00\x81\x02"
    with store.reading() as view:
        assert bytes(view.get_many(["a"])[0].data) == b"\x00\x81\x02"
        parts = view.fetch([Fetch("b", [(0, 2)]), Fetch("a", [(1, 4), (3, 4)])])
        assert [[bytes(part) for part in each] for each in parts] == [[b"wh"], [b"\x81\x02", b""]]
    assert bytes(inner.get("a").data) == b"\x00\x01\x02\x03"
    store.heal()
    assert bytes(store.get("a").data) == b"\x00\x01\x02\x03"


def test_the_same_plan_gives_the_same_run(inner):
    logs = []
    for _ in range(2):
        inner.delete([entry.key for entry in inner.list("")])
        store = FaultStore(inner)
        store.lose(2)
        for attempt in range(3):
            try:
                store.publish(publication(None if attempt == 0 else inner.get("head").tag))
            except (UnknownOutcome, StorageException, Conflict):
                logs.append("failed")
        logs.append(store.calls)
    assert logs[: len(logs) // 2] == logs[len(logs) // 2 :]
