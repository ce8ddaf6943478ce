"""`curserve-bench bench startup`: whole commands against each other, by hyperfine, as one of our tables."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curserve_harness.cli.bench_agents import agents
from curserve_harness.cli.bench_search import search
from curserve_harness.console.exits import BadInput, ExecutionFailed, SetupFailed

if TYPE_CHECKING:
    from curserve_results.table import Table


@click.group()
def command() -> None:
    """Measure whole commands, and search engines, against each other."""


command.add_command(search)
command.add_command(agents)


@command.command()
@click.argument("commands", nargs=-1)
@click.option("--runs", type=click.IntRange(10, 10_000), default=50, show_default=True)
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Keep hyperfine's JSON.")
@click.option("--format", "form", type=click.Choice(["table", "markdown", "csv", "json"]), default="table")
def startup(commands: tuple[str, ...], runs: int, kept: Path | None, form: str) -> None:
    """Compare what COMMANDS cost from start to end (default: true, and `rg --version`).

    Runs hyperfine without a shell in between. Give the real thing and the shim: "rg foo ." "SHIM/rg foo .".
    """
    from curserve_results.render import render_tables
    from curserve_traces.output import write

    commands = commands or ("true", "rg --version")
    for text in commands:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise BadInput(f"bench startup: {text!r}: {error}; give whole commands, quoted") from None
        if not words or shutil.which(words[0]) is None:
            raise BadInput(f"bench startup: {text!r}: no such program; give whole commands, quoted")
    program = shutil.which("hyperfine")
    if program is None:
        raise SetupFailed("bench startup: hyperfine not found; apt-get install hyperfine (not PyPI's namesake)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "hyperfine.json"
        done = subprocess.run(
            [program, "-N", "--warmup", "3", "--runs", str(runs), "--ignore-failure", "--style", "none",
             "--export-json", str(out), *commands],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise ExecutionFailed(f"bench startup: hyperfine: {said}")
        data = json.loads(out.read_text())
        if kept is not None:
            write(kept, out.read_bytes())
    click.echo(render_tables([startup_table(data)], form), nl=False)


def startup_table(data: Mapping[str, Any]) -> Table:
    """Return hyperfine's JSON as a table: percentiles of the times, and the ratio of medians to the first's."""
    from curserve_results.statistics import percentile
    from curserve_results.table import Column, Table, Value

    rows = []
    first = None
    for result in data["results"]:
        times = [seconds * 1e9 for seconds in result["times"]]
        middle = percentile(times, 50)
        first = first or middle
        rows.append(
            {
                "command": Value(result["command"]),
                "p50": Value(middle, n=len(times)),
                "p90": Value(percentile(times, 90), n=len(times)),
                "fastest": Value(min(times), n=len(times)),
                "ratio": Value(middle / first if middle and first else None, n=len(times)),
            }
        )
    columns = (
        Column("command", "command"),
        Column("p50", "p50", "duration", "median wall time from start to end"),
        Column("p90", "p90", "duration", "shown from 64 runs on"),
        Column("fastest", "fastest", "duration"),
        Column("ratio", "over the first", "ratio", "ratio of medians"),
    )
    return Table("startup", "Whole commands, start to end (hyperfine, no shell)", columns, tuple(rows))
