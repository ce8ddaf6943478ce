"""The harness floor: what a turn costs when link, tools and model cost nothing.

The `recorded` controls over a 0 ms link, with the model's time taken off. It is measured in every run, on its own
pair of hosts, and stands under every table: differences below it are ours, not an engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Any

from curserve_harness.plan.plan import Block, Plan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.prepare.prepared import PreparedTraces
from curserve_harness.run.cell_runner import CellRunner
from curserve_harness.samples.rows import Row
from curserve_netem.hosts import hosts
from curserve_netem.link import Link
from curserve_results.schema import CONTROLS

PACE = ModelProfile("floor", "floor", tokens_per_s=2858, ttft_ms=0, prefill_tokens_per_s=1e12, source="none")
"""A model that thinks for no time and writes as fast as the fastest bundled one: its tokens are still paced."""


def measure_floor(plan: Plan, prepared: PreparedTraces) -> dict[str, Any]:
    """Return the floor of each control in nanoseconds a turn, on the plan's first trace."""
    block = Block(0, plan.traces[0].id, "floor", PACE.key, 0, CONTROLS)
    floor: dict[str, Any] = {}
    with (
        hosts(Link(rtt_ns=0), backend=plan.backend) as pair,
        CellRunner(replace(plan, pace="real", llm="paced"), {PACE.key: PACE}, pair, prepared, "floor") as cells,
    ):
        for order, engine in enumerate(CONTROLS):
            rows = cells.run(block, engine, order)
            costs = turn_costs_ns(rows)
            floor[f"{engine}_ns"] = round(median(costs)) if costs else None
        floor["turns"] = len(costs)
        floor["bytes_up_max"] = max((row.get("bytes_up") or 0 for row in rows if row["kind"] == "turn"), default=0)
        floor["backend"] = pair.backend
    return floor


def turn_costs_ns(rows: Sequence[Row]) -> list[int]:
    """Return, for each turn but the last, the time to the next turn's start less the model's own time."""
    turns = sorted((row for row in rows if row["kind"] == "turn"), key=lambda row: row["turn"])
    return [
        after["intended_ns"] - this["intended_ns"] - (this["ttft_ns"] or 0) - (this["decode_ns"] or 0)
        for this, after in pairwise(turns)
    ]
