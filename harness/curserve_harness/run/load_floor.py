"""What the harness itself takes of a turn under a load: the controls, at the same load, over a link of 0 ms.

Their tools cost nothing and their link next to nothing, so what is left of a turn besides the model's time is
ours: the player, the server, the waits for a core of either.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from curserve_harness.plan.load_plan import LoadBlock, LoadPlan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.prepare.prepared import PreparedTraces
from curserve_harness.run.crowds import ClientHost, Crowds
from curserve_harness.run.floor import turn_costs_ns
from curserve_harness.samples.rows import Row
from curserve_netem.hosts import hosts
from curserve_netem.link import Link
from curserve_results.schema import CONTROLS

LONGEST_NS = 20 * 10**9
"""So long a load of the controls takes new sessions; what they show does not change after that."""


def measure_load_floor(
    load: LoadPlan, profiles: dict[str, ModelProfile], prepared: PreparedTraces
) -> dict[str, Any]:
    """Return the floor of each control in ns a turn, and `share`: the larger one's part of a turn."""
    arrivals = load.arrivals
    if arrivals.duration_ns is not None and arrivals.duration_ns > LONGEST_NS:
        arrivals = replace(arrivals, duration_ns=LONGEST_NS, warm_up_ns=0, cool_down_ns=0)
    short = replace(load, arrivals=arrivals, hosts=1, plan=replace(load.plan, repetitions=1))
    block = LoadBlock(0, ("floor",), load.plan.models[0], 0, CONTROLS)
    floor: dict[str, Any] = {}
    with (
        hosts(Link(rtt_ns=0), backend=load.plan.backend) as pair,
        Crowds(short, profiles, [ClientHost("floor", pair)], prepared, "floor") as crowds,
    ):
        for order, engine in enumerate(CONTROLS):
            rows = crowds.run(block, engine, order)
            costs, shares = costs_of(rows)
            floor[f"{engine}_ns"] = round(median(costs)) if costs else None
            floor[f"{engine}_share"] = round(sum(costs) / sum(shares), 4) if costs else None
        floor["turns"] = len(costs)
        floor["backend"] = pair.backend
    floor["share"] = max((floor[f"{engine}_share"] or 0.0 for engine in CONTROLS), default=0.0)
    return floor


def costs_of(rows: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Return of each turn but a session's last what it took besides the model, and all that it took."""
    costs: list[int] = []
    whole: list[int] = []
    for _, own in itertools.groupby((row for row in rows if row["kind"] == "turn"), key=lambda row: row["cell"]):
        turns = list(own)
        costs += turn_costs_ns(turns)
        whole += [after["intended_ns"] - this["intended_ns"] for this, after in itertools.pairwise(turns)]
    return costs, whole
