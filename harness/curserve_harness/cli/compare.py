"""`curserve-bench compare A B`: the second run over the first, group by group."""

from __future__ import annotations

from pathlib import Path

import click

from curserve_results.render import FORMS


@click.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True)
def command(baseline: Path, candidate: Path, form: str) -> None:
    """Compare two run folders: candidate / baseline, for tool round trips and end-to-end times.

    Void runs, and runs on other machines, kernels, links, suites or schema versions, are incomparable (exit code
    5). What one of the runs has and the other lacks is named under the table.
    """
    from curserve_results.compare import METRICS, compare, effects_table, readable
    from curserve_results.missing import apart
    from curserve_results.render import render_tables

    a, b = readable(baseline), readable(candidate)
    effects = [effect for metric in METRICS for effect in compare(a, b, metric)]
    note = "Above 1: the candidate is slower. Separate runs: what differs from run to run is not in the interval."
    table = effects_table(effects, f"{b.manifest.run} over {a.manifest.run}", (*apart(a, b), note))
    click.echo(render_tables([table], form), nl=False)
