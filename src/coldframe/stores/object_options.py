"""The options of a connection string: split, decoded and checked, without ever repeating a secret in an error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from urllib.parse import unquote

from coldframe.config import get_config_int
from coldframe.exceptions import UserInputException
from coldframe.stores.object_retry import Patience

TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
FALSE = frozenset({"n", "no", "f", "false", "off", "0", ""})
# What may not be printed, and what every connection string may say besides its own options.
SECRETS = frozenset({"secret", "token", "AccountKey", "SharedAccessSignature", "ClientSecret", "service_account_key"})
COMMON = ("connections", "connect_timeout", "request_timeout", "retry_timeout", "unsafe_writes")


class ConnectionStringError(UserInputException, ValueError):
    """A connection string that cannot be understood, or whose parts contradict each other."""


class Options:
    """The options of one connection string.

    Parameters
    ----------
    scheme : str
        For the text of errors.
    text : str
        ``name=value`` pairs.
    separators : str
        What stands between pairs.
    valid : iterable of str
        The names there are; others are an error that lists them.
    decode : bool
        Whether values are percent-encoded.

    Examples
    --------
    >>> options = Options("s3", "port=9000&ssl=no", "&;", ["port", "ssl"])
    >>> options.number("port"), options.flag("ssl")
    (9000.0, False)
    """

    def __init__(self, scheme: str, text: str, separators: str, valid: Iterable[str], *, decode: bool = True) -> None:
        self.scheme = scheme
        names = {name.lower(): name for name in (*valid, *COMMON)}
        for separator in separators[1:]:
            text = text.replace(separator, separators[0])
        self._values: dict[str, str] = {}
        last = ""
        for pair in text.split(separators[0]):
            if not pair.strip():
                continue
            name, equals, value = pair.partition("=")
            name = name.strip()
            known = names.get(name.lower())
            if known is None or not equals:
                # What follows a secret may be the rest of it, if it holds a separator.
                shown = name if name.isidentifier() and last not in SECRETS else ""
                raise ConnectionStringError(_unknown(scheme, shown, equals, names.values()))
            if known in self._values:
                raise ConnectionStringError(f"the option {known} is given twice in the {scheme}:// connection string")
            self._values[known] = unquote(value.strip()) if decode else value.strip()
            last = known

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """The option as it is."""
        return self._values.get(name, default)

    def flag(self, name: str) -> bool | None:
        """The option as a yes or no; None: not given."""
        if name not in self._values:
            return None
        word = self._values[name].lower()
        if word in TRUE:
            return True
        if word in FALSE:
            return False
        raise ConnectionStringError(
            f"{name} in the {self.scheme}:// connection string is a yes or no: {', '.join(sorted(TRUE))} or "
            f"{', '.join(sorted(FALSE - {''}))}, not {self._values[name]!r}")

    def number(self, name: str, default: float = 0.0, *, least: float = 0.0) -> float:
        """The option as a number."""
        if name not in self._values:
            return default
        try:
            value = float(self._values[name])
        except ValueError:
            value = float("nan")
        if not least <= value < float("inf"):
            raise ConnectionStringError(
                f"{name} in the {self.scheme}:// connection string is a number of at least {least:g}, "
                f"not {self._values[name]!r}")
        return value

    def together(self, *names: str) -> None:
        """Refuse some of `names` without the others."""
        given = [name for name in names if self._values.get(name)]
        if given and len(given) < len(names):
            missing = [name for name in names if name not in given]
            raise ConnectionStringError(
                f"{' and '.join(given)} in the {self.scheme}:// connection string needs {' and '.join(missing)} too")

    def patience(self) -> Patience:
        total = self.number("retry_timeout", Patience().total)
        return Patience(total=total, connecting=min(total, Patience().connecting))

    def common(self) -> dict[str, object]:
        """Arguments for `Target` that all protocols share."""
        return {
            "connections": int(self.number("connections", get_config_int("VersionStore.NumIOThreads") or 64, least=1)),
            "connect_timeout": self.number("connect_timeout", 3.0, least=0.001),
            "request_timeout": self.number("request_timeout", 60.0, least=0.001),
            "patience": self.patience(),
            "unsafe_writes": bool(self.flag("unsafe_writes")),
        }


def _unknown(scheme: str, name: str, equals: str, valid: Iterable[str]) -> str:
    names = list(valid)
    lowered = {known.lower(): known for known in names}
    if name.lower() in lowered:
        return f"the option {name!r} of the {scheme}:// connection string has no value: write {name}=VALUE"
    if not name or not equals:
        return (f"a part of the {scheme}:// connection string is no option; a value that holds & ; or % is written "
                f"with %26, %3B or %25. Valid options: {', '.join(names)}")
    near = difflib.get_close_matches(name.lower(), list(lowered), 1)
    hint = f"; did you mean {lowered[near[0]]}?" if near else "."
    return f"unknown option {name[:40]!r} in the {scheme}:// connection string{hint} Valid options: {', '.join(names)}"
