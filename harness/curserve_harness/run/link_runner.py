"""Runs a plan: for each link two hosts, a calibration before and after, and the blocks between them.

A block is written when all its engines have run, or not at all: an interrupted run loses at most one a link.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from curserve_harness.console.progress import On, say
from curserve_harness.plan.plan import Block, Plan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.prepare.prepared import PreparedTraces
from curserve_harness.run.cell_runner import CellRunner
from curserve_harness.run.side_by_side import LinkBlocks, play
from curserve_netem.calibrate import Calibration, calibrate
from curserve_netem.hosts import Pair, hosts
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
    prepared: PreparedTraces,
    todo: Sequence[Block],
    writer: RunWriter,
    run: str,
    on: On,
) -> Iterator[LinkReport]:
    """Run the blocks in `todo`, writing each as it is done; yield a report before and after those of each link.

    Up to `plan.links_at_once` links run side by side; each is calibrated while nothing else runs.
    Raises HostsError where hosts cannot be made, ExecutionFailed where a role dies.
    """
    groups = [(name, list(blocks)) for name, blocks in itertools.groupby(todo, key=lambda block: block.link)]
    for start in range(0, len(groups), plan.links_at_once):
        with ExitStack() as everything:
            begun: list[tuple[LinkReport, Pair]] = []
            with ExitStack() as roles:
                played: list[LinkBlocks] = []
                for name, blocks in groups[start : start + plan.links_at_once]:
                    on(f"calibrating {name}", 0)
                    link = Link.from_json(plan.links[name])
                    pair = everything.enter_context(hosts(link, backend=plan.backend))
                    report = LinkReport(
                        name, link, pair.backend, pair.reason, pair.facts, calibrate(pair, say=say), None
                    )
                    yield report
                    begun.append((report, pair))
                    cells = roles.enter_context(CellRunner(plan, profiles, pair, prepared, run))
                    played.append(LinkBlocks(cells, blocks))
                play(played, writer, on)
            for report, pair in begun:
                on(f"calibrating {report.name}", 0)
                yield replace(report, after=calibrate(pair, say=say), counters=pair.counters())
