"""MiniStack: S3, STS and IAM on one port, in memory; it checks signatures, policies, roles and session tokens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from coldframe.testing.servers.certificates import Authority
from coldframe.testing.servers.processes import (
    S3Server,
    free_port,
    make_bucket,
    process,
    python_environment,
    wait_http,
    workspace,
)

VERSION = "1.5.33"
# Its program, with a log of the requests in the form that Ceph's has, but for the header that tells a copy from a put;
# and the query stands apart, as paths are decoded.
_PROGRAM = """
from hypercorn.config import Config
Config.accesslog = "-"
Config.access_log_format = '"%(m)s %(U)s HTTP/%(H)s" %(s)s %(b)s %({x-amz-copy-source}i)s "%(a)s" ?%(q)s'
from ministack.app import main
main()
"""
_ROOT_KEY, _ROOT_SECRET = "ministackrootkey0000", "ministack-root-secret"


@contextlib.contextmanager
def running(*, tls: bool = False, bucket: str = "test-bucket") -> Iterator[S3Server]:
    """A started server whose administrator is an IAM user (the root key's signature is not checked)."""
    # It pins botocore, so it gets an environment of its own.
    program = python_environment(f"ministack-{VERSION}", f"ministack=={VERSION}", program="ministack")
    with workspace("ministack") as folder:
        port, log = free_port(), folder / "log"
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env |= {
            "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(folder), "SERVICES": "s3,sts,iam",
            "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "INFO", "S3_PERSIST": "0", "AUTH": "true",
            "MINISTACK_ACCOUNT_ID": "000000000000", "MINISTACK_REGION": "us-east-1",
            "S3_DATA_DIR": str(folder / "data"), "AWS_ACCESS_KEY_ID": _ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": _ROOT_SECRET,
        }
        url, bundle = f"http://127.0.0.1:{port}", None
        if tls:
            authority = Authority(folder / "tls")
            made = authority.issue("server")
            env |= {"USE_SSL": "1", "MINISTACK_SSL_CERT": str(made.certificate), "MINISTACK_SSL_KEY": str(made.key)}
            url, bundle = f"https://localhost:{port}", str(authority.bundle)
        with process([str(program.with_name("python")), "-u", "-c", _PROGRAM], log, env=env) as child:
            wait_http(f"{url}/_ministack/health", child, log)
            root = S3Server("ministack", url, _ROOT_KEY, _ROOT_SECRET, bucket, ca_bundle=bundle)
            access, secret = _administrator(root)
            server = S3Server("ministack", url, access, secret, bucket, ca_bundle=bundle, log=log)
            make_bucket(server)
            yield server


def _administrator(root: S3Server) -> tuple[str, str]:
    from coldframe.testing.servers.identities import allow

    iam = root.client("iam")
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=allow(["*"], ["*"]))
    made = iam.create_access_key(UserName="admin")["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]
