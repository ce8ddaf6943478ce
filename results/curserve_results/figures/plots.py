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


def _panels(links: list[str], width: float, height: float, **options: Any) -> tuple[Figure, list[Any]]:
    """Return a figure with a panel for each tier, three a row, axes shared; `width` and `height` are a panel's."""
    columns = min(3, len(links))
    rows = -(-len(links) // columns)
    figure, axes = _subplots(
        rows, columns, figsize=(max(COLUMN, min(WIDE, width * columns)), height * rows), sharey=True, **options
    )
    flat = list(axes.ravel())
    for axis in flat[len(links) :]:
        axis.set_visible(False)
    for axis in flat[max(0, len(links) - columns) : len(links)]:
        axis.tick_params(labelbottom=True)
    return figure, flat[: len(links)]


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
    """Draw stacked bars of the parts of a turn: a panel a tier, a bar an engine."""
    links = _unique(frame["link"])
    rows = max(frame.filter(link=link).height for link in links)
    figure, axes = _panels(links, WIDE, 0.75 + 0.17 * rows, sharex=True)
    for axis, link in zip(axes, links, strict=True):
        own = frame.filter(link=link)
        names, left = [plain(e) for e in own["engine"]], [0.0] * own.height
        for part, colour in PARTS.items():
            axis.barh(names, own[part], left=left, color=colour, label=part, edgecolor="white", linewidth=0.3)
            left = [a + b for a, b in zip(left, own[part], strict=True)]
        axis.set_title(_tier_label(frame, link).replace("\n", ", "))
        axis.grid(axis="y", visible=False)
        axis.set_xlabel("ms a turn")
    axes[0].invert_yaxis()
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(PARTS), frameon=False)
    return figure


LEVELS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


def crossover(frame: pl.DataFrame) -> Figure:
    """Draw contours of speed-up with their limits over decode rate and RTT, and what was measured as dots."""
    import numpy as np
    from matplotlib.patheffects import withStroke

    figure, axes = _subplots(figsize=(COLUMN, 2.9))
    axis = axes[0, 0]
    outline = [withStroke(linewidth=1.6, foreground="#222222")]  # white is read on the bright end too
    grid, measured = frame.filter(kind="grid"), frame.filter(kind="measured")
    size = grid["tokens_per_s"].n_unique()
    x, y, z, low, high = (
        grid[name].to_numpy().reshape(size, -1) for name in ("tokens_per_s", "rtt_ms", "speed_up", "low", "high")
    )
    shade = axis.pcolormesh(x, y, np.log(z), cmap="cividis", shading="gouraud", rasterized=True)
    axis.contour(x, y, z, levels=LEVELS, colors="white", linewidths=1.0)
    for level in LEVELS:  # named where they leave the map, clear of what was measured
        if z[-1].min() < level < z[-1].max():
            place = (x[-1, 0], np.interp(level, z[-1], y[-1]))
            axis.annotate(f"{level:g}×", place, xytext=(2, 0), textcoords="offset points", fontsize=6, va="center")
    for limit in (low, high):
        if not np.isnan(limit).any():
            axis.contour(x, y, limit, levels=LEVELS, colors="white", linewidths=0.5, linestyles="dashed")
    axis.scatter(
        measured["tokens_per_s"], measured["rtt_ms"], c=np.log(measured["speed_up"].to_numpy()), cmap="cividis",
        norm=shade.norm, edgecolors="white", linewidths=0.6, s=12, zorder=3,
    )  # fmt: skip
    for rate, rtt, value in measured.select("tokens_per_s", "rtt_ms", "speed_up").iter_rows():
        axis.annotate(
            f"{value:.2f}", (rate, rtt), xytext=(4, 0), textcoords="offset points", fontsize=5,
            color="white", va="center", path_effects=outline,
        )  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter("{x:g}")
    axis.set_xlabel("decode rate [tokens/s]")
    axis.set_ylabel("RTT [ms]")
    axis.set_title(plain(f"end-to-end speed-up, {grid['engine'][0]} over client-subprocess"))
    axis.grid(visible=False)
    return figure


def distribution(frame: pl.DataFrame) -> Figure:
    """Draw the share of tool round trips at or below each time: a panel a tier, a line an engine."""
    links, engines = _unique(frame["link"]), _unique(frame["engine"])
    colour = colours(engines)
    figure, axes = _panels(links, 2.3, 2.2 if len(links) <= 3 else 1.8, sharex=True)
    for axis, link in zip(axes, links, strict=True):
        for place, engine in enumerate(engines):
            own = frame.filter(link=link, engine=engine)
            if own.height:
                axis.step(
                    own["ms"], own["share"], where="post", color=colour[engine], ls=DASHES[place % len(DASHES)],
                    label=plain(engine),
                )  # fmt: skip
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_title(_tier_label(frame, link).replace("\n", ", "))
        axis.set_xlabel("tool round trip [ms]")
    axes[0].set_ylabel("share of turns")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3 if len(links) < 3 else 5, frameon=False)
    return figure


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
