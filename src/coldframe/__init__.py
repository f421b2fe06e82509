"""coldframe: a serverless, versioned DataFrame database for Python, on a local disk, in memory or on S3."""

from coldframe import config, exceptions, library, options
from coldframe.arctic import Arctic
from coldframe.config import set_config_from_env_vars
from coldframe.exceptions import ErrorCategory, ErrorCode
from coldframe.items import (
    DataError,
    DeleteRequest,
    ReadInfoRequest,
    ReadRequest,
    UpdatePayload,
    VersionedItem,
    VersionRequestType,
    WriteMetadataPayload,
    WritePayload,
)
from coldframe.options import (
    ArrowOutputStringFormat,
    EnterpriseLibraryOptions,
    LibraryOptions,
    OutputFormat,
    RuntimeOptions,
)

__version__ = "0.1.0"

__all__ = [
    "Arctic",
    "ArrowOutputStringFormat",
    "DataError",
    "DeleteRequest",
    "EnterpriseLibraryOptions",
    "ErrorCategory",
    "ErrorCode",
    "LibraryOptions",
    "OutputFormat",
    "ReadInfoRequest",
    "ReadRequest",
    "RuntimeOptions",
    "UpdatePayload",
    "VersionRequestType",
    "VersionedItem",
    "WriteMetadataPayload",
    "WritePayload",
    "__version__",
    "config",
    "exceptions",
    "library",
    "options",
    "set_config_from_env_vars",
]
