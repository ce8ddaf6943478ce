"""The data of each figure, as frames: what is drawn is exactly what is in the CSV beside it.

Loaded only where figures are drawn, so polars and numpy are imported at the top.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from curserve_results.derive import GROUP
from curserve_results.schema import CONTROLS
from curserve_results.statistics import percentile_interval
from curserve_results.store import scan
from curserve_results.summary import Summary, engine_place


def _requested(summary: Summary) -> pl.DataFrame:
    """Return each tier's requested round-trip time, in ms."""
    return summary.cells.group_by("link").agg(rtt_ms=pl.col("rtt_ns").first() / 1e6)


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by tier's RTT, then by engine as in tables."""
    rank = {engine: place for place, engine in enumerate(sorted(set(frame["engine"]), key=engine_place))}
    column = pl.col("engine").replace_strict(rank, return_dtype=pl.Int32)
    return frame.sort("rtt_ms", column, maintain_order=True)


def latency(summary: Summary, model: str) -> pl.DataFrame:
    """Return median tool round trips in ms with their limits: link, rtt_ms, engine, p50_ms, low_ms, high_ms, n."""
    rows = []
    own = summary.round_trips(model=model)
    for (link, engine), group in own.group_by("link", "engine"):
        values = group["round_trip_ns"].to_numpy()
        low, high = percentile_interval(values, group["block"].to_numpy(), 50) or (None, None)
        middle = float(group["round_trip_ns"].median()) / 1e6  # type: ignore[arg-type]
        limits = [None if limit is None else limit / 1e6 for limit in (low, high)]
        rows.append((link, engine, middle, *limits, len(values)))
    schema = ["link", "engine", "p50_ms", "low_ms", "high_ms", "n"]
    frame = pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)
    return _ordered(frame.join(_requested(summary), on="link")) if rows else frame


def breakdown(summary: Summary, model: str) -> pl.DataFrame:
    """Return the mean time a turn takes in each part, in ms: link, rtt_ms, engine, one column a part.

    Parts are summed over a cell's turns. A server-placed loop crosses the link only once in each direction: it
    receives the turns where it runs, and the last downlink ends with the cell. What no part holds is dispatch, so
    that the parts add up to end-to-end.
    """

    def total(late: pl.Expr, early: str) -> pl.Expr:
        return (late - pl.col(early)).sum() / 1e6

    turns = (
        scan(summary.folder)
        .filter(pl.col("kind") == "turn", pl.col("model") == model)
        .select("block", "cell", "turn", *_TIMES)
        .collect()
        .join(
            summary.cells.select("block", "cell", "link", "engine", "started_ns", "end_to_end_ns"),
            on=["block", "cell"],
        )
    )
    last = pl.col("turn") == pl.col("turn").max().over("block", "cell")
    done = pl.when(last).then(pl.col("started_ns") + pl.col("end_to_end_ns"))
    per_cell = (
        turns.with_columns(received_ns=pl.coalesce(done, "received_ns"))
        .group_by("block", "cell")
        .agg(
            pl.col("link", "engine").first(),
            total(pl.col("prompt_read_ns"), "sent_ns").alias("uplink"),
            total(pl.col("first_token_ns"), "prompt_read_ns").alias("TTFT"),
            total(pl.col("last_token_ns"), "first_token_ns").alias("decode"),
            total(pl.col("received_ns"), "last_token_ns").alias("downlink"),
            total(pl.col("tools_done_ns"), "tools_started_ns").alias("tool"),
            end_to_end=pl.col("end_to_end_ns").first() / 1e6,
            turns=pl.len(),
        )
    )
    rest = pl.col("end_to_end") - pl.sum_horizontal("uplink", "TTFT", "decode", "downlink", "tool")
    parts = ("uplink", "TTFT", "decode", "downlink", "dispatch", "tool")
    frame = (
        per_cell.with_columns(dispatch=rest.clip(lower_bound=0))
        .group_by("link", "engine")
        .agg(*(pl.col(part).sum() / pl.col("turns").sum() for part in parts), turns=pl.col("turns").sum())
    )
    return _ordered(frame.join(_requested(summary), on="link")) if frame.height else frame


_TIMES = (
    *("sent_ns", "prompt_read_ns", "first_token_ns", "last_token_ns", "received_ns"),
    *("tools_started_ns", "tools_done_ns"),
)


def distribution(summary: Summary, model: str) -> pl.DataFrame:
    """Return the empirical distribution of tool round trips, thinned to 400 steps: link, engine, ms, share."""
    parts = []
    own = summary.round_trips(model=model)
    for (link, engine), group in own.group_by("link", "engine"):
        values = np.sort(group["round_trip_ns"].to_numpy()) / 1e6
        at = np.unique(np.linspace(0, len(values) - 1, 400).astype(int))
        parts.append(
            pl.DataFrame({"ms": values[at], "share": (at + 1) / len(values)}).with_columns(
                link=pl.lit(link), engine=pl.lit(engine)
            )
        )
    if not parts:
        return pl.DataFrame()
    return _ordered(pl.concat(parts).join(_requested(summary), on="link"))


def calibration(summary: Summary) -> pl.DataFrame:
    """Return what each link's calibration found: link, backend, requested_ms, when, error_ms."""
    rows = [
        (link.name, link.backend, link.requested_rtt_ns / 1e6, when, (achieved - link.requested_rtt_ns) / 1e6)
        for link in summary.manifest.links
        for when, achieved in (("before", link.achieved_before_ns), ("after", link.achieved_after_ns))
        if achieved is not None
    ]
    schema = ["link", "backend", "requested_ms", "when", "error_ms"]
    return pl.DataFrame(rows, schema=schema, orient="row").sort("requested_ms", "when", descending=[False, True])


def tokens(summary: Summary) -> pl.DataFrame:
    """Return token-equivalents of the median tool round trip: model, link, rtt_ms, engine, tokens."""
    medians = (
        summary.round_trips()
        .filter(~pl.col("engine").is_in(list(CONTROLS)))
        .group_by(GROUP)
        .agg(pl.col("round_trip_ns").median())
    )
    rows = [
        (model, link, engine, value / tpot, 1e9 / tpot)
        for link, model, _, engine, value in medians.iter_rows()
        if (tpot := summary.tpot_ns(model))
    ]
    schema = ["model", "link", "engine", "tokens", "tokens_per_s"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return _ordered(frame.join(_requested(summary), on="link").sort("tokens_per_s")) if rows else frame
