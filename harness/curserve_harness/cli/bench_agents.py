"""`curserve-bench bench agents`: real agents on a scripted task, with `curserve run` and without."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from curserve_harness.cli.numbers import SEED
from curserve_harness.console.exits import BadInput, SetupFailed

NAMES = ("qwen", "opencode", "codex", "mini-swe-agent")


@click.command()
@click.option(
    "--workspace", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The repository that they look through (a copy of it is used).",
)  # fmt: skip
@click.option("--agent", "agents", multiple=True, type=click.Choice(NAMES), help="Default: those on PATH.")
@click.option("--rtt", "rtts", default="0ms,15ms,150ms", show_default=True, help="Round trips to the model.")
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of each kind, in turns."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=1, show_default=True, help="Of the task's calls.")
@click.option("--backend", default="auto", show_default=True, help="How the link is made; see `link`.")
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Keep agents.json here.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Keep what every run left here: logs, prompts, homes."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "markdown", "latex", "csv", "json"]), default="table"
)
def agents(
    workspace: Path,
    agents: Sequence[str],
    rtts: str,
    runs: int,
    rounds: int,
    backend: str,
    seed: int,
    out: Path | None,
    keep: Path | None,
    form: str,
) -> None:
    """Run real agents headless against a scripted model, with the daemon's help and without, in turns.

    The agents are those on PATH (Qwen Code, opencode, Codex CLI, mini-swe-agent); their homes are new and empty.
    They run with all your rights. Every turn is one call of the agent's own shell tool.
    """
    from curserve_harness.bench.agents import AGENTS, bench
    from curserve_harness.machine.facts import machine
    from curserve_netem import Link
    from curserve_netem.parse import parse_duration_ns
    from curserve_results.agents import FILE, SCHEMA, tables
    from curserve_results.files import write_atomically
    from curserve_results.render import render_tables
    from curserve_traces import scratch

    there = [name for name in NAMES if shutil.which(AGENTS[name].program)]
    missing = [name for name in agents if name not in there]
    if missing:
        raise SetupFailed(
            f"bench agents: not on PATH: {', '.join(missing)}; docs/CURSERVE.md says how to install them"
        )
    if not (agents or there):
        raise SetupFailed("bench agents: no agent on PATH; docs/CURSERVE.md says how to install them")
    try:
        links = [Link(rtt_ns=parse_duration_ns(text)) for text in rtts.split(",")]
    except ValueError as error:
        raise BadInput(f"--rtt {rtts}: {error}") from None
    with scratch.folder("agents") as place:
        copy = place / "workspace"
        shutil.copytree(workspace, copy, symlinks=True)
        (copy / ".git").mkdir(exist_ok=True)  # the repository ends here, whatever lies above
        outcome = bench(
            agents or there, copy, links, runs=runs, rounds=rounds, backend=backend, seed=seed,
            scratch=keep or place / "runs", say=lambda line: click.echo(line, err=True),
        )  # fmt: skip
    here = machine()
    outcome |= {"schema": SCHEMA, "source": workspace.name, "seed": seed}
    outcome["machine"] = {
        "kernel": here.kernel,
        "cpu": here.cpu,
        "cores": here.cores,
        "load_1min": os.getloadavg()[0],
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / FILE, json.dumps(outcome).encode())
    click.echo(render_tables(tables(outcome), form), nl=False)
