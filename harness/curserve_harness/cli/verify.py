"""`curserve-bench verify`: an engine's answers against those of the real programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curserve_harness.cli.numbers import Seconds
from curserve_harness.cli.place import place_option
from curserve_harness.cli.sandboxing import sandbox_option
from curserve_harness.console import terminal
from curserve_harness.console.exits import FAIL, PASS, BadInput

if TYPE_CHECKING:
    from curserve_engines.protocol import Engine
    from curserve_harness.oracle.asked import Asked
    from curserve_harness.oracle.compared import Compared


@click.command(name="verify")
@click.option("--engine", default="daemon", show_default=True, help="The engine whose answers are checked.")
@click.option("--workspace", required=True, type=click.Path(path_type=Path), help="The tree that calls work on.")
@click.option(
    "--calls", required=True, type=click.Path(path_type=Path), help="JSON lines: command (or tool), cwd."
)
@place_option
@sandbox_option
@click.option("--repo", help="Only calls whose `repo` is this.")
@click.option("--limit", type=click.IntRange(1, 2**31 - 1), help="Only the first N calls.")
@click.option(
    "--repeat", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Runs; the fastest counts."
)
@click.option("--timeout-s", type=Seconds(), default=20.0, show_default=True)
@click.option("--direct", is_flag=True, help="Time simple commands started without a shell, too.")
@click.option("--details", type=click.Path(path_type=Path), help="Write a JSON line for every call to this file.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON instead of tables.")
def command(
    engine: str,
    workspace: Path,
    calls: Path,
    at: str,
    sandbox: str,
    repo: str | None,
    limit: int | None,
    repeat: int,
    timeout_s: float,
    direct: bool,
    details: Path | None,
    as_json: bool,
) -> None:
    """Run every read of a file with an engine and with the real programs, on one tree; compare both.

    Exit code 0 where every answered call is right, 1 where one is wrong or failed. Calls that are no reads are
    left out, since a tree can only be changed once; their number is reported. A call that the real programs do
    not answer (a time-out) is not judged.
    """
    import orjson

    from curserve_engines import registry
    from curserve_harness.oracle import totals as report
    from curserve_harness.oracle.asked import read_calls
    from curserve_harness.plan.resolve import one_host_only
    from curserve_traces import output

    if not workspace.is_dir():
        raise BadInput(f"workspace {workspace} is not a folder; give the calls' tree with --workspace")
    asked = [one for one in read_calls(calls) if repo is None or one.repo == repo]
    if not asked:
        raise BadInput(f"calls {calls}: none for repo {repo!r}; drop --repo, or give one that the file names")
    reads = [one for one in asked if one.effect == "read"]
    one_host_only([engine], "verify")
    chosen, real = registry.load(engine), registry.load("server-subprocess")
    if details is not None:
        output.check(details)  # a path that cannot be written is reported before the work, not after it
    found = list(_run(reads[:limit], chosen, real, workspace, at, sandbox, timeout_s, repeat, direct))
    total = {
        "engine": engine,
        "workspace": str(workspace),
        "left_out": len(asked) - len(reads),
        **report.summary(found),
    }
    if details is not None:
        shown = ("reordered", "unjudged", "different", "failed")
        rows = (one.row(answers=one.verdict in shown) for one in found)
        output.write(details, (orjson.dumps(row) + b"\n" for row in rows))
    if as_json:
        by_program, reasons = report.by_program(found), report.refusals(found)
        click.echo(
            orjson.dumps({**total, "programs": by_program, "refusals": reasons}, option=orjson.OPT_INDENT_2)
        )
    else:
        _print(total, found)
    sys.exit(FAIL if total["wrong"] or total["failed"] else PASS)


def _run(
    asked: Sequence[Asked],
    engine: Engine,
    real: Engine,
    workspace: Path,
    at: str,
    sandbox: str,
    timeout_s: float,
    repeat: int,
    direct: bool,
) -> Iterator[Compared]:
    """Compare group by group, each in sessions at its own place, on one pristine copy of the workspace."""
    from rich.progress import track

    from curserve_engines.protocol import Limits, World
    from curserve_harness.oracle.asked import by_place
    from curserve_harness.oracle.compared import compare, wait_until_loaded
    from curserve_traces import scratch
    from curserve_traces.workspace import pristine_copy

    console = terminal.console(stderr=True)
    with scratch.folder("verify") as folder:
        root = pristine_copy(workspace, folder / "workspace")
        for place, group in by_place(asked, at).items():
            world = World(root, place, limits=Limits(timeout_s=timeout_s), sandbox=sandbox)
            with engine.open(world) as ours, real.open(world) as theirs:
                wait_until_loaded(ours)
                compared = compare(group, ours, theirs, repeat=repeat, with_direct=direct)
                yield from track(
                    compared,
                    place,
                    total=len(group),
                    console=console,
                    disable=not console.is_terminal,
                    transient=True,
                )


def _print(total: dict[str, Any], found: Sequence[Compared]) -> None:
    from rich.table import Table

    from curserve_harness.oracle import totals as report
    from curserve_harness.oracle.compared import VERDICTS

    def share(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    def times(value: float | None) -> str:
        return "–" if value is None else f"{value:.1f}x"

    def micro(value: float | None) -> str:
        return "–" if value is None else f"{value / 1e3:.0f}"

    table = Table(
        "program",
        "calls",
        "answered",
        "right",
        *VERDICTS,
        "engine p50 µs",
        "real p50 µs",
        "speed-up",
        "worst %ile",
        "direct",
        box=None,
        pad_edge=False,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [*report.by_program(found).items(), ("all", total)]
    for name, row in rows:
        counts = (str(row[key]) for key in VERDICTS)
        table.add_row(
            name,
            str(row["calls"]),
            share(row["answered"]),
            share(row["right"]),
            *counts,
            micro(row["engine_p50_ns"]),
            micro(row["real_p50_ns"]),
            times(row["speedup"]),
            times(row["speedup_p1"]),
            times(row["speedup_direct"]),
        )
    console = terminal.console(width=None if sys.stdout.isatty() else 180)
    console.print(table)
    for reason, count in report.refusals(found)[:12]:
        console.print(f"refused {count}x: {reason}", highlight=False, markup=False)
    wrong = [one for one in found if one.verdict in ("reordered", "different", "failed") and not one.right]
    for one in wrong[:12]:
        what = one.engine.failed or one.verdict
        console.print(f"line {one.asked.line}: {what}: {one.asked.call.arguments}", highlight=False, markup=False)
    console.print(f"left out, since they are no reads: {total['left_out']}", highlight=False)
