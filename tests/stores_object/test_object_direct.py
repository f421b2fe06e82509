"""Long ranges that are read straight into memory, and all that leads back to the client library."""

from __future__ import annotations

import logging
import random
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from coldframe.arctic import Arctic
from coldframe.exceptions import DamagedDataException
from coldframe.stores import object_direct
from coldframe.stores.base import Fetch
from coldframe.stores.object_direct import DirectReader
from coldframe.stores.object_target import Target
from coldframe.stores.object_uri import parse
from coldframe.testing.proxy import FAULTS, FaultProxy
from coldframe.testing.servers.answering import Answer, Answering, Asked

DATA = random.Random(1).randbytes(5_000_000)
RANGES = [(10, 2_000_000), (2_010_000, 4_999_000)]


def memory() -> list[memoryview]:
    return [memoryview(bytearray(stop - start)) for start, stop in RANGES]


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What became of each attempt to read directly."""
    found: list[bool] = []
    read = DirectReader.read

    def noted(*arguments: object) -> bool:
        found.append(read(*arguments))
        return found[-1]

    monkeypatch.setattr(DirectReader, "read", noted)
    return found


class TestFetch:
    def test_bytes_go_where_they_are_to_be_in_one_request(self, proxied, proxy, outcomes):
        store = proxied.store("lib")
        store.put("d/a", DATA)
        proxy.forget()
        into = memory()
        [found] = store.fetch([Fetch("d/a", RANGES, into)])
        assert outcomes == [True]
        assert [seen.method for seen in proxy.log] == ["GET"]
        for data, place, (start, stop) in zip(found, into, RANGES, strict=True):
            assert data.obj is place.obj
            assert data == DATA[start:stop]

    def test_a_connection_is_used_again(self, proxied, proxy, outcomes):
        store = proxied.store("lib")
        store.put("d/a", DATA)
        for _ in range(3):
            store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == [True] * 3
        reader = store._requests.client._direct
        assert len(reader._idle) == 1
        reader.close()
        assert not reader._idle

    def test_a_connection_that_the_server_has_closed_is_not(self, proxied, ministack_server, prefix, outcomes):
        with FaultProxy(ministack_server.endpoint) as first:
            store = parse(ministack_server.uri(endpoint=first.endpoint, path_prefix=prefix)).store("lib")
            store.put("d/a", DATA)
            store.fetch([Fetch("d/a", RANGES, memory())])
            reader = store._requests.client._direct
            [(_, connection)] = reader._idle
            assert not object_direct._has_ended(connection.sock)
        assert object_direct._has_ended(connection.sock)
        assert outcomes == [True]

    def test_some_bytes_have_no_place(self, proxied, outcomes):
        store = proxied.store("lib")
        store.put("d/a", DATA)
        into = memory()
        ranges = [(0, 5), *RANGES, (4_999_000, 5_000_000)]
        [found] = store.fetch([Fetch("d/a", ranges, [None, *into, None])])
        assert outcomes == [True]
        assert [bytes(data) for data in found] == [DATA[start:stop] for start, stop in ranges]

    def test_an_object_shorter_than_wanted(self, proxied, outcomes):
        store = proxied.store("lib")
        store.put("d/a", DATA[:3_000_000])
        [found] = store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == [False]
        assert [bytes(data) for data in found] == [DATA[10:2_000_000], DATA[2_010_000:3_000_000]]

    @pytest.mark.parametrize("fault", sorted({*FAULTS} - {"corrupt", "conflict", "error_after"}))
    def test_after_a_fault_the_client_library_is_asked(self, proxied, proxy, outcomes, monkeypatch, fault):
        proxy.stall = 1.0
        store = proxied.store("lib")
        store.put("d/a", DATA)
        proxy.inject(fault, methods=["GET"], times=1)
        for _ in range(2):  # and for a while from then on
            [found] = store.fetch([Fetch("d/a", RANGES, memory())])
            assert [bytes(data) for data in found] == [DATA[start:stop] for start, stop in RANGES]
        assert outcomes == [False, False]
        assert len([seen for seen in proxy.log if seen.method == "GET"]) == 3
        monkeypatch.setattr(store._requests.client._direct, "_not_before", 0.0)
        store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == [False, False, True]

    @pytest.mark.parametrize("rows", [60_000, 250_000])
    def test_frames(self, ministack_server, proxy, prefix, outcomes, monkeypatch, rows):
        monkeypatch.setattr(object_direct, "PAUSE", 0.0)
        library = Arctic(ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix)).create_library("lib")
        frame = pd.DataFrame(np.random.default_rng(1).normal(size=(rows, 8)), columns=list("abcdefgh"))
        library.write("s", frame)
        pieces = -(-rows // 100_000)
        proxy.inject("truncate", methods=["GET"], path="lib/d", times=1)
        for failed in (1, 0):
            outcomes.clear()
            pd.testing.assert_frame_equal(library.read("s").data, frame)
            assert sorted(outcomes) == [False] * failed + [True] * (pieces - failed)
        proxy.inject("corrupt", methods=["GET"], path="lib/d")
        with pytest.raises(DamagedDataException, match="'s'"):
            library.read("s")

    @pytest.mark.parametrize("verified", [True, False])
    def test_with_tls(self, ministack_tls, prefix, outcomes, verified):
        options = {"CA_cert_path": ministack_tls.ca_bundle} if verified else {"ssl": "false"}
        with nullcontext() if verified else pytest.warns(UserWarning, match="not verified"):
            store = parse(ministack_tls.uri(path_prefix=prefix, **options)).store("lib")
        store.put("d/a", DATA)
        [found] = store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == [True]
        assert [bytes(data) for data in found] == [DATA[start:stop] for start, stop in RANGES]

    def test_a_certificate_is_verified(self, ministack_tls):
        target = Target("s3", "b", endpoint=ministack_tls.endpoint)
        sign = f"{ministack_tls.endpoint}/b/{{}}?signed".format
        assert not DirectReader(target, sign, ()).read("k", 0, [memoryview(bytearray(2))])

    def test_of_production_servers(self, ceph_server, prefix, outcomes):
        store = parse(ceph_server.uri(path_prefix=prefix)).store("lib")
        store.put("d/a", DATA)
        [found] = store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == [True]
        assert [bytes(data) for data in found] == [DATA[start:stop] for start, stop in RANGES]

    def test_other_protocols_are_left_to_the_client_library(self, azurite_server, prefix, outcomes):
        store = parse(azurite_server.uri(path_prefix=prefix)).store("lib")
        store.put("d/a", DATA)
        [found] = store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == []
        assert [bytes(data) for data in found] == [DATA[start:stop] for start, stop in RANGES]

    def test_no_signature_reaches_a_log(self, proxied, proxy, caplog):
        store = proxied.store("lib")
        store.put("d/a", DATA)
        proxy.inject("denied", methods=["GET"], times=1)
        with caplog.at_level(logging.DEBUG):
            store.fetch([Fetch("d/a", RANGES, memory())])
        assert "client library" in caplog.text
        assert "ignature" not in caplog.text

    def test_behind_a_proxy_of_the_environment(self, ministack_server, prefix, monkeypatch, outcomes):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        store = parse(ministack_server.uri(path_prefix=prefix)).store("lib")
        store.put("d/a", DATA)
        store.fetch([Fetch("d/a", RANGES, memory())])
        assert outcomes == [False]


class Odd(Answering):
    """Answers a range in its own way."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self.given = Answer(status, body, headers or {})
        self.asked: list[Asked] = []

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.given


@pytest.mark.parametrize(
    ("status", "body", "headers", "works"),
    [
        (206, b"12345", {}, True),
        (206, b"12345", {"Connection": "close"}, True),
        (206, b"1234", {}, False),
        (206, b"123456", {}, False),
        (200, b"12345", {}, False),
        (404, b"12345", {}, False),
        (307, b"12345", {"Location": "http://127.0.0.1:9/"}, False),
    ],
)
def test_only_an_answer_that_is_as_expected_counts(status, body, headers, works):
    with Odd(status, body, headers) as server:
        reader = DirectReader(Target("s3", "b", endpoint=server.url), lambda path: f"{server.url}/b/{path}?signed", ())
        places = [memoryview(bytearray(2)), memoryview(bytearray(3))]
        assert reader.read("k", 7, places) is works
        assert reader.read("k", 7, places) is works
        assert len(server.asked) == (2 if works else 1)
        assert server.asked[0].path == "/b/k?signed"
        assert server.asked[0].headers["Range"] == "bytes=7-11"
        if works:
            assert [bytes(place) for place in places] == [b"12", b"345"]
        assert len(reader._idle) == (works and "Connection" not in headers)
        reader.close()


def test_what_cannot_be_signed_is_left_to_the_client_library():
    def refuse(path: str) -> str:
        raise LookupError(path)

    reader = DirectReader(Target("s3", "b", endpoint="http://127.0.0.1:9"), refuse, (LookupError,))
    assert not reader.read("k", 0, [memoryview(bytearray(2))])
