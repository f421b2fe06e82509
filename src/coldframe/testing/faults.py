"""A store that goes wrong on purpose: refused calls, lost replies, crashes between any two calls, damaged reads.

Every call has a number, counted from 1, and a plan says what happens at which number; so a run can be replayed exactly.
Where publishing is one transaction it is one call. Elsewhere it is taken apart into its puts, its swap and its deletes,
one object each, because a process may end between any two of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from coldframe.exceptions import ErrorCode, StorageException
from coldframe.stores.base import Buffer, Entry, Fetch, Publication, Reader, Store, Stored, UnknownOutcome
from coldframe.testing.wrapped import WrappedReader, WrappedStore

T = TypeVar("T")
When = Literal["before", "after"]

READS = frozenset({"get", "fetch", "list"})
WRITES = frozenset({"put", "swap", "delete", "publish"})
CONDITIONAL = frozenset({"swap", "publish"})


class Crash(BaseException):
    """The process ends here. No `except Exception` holds it up, and the store answers nothing any more."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its number, its verb and its keys (for `list` the prefix, for `publish` the swap's key)."""

    number: int
    verb: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Fault:
    kind: Literal["fail", "lose", "crash"]
    when: When


class FaultStore(WrappedStore):
    """Fails where it is told to.

    Parameters
    ----------
    inner : Store
    verbs : collection of str
        The calls that have numbers: some of `READS` and `WRITES`; the others pass.

    Attributes
    ----------
    calls : list of Call
        Every numbered call, in order.
    dead : bool
        Whether it has crashed: everything raises `Crash` until `revive`.

    Examples
    --------
    >>> from coldframe.stores.memory import MemoryStore
    >>> store = FaultStore(MemoryStore())
    >>> store.lose(2)
    >>> store.put("a", b"one")
    >>> store.swap("head", b"two", None)
    Traceback (most recent call last):
    coldframe.stores.base.UnknownOutcome: head: the reply to call 2 was lost
    >>> bytes(store.get("head").data)
    b'two'
    >>> store.calls[1]
    Call(number=2, verb='swap', keys=('head',))
    """

    def __init__(self, inner: Store, *, verbs: Iterable[str] = READS | WRITES) -> None:
        super().__init__(inner)
        self.verbs = frozenset(verbs)
        self.calls: list[Call] = []
        self.dead = False
        self._plan: dict[int, _Fault] = {}
        self._damage: dict[str, list[Callable[[bytearray], bytearray]]] = {}
        self._lock = threading.Lock()

    # ------------------------------------------------------------------------------------------------- the plan

    def fail(self, at: int) -> None:
        """Refuse call number `at`: it raises `StorageException` and nothing happens."""
        self._plan[at] = _Fault("fail", "before")

    def lose(self, at: int, *, applied: bool = True) -> None:
        """Lose the reply of call number `at`, after it happened or, if not `applied`, instead of it.

        A swap or publish raises `UnknownOutcome`, anything else `StorageException`.
        """
        self._plan[at] = _Fault("lose", "after" if applied else "before")

    def crash(self, at: int, when: When = "before") -> None:
        """Let the process end just before or just after call number `at`: it raises `Crash`."""
        self._plan[at] = _Fault("crash", when)

    def truncate(self, key: str, size: int) -> None:
        """Let reads of `key` see only its first `size` bytes."""
        self._damage.setdefault(key, []).append(lambda data: data[:size])

    def flip(self, key: str, byte: int, bit: int = 0) -> None:
        """Let reads of `key` see one bit flipped."""

        def flipped(data: bytearray) -> bytearray:
            data[byte] ^= 1 << bit
            return data

        self._damage.setdefault(key, []).append(flipped)

    def heal(self) -> None:
        """Let reads see what is stored."""
        self._damage.clear()

    def revive(self) -> None:
        """A new process on the same objects: no plan, no calls yet."""
        self.dead = False
        self.calls = []
        self._plan.clear()

    # ------------------------------------------------------------------------------------------------ the calls

    def call(self, verb: str, keys: Sequence[str], do: Callable[[], T]) -> T:
        """Do a call, or what the plan says in its place."""
        with self._lock:
            if self.dead:
                raise Crash("the store crashed earlier")
            fault = None
            number = len(self.calls) + 1
            if verb in self.verbs:
                self.calls.append(Call(number, verb, tuple(keys)))
                fault = self._plan.get(number)
        if fault is None:
            return do()
        if fault.when == "after":
            do()
        if fault.kind == "crash":
            self.dead = True
            raise Crash(f"crash {fault.when} call {number}, {verb} {', '.join(keys)}")
        if fault.kind == "lose" and verb in CONDITIONAL:
            raise UnknownOutcome(keys[0], f"the reply to call {number} was lost")
        what = "was refused" if fault.kind == "fail" else "got no reply"
        raise StorageException(
            f"call {number}, {verb} {', '.join(keys)}, {what}, as planned. Try again.", code=ErrorCode.E_S3_RETRYABLE
        )

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A view of the wrapped store whose calls have numbers too."""
        if self.dead:
            raise Crash("the store crashed earlier")
        with self.inner.reading() as view:
            yield _FaultReader(view, self)

    def get(self, key: str) -> Stored:
        """Get, as the plan says."""
        return _FaultReader(self.inner, self).get(key)

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """Get, one numbered call for all, as the plan says."""
        return _FaultReader(self.inner, self).get_many(keys)

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Fetch, as the plan says."""
        return _FaultReader(self.inner, self).fetch(wanted)

    def put(self, key: str, data: Buffer) -> None:
        """Put, as the plan says."""
        self.call("put", [key], lambda: self.inner.put(key, data))

    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        """Swap, as the plan says."""
        return self.call("swap", [key], lambda: self.inner.swap(key, data, expected))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete, as the plan says; a call for each key unless the store is atomic."""
        if self.atomic:
            self.call("delete", keys, lambda: self.inner.delete(keys))
            return
        for key in keys:
            self.call("delete", [key], lambda key=key: self.inner.delete([key]))  # type: ignore[misc]

    def publish(self, publication: Publication) -> str:
        """Publish, as the plan says; as one call where it is one transaction."""
        if not self.atomic:
            return super().publish(publication)
        return self.call("publish", [publication.swap.key], lambda: self.inner.publish(publication))

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """List, as the plan says."""
        return _FaultReader(self.inner, self).list(prefix, start_after)

    def seen(self, key: str, data: Buffer) -> Buffer:
        """What a read of `key` sees."""
        damage = self._damage.get(key)
        if damage is None:
            return data
        changed = bytearray(data)
        for change in damage:
            changed = change(changed)
        return bytes(changed)

    def damages(self, key: str) -> bool:
        """Whether reads of `key` see something else than what is stored."""
        return key in self._damage


class _FaultReader(WrappedReader):
    def __init__(self, inner: Reader, store: FaultStore) -> None:
        super().__init__(inner)
        self._store = store

    def get(self, key: str) -> Stored:
        return self._seen(key, self._store.call("get", [key], lambda: self.inner.get(key)))

    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        found = self._store.call("get", keys, lambda: self.inner.get_many(keys))
        return [stored and self._seen(key, stored) for key, stored in zip(keys, found, strict=True)]

    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        return self._store.call("fetch", [item.key for item in wanted], lambda: self._fetch(wanted))

    def _fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        if not any(self._store.damages(item.key) for item in wanted):
            return self.inner.fetch(wanted)
        found: list[list[Buffer]] = []
        for item in wanted:
            data = self._store.seen(item.key, self.inner.get(item.key).data)
            found.append([data[start:stop] for start, stop in item.ranges])
        return found

    def _seen(self, key: str, stored: Stored) -> Stored:
        return Stored(self._store.seen(key, stored.data), stored.tag) if self._store.damages(key) else stored

    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        return self._store.call("list", [prefix], lambda: iter([*self.inner.list(prefix, start_after)]))
