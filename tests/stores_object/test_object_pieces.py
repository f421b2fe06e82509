"""The decisions below the object store, without a server: paths, ranges, retries, failures, errors, keys, threads."""

from __future__ import annotations

import pickle
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coldframe.exceptions import (
    ErrorCode,
    KeyNotFoundException,
    PermissionException,
    StorageException,
    UserInputException,
)
from coldframe.stores.credentials.fixed import Called, Fixed
from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.credentials.values import Credentials, from_answer
from coldframe.stores.object_errors import Attempted, Operation, explain
from coldframe.stores.object_failures import TRANSIENT, Failure, Kind, understand
from coldframe.stores.object_paths import escape, library_name, library_path, listing_start, unescape
from coldframe.stores.object_ranges import Run, cut, lay, plan
from coldframe.stores.object_retry import Patience
from coldframe.stores.object_uri import parse
from coldframe.workers import Workers

KEYS = st.text(alphabet="/.!~ab%\\", min_size=1, max_size=12)


class TestPaths:
    @given(KEYS)
    def test_every_key_has_a_path_and_back(self, key):
        path = escape(key)
        assert unescape(path) == key
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts)

    @given(KEYS, KEYS)
    def test_different_keys_have_different_paths(self, one, other):
        assert (escape(one) == escape(other)) == (one == other)

    @given(st.text(min_size=1, max_size=40))
    def test_libraries(self, name):
        path = library_path("", name)
        assert library_name(path) == name
        assert "/" not in path
        assert path not in (".", "..")
        assert path.isascii()

    @given(KEYS, KEYS)
    def test_a_listing_starts_before_what_is_wanted(self, prefix, rest):
        folder, start = listing_start(prefix)
        path = escape(prefix + rest)
        assert not folder or path.startswith(f"{folder}/")
        assert path > start


class TestRanges:
    pairs = st.tuples(st.integers(0, 300), st.integers(0, 60))
    spans = st.lists(pairs.map(lambda pair: (pair[0], sum(pair))), max_size=12)

    @given(spans, st.integers(0, 40), st.integers(1, 100), st.integers(0, 330))
    def test_what_is_cut_is_what_was_wanted(self, spans, gap, piece, size):
        data = random.Random(size).randbytes(size)
        pieces = plan(spans, gap=gap, piece=piece)
        fetched = [[Run(at.start, data[at.start : at.stop])] for at in pieces]
        assert [bytes(part) for part in cut(spans, pieces, fetched)] == [data[start:stop] for start, stop in spans]

    @given(spans, st.integers(0, 40), st.integers(1, 100), st.sets(st.integers(0, 11)))
    @example([(0, 0), (0, 1)], 0, 1, {0})
    def test_what_is_cut_lies_where_it_was_wanted(self, spans, gap, piece, placed):
        data = random.Random(1).randbytes(400)
        pieces = plan(spans, gap=gap, piece=piece)
        memory = [memoryview(bytearray(stop - start)) for start, stop in spans]
        placed = {at for at, (start, stop) in enumerate(spans) if at in placed and start < stop}  # nothing has no place
        places = [Run(spans[at][0], memory[at]) for at in sorted(placed)]
        found = [lay(at, places) for at in pieces]
        for at, runs in zip(pieces, found, strict=True):
            position = at.start
            for run in runs:
                assert run.start == position
                run.data[:] = data[position : position + len(run.data)]
                position += len(run.data)
            assert position == at.stop
        parts = cut(spans, pieces, found)
        assert [bytes(part) for part in parts] == [data[start:stop] for start, stop in spans]
        alone = [at for at in placed if not any(
            other != at and one[0] < spans[at][1] and spans[at][0] < one[1] for other, one in enumerate(spans))]
        for at in alone:
            assert bytes(memory[at]) == data[slice(*spans[at])]
            if any(one.start <= spans[at][0] and spans[at][1] <= one.stop for one in pieces):
                assert parts[at].obj is memory[at].obj

    @given(spans, st.integers(0, 40), st.integers(1, 100))
    def test_pieces_are_few_small_and_apart(self, spans, gap, piece):
        pieces = plan(spans, gap=gap, piece=piece)
        assert all(0 < at.stop - at.start <= piece for at in pieces)
        assert all(one.stop <= two.start for one, two in pairwise(pieces))
        wanted = set().union(*(range(*span) for span in spans)) if spans else set()
        read = set().union(*(range(*at) for at in pieces)) if pieces else set()
        assert wanted <= read
        for one, two in pairwise(pieces):
            assert two.start == one.stop or two.start - one.stop > gap

    def test_a_column_among_others_is_read_alone(self):
        column = 300_000
        assert [tuple(at) for at in plan([(3 * column, 4 * column)])] == [(900_000, 1_200_000)]
        assert len(plan([(0, 100), (2 * column, 2 * column + 100)])) == 2


class TestPatience:
    @given(st.sampled_from(sorted(Kind, key=lambda kind: kind.name)), st.integers(1, 60), st.floats(0, 200))
    def test_waits_are_bounded(self, kind, attempts, seconds):
        wait = Patience().wait(Failure(kind), attempts, seconds, random.Random(attempts))
        if kind not in TRANSIENT or seconds >= 60:
            assert wait is None
        elif wait is not None:
            assert 0 < wait <= 5
            assert seconds + wait < 60

    def test_a_refused_connection_is_given_up_soon(self):
        assert Patience().wait(Failure(Kind.REFUSED), 5, 3.0, random.Random(1)) is None
        assert Patience().wait(Failure(Kind.SERVER), 5, 3.0, random.Random(1)) is not None

    def test_waits_grow_and_differ(self):
        waits = [[Patience().wait(Failure(Kind.SERVER), attempts, 0, random.Random(seed)) for attempts in range(1, 9)]
                 for seed in range(20)]
        assert all(max(row[n] for row in waits) <= min(5, 0.05 * 2**n) for n in range(8))
        assert len({row[5] for row in waits}) == 20


def xml(code, message="", **more):
    extra = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>"


def answered(status, body):
    return RuntimeError(f"Generic S3 error: Error performing GET http://h/b/k in 1ms - Server returned non-2xx status "
                        f"code: {status} X: {body}\n\nDebug source:\n...")


class TestUnderstanding:
    @pytest.mark.parametrize(("status", "body", "kind"), [
        (404, xml("NoSuchKey"), Kind.MISSING), (404, "", Kind.MISSING), (404, xml("NoSuchBucket"), Kind.MISSING_BUCKET),
        (404, xml("ContainerNotFound"), Kind.MISSING_BUCKET), (412, xml("PreconditionFailed"), Kind.CONDITION),
        (409, xml("BlobAlreadyExists"), Kind.CONDITION), (409, xml("ConditionalRequestConflict"), Kind.CONTENTION),
        (409, xml("OperationAborted"), Kind.CONTENTION), (403, xml("AccessDenied"), Kind.DENIED),
        (403, "", Kind.DENIED),
        (403, xml("AccessDenied", "Request has expired"), Kind.EXPIRED),
        (403, xml("SignatureDoesNotMatch"), Kind.SIGNATURE),
        (403, xml("InvalidAccessKeyId"), Kind.UNKNOWN_KEY), (400, xml("ExpiredToken"), Kind.EXPIRED),
        (400, xml("InvalidToken"), Kind.BAD_TOKEN), (403, xml("RequestTimeTooSkewed"), Kind.SKEW),
        (301, xml("PermanentRedirect"), Kind.REGION), (503, xml("SlowDown"), Kind.THROTTLED), (429, "", Kind.THROTTLED),
        (500, xml("InternalError"), Kind.SERVER), (500, xml("UnknownError"), Kind.SERVER), (502, "<html>", Kind.SERVER),
        (400, xml("RequestTimeout"), Kind.TIMEOUT), (504, "", Kind.TIMEOUT),
        (501, xml("NotImplemented"), Kind.UNSUPPORTED),
        (416, xml("InvalidRange"), Kind.RANGE), (400, xml("InvalidRequest"), Kind.OTHER),
        (400, xml("AuthorizationHeaderMalformed", "the region 'a-1' is wrong; expecting 'eu-west-2'"), Kind.REGION),
    ])
    def test_answers(self, status, body, kind):
        assert understand(answered(status, body)).kind is kind

    @given(st.text(max_size=200), st.text(max_size=200))
    def test_any_text(self, head, debug):
        assert isinstance(understand(RuntimeError(f"{head}\n\nDebug source:\n{debug}")), Failure)

    def test_a_failure_can_be_sent(self):
        failure = Failure(Kind.REGION, status=301, code="c", message="m", about={"Region": "r"})
        sent = pickle.loads(pickle.dumps(failure))
        assert vars(sent) == vars(failure)


def told(failure, *, operation=Operation.GET, kind="s3", identity="access key AKIA", endpoint="https://h", **more):
    return explain(failure, Attempted(operation, kind, endpoint, "bucket", "p/key", identity=identity, attempts=3,
                                      seconds=4.2, **more))


class TestExplaining:
    @pytest.mark.parametrize(("operation", "permission"), [
        (Operation.GET, "s3:GetObject on 'bucket/p/key'"), (Operation.HEAD, "s3:GetObject on 'bucket/p/key'"),
        (Operation.PUT, "s3:PutObject on 'bucket/p/key'"), (Operation.DELETE, "s3:DeleteObject on 'bucket/p/key'"),
        (Operation.LIST, "s3:ListBucket on 'bucket'"),
    ])
    def test_a_missing_permission(self, operation, permission):
        error = told(Failure(Kind.DENIED, status=403, code="AccessDenied"), operation=operation)
        assert isinstance(error, PermissionException)
        for words in (operation.value, "bucket", "p/key", permission, "access key AKIA", "403 AccessDenied"):
            assert words in str(error)

    def test_skew_says_how_much(self):
        now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        error = explain(Failure(Kind.SKEW, about={"ServerTime": "2026-01-01T11:00:00Z"}),
                        Attempted(Operation.GET, "s3", "https://h", "b", "k"), now)
        assert "3600 s ahead of the server's" in str(error)
        assert isinstance(error, PermissionException)

    def test_a_wrong_region_names_the_right_one(self):
        error = told(Failure(Kind.REGION, status=400, about={"Region": "eu-west-2"}), region="us-east-1",
                     endpoint="https://s3.us-east-1.amazonaws.com")
        assert "add region=eu-west-2" in str(error)
        assert "s3.eu-west-2.amazonaws.com" in str(error)

    def test_network_errors_say_where_how_often_and_how_long(self):
        for kind in (Kind.REFUSED, Kind.DNS, Kind.RESET, Kind.TIMEOUT, Kind.CUT, Kind.SERVER, Kind.THROTTLED):
            error = told(Failure(kind))
            assert isinstance(error, StorageException)
            assert error.code is ErrorCode.E_S3_RETRYABLE
            for words in ("https://h", kind.value, "3 attempts in 4.2 s", "p/key"):
                assert words in str(error)

    def test_every_kind_is_explained(self):
        texts = set()
        for kind in Kind:
            for protocol in ("s3", "azure", "gcs"):
                error = told(Failure(kind, status=400, code="C", message="m"), kind=protocol)
                assert error.code is not None
                assert len(str(error)) > 40 or isinstance(error, KeyNotFoundException)
            texts.add(str(error))
        assert len(texts) == len(Kind) - 3  # CONDITION, NOT_MODIFIED, RANGE and OTHER are not expected to come here


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Counting:
    """A provider that gives a new key each time, for `seconds`."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.calls, self.broken = clock, seconds, 0, False

    def fetch(self):
        if self.broken:
            raise PermissionException("broken")
        self.calls += 1
        expires = None if self.seconds is None else self.clock.now + self.seconds
        return Credentials(f"key{self.calls}", "secret", "", expires)

    def describe(self):
        return "counting"


class TestKeyring:
    @pytest.mark.parametrize(("seconds", "renewed"), [(3600, 3300), (900, 720), (10, 8), (3, 2.4)])
    def test_it_renews_before_the_end(self, seconds, renewed):
        clock = Clock()
        provider = Counting(clock, seconds)
        keyring = Keyring(provider, clock)
        assert keyring().access_key == "key1"
        clock.now += renewed - 0.01
        assert keyring().access_key == "key1"
        clock.now += 0.02
        assert keyring().access_key == "key2"
        assert provider.calls == 2

    def test_a_failed_renewal_is_no_error_while_the_old_still_work(self, caplog):
        clock = Clock()
        provider = Counting(clock, 100)
        keyring = Keyring(provider, clock)
        keyring()
        provider.broken = True
        clock.now += 85
        assert keyring().access_key == "key1"
        assert "still work" in caplog.text
        assert "secret" not in caplog.text
        clock.now += 20
        with pytest.raises(PermissionException, match="broken"):
            keyring()
        provider.broken = False
        assert keyring().access_key == "key2"

    def test_many_threads_fetch_once(self):
        clock = Clock()

        class Slow(Counting):
            def fetch(self):
                time.sleep(0.05)
                return super().fetch()

        provider = Slow(clock, 100)
        keyring = Keyring(provider, clock)
        found = []
        threads = [threading.Thread(target=lambda: found.append(keyring().access_key)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == ["key1"] * 16

    def test_refused_credentials_are_replaced_once_for_all_threads(self):
        clock = Clock()
        provider = Counting(clock, None)
        keyring = Keyring(provider, clock)
        used = keyring()
        assert keyring.refused(used)
        assert keyring.refused(used)  # another thread that had used the same
        assert provider.calls == 2
        assert not Keyring(Fixed("a", "b"), clock).refused(Fixed("a", "b").fetch())
        assert not Keyring(None).refused(None)

    @pytest.mark.parametrize("answer", [
        {"access_key": "a", "secret_key": "b", "token": "t", "expires": 1893456000},
        {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "t", "Expiration": "2030-01-01T00:00:00Z"},
        {"access_key_id": "a", "secret_access_key": "b", "token": "t", "expires_at": datetime(2030, 1, 1, tzinfo=UTC)},
        {"access_key": "a", "secret_key": "b", "token": "t", "expiry_time": datetime(2030, 1, 1)},  # noqa: DTZ001
        Credentials("a", "b", "t", 1893456000.0),
    ])
    def test_spellings(self, answer):
        assert Called(lambda: answer).fetch() == Credentials("a", "b", "t", 1893456000.0)

    @pytest.mark.parametrize("answer", [{}, None, {"access_key": "a"}, "text", {"access_key": "a", "secret_key": "b",
                                        "expires": timedelta(1)}])
    def test_answers_that_are_none(self, answer):
        with pytest.raises(UserInputException) as caught:
            from_answer(answer)
        assert "'b'" not in str(caught.value)


class TestWorkers:
    def test_results_are_in_order(self):
        workers = Workers(4)

        def work(number):
            time.sleep((7 - number) * 0.002)
            return number

        assert workers.map(work, list(range(8))) == list(range(8))

    def test_not_more_at_once_than_allowed(self):
        workers, running, most = Workers(3), [], []

        def work(number):
            running.append(number)
            most.append(len(running))
            time.sleep(0.005)
            running.remove(number)

        workers.each(work, range(20), lambda _: 1, 1 << 30)
        assert max(most) <= 3

    def test_not_more_bytes_under_way_than_allowed(self):
        workers, under_way, most = Workers(8), [], []

        def work(size):
            under_way.append(size)
            most.append(sum(under_way))
            time.sleep(0.003)
            under_way.remove(size)

        workers.each(work, [30, 30, 30, 30, 500, 30], lambda size: size, 70)
        assert max(most) <= 500
        assert sorted(most)[-2] <= 70 or sorted(most)[-2] == 500

    def test_the_first_error_ends_the_production(self):
        workers, taken = Workers(2), []

        def items():
            for number in range(1000):
                taken.append(number)
                yield number

        def work(number):
            if number == 3:
                raise ValueError("three")

        with pytest.raises(ValueError, match="three"):
            workers.each(work, items(), lambda _: 1, 1 << 30)
        assert len(taken) < 20
        with pytest.raises(ValueError, match="three"):
            workers.map(work, list(range(10)))

    def test_an_error_of_the_producer(self):
        done = []

        def items():
            yield 1
            raise ValueError("producer")

        with pytest.raises(ValueError, match="producer"):
            Workers(2).each(done.append, items(), lambda _: 1, 100)
        assert done in ([], [1])

    def test_threads_are_started_when_needed(self):
        workers = Workers(64)
        for _ in range(10):
            workers.run(time.sleep, 0)
        assert workers._threads <= 2

    def test_items_of_a_batch_and_their_parts_have_threads_of_their_own(self):
        """Were they the same, all could wait for each other, or the parts would come one by one."""
        store = parse("s3://127.0.0.1:bucket?port=1&access=a&secret=b").store("lib")
        together = threading.Barrier(6)

        def part(_):
            together.wait(timeout=20)
            return threading.current_thread().name

        def item(_):
            return threading.current_thread().name, store.concurrently(part, range(2))

        for name, parts in store.concurrently(item, range(3)):
            assert name.startswith("coldframe-batch-")
            assert all(one.startswith("coldframe-io-") for one in parts)
