"""The experiment, resolved before anything runs: Plan → Block → engines in a seeded order.

A block is one trace over one link with one model, all engines in it, so that whatever drifts drifts for all of
them. (The controls are a floor, not competitors: they run in the first repetition only.) The plan is a pure
function of its inputs and the seed; it is written to `plan.json`, and a run that is resumed follows that file.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from curserve_netem.link import Link, LinkError
from curserve_results.schema import CONTROLS
from curserve_traces.typed import built

PLAN_VERSION = 1

Execute = Literal["reads-and-edits", "all"]
Pace = Literal["real", "virtual"]
Api = Literal["chat", "responses"]
Llm = Literal["paced", "vllm"]
Backend = Literal["auto", "netem", "queue", "relay"]


class PlanError(ValueError):
    """Raised when a plan file cannot be used."""


@dataclass(frozen=True, slots=True)
class TraceRef:
    """A trace by name and by the digest of the file it was read from."""

    id: str
    digest: str
    path: str


@dataclass(frozen=True, slots=True)
class Block:
    """One trace x link x model x repetition; `engines` in the order they run."""

    block: int
    trace: str
    link: str
    model: str
    repetition: int
    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run will do. `links` maps the name of a link to its declaration (plain JSON values)."""

    seed: int
    suite: str
    traces: tuple[TraceRef, ...]
    links: dict[str, dict[str, Any]]
    models: tuple[str, ...]
    engines: tuple[str, ...]
    repetitions: int
    blocks: tuple[Block, ...]
    execute: Execute = "reads-and-edits"
    pace: Pace = "real"
    api: Api = "chat"
    stream: bool = True
    backend: Backend = "auto"
    workspace: str | None = None
    llm: Llm = "paced"
    vllm_args: tuple[str, ...] = ()
    links_at_once: int = 1
    sandbox: str = "auto"
    version: int = PLAN_VERSION

    def to_json(self) -> str:
        """Return the plan as JSON, byte-identical for equal plans."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def digest(self) -> str:
        """Return the digest of the plan; two runs with the same one did the same in the same order."""
        return "sha256:" + hashlib.sha256(self.to_json().encode()).hexdigest()


def with_blocks(plan: Plan) -> Plan:
    """Resolve a plan's blocks: links in order (each needs hosts of its own), all else shuffled by `seed`."""
    chance = random.Random(plan.seed)
    blocks: list[Block] = []
    for link in plan.links:
        cells = [(m, r, t.id) for m in plan.models for r in range(plan.repetitions) for t in plan.traces]
        chance.shuffle(cells)
        for model, repetition, trace in cells:
            order = [n for n in plan.engines if repetition == 0 or n not in CONTROLS] or list(plan.engines)
            chance.shuffle(order)
            blocks.append(Block(len(blocks), trace, link, model, repetition, tuple(order)))
    return replace(plan, blocks=tuple(blocks))


def read_plan(text: str | bytes, where: str) -> Plan:
    """Read a plan from JSON, every value of its type; `where` names the file in the PlanError of a broken one.

    It may come from anywhere: what only a person may decide is asked for again by `regrant`.
    """
    try:
        data = json.loads(text)
        if data["version"] != PLAN_VERSION:
            raise PlanError(
                f"{where}: plan version {data['version']!r:.40}, this program reads {PLAN_VERSION}; "
                "resume with the version of curserve-bench that wrote it, or start a new run"
            )
        plan = built(Plan, data)
        _check(plan)
        return plan
    except (KeyError, TypeError, ValueError, LinkError, RecursionError) as error:
        if isinstance(error, PlanError):
            raise
        raise PlanError(f"{where}: not a plan ({error!r:.200}); start a new run in a new folder") from error


def _check(plan: Plan) -> None:
    """Raise ValueError where a plan is not one that `with_blocks` could have made."""
    traces = {trace.id for trace in plan.traces}
    for number, block in enumerate(plan.blocks):
        known = block.trace in traces and block.link in plan.links and block.model in plan.models
        if block.block != number or not known or not block.engines or not set(block.engines) <= set(plan.engines):
            raise ValueError(f"blocks[{number}] does not fit the rest")
    if not 1 <= plan.links_at_once <= 16:
        raise ValueError("links_at_once is outside 1 to 16")
    for link in plan.links.values():
        built(Link, link)
