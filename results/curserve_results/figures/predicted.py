"""Figures of a simulated load: goodput against load, and what server tools gain over client tools at each load.

Loaded only where figures are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curserve_results.figures.style import COLUMN, DASHES, MARKERS, colours, plain
from curserve_results.load.predicted import hourly
from curserve_results.load.repetitions import mean_of
from curserve_results.schema import REFERENCE
from curserve_results.summary import engine_place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from curserve_results.manifest import Manifest

WIDEST = 3
"""Panels side by side."""


def loads(manifest: Manifest) -> pl.DataFrame:
    """Return goodput an hour (without an SLO: what finished), with limits, by link, model, load and engine."""
    judged = bool(manifest.extra["load"].get("slo"))
    frame = pl.DataFrame(
        [
            {
                "link": str(record["link"]).partition(" @ ")[0],
                "model": record["model"],
                "engine": record["engine"],
                "load": record["load_size"],
                "title": record["load"],
                "rate": hourly(record, "good" if judged else "finished"),
                "tasks": hourly(record, "finished"),
            }
            for record in manifest.extra["predicted"]
        ]
    )
    rtt = {link.name.partition(" @ ")[0]: link.requested_rtt_ns / 1e6 for link in manifest.links}
    rows = []
    for key, own in frame.group_by("link", "model", "engine", "load", maintain_order=True):
        found = mean_of(own["rate"].to_list())
        link, model, engine, load = key
        place = link, rtt[str(link)], model, engine, load, own["title"][0]
        rows.append((*place, found.value, found.low, found.high, own["tasks"].mean()))
    columns = ["link", "rtt_ms", "model", "engine", "load", "title", "rate", "low", "high", "tasks"]
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)


def goodput(frame: pl.DataFrame) -> Figure:
    """Draw goodput against load: a panel for each model and link, a line and an interval for each engine."""
    panels = list(frame.select("model", "link").unique(maintain_order=True).iter_rows())
    figure, axes = _panels(len(panels))
    engines = sorted(frame["engine"].unique(), key=engine_place)
    colour = colours(engines)
    for axis, (model, link) in zip(axes, panels, strict=False):
        for place, engine in enumerate(engines):
            own = frame.filter(model=model, link=link, engine=engine).sort("load")
            axis.plot(
                own["load"], own["rate"], color=colour[engine], marker=MARKERS[place], linestyle=DASHES[place],
                label=plain(engine),
            )  # fmt: skip
            if own["low"].null_count() == 0:
                axis.fill_between(
                    own["load"], own["low"], own["high"], color=colour[engine], alpha=0.2, linewidth=0
                )
        axis.set_xscale("log")
        axis.set_xticks(sorted(frame["load"].unique()), [f"{load:.3g}" for load in sorted(frame["load"].unique())])
        axis.minorticks_off()
        axis.set_title(f"{plain(model)}, {plain(link)}")
        axis.set_xlabel("users" if "session" in str(frame["title"][0]) else "sessions that come a second")
    axes[0].set_ylabel("predicted goodput [sessions/h]")
    axes[0].legend()
    return figure


def gains(frame: pl.DataFrame) -> pl.DataFrame:
    """Return finished sessions over those of the reference, by link, model and load; none with one link and model.

    Not goodput: users who wait for no way ask more of a full server, and may miss an objective for it.
    """
    base = frame.filter(engine=REFERENCE).select("link", "model", "load", base="tasks")
    others = frame.filter(pl.col("engine") != REFERENCE).join(base, on=["link", "model", "load"])
    found = others.filter(pl.col("base") > 0).with_columns(ratio=pl.col("tasks") / pl.col("base"))
    several = found["link"].n_unique() * found["model"].n_unique() > 1
    return found.select("link", "rtt_ms", "model", "engine", "load", "title", "ratio").filter(several)


def gain(frame: pl.DataFrame) -> Figure:
    """Draw the gain against the round trip: a panel for each load, a line for each model; of the last engine."""
    engine = max(frame["engine"].unique(), key=engine_place)
    own = frame.filter(engine=engine)
    sizes = own.sort("load")["load"].unique(maintain_order=True).to_list()
    figure, axes = _panels(len(sizes))
    models = own["model"].unique(maintain_order=True).to_list()
    for axis, size in zip(axes, sizes, strict=False):
        for place, model in enumerate(models):
            line = own.filter(load=size, model=model).sort("rtt_ms")
            axis.plot(
                line["rtt_ms"], line["ratio"], marker=MARKERS[place % len(MARKERS)],
                linestyle=DASHES[place % len(DASHES)], label=plain(model),
            )  # fmt: skip
        axis.axhline(1, color="black", linewidth=0.5)
        axis.set_title(plain(own.filter(load=size)["title"][0]))
        axis.set_xlabel("RTT [ms]")
    axes[0].set_ylabel(f"predicted sessions/h,\n{plain(engine)} / {plain(REFERENCE)}")
    axes[-1].legend()
    return figure


def _panels(count: int) -> tuple[Figure, list[Any]]:
    import matplotlib.pyplot as plt

    columns = min(count, WIDEST)
    rows = -(-count // columns)
    figure, axes = plt.subplots(
        rows, columns, squeeze=False, sharey="all", figsize=(COLUMN * max(1, columns * 0.7), 2.2 * rows)
    )
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return figure, list(axes.flat[:count])
