"""`curserve-bench baseline save|list|show`: runs kept under a name, to compare later runs with."""

from __future__ import annotations

from pathlib import Path

import click

from curserve_results.baseline import STORE

_STORE = click.option(
    "--store", default=STORE, show_default=True, help="A folder, or git:BRANCH of this repository."
)


@click.group()
def command() -> None:
    """Keep runs under a name. Three runs or more under one name measure the noise between runs."""


@command.command()
@click.argument("name")
@click.argument("run", type=click.Path(path_type=Path))
@_STORE
def save(name: str, run: Path, store: str) -> None:
    """Add the run folder RUN to the baseline NAME."""
    from curserve_results.baseline import save as keep

    click.echo(keep(store, name, run))


@command.command("list")
@_STORE
def listing(store: str) -> None:
    """List the baselines and how many runs each has."""
    from curserve_results.baseline import names

    for name, runs in names(store).items():
        click.echo(f"{name}\t{len(runs)} runs\t{', '.join(runs)}")


@command.command()
@click.argument("name")
@_STORE
def show(name: str, store: str) -> None:
    """Print the tables of every run of the baseline NAME."""
    from curserve_results.baseline import load
    from curserve_results.tables import render

    with load(store, name) as folders:
        for folder in folders:
            click.echo(f"{folder.name}\n{render(folder)}")
