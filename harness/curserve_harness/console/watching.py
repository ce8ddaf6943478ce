"""A run, watched: a screen, renewed once a second, or a line every ten seconds where there is no terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from curserve_harness.console import terminal
from curserve_results.live import State

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY_S = 10.0
FRESH_S = 1.0


def watch(look: Callable[[], State]) -> None:
    """Show what `look` returns until the run is finished, or somebody interrupts."""
    if sys.stdout.isatty():
        with contextlib.suppress(KeyboardInterrupt):
            _screen(look)
        return
    while True:
        state = look()
        print(line(state), flush=True)
        if state.finished:
            return
        time.sleep(EVERY_S)


def line(state: State) -> str:
    """Return the state in one line."""
    parts = [f"{state.kind} {state.name}: {state.done} of {state.planned}", _time(state)]
    live = state.live
    if live:
        parts.append(f"{live.get('link', '')} {live.get('engine', '')}: {_sessions(live)}")
        parts += [f"{name} p50 {_s(p50)}, p95 {_s(p95)}" for name, p50, p95 in _latencies(live)]
    if state.errors:
        parts.append(f"{len(state.errors)} errors, last: {state.errors[-1]}")
    return terminal.line("; ".join(part for part in parts if part))


def _screen(look: Callable[[], State]) -> None:
    from rich.live import Live

    state = look()
    console = terminal.console()
    with Live(drawn(state), console=console, screen=True, refresh_per_second=4) as live:
        while not state.finished:
            time.sleep(FRESH_S)
            state = look()
            live.update(drawn(state))
    console.print(line(state), markup=False, highlight=False)


def drawn(state: State) -> RenderableType:
    """Return the state as a screen: progress, sessions, latencies against the SLO, links, errors."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    unit = "cells" if state.kind == "sweep" else "blocks"
    head = Text(f"{state.done} of {state.planned} {unit}   {_time(state)}")
    rows: list[RenderableType] = [head, ProgressBar(total=max(1, state.planned), completed=state.done)]
    live = state.live
    if live:
        rows.append(Text(f"\n{live.get('link', '')} · {live.get('model', '')} · {live.get('engine', '')}"))
        rows.append(Text(_sessions(live)))
        table = Table("latency", "p50", "p95", box=None, pad_edge=False, header_style="dim")
        for name, p50, p95 in _latencies(live):
            table.add_row(name, _s(p50), _s(p95))
        if table.row_count:
            rows.append(table)
    if state.slo:
        rows.append(Text(f"SLO: {state.slo}", overflow="fold"))
    rows += [Text(terminal.line(one), overflow="ellipsis", no_wrap=True) for one in state.lines[:8]]
    if state.errors:
        rows.append(Text(f"\n{len(state.errors)} errors", style="red"))
        rows += [Text(terminal.line(one), overflow="ellipsis", no_wrap=True) for one in state.errors[-4:]]
    rows.append(Text("\nCtrl-C leaves; the run goes on", style="dim"))
    return Panel(Group(*rows), title=terminal.line(f"{state.kind} {state.name}"), title_align="left")


def _sessions(live: Any) -> str:
    playing, finished, failed, planned = (
        live.get(name, 0) for name in ("playing", "finished", "failed", "planned")
    )
    of = f" of {planned}" if planned else ""
    return f"{playing} sessions run, {finished}{of} are over" + (f", {failed} failed" if failed else "")


def _latencies(live: Any) -> list[tuple[str, float, float]]:
    return [
        (name, *live[name]) for name in ("ttft", "turn", "task") if isinstance(live.get(name), list) and live[name]
    ]


def _time(state: State) -> str:
    if state.finished:
        return "finished" + (f" after {_clock(state.elapsed_s)}" if state.elapsed_s is not None else "")
    left = f", about {_clock(state.left_s)} left" if state.left_s is not None else ""
    return (f"{_clock(state.elapsed_s)} so far" if state.elapsed_s is not None else "running") + left


def _clock(seconds: float | None) -> str:
    minutes, rest = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _s(ns: float) -> str:
    return f"{ns / 1e9:.2f} s" if ns >= 1e9 else f"{ns / 1e6:.1f} ms"
