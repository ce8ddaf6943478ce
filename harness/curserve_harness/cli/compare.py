"""`curserve-bench compare A B`: the second run over the first, group by group."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "latex", "csv", "json", "html"]),
    default="table",
    show_default=True,
)
def command(baseline: Path, candidate: Path, form: str) -> None:
    """Compare two run folders: candidate / baseline, for tool round trips and end-to-end times.

    Runs on other machines, kernels, links, suites or schema versions are incomparable (exit code 5).
    """
    from curserve_results.compare import METRICS, compare, effects_table
    from curserve_results.render import render_tables
    from curserve_results.summary import summarise

    a, b = summarise(baseline), summarise(candidate)
    effects = [effect for metric in METRICS for effect in compare(a, b, metric)]
    note = "Above 1: the candidate is slower. Separate runs: what differs from run to run is not in the interval."
    table = effects_table(effects, f"{b.manifest.run} over {a.manifest.run}", (note,))
    click.echo(render_tables([table], form), nl=False)
