"""The table of a load: an engine a row, one table a link and model. Main name: `load_tables`.

Used for every run whose manifest has `extra.load` (what `load` and `simulate` write).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from curserve_results.derive import is_judged, is_right
from curserve_results.load.goodput import Kept, holds, judged, rates
from curserve_results.load.latencies import Latencies, read
from curserve_results.load.notes import load_notes
from curserve_results.load.repetitions import mean_of
from curserve_results.load.waiting import waited
from curserve_results.schema import CONTROLS
from curserve_results.slo import Slo, parse_slo
from curserve_results.statistics import percentiles
from curserve_results.summary import engine_place
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.summary import Summary

COLUMNS = (
    Column("engine", "engine", "text", "the way the tool calls were executed"),
    Column("sessions", "sessions", "count", "measured sessions, of all repetitions; warm-up and cool-down cut"),
    Column("good", "good", "share", "sessions that finished and kept every objective of the SLO / all"),
    Column("goodput", "goodput/h", "rate", "good sessions / hour from the first intended start to the last end; "
           "mean of the repetitions with its t interval"),
    Column("per_hour", "tasks/h", "rate", "as goodput, of the sessions that finished"),
    Column("slo", "SLO", "text", "holds: of each objective the share of samples within its bound has its lower "
           "limit above the percentile; fails: one has its upper limit below; unknown: the samples do not decide"),
    Column("ttft_p95", "TTFT p95", "duration", "95th percentile of first_byte_ns - intended_ns of turns"),
    Column("turn_p50", "turn p50", "duration", "median of a turn, from its intended start to the next one's"),
    Column("turn_p99", "turn p99", "duration", "99th percentile of the same; shown from 662 samples on"),
    Column("tool_p50", "tool p50", "duration", "median of done_ns - started_ns of calls"),
    Column("tool_p99", "tool p99", "duration", "99th percentile of the same"),
    Column("task_p50", "task p50", "duration", "median of a session, from its intended start"),
    Column("task_p90", "task p90", "duration", "90th percentile of the same; shown from 64 samples on"),
    Column("task_p99", "task p99", "duration", "99th percentile of the same"),
    Column("queued", "queued", "share", "sum of queued_ns / sum of the turns"),
    Column("hit", "hit", "share", "cached_tokens / (cached_tokens + computed_tokens)"),
    Column("preempted", "preempted", "count", "preemptions of turns"),
    Column("calls_per_s", "calls/s", "rate", "tool calls / the time from first intended start to last end, mean"),
    Column("right", "right", "share", "as in the table of a replay"),
    Column("waited", "client waited", "share", "of client-placed engines: client_wait_ns / time in tool calls"),
)  # fmt: skip


def load_tables(summary: Summary, slo: Slo | None = None) -> tuple[Table, ...]:
    """Return a load's tables; `slo` takes the place of the run's own."""
    declared = summary.manifest.extra["load"]
    if slo is None and isinstance(declared, dict) and declared.get("slo"):
        slo = parse_slo(str(declared["slo"]))
    void = frozenset(link.name for link in summary.manifest.links if link.void_reason) - summary.void
    found = read(summary.folder, void)
    if slo is not None:
        found = replace(found, sessions=judged(found, slo))
    tables = [_table(summary, found, slo, *place) for place in dict.fromkeys(g[:2] for g in summary.groups())]
    last = tables[-1]
    lines = load_notes(summary, found, slo)
    return (*tables[:-1], Table(last.name, last.title, last.columns, last.rows, lines))


def _table(summary: Summary, found: Latencies, slo: Slo | None, link: str, model: str) -> Table:
    mine = found.where(link=link, model=model)
    rows = []
    for engine in sorted(mine.sessions["engine"].unique(), key=engine_place):
        part = mine.where(engine=engine)
        rows.append(row(engine, part, holds(part, slo) if slo else []))
    shown = {"good", "goodput", "slo"} if slo is None else set()
    shown |= {"queued", "hit", "preempted"} if mine.turns["queued_ns"].is_null().all() else set()
    load = str(summary.manifest.extra["load"].get("title", "load"))
    return Table(
        name=f"{summary.named(link)}/{model}/load",
        title=f"{load}, {summary.named(link)}, {model}",
        columns=tuple(column for column in COLUMNS if column.key not in shown),
        rows=tuple(rows),
    )


def row(engine: str, found: Latencies, kept: Sequence[Kept]) -> dict[str, Value]:
    """Return the row of one engine at one link and model; `found` holds only its samples."""
    import polars as pl

    sessions, turns, calls = found.sessions, found.turns, found.calls
    counted = rates(sessions)
    number = sessions.height
    good = int(sessions["good"].sum()) if "good" in sessions.columns else None
    judge = calls.filter(is_judged())
    control = engine in CONTROLS
    computed, cached = (int(turns[name].sum()) for name in ("computed_tokens", "cached_tokens"))
    seconds = float((counted["span_h"] * 3600).sum())
    right = judge.select(is_right().mean()).item() if judge.height and not control else None
    turn_ns = float(turns["turn"].sum())
    return {
        "engine": Value(f"{engine} (control)" if control else engine),
        "sessions": Value(number, n=number),
        "good": Value(None if good is None else good / number, n=number),
        "goodput": _rate(counted, "goodput"),
        "per_hour": _rate(counted, "per_hour"),
        "slo": Value(_verdict(kept)),
        **_points("ttft", turns.drop_nulls("ttft"), (95,)),
        **_points("turn", turns.drop_nulls("turn"), (50, 99)),
        **_points("tool", calls.drop_nulls("tool"), (50, 99)),
        **_points("task", sessions.drop_nulls("task"), (50, 90, 99)),
        "queued": Value(float(turns["queued_ns"].sum()) / turn_ns if turn_ns else None, n=turns.height),
        "hit": Value(cached / (cached + computed) if cached + computed else None, n=turns.height),
        "preempted": Value(int(turns["preemptions"].sum()), n=turns.height),
        "calls_per_s": Value(calls.filter(pl.col("label") != "recorded").height / seconds if seconds else None),
        "right": Value(right, n=judge.height),
        "waited": Value(waited(found), n=number),
    }


def _verdict(kept: Sequence[Kept]) -> str | None:
    verdicts = [one.verdict for one in kept]
    if not verdicts:
        return None
    return next((word for word in ("fails", "unknown") if word in verdicts), "holds")


def _points(metric: str, frame: pl.DataFrame, wanted: tuple[int, ...]) -> dict[str, Value]:
    found = percentiles(frame[metric].to_numpy(), frame["block"].to_numpy(), wanted)
    return {
        f"{metric}_p{p}": Value(one.value, one.low, one.high, n=frame.height)
        for p, one in zip(wanted, found, strict=True)
    }


def _rate(counted: pl.DataFrame, name: str) -> Value:
    """Return the mean of a rate over the repetitions."""
    if name not in counted.columns:
        return Value(None)
    return mean_of(counted[name].to_list())
