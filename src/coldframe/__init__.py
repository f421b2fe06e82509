"""coldframe: a serverless, versioned DataFrame database for Python, on a local disk, in memory or on S3."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from coldframe.library_queries import VersionedItemWithJoin
from coldframe.options import (
    ArrowOutputStringFormat,
    EnterpriseLibraryOptions,
    LibraryOptions,
    OutputFormat,
    RuntimeOptions,
)

if TYPE_CHECKING:
    from coldframe.lazy import LazyDataFrame, LazyDataFrameAfterJoin, LazyDataFrameCollection, concat
    from coldframe.query.builder import QueryBuilder
    from coldframe.query.expressions import col, where

__version__ = "0.1.0"

__all__ = [
    "Arctic",
    "ArrowOutputStringFormat",
    "DataError",
    "DeleteRequest",
    "EnterpriseLibraryOptions",
    "ErrorCategory",
    "ErrorCode",
    "LazyDataFrame",
    "LazyDataFrameAfterJoin",
    "LazyDataFrameCollection",
    "LibraryOptions",
    "OutputFormat",
    "QueryBuilder",
    "ReadInfoRequest",
    "ReadRequest",
    "RuntimeOptions",
    "UpdatePayload",
    "VersionRequestType",
    "VersionedItem",
    "VersionedItemWithJoin",
    "WriteMetadataPayload",
    "WritePayload",
    "__version__",
    "col",
    "concat",
    "config",
    "exceptions",
    "library",
    "options",
    "set_config_from_env_vars",
    "where",
]

# What queries need is imported when it is first asked for: programs that only read and write start faster.
_LATER = {
    "LazyDataFrame": "coldframe.lazy",
    "LazyDataFrameAfterJoin": "coldframe.lazy",
    "LazyDataFrameCollection": "coldframe.lazy",
    "QueryBuilder": "coldframe.query.builder",
    "col": "coldframe.query.expressions",
    "concat": "coldframe.lazy",
    "where": "coldframe.query.expressions",
}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module 'coldframe' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value
