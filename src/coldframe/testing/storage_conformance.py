"""What every storage must do, as tests: derive from the class in a test file and say where a storage comes from.

from coldframe.testing.storage_conformance import StorageConformance

class TestMyStorage(StorageConformance):
    @pytest.fixture
    def storage(self):
        return MyStorage(...)  # empty
"""

# These are tests: they assert, and their names say what they show.

from __future__ import annotations

from typing import ClassVar

import pytest

from coldframe.exceptions import KeyNotFoundException, NoDataFoundException
from coldframe.stores.base import Conflict, Fetch, Storage
from coldframe.testing.conformance import noise, run_threads


class StorageConformance:
    """The tests of a storage."""

    names: ClassVar[list[str]] = ["lib", "a/b", "a.b", "a b", "a\\b", "100%", "~x;y&z=1", "n" * 254]

    @pytest.fixture
    def storage(self) -> Storage:
        """An empty storage; to be overridden."""
        raise NotImplementedError

    def test_libraries_come_and_go(self, storage: Storage) -> None:
        assert storage.names() == []
        assert not storage.has("lib")
        storage.create("lib", "library", b"options")
        assert storage.has("lib")
        assert storage.names() == ["lib"]
        assert bytes(storage.store("lib").get("library").data) == b"options"
        storage.drop("lib")
        assert not storage.has("lib")
        assert storage.names() == []
        storage.drop("lib")

    def test_names(self, storage: Storage) -> None:
        for name in self.names:
            storage.create(name, "library", name.encode())
        assert storage.names() == sorted(self.names)
        for name in self.names:
            assert bytes(storage.store(name).get("library").data) == name.encode()
            storage.store(name).put("own", name.encode())
        storage.drop(self.names[0])
        assert storage.names() == sorted(self.names[1:])
        for name in self.names[1:]:
            assert [entry.key for entry in storage.store(name).list("")] == ["library", "own"]
            assert bytes(storage.store(name).get("own").data) == name.encode()

    def test_a_library_is_created_once(self, storage: Storage) -> None:
        storage.create("lib", "library", b"one")
        with pytest.raises(Conflict):
            storage.create("lib", "library", b"two")
        assert bytes(storage.store("lib").get("library").data) == b"one"

    def test_one_of_many_creators_wins(self, storage: Storage) -> None:
        for attempt in range(5):
            won: list[int] = []

            def create(number: int, name: str = f"lib{attempt}", won: list[int] = won) -> None:
                try:
                    storage.create(name, "library", b"%d" % number)
                    won.append(number)
                except Conflict:
                    pass

            run_threads(create, 4)
            assert len(won) == 1
            assert bytes(storage.store(f"lib{attempt}").get("library").data) == b"%d" % won[0]
        assert len(storage.names()) == 5

    def test_old_handles_to_a_dropped_library(self, storage: Storage) -> None:
        storage.create("lib", "library", b"one")
        store = storage.store("lib")
        store.put("data", noise(100_000))
        storage.drop("lib")
        for use in (
            lambda: store.get("library"),
            lambda: store.get_many(["library"]),
            lambda: store.fetch([Fetch("data", [(0, 5)])]),
            lambda: store.put("data", b""),
            lambda: store.swap("head", b"", None),
        ):
            with pytest.raises((NoDataFoundException, KeyNotFoundException)):
                use()
        storage.create("lib", "library", b"two")
        assert bytes(store.get("library").data) == b"two"
        assert [entry.key for entry in store.list("")] == ["library"]
        assert storage.store("lib").get("library") == store.get("library")

    def test_a_store_may_come_before_its_library(self, storage: Storage) -> None:
        store = storage.store("lib")
        assert not storage.has("lib")
        assert storage.names() == []
        storage.create("lib", "library", b"one")
        assert bytes(store.get("library").data) == b"one"

    def test_it_describes_itself(self, storage: Storage) -> None:
        assert "://" in storage.uri
        assert storage.describe()
