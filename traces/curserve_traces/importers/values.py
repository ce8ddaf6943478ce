"""Small readers of recorded values: what is not of the expected kind is `None`, never a guess."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from curserve_traces.errors import TooLarge
from curserve_traces.files import loads

Json = dict[str, Any]


def an_object(value: object) -> Json:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def a_list(value: object) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def a_string(value: object) -> str | None:
    """Return `value` if it is a string that is not empty."""
    return value if isinstance(value, str) and value else None


def an_integer(value: object) -> int | None:
    """Return `value` if it is an integer of at most 64 bits."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def a_flag(value: object) -> bool | None:
    """Return `value` if it is true or false."""
    return value if isinstance(value, bool) else None


def seconds_ns(value: object) -> int | None:
    """Return a number of seconds as nanoseconds; `None` for anything that is no plausible duration or time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 4e9:
        return None
    return value * 10**9 if isinstance(value, int) else round(value * 1e9)


def milliseconds(value: object) -> int | None:
    """Return a moment or duration in milliseconds as nanoseconds; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 4e12:
        return None
    return value * 10**6 if isinstance(value, int) else round(value * 1e6)


def iso_ns(value: object) -> int | None:
    """Return an ISO 8601 time as nanoseconds since the epoch; one without a zone is read as UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return an_integer(round(moment.timestamp() * 1e6) * 1000)  # the year 9999 has no nanoseconds of 64 bits
    except (ValueError, OverflowError):
        return None


def json_object(value: object) -> Json | None:
    """Return the object that `value` is, or that it holds as JSON text; `None` where it is neither."""
    if isinstance(value, str):
        try:
            value = loads(value)
        except (ValueError, TooLarge):
            return None
    return value if isinstance(value, dict) else None


def json_list(value: object) -> list[Any]:
    """Return the list that `value` is, or that it holds as JSON text; an empty one where it is neither."""
    if isinstance(value, str):
        try:
            value = loads(value)
        except (ValueError, TooLarge):
            return []
    return a_list(value)


def arguments_of(value: object) -> Json:
    """Return a call's arguments: an object, JSON text of one, or the raw value under `raw`."""
    found = json_object(value)
    if found is not None:
        return found
    return {} if value in (None, "") else {"raw": value}


def elapsed(start: int | None, end: int | None) -> int | None:
    """Return the time between two recorded moments; `None` where one lacks or the clock ran backwards."""
    return an_integer(end - start) if start is not None and end is not None and end >= start else None


def total(usage: Json, *keys: str) -> int | None:
    """Return the sum of the token counts that a usage has; `None` where it has none of them."""
    known = [count for key in keys if (count := an_integer(usage.get(key))) is not None]
    return an_integer(sum(known)) if known else None


def given(**values: Any) -> Json:
    """Return the values that are not `None`."""
    return {key: value for key, value in values.items() if value is not None}
