"""`--at` of several verbs: the place at which commands see the workspace."""

from __future__ import annotations

from pathlib import PurePosixPath

import click

from curserve_harness.console.exits import BadInput


def _checked(_context: click.Context, _option: click.Parameter, at: str) -> str:
    """Return the place if it is an absolute path in its normal form: paths are compared name by name."""
    path = PurePosixPath(at)
    if not path.is_absolute() or ".." in path.parts or str(path) != at or at == "/":
        raise BadInput(f"--at {at!r}: expected an absolute path without `..`, such as /testbed")
    return at


place_option = click.option(
    "--at", default="/testbed", show_default=True, callback=_checked, help="Where commands see the workspace."
)
