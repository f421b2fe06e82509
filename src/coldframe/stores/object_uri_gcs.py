"""Connection strings of Google Cloud Storage."""

from __future__ import annotations

import json
import re
from typing import Any

from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.object_options import ConnectionStringError, Options
from coldframe.stores.object_target import Target
from coldframe.stores.tls import trust

GCS_OPTIONS = ("path_prefix", "service_account_path", "service_account_key", "application_credentials", "anonymous",
               "endpoint", "CA_cert_path", "CA_cert_dir", "ssl")
_PLACE = re.compile(r"(?P<bucket>[-_a-z0-9.]+)(?:/(?P<prefix>.*))?")


def read_gcs(rest: str) -> tuple[Target, Keyring]:
    """What a ``gs://`` connection string says after the scheme."""
    place, _, text = rest.partition("?")
    options = Options("gs", text, "&;", GCS_OPTIONS)
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ConnectionStringError("not a connection string for Google Cloud Storage: write gs://BUCKET/PREFIX?options")
    if match["prefix"] and options.text("path_prefix"):
        raise ConnectionStringError("the prefix is given twice: after the bucket and as path_prefix")
    ways = [name for name in ("service_account_path", "service_account_key", "application_credentials", "anonymous")
            if options.text(name)]
    if len(ways) > 1:
        raise ConnectionStringError(f"{' and '.join(ways)} contradict each other: give one of them")
    settings: dict[str, str | bool] = {
        name: options.text(name) for name in ways if name != "anonymous"}
    if options.flag("anonymous"):
        settings["skip_signature"] = True
    endpoint = options.text("endpoint").rstrip("/")
    if endpoint:
        # With a base URL alone the client would still ask Google's metadata server for a token.
        settings = {"service_account_key": json.dumps({
            "gcs_base_url": endpoint, "disable_oauth": True, "client_email": "", "private_key": "",
            "private_key_id": ""})}
    authorities = trust(path=options.text("CA_cert_path"), folder=options.text("CA_cert_dir"),
                        verify=options.flag("ssl"), where=endpoint or "Google Cloud Storage")
    common: dict[str, Any] = options.common()
    prefix = match["prefix"] or options.text("path_prefix")
    target = Target("gcs", match["bucket"], prefix.strip("/"), endpoint, settings=settings, trust=authorities, **common)
    return target, Keyring(None)
