"""A machine whose clock is an hour off, against servers that check when a request was signed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from coldframe.testing.servers import Unavailable
from coldframe.testing.servers.clock import wrong_clock

HOUR = 3600

WORK = textwrap.dedent("""
    import json, sys, time
    from coldframe.exceptions import ArcticException
    from coldframe.stores.object_uri import parse

    storage = parse(sys.argv[1])
    store = storage.store("lib")
    works = {"list": storage.names, "get": lambda: store.get("a"), "put": lambda: store.put("a", b""),
             "swap": lambda: store.swap("head", b"", None), "delete": lambda: store.delete(["a"])}
    said = {}
    for name, work in works.items():
        try:
            work()
            said[name] = ["done", None, ""]
        except ArcticException as error:
            said[name] = [type(error).__name__, int(getattr(error, "code", 0)), str(error)]
    print(json.dumps([time.time(), said]))
""")


@pytest.fixture(params=["ministack_server", pytest.param("ceph_server", marks=pytest.mark.slow)])
def server(request):
    return request.getfixturevalue(request.param)


def off_by(seconds: int, *command: str) -> str:
    """What a Python program prints whose clock is so many seconds ahead."""
    try:
        environment = wrong_clock(seconds)
    except Unavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, env=environment,
                          check=False)
    assert done.stdout, done.stderr
    return done.stdout


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_every_operation_says_that_the_clock_is_wrong(server, prefix, seconds):
    _, said = json.loads(off_by(seconds, "-c", WORK, server.uri(path_prefix=prefix)))
    for name, (kind, code, text) in said.items():
        assert (kind, code) == ("PermissionException", 5003), (name, text)
        assert "clock" in text, text
        assert "timedatectl set-ntp true" in text, text
        assert server.secret_key not in text


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_check_says_by_how_much(server, prefix, seconds):
    found = json.loads(off_by(seconds, "-m", "coldframe.cli", "check", server.uri(path_prefix=prefix), "--json"))
    [clock] = [row for row in found["checks"] if row["name"] == "clock"]
    assert clock["ok"] is False
    assert ("ahead of" if seconds > 0 else "behind") in clock["found"]
    assert 3590 <= int(clock["found"].split()[0]) <= 3610
    assert "timedatectl" in clock["remedy"]


def test_a_clock_that_is_a_little_off_does_no_harm(server, prefix):
    _, said = json.loads(off_by(120, "-c", WORK, server.uri(path_prefix=prefix)))
    assert {kind for kind, _, _ in said.values()} == {"done", "KeyNotFoundException"}
