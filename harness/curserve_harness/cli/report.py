"""`curserve-bench report`: the tables of a run, in any form; where a number comes from; one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curserve_results.render import FORMS

if TYPE_CHECKING:
    from curserve_results.table import Table

TABLES = ("main", "models", "tiers", "grid", "napkin")


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True)
@click.option("--table", "which", type=click.Choice(TABLES), default="main", show_default=True)
@click.option("--link", help="The tier of `--table models` (default: the longest).")
@click.option("--model", help="The model of `--table tiers` (default: the first).")
@click.option("--columns", metavar="KEY[,KEY…]|all", help="Only these columns; all: however narrow the terminal.")
@click.option("--explain", "address", metavar="[TABLE:]ENGINE:COLUMN", help="Print samples, filter and formula.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one self-contained page.")
@click.option("--void", "void_too", is_flag=True, help="Show void links too, each number of theirs marked VOID.")
@click.option("--splice", "document", type=click.Path(path_type=Path), help="Renew the tables in a document.")
def command(
    run: Path | None,
    form: str,
    which: str,
    link: str | None,
    model: str | None,
    columns: str | None,
    address: str | None,
    page: Path | None,
    void_too: bool,
    document: Path | None,
) -> None:
    """Print the tables of RUN (the folder of a run or a `bench search`), explain a number, or write a page.

    With --splice, RUN and options come from the markers in the document:
    <!-- BEGIN curserve-bench report RUN --table tiers --> … <!-- END curserve-bench -->
    """
    if document is not None:
        from curserve_results.splice import splice

        count = splice(document, lambda arguments: _from_marker(arguments, document.parent))
        click.echo(f"{document}: {count} renewed")
        return
    if run is None:
        raise click.UsageError("give a RUN folder, or --splice DOCUMENT")
    if address is not None:
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

        write_page(run, page, void_too=void_too)
        click.echo(f"{page}: {page.stat().st_size / 1e6:.1f} MB")
    else:
        click.echo(text_of(run, form, which, link, model, columns=columns, void_too=void_too), nl=False)


def text_of(
    run: Path,
    form: str,
    which: str,
    link: str | None,
    model: str | None,
    *,
    columns: str | None = None,
    void_too: bool = False,
) -> str:
    """Return the chosen tables of a run in the chosen form; `void_too`: with void links, marked."""
    from curserve_results import search
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
        return render_tables(_of_a_search(run, which), form, keys)
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
    else:
        tables = main_tables(summary)
    return render_tables(tables, form, keys)


def _of_a_search(folder: Path, which: str) -> Sequence[Table]:
    """Return the chosen tables of a `bench search`."""
    from curserve_results.search import read, tables
    from curserve_results.search_grid import grid

    if which not in ("main", "grid"):
        raise click.UsageError(f"{folder}: of a `bench search` there are --table main and grid, not {which}")
    outcome = read(folder)
    return [grid(outcome)] if which == "grid" else tables(outcome)


def _from_marker(arguments: list[str], beside: Path) -> str:
    """Return the Markdown of a marker; RUN is relative to the document."""
    context = command.make_context("report", list(arguments))
    given = context.params
    if given["run"] is None or given["document"] is not None:
        raise click.UsageError("a marker needs a RUN folder and no --splice")
    options = (given["which"], given["link"], given["model"])
    more = {"columns": given["columns"], "void_too": given["void_too"]}
    return text_of(beside / given["run"], "markdown", *options, **more)
