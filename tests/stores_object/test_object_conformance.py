"""What every store and storage must do, on every server."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import suppress

import pytest

from coldframe.stores.base import Conflict, Storage, Store, UnknownOutcome
from coldframe.stores.object_storage import ObjectStorage
from coldframe.stores.object_uri import parse
from coldframe.testing.conformance import ODD_KEYS, StoreConformance, run_threads
from coldframe.testing.storage_conformance import StorageConformance


class OnServer(StoreConformance):
    """On a storage that a subclass provides."""

    many = 1200
    large = 24 * 1024 * 1024

    @pytest.fixture
    def uri(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def store(self, uri: str) -> Iterator[Store]:
        storage = parse(uri)
        storage.create("library", "library-file", b"")
        storage.store("library").delete(["library-file"])
        yield storage.store("library")
        storage.close()

    @pytest.fixture
    def other(self, uri: str, store: Store) -> Store:
        return parse(uri).store("library")

    def test_counting_threads_lose_nothing(self, store: Store) -> None:
        """As heads are: every writer's bytes are its own, and an unknown outcome is looked up in the history."""
        store.swap("count", b"[]", None)

        def count(number: int) -> None:
            for turn in range(12):
                token = f"{number}-{turn}"
                while True:
                    found = store.get("count")
                    tokens = json.loads(bytes(found.data))
                    if token in tokens:
                        break
                    with suppress(Conflict, UnknownOutcome):
                        store.swap("count", json.dumps([*tokens, token]).encode(), found.tag)
                        break

        run_threads(count, 8)
        tokens = json.loads(bytes(store.get("count").data))
        assert sorted(tokens) == sorted(f"{number}-{turn}" for number in range(8) for turn in range(12))


class StoragesOnServer(StorageConformance):
    """The same for a storage."""

    @pytest.fixture
    def uri(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def storage(self, uri: str) -> Storage:
        return parse(uri)


class TestOnMinistack(OnServer):
    @pytest.fixture
    def uri(self, ministack_server, prefix):
        return ministack_server.uri(path_prefix=prefix)


class TestStorageOnMinistack(StoragesOnServer):
    @pytest.fixture
    def uri(self, ministack_server, prefix):
        return ministack_server.uri(path_prefix=prefix)


class TestOnCeph(OnServer):
    @pytest.fixture
    def uri(self, ceph_server, prefix):
        return ceph_server.uri(path_prefix=prefix)


class TestStorageOnCeph(StoragesOnServer):
    @pytest.fixture
    def uri(self, ceph_server, prefix):
        return ceph_server.uri(path_prefix=prefix)


class TestOnAzurite(OnServer):
    @pytest.fixture
    def uri(self, azurite_server, prefix):
        return azurite_server.uri(Path_prefix=prefix)

    def test_odd_keys(self, store, monkeypatch):
        # Azure itself turns a backslash into a slash; names are percent-encoded before they become keys.
        monkeypatch.setattr("coldframe.testing.conformance.ODD_KEYS", [key for key in ODD_KEYS if "\\" not in key])
        super().test_odd_keys(store)


class TestStorageOnAzurite(StoragesOnServer):
    @pytest.fixture
    def uri(self, azurite_server, prefix):
        return azurite_server.uri(Path_prefix=prefix)


class TestOnGcs(OnServer):
    @pytest.fixture
    def uri(self, gcs_server, prefix):
        return gcs_server.uri(path_prefix=prefix)


class TestStorageOnGcs(StoragesOnServer):
    @pytest.fixture
    def uri(self, gcs_server, prefix):
        return gcs_server.uri(path_prefix=prefix)


class TestInTheWholeBucket:
    """Without a prefix, beside things that are not ours."""

    def test_other_things_are_no_libraries(self, ministack_server):
        from coldframe.testing.servers.processes import S3Server

        server = S3Server(**{**vars(ministack_server), "bucket": "shared-bucket"})
        server.client().create_bucket(Bucket=server.bucket)
        server.client().put_object(Bucket=server.bucket, Key="photos/1.jpg", Body=b"x")
        server.client().put_object(Bucket=server.bucket, Key="readme", Body=b"x")
        storage = parse(server.uri())
        assert storage.names() == []
        storage.create("lib", "library", b"options")
        assert storage.names() == ["lib"]
        storage.drop("lib")
        left = [entry["Key"] for entry in server.client().list_objects_v2(Bucket=server.bucket)["Contents"]]
        assert left == ["photos/1.jpg", "readme"]


class TestWithoutConditionalWrites:
    """Stores that ignore conditions or refuse them."""

    @pytest.mark.parametrize("name", ["rclone_server", "swift_server"])
    def test_they_are_refused(self, name, request, prefix):
        server = request.getfixturevalue(name)
        storage = parse(server.uri(path_prefix=prefix))
        with pytest.raises(Exception, match="unsafe_writes=true") as caught:
            storage.create("lib", "library", b"options")
        assert caught.value.code.name == "E_UNSUPPORTED_ATOMIC_OPERATION"
        assert server.bucket in str(caught.value)
        assert not storage.has("lib")
        assert list(storage.store("lib").list("")) == []

    @pytest.mark.parametrize("name", ["rclone_server", "swift_server"])
    def test_they_work_when_wanted(self, name, request, prefix):
        server = request.getfixturevalue(name)
        with pytest.warns(UserWarning, match="last of several writers"):
            storage = parse(server.uri(path_prefix=prefix, unsafe_writes="true"))
        works(storage)

    def test_no_warning_where_nothing_is_written(self, rclone_server):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parse(rclone_server.uri(unsafe_writes="true"), read_only=True)


def works(storage: ObjectStorage) -> None:
    storage.create("lib", "library", b"options")
    with pytest.raises(Conflict):
        storage.create("lib", "library", b"options")
    store = storage.store("lib")
    first = store.swap("head", b"one", None)
    second = store.swap("head", b"two", first)
    with pytest.raises(Conflict):
        store.swap("head", b"three", first)
    assert (store.get("head").data, store.get("head").tag) == (b"two", second)
    store.put_many((f"data/{number}", b"x" * number) for number in range(9))
    assert [entry.size for entry in store.list("data/")] == list(range(9))
    storage.drop("lib")
    assert storage.names() == []
