"""A seeded scheduler that owns every store call of several actors, so that one seed is one interleaving.

Each actor is a thread, but only one runs at a time: an actor that wants to call the store waits until the scheduler
picks it. The pick comes from the seed alone, so a failing seed replays exactly.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from coldframe.stores.base import Buffer, Entry, Fetch, Publication, Reader, Store, Stored

SWITCHED = 0.1
"""How likely a favoured actor loses the turn at each step."""


class Scheduler:
    """Runs actors one store call at a time, in an order that the seed decides."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.steps: list[str] = []
        self._sticky = self.random.random() < 0.5
        self._favourite = ""
        self._lock = threading.Condition()
        self._turn: str | None = None
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._errors: list[BaseException] = []

    def run(self, actors: dict[str, Callable[[], None]]) -> None:
        """Run all actors to their end; raises the first error that one of them raised."""
        threads = [threading.Thread(target=self._act, args=item, name=item[0], daemon=True) for item in actors.items()]
        self._running = set(actors)
        for thread in threads:
            thread.start()
        with self._lock:
            while self._running:
                if not self._lock.wait_for(lambda: self._waiting == self._running or not self._running, timeout=60):
                    raise TimeoutError(f"actors hang; steps so far: {self.steps[-20:]}")
                if self._waiting:
                    chosen = self._choose(sorted(self._waiting))
                    self._waiting.discard(chosen)
                    self._turn = chosen
                    self._lock.notify_all()
                    self._lock.wait_for(lambda: self._turn is None, timeout=60)
        for thread in threads:
            thread.join(10)
        if self._errors:
            raise self._errors[0]

    def _choose(self, waiting: list[str]) -> str:
        """Half of the seeds pick evenly; the others let one actor go on for long while another one stands still."""
        if not self._sticky:
            return self.random.choice(waiting)
        if self._favourite not in waiting or self.random.random() < SWITCHED:
            self._favourite = self.random.choice(waiting)
        return self._favourite

    def gate(self, call: str) -> None:
        """Called by an actor before each store call: waits for its turn."""
        name = threading.current_thread().name
        if name not in self._running:
            return
        with self._lock:
            if self._turn == name:  # the step that was granted before has ended
                self._turn = None
            self._waiting.add(name)
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._turn == name)
            self.steps.append(f"{name}: {call}")

    def _act(self, name: str, actor: Callable[[], None]) -> None:
        try:
            self.gate("start")
            actor()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            error.add_note(f"in actor {name}; last steps: {self.steps[-12:]}")
            self._errors.append(error)
        finally:
            with self._lock:
                self._running.discard(name)
                self._turn = None
                self._lock.notify_all()


class GatedReader(Reader):
    """A view whose calls wait for their turn."""

    def __init__(self, inner: Reader, scheduler: Scheduler) -> None:
        self.inner = inner
        self.scheduler = scheduler

    def get(self, key: str) -> Stored:
        self.scheduler.gate(f"get {key}")
        return self.inner.get(key)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        self.scheduler.gate(f"get_many {len(keys)}")
        return self.inner.get_many(keys)

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        self.scheduler.gate(f"fetch {[w.key for w in wanted]}")
        return self.inner.fetch(wanted)

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        self.scheduler.gate(f"list {prefix}")
        return iter(list(self.inner.list(prefix, start_after)))


class GatedStore(GatedReader, Store):
    """A store whose calls wait for their turn; `publish` is one step where it is atomic, else several."""

    def __init__(self, inner: Store, scheduler: Scheduler) -> None:
        GatedReader.__init__(self, inner, scheduler)
        self.inner: Store = inner
        self.limits, self.grace, self.atomic = inner.limits, inner.grace, inner.atomic

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        self.scheduler.gate("reading")
        with self.inner.reading() as view:
            yield self if view is self.inner else GatedReader(view, self.scheduler)

    def put(self, key: str, data: Buffer) -> None:
        self.scheduler.gate(f"put {key}")
        self.inner.put(key, data)

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        self.scheduler.gate(f"swap {key}")
        return self.inner.swap(key, data, expected)

    def delete(self, keys: Sequence[str]) -> None:
        self.scheduler.gate(f"delete {list(keys)}")
        self.inner.delete(keys)

    def publish(self, publication: Publication) -> str:
        if not self.inner.atomic:
            return Store.publish(self, publication)
        self.scheduler.gate(f"publish {publication.swap.key}")
        return self.inner.publish(publication)
