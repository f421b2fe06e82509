"""What every store must do, as tests: derive from the class in a test file and say where a store comes from.

    from coldframe.testing.conformance import StoreConformance

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store(self):
            return MyStore(...)  # empty

`coldframe.testing.storage_conformance` has the tests of a storage, which holds stores.

The promises themselves are written at `coldframe.stores.base`.
"""

# These are tests: they assert, their names say what they show, their dice are seeded.

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from coldframe.exceptions import KeyNotFoundException
from coldframe.stores.base import Buffer, Conflict, Entry, Fetch, Publication, Store, Swap

ODD_KEYS = [
    "plain",
    "heads/with space",
    "heads/100%",
    "heads/%2F",
    "heads/%",
    "heads/a&b=c",
    "heads/a;b",
    "heads/#1",
    "heads/what?",
    "heads/back\\slash",
    "heads/~tilde",
    "heads/plus+plus",
    "heads/'single' \"double\"",
    "heads/(round)[square]{curly}",
    "heads/<less>|pipe",
    "heads/a:b@c!d$e^f`g",
    "heads/comma,dot.",
    "heads/-_",
    "heads/trailing ",
    "a/b/c/d/e/f",
    "x" * 480,
]
"""Keys that a store could misread; all are legal."""


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that nothing compresses, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def run_threads(work: Callable[[int], None], count: int) -> None:
    """Run `work(0)` to `work(count - 1)` at once and raise the first thing that goes wrong."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"


class StoreConformance:
    """The tests of a store.

    Attributes
    ----------
    large : int
        Bytes of the largest publication that is tried.
    many : int
        Objects that are listed at once.
    """

    large: ClassVar[int] = 80 * 1024 * 1024
    many: ClassVar[int] = 2500

    @pytest.fixture
    def store(self) -> Store:
        """An empty store; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def other(self, store: Store) -> Store:
        """Another handle to the same objects; override where there can be one."""
        return store

    # ------------------------------------------------------------------------------------------------ get and put

    def test_what_is_put_is_got(self, store: Store, other: Store) -> None:
        store.put("a/b", b"one")
        assert bytes(other.get("a/b").data) == b"one"
        store.put("a/b", b"two two")
        assert bytes(other.get("a/b").data) == b"two two"

    def test_a_missing_object_is_named(self, store: Store) -> None:
        store.put("heads/a", b"x")
        for key in ("heads", "heads/", "heads/aa", "nothing"):
            with pytest.raises(KeyNotFoundException, match=key):
                store.get(key)

    @pytest.mark.parametrize("size", [0, 1, 2, 511, 4096, 65_535, 65_536, 65_537, 1 << 20, 9 << 20])
    def test_objects_of_any_size(self, store: Store, size: int) -> None:
        data = noise(size)
        store.put("object", data)
        assert bytes(store.get("object").data) == data
        assert [*store.list("")] == [Entry("object", size)]
        assert [bytes(part) for part in store.fetch([Fetch("object", [(0, size)])])[0]] == [data]

    def test_an_object_may_change_its_size(self, store: Store) -> None:
        for size in (10, 70_000, 0, 200_000, 65_536, 3):
            store.put("object", noise(size))
            assert bytes(store.get("object").data) == noise(size)
            assert [*store.list("object")] == [Entry("object", size)]

    def test_every_kind_of_buffer(self, store: Store) -> None:
        source = bytearray(noise(1000))
        store.put("bytearray", source)
        store.put("memoryview", memoryview(source)[100:200])
        kept = bytes(source)
        source[:] = bytes(1000)  # the store has a copy of its own
        assert bytes(store.get("bytearray").data) == kept
        assert bytes(store.get("memoryview").data) == kept[100:200]

    def test_what_was_got_stays(self, store: Store) -> None:
        store.put("a", noise(5000))
        got, fetched = store.get("a"), store.fetch([Fetch("a", [(10, 20)])])[0][0]
        many = store.get_many(["a"])[0]
        for seed in range(20):
            store.put("a", noise(5000, seed + 2))
        store.delete(["a"])
        assert bytes(got.data) == noise(5000)
        assert many is not None
        assert bytes(many.data) == noise(5000)
        assert bytes(fetched) == noise(5000)[10:20]

    def test_odd_keys(self, store: Store) -> None:
        for number, key in enumerate(ODD_KEYS):
            store.put(key, b"%d" % number)
        for number, key in enumerate(ODD_KEYS):
            assert bytes(store.get(key).data) == b"%d" % number
        assert [entry.key for entry in store.list("")] == sorted(ODD_KEYS)
        for key in ODD_KEYS:
            assert key in [entry.key for entry in store.list(key)]
            tag = store.swap(key, b"again", store.get(key).tag)
            assert store.get(key).tag == tag
        store.delete(ODD_KEYS)
        assert [*store.list("")] == []

    def test_put_many(self, store: Store) -> None:
        objects = {f"data/{number}": noise(number * 100, number) for number in range(200)}
        store.put_many((key, data) for key, data in objects.items())
        assert {entry.key: entry.size for entry in store.list("data/")} == {k: len(v) for k, v in objects.items()}
        for key, data in objects.items():
            assert bytes(store.get(key).data) == data
        store.put_many([])

    def test_get_many(self, store: Store) -> None:
        store.put("a", b"1")
        store.put("b", b"")
        found = store.get_many(["b", "missing", "a", "b"])
        assert [stored and bytes(stored.data) for stored in found] == [b"", None, b"1", b""]
        assert found[2] == store.get("a")
        assert store.get_many([]) == []

    def test_fetch(self, store: Store) -> None:
        first, second = noise(300_000, 1), noise(1000, 2)
        store.put("first", first)
        store.put("second", second)
        ranges = [(0, 1), (0, 300_000), (5, 5), (299_999, 300_000), (100, 200), (150, 250)]
        found = store.fetch([Fetch("second", [(10, 20)]), Fetch("first", ranges), Fetch("first", [])])
        assert [[bytes(part) for part in parts] for parts in found] == [
            [second[10:20]],
            [first[start:stop] for start, stop in ranges],
            [],
        ]
        assert store.fetch([]) == []

    def test_fetch_of_many_ranges(self, store: Store) -> None:
        data = noise(2_000_000)
        store.put("object", data)
        ranges = [(at, at + 100) for at in range(0, 2_000_000, 4001)][:-1]
        assert [bytes(part) for part in store.fetch([Fetch("object", ranges)])[0]] == [data[a:b] for a, b in ranges]

    def test_fetch_past_the_end_is_short(self, store: Store) -> None:
        store.put("object", b"0123456789")
        parts = store.fetch([Fetch("object", [(0, 3), (8, 12), (10, 12), (20, 30)])])[0]
        assert [bytes(part) for part in parts] == [b"012", b"89", b"", b""]

    def test_fetch_of_a_missing_object_is_an_error(self, store: Store) -> None:
        store.put("there", b"0123")
        with pytest.raises(KeyNotFoundException, match="gone"):
            store.fetch([Fetch("there", [(0, 1)]), Fetch("gone", [(0, 1)])])

    # ------------------------------------------------------------------------------------------------ swap and tags

    def test_a_tag_stands_for_the_bytes(self, store: Store, other: Store) -> None:
        tag = store.swap("head", b"one", None)
        assert store.get("head").tag == other.get("head").tag == tag
        newer = store.swap("head", b"two", tag)
        assert newer != tag
        assert other.get("head").tag == newer
        many = store.get_many(["head"])[0]
        assert many is not None
        assert many.tag == newer
        store.put("head", b"three")
        assert other.get("head").tag not in {tag, newer}

    def test_swap_creates_only_what_is_not_there(self, store: Store) -> None:
        tag = store.swap("head", b"one", None)
        with pytest.raises(Conflict) as caught:
            store.swap("head", b"two", None)
        assert caught.value.key == "head"
        assert store.get("head").tag == tag
        assert bytes(store.get("head").data) == b"one"

    def test_swap_with_a_stale_tag_changes_nothing(self, store: Store) -> None:
        stale = store.swap("head", b"one", None)
        current = store.swap("head", b"two", stale)
        with pytest.raises(Conflict):
            store.swap("head", b"three", stale)
        assert bytes(store.get("head").data) == b"two"
        store.delete(["head"])
        with pytest.raises(Conflict):
            store.swap("head", b"four", current)
        assert store.get_many(["head"]) == [None]

    # ---------------------------------------------------------------------------------------------------- delete

    def test_delete(self, store: Store, other: Store) -> None:
        for key in ("a", "ab", "abc", "b"):
            store.put(key, noise(70_000))
        store.delete(["ab", "missing", "b"])
        assert [entry.key for entry in other.list("")] == ["a", "abc"]
        store.delete(["ab"])
        store.delete([])
        with pytest.raises(KeyNotFoundException):
            other.get("ab")

    # ------------------------------------------------------------------------------------------------------ list

    def test_list_of_nothing(self, store: Store) -> None:
        assert [*store.list("")] == []
        assert [*store.list("heads/")] == []
        assert [*store.list("heads/", "heads/a")] == []

    def test_list_is_in_the_order_of_keys(self, store: Store) -> None:
        keys = ["b", "a/b", "a", "a b", "a-b", "A", "a/B", "a/b/c", "a0", "~", "a/é".encode().hex(), "!", "aa"]
        for key in keys:
            store.put(key, noise(len(key)))
        assert [*store.list("")] == [Entry(key, len(key)) for key in sorted(keys)]
        for prefix in ("a", "a/", "a/b", "b", "zz", "a/b/c", "~"):
            assert [entry.key for entry in store.list(prefix)] == sorted(k for k in keys if k.startswith(prefix))

    def test_list_starts_after(self, store: Store) -> None:
        keys = [f"h/{number:03}" for number in range(0, 100, 2)]
        store.put_many((key, noise(100_000 if int(key[2:]) % 10 == 0 else 1)) for key in keys)
        store.put("g", b"")
        store.put("i", b"")
        for after in (
            "",
            "a",
            "g",
            "h",
            "h/",
            "h/000",
            "h/001",
            "h/050",
            "h/0500",
            "h/097",
            "h/098",
            "h/999",
            "i",
            "z",
        ):
            assert [entry.key for entry in store.list("h/", after)] == [key for key in keys if key > after]

    def test_list_of_many(self, store: Store) -> None:
        keys = [f"many/{number:06}" for number in range(self.many)]
        store.put_many((key, b"x") for key in keys)
        assert [entry.key for entry in store.list("many/")] == keys
        assert [entry.key for entry in store.list("", keys[self.many // 2])] == keys[self.many // 2 + 1 :]

    def test_a_listing_outlives_changes(self, store: Store) -> None:
        keys = [f"k/{number:05}" for number in range(self.many // 2)]
        store.put_many((key, b"x") for key in keys)
        listing = store.list("k/")
        seen = [next(listing).key]
        store.delete(keys[-10:])
        seen += [entry.key for entry in listing]
        assert seen[: len(keys) - 10] == keys[:-10]

    # --------------------------------------------------------------------------------------------------- publish

    def test_publish(self, store: Store, other: Store) -> None:
        store.put("old", b"old")
        puts: list[tuple[str, Buffer]] = [("data/1", b"one"), ("data/2", bytearray(b"two"))]
        tag = store.publish(Publication(puts, Swap("head", b"v1", None), ["old", "missing"]))
        assert other.get("head").tag == tag
        assert bytes(other.get("data/1").data) == b"one"
        assert bytes(other.get("data/2").data) == b"two"
        assert store.get_many(["old"]) == [None]

    def test_a_publication_that_lost_shows_nothing(self, store: Store) -> None:
        tag = store.swap("head", b"v1", None)
        store.put("old", b"old")
        for expected in (None, "stale", tag[::-1] + "x"):
            with pytest.raises(Conflict) as caught:
                store.publish(Publication([("data/1", b"one")], Swap("head", b"v2", expected), ["old"]))
            assert caught.value.key == "head"
        assert bytes(store.get("head").data) == b"v1"
        assert bytes(store.get("old").data) == b"old"
        if store.atomic:
            assert store.get_many(["data/1"]) == [None]

    def test_a_large_publication_encodes_as_it_goes(self, store: Store) -> None:
        piece = 4 << 20
        count = -(-self.large // piece)

        def puts() -> Iterator[tuple[str, bytes]]:
            for number in range(count):
                yield f"data/{number:03}", noise(piece, number)
                store.get_many(["head"])  # the store may be used while the objects are made

        tag = store.publish(Publication(puts(), Swap("head", b"v1", None)))
        assert store.get("head").tag == tag
        assert [*store.list("data/")] == [Entry(f"data/{number:03}", piece) for number in range(count)]
        for number in (0, count // 2, count - 1):
            assert bytes(store.get(f"data/{number:03}").data) == noise(piece, number)

    def test_an_error_while_encoding_publishes_nothing(self, store: Store) -> None:
        def puts() -> Iterator[tuple[str, bytes]]:
            yield "data/1", b"one"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.publish(Publication(puts(), Swap("head", b"v1", None), ["data/1"]))
        assert store.get_many(["head"]) == [None]

    # ------------------------------------------------------------------------------------- where it is one transaction

    def test_a_large_publication_that_lost_leaves_nothing(self, store: Store) -> None:
        if not store.atomic:
            pytest.skip("publishing is not one transaction")
        store.swap("head", b"v1", None)
        store.put("data/000", b"was there")
        pieces = ((f"data/{number:03}", noise(4 << 20, number)) for number in range(self.large >> 22))
        with pytest.raises(Conflict):
            store.publish(Publication(pieces, Swap("head", b"v2", None)))
        assert [entry.key for entry in store.list("")] == ["data/000", "head"]

    def test_unchanged_and_listed_are_checked(self, store: Store) -> None:
        if not store.atomic:
            pytest.skip("publishing is not one transaction")
        a, b = store.swap("s/a", b"a", None), store.swap("s/b", noise(70_000), None)
        head = store.swap("head", b"v1", None)

        def publish(**conditions: object) -> None:
            publication = Publication([("new", b"")], Swap("head", b"v1", head), ["s/a"], **conditions)  # type: ignore[arg-type]
            with pytest.raises(Conflict):
                store.publish(publication)
            assert store.get_many(["new"]) == [None]
            assert store.get("s/a").tag == a

        publish(unchanged={"s/a": b})
        publish(unchanged={"s/a": None})
        publish(unchanged={"s/missing": a})
        publish(unchanged={"s/a": a, "s/missing": a})
        publish(listed=("s/", {"s/a": a}))
        publish(listed=("s/", {"s/a": a, "s/b": a}))
        publish(listed=("s/", {"s/a": a, "s/b": b, "s/c": b}))
        publish(listed=("s/", {}))
        unchanged: dict[str, str | None] = {"s/a": a, "s/missing": None}
        done = Publication([], Swap("head", b"v2", head), ["s/a"], unchanged, ("s/", {"s/a": a, "s/b": b}))
        store.publish(done)
        assert store.get_many(["s/a"]) == [None]

    def test_a_view_is_consistent(self, store: Store, other: Store) -> None:
        if not store.atomic:
            pytest.skip("publishing is not one transaction")
        store.publish(Publication([("data/1", noise(200_000))], Swap("head", b"v1", None)))
        with store.reading() as view:
            other.publish(Publication([("data/2", b"2")], Swap("head", b"v2", view.get("head").tag), ["data/1"]))
            other.put_many((f"more/{number}", noise(100_000, number)) for number in range(50))
            assert bytes(view.get("head").data) == b"v1"
            assert bytes(view.get("data/1").data) == noise(200_000)
            assert [entry.key for entry in view.list("data/")] == ["data/1"]
            assert view.get_many(["data/2"]) == [None]
            assert bytes(view.fetch([Fetch("data/1", [(5, 9)])])[0][0]) == noise(200_000)[5:9]
        with store.reading() as view:
            assert bytes(view.get("head").data) == b"v2"
            assert view.get_many(["data/1"]) == [None]

    def test_a_view_reads_as_the_store_does(self, store: Store) -> None:
        store.put("a", b"0123456789")
        store.put("b", noise(100_000))
        with store.reading() as view:
            assert bytes(view.get("a").data) == b"0123456789"
            assert view.get("a").tag == store.get("a").tag
            with pytest.raises(KeyNotFoundException, match="missing"):
                view.get("missing")
            with pytest.raises(KeyNotFoundException, match="missing"):
                view.fetch([Fetch("missing", [(0, 1)])])
            assert [bytes(part) for part in view.fetch([Fetch("a", [(2, 4), (9, 12)])])[0]] == [b"23", b"9"]
            assert [*view.list("")] == [*store.list("")]
            assert [entry.key for entry in view.list("", "a")] == ["b"]

    # --------------------------------------------------------------------------------------------------- threads

    def test_one_of_many_creators_wins(self, store: Store) -> None:
        for attempt in range(5):
            won: list[int] = []

            def create(number: int, key: str = f"head/{attempt}", won: list[int] = won) -> None:
                try:
                    store.swap(key, b"%d" % number, None)
                    won.append(number)
                except Conflict:
                    pass

            run_threads(create, 6)
            assert len(won) == 1
            assert bytes(store.get(f"head/{attempt}").data) == b"%d" % won[0]

    def test_counting_threads_lose_nothing(self, store: Store) -> None:
        store.swap("count", b"0", None)

        def count(number: int) -> None:
            done = 0
            while done < 10:
                with store.reading() as view:
                    stored = view.get("count")
                    value, tag = int(bytes(stored.data)), stored.tag
                try:
                    key = f"data/{number}-{done}"
                    store.publish(Publication([(key, b"x")], Swap("count", b"%d" % (value + 1), tag)))
                    done += 1
                except Conflict:
                    pass

        run_threads(count, 5)
        assert bytes(store.get("count").data) == b"50"
        assert len([*store.list("data/")]) == 50

    def test_readers_and_writers_at_once(self, store: Store) -> None:
        store.put_many((f"d/{number:02}", b"%02d" % number * 20_000) for number in range(20))

        def work(number: int) -> None:
            dice = random.Random(number)
            for _ in range(30):
                pick = dice.randrange(20)
                if number % 2:
                    store.put(f"d/{pick:02}", b"%02d" % pick * dice.randrange(1, 40_000))
                else:
                    data = bytes(store.get(f"d/{pick:02}").data)
                    assert data == b"%02d" % pick * (len(data) // 2)
                    assert len([*store.list("d/")]) == 20

        run_threads(work, 6)

    # ---------------------------------------------------------------------------------------------------- others

    @pytest.mark.parametrize("seed", range(3))
    def test_it_is_a_sorted_dict(self, store: Store, seed: int) -> None:
        dice = random.Random(seed)
        model: dict[str, bytes] = {}
        keys = [f"{folder}/{name}" for folder in "ab" for name in ("", "x", "x y", "x%", "xx", "y")]
        for step in range(120):
            key, verb = dice.choice(keys), dice.randrange(5)
            data = noise(dice.choice([0, 3, 3000, 70_000]), step)
            if verb == 0:
                store.put(key, data)
                model[key] = data
            elif verb == 1:
                chosen = dice.sample(keys, 3)
                store.delete(chosen)
                for name in chosen:
                    model.pop(name, None)
            elif verb == 2:
                stored = store.get_many([key])[0]
                store.swap(key, data, None if stored is None else stored.tag)
                model[key] = data
            elif verb == 3:
                after = dice.choice([*keys, ""])
                found = {entry.key: entry.size for entry in store.list(key[:2], after)}
                assert found == {k: len(v) for k, v in model.items() if k.startswith(key[:2]) and k > after}
            else:
                values = [stored and bytes(stored.data) for stored in store.get_many(keys)]
                assert values == [model.get(name) for name in keys]
        assert [entry.key for entry in store.list("")] == sorted(model)

    def test_it_can_be_closed_and_used_again(self, store: Store) -> None:
        store.put("a", b"one")
        store.close()
        assert bytes(store.get("a").data) == b"one"
        store.close()
        store.close()
        store.put("a", b"two")
        assert bytes(store.get("a").data) == b"two"
