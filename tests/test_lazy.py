"""Lazy frames: nothing happens before collect, and then all clauses together."""

from __future__ import annotations

import copy

import pytest

from coldframe.exceptions import ArcticException
from coldframe.items import ReadRequest
from coldframe.lazy import LazyDataFrame, LazyDataFrameAfterJoin, LazyDataFrameCollection, concat
from coldframe.query.expressions import col


class Library:
    """Notes what it is asked for."""

    def __init__(self, name="lib"):
        self.name = name
        self.calls = []

    def __str__(self):
        return f"Library({self.name})"

    def collect_lazy(self, request, query):
        self.calls.append((request.symbol, str(query)))
        return f"item of {request.symbol}"

    def collect_lazy_batch(self, requests):
        self.calls.append([(request.symbol, str(query)) for request, query in requests])
        return [f"item of {request.symbol}" for request, _ in requests]

    def collect_lazy_join(self, requests, join, query):
        self.calls.append(([(request.symbol, str(own)) for request, own in requests], join, str(query)))
        return "joined"

    def explain_lazy(self, request, query):
        return f"plan of {request.symbol}: {query}"

    def collect_lazy_batches(self, request, query, max_rows):
        return iter([(request.symbol, str(query), max_rows)])


@pytest.fixture
def library():
    return Library()


def lazy(library, symbol="s"):
    return LazyDataFrame(library, ReadRequest(symbol))


def test_collects_when_asked_and_again(library):
    frame = lazy(library).head(3)
    assert library.calls == []
    assert frame.collect() == "item of s"
    frame.tail(1)
    frame.collect()
    assert library.calls == [("s", "ROWRANGE: HEAD, n=3"), ("s", "ROWRANGE: HEAD, n=3 | ROWRANGE: TAIL, n=1")]


def test_filters_make_new_frames(library):
    frame = lazy(library)
    kept = frame[frame["a"] > 1]
    assert isinstance(kept, LazyDataFrame)
    frame["n"] = col("a") + 1
    kept.collect()
    frame.collect()
    assert [text.split(" ")[0] for _, text in library.calls] == ["WHERE", "PROJECT"]


def test_printed(library):
    assert repr(lazy(library)) == f"LazyDataFrame({ReadRequest('s')!r})"
    assert repr(lazy(library).head(1)) == f"LazyDataFrame({ReadRequest('s')!r} | ROWRANGE: HEAD, n=1)"
    together = LazyDataFrameCollection([lazy(library, "a"), lazy(library, "b").tail(1)]).head(2)
    assert repr(together).count("HEAD") == 2
    assert "CONCAT | ROWRANGE: TAIL" in repr(concat(together).tail(4))


def test_explains(library):
    assert lazy(library).head(1).explain() == "plan of s: ROWRANGE: HEAD, n=1"


def test_explains_each_member_and_what_is_done_with_all(library):
    both = LazyDataFrameCollection([lazy(library, "a").tail(2), lazy(library, "b")]).head(1)
    members = "plan of a: ROWRANGE: TAIL, n=2 | ROWRANGE: HEAD, n=1\n\nplan of b: ROWRANGE: HEAD, n=1"
    assert both.explain() == members
    stacked = f"{members}\n\nstack the rows of 2 symbols (inner join)"
    assert concat(both, "inner").explain() == stacked
    assert (
        concat(both, "inner").tail(3).explain() == f"{stacked}\non the stacked rows, in memory:\n  ROWRANGE: TAIL, n=3"
    )
    assert concat([]).explain() == "stack the rows of 0 symbols (outer join)"


def test_batches(library):
    assert list(lazy(library).collect_batches(max_rows=5)) == [("s", "", 5)]
    for bad in (0, "x", True):
        with pytest.raises(TypeError, match="max_rows"):
            lazy(library).collect_batches(max_rows=bad)


def test_collections_add_to_every_member(library):
    one, other = lazy(library, "a").head(9), lazy(library, "b")
    together = LazyDataFrameCollection([one, other])
    together.tail(1)
    assert together.collect() == ["item of a", "item of b"]
    assert library.calls == [[("a", "ROWRANGE: HEAD, n=9 | ROWRANGE: TAIL, n=1"), ("b", "ROWRANGE: TAIL, n=1")]]
    parts = together.split()
    assert [str(part.clauses[-1]) for part in parts] == ["ROWRANGE: TAIL, n=1"] * 2
    parts[0].head(2)
    assert len(LazyDataFrameCollection(parts).split()[0].clauses) == 3
    assert len(one.clauses) == 1
    assert LazyDataFrameCollection([]).collect() == []
    assert LazyDataFrameCollection([]).split() == []


def test_members_must_be_of_one_library(library):
    with pytest.raises(ArcticException, match="library"):
        LazyDataFrameCollection([lazy(library), lazy(Library("other"))])
    assert len(LazyDataFrameCollection([lazy(library), lazy(Library("lib"))]).split()) == 2


def test_joins(library):
    joined = concat([lazy(library, "a").head(1), lazy(library, "b")], "INNER")
    assert isinstance(joined, LazyDataFrameAfterJoin)
    assert joined[joined["x"] > 1].head(2).collect() == "joined"
    clauses = 'WHERE (Column["x"] GT Val(UINT8:1)) | ROWRANGE: HEAD, n=2'
    assert library.calls == [([("a", "ROWRANGE: HEAD, n=1"), ("b", "")], "inner", clauses)]
    together = LazyDataFrameCollection([lazy(library, "a")]).head(4)
    concat(together).collect()
    assert library.calls[-1] == ([("a", "ROWRANGE: HEAD, n=4")], "outer", "")
    assert concat([]).collect() == []
    with pytest.raises(ArcticException, match="join"):
        concat([lazy(library)], "sideways")


def test_copies(library):
    frame = lazy(library).head(1)
    twin = copy.deepcopy(frame)
    twin.tail(1)
    assert len(frame.clauses) == 1
    assert twin.collect() == "item of s"


def test_columns_by_name(library):
    assert str(lazy(library).price) == 'Column["price"]'
