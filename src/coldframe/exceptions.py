"""Every error a user can meet, as one tree.

    ArcticException                          anything coldframe refuses or cannot do
    ├── ArcticDbNotYetImplemented            the value's type is not stored (yet); names the column
    ├── LibraryNotFound                      no such library; lists those that exist
    ├── MismatchingLibraryOptions            the library exists with other options
    ├── LmdbOptionsError                     bad option in an lmdb:// connection string
    ├── StreamDescriptorMismatch             append/update with another schema; names column and types
    ├── UnknownLibraryOption                 no such library option
    ├── UnsupportedLibraryOptionValue        the option exists, the value is not allowed
    ├── NoDataFoundException                 no such snapshot, metadata or object
    │   └── NoSuchVersionException           no such symbol or version
    ├── ArcticInvalidApiUsageException       arguments that do not go together
    │   ├── ArcticDuplicateSymbolsInBatchException
    │   └── ArcticUnsupportedDataTypeException   the object is of a kind that is not stored
    ├── InternalException                    the request does not fit what is stored
    ├── NormalizationException               kind of object or index does not match what is stored
    ├── MissingDataException                 stored data that should be there is not
    ├── SchemaException                      columns or types do not fit
    ├── SortingException
    │   └── UnsortedDataException            a time index that must be sorted is not
    ├── StorageException                     the store failed
    │   ├── PermissionException              not allowed, or opened with mode="r"
    │   ├── DuplicateKeyException            the object exists already
    │   ├── KeyNotFoundException             the object does not exist
    │   ├── LmdbMapFullError                 the LMDB map reached map_size
    │   └── ConflictException                other writers kept winning; nothing was written
    ├── UserInputException                   a name or value that is not allowed
    │   ├── DataTooNestedException
    │   └── UnsupportedKeyInDictionary
    ├── CodecException                       bytes that cannot be decoded
    │   └── DamagedDataException             checksum mismatch; names library, symbol, version, key
    └── CompatibilityException               written by a newer format than this release reads

Each message starts with its error code (``E_NO_SUCH_VERSION ...``), names what it is about and ends with
what to do. ``error.code`` is the same code as an :class:`ErrorCode`.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import ClassVar


class ErrorCategory(Enum):
    """What kind of thing went wrong: an error code divided by 1000."""

    INTERNAL = 1
    NORMALIZATION = 2
    MISSING_DATA = 3
    SCHEMA = 4
    STORAGE = 5
    SORTING = 6
    USER_INPUT = 7
    COMPATIBILITY = 8
    CODEC = 9


class ErrorCode(IntEnum):
    """The number behind the code that a message starts with."""

    E_INVALID_RANGE = 1000
    E_INVALID_ARGUMENT = 1001
    E_ASSERTION_FAILURE = 1002
    E_RUNTIME_ERROR = 1003
    E_STORED_CONFIG_ERROR = 1004
    E_NOT_SUPPORTED = 1005
    E_NOT_IMPLEMENTED = 1006
    E_INCOMPATIBLE_OBJECTS = 2000
    E_UNIMPLEMENTED_INPUT_TYPE = 2001
    E_UPDATE_NOT_SUPPORTED = 2002
    E_INCOMPATIBLE_INDEX = 2003
    E_WRONG_SHAPE = 2004
    E_COLUMN_SECONDARY_TYPE_MISMATCH = 2005
    E_UNIMPLEMENTED_COLUMN_SECONDARY_TYPE = 2006
    E_NO_SUCH_VERSION = 3000
    E_NO_SYMBOL_DATA = 3001
    E_UNREADABLE_SYMBOL_LIST = 3010
    E_DESCRIPTOR_MISMATCH = 4000
    E_COLUMN_DOESNT_EXIST = 4001
    E_UNSUPPORTED_COLUMN_TYPE = 4002
    E_UNSUPPORTED_INDEX_TYPE = 4003
    E_OPERATION_NOT_SUPPORTED_WITH_PICKLED_DATA = 4004
    E_OPERATION_NOT_SUPPORTED_WITH_RECURSIVE_NORMALIZED_DATA = 4005
    E_OPERATION_NOT_SUPPORTED_WITH_NUMPY_ARRAY = 4006
    E_KEY_NOT_FOUND = 5000
    E_DUPLICATE_KEY = 5001
    E_SYMBOL_NOT_FOUND = 5002
    E_PERMISSION = 5003
    E_RESOURCE_NOT_FOUND = 5004
    E_UNSUPPORTED_ATOMIC_OPERATION = 5005
    E_LMDB_MAP_FULL = 5010
    E_UNEXPECTED_LMDB_ERROR = 5011
    E_UNEXPECTED_S3_ERROR = 5020
    E_S3_RETRYABLE = 5021
    E_ATOMIC_OPERATION_FAILED = 5022
    E_NOT_IMPLEMENTED_BY_STORAGE = 5023
    E_BAD_REQUEST = 5024
    E_QUOTA_EXCEEDED = 5025
    E_UNEXPECTED_AZURE_ERROR = 5030
    E_MONGO_BULK_OP_NO_REPLY = 5050
    E_UNEXPECTED_MONGO_ERROR = 5051
    E_MONGO_RETRYABLE = 5052
    E_NON_INCREASING_INDEX_VERSION = 5090
    E_UNSORTED_DATA = 6000
    E_INVALID_USER_ARGUMENT = 7000
    E_INVALID_DECIMAL_STRING = 7001
    E_INVALID_CHAR_IN_NAME = 7002
    E_NAME_TOO_LONG = 7003
    E_NO_STAGED_SEGMENTS = 7004
    E_COLUMN_NOT_FOUND = 7005
    E_SORT_ON_SPARSE = 7006
    E_EMPTY_NAME = 7007
    E_STAGE_RESULT_WITH_INCORRECT_SYMBOL = 7008
    E_DUPLICATE_COLUMN = 7009
    E_UNRECOGNISED_COLUMN_STATS_VERSION = 8000
    E_UNRECOGNISED_FORMAT_VERSION = 8001
    E_DECODE_ERROR = 9000
    E_UNKNOWN_CODEC = 9001
    E_ZSDT_ENCODING = 9002
    E_LZ4_ENCODING = 9003
    E_INPUT_TOO_LARGE = 9004
    E_ENCODING_VERSION_MISMATCH = 9005


enum_value_to_prefix = {code.value: f"E{code.value}" for code in ErrorCode}


def get_error_category(code: ErrorCode) -> ErrorCategory:
    """The category of an error code.

    Examples
    --------
    >>> get_error_category(ErrorCode.E_NO_SUCH_VERSION)
    <ErrorCategory.MISSING_DATA: 3>
    """
    return ErrorCategory(code.value // 1000)


class ArcticException(RuntimeError):
    """The root of the tree.

    Parameters
    ----------
    message : str
        What happened, to what, and what to do about it.
    code : ErrorCode, optional
        Overrides the class's own code where one class stands for several.
    """

    default_code: ClassVar[ErrorCode] = ErrorCode.E_INVALID_USER_ARGUMENT

    def __init__(self, message: str = "", *, code: ErrorCode | None = None) -> None:
        self.message = message
        self.code = code if code is not None else self.default_code
        super().__init__(f"{self.code.name} {message}")

    def __reduce__(self) -> tuple[object, ...]:
        # The constructor adds the code to the text, so args cannot be replayed as they are.
        return (_restore, (type(self), self.message, self.code))


def _restore(cls: type[ArcticException], message: str, code: ErrorCode | None) -> ArcticException:
    return cls(message, code=code)


ArcticNativeException = ArcticException


class ArcticDbNotYetImplemented(ArcticException):
    default_code = ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE


ArcticNativeNotYetImplemented = ArcticDbNotYetImplemented


class LibraryNotFound(ArcticException):
    default_code = ErrorCode.E_RESOURCE_NOT_FOUND


class MismatchingLibraryOptions(ArcticException):
    default_code = ErrorCode.E_INVALID_ARGUMENT


class LmdbOptionsError(ArcticException):
    default_code = ErrorCode.E_INVALID_ARGUMENT


class StreamDescriptorMismatch(ArcticException):
    default_code = ErrorCode.E_DESCRIPTOR_MISMATCH


class UnknownLibraryOption(ArcticException):
    default_code = ErrorCode.E_INVALID_ARGUMENT


class UnsupportedLibraryOptionValue(ArcticException):
    default_code = ErrorCode.E_INVALID_ARGUMENT


class NoDataFoundException(ArcticException):
    default_code = ErrorCode.E_RESOURCE_NOT_FOUND


class NoSuchVersionException(NoDataFoundException):
    default_code = ErrorCode.E_NO_SUCH_VERSION


class ArcticInvalidApiUsageException(ArcticException):
    default_code = ErrorCode.E_INVALID_USER_ARGUMENT


class ArcticDuplicateSymbolsInBatchException(ArcticInvalidApiUsageException):
    pass


class ArcticUnsupportedDataTypeException(ArcticInvalidApiUsageException):
    default_code = ErrorCode.E_UNIMPLEMENTED_INPUT_TYPE


class InternalException(ArcticException):
    default_code = ErrorCode.E_ASSERTION_FAILURE


class NormalizationException(ArcticException):
    default_code = ErrorCode.E_INCOMPATIBLE_OBJECTS


class MissingDataException(ArcticException):
    default_code = ErrorCode.E_NO_SYMBOL_DATA


class SchemaException(ArcticException):
    default_code = ErrorCode.E_DESCRIPTOR_MISMATCH


class SortingException(ArcticException):
    default_code = ErrorCode.E_UNSORTED_DATA


class UnsortedDataException(SortingException):
    pass


class StorageException(ArcticException):
    default_code = ErrorCode.E_BAD_REQUEST


class PermissionException(StorageException):
    default_code = ErrorCode.E_PERMISSION


class DuplicateKeyException(StorageException):
    default_code = ErrorCode.E_DUPLICATE_KEY


class KeyNotFoundException(StorageException):
    default_code = ErrorCode.E_KEY_NOT_FOUND


class LmdbMapFullError(StorageException):
    default_code = ErrorCode.E_LMDB_MAP_FULL


class ConflictException(StorageException):
    default_code = ErrorCode.E_ATOMIC_OPERATION_FAILED


class UserInputException(ArcticException):
    default_code = ErrorCode.E_INVALID_USER_ARGUMENT


class DataTooNestedException(UserInputException):
    pass


class UnsupportedKeyInDictionary(UserInputException):
    pass


class CodecException(ArcticException):
    default_code = ErrorCode.E_DECODE_ERROR


class DamagedDataException(CodecException):
    pass


class CompatibilityException(ArcticException):
    default_code = ErrorCode.E_UNRECOGNISED_FORMAT_VERSION
