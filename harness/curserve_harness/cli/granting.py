"""`--offline` and `--allow-source` of every verb that may fetch what a trace names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def _checked(_context: click.Context, _option: click.Parameter, sources: tuple[str, ...]) -> tuple[str, ...]:
    from curserve_traces.grants import readable_source

    for source in sources:
        try:
            readable_source(source)
        except ValueError as error:
            raise click.BadParameter(f"{source!r}: {error}") from None
    return sources


def grant_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in (
        click.option("--offline", is_flag=True, help="Fetch nothing: use workspaces that were fetched before."),
        click.option(
            "--allow-source",
            "allow_source",
            multiple=True,
            callback=_checked,
            help="A folder, or the beginning of an address, where repositories of traces may be fetched from "
            "although it is no public https address; repeatable.",
        ),
    ):
        command = option(command)
    return command
