"""Figures of loads: what the server did, where its KV memory went, how many sessions hold an SLO.

Main names: `timeline`, `memory`, `capacity` (frames), `draw_timeline`, `draw_memory`, `draw_capacity`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_results.figures.style import COLUMN, DASHES, MARKERS, WIDE, colours, plain
from curserve_results.load import capacity as searched
from curserve_results.load.timeline import block_seconds, read_timeline

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

POINTS = 400
"""Points of a line: more cannot be seen in a column."""

STATES = {"working": "#0072b2", "held": "#d55e00", "evictable": "#bbbbbb"}


def timeline(run: Path) -> pl.DataFrame:
    """Return the server's steps in each engine's first block, thinned: batch, sessions in a tool call, blocks."""
    import polars as pl

    steps = read_timeline(run)
    if not steps.height:
        return steps
    first = steps.filter(pl.col("block") == pl.col("block").min()).sort("engine", "begin_ns")
    thin = pl.int_range(pl.len()).over("engine") % (pl.len().over("engine") // POINTS + 1) == 0
    return first.filter(thin).select(
        "engine",
        s=(pl.col("begin_ns") - pl.col("begin_ns").min().over("engine")) / 1e9,
        running="running",
        waiting="waiting",
        in_a_tool_call="paused",
        held_blocks="held_blocks",
    )


def memory(run: Path) -> pl.DataFrame:
    """Return the KV-block-seconds of each engine by state."""
    return block_seconds(read_timeline(run)).select("engine", *STATES)


def capacity(folder: Path) -> pl.DataFrame:
    """Return every probe of a search: link, engine, sessions, the smallest share within a bound, verdict."""
    import polars as pl

    _, found, _ = searched.read(folder)
    rows = [
        {
            "link": one.link, "rtt_ms": one.rtt_ns / 1e6, "engine": one.engine, "sessions": probe.sessions,
            "share": min(probe.kept.values(), default=0.0), "verdict": probe.verdict,
        }
        for one in found
        for probe in one.probes
    ]  # fmt: skip
    schema = {"link": pl.String(), "rtt_ms": pl.Float64(), "engine": pl.String(), "sessions": pl.Int64()}
    return pl.DataFrame(rows, schema={**schema, "share": pl.Float64(), "verdict": pl.String()}).sort(
        "rtt_ms", "engine", "sessions"
    )


def draw_timeline(frame: pl.DataFrame) -> Figure:
    """Draw a row an engine: requests that run and wait, sessions in a tool call, and blocks held, over time."""
    engines = frame["engine"].unique(maintain_order=True).to_list()
    figure, axes = _subplots(len(engines), figsize=(WIDE, 1.3 * len(engines)), sharex=True)
    for axis, engine in zip(axes[:, 0], engines, strict=True):
        own = frame.filter(engine=engine)
        for name, dash in zip(("running", "waiting", "in_a_tool_call"), DASHES, strict=False):
            axis.plot(own["s"], own[name], dash, label=name.replace("_", " "), linewidth=0.8)
        blocks = axis.twinx()
        blocks.fill_between(own["s"], own["held_blocks"], color="#bbbbbb", alpha=0.4, linewidth=0)
        blocks.set_ylabel("blocks held")
        axis.set_ylabel(f"{plain(engine)}\nsessions")
    axes[-1, 0].set_xlabel("time [s]")
    axes[0, 0].legend(loc="upper right", ncols=3, frameon=False)
    return figure


def draw_memory(frame: pl.DataFrame) -> Figure:
    """Draw a bar an engine: block-seconds that work, are held through tool calls, or may still be found."""
    figure, axes = _subplots(figsize=(COLUMN, 0.5 + 0.3 * frame.height))
    axis = axes[0, 0]
    left = [0.0] * frame.height
    for name, colour in STATES.items():
        values = frame[name].to_list()
        axis.barh([plain(engine) for engine in frame["engine"]], values, left=left, color=colour, label=name)
        left = [a + b for a, b in zip(left, values, strict=True)]
    axis.set_xlabel("KV-block-seconds")
    axis.legend(ncols=3, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.25))
    return figure


def draw_capacity(frame: pl.DataFrame) -> Figure:
    """Draw a panel a link: share of samples within the SLO over sessions; a hollow mark is a probe that failed."""
    links = frame["link"].unique(maintain_order=True).to_list()
    figure, axes = _subplots(1, len(links), figsize=(WIDE if len(links) > 1 else COLUMN, 2.2), sharey=True)
    engines = sorted(frame["engine"].unique())
    colour = colours(engines)
    for axis, link in zip(axes[0], links, strict=True):
        for place, engine in enumerate(engines):
            own = frame.filter(link=link, engine=engine)
            axis.plot(
                own["sessions"], own["share"], DASHES[place % len(DASHES)], color=colour[engine], linewidth=0.8
            )
            for holds in (True, False):
                marks = own.filter((own["verdict"] == "holds") == holds)
                axis.plot(
                    marks["sessions"], marks["share"], MARKERS[place % len(MARKERS)], color=colour[engine],
                    fillstyle="full" if holds else "none", label=plain(engine) if holds else None,
                )  # fmt: skip
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlabel("sessions")
        axis.set_title(f"RTT {frame.filter(link=link)['rtt_ms'][0]:g} ms")
    axes[0, 0].set_ylabel("share within the SLO")
    axes[0, 0].legend(frameon=False)
    return figure


def _subplots(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, squeeze=False, **options)
