"""What a change costs does not depend on how long the history is."""

from __future__ import annotations

import pandas as pd
import pytest

from coldframe.catalog.catalog import Catalog
from coldframe.operations.append import append
from coldframe.operations.listing import list_versions
from coldframe.operations.read import read
from coldframe.operations.reclaim import reclaim
from coldframe.operations.update import update
from coldframe.operations.write import write
from coldframe.stores.base import Limits
from coldframe.stores.memory import MemoryStore
from coldframe.testing.counting import CountingStore


def row(number: int) -> pd.DataFrame:
    return pd.DataFrame({"a": [number]}, index=pd.DatetimeIndex([number * 1_000_000_000]))


@pytest.fixture
def store() -> CountingStore:
    inner = MemoryStore()
    inner.limits = Limits(inline_piece=600, head=6_000, segment=100_000)
    return CountingStore(inner)


def requests(store: CountingStore, act) -> int:
    store.reset()
    act()
    return store.requests


def test_appends_and_reads_ask_for_no_more_after_many_versions(store):
    catalog = Catalog(store, "library")
    write(catalog, "s", row(0))
    update(catalog, "s", row(0))
    for number in range(1, 30):
        append(catalog, "s", row(number))
    early = [requests(store, lambda n=n: append(catalog, "s", row(n))) for n in range(30, 60)]
    for number in range(60, 600):
        append(catalog, "s", row(number))
    reclaim(catalog, 0)
    assert 2 < sum(1 for _ in store.list("logs/")) < 30
    late = [requests(store, lambda n=n: append(catalog, "s", row(n))) for n in range(600, 630)]
    # One log more: the manifest before the one that all these versions share lies in the oldest.
    assert sorted(late)[15] <= sorted(early)[15] + 2
    assert max(late) <= max(early) + 12, "now and then eight logs become one"
    assert requests(store, lambda: read(catalog, "s")) <= 12
    assert requests(store, lambda: read(catalog, "s", 3)) <= 14
    assert requests(store, lambda: list_versions(catalog, "s", skip_snapshots=True)) <= 12


def test_with_the_limits_of_a_bucket_small_calls_ask_once_or_twice():
    store = CountingStore(MemoryStore())
    catalog = Catalog(store, "library")
    write(catalog, "s", row(0))
    for number in range(1, 1_000):
        append(catalog, "s", row(number))
    asked = sorted(requests(store, lambda n=n: append(catalog, "s", row(n))) for n in range(1_000, 1_050))
    assert asked[25] == 1, "the swap of the head as it was left"
    cold = CountingStore(store.inner)
    assert requests(cold, lambda: append(Catalog(cold, "library"), "s", row(1_050))) == 2, "the head, and its swap"
    assert requests(store, lambda: read(catalog, "s", columns=[])) <= 8
    assert requests(store, lambda: list_versions(catalog, "s", skip_snapshots=True)) == 1
