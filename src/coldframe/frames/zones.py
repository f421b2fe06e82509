"""Time zones by name: what a zone object is called, and the zone of a name.

Zones are stored by their IANA name, whatever library they came from; fixed offsets as ``+05:30``.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache

import pandas as pd

from coldframe.format.dtypes import Unit

_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")


def zone_name(zone: tzinfo) -> str | None:
    """The name under which a zone is stored; None for one that no name restores.

    Examples
    --------
    >>> import zoneinfo
    >>> zone_name(zoneinfo.ZoneInfo("Europe/Paris")), zone_name(timezone(timedelta(hours=5, minutes=30)))
    ('Europe/Paris', '+05:30')
    """
    if zone is UTC:
        return "UTC"
    kind = type(zone).__module__.partition(".")[0]
    if kind == "zoneinfo":
        return getattr(zone, "key", None)
    if kind == "pytz":
        # A zone has a name; pytz.FixedOffset has none.
        return getattr(zone, "zone", None) or _offset_name(zone.utcoffset(None))
    if isinstance(zone, timezone):
        return _offset_name(zone.utcoffset(None))
    return "UTC" if type(zone).__name__ == "tzutc" else None


def zone_of(name: str) -> tzinfo | str:
    """The zone of a name: an offset as a `datetime.timezone`, any other for pandas to look up."""
    if name == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name)
    if match is None:
        return name
    sign, hours, minutes, seconds = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    return timezone(-offset if sign == "-" else offset)


@lru_cache(maxsize=256)
def zoned(unit: Unit, name: str) -> pd.DatetimeTZDtype:
    """The pandas type of instants in a zone."""
    return pd.DatetimeTZDtype(unit, zone_of(name))


def _offset_name(offset: timedelta | None) -> str | None:
    if offset is None or offset.microseconds:
        return None
    if not offset:
        return "UTC"
    seconds = round(abs(offset).total_seconds())
    text = f"{'-' if offset < timedelta(0) else '+'}{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text
