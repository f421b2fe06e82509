"""Which certificates a connection trusts: the system's, and those named in the connection string or the environment."""

from __future__ import annotations

import atexit
import contextlib
import os
import ssl
import tempfile
import warnings
from pathlib import Path

from coldframe.config import get_config_int
from coldframe.stores.object_options import ConnectionStringError
from coldframe.stores.object_target import Trust

_BEGIN = "-----BEGIN CERTIFICATE-----"
_SUFFIXES = (".pem", ".crt", ".cer", ".0", ".1")


def trust(*, path: str = "", folder: str = "", verify: bool | None = None, where: str = "") -> Trust:
    """What to accept as the server's certificate.

    The system's authorities are trusted always (also those that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name), those
    in `path`, `folder` and ``AWS_CA_BUNDLE`` besides.

    Parameters
    ----------
    path, folder : str
        A file with certificates in PEM, a folder of such files.
    verify : bool, optional
        What the connection string says; the setting ``S3Storage.VerifySSL`` beats it.
    where : str
        The server, for the warning.
    """
    setting = get_config_int("S3Storage.VerifySSL")
    if setting is not None:
        verify = setting != 0
    if verify is False:
        warnings.warn(
            f"certificates are not verified{f' for {where}' if where else ''}: anybody on the network path can read "
            "and change the data; give the authority's certificate with CA_cert_path=FILE instead",
            UserWarning, stacklevel=5)
        return Trust(verify=False)
    parts = []
    if path:
        parts.append(_read(Path(path), "CA_cert_path"))
    if folder:
        parts.append(_read_folder(Path(folder), "CA_cert_dir"))
    bundle = os.environ.get("AWS_CA_BUNDLE", "")
    if bundle and bundle != os.environ.get("SSL_CERT_FILE", ""):
        parts.append(_read_any(Path(bundle), "AWS_CA_BUNDLE"))
    return Trust(authorities="\n".join(parts))


def certificates_file(trusted: Trust, *, besides: str = "") -> str | bool:
    """What `trusted` says, for clients that know only a bundle of their own: one file with everything to accept.

    Parameters
    ----------
    trusted : Trust
    besides : str
        A file or a folder of further certificates.

    Returns
    -------
    str or bool
        The file's path; empty where there is no reason to prefer another to the client's own; False: verify nothing.
    """
    if not trusted.verify:
        return False
    paths = ssl.get_default_verify_paths()  # SSL_CERT_FILE and SSL_CERT_DIR are in it
    system = next((path for path in (paths.cafile, *_BUNDLES) if path and Path(path).is_file()), "")
    folders = os.environ.get("SSL_CERT_DIR", "") if system else paths.capath or ""
    if not (trusted.authorities or besides or folders):
        return system
    key = (trusted.authorities, besides, system, folders)
    made = _made.get(key, "")
    if not Path(made).is_file():
        parts = [trusted.authorities, _read_any(Path(besides), "ca_bundle") if besides else ""]
        if system:
            parts.append(Path(system).read_text(errors="replace"))
        parts += [text for folder in folders.split(os.pathsep) for text in _certificates_in(Path(folder))]
        _made[key] = made = _temporary("\n".join(parts))
    return made


def tls_context(trust: Trust) -> ssl.SSLContext:
    """What Python's own TLS needs to accept the same certificates."""
    context = ssl.create_default_context(cadata=trust.authorities or None)
    with contextlib.suppress(ssl.SSLError):
        context.load_default_certs()
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
)
_made: dict[tuple[str, str, str, str], str] = {}


def _temporary(text: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="coldframe-", suffix=".pem", delete=False) as file:
        file.write(text)
    atexit.register(_remove, file.name, os.getpid())
    return file.name


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child ends before its parent
        Path(path).unlink(missing_ok=True)


def _read_any(path: Path, source: str) -> str:
    return _read_folder(path, source) if path.is_dir() else _read(path, source)


def _read(path: Path, source: str) -> str:
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise ConnectionStringError(f"{source}: cannot read {str(path)!r}: {error.strerror}") from error
    if _BEGIN not in text:
        raise ConnectionStringError(f"{source}: {str(path)!r} holds no certificate in PEM form ({_BEGIN}...)")
    return text


def _read_folder(folder: Path, source: str) -> str:
    if not folder.is_dir():
        raise ConnectionStringError(f"{source}: {str(folder)!r} is no folder")
    found = _certificates_in(folder)
    if not found:
        raise ConnectionStringError(f"{source}: no file in {str(folder)!r} holds a certificate in PEM form")
    return "\n".join(found)


def _certificates_in(folder: Path) -> list[str]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    paths = {path.resolve(): path for path in files if path.suffix in _SUFFIXES and path.is_file()}
    return [text for path in paths if _BEGIN in (text := path.read_text(errors="replace"))]
