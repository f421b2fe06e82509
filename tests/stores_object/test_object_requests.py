"""What operations ask of a bucket: requests and bytes, counted by a proxy in front of a real server."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from coldframe.arctic import Arctic
from coldframe.catalog.keys import head_key
from coldframe.catalog.records import Head, encode_head
from coldframe.exceptions import InternalException, NoSuchVersionException
from coldframe.format.segments import read_directory
from coldframe.items import WritePayload
from coldframe.operations import encode as encoding
from coldframe.stores.object_requests import BATCHES
from coldframe.stores.object_uri import parse

ROWS = 10


def frame(start: int, rows: int = ROWS) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=rows, freq="s") + pd.Timedelta(start, "s")
    return pd.DataFrame({"a": np.arange(start, start + rows), "b": np.arange(rows) * 0.5}, index=index)


def wide(rows: int, index: pd.Index | None = None) -> pd.DataFrame:
    """Eight columns of numbers that do not compress."""
    values = np.random.default_rng(1).standard_normal((rows, 8))
    return pd.DataFrame(values, columns=list("abcdefgh"), index=index)


def stored_blocks(uri: str) -> dict[str, list[int]]:
    """The bytes of each block of the library's one symbol, by the column that it holds."""
    found: dict[str, list[int]] = {}
    store = parse(uri).store("lib")
    for entry in store.list("data/"):
        directory = read_directory(store.get(entry.key).data)
        for first, count, length in directory.blocks[["first", "count", "length"]].tolist():
            assert count == 1
            found.setdefault(directory.schema.names[int(directory.schema.order[first])] or "index", []).append(length)
    return {name: sorted(lengths, reverse=True) for name, lengths in found.items()}


@pytest.fixture
def uri(ministack_server, proxy, prefix):
    return ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix)


@pytest.fixture
def library(uri):
    return Arctic(uri).create_library("lib")


@pytest.fixture
def cold(uri, library):
    """`cold()`: the library as another process would open it, which knows nothing of its symbols."""
    return lambda: Arctic(uri)["lib"]


@pytest.fixture
def asked(proxy):
    """`asked(call)`: the methods of the requests that it makes, in the order of their arrival."""

    def count(call) -> list[str]:
        proxy.forget()
        call()
        return [seen.method for seen in proxy.log]

    return count


class TestSmallWrites:
    def test_new_symbols_take_one_request(self, library, asked):
        for symbol in ("x", "y"):
            assert asked(lambda symbol=symbol: library.write(symbol, frame(0))) == ["PUT"]
        assert asked(lambda: library.append("z", frame(0))) == ["PUT"]

    def test_new_symbols_in_a_library_that_another_process_made(self, cold, asked):
        library = cold()
        assert asked(lambda: library.write("x", frame(0))) == ["GET", "PUT"], "it might have been there"
        assert asked(lambda: library.write("y", frame(0))) == ["PUT"], "where one is new, the next is expected to be"
        library.write("x", frame(0))
        assert not library.has_symbol("z")
        assert asked(lambda: library.write("z", frame(0))) == ["PUT"], "it was looked for"

    @pytest.mark.parametrize("verb", ["write", "append"])
    def test_the_next_version_takes_one_request_when_warm_and_two_when_cold(self, library, cold, asked, verb):
        library.write("s", frame(0))
        for number in range(1, 4):
            assert asked(lambda number=number: getattr(library, verb)("s", frame(number * ROWS))) == ["PUT"]
        other = cold()
        assert asked(lambda: getattr(other, verb)("s", frame(4 * ROWS))) == ["GET", "PUT"]
        assert asked(lambda: getattr(other, verb)("s", frame(5 * ROWS))) == ["PUT"]
        assert len(library.list_versions("s")) == 6

    def test_a_read_warms(self, library, cold, asked):
        library.write("s", frame(0))
        other = cold()
        assert asked(lambda: other.read("s")) == ["GET"]
        assert asked(lambda: other.append("s", frame(ROWS))) == ["PUT"]
        other = cold()
        other.read_batch(["s"])
        assert asked(lambda: other.write("s", frame(0))) == ["PUT"]

    def test_metadata_updates_and_deletions_are_one_request_too(self, library, asked):
        library.write("s", frame(0))
        assert asked(lambda: library.write_metadata("s", {"a": 1})) == ["PUT"]
        assert asked(lambda: library.update("s", frame(2, 3))) == ["PUT"]
        assert asked(lambda: library.delete("s", versions=0)) == ["PUT"]
        assert asked(lambda: library.delete("s")) == ["PUT"]

    def test_handles_of_one_connection_share_what_they_saw(self, uri, library, asked):
        arctic = Arctic(uri)
        arctic["lib"].write("s", frame(0))
        other = arctic["lib"]
        assert asked(lambda: other.append("s", frame(ROWS))) == ["PUT"]

    def test_pruning_thirty_versions(self, library, cold, asked):
        for number in range(31):
            library.write("small", frame(number * ROWS))
        assert asked(lambda: library.write("small", frame(0), prune_previous_versions=True)) == ["PUT"]
        for number in range(31):
            library.write("large", wide(1_000 + number))
        other = cold()
        assert asked(lambda: other.write("large", frame(0), prune_previous_versions=True)) == ["GET", "PUT"]
        assert len(library.list_versions()) == 2


class TestStaleKnowledge:
    """Somebody else has changed the symbol: nothing is lost, and nothing is decided on what is no longer so."""

    def test_a_commit_on_an_old_head_is_done_again(self, library, cold, asked):
        library.write("s", frame(0))
        other = cold()
        other.append("s", frame(ROWS))
        assert asked(lambda: library.append("s", frame(2 * ROWS))) == ["PUT", "GET", "PUT"]
        assert library.read("s").data["a"].tolist() == list(range(3 * ROWS))
        assert [key.version for key in library.list_versions("s")] == [2, 1, 0]

    def test_large_data_is_stored_once_however_often_the_commit_is_tried(self, library, cold, asked):
        library.write("s", frame(0))
        cold().write("s", frame(0))
        assert sorted(asked(lambda: library.write("s", wide(1_000)))) == ["GET", "PUT", "PUT", "PUT"]
        assert library.read("s").version == 2

    def test_a_symbol_that_is_taken_for_new(self, library, cold, asked):
        cold().write("s", frame(0))
        assert asked(lambda: library.append("s", frame(ROWS))) == ["PUT", "GET", "PUT"]
        cold().write("t", frame(0))
        assert asked(lambda: library.write("t", frame(ROWS))) == ["GET", "PUT"], "one that was there is a lesson"
        assert library.read("s").data["a"].tolist() == list(range(2 * ROWS))

    def test_errors_are_decided_on_the_newest_head(self, library, cold):
        renamed = {"b": "c"}
        library.write("s", frame(0))
        other = cold()
        other.read("s")
        library.write("s", frame(0).rename(columns=renamed))
        other.append("s", frame(ROWS).rename(columns=renamed))  # not to what it has read
        assert other.read("s").data.columns.tolist() == ["a", "c"]
        library.write("s", frame(100))
        with pytest.raises(InternalException, match="before the last one stored"):
            other.append("s", frame(2 * ROWS))
        library.write("s", frame(0))
        assert other.append("s", frame(2 * ROWS)).version == 5

    def test_nothing_to_do_is_decided_on_the_newest_head(self, library, cold):
        other = cold()
        assert not other.has_symbol("s")
        library.write("s", frame(0))
        other.delete("s")
        assert library.list_symbols() == []
        with pytest.raises(NoSuchVersionException):
            library.read("s")
        library.write("s", frame(0))
        library.write("s", frame(0))
        other.delete("s", versions=1)
        assert [key.version for key in library.list_versions("s")] == [2]

    def test_a_symbol_that_was_deleted_and_written_again(self, library, cold):
        library.write("s", frame(0))
        other = cold()
        other.delete("s")
        other.write("s", frame(5))
        assert library.append("s", frame(5 + ROWS)).version == 2
        assert library.read("s").data["a"].tolist() == list(range(5, 5 + 2 * ROWS))

    def test_a_library_that_was_deleted_and_made_again(self, uri, library):
        library.write("s", frame(0))
        library.write("t", frame(0))
        other = Arctic(uri)
        other.delete_library("lib")
        again = other.create_library("lib")
        again.write("s", frame(50))
        assert library.append("s", frame(60)).version == 1
        assert again.read("s").data["a"].tolist() == list(range(50, 70))
        assert library.write("t", frame(0)).version == 0


class TestReads:
    def test_a_small_read_takes_one_request_and_is_fresh(self, library, cold, asked):
        library.write("s", frame(0), metadata={"k": 1})
        other = cold()
        for number in range(3):
            assert asked(lambda: other.read("s")) == ["GET"]
            assert other.read("s").version == number
            library.append("s", frame((number + 1) * ROWS))
        assert asked(lambda: other.read_metadata("s")) == ["GET"]
        assert asked(lambda: other.head("s", 3)) == ["GET"]
        assert asked(lambda: other.tail("s", 3)) == ["GET"]
        assert asked(lambda: other.get_description("s")) == ["GET"]

    def test_an_old_version_takes_two_at_most(self, library, cold, asked):
        for number in range(31):
            library.write("s", frame(number))
        other = cold()
        for version in (0, 3, 30, -2):
            assert len(asked(lambda version=version: other.read("s", as_of=version))) <= 2
        assert other.read("s", as_of=3).data.equals(frame(3))

    def test_an_old_version_that_is_sealed_in_a_log_takes_two(self, library, cold, asked):
        for number in range(150):
            library.write("s", frame(number, 60))
        other = cold()
        assert asked(lambda: other.read("s", as_of=3)) == ["GET", "GET"]
        assert asked(lambda: other.list_versions("s", skip_snapshots=True)) == ["GET"]
        assert len(asked(lambda: other.read("s"))) == 1

    def test_batches_take_a_request_for_each_item_at_once(self, library, proxy, asked):
        symbols = [f"s{number}" for number in range(40)]
        for number, symbol in enumerate(symbols):
            library.write(symbol, frame(number))
        proxy.latency = 0.3
        for call in (library.read_batch, library.read_metadata_batch, library.get_description_batch):
            assert asked(lambda call=call: call(symbols)) == ["GET"] * 40
            begun = sorted(seen.started for seen in proxy.log)
            assert begun[BATCHES - 1] - begun[0] < 3, "one after the other they take nine seconds"
        proxy.latency = 0.0
        read = library.read_batch(symbols)
        assert [item.data["a"].iloc[0] for item in read] == list(range(40))

    def test_writes_of_a_batch_are_made_at_once(self, library, proxy, asked):
        proxy.latency = 0.3
        payloads = [(f"s{number}", frame(number)) for number in range(20)]
        assert asked(lambda: library.write_batch([WritePayload(*item) for item in payloads])) == ["PUT"] * 20
        begun = sorted(seen.started for seen in proxy.log)
        assert begun[-1] - begun[0] < 3, "one after the other they take six seconds"

    @pytest.mark.parametrize("timed", [False, True], ids=["rows", "times"])
    def test_one_column_of_eight_is_all_that_comes(self, uri, library, proxy, asked, timed):
        rows = 250_000
        times = pd.DatetimeIndex(np.cumsum(np.random.default_rng(2).integers(1, 10**9, rows)))
        library.write("s", wide(rows, times if timed else None))
        blocks = stored_blocks(uri)
        assert blocks["c"] == [100_000 * 8, 100_000 * 8, 50_000 * 8], "the short last slice has a block for it too"
        requests = asked(lambda: library.read("s", columns=["c"]))
        assert set(requests) == {"GET"}
        ranges = [seen.received for seen in proxy.log if "/data/" in seen.target]
        assert sorted(ranges) == sorted(blocks["c"] + blocks.get("index", [])), "a range for each block, nothing else"
        assert len(requests) == len(ranges) + 1, "and the head"

    def test_rows_that_pack_are_few_objects(self, library, cold, asked):
        rows = 1_000_000
        whole = pd.DataFrame({"a": np.arange(rows) // 7, "b": np.arange(rows) % 2})
        requests = asked(lambda: library.write("s", whole))
        assert requests == ["PUT"] * 5, "slices of one, four, four and one times 100,000 rows, and the head"
        assert asked(lambda: cold().read("s")) == ["GET"] * 6, "the library's options, the head, and each of the slices"
        assert cold().read("s").data.equals(whole)

    def test_a_date_range_takes_the_blocks_in_it(self, library, proxy, asked):
        rows = 250_000
        index = pd.date_range("2024-01-01", periods=rows, freq="s")
        library.write("s", wide(rows, index))
        requests = asked(lambda: library.read("s", date_range=(index[120_000], index[120_100]), columns=["a"]))
        assert requests == ["GET"] * 2, "the head; the times with the column"
        of_a_slice = 100_000 * 8
        assert sum(seen.received for seen in proxy.log) < of_a_slice * 1.3
        assert asked(lambda: library.read("s", date_range=(index[0], index[10]))) == ["GET"] * 2
        assert sum(seen.received for seen in proxy.log) < 8.5 * of_a_slice


class TestListing:
    def test_list_versions_takes_one_request_and_one_for_the_snapshots_beside_it(self, library, proxy, asked):
        for number in range(31):
            library.append("s", frame(number * ROWS))
        assert asked(lambda: library.list_versions("s", skip_snapshots=True)) == ["GET"]
        proxy.latency = 1.0
        assert sorted(asked(lambda: library.list_versions("s"))) == ["GET", "GET"]
        first, second = proxy.log
        assert sum("list-type" in seen.target for seen in proxy.log) == 1
        assert abs(second.started - first.started) < 0.9, "they were not made at once"

    def test_list_symbols_of_ten_thousand_takes_eleven(self, ministack_server, prefix, library, asked):
        store = parse(ministack_server.uri(path_prefix=prefix)).store("lib")
        names = [f"symbol_{number:05}" for number in range(10_000)]
        store.put_many((head_key(name), b"xx") for name in names)
        store.put(head_key("deleted"), encode_head(Head("deleted", 3)))
        found = []
        requests = asked(lambda: found.extend(library.list_symbols()))
        assert sorted(found) == names
        assert set(requests) == {"GET"}
        assert len(requests) <= 11

    def test_has_symbol_takes_one(self, library, asked):
        library.write("s", frame(0))
        assert asked(lambda: library.has_symbol("s")) == ["GET"]
        assert asked(lambda: library.has_symbol("none")) == ["GET"]


class TestLargeWrites:
    def test_all_data_goes_out_at_once(self, library, proxy, asked):
        proxy.latency = 0.5
        requests = asked(lambda: library.write("s", wide(400_000)))
        assert requests == ["PUT"] * len(requests)
        data = [seen.started for seen in proxy.log if "/data/" in seen.target]
        assert len(data) >= 4
        assert max(data) - min(data) < 0.5 * (len(data) - 1), "they went out one after the other"
        assert "/heads/" in proxy.log[-1].target, "and the head after them"

    def test_encoding_goes_on_while_data_goes_out(self, library, proxy, monkeypatch):
        real = encoding.Encoder.encode
        started = []
        in_time = []

        def encode(self, *job):
            started.append(job)
            if len(started) == 10:  # of fifteen; those before it must be on their way by now, or soon
                end = time.monotonic() + 20
                while not proxy.count() and time.monotonic() < end:
                    time.sleep(0.01)
                in_time.append(proxy.count() > 0)
            return real(self, *job)

        monkeypatch.setattr(encoding.Encoder, "encode", encode)
        proxy.forget()
        library.write("s", wide(1_500_000))
        assert in_time == [True], "everything was encoded before the first request"
