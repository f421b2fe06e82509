"""OpenStack Swift with its S3 layer: a store that refuses conditional writes (501)."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from coldframe.testing.servers.processes import (
    S3Server,
    debian_packages,
    free_port,
    make_bucket,
    process,
    run,
    wait_http,
    workspace,
)

_PROXY = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
log_level = WARNING
log_address = {folder}/none
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

_BACKEND = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
devices = {folder}/node
mount_check = false
disable_fallocate = true
log_level = WARNING
fallocate_reserve = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""


def install() -> None:
    """Swift from Debian's packages."""
    debian_packages(["swift-proxy-server", "swift-account-server", "swift-container-server", "swift-object-server",
                     "swift-ring-builder"],
                    ["swift-proxy", "swift-account", "swift-container", "swift-object", "swift"])


@contextlib.contextmanager
def running(*, bucket: str = "test-bucket") -> Iterator[S3Server]:
    """A started one-node Swift."""
    install()
    with workspace("swift") as folder, contextlib.ExitStack() as stack:
        etc, port = folder / "etc", free_port()
        for path in (etc, folder / "node" / "d1", folder / "cache"):
            path.mkdir(parents=True)
        user = pwd.getpwuid(os.geteuid()).pw_name
        (etc / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = s\nswift_hash_path_prefix = p\n"
                                        "[storage-policy:0]\nname = gold\ndefault = yes\n")
        (etc / "proxy-server.conf").write_text(_PROXY.format(port=port, user=user, etc=etc, folder=folder))
        for kind in ("account", "container", "object"):
            _start_backend(stack, folder, etc, kind, user)
        log = folder / "proxy.log"
        child = stack.enter_context(process(_command("proxy", etc), log))
        url = f"http://127.0.0.1:{port}"
        wait_http(url, child, log, 40)
        server = S3Server("swift", url, "test:tester", "testing", bucket)
        make_bucket(server, 40)
        yield server


def _start_backend(stack: contextlib.ExitStack, folder: Path, etc: Path, kind: str, user: str) -> None:
    port = free_port()
    text = _BACKEND.format(port=port, user=user, etc=etc, folder=folder, kind=kind)
    if kind == "object":
        text += "auto_create_account_prefix = .\n"
    (etc / f"{kind}-server.conf").write_text(text)
    for step in (["create", "2", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
        run(["swift-ring-builder", f"{kind}.builder", *step], why="swift-ring-builder", cwd=etc)
    stack.enter_context(process(_command(kind, etc), folder / f"{kind}.log"))


def _command(kind: str, etc: Path) -> list[str]:
    # Debian's scripts belong to the system's interpreter, whatever comes first on PATH.
    return ["/usr/bin/python3", str(shutil.which(f"swift-{kind}-server")), str(etc / f"{kind}-server.conf")]
