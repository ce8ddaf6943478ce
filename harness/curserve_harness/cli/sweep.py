"""`curserve-bench sweep`: the runs of a plan, here or over the machines of a Ray cluster."""

from __future__ import annotations

from pathlib import Path

import click

from curserve_results.render import FORMS


@click.command(context_settings={"show_default": True})
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--on", type=click.Choice(["local", "ray"]), default="local", help="Where the cells run.")
@click.option("--address", default="auto", help="Address of the Ray cluster.")
@click.option(
    "--engine", "engines", multiple=True, help="Engine of every cell, such as an engine.toml; repeatable."
)
@click.option("--workspace", type=Path, help="Folder that every cell grants its traces.")
@click.option("--trace", "traces", multiple=True, type=Path, help="Traces of every cell instead of a suite.")
@click.option("--tools", type=Path, help="Run folder of `replay`: tool times of loads and simulations.")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", help="Form of the printed table.")
@click.option("--out", type=Path, required=True, help="Folder of the sweep; a sweep that is there goes on.")
def command(
    plan: Path,
    on: str,
    address: str,
    engines: tuple[str, ...],
    workspace: Path | None,
    traces: tuple[Path, ...],
    tools: Path | None,
    form: str,
    out: Path,
) -> None:
    """Run every cell of PLAN (a TOML file of replays, loads and simulations), and merge their samples."""
    from curserve_harness.sweep.run import sweep

    more = [f"--engine={name}" for name in engines]
    more += [f"--trace={path.resolve()}" for path in traces]
    more += [f"--workspace={workspace.resolve()}"] if workspace is not None else []
    more += [f"--tools={tools.resolve()}"] if tools is not None else []
    click.echo(sweep(plan, on=on, address=address, out=out, more=more, form=form))
