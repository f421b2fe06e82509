"""What the package logs, how much of it, and where to: Python's `logging`, under the names that programs know.

Streams are loggers below ``coldframe``: ``root`` is that logger itself, ``s3`` is ``coldframe.s3``. Until a program
asks for something else, Python's own rules hold: warnings go to stderr, or to the handlers that the program has set up.

In the environment ``COLDFRAME_all_loglevel`` sets the level of everything but ``s3``, ``COLDFRAME_<stream>_loglevel``
that of one stream (``ARCTICDB_`` is read too).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

LEVELS: dict[str, int] = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 1,
}
STREAMS = frozenset(
    [
        *("codec", "inmem", "root", "storage", "version", "memory"),
        *("timings", "lock", "schedule", "symbol", "snapshot", "s3"),
    ]
)
"""The names that levels can be given for; those under which nothing is logged here are taken and of no consequence."""

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_handlers: list[logging.Handler] = []


def set_log_level(
    default_level: str = "INFO",
    specific_log_levels: Mapping[str, str] | None = None,
    console_output: bool = True,
    file_output_path: str | None = None,
) -> None:
    """Say how much is logged, and where to; a later call replaces an earlier one.

    Parameters
    ----------
    default_level : {"DEBUG", "INFO", "WARN", "ERROR", "CRITICAL", "OFF"}
        For every stream but ``s3``, which logs what is critical only unless it is named.
    specific_log_levels : mapping of str to str, optional
        Levels of single streams. Names of no stream are passed over.
    console_output : bool
        Whether messages go to stderr.
    file_output_path : str, optional
        A file to which messages are appended.

    Raises
    ------
    AttributeError
        A level that there is not.
    ValueError
        Neither the console nor a file is wanted: use level OFF.

    Examples
    --------
    >>> set_log_level("loud", {"s3": "INFO"})
    Traceback (most recent call last):
    AttributeError: there is no log level 'loud'; choose one of DEBUG, INFO, WARN, ERROR, CRITICAL, OFF
    """
    levels = {"root": _level(default_level), "s3": logging.CRITICAL}
    levels |= {stream: _level(name) for stream, name in (specific_log_levels or {}).items() if stream in STREAMS}
    if not console_output and not file_output_path:
        raise ValueError("console_output is off and there is no file_output_path; to log nothing, use the level 'OFF'")
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)] if console_output else []
    if file_output_path:
        handlers.append(logging.FileHandler(file_output_path, delay=True))
    logger = _logger("root")
    while _handlers:
        old = _handlers.pop()
        logger.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.addHandler(handler)
        _handlers.append(handler)
    logger.propagate = False
    for stream, level in levels.items():
        _logger(stream).setLevel(level)


def _level(name: str) -> int:
    if name not in LEVELS:
        raise AttributeError(f"there is no log level {name!r}; choose one of {', '.join(LEVELS)}")
    return LEVELS[name]


def _logger(stream: str) -> logging.Logger:
    return logging.getLogger("coldframe" if stream == "root" else f"coldframe.{stream}")


def levels_from_environment(environment: Mapping[str, str]) -> None:
    """Set the levels that environment variables ask for; what is no level is passed over. Done once on import."""
    asked: dict[str, int] = {}
    for variable, name in environment.items():
        prefix, _, rest = variable.lower().partition("_")
        stream, _, kind = rest.rpartition("_")
        if prefix in ("coldframe", "arcticdb") and kind == "loglevel" and name.upper() in LEVELS:
            asked[stream] = LEVELS[name.upper()]
    if "all" in asked:
        asked.setdefault("root", asked.pop("all"))
    for stream, level in asked.items():
        if stream in STREAMS:
            _logger(stream).setLevel(level)


levels_from_environment(os.environ)
