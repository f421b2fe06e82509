"""What can be chosen: for a library when it is created or later, and for a connection."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from coldframe.catalog.config import LibraryConfig
from coldframe.exceptions import (
    ArcticDbNotYetImplemented,
    ArcticInvalidApiUsageException,
    MismatchingLibraryOptions,
    UnknownLibraryOption,
    UnsupportedLibraryOptionValue,
)

_LARGEST_SEGMENT = 2**63 - 1


class EncodingVersion(IntEnum):
    """Kept for programs that set it: coldframe has one encoding, whose version is in every object."""

    V1 = 0
    V2 = 1


DEFAULT_ENCODING_VERSION = EncodingVersion.V1


class OutputFormat(StrEnum):
    """What a read returns. This release returns pandas objects, and refuses the others where they are asked for."""

    PANDAS = "PANDAS"
    PYARROW = "PYARROW"
    POLARS = "POLARS"

    @classmethod
    def of(cls, value: Any) -> OutputFormat:
        """The format that `value` names, in any letter case, if reads can return it.

        Examples
        --------
        >>> OutputFormat.of("pandas").name
        'PANDAS'
        """
        name = value.upper() if isinstance(value, str) else None
        if name not in cls.__members__:
            raise ValueError(f"output_format must be one of {', '.join(cls.__members__)}, got {value!r}")
        if name != "PANDAS":
            raise ArcticDbNotYetImplemented(f"output_format={name}: this release reads into pandas objects only.")
        return cls.PANDAS


class ArrowOutputStringFormat(StrEnum):
    """How strings are laid out in Arrow output; of no consequence for pandas output."""

    UNSPECIFIED = "UNSPECIFIED"
    CATEGORICAL = "CATEGORICAL"
    DICTIONARY_ENCODED = "DICTIONARY_ENCODED"
    LARGE_STRING = "LARGE_STRING"
    SMALL_STRING = "SMALL_STRING"

    @classmethod
    def of(cls, value: Any) -> ArrowOutputStringFormat:
        """The format that `value` names: a member, its name, or the Arrow type that it gives.

        Examples
        --------
        >>> import pyarrow as pa
        >>> ArrowOutputStringFormat.of(pa.string()).name
        'SMALL_STRING'
        """
        if isinstance(value, str) and value in cls.__members__:
            return cls[value]
        if isinstance(value, pa.DataType):
            for given, member in (
                (pa.large_string(), cls.LARGE_STRING),
                (pa.string(), cls.SMALL_STRING),
                (pa.dictionary(pa.int32(), pa.large_string()), cls.CATEGORICAL),
            ):
                if value.equals(given):
                    return member
        raise ValueError(f"a string format must be one of {', '.join(cls.__members__)}, got {value!r}")


class Output(NamedTuple):
    """What a read was asked to return; None: what the library returns."""

    output_format: OutputFormat | None
    arrow_string_format_default: ArrowOutputStringFormat | None
    arrow_string_format_per_column: dict[Any, ArrowOutputStringFormat] | None

    @classmethod
    def of(cls, output_format: Any, string_format: Any, per_column: Any) -> Output:
        """The arguments of a read, checked: those that it cannot serve are refused here."""
        if per_column is not None and not isinstance(per_column, Mapping):
            raise TypeError(
                f"arrow_string_format_per_column is a {type(per_column).__name__}; give a dict of columns and formats."
            )
        formats = ArrowOutputStringFormat
        return cls(
            None if output_format is None else OutputFormat.of(output_format),
            None if string_format is None else formats.of(string_format),
            None if per_column is None else {column: formats.of(value) for column, value in per_column.items()},
        )


DEFAULT_OUTPUT = Output(None, None, None)


class LibraryOptions(msgspec.Struct, kw_only=True):
    """How a library stores its symbols. Chosen when it is created; some can be changed later.

    Parameters
    ----------
    dynamic_schema : bool, default False
        Whether an append or an update may bring other columns than are stored, or wider types.
    dedup : bool, default False
        Whether a write stores again what the previous version already holds, or refers to it.
    rows_per_segment : int, default 100_000
        Rows in one object. 0 means the default, with which an object store keeps up to four times as many rows in one
        object where they take little space, and LMDB does so in symbols of 4,800,000 rows and more.
    columns_per_segment : int, default 127
        Columns in one object. 0 means the default.
    encoding_version : EncodingVersion, optional
        Stored and handed back, without effect.
    recursive_normalizers : bool, default False
        Whether nested containers are taken apart by default.
    prune_previous_versions : bool, default False
        What ``prune_previous_versions=None`` means in every writing call.

    Examples
    --------
    >>> from coldframe import LibraryOptions
    >>> LibraryOptions(dynamic_schema=True).rows_per_segment
    100000
    """

    dynamic_schema: bool = False
    dedup: bool = False
    rows_per_segment: int = 100_000
    columns_per_segment: int = 127
    encoding_version: EncodingVersion | int | None = None
    recursive_normalizers: bool = False
    prune_previous_versions: bool = False

    def __repr__(self) -> str:
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        version = fields["encoding_version"]
        fields["encoding_version"] = "Default" if version is None else int(version)
        return f"LibraryOptions({', '.join(f'{name}={value}' for name, value in fields.items())})"


class EnterpriseLibraryOptions(msgspec.Struct, kw_only=True):
    """Options that tools outside this library act on.

    Parameters
    ----------
    replication : bool, default False
        Stored and handed back, without effect.
    background_deletion : bool, default False
        Whether deleting leaves the bytes to ``Library.reclaim``.
    """

    replication: bool = False
    background_deletion: bool = False


class RuntimeOptions(msgspec.Struct, kw_only=True):
    """What a connection hands to the libraries it opens.

    Parameters
    ----------
    output_format : OutputFormat or str, default OutputFormat.PANDAS
        What reads return.
    arrow_string_format_default : ArrowOutputStringFormat or pyarrow.DataType
        How strings are laid out in Arrow output.
    """

    output_format: OutputFormat | str = OutputFormat.PANDAS
    arrow_string_format_default: ArrowOutputStringFormat | Any = ArrowOutputStringFormat.UNSPECIFIED

    def __post_init__(self) -> None:
        self.set_output_format(self.output_format)
        self.set_arrow_string_format_default(self.arrow_string_format_default)

    def set_output_format(self, output_format: OutputFormat | str) -> None:
        """Choose what reads return."""
        self.output_format = OutputFormat.of(output_format)

    def set_arrow_string_format_default(self, arrow_string_format_default: ArrowOutputStringFormat | Any) -> None:
        """Choose how strings are laid out in Arrow output."""
        self.arrow_string_format_default = ArrowOutputStringFormat.of(arrow_string_format_default)


class ModifiableLibraryOption(Enum):
    """The options of a library that can be changed after its creation."""

    DEDUP = 1
    ROWS_PER_SEGMENT = 2
    COLUMNS_PER_SEGMENT = 3
    RECURSIVE_NORMALIZERS = 4
    PRUNE_PREVIOUS_VERSIONS = 5


class ModifiableEnterpriseLibraryOption(Enum):
    """The enterprise options of a library that can be changed after its creation."""

    REPLICATION = 1
    BACKGROUND_DELETION = 2


AnyOption = ModifiableLibraryOption | ModifiableEnterpriseLibraryOption

_ALL_MODIFIABLE: tuple[AnyOption, ...] = (*ModifiableLibraryOption, *ModifiableEnterpriseLibraryOption)
_SIZES = ("rows_per_segment", "columns_per_segment")
_DEFAULTS = LibraryConfig()

T = TypeVar("T", LibraryOptions, EnterpriseLibraryOptions)


def config_of(
    options: LibraryOptions | None,
    enterprise: EnterpriseLibraryOptions | None,
    encoding_version: EncodingVersion | int,
) -> LibraryConfig:
    """What to store for these options; `encoding_version` stands in where they leave it open."""
    options = _instance(options, LibraryOptions)
    enterprise = _instance(enterprise, EnterpriseLibraryOptions)
    fields: dict[str, Any] = {name: getattr(options, name) for name in options.__struct_fields__}
    fields |= {name: getattr(enterprise, name) for name in enterprise.__struct_fields__}
    version = fields.pop("encoding_version")
    for name, value in fields.items():
        if name not in _SIZES:
            _check_bool(name, value)
            continue
        _check_int(name, value)
        if not 0 <= value <= _LARGEST_SEGMENT:
            raise ValueError(f"{name} must not be negative, got {value}")
        fields[name] = value or getattr(_DEFAULTS, name)
    fields["encoding_version"] = encoding_version_of(encoding_version if version is None else version)
    return LibraryConfig(**fields)


def options_of(config: LibraryConfig) -> LibraryOptions:
    """The options stored in `config`."""
    return LibraryOptions(
        dynamic_schema=config.dynamic_schema,
        dedup=config.dedup,
        rows_per_segment=config.rows_per_segment,
        columns_per_segment=config.columns_per_segment,
        encoding_version=config.encoding_version,
        recursive_normalizers=config.recursive_normalizers,
        prune_previous_versions=config.prune_previous_versions,
    )


def enterprise_options_of(config: LibraryConfig) -> EnterpriseLibraryOptions:
    """The enterprise options stored in `config`."""
    return EnterpriseLibraryOptions(replication=config.replication, background_deletion=config.background_deletion)


def check_same(name: str, stored: LibraryConfig, wanted: LibraryConfig) -> None:
    """Raise `MismatchingLibraryOptions`, naming what differs, unless a stored library has the wanted options."""
    stored_fields, wanted_fields = msgspec.structs.asdict(stored), msgspec.structs.asdict(wanted)
    differing = [
        f"{option} is {stored_fields[option]}, wanted {wanted_fields[option]}"
        for option in LibraryOptions.__struct_fields__
        if stored_fields[option] != wanted_fields[option]
    ]
    if differing:
        raise MismatchingLibraryOptions(
            f"library {name!r} exists with other options: {'; '.join(differing)}. Open it without library_options, or "
            "use another name."
        )


def change_of(option: AnyOption | Any, value: bool | int) -> dict[str, bool | int]:
    """The change to a `LibraryConfig` that sets `option` to `value`."""
    if not isinstance(option, AnyOption):
        known = ", ".join(str(known) for known in _ALL_MODIFIABLE)
        raise UnknownLibraryOption(f"{option!r} is not an option that can be changed: use one of {known}.")
    name = option.name.lower()
    if name not in _SIZES:
        _check_bool(name, value)
        return {name: value}
    _check_int(name, value)
    if not 0 < value <= _LARGEST_SEGMENT:
        raise UnsupportedLibraryOptionValue(f"{name} must be positive, got {value}.")
    return {name: value}


def _instance(options: T | None, kind: type[T]) -> T:
    if options is None:
        return kind()
    if not isinstance(options, kind):
        raise ArcticInvalidApiUsageException(
            f"the options of a library are {kind.__name__}, got {type(options).__name__}. Write {kind.__name__}(...)."
        )
    return options


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, got {type(value).__name__}: {value!r}")


def _check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}: {value!r}")


def encoding_version_of(value: EncodingVersion | int) -> int:
    """The number that stands for an encoding version."""
    try:
        return int(EncodingVersion(value))
    except ValueError:
        known = ", ".join(f"{v.name} ({v.value})" for v in EncodingVersion)
        raise ValueError(f"encoding_version must be one of {known}, got {value!r}") from None
