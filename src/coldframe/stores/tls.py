"""Which certificates a connection trusts: the system's, and those named in the connection string or the environment."""

from __future__ import annotations

import os
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
        found = Path(bundle)
        parts.append(_read_folder(found, "AWS_CA_BUNDLE") if found.is_dir() else _read(found, "AWS_CA_BUNDLE"))
    return Trust(authorities="\n".join(parts))


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
    texts = {path.resolve(): path for path in sorted(folder.iterdir()) if path.suffix in _SUFFIXES and path.is_file()}
    found = [text for path in texts if _BEGIN in (text := path.read_text(errors="replace"))]
    if not found:
        raise ConnectionStringError(f"{source}: no file in {str(folder)!r} holds a certificate in PEM form")
    return "\n".join(found)
