"""Tables for the terminal, by rich."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curserve_results.table import Table, shown

if TYPE_CHECKING:
    from rich.table import Table as RichTable


EXPENDABLE = ("recorded", "refused", "executed", "round_trip_p90", "share", "end_to_end")
"""Columns that a narrow terminal does without, first to go first; every other form has them."""


def terminal(tables: Sequence[Table]) -> str:
    """Return the tables as they are printed: at full width, or as wide as a terminal that is narrower."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.text import Text

    out = io.StringIO()
    width = max(60, shutil.get_terminal_size((200, 24)).columns) if sys.stdout.isatty() else 200
    console = Console(file=out, width=width, no_color=True)
    for table in tables:
        left_out: list[str] = []
        drawn = _drawn(table, left_out)
        for key in EXPENDABLE:
            unbounded = console.options.update(width=1000, max_width=1000)
            if Measurement.get(console, unbounded, drawn).maximum <= width:
                break
            left_out += [c.title for c in table.columns if c.key == key]
            drawn = _drawn(table, left_out)
        console.print(drawn)
        for note in table.notes:
            console.print(Text(_one_line(note)), width=min(width, 128))
        if left_out:
            console.print(Text(f"Left out for want of width: {', '.join(left_out)}."), width=width)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _drawn(table: Table, left_out: Sequence[str]) -> RichTable:
    """Return a table without some of its columns as rich draws it."""
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(
        box=box.SIMPLE_HEAD,
        title=Text(_one_line(table.title)),
        title_justify="left",
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    columns = [c for c in table.columns if c.title not in left_out]
    for column in columns:
        heading = column.title if column.kind == "ratio" else column.title.replace(" ", "\n")
        drawn.add_column(Text(heading), justify="left" if column.kind == "text" else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(_one_line(shown(c.kind, row[c.key]))) for c in columns))
    return drawn


def _one_line(text: str) -> str:
    """Return text without control characters: a name from outside sends nothing to the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)
