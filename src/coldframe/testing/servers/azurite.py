"""Azurite: Azure's blob service, in memory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coldframe.testing.servers.certificates import Authority
from coldframe.testing.servers.processes import (
    Unavailable,
    free_port,
    home,
    locked,
    process,
    run,
    wait_http,
    workspace,
)

VERSION = "3.37.0"
# The account and key that Azurite documents.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class AzureServer:
    """A running blob service with one container."""

    endpoint: str
    container: str
    ca_bundle: str | None = None
    log: Path | None = None

    def uri(self, *, endpoint: str | None = None, key: str = KEY, container: str | None = None,
            **options: object) -> str:
        """A connection string to this server, or through a proxy in front of it."""
        url = f"{endpoint or self.endpoint}/{ACCOUNT}"
        more = "".join(f";{name}={value}" for name, value in options.items())
        return (f"azure://DefaultEndpointsProtocol={url.split(':', maxsplit=1)[0]};AccountName={ACCOUNT};"
                f"AccountKey={key};BlobEndpoint={url};Container={container or self.container}{more}")


def install() -> Path:
    """Azurite from npm; the path of its blob service."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Unavailable("node and npm are missing")
    folder = home() / f"azurite-{VERSION}"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    with locked("azurite"):
        if not program.exists():
            folder.mkdir(exist_ok=True)
            run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--no-save", f"azurite@{VERSION}"],
                why="cannot install azurite", cwd=folder)
    return program


@contextlib.contextmanager
def running(*, tls: bool = False, container: str = "test-container") -> Iterator[AzureServer]:
    """A started server with an empty container."""
    program = install()
    with workspace("azurite") as folder:
        port, log = free_port(), folder / "log"
        command = ["node", str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
                   "--skipApiVersionCheck", "--disableProductStyleUrl", "--disableTelemetry"]
        url, bundle = f"http://127.0.0.1:{port}", None
        if tls:
            authority = Authority(folder / "tls")
            made = authority.issue("server")
            command += ["--cert", str(made.certificate), "--key", str(made.key)]
            url, bundle = f"https://localhost:{port}", str(authority.bundle)
        with process(command, log, cwd=folder) as child:
            wait_http(url, child, log)
            server = AzureServer(url, container, bundle, log)
            _make_container(server)
            yield server


def _make_container(server: AzureServer) -> None:
    import base64
    import email.utils
    import hashlib
    import hmac
    import ssl
    import urllib.request

    date = email.utils.formatdate(usegmt=True)
    to_sign = ("PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
               f"/{ACCOUNT}/{ACCOUNT}/{server.container}\nrestype:container")
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), to_sign.encode(), hashlib.sha256).digest()).decode()
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{server.endpoint}/{ACCOUNT}/{server.container}?restype=container", data=b"", method="PUT",
        headers={"x-ms-date": date, "x-ms-version": "2021-08-06", "Content-Length": "0", "Content-Type": "",
                 "Authorization": f"SharedKey {ACCOUNT}:{signature}"})
    context = ssl.create_default_context(cafile=server.ca_bundle) if server.ca_bundle else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    opener.open(request, timeout=20).close()
