"""One cell: an engine under one load, over one link, on one model's servers. Main names: Inputs, `play`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_harness.console.exits import BadInput
from curserve_harness.simulate.levels import Level
from curserve_harness.simulate.machines import BLOCK, Served
from curserve_harness.simulate.samples import Gaps, Measured, choose
from curserve_harness.simulate.talk import ANY, Talk, kinds, scripts
from curserve_results.slo import Slo

if TYPE_CHECKING:
    from curserve_core.sim import Scripts

WHOLE = 10_000
"""Sessions of a cell that are all kept; of more, one in a hundred."""

MIX = "mix"
"""The name of the link of users in several places."""


@dataclass(frozen=True, slots=True)
class Place:
    """A link: the tiers of its users, with the share of each."""

    name: str
    tiers: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Inputs:
    """What is said, and what tools took where it was measured."""

    talks: Sequence[Talk]
    measured: Mapping[tuple[str, str], Measured]
    folder: Path

    @cached_property
    def scripts(self) -> Scripts:
        """Return what is said as the core takes it."""
        return scripts(self.talks)

    def tiers(self, engine: str, place: Place) -> tuple[str, int, list[tuple[float, int, list[Gaps]]]]:
        """Return an engine's placement, its mean round trip, and for each tier share, way and gaps by kind."""
        wanted = kinds(self.talks)
        found = [(share, choose(dict(self.measured), self.folder, engine, tier)) for tier, share in place.tiers]
        rtt = round(sum(share * own.rtt_ns for share, own in found))
        tiers = [
            (share, own.rtt_ns // 2, [own.kind("" if kind == ANY else kind) for kind in wanted])
            for share, own in found
        ]
        return found[0][1].placement, rtt, tiers

    def check(self, served: Served) -> None:
        """Raise BadInput where a replica's memory cannot hold the longest session."""
        longest = max(self.talks, key=Talk.most_tokens)
        needed = -(-(longest.most_tokens() + 1) // BLOCK)
        if needed > served.blocks:
            raise BadInput(
                f"--kv: {served.name} has {served.kv_bytes / 1e9:.3g} GB, or {served.blocks * BLOCK:,} tokens; "
                f"session {longest.name} needs {longest.most_tokens():,}: give at least "
                f"{needed * BLOCK * served.kv_bytes_per_token / 1e9:.3g} GB, or leave the session out"
            )


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell is; `order` is its place in its block."""

    engine: str
    place: Place
    served: Served
    level: Level
    repetition: int
    seed: int
    order: int


def play(cell: Cell, inputs: Inputs, servers: dict[str, Any], slo: Slo | None) -> dict[str, Any]:
    """Simulate a cell; returns what the core found, and `placement`, `rtt_ns`, `every`, `range`, `starts`."""
    from curserve_core import sim
    from curserve_core.sched import StepTime

    placement, rtt_ns, tiers = inputs.tiers(cell.engine, cell.place)
    script, starts = cell.level.drawn(len(inputs.talks), cell.seed, cell.repetition)
    sessions = sim.Sessions(
        inputs.scripts,
        script,
        starts,
        (cell.seed * 1_000_003 + cell.repetition) % 2**63,
        users=cell.level.users,
        think_ns=cell.level.arrivals.think_ns,
    )
    first, end = cell.level.counted(starts)
    every = 1 if len(script) <= WHOLE else 100
    step = cell.served.step
    objectives = [] if slo is None else [(one.metric, one.share, one.bound_ns) for one in slo.objectives]
    found = sim.simulate(
        sessions,
        sim.Gaps(placement == "client", tiers),
        servers,
        StepTime(step.base_ps, step.prefill_ps, step.decode_ps, step.kv_ps, step.pair_ps),
        counted=(first, end),
        probes=() if cell.level.users else (starts[first] // 2 + starts[-1] // 2, starts[-1]),
        slo=objectives,
        every=every,
    )
    more = {
        "placement": placement,
        "rtt_ns": rtt_ns,
        "every": every,
        "number": len(script),
        "script": script,
        "starts": starts,
    }
    return {**found, **more, "range": (first, end)}
