"""The connection: what a connection string opens, and the libraries in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from coldframe.catalog import config as configs
from coldframe.catalog.catalog import Catalog
from coldframe.catalog.config import LibraryConfig
from coldframe.catalog.names import is_library
from coldframe.exceptions import ArcticInvalidApiUsageException, LibraryNotFound, PermissionException
from coldframe.library import Library
from coldframe.operations.arguments import parse_flag
from coldframe.options import (
    DEFAULT_ENCODING_VERSION,
    AnyOption,
    ArrowOutputStringFormat,
    EncodingVersion,
    EnterpriseLibraryOptions,
    LibraryOptions,
    OutputFormat,
    RuntimeOptions,
    change_of,
    check_same,
    config_of,
    encoding_version_of,
)
from coldframe.stores.base import Storage
from coldframe.stores.open import open_storage

Mode = Literal["rw", "r"]

_log = logging.getLogger(__name__)


class Arctic:
    """A connection to a storage, which holds libraries.

    Parameters
    ----------
    uri : str
        The connection string: ``lmdb://path`` for a local folder, ``mem://`` for this process's memory, ``s3://...``
        for a bucket.
    encoding_version : EncodingVersion, default EncodingVersion.V1
        What libraries created here are marked with where their options leave it open; without effect.
    output_format : OutputFormat or str, default OutputFormat.PANDAS
        What reads return.
    arrow_string_format_default : ArrowOutputStringFormat or pyarrow.DataType
        How strings are laid out in Arrow output.
    mode : {"rw", "r"}, default "rw"
        With ``"r"`` nothing is ever written: every call that would raises `PermissionException` before it touches
        anything.
    credentials : callable, optional
        For ``s3://``: called without arguments whenever credentials are needed anew, it returns a dict with
        ``access_key_id``, ``secret_access_key`` and, where they are temporary, ``token`` and ``expires_at``.

    Raises
    ------
    ValueError
        The connection string names no known storage, or an option is unknown.

    Examples
    --------
    >>> import coldframe, pandas as pd
    >>> ac = coldframe.Arctic("mem://")
    >>> lib = ac.get_library("prices", create_if_missing=True)
    >>> item = lib.write("EURUSD", pd.DataFrame({"bid": [1.1, 1.2]}))
    >>> ac["prices"].read("EURUSD").data
       bid
    0  1.1
    1  1.2
    """

    def __init__(
        self,
        uri: str,
        encoding_version: EncodingVersion | int = DEFAULT_ENCODING_VERSION,
        output_format: OutputFormat | str = OutputFormat.PANDAS,
        arrow_string_format_default: ArrowOutputStringFormat | Any = ArrowOutputStringFormat.UNSPECIFIED,
        mode: Mode = "rw",
        credentials: Callable[[], Any] | None = None,
    ) -> None:
        if not isinstance(uri, str):
            raise TypeError(f"a connection string is a str, got {type(uri).__name__}: {uri!r}")
        if str(mode) not in ("rw", "r"):
            raise ValueError(f"mode must be 'rw' or 'r', got {mode!r}")
        self._encoding_version = EncodingVersion(encoding_version_of(encoding_version))
        self._runtime = RuntimeOptions(
            output_format=output_format, arrow_string_format_default=arrow_string_format_default
        )
        self._mode: Mode = mode
        self._uri = uri
        self._storage: Storage = open_storage(uri, read_only=mode == "r", credentials=credentials)

    def __repr__(self) -> str:
        return f"Arctic(config={self._storage.describe()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Arctic cannot be pickled: send a Library, or the connection string, and connect there")

    def __getitem__(self, name: str) -> Library:
        return self.get_library(name)

    def __contains__(self, name: str) -> bool:
        return self.has_library(name)

    def get_uri(self) -> str:
        """The connection string, as it was given.

        Examples
        --------
        >>> import coldframe
        >>> coldframe.Arctic("mem://").get_uri()
        'mem://'
        """
        return self._uri

    def get_library(
        self,
        name: str,
        create_if_missing: bool = False,
        library_options: LibraryOptions | None = None,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
    ) -> Library:
        """Open a library.

        Parameters
        ----------
        name : str
        create_if_missing : bool, default False
            Create the library if there is none of that name.
        library_options : LibraryOptions, optional
            Options for creating it; one that exists must have been created with the same.
        output_format : OutputFormat or str, optional
            What reads from this library return; by default what the connection says.
        arrow_string_format_default : ArrowOutputStringFormat or pyarrow.DataType, optional
            How strings are laid out in Arrow output; by default what the connection says.

        Returns
        -------
        Library

        Raises
        ------
        LibraryNotFound
            There is no such library; the message names those that are spelled like it.
        ArcticInvalidApiUsageException
            `library_options` without `create_if_missing`.
        MismatchingLibraryOptions
            The library exists with other options.

        Examples
        --------
        >>> import coldframe
        >>> ac = coldframe.Arctic("mem://")
        >>> ac.get_library("prices", create_if_missing=True)
        Library(Arctic(config=MEM()), path=prices, storage=in_memory_storage)
        """
        create = parse_flag(create_if_missing, "create_if_missing")
        if library_options is not None and not create:
            raise ArcticInvalidApiUsageException(
                "library_options are for creating a library: pass create_if_missing=True with them."
            )
        runtime = self._runtime_of(output_format, arrow_string_format_default)
        wanted = config_of(library_options, None, self._encoding_version)
        try:
            config = configs.load(self._storage, name)
        except LibraryNotFound:
            if not create:
                raise
            config = self._create_or_load(name, wanted)
        if library_options is not None:
            check_same(name, config, wanted)
        return self._library(name, config, runtime)

    def create_library(
        self,
        name: str,
        library_options: LibraryOptions | None = None,
        enterprise_library_options: EnterpriseLibraryOptions | None = None,
        output_format: OutputFormat | str | None = None,
        arrow_string_format_default: ArrowOutputStringFormat | Any = None,
    ) -> Library:
        """Create a library.

        Parameters
        ----------
        name : str
            Printable ASCII except ``*``, ``<`` and ``>``, at most 254 characters; parts may be separated by dots.
        library_options : LibraryOptions, optional
        enterprise_library_options : EnterpriseLibraryOptions, optional
        output_format : OutputFormat or str, optional
            What reads from this library return; by default what the connection says.
        arrow_string_format_default : ArrowOutputStringFormat or pyarrow.DataType, optional
            How strings are laid out in Arrow output; by default what the connection says.

        Returns
        -------
        Library

        Raises
        ------
        ValueError
            A library of that name exists.
        UserInputException
            The name is not allowed.
        PermissionException
            The connection was opened with ``mode="r"``.

        Examples
        --------
        >>> import coldframe
        >>> ac = coldframe.Arctic("mem://")
        >>> ac.create_library("prices", coldframe.LibraryOptions(dynamic_schema=True)).options().dynamic_schema
        True
        """
        self._check_writable("create_library")
        runtime = self._runtime_of(output_format, arrow_string_format_default)
        wanted = config_of(library_options, enterprise_library_options, self._encoding_version)
        return self._library(name, configs.create(self._storage, name, wanted), runtime)

    def delete_library(self, name: str) -> None:
        """Delete a library and everything in it; one that does not exist is no error.

        Examples
        --------
        >>> import coldframe
        >>> ac = coldframe.Arctic("mem://")
        >>> lib = ac.create_library("prices")
        >>> ac.delete_library("prices")
        >>> ac.list_libraries()
        []
        """
        self._check_writable("delete_library")
        if _named(name):
            self._storage.drop(name)

    def has_library(self, name: str) -> bool:
        """Whether there is a library of that name; so does ``name in ac``.

        Examples
        --------
        >>> import coldframe
        >>> "prices" in coldframe.Arctic("mem://")
        False
        """
        return _named(name) and self._storage.has(name)

    def list_libraries(self) -> list[str]:
        """The names of all libraries, in order.

        Examples
        --------
        >>> import coldframe
        >>> ac = coldframe.Arctic("mem://")
        >>> libs = ac.create_library("b"), ac.create_library("a")
        >>> ac.list_libraries()
        ['a', 'b']
        """
        return sorted(self._storage.names())

    def modify_library_option(self, library: Library, option: AnyOption, option_value: bool | int) -> None:
        """Change an option of a library. Other handles see it when they open the library again.

        Parameters
        ----------
        library : Library
            Its handle; it has the new value at once.
        option : ModifiableLibraryOption or ModifiableEnterpriseLibraryOption
        option_value : bool or int

        Raises
        ------
        UnknownLibraryOption
            It is not an option that can be changed.
        UnsupportedLibraryOptionValue
            The size of a segment is not positive.
        TypeError
            The value is not of the option's type.

        Examples
        --------
        >>> import coldframe
        >>> from coldframe.options import ModifiableLibraryOption
        >>> ac = coldframe.Arctic("mem://")
        >>> lib = ac.create_library("prices")
        >>> ac.modify_library_option(lib, ModifiableLibraryOption.ROWS_PER_SEGMENT, 50_000)
        >>> lib.options().rows_per_segment
        50000
        """
        self._check_writable("modify_library_option")
        if not isinstance(library, Library):
            raise TypeError(f"modify_library_option needs a Library, got {type(library).__name__}: {library!r}")
        changes = change_of(option, option_value)
        library.adopt(configs.change(self._storage.store(library.name), library.name, **changes))
        _log.info("library %r: set %s", library.name, ", ".join(f"{k} to {v}" for k, v in changes.items()))

    def _create_or_load(self, name: str, wanted: LibraryConfig) -> LibraryConfig:
        self._check_writable("creating a library")
        try:
            return configs.create(self._storage, name, wanted)
        except ValueError:
            return configs.load(self._storage, name)  # Somebody else was faster.

    def _library(self, name: str, config: LibraryConfig, runtime: RuntimeOptions) -> Library:
        catalog = Catalog(self._storage.store(name), name, config)
        return Library(catalog, self._storage, runtime)

    def _runtime_of(self, output_format: OutputFormat | str | None, strings: Any) -> RuntimeOptions:
        return RuntimeOptions(
            output_format=self._runtime.output_format if output_format is None else output_format,
            arrow_string_format_default=self._runtime.arrow_string_format_default if strings is None else strings,
        )

    def _check_writable(self, operation: str) -> None:
        if self._mode == "r":
            raise PermissionException(
                f"{operation} is not allowed: {self!r} was opened with mode='r'. Open it with Arctic(uri) to change it."
            )


def _named(name: object) -> bool:
    if not isinstance(name, str):
        raise TypeError(f"the name of a library must be a str, got {type(name).__name__}: {name!r}")
    return is_library(name)
