"""What a waiting person sees on standard error: a live bar on a terminal, a line for each tenth elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from curserve_harness.console import terminal

if TYPE_CHECKING:
    from rich.console import Console

On = Callable[[str, int], None]
"""Called with what is being done (empty: unchanged) and how many cells have been finished since."""


_consoles: list[Console] = []
"""Of the bar that is shown, if one is."""


def say(line: str) -> None:
    """Say one line on standard error, above the bar where one is shown."""
    line = f"curserve-bench: {terminal.line(line)}"
    if _consoles:
        _consoles[-1].print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _above(console: Console) -> Iterator[None]:
    _consoles.append(console)
    try:
        yield
    finally:
        _consoles.pop()


@contextlib.contextmanager
def progress(total: int, verb: str = "replay") -> Iterator[On]:
    """Show progress over `total` cells while inside; gives the function to report to."""
    if sys.stderr.isatty():
        with _bar(total) as on:
            yield on
    else:
        yield _lines(total, verb)


@contextlib.contextmanager
def _bar(total: int) -> Iterator[On]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    console = terminal.console(stderr=True)
    with (
        Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar,
        _above(console),
    ):
        task = bar.add_task("", total=total)

        def on(what: str, cells: int) -> None:
            if what:
                bar.update(task, description=terminal.line(what))
            bar.advance(task, cells)

        yield on


def _lines(total: int, verb: str) -> On:
    done = 0

    def on(what: str, cells: int) -> None:  # noqa: ARG001 - too much for a log
        nonlocal done
        tenth = 10 * done // max(total, 1)
        done += cells
        if 10 * done // max(total, 1) > tenth:
            print(f"{verb}: {done} of {total} cells", file=sys.stderr, flush=True)

    return on
