"""The crossover map's data: what a speed-up would be at any decode rate and round trip, from what was measured.

The map answers "where does it pay?" between the points that a run measures, so its formula takes from the samples
whatever it can: tokens, tools, trips, and how long each model thinks before its first token.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.statistics import interval
from curserve_results.store import scan
from curserve_results.summary import Summary, engine_place

RATES = (30.0, 4000.0)
RTTS_MS = (1.0, 400.0)
GRID = 60


def crossover(summary: Summary) -> pl.DataFrame:
    """Return the speed-up of the fastest co-located engine over decode rate x RTT, with limits.

    For each block of the longest tier, from its samples: tokens and tool time of a replay, and how many RTTs a
    client-placed replay really takes (k). TTFT is that of the trace's replays by each model, linear in ln(rate)
    between models and constant beyond them. Then, with rate r and round trip R,
    speed-up = (tokens / r + TTFT(r) + tools_client + k R) / (tokens / r + TTFT(r) + tools_server + R).
    At each point the logarithms become an estimate and its limits as everywhere (`statistics.interval`: over
    traces from five on, over blocks below; no limits below eight blocks). `kind` is `grid` or `measured`;
    what was measured carries its model and link.
    """
    parts = _block_parts(summary)
    engines = [e for e in sorted(set(parts["engine"]), key=engine_place) if e != REFERENCE]
    if not engines or REFERENCE not in set(parts["engine"]):
        return pl.DataFrame()
    engine = "daemon" if "daemon" in engines else engines[-1]
    reference = parts.filter(engine=REFERENCE)
    both = reference.join(parts.filter(engine=engine), on=["block", "trace"], suffix="_server").sort("block")
    if not both.height:
        return pl.DataFrame()
    rates, rtts = np.geomspace(*RATES, GRID), np.geomspace(*RTTS_MS, GRID)
    waits = {trace: _ttft_ms(own, rates) for (trace,), own in reference.group_by("trace")}
    rows = both.iter_rows(named=True)
    logs = np.stack([_surface(row, waits[row["trace"]], rates, rtts).ravel() for row in rows])
    found = [interval(point, both["trace"].to_list()).map(math.exp) for point in logs.T.tolist()]
    grid = pl.DataFrame(
        {
            "tokens_per_s": np.repeat(rates, GRID),
            "rtt_ms": np.tile(rtts, GRID),
            "speed_up": [one.estimate for one in found],
            "low": pl.Series([one.low for one in found], dtype=pl.Float64()),
            "high": pl.Series([one.high for one in found], dtype=pl.Float64()),
        }
    ).with_columns(
        kind=pl.lit("grid"), engine=pl.lit(engine), model=pl.lit(None, pl.String), link=pl.lit(None, pl.String)
    )
    return pl.concat([grid, _measured(summary, engine).select(grid.columns)])


def _ttft_ms(cells: pl.DataFrame, rates: np.ndarray) -> np.ndarray:
    """Return a replay's sum of times to first token at each decode rate, from the cells of one trace."""
    models = cells.group_by("tokens_per_s").agg(pl.col("ttft_ms").mean()).sort("tokens_per_s")
    at, wait = models["tokens_per_s"].to_numpy(), models["ttft_ms"].to_numpy()
    return np.asarray(np.interp(np.log(rates), np.log(at), wait))


def _surface(row: dict[str, float], ttft_ms: np.ndarray, rates: np.ndarray, rtts: np.ndarray) -> np.ndarray:
    """Return ln(speed-up) of one block on the grid (rates x RTTs in ms)."""
    model = (row["tokens"] / rates * 1e3 + ttft_ms)[:, None]
    client = model + row["tools_ms"] + row["rtts"] * rtts[None, :]
    server = model + row["tools_ms_server"] + rtts[None, :]
    return np.asarray(np.log(client / server))


def _block_parts(summary: Summary) -> pl.DataFrame:
    """Return for each cell of the longest tier tokens, ttft_ms, tools_ms, rtts and tokens_per_s of its replay."""
    longest = summary.cells["rtt_ns"].max()
    way = pl.col("prompt_read_ns") - pl.col("sent_ns") + pl.col("received_ns") - pl.col("last_token_ns")
    cells = summary.cells.select("block", "cell", tokens_per_s=_rates(summary))
    return (
        scan(summary.folder)
        .filter(pl.col("kind") == "turn", ~pl.col("engine").is_in(list(CONTROLS)), pl.col("rtt_ns") == longest)
        .group_by("block", "cell", "engine", "trace")
        .agg(
            tokens=pl.col("output_tokens").sum(),
            ttft_ms=pl.col("ttft_ns").sum() / 1e6,
            tools_ms=(pl.col("tools_done_ns") - pl.col("tools_started_ns")).sum() / 1e6,
            rtts=way.sum() / pl.col("rtt_ns").first(),
        )
        .filter(pl.col("rtts").is_finite())
        .collect()
        .join(cells, on=["block", "cell"], how="inner")
        .filter(pl.col("tokens_per_s").is_not_null())
    )


def _rates(summary: Summary) -> pl.Expr:
    """Return each row's decode rate in tokens/s; null for a model whose rate nobody knows."""
    known = {model: summary.tpot_ns(model) for model in summary.cells["model"].unique()}
    rates = {model: 1e9 / tpot for model, tpot in known.items() if tpot}
    return pl.col("model").replace_strict(rates, default=None, return_dtype=pl.Float64())


def _measured(summary: Summary, engine: str) -> pl.DataFrame:
    """Return the speed-ups that were measured, at their rates and RTTs."""
    from curserve_results.tables import speed_up

    rows = []
    for link, model, api in summary.groups():
        found, tpot = speed_up(summary, link, model, api, engine), summary.tpot_ns(model)
        here = summary.cells.filter(link=link, model=model, api=api)
        rtt = float(here["rtt_ns"][0] or 0) / 1e6
        if found is not None and tpot and rtt:
            numbers = (1e9 / tpot, rtt, found.estimate, found.low, found.high)
            rows.append((*numbers, "measured", engine, model, link))
    schema: dict[str, pl.DataType] = {
        **{name: pl.Float64() for name in ("tokens_per_s", "rtt_ms", "speed_up", "low", "high")},
        **{name: pl.String() for name in ("kind", "engine", "model", "link")},
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
