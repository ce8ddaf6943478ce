"""`bench agents`: real agents, unchanged, with the daemon behind the names of their programs and without.

    known         the agents: how each is started, where it finds its model, how its shell is called
    task          what the scripted model has them do: reads, and calls that do nothing between them
    model         the model's process: says the script at a model's pace, logs every exchange
    play          one run: the model on one host of a link, the agent on the other
    conversation  what an agent said to its model, without what every run makes up anew

The outcome is one dictionary (agents.json), from which `curserve_results.agents` makes tables.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curserve_harness.bench.agents.conversation import difference, shown
from curserve_harness.bench.agents.known import AGENTS, Agent
from curserve_harness.bench.agents.play import Played, play
from curserve_harness.bench.agents.task import Step, steps
from curserve_netem import Link, hosts

__all__ = ["AGENTS", "bench"]


def bench(
    agents: Sequence[str],
    workspace: Path,
    links: Sequence[Link],
    *,
    runs: int,
    rounds: int,
    backend: str,
    seed: int,
    scratch: Path,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run each agent on each link `runs` times with help and without, in random turns, below `scratch`.

    `rounds` times each read is done in a run. The first run of each kind is not counted: it warms up.
    """
    task = steps(rounds)
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for link in links:
        with hosts(link, backend=backend) as pair, tempfile.TemporaryDirectory(prefix="curserve-") as runtime:
            for name in agents:
                agent = AGENTS[name]
                first: str | None = None
                for run in range(-1, runs):
                    for helped in chance.sample((False, True), 2):
                        folder = scratch / f"{name}-{link.rtt_ns / 1e6:g}-{run}-{int(helped)}"
                        played = play(pair, agent, task, workspace, folder, Path(runtime), helped=helped)
                        said = _conversation(played, folder)
                        first = first or said
                        row = _row(agent, link, run, helped, task, played, difference(first, said))
                        say(
                            f"{name} {link.rtt_ns / 1e6:g} ms run {run} {'with' if helped else 'without'}: "
                            f"{played.wall_ns / 1e9:.2f} s, {row['difference'] or 'the same conversation'}"
                        )
                        if run >= 0:
                            rows.append(row)
    return {"runs": rows, "task": [step.line for step in task]}


def _conversation(played: Played, folder: Path) -> str:
    """Return the last prompt, which holds the whole conversation."""
    return shown(played.exchanges[-1].body, {str(folder): "FOLDER"})


def _row(
    agent: Agent, link: Link, run: int, helped: bool, task: Sequence[Step], played: Played, differs: str | None
) -> dict[str, Any]:
    gaps = played.gaps_ns(link.rtt_ns)
    return {
        "agent": agent.name,
        "rtt_ms": link.rtt_ns / 1e6,
        "run": run,
        "helped": helped,
        "wall_ns": played.wall_ns,
        "startup_ns": played.startup_ns,
        "answered": played.answered,
        "refused": played.refused,
        "calls": len(task),
        "prompt_bytes": [len(said.body) for said in played.exchanges],
        "gaps": [[step.name, gap] for step, gap in zip(task, gaps, strict=False)],
        "difference": differs,
    }
