"""The crossover map: at which decode rate and at which distance tools beside the model pay.

Drawn for a reader of ten seconds: models and tiers are named along the axes, a few bands say how much faster, and
the numbers on them are what was measured. Text has a contrast of 4.5 or more on every band (WCAG 2.2, AA), and
the bands differ in lightness, so that every form of colour blindness tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curserve_results.figures.style import COLUMN, plain

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

LEVELS = {1.1: "10 % faster", 1.5: "1.5 times as fast", 2.0: "twice as fast", 3.0: "3 times", 5.0: "5 times"}
"""The contours, and what each is called."""

SCREEN = 11.0
"""Width in inches of the map for a page: more than 1,000 pixels."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one map: the page, its text, the lines, and a band below each level and above the last."""

    page: str
    text: str
    line: str
    bands: tuple[str, ...]


LIGHT = Theme("#ffffff", "#111111", "#08519c", ("#ffffff", "#e3eef9", "#c2dbef", "#9ccae6", "#77b5da", "#5ba3cf"))
DARK = Theme("#0d1117", "#f0f6fc", "#9ecbff", ("#0d1117", "#10263c", "#123a5a", "#154f78", "#195f8c", "#1d6c9c"))


def column(frame: pl.DataFrame) -> Figure:
    """Draw the map for a column of a paper."""
    return _draw(frame, LIGHT, (COLUMN, 3.1), 6)


def light(frame: pl.DataFrame) -> Figure:
    """Draw the map for a light page."""
    return _draw(frame, LIGHT, (SCREEN, 6.2), 11)


def dark(frame: pl.DataFrame) -> Figure:
    """Draw the map for a dark page."""
    return _draw(frame, DARK, (SCREEN, 6.2), 11)


def _draw(frame: pl.DataFrame, theme: Theme, size: tuple[float, float], points: float) -> Figure:
    import matplotlib.pyplot as plt
    from matplotlib.patheffects import withStroke

    figure, axis = plt.subplots(figsize=size, facecolor=theme.page)
    axis.set_facecolor(theme.page)
    axis.set_xscale("log")
    axis.set_yscale("log")
    _bands(axis, frame.filter(kind="grid"), theme, points)
    measured = frame.filter(kind="measured")
    narrow = size[0] < SCREEN
    for rate, rtt, value in measured.select("tokens_per_s", "rtt_ms", "speed_up").iter_rows():
        band = theme.bands[sum(value >= level for level in LEVELS)]
        axis.annotate(
            f"{value:.2f}", (rate, rtt), fontsize=points * (0.8 if narrow else 1), color=theme.text, ha="center",
            va="center", path_effects=[withStroke(linewidth=points / 4, foreground=band)],
        )  # fmt: skip
    _name_axes(axis, measured, narrow=narrow, points=points)
    what = "End-to-end speed-up" if narrow else "How much faster a task gets with tools beside the model"
    axis.set_title(plain(f"{what} ({frame['engine'][0]})"), fontsize=points * 1.15)
    axis.grid(visible=False)
    for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
        text.set_color(theme.text)
    axis.tick_params(colors=theme.text, which="both", labelsize=points)
    for spine in axis.spines.values():
        spine.set_color(theme.text)
    return figure


def _bands(axis: Any, grid: pl.DataFrame, theme: Theme, points: float) -> None:
    """Fill between the contours, name each where it leaves the map, and dash its 95 % limits."""
    import numpy as np

    rows = grid["tokens_per_s"].n_unique()
    x, y, z, low, high = (
        grid[name].to_numpy().reshape(rows, -1) for name in ("tokens_per_s", "rtt_ms", "speed_up", "low", "high")
    )
    levels = list(LEVELS)
    axis.contourf(x, y, z, levels=[0, *levels, np.inf], colors=theme.bands)
    axis.contour(x, y, z, levels=levels, colors=theme.line, linewidths=points / 6)
    for limit in (low, high):
        if not np.isnan(limit).any():
            axis.contour(
                x, y, limit, levels=levels, colors=theme.line, linewidths=points / 14, linestyles="dashed"
            )
    for level, words in LEVELS.items():
        if z[-1].min() < level < z[-1].max():
            place = (x[-1, 0], np.interp(level, z[-1], y[-1]))
            axis.annotate(
                words, place, xytext=(points / 2, 0), textcoords="offset points", fontsize=points,
                color=theme.text, va="center", annotation_clip=False,
            )  # fmt: skip


def _name_axes(axis: Any, measured: pl.DataFrame, *, narrow: bool, points: float) -> None:
    """Name the models along x and the tiers along y, with their numbers."""
    models = measured.select("model", "tokens_per_s").unique("model").sort("tokens_per_s")
    tiers = measured.select("link", "rtt_ms").unique("link").sort("rtt_ms")
    names = [
        f"{plain(model)}, {rate:,.0f}" if narrow else "\n".join((*plain(model).split(" ", 1), f"{rate:,.0f}"))
        for model, rate in models.iter_rows()
    ]
    axis.set_xticks(models["tokens_per_s"].to_list(), names, fontsize=points)
    if narrow:
        for label in axis.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(
        tiers["rtt_ms"].to_list(), [plain(_tier(link, rtt)) for link, rtt in tiers.iter_rows()], fontsize=points
    )
    axis.minorticks_off()
    axis.set_xlabel("model and its decode rate [tokens/s]", fontsize=points)
    axis.set_ylabel("distance: tier and its round trip [ms]", fontsize=points)


def _tier(link: str, rtt_ms: float) -> str:
    return f"{rtt_ms:g} ms" if link.replace(" ", "") == f"{rtt_ms:g}ms" else f"{link}, {rtt_ms:g}"
