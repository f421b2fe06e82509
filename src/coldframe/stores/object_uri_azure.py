"""Connection strings of Azure Blob Storage: Azure's own keys, and where in the account the libraries lie."""

from __future__ import annotations

from typing import Any

from coldframe.stores.credentials.keyring import Keyring
from coldframe.stores.object_options import ConnectionStringError, Options
from coldframe.stores.object_target import Target
from coldframe.stores.tls import trust

_SETTINGS = {
    "AccountName": "account_name", "AccountKey": "account_key", "SharedAccessSignature": "sas_key",
    "ClientId": "client_id", "ClientSecret": "client_secret", "TenantId": "tenant_id",
    "FederatedTokenFile": "federated_token_file", "AuthorityHost": "authority_host", "ObjectId": "object_id",
    "MsiEndpoint": "msi_endpoint", "MsiResourceId": "msi_resource_id",
}
_FLAGS = {"UseAzureCli": "use_azure_cli", "Anonymous": "skip_signature"}
AZURE_OPTIONS = (
    "DefaultEndpointsProtocol", "BlobEndpoint", "EndpointSuffix", "Container", "Path_prefix", "CA_cert_path",
    "CA_cert_dir", "ssl", *_SETTINGS, *_FLAGS,
)


def read_azure(rest: str) -> tuple[Target, Keyring]:
    """What an ``azure://`` connection string says after the scheme."""
    if not rest:
        raise ConnectionStringError("the azure:// connection string is empty: write "
                                    "azure://AccountName=NAME;AccountKey=KEY;Container=CONTAINER")
    options = Options("azure", rest.removeprefix("?"), ";", AZURE_OPTIONS, decode=False)
    if not options.text("Container"):
        raise ConnectionStringError("the azure:// connection string needs Container=NAME")
    endpoint = _endpoint(options)
    settings: dict[str, str | bool] = {
        name: options.text(option) for option, name in _SETTINGS.items() if options.text(option)}
    for option, name in _FLAGS.items():
        if options.flag(option):
            settings[name] = True
    if endpoint:
        settings["endpoint"] = endpoint
    if not settings.get("account_name"):
        settings["account_name"] = _account(endpoint)
    if "AccountKey" in options and "SharedAccessSignature" in options:
        raise ConnectionStringError("AccountKey and SharedAccessSignature contradict each other: give one of them")
    authorities = trust(path=options.text("CA_cert_path"), folder=options.text("CA_cert_dir"),
                        verify=options.flag("ssl"), where=endpoint or "Azure")
    common: dict[str, Any] = options.common()
    target = Target("azure", options.text("Container"), options.text("Path_prefix").strip("/"), endpoint,
                    settings=settings, trust=authorities, **common)
    return target, Keyring(None)


def _endpoint(options: Options) -> str:
    if options.text("BlobEndpoint"):
        return options.text("BlobEndpoint").rstrip("/")
    account, suffix = options.text("AccountName"), options.text("EndpointSuffix")
    protocol = options.text("DefaultEndpointsProtocol", "https").lower()
    if protocol not in ("http", "https"):
        raise ConnectionStringError("DefaultEndpointsProtocol is https or http")
    if not account:
        raise ConnectionStringError("the azure:// connection string needs AccountName=NAME or BlobEndpoint=URL")
    if suffix or protocol == "http":
        return f"{protocol}://{account}.blob.{suffix or 'core.windows.net'}"
    return ""


def _account(endpoint: str) -> str:
    host, _, path = endpoint.partition("://")[2].partition("/")
    return path.split("/")[0] if path else host.split(".")[0]
