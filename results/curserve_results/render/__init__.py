"""One table definition, six forms: terminal, Markdown, LaTeX, CSV, JSON, HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from curserve_results.errors import ResultsError
from curserve_results.table import Table

FORMS = ("table", "markdown", "latex", "csv", "json", "html")


def render_tables(tables: Sequence[Table], form: str) -> str:
    """Return `tables` in `form`, one of FORMS, ending in a newline."""
    from curserve_results.render import data, markup, terminal

    forms: dict[str, Callable[[Sequence[Table]], str]] = {
        "table": terminal.terminal,
        "markdown": markup.markdown,
        "latex": markup.latex,
        "html": markup.html,
        "csv": data.csv,
        "json": data.json,
    }
    if form not in forms:
        raise ResultsError(f"format {form!r}: expected one of {', '.join(FORMS)}")
    return forms[form](tables)
