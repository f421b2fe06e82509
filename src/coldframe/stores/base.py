"""The store protocol: a flat map from key to bytes with one atomic primitive, and the storage that holds stores.

A *storage* is what a connection string names; it holds one *store* per library. A store knows keys and bytes and
nothing of their meaning. Keys are strings of printable ASCII, `/` separates their parts, at most 480 bytes.

What every store promises
-------------------------
* `put`, `swap` and `delete` are durable when they return.
* An object is replaced as a whole: a reader sees the old bytes or the new ones.
* After a `put`, `swap` or `delete` has returned, every later `get` and `list`, by anybody, sees it.
* `swap` and `publish` raise `Conflict` and change no key that readers can reach when the stored object no longer
  has the expected tag; they raise `UnknownOutcome` when the reply was lost, and then either may be true.
* All methods may be called from many threads, and from a process forked after the store was used.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

T = TypeVar("T")
R = TypeVar("R")
Buffer = bytes | bytearray | memoryview


class Conflict(Exception):
    """A conditional write lost: the object under `key` is not the one that was expected."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class UnknownOutcome(Exception):
    """The reply to a conditional write was lost: it may or may not have happened."""

    def __init__(self, key: str, cause: str) -> None:
        super().__init__(f"{key}: {cause}")
        self.key = key
        self.cause = cause


class Stored(msgspec.Struct, frozen=True):
    """An object as a store returns it. Two objects under one key with equal tags have equal bytes."""

    data: Buffer
    tag: str


class Entry(NamedTuple):
    """A key in a listing, with the object's size in bytes."""

    key: str
    size: int


class Fetch(msgspec.Struct, frozen=True):
    """Byte ranges wanted from one object.

    Attributes
    ----------
    key : str
    ranges : sequence of (start, stop)
    into : sequence of memoryview or None
        For each range, writable memory of its length where its bytes are to be in the end, or None; empty: none has
        any. A store that can put them there does, and answers with that memory. What is in it if the store answers
        with other memory, or fails, is not defined.
    """

    key: str
    ranges: Sequence[tuple[int, int]]
    into: Sequence[memoryview | None] = ()


class Swap(msgspec.Struct, frozen=True):
    """Write `data` under `key` only if the stored object still has the tag `expected` (None: does not exist)."""

    key: str
    data: bytes
    expected: str | None


class Publication(msgspec.Struct):
    """Everything one commit does to a store, in the order that keeps readers safe: puts, swap, deletes.

    Attributes
    ----------
    puts : iterable of (key, buffer)
        New immutable objects; may be a generator that encodes while earlier objects are being stored.
    swap : Swap
        The publish step.
    deletes : sequence of str
        Keys to free after the swap. A store that is not atomic may leave some behind when interrupted.
    unchanged : mapping of key to tag
        Objects that must still have these tags (None: not exist). Checked by atomic stores only; on the others a
        grace period takes its place.
    listed : tuple of (prefix, mapping of key to tag), optional
        The objects under the prefix must be exactly these. Checked by atomic stores only.
    """

    puts: Iterable[tuple[str, Buffer]]
    swap: Swap
    deletes: Sequence[str] = ()
    unchanged: Mapping[str, str | None] = msgspec.field(default_factory=dict)
    listed: tuple[str, Mapping[str, str]] | None = None


class Limits(msgspec.Struct, frozen=True):
    """How this store wants its objects cut.

    Attributes
    ----------
    inline_piece : int
        A manifest, metadata or data segment up to this many bytes lives in the head.
    head : int
        A head that passes this many bytes seals its older records.
    segment : int
        Aimed-at size of a segment in bytes.
    packed : int
        Where the rows of a slice pack into fewer bytes than this, slices get more rows: each costs a request, or turns
        of the threads that decode it. 0: as many rows as the library says, however few bytes they are.
    slices : int
        But only where at least so many slices are left, so that all cores have some to work on.
    """

    inline_piece: int = 16 * 1024
    head: int = 128 * 1024
    segment: int = 8 * 1024 * 1024
    packed: int = 0
    slices: int = 0


class Reader(ABC):
    """What reading needs: a store, or one consistent view of it.

    Attributes
    ----------
    distant : bool
        Whether waiting for answers is what takes the time, so that it pays to have many requests under way.
    """

    distant: bool = False

    @abstractmethod
    def get(self, key: str) -> Stored:
        """The object under `key`; raises `KeyNotFoundException` naming the key."""

    def begin(self, key: str) -> Callable[[], Stored]:
        """Ask for an object; what is returned waits for it and raises as `get` does. Near stores are asked then."""
        return partial(self.get, key)

    @abstractmethod
    def get_many(self, keys: Sequence[str]) -> list[Stored | None]:
        """The objects under `keys`, in order, fetched in parallel where that helps; None where there is none."""

    @abstractmethod
    def fetch(self, wanted: Sequence[Fetch]) -> list[list[Buffer]]:
        """Byte ranges of several objects, in order; raises `KeyNotFoundException` for a missing object.

        A range that reaches past the object's end gives short bytes (the object is damaged; checksums say so).
        """

    @abstractmethod
    def list(self, prefix: str, start_after: str = "") -> Iterator[Entry]:
        """The entries whose key starts with `prefix` and is greater than `start_after`, in the order of keys."""

    def concurrently(self, work: Callable[[T], R], items: Sequence[T]) -> builtins.list[R]:
        """`work` on each item, on several at once where `distant`.

        The error of the earliest item that failed is raised when none is being worked on any more.
        """
        return [work(item) for item in items]


class Store(Reader):
    """One library's map from key to bytes.

    Attributes
    ----------
    limits : Limits
        How objects should be cut for this store.
    grace : float
        Seconds that retired keys stay, so that readers and rebasing writers that still look at an older head are
        safe. Zero where reading and publishing are transactions.
    atomic : bool
        Whether `publish` is one transaction (which also checks `unchanged` and `listed`) and `reading` one
        consistent view.
    read_only : bool
        Whether every writing method raises `PermissionException`.
    """

    limits: Limits = Limits()
    grace: float = 0.0
    atomic: bool = False
    read_only: bool = False

    def reading(self) -> AbstractContextManager[Reader]:
        """A view for one read: consistent where `atomic`, else the store itself. Buffers live as long as it."""
        return nullcontext(self)

    @abstractmethod
    def put(self, key: str, data: Buffer) -> None:
        """Store an immutable object; an existing one is replaced."""

    @abstractmethod
    def swap(self, key: str, data: bytes, expected: str | None) -> str:
        """Store `data` if the object under `key` has the tag `expected` (None: does not exist); its new tag."""

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; a key that is not there is no error."""

    def put_many(self, puts: Iterable[tuple[str, Buffer]]) -> None:
        """Store several immutable objects, in parallel where that helps."""
        for key, data in puts:
            self.put(key, data)

    def publish(self, publication: Publication) -> str:
        """Store the new objects, then swap, then delete; the tag of the swapped object.

        Raises
        ------
        Conflict
            The swap's key or an object in `unchanged` or `listed` is not as expected. Nothing is visible.
        UnknownOutcome
            The swap's reply was lost.
        """
        self.put_many(publication.puts)
        swap = publication.swap
        tag = self.swap(swap.key, swap.data, swap.expected)
        if publication.deletes:
            self.delete(publication.deletes)
        return tag

    def damage(self) -> str | None:
        """What is wrong with the container that holds all objects, where there is one; None: nothing is."""
        return None

    def close(self) -> None:
        """Let go of what the store holds open. Using it again reopens it."""


class Storage(ABC):
    """What a connection string names: it holds one store per library."""

    uri: str

    @abstractmethod
    def describe(self) -> str:
        """The storage as shown in a repr, without secrets, e.g. ``LMDB(path=/data)``."""

    @abstractmethod
    def store(self, library: str) -> Store:
        """The store of a library, which need not exist yet; cheap, shared within the process."""

    @abstractmethod
    def has(self, library: str) -> bool:
        """Whether the library exists."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of all libraries."""

    @abstractmethod
    def create(self, library: str, key: str, data: bytes) -> None:
        """Create a library's store with `data` under `key`, atomically; raises `Conflict` if it exists."""

    @abstractmethod
    def drop(self, library: str) -> None:
        """Remove a library and everything in it; a missing one is no error."""
