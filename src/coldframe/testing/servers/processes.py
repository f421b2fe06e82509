"""What every test server needs: a place for its files, a free port, a process that ends with us, a bucket."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """A server that cannot be installed or started here, with the reason."""


@dataclass(frozen=True)
class S3Server:
    """A running S3 server and the key of its administrator."""

    name: str
    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    region: str = "us-east-1"
    ca_bundle: str | None = None
    endpoint_tls: str | None = None
    config_file: str | None = None
    log: Path | None = None

    @property
    def host(self) -> str:
        """The host name in the endpoint."""
        return self.endpoint.split("://")[1].split(":")[0]

    @property
    def port(self) -> int:
        """The port in the endpoint."""
        return int(self.endpoint.rsplit(":", 1)[1])

    def uri(self, *, endpoint: str | None = None, access: str | None = None, secret: str | None = None,
            bucket: str | None = None, **options: object) -> str:
        """A connection string to this server, or through a proxy in front of it."""
        scheme, rest = (endpoint or self.endpoint).split("://")
        host, port = rest.split(":")
        pairs: dict[str, object] = {"port": port, "region": self.region}
        if "aws_auth" not in options:
            pairs["access"] = access or self.access_key
            pairs["secret"] = secret or self.secret_key
        pairs.update(options)
        text = "&".join(f"{name}={value}" for name, value in pairs.items())
        return f"{'s3s' if scheme == 'https' else 's3'}://{host}:{bucket or self.bucket}?{text}"

    def client(self, service: str = "s3", *, access: str | None = None, secret: str | None = None) -> Any:
        """A boto3 client of the server's, for setting things up and looking behind the store's back."""
        import boto3
        from botocore.config import Config

        make: Any = boto3.client  # the stubs know only literal names
        return make(
            service, endpoint_url=self.endpoint, region_name=self.region, verify=self.ca_bundle,
            aws_access_key_id=access or self.access_key, aws_secret_access_key=secret or self.secret_key,
            config=Config(retries={"max_attempts": 2}, request_checksum_calculation="when_required",
                          response_checksum_validation="when_required", s3={"addressing_style": "path"}),
        )


def home() -> Path:
    """The folder that holds what is installed; kept between runs."""
    told = os.environ.get("COLDFRAME_SERVERS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(told) if told else cache / "coldframe-servers"
    base.mkdir(parents=True, exist_ok=True)
    return base


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """One installation of `name` at a time, over all processes."""
    with (home() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def workspace(name: str) -> Iterator[Path]:
    """An empty folder for one run of a server."""
    folder = Path(tempfile.mkdtemp(prefix=f"coldframe-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(command: Sequence[str], *, why: str, seconds: float = 600, env: Mapping[str, str] | None = None,
        cwd: Path | None = None) -> str:
    """Run a command to its end; its output, or `Unavailable` with the last lines of it."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands stand in this package
            command, capture_output=True, text=True, timeout=seconds, env=env, cwd=cwd, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{why}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{why}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def python_environment(name: str, *requirements: str, program: str) -> Path:
    """A virtual environment of its own holding `requirements`; the path of its `program`."""
    folder = home() / name
    path = folder / "bin" / program
    with locked(name):
        if not path.exists():
            run([sys.executable, "-m", "venv", str(folder)], why=f"cannot make an environment for {name}")
            run([str(folder / "bin" / "pip"), "install", "-q", *requirements], why=f"cannot install {name}")
    return path


def debian_packages(programs: Sequence[str], packages: Sequence[str]) -> None:
    """Install Debian packages unless the programs are there."""
    with locked("apt"):
        missing = [program for program in programs if not shutil.which(program)]
        if not missing:
            return
        if not shutil.which("apt-get") or os.geteuid() != 0:
            raise Unavailable(f"{', '.join(missing)} missing, and installing them needs root and apt")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], why="apt-get update", env=env)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], why="apt-get install", env=env)


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def process(command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None,
            cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A server's process, ended when the block ends or this process does."""
    with log.open("ab") as file:
        child = _spawn(command, file, env, cwd)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(8)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _spawn(command: Sequence[str], log: IO[bytes], env: Mapping[str, str] | None,
           cwd: Path | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the commands stand in this package
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=cwd, start_new_session=True,
            preexec_fn=_die_with_parent)  # noqa: PLW1509 - it only makes one system call
    except OSError as error:
        raise Unavailable(f"cannot start {command[0]}: {error}") from error


def wait_http(url: str, child: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    """Return once anything answers; plain TCP is enough where the answer is encrypted."""
    end = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        if child.poll() is not None:
            break
        try:
            if url.startswith("https"):
                host, port = url.split("/")[2].split(":")
                socket.create_connection((host, int(port)), 1).close()
            else:
                opener.open(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    tail = log.read_text(errors="replace")[-600:] if log.exists() else ""
    raise Unavailable(f"no answer from {url} within {seconds} s; the end of its log: {tail}")


def make_bucket(server: S3Server, seconds: float = 20) -> None:
    """Create the server's bucket, waiting for a server that is not ready yet."""
    client = server.client()
    end = time.monotonic() + seconds
    while True:
        try:
            client.create_bucket(Bucket=server.bucket)
            return
        except Exception as error:
            if time.monotonic() > end:
                raise Unavailable(f"{server.name} does not create a bucket: {error}") from error
            time.sleep(0.1)
