"""What a service promises: bounds on latencies at percentiles, such as `ttft p95 <= 500ms, task p95 <= 60s`.

Main names: `parse_slo`, `Slo`. A load *holds* an SLO if of all samples of each objective's metric at least the
percentile's share is within the bound. A *session* is good if the same is true of its own samples: so goodput
counts sessions that a user would call served, and one with one slow turn in twenty can be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curserve_results.errors import ResultsError

METRICS = {
    "ttft": "from when a turn was meant to be asked for to the first byte of its answer, at the client",
    "tpot": "time per output token after the first, at the model",
    "turn": "from when a turn was meant to be asked for to when the next can be",
    "tool": "a tool call, at its caller",
    "task": "a whole session, from when it was meant to start",
}
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
_OBJECTIVE = re.compile(
    rf"(?P<metric>[a-z]+)\s*(?P<percentile>p(?:{_NUMBER}))?\s*<=?\s*(?P<bound>{_NUMBER})\s*(?P<unit>\w*)"
)
_EXAMPLE = "such as 'ttft p95 <= 500ms, task p95 <= 60s'"


class BadSlo(ResultsError):
    """Raised when the text of an SLO is not one; says which part, and how it is written."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Of the samples of `metric`, `share` (0 to 1) are at most `bound_ns`."""

    metric: str
    share: float
    bound_ns: int

    def __str__(self) -> str:
        return f"{self.metric} p{self.share * 100:g} <= {_shown(self.bound_ns)}"


@dataclass(frozen=True, slots=True)
class Slo:
    """Objectives, all of which are to hold."""

    objectives: tuple[Objective, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.objectives))


def parse_slo(texts: str | Sequence[str]) -> Slo:
    """Read an SLO, in one text or several; raises BadSlo."""
    text = texts if isinstance(texts, str) else ", ".join(texts)
    parts = [part.strip() for part in text.split(",")]
    if not any(parts):
        raise BadSlo(f"--slo {text!r}: no objective in it; write some, {_EXAMPLE}")
    objectives = [_objective(part, text) for part in parts]
    named = [(o.metric, o.share) for o in objectives]
    twice = next((o for o in objectives if named.count((o.metric, o.share)) > 1), None)
    if twice is not None:
        raise BadSlo(f"--slo {text!r}: {twice.metric} p{twice.share * 100:g} is bounded twice; keep one of them")
    return Slo(tuple(objectives))


def _objective(part: str, text: str) -> Objective:
    match = _OBJECTIVE.fullmatch(part)
    where = f"--slo {text!r}: {part!r}"
    if match is None:
        raise BadSlo(f"{where} is no objective: METRIC PERCENTILE <= TIME, {_EXAMPLE}")
    metric, percentile, bound, unit = match.group("metric", "percentile", "bound", "unit")
    if metric not in METRICS:
        raise BadSlo(f"{where}: {metric} is not measured; one of {', '.join(METRICS)}")
    if percentile is None:
        raise BadSlo(f"{where} has no percentile; write '{metric} p95 <= {bound}{unit}'")
    if not unit:
        raise BadSlo(f"{where}: {bound} has no unit; write {bound}ms or {bound}s")
    if unit not in _NS:
        raise BadSlo(f"{where}: unknown unit {unit!r}; one of {', '.join(_NS)}")
    share, bound_ns = float(percentile[1:]) / 100, round(float(bound) * _NS[unit])
    if not 0 < share <= 1:
        raise BadSlo(f"{where}: {percentile} is outside p0 to p100; write p50, p95 or p99")
    if not 0 < bound_ns < 10**18:
        raise BadSlo(f"{where}: no time above 0 that a session could take; write one, {_EXAMPLE}")
    return Objective(metric, share, bound_ns)


def _shown(ns: int) -> str:
    for unit in ("s", "ms", "us"):
        if ns >= _NS[unit]:
            return f"{ns / _NS[unit]:g}{unit}"
    return f"{ns}ns"
