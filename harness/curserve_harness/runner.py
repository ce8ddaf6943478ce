"""Runs a plan: for each link two hosts, a calibration before and after, and the blocks between them.

A block is written when all its engines have run, or not at all, so that an interrupted run loses at most one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curserve_harness.cells import CellRunner, Row
from curserve_harness.llm.profiles import ModelProfile
from curserve_harness.material import Material
from curserve_harness.plan import Block, Plan
from curserve_harness.progress import On
from curserve_netem.calibrate import Calibration, calibrate
from curserve_netem.hosts import hosts
from curserve_netem.link import Link
from curserve_results.store import RunWriter


@dataclass(frozen=True, slots=True)
class LinkReport:
    """One link as it was: backend and why, calibration before and (when its blocks are done) after them."""

    name: str
    link: Link
    backend: str
    reason: str
    facts: Mapping[str, Any]
    before: Calibration
    after: Calibration | None
    counters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def void(self) -> str | None:
        """Why the blocks on this link do not count, or None."""
        if not self.before.ok:
            return self.before.verdict
        if lost := undeclared_losses(self.counters):
            return f"{lost} packets were lost by the queue itself, undeclared: void"
        return self.before.drift_verdict(self.after) if self.after else None


def undeclared_losses(counters: Mapping[str, Any]) -> int:
    """Return how many packets the link's own queue lost (overrun rings, sends refused), over both directions."""
    ways = [way for way in counters.values() if isinstance(way, Mapping)]
    return sum(int(way.get(name, 0)) for way in ways for name in ("overruns", "refused"))


def run_blocks(
    plan: Plan,
    profiles: dict[str, ModelProfile],
    material: Material,
    todo: Sequence[Block],
    writer: RunWriter,
    run: str,
    on: On,
) -> Iterator[LinkReport]:
    """Run the blocks in `todo`, writing each as it is done; yield a report before and after those of each link.

    Raises HostsError where hosts cannot be made, ExecutionFailed where a role dies.
    """
    for name, group in itertools.groupby(todo, key=lambda block: block.link):
        on(f"calibrating {name}", 0)
        link = Link.from_json(plan.links[name])
        with hosts(link, backend=plan.backend) as pair:
            before = calibrate(pair)
            yield LinkReport(name, link, pair.backend, pair.reason, pair.facts, before, None)
            with CellRunner(plan, profiles, pair, material, run) as cells:
                for block in group:
                    rows: list[Row] = []
                    for order, engine in enumerate(block.engines):
                        on(f"{name} · {block.model} · {block.trace} · {engine}", 0)
                        rows += cells.run(block, engine, order)
                        on("", 1)
                    writer.write_block(block.block, rows)
            on(f"calibrating {name}", 0)
            after = calibrate(pair)
            yield LinkReport(name, link, pair.backend, pair.reason, pair.facts, before, after, pair.counters())
