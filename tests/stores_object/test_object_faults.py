"""Every fault the network and the server can have, met by every operation: success, a typed error, or unknown."""

from __future__ import annotations

import threading
import time

import pytest

from coldframe.exceptions import ArcticException, ErrorCode, PermissionException, StorageException
from coldframe.stores.base import Conflict, Fetch, Publication, Swap, UnknownOutcome
from coldframe.stores.object_uri import parse
from coldframe.testing.proxy import FAULTS, FaultProxy

LIMIT = 12.0  # seconds: retries end after 3, a stalled request after 2 more
BODY = bytes(range(256)) * 40


def filled(storage):
    store = storage.store("lib")
    store.put("data/a", BODY)
    store.put("data/b", b"b")
    store.swap("head", b"one", None)
    return store


@pytest.fixture
def store(proxied):
    return filled(proxied)


@pytest.fixture
def hasty(ministack_server, proxy, prefix):
    """A store that soon gives up."""
    return filled(parse(ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix, retry_timeout=1)))


OPERATIONS = {
    "get": lambda store: bytes(store.get("data/a").data) == BODY,
    "get_many": lambda store: [bytes(found.data) for found in store.get_many(["data/a", "data/b"])] == [BODY, b"b"],
    "fetch": lambda store: bytes(store.fetch([Fetch("data/a", [(5, 9)])])[0][0]) == BODY[5:9],
    "list": lambda store: [entry.key for entry in store.list("data/")] == ["data/a", "data/b"],
    "put": lambda store: store.put("data/c", BODY),
    "put_many": lambda store: store.put_many((f"data/{n}", BODY) for n in range(5)),
    "delete": lambda store: store.delete(["data/b", "data/none"]),
    "create": lambda store: store.swap("new", b"new head", None),
    "swap": lambda store: store.swap("head", b"two", store.get("head").tag),
    "publish": lambda store: store.publish(Publication([("data/p", BODY)], Swap("fresh", b"fresh head", None))),
}
NOT_RETRIED = ("denied", "expired")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_fault_is_survived_or_typed(proxied, proxy, store, operation, fault):
    proxy.stall = 8.0
    proxy.inject(fault, times=1)
    started = time.monotonic()
    try:
        result = OPERATIONS[operation](store)
    except PermissionException:
        if fault not in NOT_RETRIED:
            raise
    else:
        if fault == "corrupt":  # checksums are the upper layers' business
            assert time.monotonic() - started < LIMIT
            return
        assert result is not False
        proxy.heal()
        if operation in ("create", "swap", "publish"):
            key = {"create": "new", "swap": "head", "publish": "fresh"}[operation]
            assert store.get(key).tag == result
    assert time.monotonic() - started < LIMIT


LASTING = [fault for fault in FAULTS if fault not in ("corrupt", "stall", "truncate")]


@pytest.mark.parametrize(("operation", "fault"), [
    pytest.param(operation, fault, marks=[] if (number + at) % 10 == 0 or fault == "denied" else [pytest.mark.slow])
    for number, operation in enumerate(OPERATIONS) for at, fault in enumerate(LASTING)])
def test_a_lasting_fault_is_a_typed_error_in_time(proxy, hasty, operation, fault):
    proxy.inject(fault)
    started = time.monotonic()
    with pytest.raises((ArcticException, UnknownOutcome, Conflict)) as caught:
        OPERATIONS[operation](hasty)
    assert time.monotonic() - started < LIMIT
    if isinstance(caught.value, StorageException) and not isinstance(caught.value, PermissionException):
        assert caught.value.code is ErrorCode.E_S3_RETRYABLE
        assert proxy.endpoint in str(caught.value)
        assert "attempts in" in str(caught.value)
    proxy.heal()
    # What a lost swap left is the old state or the new one.
    assert bytes(hasty.get("head").data) in (b"one", b"two")


@pytest.mark.parametrize("fault", ["drop_after", "error_after"])
class TestLostReplies:
    def test_of_a_creation_that_happened(self, proxy, store, fault):
        proxy.inject(fault, methods=["PUT"], times=1)
        tag = store.swap("new", b"mine", None)
        assert (store.get("new").tag, store.get("new").data) == (tag, b"mine")

    def test_of_a_replacement_that_happened(self, proxy, store, fault):
        tag = store.get("head").tag
        proxy.inject(fault, methods=["PUT"], times=1)
        new = store.swap("head", b"two", tag)
        assert (store.get("head").tag, store.get("head").data) == (new, b"two")
        with pytest.raises(Conflict):
            store.swap("head", b"three", tag)

    def test_when_another_writer_came_in_between_it_is_unknown(self, proxy, store, fault, monkeypatch):
        tag = store.get("head").tag
        proxy.inject(fault, methods=["PUT"], times=1)
        settle = type(store)._settle

        def slow(self, key, data, cause):
            proxy.heal()
            self.put(key, b"another writer's")
            return settle(self, key, data, cause)

        monkeypatch.setattr(type(store), "_settle", slow)
        with pytest.raises(UnknownOutcome, match="another object"):
            store.swap("head", b"two", tag)

    def test_when_the_server_stays_away_it_is_unknown(self, proxy, store, fault):
        tag = store.get("head").tag
        proxy.inject(fault, methods=["PUT"], times=1)
        proxy.inject("drop")
        with pytest.raises(UnknownOutcome, match="head"):
            store.swap("head", b"two", tag)
        proxy.heal()
        assert store.get("head").data == b"two"

    def test_a_conflict_is_no_success(self, proxy, store, fault):
        """The reply to a swap that lost anyway is lost: the read-back must not take another's object for ours."""
        stale = "0" * 32
        proxy.inject(fault, methods=["PUT"], times=1)
        with pytest.raises((UnknownOutcome, Conflict)):
            store.swap("head", b"two", stale)
        assert store.get("head").data == b"one"


def test_a_request_that_never_went_out_is_no_unknown_outcome(ministack_server, prefix):
    from coldframe.testing.servers.processes import free_port

    storage = parse(ministack_server.uri(endpoint=f"http://127.0.0.1:{free_port()}", retry_timeout=1))
    with pytest.raises(StorageException, match="connection refused"):
        storage.store("lib").swap("head", b"one", None)


def test_409_is_retried_until_it_is_decided(proxy, store):
    tag = store.get("head").tag
    proxy.inject("conflict", methods=["PUT"], times=3)
    assert store.swap("head", b"two", tag) == store.get("head").tag
    proxy.inject("conflict", methods=["PUT"])
    with pytest.raises(Conflict):
        store.swap("other", b"x", None)


def test_a_listing_that_breaks_off_is_taken_up_where_it_was(proxy, proxied):
    store = proxied.store("many")
    store.put_many((f"k/{number:05}", b"") for number in range(2300))
    proxy.inject("truncate", methods=["GET"], path="list-type", skip=1, times=1)
    assert [entry.key for entry in store.list("k/")] == [f"k/{number:05}" for number in range(2300)]


@pytest.mark.parametrize("fault", ["drop", "drop_after", "error", "error_after", "slowdown", "conflict", "truncate"])
def test_writers_that_race_through_a_bad_network_lose_nothing(proxy, proxied, fault):
    """Tokens are appended by several threads; each is there exactly once, or its writer was told that it is unknown."""
    proxied.store("race").swap("count", b"", None)
    proxy.inject(fault, share=0.15)
    unknown: list[bytes] = []
    done: list[bytes] = []

    def append(number: int) -> None:
        store = proxied.store("race")
        for turn in range(6):
            token = b"%d-%d;" % (number, turn)
            while True:
                found = store.get("count")
                try:
                    store.swap("count", bytes(found.data) + token, found.tag)
                except Conflict:
                    continue
                except UnknownOutcome:
                    unknown.append(token)
                    break
                done.append(token)
                break

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    proxy.heal()
    tokens = bytes(proxied.store("race").get("count").data).split(b";")[:-1]
    assert len(tokens) == len(set(tokens))
    there = {token + b";" for token in tokens}
    assert set(done) <= there
    assert there <= set(done) | set(unknown)
    assert len(done) + len(unknown) == 24


@pytest.mark.parametrize("fault", ["drop_after", "error_after"])
@pytest.mark.parametrize("name", ["ceph_server", "azurite_server", "gcs_server"])
def test_lost_replies_on_other_servers(name, fault, request, prefix):
    server = request.getfixturevalue(name)
    with FaultProxy(server.endpoint) as proxy:
        folder = {"Path_prefix" if "azurite" in name else "path_prefix": prefix}
        store = parse(server.uri(endpoint=proxy.endpoint, retry_timeout=3, **folder)).store("lib")
        proxy.inject(fault, methods=["PUT"], times=1)
        first = store.swap("head", b"one", None)
        assert (store.get("head").tag, store.get("head").data) == (first, b"one")
        proxy.inject(fault, methods=["PUT"], times=1)
        second = store.swap("head", b"two", first)
        assert (store.get("head").tag, store.get("head").data) == (second, b"two")
        proxy.inject(fault, methods=["PUT"], times=1)
        with pytest.raises((Conflict, UnknownOutcome)):
            store.swap("head", b"three", first)
        proxy.inject(fault, methods=["PUT"], times=1)
        with pytest.raises((Conflict, UnknownOutcome)):
            store.swap("head", b"three", None)
        proxy.inject(fault, times=3)
        store.put("data/a", b"a")
        store.delete(["data/a", "data/none"])
        assert [entry.key for entry in store.list("")] == ["head"]
        assert store.get("head").data == b"two"
