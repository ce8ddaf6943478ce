"""Read a link's parameters from text: `150ms`, `100mbit`, `0.1%`, `64k`. A number without its unit is refused."""

from __future__ import annotations

import re

from curserve_netem.errors import LinkError

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(ns|us|µs|ms|s)")
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(bit|kbit|mbit|gbit)(?:/s)?", re.IGNORECASE)
_BPS = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*%")


def parse_duration_ns(text: str) -> int:
    """Read `150ms`, `1.5s`, `200us` as nanoseconds; a missing unit or a negative number is a LinkError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise LinkError(f"duration {text!r}: expected a number with a unit, such as 150ms, 1.5s or 200us")
    return round(float(match[1]) * _NS[match[2]])


def parse_rate_bps(text: str) -> int:
    """Read `100mbit`, `1.5Gbit/s`, `640kbit` as bits per second; zero is a LinkError."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise LinkError(f"rate {text!r}: expected a number with a unit, such as 100mbit or 1gbit")
    rate = round(float(match[1]) * _BPS[match[2].lower()])
    if rate == 0:
        raise LinkError(f"rate {text!r}: nothing would pass; leave the rate out for a link without a limit")
    return rate


def parse_fraction(text: str) -> float:
    """Read `0.1%` as 0.001; more than 100 %, a negative number or a missing sign is a LinkError."""
    match = _PERCENT.fullmatch(text.strip())
    if match is None or float(match[1]) > 100:
        raise LinkError(f"share {text!r}: expected a percentage between 0% and 100%, such as 0.1%")
    return float(match[1]) / 100
