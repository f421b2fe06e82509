"""The pool: order of results, errors, and work that calls for more work."""

from __future__ import annotations

import threading
import time

import pytest

from coldframe import parallel


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
