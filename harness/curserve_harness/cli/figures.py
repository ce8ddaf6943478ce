"""`curserve-bench figures`: every figure of a run as PDF, SVG and PNG, with figures.json."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from curserve_harness.console.exits import SetupFailed


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("figures"), show_default=True)
@click.option("--model", help="The model of the figures that show one (default: SWE-grep).")
def command(runs: tuple[Path, ...], out: Path, model: str | None) -> None:
    """Draw the figures of RUNS into --out. figures.json names run, filter and digest of the data of each."""
    for package in ("matplotlib", "seaborn"):
        if find_spec(package) is None:
            raise SetupFailed(f"figures: {package} is not installed; pip install 'curserve-bench[figures]'")
    from curserve_results.figures import write_figures

    for path in write_figures(runs, out, model):
        click.echo(path)
