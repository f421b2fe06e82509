"""A user who lacks one permission, at every public call: the right error, nothing half-written, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.operations.states import canonical
from tests.stores_object.test_object_library_faults import CHANGES, READS, Runs, frame, left

from coldframe.arctic import Arctic
from coldframe.exceptions import ErrorCode, PermissionException
from coldframe.items import DeleteRequest, UpdatePayload, WriteMetadataPayload, WritePayload
from coldframe.options import ModifiableLibraryOption
from coldframe.testing.servers import S3Server
from coldframe.testing.servers.identities import ALL_ACTIONS, allow, make_user

PREFIX = "permissions"


def raising(items):
    """What a batch reports, raised."""
    for item in items:
        if getattr(item, "error_code", None) is not None:
            assert item.error_code is ErrorCode.E_PERMISSION, item
            raise PermissionException(item.exception_string)
    return items


MORE_CHANGES = {
    "write_pickle": lambda library: library.write_pickle("s", {"a": [1]}),
    "write_batch": lambda library: raising(library.write_batch([WritePayload(n, frame(50)) for n in ("s", "gone")])),
    "write_pickle_batch": lambda library: raising(library.write_pickle_batch([WritePayload("s", {"a": 1})])),
    "append_batch": lambda library: raising(library.append_batch([WritePayload(n, frame(50)) for n in ("s", "gone")])),
    "update_batch": lambda library: raising(library.update_batch([UpdatePayload("s", frame(3, 2))])),
    "write_metadata_batch": lambda library: raising(library.write_metadata_batch([WriteMetadataPayload("s", 1)])),
    "delete_batch": lambda library: raising(library.delete_batch(["s", DeleteRequest("gone", [0])])),
    "delete_data_in_range": lambda library: library.delete_data_in_range("s", (frame(3, 3).index[0], None)),
}
MORE_READS = {
    "head": lambda library: canonical(library.head("s").data),
    "tail": lambda library: canonical(library.tail("s").data),
    "read_batch": lambda library: [canonical(item.data) for item in raising(library.read_batch(["s", "much"]))],
    "read_metadata": lambda library: library.read_metadata("s").version,
    "read_metadata_batch": lambda library: [x.version for x in raising(library.read_metadata_batch(["s", "much"]))],
    "get_description": lambda library: library.get_description("much").row_count,
    "get_description_batch": lambda library: [x.row_count for x in raising(library.get_description_batch(["s"]))],
    "has_symbol": lambda library: [library.has_symbol("s"), library.has_symbol("none")],
    "list_versions of a symbol": lambda library: sorted(library.list_versions("s")),
    "list_symbols of a snapshot": lambda library: sorted(library.list_symbols("kept")),
    "verify": lambda library: library.verify().damaged,
}
ALL_CHANGES = CHANGES | MORE_CHANGES
ALL_READS = READS | MORE_READS
REFUSED = {
    "s3:GetObject": {*ALL_CHANGES, *ALL_READS} - {"list_symbols"},  # names are those of objects
    "s3:PutObject": {*ALL_CHANGES} - {"delete_snapshot", "reclaim"},
    "s3:DeleteObject": {"delete_snapshot"},  # whatever else is to go is left for those who may delete
    "s3:ListBucket": {"snapshot", "reclaim", "list_symbols", "list_versions", "list_versions of a symbol",
                      "list_snapshots", "verify"},
}


# As on Amazon, who may not list is not told that there is no such object either; but who may list is, though he may not
# read.
ON_CEPH = {"s3:ListBucket": {"write of a new symbol", "has_symbol"}, "s3:GetObject": {"write of a new symbol"}}


class Restricted:
    """A user who may do everything, except when a permission is withdrawn."""

    def __init__(self, server: S3Server, prefix: str) -> None:
        self._server = server
        self._user = make_user(server, ALL_ACTIONS)
        self.uri = server.uri(path_prefix=prefix, access=self._user.access_key, secret=self._user.secret_key)

    @contextmanager
    def without(self, missing: str) -> Iterator[None]:
        self._allow(action for action in ALL_ACTIONS if action != missing)
        yield
        self._allow(ALL_ACTIONS)

    def _allow(self, actions: Iterable[str]) -> None:
        bucket = f"arn:aws:s3:::{self._server.bucket}"
        self._server.client("iam").put_user_policy(
            UserName=self._user.name, PolicyName="s3", PolicyDocument=allow([*actions], [bucket, f"{bucket}/*"]))


@pytest.fixture(scope="module", params=["ministack_server", "ceph_server"])
def runs_on_server(request):
    return Runs(request.getfixturevalue(request.param), PREFIX, ALL_CHANGES, ALL_READS)


def told(error: PermissionException, missing: str, server: S3Server) -> bool:
    """Whether an error says what is to be known."""
    words = ("missing permission: ", missing, server.bucket, PREFIX)
    return error.code is ErrorCode.E_PERMISSION and all(word in str(error) for word in words)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ALL_ACTIONS)
def test_every_call_on_a_library(runs_on_server, missing):
    """The user opens the library while everything is allowed, and looks at it when everything is allowed again."""
    server, calls = runs_on_server.server, runs_on_server.calls
    user = Restricted(server, PREFIX)
    for name in calls:
        runs_on_server.filled(f"{missing} {name}")
    libraries = {name: Arctic(user.uri)[f"{missing} {name}"] for name in calls}
    refused = set()

    def run(name: str) -> None:
        try:
            result = calls[name](libraries[name])
        except PermissionException as error:
            if not told(error, missing, server):
                raise
            refused.add(name)
        else:
            assert name in ALL_CHANGES or result == runs_on_server.results[name], name

    def check(name: str) -> None:
        expected = runs_on_server.before if name in refused else runs_on_server.after[name]
        assert left(libraries[name]) == expected, name

    with ThreadPoolExecutor(4) as pool:
        with user.without(missing):
            list(pool.map(run, calls))
        list(pool.map(check, calls))
    if server.name == "ceph":
        refused = refused.symmetric_difference(ON_CEPH.get(missing, ()))
    assert refused == REFUSED[missing]


STORAGE = {
    "list_libraries": lambda arctic: arctic.list_libraries(),
    "has_library": lambda arctic: arctic.has_library("there"),
    "get_library": lambda arctic: arctic.get_library("there"),
    "create_library": lambda arctic: arctic.create_library("another"),
    "modify_library_option": lambda arctic: arctic.modify_library_option(
        arctic["there"], ModifiableLibraryOption.DEDUP, option_value=True),
    "delete_library": lambda arctic: arctic.delete_library("there"),
}
STORAGE_REFUSED = {
    "s3:GetObject": {*STORAGE} - {"delete_library"},
    "s3:PutObject": {"create_library", "modify_library_option"},
    "s3:DeleteObject": {"delete_library"},
    "s3:ListBucket": {"list_libraries", "delete_library"},
}


@pytest.mark.parametrize("missing", ALL_ACTIONS)
@pytest.mark.parametrize("name", ["ministack_server", pytest.param("ceph_server", marks=pytest.mark.slow)])
def test_every_call_on_a_storage(name, request, prefix, missing):
    server = request.getfixturevalue(name)
    refused = set()
    for call, work in STORAGE.items():
        folder = f"{PREFIX}/{prefix}/{call}"
        Arctic(server.uri(path_prefix=folder)).create_library("there").write("s", frame(0))
        user = Restricted(server, folder)
        with user.without(missing):
            try:
                work(Arctic(user.uri))
            except PermissionException as error:
                if not told(error, missing, server):
                    raise
                refused.add(call)
        arctic = Arctic(user.uri)
        if call == "delete_library":  # what was refused half-way can be finished by somebody who may
            arctic.delete_library("there")
            assert arctic.list_libraries() == []
        else:
            assert len(arctic["there"].read("s").data) == len(frame(0))
            assert arctic.has_library("another") is (call == "create_library" and call not in refused)
    own = {"create_library"} if (name, missing) == ("ceph_server", "s3:GetObject") else set()
    assert refused == STORAGE_REFUSED[missing] - own  # on Ceph whoever has written an object may read it
