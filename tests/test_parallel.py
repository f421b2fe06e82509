"""The pool: order of results, errors, and work that calls for more work."""

from __future__ import annotations

import threading
import time

import pytest

from coldframe import config, parallel


@pytest.fixture(autouse=True)
def _several_cores(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 4)
    monkeypatch.setattr(parallel, "_pool", None)


def test_results_are_in_the_order_of_the_jobs():
    def work(number: int) -> int:
        time.sleep(0.001 * (5 - number % 5))
        return number * number

    assert parallel.map_jobs(work, list(range(50))) == [n * n for n in range(50)]
    assert list(parallel.stream_jobs(work, range(50))) == [n * n for n in range(50)]


def test_several_threads_work():
    together = threading.Barrier(3, timeout=10)
    parallel.map_jobs(lambda _: together.wait(), list(range(3)))


@pytest.mark.parametrize("call", [parallel.map_jobs, lambda work, jobs: list(parallel.stream_jobs(work, jobs))])
def test_an_error_is_raised_when_no_job_is_running_any_more(call):
    running = []

    def work(number: int) -> None:
        running.append(number)
        try:
            if number == 2:
                raise ValueError("job 2")
            time.sleep(0.02)
        finally:
            running.remove(number)

    with pytest.raises(ValueError, match="job 2"):
        call(work, list(range(40)))
    assert not running


def test_work_may_call_for_more_work():
    def outer(number: int) -> int:
        return sum(parallel.map_jobs(lambda inner: number * inner, list(range(8))))

    assert parallel.map_jobs(outer, list(range(16))) == [28 * n for n in range(16)]


def test_one_job_or_inline_stays_in_the_calling_thread():
    here = threading.current_thread()
    assert parallel.map_jobs(lambda _: threading.current_thread(), [1]) == [here]
    assert set(parallel.map_jobs(lambda _: threading.current_thread(), list(range(9)), inline=True)) == {here}


@pytest.mark.parametrize("jobs", [0, 1, 9])
def test_something_is_done_meanwhile(jobs):
    begun = threading.Event()
    waited = []

    def meanwhile() -> None:
        waited.append(begun.wait(10) if jobs else True)

    def work(number: int) -> int:
        begun.set()
        return -number

    assert parallel.map_jobs(work, list(range(jobs)), meanwhile=meanwhile) == [-n for n in range(jobs)]
    assert waited == [True], "the jobs are under way while the calling thread is busy"


@pytest.mark.parametrize("inline", [False, True])
def test_what_is_done_meanwhile_may_fail(inline):
    done = []

    def meanwhile() -> None:
        raise ValueError("meanwhile")

    with pytest.raises(ValueError, match="meanwhile"):
        parallel.map_jobs(lambda _: done.append(time.sleep(0.01)), range(1_000), inline=inline, meanwhile=meanwhile)
    assert len(done) < 1_000, "no more jobs are taken"


def test_the_caller_does_what_no_worker_has_begun(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    busy, free = threading.Event(), threading.Event()
    parallel.pool().submit(lambda: (busy.set(), free.wait(10)))
    assert busy.wait(10)
    threads = set()
    results = list(parallel.stream_jobs(lambda n: (threads.add(threading.current_thread()), n)[1], range(9)))
    free.set()
    assert results == list(range(9))
    assert threads == {threading.current_thread()}, "the only worker was busy"


def test_the_caller_works_while_the_next_result_is_not_there(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    together = threading.Barrier(2, timeout=10)

    def work(number: int) -> int:
        together.wait()
        return number

    assert list(parallel.stream_jobs(work, range(10))) == list(range(10)), "two at a time, of which one is the caller"


def test_an_error_of_the_callers_own_job_waits_for_its_turn(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)

    def work(number: int) -> int:
        time.sleep(0.01)
        if number == 4:
            raise ValueError("four")
        return number

    results = parallel.stream_jobs(work, range(10))
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="four"):
        next(results)


class TestTheSetting:
    @pytest.fixture(autouse=True)
    def _as_it_is(self, monkeypatch):
        monkeypatch.undo()  # the number of cores is what is tried
        monkeypatch.setattr(config, "_from_code", {})
        monkeypatch.setattr(config, "_from_environment", {})
        monkeypatch.setattr(parallel, "_pool", None)
        monkeypatch.setattr(parallel, "processors", lambda: 3)

    def most_at_once(self, call) -> int:
        """The most jobs that ran at a time."""
        lock, running, most = threading.Lock(), 0, 0

        def work(_: int) -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1

        call(work, list(range(40)))
        return most

    def test_without_it_there_are_as_many_threads_as_cores(self):
        assert parallel.cores() == 3
        assert parallel.pool().limit == 2, "and the caller"
        for useless in (0, -2):
            config.set_config_int("VersionStore.NumCPUThreads", useless)
            assert parallel.cores() == 3

    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_it_bounds_what_runs_at_a_time(self, threads):
        parallel.pool()
        config.set_config_int("VersionStore.NumCPUThreads", threads)
        assert self.most_at_once(parallel.map_jobs) == threads
        assert self.most_at_once(lambda work, jobs: list(parallel.stream_jobs(work, jobs, ahead=9))) == threads

    def test_it_comes_from_the_environment_too(self):
        config.set_config_from_env_vars({"COLDFRAME_VersionStore_NumCPUThreads_int": "2"})
        assert parallel.cores() == 2

    def test_a_pool_that_is_replaced_still_does_what_it_was_given(self):
        before = parallel.pool()
        config.set_config_int("VersionStore.NumCPUThreads", 5)
        assert parallel.pool() is not before
        assert parallel.pool() is parallel.pool()
        assert before.submit(lambda: 7).result() == 7
