"""`curserve-bench report`: the tables of a run, in any form; where a number comes from; one page of HTML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curserve_results.render import FORMS

if TYPE_CHECKING:
    from curserve_results.summary import Summary
    from curserve_results.table import Table

TABLES = ("main", "models", "tiers", "grid", "napkin")


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True)
@click.option("--table", "which", type=click.Choice(TABLES), default="main", show_default=True)
@click.option("--link", help="The tier of `--table models` (default: the longest).")
@click.option("--model", help="The model of `--table tiers` (default: the first).")
@click.option("--columns", metavar="KEY[,KEY…]|all", help="Only these columns; all: however narrow the terminal.")
@click.option("--slo", "slos", multiple=True, help="Judge a load by this SLO instead of its own; repeatable.")
@click.option("--no-notes", is_flag=True, help="Without the lines under the tables.")
@click.option("--explain", "address", metavar="[TABLE:]ENGINE:COLUMN", help="Print samples, filter and formula.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one self-contained page.")
@click.option("--void", "void_too", is_flag=True, help="Show void links too, each of their numbers marked VOID.")
@click.option(
    "--compact", is_flag=True, help="Put a finished run's samples into one file; drop its rendered tables."
)
@click.option("--splice", "document", type=click.Path(path_type=Path), help="Renew the tables in a document.")
def command(
    run: Path | None,
    form: str,
    which: str,
    link: str | None,
    model: str | None,
    columns: str | None,
    slos: tuple[str, ...],
    no_notes: bool,
    address: str | None,
    page: Path | None,
    void_too: bool,
    compact: bool,
    document: Path | None,
) -> None:
    """Print the tables of RUN (the folder of a run or a `bench search`), explain a number, or write a page.

    With --splice, RUN and options come from the markers in the document:
    <!-- BEGIN curserve-bench report RUN --table tiers --> … <!-- END curserve-bench -->
    """
    if document is not None:
        from curserve_results.splice import splice

        count = splice(document, lambda arguments: from_marker(arguments, document.parent))
        click.echo(f"{document}: {count} renewed")
        return
    if run is None:
        raise click.UsageError("give a RUN folder, or --splice DOCUMENT")
    if compact:
        from curserve_results.compact import compact as put_together

        click.echo(f"{run}: {put_together(run) / 1e6:.1f} MB less")
    elif address is not None:
        if which != "main":
            raise click.UsageError(
                f"--explain takes no --table: {which} is part of the address: models/LINK:MODEL:ENGINE, "
                "tiers/MODEL:LINK:ENGINE, grid/LINK:ENGINE:MODEL, whole/LINK:ENGINE:MODEL"
            )
        from curserve_results.explain import explain
        from curserve_results.summary import summarise

        click.echo(explain(summarise(run, void_too=void_too), address), nl=False)
    elif page is not None:
        from curserve_results.page import write_page
        from curserve_traces.output import is_standard_output

        size = write_page(run, page, void_too=void_too)
        click.echo(f"{page}: {size / 1e6:.1f} MB", err=is_standard_output(page))
    else:
        click.echo(
            text_of(
                *(run, form, which, link, model),
                columns=columns,
                no_notes=no_notes,
                void_too=void_too,
                slos=slos,
            ),
            nl=False,
        )


def text_of(
    run: Path,
    form: str,
    which: str,
    link: str | None,
    model: str | None,
    *,
    columns: str | None = None,
    no_notes: bool = False,
    void_too: bool = False,
    slos: Sequence[str] = (),
) -> str:
    """Return the chosen tables of a run in the chosen form; `void_too`: with void links, marked."""
    from curserve_results import search
    from curserve_results.load import capacity
    from curserve_results.overviews import grid_tables, models_table, tiers_table
    from curserve_results.render import render_tables
    from curserve_results.summary import summarise
    from curserve_results.tables import main_tables

    for option, value, takes in (("--link", link, "models"), ("--model", model, "tiers")):
        if value is not None and which != takes:
            raise click.UsageError(f"{option} {value}: only --table {takes} takes it; this is --table {which}")
    keys = [key.strip() for key in columns.split(",") if key.strip()] if columns else []
    tables: Sequence[Table]
    if (run / search.FILE).is_file():
        return render_tables(_noted(_of_a_search(run, which), no_notes), form, keys)
    if (run / capacity.FILE).is_file():
        return render_tables(_noted([capacity.capacity_table(run)], no_notes), form, keys)
    summary = summarise(run, void_too=void_too)
    if which == "models":
        tables = (models_table(summary, link),)
    elif which == "tiers":
        tables = (tiers_table(summary, model),)
    elif which == "grid":
        tables = grid_tables(summary)
    elif which == "napkin":
        from curserve_results.napkin import napkin_tables

        tables = napkin_tables(summary)
    elif slos:
        tables = _by_slo(summary, slos)
    else:
        tables = main_tables(summary)
    return render_tables(_noted(tables, no_notes), form, keys)


def _by_slo(summary: Summary, slos: Sequence[str]) -> Sequence[Table]:
    """Return a load's tables by an SLO that its run did not declare."""
    from curserve_results.load.table import load_tables
    from curserve_results.slo import parse_slo

    if "load" not in summary.manifest.extra:
        raise click.UsageError(
            f"--slo: {summary.folder} is no load of many sessions; only those are judged by one"
        )
    slo = parse_slo(slos)
    if "predicted" not in summary.manifest.extra:
        return load_tables(summary, slo)
    from curserve_results.load.predicted import predicted_tables
    from curserve_results.load.rejudged import rejudged

    manifest, said = rejudged(summary.folder, summary.manifest, slo)
    *tables, last = predicted_tables(manifest)
    return (*tables, replace(last, notes=(*last.notes, *((said,) if said else ()))))


def _noted(tables: Sequence[Table], no_notes: bool) -> Sequence[Table]:
    """Return the tables, without their notes where those are not wanted."""
    return [replace(table, notes=()) for table in tables] if no_notes else tables


def _of_a_search(folder: Path, which: str) -> Sequence[Table]:
    """Return the chosen tables of a `bench search`."""
    from curserve_results.search import read, tables
    from curserve_results.search_grid import grid

    if which not in ("main", "grid"):
        raise click.UsageError(f"{folder}: of a `bench search` there are --table main and grid, not {which}")
    outcome = read(folder)
    return [grid(outcome)] if which == "grid" else tables(outcome)


def from_marker(arguments: list[str], beside: Path) -> str:
    """Return what stands under a marker: Markdown, or with `--format table` a block as a terminal shows it.

    RUN is relative to the document.
    """
    context = command.make_context("report", list(arguments))
    given = context.params
    if given["run"] is None or given["document"] is not None:
        raise click.UsageError("a marker needs a RUN folder and no --splice")
    source = click.core.ParameterSource.COMMANDLINE
    as_block = given["form"] == "table" and context.get_parameter_source("form") == source
    text = text_of(
        Path(os.path.normpath(beside / given["run"])),
        "table" if as_block else "markdown",
        *(given["which"], given["link"], given["model"]),
        columns=given["columns"],
        no_notes=given["no_notes"],
        slos=given["slos"],
        void_too=given["void_too"],
    )
    return f"```\n{text.strip()}\n```" if as_block else text
