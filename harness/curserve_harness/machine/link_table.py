"""What `curserve-bench link calibrate` does: calibrate a list of links, show them, draw them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curserve_harness.console import terminal
from curserve_harness.console.exits import BadInput
from curserve_harness.console.progress import say
from curserve_netem import Calibration, Link, hosts
from curserve_netem import calibrate as calibrate_pair
from curserve_netem.calibrate import PAYLOADS
from curserve_results.files import write_atomically

TITLES = (
    *("backend", "requested", "p50", "error", "p99", "handshake"),
    *("64 B", "16 kB", "256 kB", "taken off", "verdict"),
)


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One link: what made it and why, and what it does."""

    link: Link
    calibration: Calibration
    reason: str
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        plain = self.calibration.to_json()
        return {**plain, "link": self.link.describe(), "tcp": self.link.tcp.describe(), "reason": self.reason}


def calibrate_links(links: Sequence[Link], backend: str, network: str | None, samples: int) -> list[LinkRow]:
    """Make each link in turn and measure it."""
    rows = []
    for link in links:
        with hosts(link, backend=backend, network=network) as pair:
            rows.append(LinkRow(link, calibrate_pair(pair, samples=samples, say=say), pair.reason, pair.facts))
    return rows


def print_table(rows: Sequence[LinkRow]) -> None:
    """Print requested against achieved, milliseconds."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in TITLES:
        table.add_column(title, justify="left" if title in ("backend", "verdict") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row.calibration))
    console = terminal.console(width=120 if not sys.stdout.isatty() else None, highlight=False)
    console.print(table)
    console.print(f"milliseconds; TCP: {rows[0].link.tcp.describe()}")
    console.print(f"backend {rows[0].calibration.backend}: {rows[0].reason}", soft_wrap=True)
    for note in rows[0].facts.get("notes", ()):
        console.print(f"note: {note}", soft_wrap=True)


def _cells(found: Calibration) -> list[str]:
    """Return a row's cells, in the order of TITLES."""
    p99 = "–" if found.p99_ms is None else f"{found.p99_ms:.3f}"
    rtts = (f"{found.requested_ms:g}", f"{found.p50_ms:.3f}", f"{found.error_ms:+.3f}", p99)
    payloads = [f"{found.payload_ms[size]:.2f}" if size in found.payload_ms else "–" for size in PAYLOADS]
    tail = (f"{found.taken_off_ms:.3f}", "ok" if found.ok else "void")
    return [found.backend, *rtts, f"{found.handshake_ms:.3f}", *payloads, *tail]


def renew(document: str, rows: Sequence[LinkRow]) -> None:
    """Replace the table between the markers of a Markdown document."""
    begin, end = "<!-- BEGIN link calibration -->", "<!-- END link calibration -->"
    try:
        text = Path(document).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--document {document}: cannot be read ({error}); name a Markdown file") from None
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise BadInput(f"--document {document}: markers not found; add {begin} and {end} where the table goes")
    lines = [TITLES, ["---"] * len(TITLES), *(_cells(row.calibration) for row in rows)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    about = f"Linux {os.uname().release}, {os.cpu_count()} cores; TCP: {rows[0].link.tcp.describe()}."
    write_atomically(Path(document), f"{head}{begin}\n{table}\n\n{about}\n{end}{tail}".encode())


def draw(rows: Sequence[LinkRow], path: str) -> None:
    """Draw requested against achieved, and the error that is left, as a figure."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BadInput("--figure needs matplotlib; pip install 'curserve-bench[figures]'") from None
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    against, error = figure.subplots(1, 2)
    requested = [row.calibration.requested_ms for row in rows]
    against.plot(requested, requested, color="0.8", zorder=1)
    for series, marker in (("p50_ms", "o"), ("handshake_ms", "x")):
        achieved = [getattr(row.calibration, series) for row in rows]
        against.plot(requested, achieved, marker, label=series.removesuffix("_ms"), zorder=2)
    against.set(xlabel="requested RTT (ms)", ylabel="achieved RTT (ms)", xscale="symlog", yscale="symlog")
    against.legend()
    error.axhline(0, color="0.8")
    error.plot(requested, [row.calibration.error_ms for row in rows], "o")
    tolerances = [row.calibration.tolerance_ms for row in rows]
    error.fill_between(requested, [-t for t in tolerances], tolerances, alpha=0.15, label="tolerance")
    error.set(xlabel="requested RTT (ms)", ylabel="error of p50 (ms)", xscale="symlog")
    error.legend()
    figure.suptitle(f"backend {rows[0].calibration.backend}, kernel {os.uname().release}")
    form = Path(path).suffix.removeprefix(".").lower() or "png"
    if form not in figure.canvas.get_supported_filetypes():
        raise BadInput(f"--figure {path}: no form of a figure; end its name in .svg, .png or .pdf")
    drawn = io.BytesIO()
    figure.savefig(drawn, format=form)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(Path(path), drawn.getvalue())
