"""Tables for the terminal, by rich."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from curserve_results.table import Table, Value, shown

if TYPE_CHECKING:
    from rich.table import Table as RichTable


EXPENDABLE = (
    *("executed", "recorded", "refused", "round_trip_p95", "round_trip_p90", "share", "token_equivalents"),
    *("whole", "end_to_end"),
)
"""Columns that a narrow terminal does without, first to go first; every other form has them.

At 80 columns the main table keeps engine, end-to-end, tool round trip, speed-up, whole task and right.
"""

BARE = ("whole",)
"""Columns that lose their intervals before they go."""


def terminal(tables: Sequence[Table], *, whole: bool = False) -> str:
    """Return the tables as they are printed: at full width, or as wide as a terminal that is narrower.

    `whole` keeps every column, however narrow the terminal is.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.text import Text

    out = io.StringIO()
    width = max(60, shutil.get_terminal_size((200, 24)).columns) if sys.stdout.isatty() else 200
    console = Console(file=out, width=width, no_color=True)
    unbounded = console.options.update(width=1000, max_width=1000)
    for table in tables:
        left_out: list[str] = []
        bare: list[str] = []
        drawn = _drawn(table, left_out, bare)
        for kept, key in _steps(whole):
            if Measurement.get(console, unbounded, drawn).maximum <= width:
                break
            (bare if kept else left_out).extend(c.title for c in table.columns if c.key == key)
            drawn = _drawn(table, left_out, bare)
        needed = max(Measurement.get(console, unbounded, drawn).maximum, len(table.title))
        console.print(drawn, width=needed if whole else width)
        console.print()
        for note in table.notes:
            console.print(Text(_one_line(note)), width=min(width, 128))
        if left_out:
            said = f"Left out for want of width: {', '.join(left_out)}; `report RUN --columns all` shows them."
            console.print(Text(said), width=width)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _steps(whole: bool) -> Iterator[tuple[bool, str]]:
    """Yield what goes, in order: a column's key, and whether only its intervals go."""
    for key in () if whole else EXPENDABLE:
        if key in BARE:
            yield True, key
        yield False, key


def _drawn(table: Table, left_out: Sequence[str], bare: Sequence[str]) -> RichTable:
    """Return a table without some of its columns, and without the intervals of those `bare`, as rich draws it."""
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(
        box=box.SIMPLE_HEAD,
        title=Text(_one_line(table.title)),
        title_justify="left",
        pad_edge=False,
        show_edge=False,
        padding=(0, 0, 0, 1),
    )
    columns = [c for c in table.columns if c.title not in left_out]
    for column in columns:
        is_wide = column.kind == "ratio" and column.title not in bare
        heading = column.title if is_wide else column.title.replace(" ", "\n")
        drawn.add_column(Text(heading), justify="left" if column.kind == "text" else "right", no_wrap=True)
    for row in table.rows:
        cells = (Value(row[c.key].value) if c.title in bare else row[c.key] for c in columns)
        drawn.add_row(*(Text(_one_line(shown(c.kind, cell))) for c, cell in zip(columns, cells, strict=True)))
    return drawn


def _one_line(text: str) -> str:
    """Return text without control characters: a name from outside sends nothing to the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)
