"""The options object of a library: creating it once, changing it beside others, replies that are lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from coldframe.catalog.config import FORMAT, KEY, LibraryConfig, change, create, load
from coldframe.exceptions import (
    ConflictException,
    KeyNotFoundException,
    LibraryNotFound,
    StorageException,
    UserInputException,
)
from coldframe.stores.base import Conflict, UnknownOutcome
from coldframe.stores.memory import MemoryStorage, MemoryStore


class Unreliable(MemoryStorage):
    """A storage whose `create` does something else first, then or instead."""

    def __init__(self, before: Callable[[], None] = lambda: None, *, lost: str = "") -> None:
        super().__init__()
        self.before = before
        self.lost = lost

    def create(self, library: str, key: str, data: bytes) -> None:
        self.before()
        if self.lost != "request":
            super().create(library, key, data)
        if self.lost:
            raise UnknownOutcome(key, "connection reset")


class Contended(MemoryStore):
    """A store in which others change the options before the next `rivals` swaps."""

    rivals = 0
    lost = 0

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        if self.rivals:
            self.rivals -= 1
            config = load(self, "x")
            super().put(key, seal_of(config, columns_per_segment=config.columns_per_segment + 1))
        tag = super().swap(key, data, expected)
        if self.lost:
            self.lost -= 1
            raise UnknownOutcome(key, "connection reset")
        return tag


def seal_of(config: LibraryConfig, **changes: object) -> bytes:
    import msgspec

    from coldframe.catalog.config import KIND
    from coldframe.format.checksums import seal

    return bytes(seal(KIND, msgspec.msgpack.encode(msgspec.structs.replace(config, **changes))))


@pytest.fixture
def contended() -> Contended:
    store = Contended()
    store.put(KEY, seal_of(LibraryConfig(identity="mine")))
    return store


def test_what_is_created_is_loaded() -> None:
    storage = MemoryStorage()
    made = create(storage, "x", LibraryConfig(dedup=True, rows_per_segment=5))
    assert load(storage, "x") == load(storage.store("x"), "x") == made
    assert (made.dedup, made.rows_per_segment, made.format) == (True, 5, FORMAT)
    assert made.identity != create(storage, "y", LibraryConfig()).identity


def test_creating_what_exists() -> None:
    storage = MemoryStorage()
    first = create(storage, "x", LibraryConfig())
    with pytest.raises(ValueError, match="'x' exists already"):
        create(storage, "x", LibraryConfig(dedup=True))
    assert load(storage, "x") == first


def test_a_bad_name_reaches_no_storage() -> None:
    storage = Unreliable(before=lambda: pytest.fail("asked"))
    with pytest.raises(UserInputException):
        create(storage, "a..b", LibraryConfig())


def test_the_reply_to_create_is_lost() -> None:
    storage = Unreliable(lost="reply")
    made = create(storage, "x", LibraryConfig(dedup=True))
    assert load(storage, "x") == made


def test_the_reply_to_create_is_lost_and_another_was_faster() -> None:
    storage = Unreliable(lost="request")
    MemoryStorage.create(storage, "x", KEY, seal_of(LibraryConfig(identity="theirs")))
    with pytest.raises(ValueError, match="exists already"):
        create(storage, "x", LibraryConfig())
    assert load(storage, "x").identity == "theirs"


def test_the_request_to_create_is_lost() -> None:
    with pytest.raises(StorageException, match="'x' was not created"):
        create(Unreliable(lost="request"), "x", LibraryConfig())


def test_the_request_to_create_is_lost_once() -> None:
    storage = Unreliable(lost="request")
    tries = []

    def heal() -> None:
        tries.append(1)
        storage.lost = "" if len(tries) > 1 else "request"

    storage.before = heal
    made = create(storage, "x", LibraryConfig())
    assert load(storage, "x") == made
    assert len(tries) == 2


def test_the_reply_is_lost_and_the_next_try_meets_its_own_library() -> None:
    storage = Unreliable(lost="reply")
    store = storage.store("x")
    hidden = iter([KeyNotFoundException("not seen yet")])
    get = store.get

    def late(key: str):
        for error in hidden:
            raise error
        return get(key)

    store.get = late  # type: ignore[method-assign]
    made = create(storage, "x", LibraryConfig())
    assert load(storage, "x") == made


def test_a_missing_library() -> None:
    storage = MemoryStorage()
    for name in ("x", "a..b", ""):
        with pytest.raises(LibraryNotFound, match="no other"):
            load(storage, name)
    with pytest.raises(LibraryNotFound, match="'x'"):
        load(MemoryStore(), "x")
    with pytest.raises(LibraryNotFound, match="'x'"):
        change(MemoryStore(), "x", dedup=True)
    assert storage.names() == []


def test_many_libraries_are_not_all_named() -> None:
    storage = MemoryStorage()
    for n in range(20):
        create(storage, f"library{n:02}", LibraryConfig())
    with pytest.raises(LibraryNotFound, match=r"'library00', .* and 15 more"):
        load(storage, "?")


def test_a_change_keeps_what_others_change(contended: Contended) -> None:
    contended.rivals = 3
    changed = change(contended, "x", dedup=True)
    assert changed.dedup
    assert changed.columns_per_segment == 130
    assert changed.identity == "mine"
    assert load(contended, "x") == changed


def test_a_change_whose_reply_is_lost(contended: Contended) -> None:
    contended.lost = 2
    assert change(contended, "x", dedup=True).dedup
    assert load(contended, "x").dedup
    assert contended.lost == 1, "the second look sees that it is done"


def test_a_change_that_changes_nothing_writes_nothing(contended: Contended) -> None:
    tag = contended.get(KEY).tag
    assert change(contended, "x", dedup=False) == load(contended, "x")
    assert contended.get(KEY).tag == tag


def test_a_change_that_always_loses(contended: Contended) -> None:
    contended.rivals = 10**6
    with pytest.raises(ConflictException, match="'x'"):
        change(contended, "x", dedup=True)
    assert not load(contended, "x").dedup


def test_threads_that_create_one_library() -> None:
    storage = MemoryStorage()
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def one() -> None:
        barrier.wait()
        try:
            outcomes.append(create(storage, "x", LibraryConfig()).identity)
        except ValueError:
            outcomes.append("lost")

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("lost") == 7
    assert load(storage, "x").identity in outcomes


def test_the_store_says_conflict_in_its_own_words() -> None:
    storage = MemoryStorage()
    create(storage, "x", LibraryConfig())
    with pytest.raises(Conflict):
        storage.create("x", KEY, b"")
    with pytest.raises(KeyNotFoundException):
        storage.store("x").get("nothing")
