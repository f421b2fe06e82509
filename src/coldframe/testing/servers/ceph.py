"""Ceph's RADOS Gateway over one monitor and one object store daemon: a production S3 server on one machine."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from coldframe.testing.servers.certificates import Authority
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

_KEY, _SECRET = "cephadminkey", "cephadminsecret"

# What is not obvious: without tcp_nodelay each small GET takes 44 ms; the short ticks cut the start from 6 s to 1.5 s;
# with authentication off the gateway must be told that plain crc mode is allowed; the order "local, sts" keeps
# SignatureDoesNotMatch and InvalidAccessKeyId from turning into AccessDenied.
_CONFIG = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
ms cluster mode = crc
ms service mode = crc
auth allow insecure global id reclaim = true
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
log file = {folder}/log/$name.log
log to stderr = false
err to stderr = false
mon cluster log file = {folder}/log/cluster.log
crash dir = {folder}/log
heartbeat file = {folder}/run/$name.heartbeat
debug ms = 0/0
mon tick interval = 1
osd mon report interval = 1
objecter tick interval = 0.25
osd tick interval = 0.25
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false

[mon]
mon data = {folder}/mon
mon cluster log to stderr = false
paxos propose interval = 0.05
paxos min wait = 0.01
mon data avail warn = 0
mon data avail crit = 0

[osd]
osd data = {folder}/osd
osd journal = {folder}/osd/journal
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
osd class update on start = true
osd crush update on start = true
osd max object name len = 2048

[client]
rgw enable apis = s3, sts, iam, admin
rgw sts key = abcdefghijklmnop
rgw s3 auth use sts = true
rgw s3 auth order = local, sts
rgw sts min session duration = 1
rgw sts max session duration = 43200
rgw frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} \
ssl_certificate={folder}/tls/server.crt ssl_private_key={folder}/tls/server.key
debug rgw = {level}/{level}
rgw enable usage log = false
rgw enable ops log = false
rgw enable gc threads = true
rgw run sync thread = false
rgw enable lc threads = false
rgw gc obj min wait = 5
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw rados pool pg num min = 4
rgw verify ssl = false
"""


def install() -> None:
    """Ceph from Debian's packages."""
    debian_packages(["radosgw", "ceph-mon", "ceph-osd", "radosgw-admin", "monmaptool", "ceph"],
                    ["radosgw", "ceph-mon", "ceph-osd", "ceph-common"])


@contextlib.contextmanager
def running(*, bucket: str = "test-bucket", log_operations: bool = False) -> Iterator[S3Server]:
    """A started one-node cluster, in memory, with plain HTTP and HTTPS; its log may name each request's operation."""
    install()
    with workspace("ceph") as folder:
        for name in ("mon", "osd", "run", "log"):
            (folder / name).mkdir()
        authority = Authority(folder / "tls")
        authority.issue("server")
        port, tls_port, mon_port = free_port(), free_port(), free_port()
        config, osd_id, fsid = folder / "ceph.conf", str(uuid.uuid4()), str(uuid.uuid4())
        config.write_text(_CONFIG.format(folder=folder, fsid=fsid, mon_port=mon_port, port=port, tls_port=tls_port,
                                          level=2 if log_operations else 1))
        env = {**os.environ, "CEPH_CONF": str(config), "LC_ALL": "C.UTF-8"}
        monmap = str(folder / "monmap")
        run(["monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{mon_port}]",
             monmap], why="monmaptool", env=env)
        run(["ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap], why="ceph-mon --mkfs", env=env)
        with contextlib.ExitStack() as stack:
            _start(stack, folder, env, osd_id)
            log = folder / "log" / "rgw.out"
            gateway = stack.enter_context(process(["radosgw", "-f", "-n", "client.rgw"], log, env=env))
            run(["radosgw-admin", "user", "create", "--uid=admin", "--display-name=admin", f"--access-key={_KEY}",
                 f"--secret-key={_SECRET}", "--caps=users=*;buckets=*;metadata=*;usage=*;roles=*;user-policy=*"],
                why="radosgw-admin", env=env, seconds=60)
            url = f"http://127.0.0.1:{port}"
            wait_http(url, gateway, log, 60)
            server = S3Server("ceph", url, _KEY, _SECRET, bucket, endpoint_tls=f"https://localhost:{tls_port}",
                              ca_bundle=str(authority.bundle), config_file=str(config),
                              log=folder / "log" / "client.rgw.log")
            make_bucket(server)
            yield server


def _start(stack: contextlib.ExitStack, folder: Path, env: Mapping[str, str], osd_id: str) -> None:
    stack.enter_context(process(["ceph-mon", "-f", "-i", "a"], folder / "log" / "mon.out", env=env))
    run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id], why="ceph-osd --mkfs", env=env, seconds=60)
    run(["ceph", "osd", "new", osd_id], why="ceph osd new", env=env, seconds=60)
    stack.enter_context(process(["ceph-osd", "-f", "-i", "0"], folder / "log" / "osd.out", env=env))
