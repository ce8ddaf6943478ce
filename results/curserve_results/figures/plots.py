"""How each figure is drawn from its frame. Engines differ by colour, marker and dash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curserve_results.figures.style import COLUMN, DASHES, MARKERS, PARTS, WIDE, colours, plain

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure


def _subplots(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, squeeze=False, **options)


def _unique(series: pl.Series) -> list[Any]:
    """Return distinct values in order of appearance."""
    return series.unique(maintain_order=True).to_list()


def _tier_label(frame: pl.DataFrame, link: str) -> str:
    """Return a tier's name with its RTT."""
    rtt = frame.filter(link=link)["rtt_ms"][0]
    if link.replace(" ", "") == f"{rtt:g}ms":
        return f"RTT {rtt:g} ms"
    return f"{plain(link)}\n{rtt:g} ms"


def _narrow_label(frame: pl.DataFrame, link: str) -> str:
    """Return the same, broken at its hyphens, for places as wide as a word."""
    return _tier_label(frame, link).replace("-", "-\n")


def latency(frame: pl.DataFrame) -> Figure:
    """Draw medians with intervals: tiers along x, engines side by side, ms on a log axis."""
    figure, axes = _subplots(figsize=(COLUMN, 2.4))
    axis = axes[0, 0]
    links, engines = _unique(frame["link"]), _unique(frame["engine"])
    colour = colours(engines)
    for place, engine in enumerate(engines):
        own = frame.filter(engine=engine)
        x = [links.index(link) + (place - (len(engines) - 1) / 2) * 0.13 for link in own["link"]]
        middle = own["p50_ms"].to_list()
        limits = list(zip(own["low_ms"], own["high_ms"], strict=True))
        below = [m - (low if low is not None else m) for m, (low, _) in zip(middle, limits, strict=True)]
        above = [(high if high is not None else m) - m for m, (_, high) in zip(middle, limits, strict=True)]
        axis.errorbar(
            x, middle, yerr=[below, above], fmt=MARKERS[place % len(MARKERS)], color=colour[engine],
            label=plain(engine), capsize=1.5, elinewidth=0.8, markeredgecolor="black", markeredgewidth=0.3,
        )  # fmt: skip
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_ylabel("tool round trip p50 [ms]")
    label = _tier_label if len(links) <= 3 else _narrow_label
    axis.set_xticks(range(len(links)), [label(frame, link) for link in links])
    axis.set_xlim(-0.6, len(links) - 0.4)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def breakdown(frame: pl.DataFrame) -> Figure:
    """Draw stacked bars of the parts of a turn on one scale: a group a tier, a bar an engine."""
    links = _unique(frame["link"])
    figure, axes = _subplots(figsize=(WIDE, 0.8 + 0.15 * (frame.height + len(links))))
    axis = axes[0, 0]
    places, names, at = [], [], 0.0
    for link in links:
        own = frame.filter(link=link)
        rows = [at + row for row in range(own.height)]
        left = [0.0] * own.height
        for part, colour in PARTS.items():
            label = part if link == links[0] else None
            axis.barh(rows, own[part], left=left, color=colour, label=label, edgecolor="white", linewidth=0.3)
            left = [a + b for a, b in zip(left, own[part], strict=True)]
        for row, total in zip(rows, left, strict=True):
            axis.annotate(
                f"{total:,.0f}", (total, row), xytext=(2, 0), textcoords="offset points", fontsize=6, va="center"
            )
        axis.annotate(
            _tier_label(frame, link), (1, (rows[0] + rows[-1]) / 2), xycoords=("axes fraction", "data"),
            xytext=(4, 0), textcoords="offset points", fontsize=6, va="center", annotation_clip=False,
        )  # fmt: skip
        places += rows
        names += [plain(engine) for engine in own["engine"]]
        at = rows[-1] + 2
    axis.set_yticks(places, names)
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.06, y=0.01)
    axis.set_xlabel("ms a turn")
    axis.invert_yaxis()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=len(PARTS), frameon=False)
    return figure


def distribution(frame: pl.DataFrame) -> Figure:
    """Draw the share of tool round trips at or below each time: a colour an engine, a line a tier."""
    links, engines = _unique(frame["link"]), _unique(frame["engine"])
    colour = colours(engines)
    figure, axes = _subplots(figsize=(WIDE, 2.6))
    axis = axes[0, 0]
    for place, engine in enumerate(engines):
        for link in links:
            own = frame.filter(link=link, engine=engine)
            if not own.height:
                continue
            axis.step(
                own["ms"], own["share"], where="post", color=colour[engine], ls=DASHES[place % len(DASHES)],
                linewidth=0.8, label=plain(engine) if link == links[0] else None,
            )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("tool round trip [ms]")
    axis.set_ylabel("share of turns")
    _name_lines(axis, frame.filter(engine=engines[0]), colour[engines[0]])
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
    return figure


def _name_lines(axis: Any, own: pl.DataFrame, colour: str) -> None:
    """Name the tiers of one engine's lines by their RTT above their medians, on two heights in turn."""
    for place, link in enumerate(_unique(own["link"])):
        line = own.filter(link=link)
        median = line.filter(line["share"] >= 0.5)["ms"][0]
        axis.annotate(
            f"{line['rtt_ms'][0]:g} ms", (median, 1.0), xytext=(0, 5 + 6 * (place % 2)),
            textcoords="offset points", fontsize=6, color=colour, ha="center", va="bottom", annotation_clip=False,
        )  # fmt: skip


def calibration(frame: pl.DataFrame) -> Figure:
    """Draw achieved less requested RTT against requested, before and after."""
    figure, axes = _subplots(figsize=(COLUMN, 1.9))
    axis = axes[0, 0]
    for (when,), marker, colour in zip((("before",), ("after",)), ("o", "x"), ("#0072b2", "#d55e00"), strict=True):
        own = frame.filter(when=when)
        if own.height:
            axis.plot(own["requested_ms"], own["error_ms"], marker, color=colour, label=f"{when} the run")
    axis.axhline(0, color="black", linewidth=0.6)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("RTT requested [ms]")
    axis.set_ylabel("achieved − requested [ms]")
    axis.set_title(plain("link calibration, backend " + ", ".join(_unique(frame["backend"]))))
    axis.margins(y=0.3)
    axis.legend(frameon=False)
    return figure


def tokens(frame: pl.DataFrame) -> Figure:
    """Draw token-equivalents as numbers on a map: a panel an engine, models by tiers."""
    import numpy as np
    import seaborn as sns
    from matplotlib.colors import LogNorm

    engines, links = _unique(frame["engine"]), _unique(frame["link"])
    models = _unique(frame.sort("tokens_per_s")["model"])
    figure, axes = _subplots(
        1, len(engines), figsize=(max(COLUMN, 2.3 * len(engines)), 1.0 + 0.24 * len(models)), sharey=True
    )
    positive = frame.filter(tokens=frame["tokens"])["tokens"].to_numpy()
    norm = LogNorm(max(0.1, float(positive.min())), max(1.0, float(positive.max())))
    for axis, engine in zip(axes[0], engines, strict=True):
        values = np.full((len(models), len(links)), np.nan)
        for row in frame.filter(engine=engine).iter_rows(named=True):
            values[models.index(row["model"]), links.index(row["link"])] = row["tokens"]
        text = np.vectorize(
            lambda v: "" if np.isnan(v) else f"{v:.2f}" if v < 1 else f"{v:.1f}" if v < 10 else f"{v:,.0f}"
        )(values)
        sns.heatmap(
            values, ax=axis, annot=text, fmt="", norm=norm, cmap="cividis", cbar=False, linewidths=0.5,
            annot_kws={"fontsize": 6}, xticklabels=[_narrow_label(frame, link) for link in links],
            yticklabels=[plain(model) for model in models],
        )  # fmt: skip
        axis.set_title(plain(engine))
        axis.tick_params(axis="both", rotation=0)
        axis.tick_params(axis="x", labelsize=5)
    figure.supxlabel("tokens that the model could write during one tool round trip (p50)", fontsize=7)
    return figure


def search(frame: pl.DataFrame) -> Figure:
    """Draw speed-up over rg by corpus size: a panel an engine, a line a hit density; without a literal: dashed."""
    from matplotlib import colormaps

    engines = _unique(frame["engine"])
    columns = min(3, len(engines))
    rows = -(-len(engines) // columns)
    figure, axes = _subplots(
        rows, columns, figsize=(max(COLUMN, 2.3 * columns), 1.9 * rows), sharex=True, sharey=True
    )
    labels = _unique(frame["label"])
    shades = colormaps["cividis"]
    for axis, engine in zip(axes.flat, engines, strict=False):
        for place, label in enumerate(labels):
            own = frame.filter(engine=engine, label=label).sort("megabytes")
            if not own.height:
                continue
            middle, low, high = (own[name] for name in ("speed_up", "low", "high"))
            limits = [(middle - low).fill_null(0).to_list(), (high - middle).fill_null(0).to_list()]
            axis.errorbar(
                own["megabytes"], middle, yerr=limits, marker=MARKERS[place % len(MARKERS)],
                color=shades(0.9 * place / max(1, len(labels) - 1)), ls="-" if own["literal"][0] else "--",
                label=plain(label), elinewidth=0.6, capsize=1.5,
            )  # fmt: skip
        axis.axhline(1, color="black", linewidth=0.6)
        axis.set_title(plain(engine))
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_major_formatter("{x:g}")
    for axis in axes.flat[len(engines) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("speed-up over rg")
    for axis in axes[-1]:
        axis.set_xlabel("corpus [MB]")
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, title="lines that match", loc="outside upper center", ncols=6, frameon=False)
    return figure
