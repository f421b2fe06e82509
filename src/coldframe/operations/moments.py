"""How instants of a time index are shown in messages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from coldframe.format.dtypes import DType


def moment(value: int, dtype: DType) -> str:
    """A value of a time index as text, in its own zone."""
    stamp = pd.Timestamp(np.datetime64(value, dtype.unit or "ns"))
    return str(stamp.tz_localize("UTC").tz_convert(dtype.zone) if dtype.zone else stamp)
