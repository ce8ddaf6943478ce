"""One table definition, six forms: terminal, Markdown, LaTeX, CSV, JSON, HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from curserve_results.errors import ResultsError
from curserve_results.table import Table, choose

FORMS = ("table", "markdown", "latex", "csv", "json", "html")


def render_tables(tables: Sequence[Table], form: str, columns: Sequence[str] = ()) -> str:
    """Return `tables` in `form`, one of FORMS, ending in a newline.

    `columns` are the keys of those wanted, in the table's own order, or `all`. Without them there are all, but for
    those that a narrow terminal has no room for.
    """
    from curserve_results.render import data, markup, terminal

    forms: dict[str, Callable[[Sequence[Table]], str]] = {
        "table": partial(terminal.terminal, whole=bool(columns)),
        "markdown": markup.markdown,
        "latex": markup.latex,
        "html": markup.html,
        "csv": data.csv,
        "json": data.json,
    }
    if form not in forms:
        raise ResultsError(f"format {form!r}: expected one of {', '.join(FORMS)}")
    return forms[form]([choose(table, columns) for table in tables] if columns else tables)
