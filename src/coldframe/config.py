"""Settings of the process: whole numbers and strings under dotted names, from code or from the environment.

Names are those of the API that coldframe follows; letter case does not matter, and a dot and an underscore are the
same. A call from code beats the environment. A name that nothing here reads is kept and can be asked for again, so
that a program that sets it runs unchanged.

In the environment a setting is spelled ``COLDFRAME_<Name>_<type>`` (``ARCTICDB_`` and ``ARCTIC_NATIVE_`` are read
too), dots written as underscores and the type one of ``int``, ``str``, ``float`` and ``loglevel``; without a type it is
a string: ``COLDFRAME_VersionStore_NoStrictSymbolCheck_int=1``.

What is read:

========================================  =======  ==========================================================
``VersionStore.NoStrictSymbolCheck``      0        1: names of symbols and snapshots may hold any character
``S3Storage.VerifySSL``                   not set  0: certificates of S3, Azure, GCS and STS are not verified; 1: they
                                                   are, whatever the connection string says
``S3Storage.DeleteBatchSize``             1000     objects that one request deletes, at most 1000
``VersionStore.NumCPUThreads``            cores    threads that encode and decode, from the next call on; by default as
                                                   many as this process may use cores, by its affinity and by the
                                                   quota of its container
``VersionStore.NumIOThreads``             64       requests to an object store at a time, where the connection string
                                                   has no ``connections``
========================================  =======  ==========================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from coldframe.logs import set_log_level

__all__ = [
    "get_config_int",
    "get_config_string",
    "set_config_from_env_vars",
    "set_config_int",
    "set_config_string",
    "set_log_level",
]

Value = int | float | str

_PREFIXES = ("coldframe_", "arcticdb_", "arctic_native_")

_from_code: dict[str, Value] = {}
_from_environment: dict[str, Value] = {}


def set_config_int(name: str, value: int) -> None:
    """Set a whole number.

    Parameters
    ----------
    name : str
        Dotted name, in any letter case.
    value : int

    Examples
    --------
    >>> import coldframe.config
    >>> coldframe.config.set_config_int("Example.Size", 3)
    >>> coldframe.config.get_config_int("example.size")
    3
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"the setting {name!r} needs an int, got {type(value).__name__}")
    _from_code[_key(name)] = value


def get_config_int(name: str) -> int | None:
    """The whole number under `name`; None if it is not set or is something else.

    Examples
    --------
    >>> import coldframe.config
    >>> coldframe.config.get_config_int("Never.Set") is None
    True
    """
    value = _get(name)
    return value if isinstance(value, int) else None


def set_config_string(name: str, value: str) -> None:
    """Set a string.

    Parameters
    ----------
    name : str
        Dotted name, in any letter case.
    value : str

    Examples
    --------
    >>> import coldframe.config
    >>> coldframe.config.set_config_string("Example.Level", "DEBUG")
    >>> coldframe.config.get_config_string("EXAMPLE.LEVEL")
    'DEBUG'
    """
    if not isinstance(value, str):
        raise TypeError(f"the setting {name!r} needs a str, got {type(value).__name__}")
    _from_code[_key(name)] = value


def get_config_string(name: str) -> str | None:
    """The string under `name`; None if it is not set or is something else."""
    value = _get(name)
    return value if isinstance(value, str) else None


def set_config_from_env_vars(environment: Mapping[str, str]) -> None:
    """Read every setting spelled as an environment variable; done once with ``os.environ`` on import.

    Parameters
    ----------
    environment : mapping of str to str
        Variables to read. One that does not hold what its name says is left out.

    Examples
    --------
    >>> import coldframe.config
    >>> coldframe.config.set_config_from_env_vars({"COLDFRAME_Example_Width_int": "7"})
    >>> coldframe.config.get_config_int("Example.Width")
    7
    """
    for variable, text in environment.items():
        lowered = variable.lower()
        prefix = next((p for p in _PREFIXES if lowered.startswith(p)), None)
        if prefix is None:
            continue
        name, _, kind = lowered[len(prefix) :].rpartition("_")
        if kind not in ("int", "float", "str", "loglevel") or not name:
            name, kind = lowered[len(prefix) :], "str"
        try:
            value: Value = int(text) if kind == "int" else float(text) if kind == "float" else text
        except ValueError:
            continue
        _from_environment[_key(name)] = value


def _get(name: str) -> Value | None:
    key = _key(name)
    return _from_code[key] if key in _from_code else _from_environment.get(key)


def _key(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a setting is a str, got {type(name).__name__}")
    return name.lower().replace(".", "_")


set_config_from_env_vars(os.environ)
