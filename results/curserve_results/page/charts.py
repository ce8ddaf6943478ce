"""The charts of the page as Vega-Lite, by altair: speed-up, distributions, and the timeline of any trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from curserve_results.figures import data
from curserve_results.figures.style import PARTS, colours
from curserve_results.schema import CONTROLS
from curserve_results.store import scan
from curserve_results.summary import engine_place

if TYPE_CHECKING:
    from curserve_results.summary import Summary

TIMELINE_TURNS = 8_000
"""Turns whose timeline is in the page; what is beyond is named in the caption."""


def charts(summary: Summary) -> list[dict[str, Any]]:
    """Return caption and Vega-Lite specification of every chart."""
    engines = sorted(set(summary.cells["engine"]), key=engine_place)
    colour = alt.Color(
        "engine:N", sort=engines, title=None,
        scale=alt.Scale(domain=engines, range=[colours(engines)[e] for e in engines]),
    )  # fmt: skip
    return [
        {"caption": caption, "spec": _spec(chart)}
        for caption, chart in (
            _speed_up(summary, colour),
            _distribution(summary, colour),
            _timeline(summary, engines),
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
    """Return a drop-down list: reachable by keyboard, read by screen readers."""
    return alt.param(name=name, value=values[0], bind=alt.binding_select(options=values, name=f"{label} "))


def _speed_up(summary: Summary, colour: alt.Color) -> tuple[str, Any]:
    """Chart the paired speed-up with its interval by tier, for the model that is chosen."""
    from curserve_results.tables import speed_up

    rows = []
    for link, model, api in summary.groups():
        here = summary.cells.filter(link=link, model=model, api=api)
        for engine in sorted(set(here["engine"]) - set(CONTROLS), key=engine_place):
            found = speed_up(summary, link, model, api, engine)
            if found is not None:
                rows.append((link, model, engine, found.estimate, found.low, found.high))
    frame = pl.DataFrame(
        rows, schema=["link", "model", "engine", "speed_up", "low", "high"], orient="row", infer_schema_length=None
    )
    models, links = _models(summary), list(dict.fromkeys(link for link, _, _ in summary.groups()))
    chosen = _choice("speed_up_model", models, "model")
    base = alt.Chart(_csv(frame)).transform_filter("datum.model == speed_up_model")
    x = alt.X("link:N", sort=links, title=None, axis=alt.Axis(labelAngle=0))
    offset = alt.XOffset("engine:N")
    scale = alt.Scale(zero=False)
    points = base.mark_point(filled=True, size=70).encode(
        x=x, xOffset=offset, color=colour, y=alt.Y("speed_up:Q", title="end-to-end speed-up", scale=scale),
        shape=alt.Shape("engine:N", legend=None), tooltip=["engine:N", "speed_up:Q", "low:Q", "high:Q"],
    )  # fmt: skip
    bars = base.mark_rule(strokeWidth=2).encode(
        x=x, xOffset=offset, color=colour, y=alt.Y("low:Q", title="end-to-end speed-up", scale=scale), y2="high:Q"
    )
    chart = alt.layer(bars, points).add_params(chosen).properties(width="container", height=260)
    return "Paired end-to-end speed-up over client-subprocess, with 95 % intervals", chart


def _models(summary: Summary) -> list[str]:
    """Return the run's models, the default one first."""
    models = list(dict.fromkeys(model for _, model, _ in summary.groups()))
    return sorted(models, key=lambda m: m != "SWE-grep")


def _links(summary: Summary) -> list[str]:
    """Return the run's links, the one with the longest round trip first: the default of charts that show one."""
    by_rtt = summary.cells.group_by("link").agg(pl.col("rtt_ns").max()).sort("rtt_ns", "link", descending=True)
    return by_rtt["link"].to_list()


def _distribution(summary: Summary, colour: alt.Color) -> tuple[str, Any]:
    """Chart the distribution of tool round trips for the tier that is chosen."""
    frame = data.distribution(summary, _models(summary)[0]).select("link", "engine", "ms", "share")
    links = [link for link in _links(summary) if link in set(frame["link"])]
    chosen = _choice("cdf_link", links, "tier")
    chart = (
        alt.Chart(_csv(frame))
        .transform_filter("datum.link == cdf_link")
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("ms:Q", scale=alt.Scale(type="log"), title="tool round trip [ms]"),
            y=alt.Y("share:Q", title="share of turns"),
            color=colour,
            strokeDash=alt.StrokeDash("engine:N", legend=None),
            tooltip=["engine:N", "ms:Q", "share:Q"],
        )
        .add_params(chosen)
        .properties(width="container", height=260)
    )
    return f"Distribution of tool round trips, {_models(summary)[0]}", chart


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
    more = f"; {left_out:,} turns of further replays are in the samples" if left_out else ""
    return f"Timeline of one replay, engine by engine{more}", chart


def _segments(summary: Summary) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return the parts of turns as bars in seconds, the groups they belong to, and how many turns are left out.

    A bar names its group and its part by number (`g`, `p`): names would make the page three times as large.
    """
    void = [link.name for link in summary.manifest.links if link.void_reason]
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
