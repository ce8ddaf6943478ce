"""A load, resolved before anything runs: what `replay` plans, and when sessions come. Main type: LoadPlan.

A block is a repetition over one link (or several at once) with one model, every engine in it, one after the
other and in a seeded order; each plays the same sessions at the same times (common random numbers).
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass
from typing import Any

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.arrivals import Arrivals
from curserve_harness.plan.plan import Plan
from curserve_harness.plan.serving import Serving
from curserve_harness.plan.sessions import Sessions, draw
from curserve_results.schema import CONTROLS

MIXED = "+"
"""Joins the names of links whose clients share the server."""


@dataclass(frozen=True, slots=True)
class LoadBlock:
    """A repetition over its links with one model; `engines` in the order they run."""

    block: int
    links: tuple[str, ...]
    model: str
    repetition: int
    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Everything a load will do. `hosts` is the number of client hosts on each link."""

    plan: Plan
    arrivals: Arrivals
    blocks: tuple[LoadBlock, ...]
    slo: str | None = None
    hosts: int = 1
    serving: Serving | None = None
    sampled: str | None = None
    """The digest of the tool times that are drawn, where tools do not run."""
    drawn: tuple[str, ...] = ()
    """The digests of each repetition's sessions."""

    def sessions(self, repetition: int) -> Sessions:
        """Return the sessions of a repetition, by number; traces by their place in the plan."""
        return draw(self.arrivals, len(self.plan.traces), self.plan.seed, repetition)

    def to_json(self) -> str:
        """Return the plan as JSON, byte-identical for equal plans."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def digest(self) -> str:
        """Return the digest of the plan."""
        return "sha256:" + hashlib.sha256(self.to_json().encode()).hexdigest()

    def declared(self) -> dict[str, Any]:
        """Return what a manifest says of the load; two runs compare only where this is the same."""
        arrivals = {name: value for name, value in asdict(self.arrivals).items() if name != "recorded_ns"}
        drawn = list(self.drawn)
        served = None if self.serving is None else asdict(self.serving)
        mine = {"title": self.arrivals.title, "slo": self.slo, "hosts": self.hosts, "serving": served}
        mine |= {} if self.sampled is None else {"sampled": self.sampled}
        return {**mine, "sessions": drawn, **arrivals}


def plan_load(
    plan: Plan,
    arrivals: Arrivals,
    *,
    slo: str | None,
    hosts: int = 1,
    mix: bool = False,
    serving: Serving | None = None,
    sampled: str | None = None,
) -> LoadPlan:
    """Plan a load of what `plan` names; with `mix` the clients of all its links share the server at once."""
    if hosts > 1 and arrivals.kind == "closed" and arrivals.users < hosts:
        raise BadInput(f"--hosts {hosts}: more client hosts than --sessions {arrivals.users}; some would be idle")
    chance = random.Random(plan.seed)
    groups = [tuple(plan.links)] if mix else [(link,) for link in plan.links]
    blocks: list[LoadBlock] = []
    for links in groups:
        cells = [(model, repetition) for repetition in range(plan.repetitions) for model in plan.models]
        for model, repetition in cells:
            order = [name for name in plan.engines if name not in CONTROLS] or list(plan.engines)
            chance.shuffle(order)
            blocks.append(LoadBlock(len(blocks), links, model, repetition, tuple(order)))
    drawn = tuple(
        draw(arrivals, len(plan.traces), plan.seed, repetition).digest() for repetition in range(plan.repetitions)
    )
    return LoadPlan(plan, arrivals, tuple(blocks), slo, hosts, serving, sampled, drawn)
