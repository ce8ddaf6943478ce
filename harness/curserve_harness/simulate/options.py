"""The options of `simulate`, and the small languages of their numbers. Main type: SimulateOptions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curserve_harness.console.exits import BadInput

_TIMES = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
_BYTES = {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30, "TB": 10**12}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-zµ]+)\s*")


SUITE = "swe"
"""The bundled suite that is said where nothing else is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """The options of `simulate`."""

    suite: str = SUITE
    traces: tuple[Path, ...] = ()
    trace_load: Path | None = None
    tools: Path | None = None
    engines: tuple[str, ...] = ("client-subprocess", "daemon")
    tiers: tuple[str, ...] = ("us-asia",)
    mix: str | None = None
    models: tuple[str, ...] = ("llama-8b",)
    gpu: str = "h100"
    step_times: Path | None = None
    kv: str | None = None
    kv_per_token: str | None = None
    t0: str | None = None
    tp: str | None = None
    td: str | None = None
    tk: str | None = None
    replicas: int = 1
    router: str = "affinity"
    policy: str = "request"
    offload: str | None = None
    disaggregated: tuple[str, ...] = ()
    link: str = "rdma-400g"
    next_turn: str = "recompute"
    fail: tuple[str, ...] = ()
    tool_workers: int | None = None
    arrivals: str = "closed"
    sessions: str | None = None
    think: str | None = None
    duration: str | None = None
    tasks: int | None = None
    warm_up: str | None = None
    points: int = 5
    slos: tuple[str, ...] = ()
    repetitions: int = 20
    seed: int = 1
    threads: int | None = None
    most_sessions: int = 20_000


def time_ns(option: str, text: str) -> float:
    """Read a time such as `5us` or `1.5s`; nanoseconds, with a fraction."""
    return _measured(option, text, _TIMES, "5us, 2ms or 1.5s")


def size_bytes(option: str, text: str) -> int:
    """Read a size such as `40GB` or `128KiB`; bytes."""
    return round(_measured(option, text, _BYTES, "40GB or 128KiB"))


def _measured(option: str, text: str, units: Mapping[str, int], example: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units:
        raise BadInput(f"{option} {text!r}: expected a number above 0 with its unit, such as {example}")
    value = float(match[1]) * units[match[2]]
    if not 0 < value < 1e18:
        raise BadInput(f"{option} {text!r}: no value that anything has; write one, such as {example}")
    return value


def between(low: float, high: float, points: int) -> list[float]:
    """Return so many values from `low` to `high`, each as many times the one before it."""
    if points < 2 or low == high:
        return [low] if low == high else [low, high]
    return [low * (high / low) ** (place / (points - 1)) for place in range(points)]


def ends(option: str, text: str) -> tuple[str, str] | None:
    """Return both ends of `A..B`; None if it is one value."""
    if ".." not in text:
        return None
    low, _, high = text.partition("..")
    if not low.strip() or not high.strip() or ".." in high:
        raise BadInput(f"{option} {text!r}: a range is written LOW..HIGH")
    return low.strip(), high.strip()
