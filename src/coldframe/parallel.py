"""The one place that decides how many threads work, and on what.

Encoding and decoding let the GIL go, so a process keeps one pool of as many threads as it may use cores, or as the
setting ``VersionStore.NumCPUThreads`` says. Small jobs run in the calling thread: handing a job over costs more than
decoding a small block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from itertools import count
from typing import TypeVar

from coldframe.config import get_config_int
from coldframe.quota import processors
from coldframe.workers import Workers, settle

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = 0.5
"""Seconds that an interrupted call waits for jobs that are running: those that wait for a distant store take longer."""
_pool: Workers | None = None


def cores() -> int:
    """How many threads encode and decode at a time: as the setting says, or as many as this process has cores."""
    told = get_config_int("VersionStore.NumCPUThreads") or 0
    return told if told > 0 else processors()


def pool() -> Workers:
    """The process's workers for encoding and decoding: one less than there are cores, for the caller works too."""
    global _pool
    workers, limit = _pool, max(cores() - 1, 1)
    if workers is None or workers.limit != limit:
        # Two threads may both make one; whoever holds one that was replaced may still use it.
        workers = _pool = Workers(limit, "cpu")
    return workers


def map_jobs(
    work: Callable[[T], R], jobs: Sequence[T], *, inline: bool = False, meanwhile: Callable[[], None] | None = None
) -> list[R]:
    """Apply `work` to each job, on all cores unless `inline`; results in the order of the jobs.

    The calling thread takes jobs too: one worker less has to wake up, and a worker may itself call this. Before that
    it does what is to be done `meanwhile`: something that needs the GIL, while the jobs let it go. The error of the
    earliest job that failed is raised after every job that had started has ended, so that no job outlives the buffers
    it works on.
    """
    workers = 0 if inline else min(cores() - 1, len(jobs) if meanwhile is not None else len(jobs) - 1)
    if workers < 1:
        if meanwhile is not None:
            meanwhile()
        return [work(job) for job in jobs]
    results: dict[int, R] = {}
    failed: dict[int, BaseException] = {}
    numbers = count()

    def take_jobs() -> None:
        while not failed and (number := next(numbers)) < len(jobs):
            try:
                results[number] = work(jobs[number])
            except BaseException as error:  # noqa: BLE001 - raised below, in the calling thread
                failed[number] = error

    helpers = [pool().submit(take_jobs) for _ in range(workers)]
    try:
        if meanwhile is not None:
            meanwhile()
        take_jobs()
        if not failed:
            settle(helpers)
    except BaseException as error:  # noqa: BLE001 - raised below, before the error of any job
        failed[-1] = error
    if failed:
        foremost = _foremost(failed)
        settle(helpers, None if isinstance(foremost, Exception) else _PATIENCE)
        raise foremost
    return [results[number] for number in range(len(jobs))]


def _foremost(failed: dict[int, BaseException]) -> BaseException:
    """The error to raise: an interruption, else that of the earliest job."""
    interruptions = (error for error in failed.values() if not isinstance(error, Exception))
    return next(interruptions, failed[min(failed)])


def stream_jobs(
    work: Callable[[T], R], jobs: Iterable[T], *, ahead: int | None = None
) -> Generator[R, None, None]:
    """Apply `work` to each job on all cores and yield the results in order, at most `ahead` of them unconsumed.

    While the result that is wanted next is not there, the calling thread does jobs that no worker has begun. When this
    has ended, been closed, or raised, no job is running any more.
    """
    if cores() < 2:
        yield from map(work, jobs)
        return
    limit = ahead if ahead is not None else cores() + 1
    pending: deque[tuple[Future[R], T]] = deque()

    def lend_a_hand() -> bool:
        for place, (future, job) in enumerate(pending):
            if future.cancel():
                pending[place] = (_done(work, job), job)
                return True
        return False

    def next_result() -> R:
        while not pending[0][0].done() and lend_a_hand():
            pass
        return pending.popleft()[0].result()

    patience: float | None = None
    try:
        for job in jobs:
            pending.append((pool().submit(work, job), job))
            if len(pending) >= limit:
                yield next_result()
        while pending:
            yield next_result()
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        patience = _PATIENCE
        raise
    finally:
        settle([future for future, _ in pending], patience)


def _done(work: Callable[[T], R], job: T) -> Future[R]:
    """A job done here and now."""
    future: Future[R] = Future()
    try:
        future.set_result(work(job))
    except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
    return future
