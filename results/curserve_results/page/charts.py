"""The charts of the page as Vega-Lite, by altair: speed-up, distributions, and the timeline of any trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from curserve_results.figures import data
from curserve_results.figures.style import PARTS, colours
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.store import scan
from curserve_results.summary import engine_place

if TYPE_CHECKING:
    from curserve_results.summary import Summary

TIMELINE_TURNS = 8_000
"""Turns whose timeline is in the page; what is beyond is named in the caption."""


def charts(summary: Summary) -> list[dict[str, Any]]:
    """Return caption and Vega-Lite specification of every chart that the samples carry."""
    engines = sorted(set(summary.cells["engine"]), key=engine_place)
    colour = alt.Color("engine:N", sort=engines, title=None, scale=_scale(engines))
    return [
        {"caption": caption, "spec": _spec(chart.properties(description=f"{caption}; numbers: in the table"))}
        for caption, chart in filter(
            None, (_speed_up(summary), _distribution(summary, engines, colour), _timeline(summary, engines))
        )
    ]


def _spec(chart: Any) -> dict[str, Any]:
    """Return a chart as a plain dictionary; its data goes in as CSV, which is half the size of records."""
    specification: dict[str, Any] = chart.to_dict(context={"pre_transform": False})
    specification.pop("config", None)
    specification.pop("$schema", None)
    specification["autosize"] = {"type": "fit-x", "contains": "padding"}
    return specification


def _csv(frame: pl.DataFrame) -> alt.Data:
    """Return a frame as inline CSV."""
    numbers = {name: "number" for name, kind in frame.schema.items() if kind.is_numeric()}
    strings = {name: "string" for name, kind in frame.schema.items() if kind == pl.String}
    return alt.InlineData(
        values=frame.write_csv(float_precision=4),
        format=alt.CsvDataFormat(type="csv", parse={**numbers, **strings}),
    )


def _choice(name: str, values: list[str], label: str) -> alt.Parameter:
    """Return a list to choose from, for keyboards and screen readers too; none for a single value."""
    if len(values) == 1:
        return alt.param(name=name, value=values[0])
    return alt.param(name=name, value=values[0], bind=alt.binding_select(options=values, name=f"{label} "))


def _speed_up(summary: Summary) -> tuple[str, Any] | None:
    """Chart the paired speed-up with its interval for the model that is chosen: a row a tier and engine."""
    from curserve_results.tables import speed_up

    rows = []
    for link, model, api in summary.groups():
        here = summary.cells.filter(link=link, model=model, api=api)
        for engine in sorted(set(here["engine"]) - {*CONTROLS, REFERENCE}, key=engine_place):
            found = speed_up(summary, link, model, api, engine)
            if found is not None:
                text = f"{found.estimate:.2f}×"
                right = found.high or found.estimate
                rows.append((link, model, engine, found.estimate, found.low, found.high, right, text))
    frame = pl.DataFrame(
        rows, schema=_SPEED_UP, orient="row",
        infer_schema_length=None,
    )  # fmt: skip
    if not frame.height:
        return None
    engines = sorted(set(frame["engine"]), key=engine_place)
    models, links = _models(summary), list(dict.fromkeys(link for link, _, _ in summary.groups()))
    colour = alt.Color("engine:N", sort=engines, title=None, scale=_scale(engines))
    base = alt.Chart(_csv(frame)).transform_filter("datum.model == speed_up_model")
    y, offset = alt.Y("link:N", sort=links, title=None), alt.YOffset("engine:N", sort=engines)
    ends = pl.concat([frame["speed_up"], frame["low"], frame["right"]]).drop_nulls().to_list() or [1.0]
    scale = alt.Scale(type="log", domain=[min(1.0, *ends) / 1.02, max(1.0, *ends) * 1.1], nice=False)
    x = alt.X("speed_up:Q", title="end-to-end speed-up (log scale)", scale=scale)
    tooltip = ["link:N", "engine:N", "speed_up:Q", "low:Q", "high:Q"]
    layers = (
        alt.Chart(alt.InlineData(values=[{"one": 1}])).mark_rule(strokeDash=[4, 3], color="#888888").encode(
            x="one:Q"
        ),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", y=y, yOffset=offset, color=colour),
        base.mark_tick(thickness=2, size=11).encode(x="low:Q", y=y, yOffset=offset, color=colour),
        base.mark_tick(thickness=2, size=11).encode(x="high:Q", y=y, yOffset=offset, color=colour),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            x=x, y=y, yOffset=offset, color=colour, tooltip=tooltip,
            shape=alt.Shape("engine:N", sort=engines, title=None, scale=alt.Scale(domain=engines)),
        ),
        base.mark_text(align="left", dx=8, fontSize=11).encode(x="right:Q", y=y, yOffset=offset, text="text:N"),
    )  # fmt: skip
    height = len(links) * (22 * max(1, len(engines)) + 10)
    chart = alt.layer(*layers).add_params(_choice("speed_up_model", models, "model"))
    caption = f"End-to-end speed-up over {REFERENCE} in the same block, with 95 % intervals"
    return caption, chart.properties(width="container", height=height)


_SPEED_UP = ["link", "model", "engine", "speed_up", "low", "high", "right", "text"]


def _scale(engines: list[str]) -> alt.Scale:
    """Return the colours of engines."""
    return alt.Scale(domain=engines, range=[colours(engines)[e] for e in engines])


def _models(summary: Summary) -> list[str]:
    """Return the run's models, the default one first."""
    models = list(dict.fromkeys(model for _, model, _ in summary.groups()))
    return sorted(models, key=lambda m: m != "SWE-grep")


def _links(summary: Summary) -> list[str]:
    """Return the run's links, the one with the longest round trip first: the default of charts that show one."""
    by_rtt = summary.cells.group_by("link").agg(pl.col("rtt_ns").max()).sort("rtt_ns", "link", descending=True)
    return by_rtt["link"].to_list()


def _distribution(summary: Summary, engines: list[str], colour: alt.Color) -> tuple[str, Any] | None:
    """Chart the distribution of tool round trips for the tier that is chosen."""
    frame = data.distribution(summary, _models(summary)[0])
    if not frame.height:
        return None
    frame = frame.select("link", "engine", "ms", "share")
    links = [link for link in _links(summary) if link in set(frame["link"])]
    chosen = _choice("cdf_link", links, "tier")
    chart = (
        alt.Chart(_csv(frame))
        .transform_filter("datum.link == cdf_link")
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X(
                "ms:Q",
                scale=alt.Scale(type="log", nice=False),
                title="tool round trip [ms]",
                axis=alt.Axis(values=_decades(frame["ms"]), format="~r"),
            ),
            y=alt.Y("share:Q", title="share of turns", axis=alt.Axis(format="%")),
            color=colour,
            strokeDash=alt.StrokeDash("engine:N", sort=engines, title=None, scale=alt.Scale(domain=engines)),
            tooltip=["engine:N", "ms:Q", "share:Q"],
        )
        .add_params(chosen)
        .properties(width="container", height=260)
    )
    return f"Distribution of tool round trips, {_models(summary)[0]}", chart


def _decades(values: pl.Series) -> list[float]:
    """Return 1, 2 and 5 of each power of ten between the least and the largest value."""
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]  # not empty
    marks = [m * 10.0**power for power in range(-6, 9) for m in (1, 2, 5)]
    return [mark for mark in marks if low <= mark <= high]


def _timeline(summary: Summary, engines: list[str]) -> tuple[str, Any]:
    """Chart what happens when, for one replay of the trace, tier and model that are chosen, engine by engine."""
    frame, groups, left_out = _segments(summary)
    links = [link for link in _links(summary) if link in set(groups["link"])]
    models = groups["model"].unique(maintain_order=True).to_list()
    traces = sorted(set(groups["trace"]))
    boxes = [
        _choice(f"timeline_{name}", values, label)
        for name, values, label in (
            ("trace", traces, "trace"),
            ("link", links, "tier"),
            ("model", models, "model"),
        )
    ]
    chart = (
        alt.Chart(_csv(frame))
        .transform_lookup("g", alt.LookupData(_csv(groups), "g", ["trace", "link", "model", "engine"]))
        .transform_calculate(part=f"{list(PARTS)!r}[datum.p]")
        .transform_filter(
            "datum.trace == timeline_trace && datum.link == timeline_link && datum.model == timeline_model"
        )
        .mark_bar(height={"band": 0.8})
        .encode(
            x=alt.X("start:Q", title="seconds since the replay began"),
            x2="end:Q",
            y=alt.Y("engine:N", sort=engines, title=None),
            color=alt.Color("part:N", title=None, scale=alt.Scale(domain=list(PARTS), range=list(PARTS.values()))),
            tooltip=["engine:N", "turn:Q", "part:N", "start:Q", "end:Q"],
        )
        .add_params(*boxes)
        .properties(width="container", height=26 * len(engines))
    )
    more = f"; {left_out:,} more turns are in the samples" if left_out else ""
    return f"Timeline of a trace, engine by engine (first repetition{more})", chart


def _segments(summary: Summary) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return the parts of turns as bars in seconds, the groups they belong to, and how many turns are left out.

    A bar names its group and its part by number (`g`, `p`): names would make the page three times as large.
    """
    void = [link.name for link in summary.manifest.links if link.void_reason and link.name not in summary.void]
    turns = (
        scan(summary.folder)
        .filter(pl.col("kind") == "turn", ~pl.col("link").is_in(void))
        .select("trace", "link", "model", "engine", "repetition", "block", "cell", "turn", *_TIMES)
        .sort(pl.col("model") != _models(summary)[0], "repetition", "block", "cell", "turn")
    )
    total = turns.select(pl.len()).collect().item()
    first = (
        turns.filter(pl.col("repetition") == pl.col("repetition").min().over("trace", "link", "model", "engine"))
        .head(TIMELINE_TURNS)
        .with_columns(next_sent_ns=pl.col("sent_ns").shift(-1).over("block", "cell"))
        .with_columns(zero=pl.col("sent_ns").min().over("block", "cell"))
        .collect()
    )
    bars = (
        ("uplink", "sent_ns", "prompt_read_ns"),
        ("TTFT", "prompt_read_ns", "first_token_ns"),
        ("decode", "first_token_ns", "last_token_ns"),
        ("downlink", "last_token_ns", "received_ns"),
        ("dispatch", "received_ns", "tools_started_ns"),
        ("tool", "tools_started_ns", "tools_done_ns"),
        ("dispatch", "tools_done_ns", "next_sent_ns"),
    )
    keys = ["trace", "link", "model", "engine"]
    groups = first.select(keys).unique(maintain_order=True).with_row_index("g")
    first = first.join(groups, on=keys)
    parts = [
        first.select(
            "g",
            "turn",
            start=(pl.col(early) - pl.col("zero")) / 1e9,
            end=(pl.col(late) - pl.col("zero")) / 1e9,
            p=pl.lit(list(PARTS).index(part)),
        ).filter(pl.col("end") - pl.col("start") >= 5e-5)
        for part, early, late in bars
    ]
    return pl.concat(parts), groups, total - first.height


_TIMES = (
    "sent_ns",
    "prompt_read_ns",
    "first_token_ns",
    "last_token_ns",
    "received_ns",
    "tools_started_ns",
    "tools_done_ns",
)
