"""What is kept of a simulated cell besides its samples: counts of the server, and of sessions too many to keep.

Main name: `record`. It stands in the manifest, one a cell, and the tables are made of it
(`curserve_results.load.predicted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curserve_harness.simulate.cells import Cell

SUMMED = (
    *("steps", "busy_ns", "prefill_tokens", "hit_tokens", "loaded_tokens"),
    *("preemptions", "evictions", "held_block_ns", "idle_block_ns"),
)
"""Of all replicas together."""

SETTLED = 1.5
"""An open load whose sessions are so many times more at its end than halfway is not settled."""

NOISE = 10
"""Sessions more that chance may bring."""


def record(cell: Cell, found: Mapping[str, Any], block: int, servers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a cell."""
    outcome, counted = found["outcome"], found["counted"]
    summed = {name: sum(replica[name] for replica in found["replicas"]) for name in SUMMED}
    span_ns = counted["last_ns"] - (counted["first_ns"] or 0)
    first, end = found["range"]
    return {
        "block": block,
        "engine": cell.engine,
        "placement": found["placement"],
        "link": cell.place.name,
        "model": cell.served.name,
        "load": cell.level.title,
        "repetition": cell.repetition,
        "sessions": end - first,
        "finished": counted["finished"],
        "good": counted["good"],
        "kept": [list(pair) for pair in counted["kept"]],
        "span_ns": span_ns,
        "rate_per_s": _rate(cell, found),
        "replicas": servers["replicas"],
        "blocks": servers["blocks"] * servers["replicas"],
        "end_ns": outcome["end_ns"],
        "turns": outcome["turns"],
        "new_tokens": outcome["new_tokens"],
        "reply_tokens": outcome["reply_tokens"],
        "kept_block_ns": outcome["kept_block_ns"],
        "tool_work_ns": outcome["tool_work_ns"],
        "tool_workers": servers["tool_workers"],
        **{name: outcome[name] for name in ("released", "retried", "stuck", "too_long", "most_present")},
        **summed,
        "why_unstable": unstable(cell, found),
        "metrics": {
            name: {key: value for key, value in metric.items() if key != "buckets" or found["every"] > 1}
            for name, metric in found["metrics"].items()
        },
    }


def _rate(cell: Cell, found: Mapping[str, Any]) -> float:
    """Return the sessions a second that the counted ones stand for.

    Open: those that count in the time in which they were meant to start. Closed: users over the mean time from one
    session's start to the next one's.
    """
    (first, end), counted = found["range"], found["counted"]
    if cell.level.users:
        mean = found["metrics"]["task"]["mean"]
        cycle = None if mean is None else mean + cell.level.arrivals.think_ns
        return 0.0 if not cycle else cell.level.users / cycle * 1e9
    span = found["starts"][end - 1] - found["starts"][first]
    return (end - first - 1) / span * 1e9 if span and counted["over"] else 0.0


def unstable(cell: Cell, found: Mapping[str, Any]) -> str | None:
    """Return why what was found says nothing about a service that goes on at this load; None if it does."""
    if found["outcome"]["overrun"]:
        return (
            f"unstable at this rate: {found['outcome']['most_present']:,} sessions at once; stopped there "
            "(--most-sessions), lower the rate or add replicas"
        )
    if found["outcome"]["stuck"]:
        return f"{found['outcome']['stuck']} sessions can never go on: blocks that nobody releases"
    if cell.level.users or not found["present"]:
        return None
    half, last = found["present"]
    if last > SETTLED * half + NOISE:
        return (
            f"not settled: {half} sessions halfway, {last} at the end; the rate is more than it can serve, or "
            "--duration too short for these sessions"
        )
    return None
