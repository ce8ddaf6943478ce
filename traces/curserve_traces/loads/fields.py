"""Numbers of recorded loads, checked: what a file says wrongly is refused with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from curserve_traces.errors import TraceError

MOST_TOKENS = 100_000_000


def count(row: Mapping[str, Any], name: str, where: str) -> int:
    """Return a number of tokens."""
    value = row.get(name)
    try:
        number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else -1
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_TOKENS:
        raise TraceError(f"{where}: {name} is {value!r:.40}, expected a whole number of tokens")
    return number


def seconds_ns(row: Mapping[str, Any], name: str, where: str, unit_ns: int = 10**9) -> int:
    """Return a time of a unit in ns; it is not negative."""
    value = row.get(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value < 1e12
        or math.isnan(value)
    ):
        raise TraceError(f"{where}: {name} is {value!r:.40}, expected a time that is not negative")
    return round(value * unit_ns)


def names(row: Mapping[str, Any], name: str, where: str) -> tuple[int, ...]:
    """Return the names of blocks; none where there are none."""
    value = row.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
        raise TraceError(f"{where}: {name} is no list of whole numbers")
    return tuple(value)
