"""The main table of `replay`, one definition for every format. Main names: `main_tables`, `render`.

One table per tier and model: an engine a row. What each column means, and by which formula, stands in COLUMNS
and is what `report --explain` prints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_results.notes import notes
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.statistics import interval, paired_log_ratios, percentiles
from curserve_results.summary import Summary, engine_place, summarise
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.statistics import Interval
    from curserve_results.trips import Whole

COLUMNS = (
    Column("engine", "engine", "text", "the way the tool calls were executed"),
    Column(
        "end_to_end",
        "end-to-end",
        "seconds",
        "mean over traces of the median over blocks of (done_ns - started_ns) of the engine's cells",
    ),
    Column(
        "round_trip_p50",
        "tool round trip p50",
        "duration",
        "median over turns of prompt_read_ns of the next turn - last_token_ns of the turn that called tools",
    ),
    Column("round_trip_p90", "p90", "duration", "90th percentile of the same; shown from 64 samples on"),
    Column("round_trip_p95", "p95", "duration", "95th percentile of the same; shown from 130 samples on"),
    Column(
        "speed_up",
        "speed-up [95 %]",
        "ratio",
        f"exp of the mean over traces of the mean over blocks of ln(end-to-end of {REFERENCE} / end-to-end "
        "of the engine), both in one block; t interval over traces (5 or more) or over blocks within traces",
    ),
    Column(
        "whole",
        "whole task",
        "ratio",
        "as the speed-up, of (done_ns - started_ns + the sum of recorded_ns over the calls answered from the "
        "recording): what a session gains that also waits for its tests; nothing where no recorded_ns is known",
    ),
    Column(
        "token_equivalents",
        "tokens",
        "tokens",
        "token-equivalents: tool round trip p50 / TPOT, tokens that the model could have written meanwhile; TPOT "
        "is the profile's that sets the pace, and of a served model measured: decode_ns / (output_tokens - 1)",
    ),
    Column(
        "share",
        "share",
        "share",
        "sum of the tool round trips / sum of the end-to-end times of the engine's cells",
    ),
    Column(
        "right",
        "right",
        "share",
        "calls answered as the real programs answer (identical, or reordered where their own order is "
        "undefined) / calls executed on the recorded workspace and compared, or failed; not for controls",
    ),
    Column("executed", "executed", "share", "calls whose label is executed / all calls"),
    Column("recorded", "recorded", "share", "calls answered from the recording / all calls"),
    Column("refused", "refused", "share", "calls the engine left to the real programs / all calls"),
)


def speed_up(
    summary: Summary, link: str, model: str, api: str, engine: str, *, of: str = "end_to_end_ns"
) -> Interval | None:
    """Return the paired speed-up of `engine` over the reference engine, or None without pairs.

    It is of the end-to-end time, or of another of the cells' columns of nanoseconds.
    """
    import polars as pl

    group = summary.cells.filter(
        (pl.col("link") == link)
        & (pl.col("model") == model)
        & (pl.col("api") == api)
        & pl.col("engine").is_in([engine, REFERENCE])
    )
    ratios = paired_log_ratios(group, over=REFERENCE, value=of, pair=("block",))
    ratios = ratios.filter(pl.col("engine") == engine)
    if not ratios.height:
        return None
    per_block = ratios.group_by("block", "trace", maintain_order=True).agg(pl.col("log_ratio").mean())
    return interval(per_block["log_ratio"].to_list(), per_block["trace"].to_list()).map(math.exp)


def end_to_end_ns(cells: pl.DataFrame) -> float:
    """Return the mean over traces of the median over blocks: every trace weighs the same."""
    import polars as pl

    medians = cells.group_by("trace").agg(pl.col("end_to_end_ns").median())
    return float(medians["end_to_end_ns"].mean())  # type: ignore[arg-type]  # not empty


def main_table(summary: Summary, link: str, model: str, api: str) -> Table:
    """Return the main table of one tier and model; it is made once for a summary."""
    found = summary.tables.get((link, model, api))
    if found is None:
        found = summary.tables[(link, model, api)] = _make(summary, link, model, api)
    return found


def _make(summary: Summary, link: str, model: str, api: str) -> Table:
    import polars as pl

    here = (pl.col("link") == link) & (pl.col("model") == model) & (pl.col("api") == api)
    cells = summary.cells.filter(here)
    counts = summary.calls.filter(here)
    tpot = summary.tpot_ns(model)
    is_timed = summary.knows_the_whole()
    rows = []
    for engine in sorted(cells["engine"].unique().to_list(), key=engine_place):
        own = pl.col("engine") == engine
        rows.append(
            _row(
                engine,
                cells.filter(own),
                summary.trips.of((link, model, api, engine)),
                counts.filter(own),
                speed_up(summary, link, model, api, engine),
                speed_up(summary, link, model, api, engine, of="whole_ns") if is_timed else None,
                tpot,
            )
        )
    suffix = "" if api == "chat" else f", --api {api}"
    return Table(
        name=table_name(summary, link, model, api),
        title=f"{_link_title(summary, link)}, {model}{suffix}",
        columns=COLUMNS,
        rows=tuple(rows),
    )


def table_name(summary: Summary, link: str, model: str, api: str) -> str:
    """Return the name by which a table is asked for."""
    return f"{summary.named(link)}/{model}/{api}"


def _link_title(summary: Summary, link: str) -> str:
    """Return a link's name with its round-trip time, where the name does not say it already."""
    record = summary.manifest.link(link)
    if record is None:
        return link
    rtt = f"{record.requested_rtt_ns / 1e6:g} ms"
    title = f"RTT {rtt}" if link.replace(" ", "") == rtt.replace(" ", "") else f"{link} ({rtt})"
    return f"VOID {title}" if link in summary.void else title


def _row(
    engine: str,
    cells: pl.DataFrame,
    trips: tuple[Whole, Whole],
    counts: pl.DataFrame,
    ratio: Interval | None,
    whole: Interval | None,
    tpot: float | None,
) -> Mapping[str, Value]:
    """Return the main table's row of one engine."""
    middle, high, higher = (
        Value(found.value, found.low, found.high, n=len(trips[0])) for found in percentiles(*trips, (50, 90, 95))
    )
    total = float(cells["end_to_end_ns"].sum())
    call = counts.row(0, named=True) if counts.height else None
    calls = call["calls"] if call else 0
    control = engine in CONTROLS

    def share(name: str) -> Value:
        return Value(call[name] / calls if call and calls and not control else None, n=calls)

    def over_reference(ratio: Interval | None) -> Value:
        if ratio is None:
            return Value(None, n=0)
        if engine == REFERENCE:
            return Value(1.0, n=cells.height)
        return Value(ratio.estimate, ratio.low, ratio.high, n=ratio.blocks)

    judged = call["judged"] if call else 0
    return {
        "engine": Value(f"{engine} (control)" if control else engine),
        "end_to_end": Value(end_to_end_ns(cells), n=cells.height),
        "round_trip_p50": middle,
        "round_trip_p90": high,
        "round_trip_p95": higher,
        "speed_up": over_reference(ratio),
        "whole": over_reference(whole),
        "token_equivalents": _over(middle, tpot),
        "share": Value(float(cells["round_trip_ns"].sum()) / total if total else None, n=cells.height),
        "right": Value(call["right"] / judged if call and judged and not control else None, n=judged),
        "executed": share("executed"),
        "recorded": share("recorded"),
        "refused": share("refused"),
    }


def _over(duration: Value, tpot: float | None) -> Value:
    """Return a duration in tokens."""
    if not tpot or not isinstance(duration.value, float):
        return Value(None, n=duration.n)
    low, high = (None if limit is None else limit / tpot for limit in (duration.low, duration.high))
    return Value(duration.value / tpot, low, high, n=duration.n)


def main_tables(summary: Summary) -> tuple[Table, ...]:
    """Return the main table of every tier and model of a run; the notes stand under the last one."""
    if "predicted" in summary.manifest.extra:
        from curserve_results.load.predicted import predicted_tables

        return predicted_tables(summary.manifest)
    if "load" in summary.manifest.extra:
        from curserve_results.load.table import load_tables

        return load_tables(summary)
    tables = [main_table(summary, *group) for group in summary.groups()]
    last = tables[-1]
    with_notes = Table(last.name, last.title, last.columns, last.rows, notes(summary))
    return (*tables[:-1], with_notes)


def render(folder: Path, form: str = "table") -> str:
    """Return the main tables of the run in `folder` in one of render.FORMS."""
    from curserve_results.render import render_tables

    return render_tables(main_tables(summarise(Path(folder))), form)
