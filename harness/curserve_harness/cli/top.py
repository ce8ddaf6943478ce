"""`curserve-bench top`: what a running replay, load or sweep is doing."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Print one line and end.")
def command(run: Path, once: bool) -> None:
    """Watch RUN, the folder of a replay, load or sweep: progress, latencies, errors.

    Without a terminal, a line every ten seconds; it ends with the run.
    """
    from curserve_harness.console.watching import line, watch
    from curserve_results.live import look

    if once:
        click.echo(line(look(run)))
        return
    watch(lambda: look(run))
