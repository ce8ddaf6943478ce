"""Options become a plan: blocks in order, checked before anything is simulated. Main name: `plan_of`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.resolve import load_traces
from curserve_harness.simulate import talk as said
from curserve_harness.simulate.cells import MIX, Cell, Inputs, Place
from curserve_harness.simulate.levels import Level, levels
from curserve_harness.simulate.logged import from_loads
from curserve_harness.simulate.machines import Served, machines
from curserve_harness.simulate.options import SUITE, SimulateOptions
from curserve_harness.simulate.samples import read
from curserve_harness.simulate.servers import arrangements, policy, servers
from curserve_netem import tiers
from curserve_results.slo import Slo, parse_slo
from curserve_traces.loads import read_load

SYNTHETIC = "synthetic"
"""The suite of sessions made up."""

NOT_PLANNED = ("threads", "traces", "trace_load", "tools", "step_times")
"""Options that change nothing, or files, whose contents count instead of their names."""


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """One repetition of a load over a link on a model; all engines in it draw the same."""

    number: int
    place: Place
    served: Served
    level: Level
    repetition: int
    engines: tuple[str, ...]
    seed: int

    def cells(self) -> list[Cell]:
        """Return the cells, one an engine."""
        return [
            Cell(engine, self.place, self.served, self.level, self.repetition, self.seed, order)
            for order, engine in enumerate(self.engines)
        ]


@dataclass(frozen=True, slots=True)
class Simulated:
    """Everything that a simulation will do; `plan` is its JSON, equal for equal options and inputs."""

    options: SimulateOptions
    inputs: Inputs
    served: tuple[Served, ...]
    servers: dict[str, dict[str, Any]]
    blocks: tuple[BlockPlan, ...]
    slo: Slo | None
    suite: str
    digest: str
    plan: str


def plan_of(options: SimulateOptions) -> Simulated:
    """Return the plan; raises BadInput, or an error of a room below, in a line."""
    slo = parse_slo(options.slos) if options.slos else None
    ways = arrangements(options)
    arranged = [
        (replace(one, name=f"{one.name}, {way}") if len(ways) > 1 else one, way)
        for one in machines(options)
        for way in ways
    ]
    served = [one for one, _ in arranged]
    by_model = {one.name: servers(options, one, way) for one, way in arranged}
    suite, talks, recorded_ns = _talks(options)
    loads = levels(options, recorded_ns)
    if options.tools is None:
        raise BadInput(
            "--tools: name a run folder of `replay` whose tool times are drawn, such as "
            "results/recorded/reference-2026-11-21; make one with `curserve-bench replay --tier all --out NEW`"
        )
    inputs = Inputs(talks, read(options.tools), options.tools)
    for one in served:
        inputs.check(one)
    engines = tuple(dict.fromkeys(options.engines))
    places = _places(options, inputs, engines)
    for engine in engines:
        for place in places:
            inputs.tiers(engine, place)  # says what is missing
    several = len(loads) > 1
    blocks = [
        (level, Place(f"{place.name} @ {level.title}" if several else place.name, place.tiers), one, repetition)
        for level in loads
        for place in places
        for one in served
        for repetition in range(options.repetitions)
    ]
    numbered = tuple(
        BlockPlan(number, place, one, level, repetition, engines, options.seed)
        for number, (level, place, one, repetition) in enumerate(blocks)
    )
    content = said.digest(talks)
    asked = {name: value for name, value in asdict(options).items() if name not in NOT_PLANNED}
    measured = {f"{engine} over {link}": len(own.kind("")) for (engine, link), own in inputs.measured.items()}
    plan = {
        "verb": "simulate",
        **asked,
        "said": content,
        "measured": measured,
        "step_times": {one.name: list(asdict(one.step).values()) for one in served},
    }
    text = json.dumps(plan, indent=1, sort_keys=True) + "\n"
    return Simulated(options, inputs, tuple(served), by_model, numbered, slo, suite, content, text)


def _talks(options: SimulateOptions) -> tuple[str, Sequence[said.Talk], Sequence[int]]:
    """Return the name of what is said, it, and when it came where that was recorded."""
    if options.trace_load is not None:
        if options.traces or options.suite != SUITE:
            raise BadInput("--trace-load with --trace or --suite: give one of them")
        if policy(options)[0] != "request":
            raise BadInput("--trace-load: its prompts are given whole, each a request; drop --policy")
        talks, starts = from_loads(read_load(options.trace_load))
        return options.trace_load.name, talks, starts
    if options.traces and options.suite != SUITE:
        raise BadInput("--suite and --trace: give one of them")
    if options.suite == SYNTHETIC and not options.traces:
        return SYNTHETIC, said.synthetic(options.seed), ()
    traces = load_traces(options.traces, options.suite)
    return ("own traces" if options.traces else options.suite), said.from_traces(traces), ()


def _places(options: SimulateOptions, inputs: Inputs, engines: Sequence[str]) -> list[Place]:
    """Return the links: each tier by itself, or all of a mix together."""
    if options.mix is not None:
        return [Place(MIX, _mix(options.mix))]
    measured = {link for engine, link in inputs.measured if engine in engines}
    known = [name for name in tiers.load() if name in measured]
    names = known + sorted(measured - set(known)) if "all" in options.tiers else list(dict.fromkeys(options.tiers))
    return [Place(name, ((name, 1.0),)) for name in names]


def _mix(text: str) -> tuple[tuple[str, float], ...]:
    """Read `us-east=0.5,us-asia=0.5`: shares that add up to one."""
    found: list[tuple[str, float]] = []
    for part in text.split(","):
        name, equals, share = part.strip().partition("=")
        try:
            value = float(share)
        except ValueError:
            value = 0.0
        if not name or not equals or not 0 < value <= 1:
            raise BadInput(f"--mix {text!r}: {part.strip()!r} is no TIER=SHARE, such as us-asia=0.5")
        found.append((name, value))
    if abs(sum(share for _, share in found) - 1) > 1e-6:
        raise BadInput(f"--mix {text!r}: the shares add up to {sum(share for _, share in found):g}; make it 1")
    return tuple(found)
