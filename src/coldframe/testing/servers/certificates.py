"""Certificates for TLS tests: a private authority, and good and bad certificates for this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from coldframe.testing.servers.processes import Unavailable, run

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


@dataclass(frozen=True)
class Certificate:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """A private certificate authority in a folder.

    Examples
    --------
    >>> import tempfile
    >>> authority = Authority(Path(tempfile.mkdtemp()))
    >>> authority.issue("good").certificate.name
    'good.crt'
    """

    def __init__(self, folder: Path) -> None:
        if not shutil.which("openssl"):
            raise Unavailable("openssl is missing")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.bundle = folder / "ca.pem"
        self._key = folder / "ca.key"
        if not self.bundle.exists():
            run(["openssl", "req", "-x509", *_CURVE, "-days", "30", "-keyout", str(self._key), "-out",
                 str(self.bundle), "-subj", "/CN=Private Test Authority", "-addext",
                 "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
                why="cannot make a certificate authority")

    def issue(self, name: str, *, names: str = "DNS:localhost,IP:127.0.0.1", expired: bool = False) -> Certificate:
        """A certificate signed by this authority, for the given subject names."""
        key, request, made = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        run(["openssl", "req", *_CURVE, "-keyout", str(key), "-out", str(request), "-subj", "/CN=localhost"],
            why="cannot make a key")
        if expired:
            self._sign_expired(request, made, extensions)
        else:
            run(["openssl", "x509", "-req", "-in", str(request), "-CA", str(self.bundle), "-CAkey", str(self._key),
                 "-CAcreateserial", "-days", "10", "-extfile", str(extensions), "-out", str(made)],
                why="cannot sign a certificate")
        return Certificate(made, key)

    def _sign_expired(self, request: Path, made: Path, extensions: Path) -> None:
        # `openssl x509` of version 3.0 cannot date back; `openssl ca` can, but wants files of its own.
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1000\n")
        config = self.folder / "ca.conf"
        config.write_text(
            f"[ca]\ndefault_ca=here\n[here]\nnew_certs_dir={self.folder}\ndatabase={self.folder}/index.txt\n"
            f"serial={self.folder}/serial\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
        run(["openssl", "ca", "-batch", "-notext", "-config", str(config), "-cert", str(self.bundle), "-keyfile",
             str(self._key), "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile",
             str(extensions), "-in", str(request), "-out", str(made)], why="cannot sign a certificate")

    def self_signed(self, name: str) -> Certificate:
        """A certificate that no authority signed."""
        key, made = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        run(["openssl", "req", "-x509", *_CURVE, "-days", "10", "-keyout", str(key), "-out", str(made), "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], why="cannot make a certificate")
        return Certificate(made, key)
