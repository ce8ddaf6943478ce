"""The rows of one session of a load: both halves joined, its time from when it was meant to start, its phase."""

from __future__ import annotations

from typing import Any

from curserve_engines.cell.spec import CellSpec
from curserve_harness.plan.arrivals import Arrivals
from curserve_harness.samples.rows import Row, constant_columns, join_rows


def session_rows(spec: CellSpec, outcome: dict[str, Any], arrivals: Arrivals, start_ns: int) -> list[Row]:
    """Return the rows of a session, its cell row first; one that did not finish has a `reason`, no `done_ns`."""
    client, server = (
        [row for row in outcome[half] if outcome["error"] is None or row["kind"] != "cell"]
        for half in ("client", "server")
    )
    rows = join_rows(spec, client, server)
    if not rows or rows[0]["kind"] != "cell":
        rows.insert(0, {**constant_columns(spec), "kind": "cell"})
    rows[0] |= {
        "session": outcome["session"],
        "started_ns": outcome["meant_ns"],
        "began_ns": outcome["began_ns"],
        "phase": arrivals.phase(outcome["meant_ns"] - start_ns),
        "reason": outcome["error"],
    }
    return rows
