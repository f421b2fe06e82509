"""The crash points, the lost replies and the model test of the engine, on real servers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.crash import test_crash_points as points
from tests.crash.scenarios import NOW, Kept, fill, opened

from coldframe.arctic import Arctic
from coldframe.catalog import commit as committing
from coldframe.catalog.config import LibraryConfig, create
from coldframe.stores.object_uri import parse
from coldframe.testing.faults import WRITES

HOUR = 3_600_000_000_000
SERVERS = ["ministack_server", pytest.param("ceph_server", marks=pytest.mark.slow),
           pytest.param("azurite_server", marks=pytest.mark.slow)]
# Each run starts on a copy of a library, so one operation takes seconds: all of them on one server, some on the others.
RUNS = [
    *(("ministack_server", "small", name) for name in points.NAMES),
    *(("ministack_server", "large", name) for name in points.NAMES[::9]),
    *(("ceph_server", "small", name) for name in points.NAMES[::4]),
    *(("azurite_server", "small", name) for name in points.NAMES[2::4]),
]


class KeptOnServer(Kept):
    """In a bucket; a copy is made by storing the same objects again."""

    verbs = WRITES

    def __init__(self, size: str, uri: str) -> None:
        super().__init__(size)
        self.storage = parse(uri)
        self.numbers = itertools.count()
        create(self.storage, "base", LibraryConfig())
        store = self.limited(self.storage.store("base"))
        fill(opened(store, NOW - HOUR), size)
        keys = [entry.key for entry in store.list("")]
        self.objects = {key: bytes(found.data) for key, found in zip(keys, store.get_many(keys), strict=True)}

    def copy(self):
        store = self.storage.store(f"copy{next(self.numbers)}")
        store.put_many(self.objects.items())
        return self.limited(store)


@pytest.fixture(scope="module")
def places():
    return {}


@pytest.fixture
def kept(request, places, monkeypatch, server, size):
    monkeypatch.setattr(committing.time, "sleep", lambda seconds: None)
    if (server, size) not in places:
        running = request.getfixturevalue(server)
        folder = {"Path_prefix" if "azurite" in server else "path_prefix": f"crash-{size}"}
        places[server, size] = KeptOnServer(size, running.uri(**folder))
    return places[server, size], size


@pytest.mark.slow
@pytest.mark.parametrize(("server", "size", "name"), RUNS)
def test_a_crash_leaves_the_old_state_or_the_new(kept, name):
    points.test_a_crash_leaves_the_old_state_or_the_new(kept, name)


@pytest.mark.slow
@pytest.mark.parametrize(("server", "size", "name"), RUNS)
def test_a_lost_reply_is_a_success_or_a_typed_error(kept, name):
    points.test_a_lost_reply_is_a_success_or_a_typed_error(kept, name)


@pytest.mark.parametrize("server", SERVERS)
def test_model(server, request, prefix, monkeypatch, runs):
    model = pytest.importorskip("tests.model.test_model")
    running = request.getfixturevalue(server)
    uri = running.uri(**{"Path_prefix" if "azurite" in server else "path_prefix": prefix})
    storage_arctic = Arctic(uri)
    monkeypatch.setattr(model, "Arctic", lambda _: storage_arctic)
    machine = type("OnServer", (model.Model,), {"kind": "mem", "numbers": itertools.count()})
    run_state_machine_as_test(machine, settings=settings(
        max_examples=runs(50), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)))
