"""Long listings: complete, in order, in parallel, and with no more requests than pages where they are short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coldframe.stores import object_listing
from coldframe.stores.object_listing import boundaries, pages
from coldframe.stores.object_uri import parse
from coldframe.workers import Workers

NAMES = st.lists(st.text("abcxyzABC0189_%-~!", min_size=1, max_size=6), max_size=200, unique=True)


class Fake:
    """Requests on a sorted list, in pages of three."""

    class Client:
        resumable = True
        page = 3

    class Target:
        kind = "s3"

    def __init__(self, paths):
        self.paths = sorted(paths)
        self.workers = Workers(4)
        self.client, self.target = self.Client(), self.Target()
        self.cuts = {}
        self.asked = 0

    def pages(self, folder, after):
        rest = [path for path in self.paths if path > after and path.startswith(f"{folder}/")]
        for at in range(0, len(rest), 3) or [0]:
            self.asked += 1
            if not rest:
                return
            yield [(path, 1) for path in rest[at : at + 3]]


@given(NAMES, st.integers(1, 5))
def test_nothing_is_missed_or_doubled(names, patient):
    fake = Fake([f"f/{name}" for name in names])
    was, object_listing.PATIENT = object_listing.PATIENT, patient
    try:
        assert [path for page in pages(fake, "f", "", "f/") for path, _ in page] == fake.paths
    finally:
        object_listing.PATIENT = was


@given(NAMES, NAMES)
def test_a_folder_that_was_listed_before(names, more):
    """It may have changed since: all is found, and where nothing has, with as few requests as there are pages."""
    fake = Fake([f"f/{name}" for name in names])

    def listed():
        fake.asked = 0
        return [path for page in pages(fake, "f", "", "f/") for path, _ in page]

    assert listed() == listed() == fake.paths
    assert fake.asked <= max(1, -(-len(names) // 3))
    fake.paths = sorted({*fake.paths[::2], *(f"f/{name}" for name in more)})
    assert listed() == fake.paths
    assert listed() == fake.paths
    assert fake.asked <= max(1, -(-len(fake.paths) // 3))


@given(NAMES.filter(lambda names: len(names) > 1))
def test_cuts_are_ascending_and_behind_what_was_seen(names):
    paths = sorted(f"f/{name}" for name in names)
    cuts = boundaries("f", paths[0], paths[len(paths) // 2])
    assert cuts == sorted(set(cuts))
    assert all(cut > paths[len(paths) // 2] for cut in cuts)
    assert len(cuts) <= object_listing.MOST_RANGES


@given(NAMES, st.integers(1, 3), st.text("abcxyzABC0189_%-", max_size=2))
def test_a_prefix_is_listed_to_its_end(names, patient, prefix):
    fake = Fake([f"f/{name}" for name in names])
    was, object_listing.PATIENT = object_listing.PATIENT, patient
    try:
        found = [path for page in pages(fake, "f", "", f"f/{prefix}") for path, _ in page]
    finally:
        object_listing.PATIENT = was
    wanted = [path for path in fake.paths if path.startswith(f"f/{prefix}")]
    assert [path for path in found if path.startswith(f"f/{prefix}")] == wanted


def test_requests_and_time(ministack_server, proxy, prefix, monkeypatch):
    names = [f"heads/sym_{number:04}" for number in range(4500)]
    parse(ministack_server.uri(path_prefix=prefix)).store("lib").put_many((name, b"x") for name in names)
    store = parse(ministack_server.uri(endpoint=proxy.endpoint, path_prefix=prefix)).store("lib")
    assert [entry.key for entry in store.list("heads/", names[1599])] == names[1600:]
    proxy.forget()
    for _ in range(2):
        proxy.forget()
        assert [entry.key for entry in store.list("heads/")] == names
        assert proxy.count() == 5
    monkeypatch.setattr(object_listing, "PATIENT", 1)
    proxy.forget()
    assert [entry.key for entry in store.list("heads/sym_0")] == names[:1000]
    assert proxy.count() <= 2
    store._requests.cuts.clear()
    proxy.forget()
    proxy.latency = 0.4
    assert [entry.key for entry in store.list("heads/")] == names
    assert proxy.count() <= 5 + object_listing.MOST_RANGES
    begun = sorted(seen.started for seen in proxy.log)
    assert begun[4] - begun[1] < 0.4, "the second to the fifth page were not asked for at once"
