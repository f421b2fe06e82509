"""Libraries on object stores: many processes at once, which requests reach the server, and where secrets are not."""

from __future__ import annotations

import io
import logging
import multiprocessing
import pickle
import re
import time
import traceback

import numpy as np
import pandas as pd
import pytest

from coldframe.arctic import Arctic
from coldframe.exceptions import PermissionException
from coldframe.stores.object_uri import parse
from coldframe.testing.proxy import FaultProxy

ROWS = 10


def frame(start: int, rows: int = ROWS) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=rows, freq="s") + pd.Timedelta(start, "s")
    return pd.DataFrame({"a": np.arange(start, start + rows), "b": np.arange(rows) * 0.5}, index=index)


def append_many(uri: str, worker: int, turns: int) -> None:
    """What one of several processes does: append rows that no other has."""
    library = Arctic(uri)["lib"]
    for turn in range(turns):
        library.append("s", pd.DataFrame({"who": [worker], "turn": [turn]}))


def uri_of(server, prefix, **options):
    name = "Path_prefix" if type(server).__name__ == "AzureServer" else "path_prefix"
    return server.uri(**{name: prefix, **options})


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("name", ["ministack_server", pytest.param("ceph_server", marks=pytest.mark.slow),
                                  pytest.param("azurite_server", marks=pytest.mark.slow)])
def test_many_processes_append_to_one_symbol(name, method, request, prefix, runs):
    server, processes, turns = request.getfixturevalue(name), 8, max(4, runs(100))
    if method == "fork":
        processes, turns = 3, 4
    uri = uri_of(server, prefix)
    library = Arctic(uri).create_library("lib")
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=append_many, args=(uri, number, turns)) for number in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
        assert worker.exitcode == 0
    data = library.read("s").data
    assert len(data) == processes * turns
    for worker in range(processes):
        assert data["turn"][data["who"] == worker].tolist() == list(range(turns))
    assert len(library.list_versions("s")) == processes * turns


@pytest.mark.parametrize("name", ["ministack_server", "ceph_server", "azurite_server", "gcs_server"])
def test_a_day_in_the_life(name, request, prefix):
    arctic = Arctic(uri_of(request.getfixturevalue(name), prefix))
    library = arctic.create_library("a/b")
    library.write("s", frame(0), metadata={"by": "test"})
    library.append("s", frame(ROWS))
    library.snapshot("snap")
    library.update("s", frame(5, 3).assign(b=-1.0))
    library.write("t", frame(0, 60_000))
    pd.testing.assert_frame_equal(library.read("s", as_of=0).data, frame(0), check_freq=False)
    both = pd.concat([frame(0), frame(ROWS)])
    pd.testing.assert_frame_equal(library.read("s", as_of="snap").data, both, check_freq=False)
    assert len(library.read("s").data) == 2 * ROWS
    assert library.read("s").data["b"].iloc[5:8].tolist() == [-1.0] * 3
    pd.testing.assert_frame_equal(library.read("t", columns=["b"]).data, frame(0, 60_000)[["b"]], check_freq=False)
    assert sorted(library.list_symbols()) == ["s", "t"]
    library.delete("s")
    assert library.list_symbols() == ["t"]
    assert len(library.read("s", as_of="snap").data) == 2 * ROWS
    library.delete_snapshot("snap")
    assert arctic.list_libraries() == ["a/b"]
    arctic.delete_library("a/b")
    assert list(parse(uri_of(request.getfixturevalue(name), prefix)).requests.pages(prefix, "")) == []


ALLOWED = {
    "GET": r"^/[^?]+/.+|^/[^/?]+/?\?list-type=2&", "HEAD": r"^/[^?]+/.+", "PUT": r"^/[^?]+/[^?]+$",
    "DELETE": r"^/[^?]+/[^?]+$", "POST": r"^/[^/?]+/?\?delete=?$",
}


def test_only_five_operations_ever_reach_the_server(ministack_server, prefix):
    with FaultProxy(ministack_server.endpoint) as proxy:
        arctic = Arctic(ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix))
        library = arctic.create_library("lib")
        values = np.random.default_rng(1).normal(size=(400_000, 9))
        library.write("large", pd.DataFrame(values, columns=list("abcdefghi")))
        for number in range(40):
            library.append("s", frame(number * ROWS))
        library.read("large", columns=["c"])
        library.write("s", frame(0), prune_previous_versions=True)
        library.snapshot("x")
        library.list_versions()
        library.delete_snapshot("x")
        library.delete("s")
        arctic.delete_library("lib")
        for seen in proxy.log:
            assert re.search(ALLOWED[seen.method], seen.target), seen
            assert "upload" not in seen.target.partition("?")[2], seen
        assert {seen.method for seen in proxy.log} >= {"GET", "PUT", "POST"}
        assert max(seen.sent for seen in proxy.log) < 64 << 20


class TestSecrets:
    def test_they_are_nowhere(self, ministack_server, prefix, caplog, capsys):
        """Not in what is shown, logged, raised or stored; the server's own secret is the one that is looked for."""
        caplog.set_level(logging.DEBUG)
        secret = ministack_server.secret_key
        arctic = Arctic(ministack_server.uri(path_prefix=prefix))
        library = arctic.create_library("lib")
        library.write("s", frame(0), metadata={"a": 1})
        texts = [repr(arctic), str(arctic), repr(library), str(library), repr(library.read("s"))]
        for work in (lambda: library.read("none"), lambda: Arctic(ministack_server.uri(bucket="none")).list_libraries(),
                     lambda: arctic.get_library("none"), lambda: arctic.create_library("lib")):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
                out = io.StringIO()
                traceback.print_exception(error, file=out)
                texts.append(out.getvalue() + repr(error) + repr(vars(error)))
        shown = capsys.readouterr()
        texts += [caplog.text, shown.out, shown.err]
        assert all(secret not in text for text in texts)
        client = ministack_server.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=ministack_server.bucket, Prefix=prefix):
            for entry in page["Contents"]:
                body = client.get_object(Bucket=ministack_server.bucket, Key=entry["Key"])["Body"].read()
                assert secret.encode() not in body + entry["Key"].encode()
                assert ministack_server.access_key.encode() not in body

    def test_a_library_made_from_aws_auth_pickles_without_them(self, ministack_server, prefix, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ministack_server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ministack_server.secret_key)
        arctic = Arctic(ministack_server.uri(path_prefix=prefix, aws_auth="true"))
        library = arctic.create_library("lib")
        library.write("s", frame(0))
        sent = pickle.dumps(library)
        assert ministack_server.secret_key.encode() not in sent
        assert ministack_server.access_key.encode() not in sent
        assert len(pickle.loads(sent).read("s").data) == ROWS

    def test_a_storage_is_sent_by_its_connection_string(self, ministack_server, prefix):
        first = parse(ministack_server.uri(path_prefix=prefix), read_only=True)
        sent = pickle.loads(pickle.dumps(first))
        assert (sent.uri, sent.read_only, repr(sent)) == (first.uri, True, repr(first))
        assert pickle.loads(pickle.dumps(first)) is sent  # libraries that arrive one by one share connections
        called = parse(ministack_server.uri(path_prefix=prefix).replace(
            f"&access={ministack_server.access_key}&secret={ministack_server.secret_key}", ""), credentials=failing)
        with pytest.raises(PermissionException, match="the vault is sealed"):
            pickle.loads(pickle.dumps(called)).names()


def failing():
    raise OSError("the vault is sealed")


def test_deletions_are_made_in_batches(ministack_server, prefix, proxy, monkeypatch):
    store = parse(ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix)).store("lib")
    keys = [f"k/{number:04}" for number in range(1300)]
    store.put_many((key, b"") for key in keys[:50])
    for size, requests in ((None, 2), (400, 4)):
        monkeypatch.setattr("coldframe.stores.object_store.get_config_int", lambda _, size=size: size)
        proxy.forget()
        store.delete(keys)
        assert proxy.count("POST") == proxy.count() == requests
    assert list(store.list("")) == []


def test_an_arctic_with_a_callable(ministack_server, prefix):
    """The key that it hands out is the one in use, and is asked for no more often than it must be."""
    asked = []

    def credentials():
        asked.append(1)
        return {"access_key": ministack_server.access_key, "secret_key": ministack_server.secret_key,
                "expires_at": time.time() + 3600}

    keys = f"&access={ministack_server.access_key}&secret={ministack_server.secret_key}"
    arctic = Arctic(ministack_server.uri(path_prefix=prefix).replace(keys, ""), credentials=credentials)
    library = arctic.create_library("lib")
    for number in range(3):
        library.append("s", frame(number * 10))
    assert library.read("s").data["a"].tolist() == list(range(30))
    assert asked == [1]
    assert ministack_server.secret_key not in f"{arctic!r}{library!r}"
