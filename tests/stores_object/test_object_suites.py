"""The crash points, the lost replies and the model test of the engine, on real servers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.crash.scenarios import OPERATIONS
from tests.crash.test_crash_points import NAMES, SIZES
from tests.stores_object.crash_on_servers import Torn

from coldframe.arctic import Arctic
from coldframe.exceptions import ArcticException
from coldframe.testing.faults import CONDITIONAL, Crash

SOME = 4
"""Of the calls that do not commit, so many are interrupted each time: `tests/crash` interrupts every one, in memory."""
SERVERS = ["ministack_server", pytest.param("ceph_server", marks=pytest.mark.slow),
           pytest.param("azurite_server", marks=pytest.mark.slow)]


@pytest.fixture(scope="session")
def libraries():
    """By server and size: the libraries that are torn. Tests of one need not follow each other."""
    return {}


@pytest.fixture(scope="module", params=[
    pytest.param((server, size), id=f"{server.partition('_')[0]}-{size}")
    for server in ("ministack_server", "ceph_server", "azurite_server") for size in SIZES])
def torn(request, libraries):
    """One after the other where nothing speaks against it, so that both tests look at the same bytes once."""
    server, size = request.param
    if request.param not in libraries:
        folder = {"Path_prefix" if "azurite" in server else "path_prefix": f"crash-{size}"}
        libraries[request.param] = Torn(request.getfixturevalue(server).uri(**folder), size)
    return libraries[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_crash_leaves_the_old_state_or_the_new(torn, name, runs):
    """After each call: what a crash before the next one leaves is the same."""
    allowed = torn.allowed(name)
    calls = torn.some_calls(name, runs(SOME))
    for number, when in [(1, "before"), *((call.number, "after") for call in calls)]:
        _, error = torn.interrupted(name, lambda faults, n=number, w=when: faults.crash(n, w))
        assert isinstance(error, Crash)
        torn.check(allowed)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_lost_reply_is_a_success_or_a_typed_error(torn, name, runs):
    allowed, parts = torn.allowed(name), OPERATIONS[torn.size][name].parts
    for call in torn.some_calls(name, runs(SOME)):
        for applied in (True, False):
            _, error = torn.interrupted(name, lambda faults, n=call.number, a=applied: faults.lose(n, applied=a))
            if call.verb in CONDITIONAL:
                assert error is None, "whether a conditional write went through can be found out"
            assert error is None or isinstance(error, ArcticException)
            torn.check(allowed if error is not None or parts else allowed[-1:])


@pytest.mark.parametrize("server", SERVERS)
def test_model(server, request, prefix, monkeypatch, runs):
    held = pytest.importorskip("tests.model.held")
    model = pytest.importorskip("tests.model.test_model")
    running = request.getfixturevalue(server)
    uri = running.uri(**{"Path_prefix" if "azurite" in server else "path_prefix": prefix})
    storage_arctic = Arctic(uri)
    monkeypatch.setattr(held, "Arctic", lambda _: storage_arctic)
    machine = type("OnServer", (model.Model,), {"kind": "mem", "numbers": itertools.count()})
    run_state_machine_as_test(machine, settings=settings(
        max_examples=runs(50), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)))
