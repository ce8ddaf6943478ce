"""`curserve-bench gate`: does the candidate regress? Exit code 0 pass, 1 fail, 5 inconclusive or incomparable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curserve_harness.cli.numbers import SEED
from curserve_harness.console import exits
from curserve_results.baseline import STORE

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.compare import Effect
    from curserve_results.gate import Decision
    from curserve_results.summary import Summary

    Arm = tuple[str, int, pl.DataFrame]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.argument("replay_arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--against", metavar="git:REVISION|program:PATH", help="Run both, interleaved, on this machine.")
@click.option(
    "--verb",
    type=click.Choice(["replay", "load"]),
    default="replay",
    show_default=True,
    help="What both arms run.",
)
@click.option("--rounds", type=click.IntRange(1, 100), default=4, show_default=True, help="Rounds of A B B A.")
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/gate"), show_default=True)
@click.option("--baseline", "name", metavar="NAME", help="Compare RUN with a saved baseline.")
@click.option("--store", default=STORE, show_default=True, help="A folder, or git:BRANCH.")
@click.option("--confirm", type=click.Path(path_type=Path), help="A second run that has to agree with RUN.")
@click.option("--max-regression", "limit", default="5%", show_default=True)
@click.option(
    "--metric",
    type=click.Choice(["round_trip", "end_to_end"]),
    help="[default: round_trip; of loads end_to_end, a session from its intended start]",
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write the verdicts as a JUnit file.")
@click.option("--summary", "markdown", type=click.Path(path_type=Path), help="Append the verdict as Markdown.")
@click.option("--shadow", is_flag=True, help="Report, and exit 0 whatever the verdict, or if there is none.")
def command(
    run: Path | None,
    replay_arguments: tuple[str, ...],
    against: str | None,
    verb: str,
    rounds: int,
    seed: int,
    out: Path,
    name: str | None,
    store: str,
    confirm: Path | None,
    limit: str,
    metric: str | None,
    junit: Path | None,
    markdown: Path | None,
    shadow: bool,
) -> None:
    """Gate a candidate: `gate --against git:main -- --rtt 150ms`, or `gate RUN --baseline NAME`.

    What follows `--` goes to both arms' `replay`, or `load` with --verb load. A regression fails only if it is
    above --max-regression and above the measured noise, its interval is above zero, and a confirmation run agrees.
    """
    from curserve_results.compare import effects_table
    from curserve_results.gate import junit as as_junit
    from curserve_results.gate import parse_limit
    from curserve_results.render import render_tables
    from curserve_traces import output

    bound = parse_limit(limit)
    if (against is None) == (name is None) or (name is not None and run is None):
        raise click.UsageError("give --against REVISION, or RUN with --baseline NAME")
    try:
        if against is not None:
            arguments = ((str(run),) if run is not None else ()) + replay_arguments
            shown = metric or ("end_to_end" if verb == "load" else "round_trip")
            arms = _Arms(verb, arguments, rounds, out)
            decision, effects = _interleaved(against, arms, seed, bound, shown)
        elif run is not None and name is not None:
            decision, effects = _saved(run, name, store, confirm, bound, metric)
    except Exception as error:
        if not shadow or exits.code_of(error) != exits.INCONCLUSIVE:
            raise
        _report_no_verdict(exits.line_of(error), markdown)
        return
    table = effects_table(effects, f"Gate at {limit}: {decision.verdict.upper()}", decision.lines())
    click.echo(render_tables([table], "table"), nl=False)
    if junit is not None:
        output.write(junit, as_junit(decision).encode())
    if markdown is not None:
        output.append(markdown, render_tables([table], "markdown").encode())
    codes = {"pass": exits.PASS, "fail": exits.FAIL, "inconclusive": exits.INCONCLUSIVE}
    if not shadow:
        click.get_current_context().exit(codes[decision.verdict])


def _report_no_verdict(why: str, markdown: Path | None) -> None:
    """Say why there is none: runs that cannot be compared, or links that stayed void."""
    click.echo(f"curserve-bench: gate: no verdict: {why}", err=True)
    if markdown is not None:
        from curserve_traces.output import append

        append(markdown, f"Gate: no verdict: {why}\n".encode())


@dataclass(frozen=True, slots=True)
class _Arms:
    """What both arms run, and where."""

    verb: str
    arguments: Sequence[str]
    rounds: int
    out: Path

    def run(self, program: Path, seed: int, name: str) -> tuple[list[Arm], tuple[str, ...]]:
        """Run the rounds; return the arms' logs and what makes the candidate fail anyway."""
        from curserve_harness.gate.revisions import interleave, own_program
        from curserve_results.compare import logs as logs_of
        from curserve_results.compare import readable, require_comparable
        from curserve_results.gate import faults_of

        runs: dict[str, list[Summary]] = {"a": [], "b": []}
        arms: list[Arm] = []
        command = (self.verb, *self.arguments)
        done = interleave(program, own_program(), command, rounds=self.rounds, seed=seed, out=self.out / name)
        for arm, number, folder in done:
            summary = readable(folder)
            runs[arm].append(summary)
            arms.append((arm, number, logs_of(summary)))
            click.echo(f"curserve-bench: {len(arms)} of {4 * self.rounds} {self.verb}s done", err=True)
        for summary in (*runs["a"][1:], *runs["b"]):
            require_comparable(runs["a"][0].manifest, summary.manifest)
        return arms, faults_of(runs["a"], runs["b"])


def _interleaved(
    against: str, arms: _Arms, seed: int, limit: float, metric: str
) -> tuple[Decision, Sequence[Effect]]:
    """Run both arms, and once more where a regression has to be confirmed."""
    from curserve_harness.gate.revisions import arm_of
    from curserve_results.compare import interleaved
    from curserve_results.gate import decide

    if arms.out.exists():
        raise exits.BadInput(f"--out: {arms.out} exists and is never overwritten; choose another")
    with arm_of(against) as program:
        first, faults = arms.run(program, seed, "first")
        effects = interleaved(first, metric)
        decision = decide(effects, limit, faults=faults)
        if decision.needs_confirmation:
            click.echo("curserve-bench: a regression was seen; running the confirmation", err=True)
            again, more = arms.run(program, seed + arms.rounds, "confirmation")
            decision = decide(effects, limit, interleaved(again, metric), (*faults, *more))
    return decision, effects


def _saved(
    run: Path, name: str, store: str, confirm: Path | None, limit: float, metric: str | None
) -> tuple[Decision, Sequence[Effect]]:
    """Compare a run with a saved baseline; the noise floor is what differs between the baseline's runs."""
    from curserve_results.baseline import load
    from curserve_results.compare import against_saved, readable, require_version
    from curserve_results.errors import VoidRun
    from curserve_results.gate import Decision, decide, faults_of
    from curserve_results.summary import summarise

    if confirm is not None and os.path.realpath(confirm) == os.path.realpath(run):
        raise exits.BadInput("--confirm: the same run cannot confirm itself; run the suite again")
    with load(store, name) as folders:
        saved = [readable(folder) for folder in folders]
        given = [folder for folder in (run, confirm) if folder is not None]
        try:
            for folder in given:
                require_version(folder)
            runs = [summarise(folder) for folder in given]
        except VoidRun as error:
            return Decision("fail", limit, (), (f"void: {error}",)), ()
        of_load = "load" in saved[0].manifest.extra
        shown = metric or ("end_to_end" if of_load else "round_trip")
        effects, *again = (against_saved(saved, one, shown) for one in runs)
        return decide(effects, limit, again[0] if again else None, faults_of(saved, runs)), effects
