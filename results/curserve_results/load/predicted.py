"""The tables of a simulated load, from what the manifest keeps of each cell. Main name: `predicted_tables`.

Every figure in them was predicted: docs/SIMULATION.md says by what, and what is assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from curserve_results.load.repetitions import mean_of
from curserve_results.schema import REFERENCE
from curserve_results.summary import engine_place
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    from curserve_results.manifest import Manifest

Record = Mapping[str, Any]

COLUMNS = (
    Column("engine", "engine", "text", "the way the tool calls are executed; their times were measured"),
    Column("sessions", "sessions", "count", "sessions that count, of all repetitions; warm-up and cool-down cut"),
    Column("tasks", "tasks/h", "rate", "sessions that finish in an hour; mean of repetitions, t interval"),
    Column("good", "good", "share", "of those that count: finished, and kept every objective of the SLO"),
    Column("goodput", "goodput/h", "rate", "good sessions in an hour, likewise"),
    Column("slo", "SLO", "text", "holds: of every objective the share within its bound reaches the percentile, "
           "with its t interval; fails: one stays below; unknown: the repetitions do not decide"),
    Column("ttft_p95", "TTFT p95", "duration", "mean over repetitions of the 95th percentile"),
    Column("turn_p50", "turn p50", "duration", "mean over repetitions of the median"),
    Column("turn_p99", "turn p99", "duration", "likewise of the 99th percentile"),
    Column("task_p50", "task p50", "duration", "likewise of the median of whole sessions"),
    Column("task_p90", "task p90", "duration", "likewise of the 90th percentile"),
    Column("queued", "queued", "share", "time from a prompt's arrival to its first step / time of turns"),
    Column("tool_wait", "tool wait", "share", "calls waiting for a processor of the server / time of turns"),
    Column("again", "again", "share", "tokens of prompts computed though they were before / computed"),
    Column("working", "KV working", "share", "blocks held by turns x time / all blocks x time"),
    Column("kept", "KV kept", "share", "blocks that sessions keep through tool calls x time / all blocks x time"),
    Column("evictable", "KV evictable", "share", "free blocks that the cache finds x time / all blocks x time"),
    Column("busy", "GPU busy", "share", "time in steps / time, over all replicas"),
)  # fmt: skip


def predicted_tables(manifest: Manifest) -> tuple[Table, ...]:
    """Return a table for each link (and load) and model."""
    records = _records(manifest)
    slo = manifest.extra["load"].get("slo")
    places = dict.fromkeys((record["link"], record["model"]) for record in records)
    tables = []
    for link, model in places:
        own = [record for record in records if (record["link"], record["model"]) == (link, model)]
        engines = sorted({record["engine"] for record in own}, key=engine_place)
        rows = tuple(row(engine, [r for r in own if r["engine"] == engine], manifest) for engine in engines)
        left_out = {"good", "goodput", "slo"} if slo is None else set()
        shown = tuple(column for column in COLUMNS if column.key not in left_out)
        load = "" if " @ " in link else f"{own[0]['load']}, "
        title = f"PREDICTED: {load}{link}, {model}"
        tables.append(Table(f"{link}/{model}/predicted", title, shown, rows, _unsettled(own)))
    last = tables[-1]
    return (*tables[:-1], replace(last, notes=(*last.notes, *capacity(manifest), *_notes(records))))


def _records(manifest: Manifest) -> list[Record]:
    records: list[Record] = manifest.extra["predicted"]
    return records


def row(engine: str, records: Sequence[Record], manifest: Manifest) -> dict[str, Value]:
    """Return the row of one engine, from its repetitions."""

    def mean(of: Callable[[Record], float | None]) -> Value:
        values = [value for record in records if (value := of(record)) is not None]
        return Value(sum(values) / len(values) if values else None, n=len(values))

    def percentile(metric: str, name: str) -> Value:
        return mean(lambda record: record["metrics"][metric][name])

    def share(above: str, below: str = "turn") -> Value:
        return mean(lambda record: _ratio(_sum(record, above), _sum(record, below)))

    def blocks(of: Callable[[Record], int]) -> Value:
        return mean(lambda record: _ratio(of(record), record["blocks"] * record["end_ns"]))

    number = sum(record["sessions"] for record in records)
    return {
        "engine": Value(engine),
        "sessions": Value(number, n=number),
        "tasks": mean_of([hourly(record, "finished") for record in records]),
        "good": Value(_ratio(sum(record["good"] for record in records), number), n=number),
        "goodput": mean_of([hourly(record, "good") for record in records]),
        "slo": Value(verdict(records, objectives(manifest))),
        "ttft_p95": percentile("ttft", "p95"),
        "turn_p50": percentile("turn", "p50"),
        "turn_p99": percentile("turn", "p99"),
        "task_p50": percentile("task", "p50"),
        "task_p90": percentile("task", "p90"),
        "queued": share("queued"),
        "tool_wait": share("tool_wait"),
        "again": mean(lambda r: _ratio(max(0, r["prefill_tokens"] - r["new_tokens"]), r["prefill_tokens"])),
        "working": blocks(lambda record: record["held_block_ns"] - record["kept_block_ns"]),
        "kept": blocks(lambda record: record["kept_block_ns"]),
        "evictable": blocks(lambda record: record["idle_block_ns"]),
        "busy": mean(lambda record: _ratio(record["busy_ns"], record["replicas"] * record["end_ns"])),
    }


def hourly(record: Record, what: str) -> float:
    """Return how many sessions an hour are `what` (`finished`, `good`) at the load of a record.

    Where a load is settled as many end as come; else by the time from the first start to the last end.
    """
    if record["why_unstable"]:
        return float(3.6e12 * record[what] / record["span_ns"]) if record["span_ns"] > 0 else 0.0
    return float(record["rate_per_s"] * 3600 * record[what] / max(1, record["sessions"]))


def objectives(manifest: Manifest) -> list[float]:
    """Return the share that each objective of the run's SLO asks for."""
    from curserve_results.slo import parse_slo

    declared = manifest.extra["load"].get("slo")
    return [objective.share for objective in parse_slo(str(declared)).objectives] if declared else []


def verdict(records: Sequence[Record], wanted: Sequence[float]) -> str | None:
    """Return whether the SLO holds over the repetitions; what is not settled cannot hold it."""
    if not wanted:
        return None
    found = set()
    for place, share in enumerate(wanted):
        values = [_ratio(kept[1], kept[0]) for record in records if (kept := _kept(record, place))]
        shares = [value for value in values if value is not None]
        if not shares:
            continue
        limits = mean_of(shares)
        low, high = (limits.value if one is None else one for one in (limits.low, limits.high))
        assert isinstance(low, float)
        assert isinstance(high, float)
        found.add("holds" if low >= share else "fails" if high < share else "unknown")
    if any(record["why_unstable"] for record in records):
        found.add("fails")
    return next((word for word in ("fails", "unknown") if word in found), "holds")


def _kept(record: Record, place: int) -> Sequence[int] | None:
    kept: Sequence[Sequence[int]] = record["kept"]
    return kept[place] if place < len(kept) else None


def capacity(manifest: Manifest) -> list[str]:
    """Return lines with the highest load up to which the SLO holds, by engine; none for one load or no SLO."""
    records, wanted = _records(manifest), objectives(manifest)
    loads = list(dict.fromkeys(record["load"] for record in records))
    if len(loads) < 2 or not wanted:
        return []
    lines = []
    for link, model in dict.fromkeys((_link(record), record["model"]) for record in records):
        own = [record for record in records if (_link(record), record["model"]) == (link, model)]
        best = {
            engine: _most([record for record in own if record["engine"] == engine], loads, wanted)
            for engine in sorted({record["engine"] for record in own}, key=engine_place)
        }
        base = best.get(REFERENCE, ("", 0.0))[1]
        said = [
            f"{engine} {load}" + (f" ({size / base:.2f}x)" if base and size and engine != REFERENCE else "")
            for engine, (load, size) in best.items()
        ]
        lines.append(f"Most load at which the SLO holds ({link}, {model}): {'; '.join(said)}.")
    return lines


def _link(record: Record) -> str:
    """Return the link of a record, without the load that several loads add to its name."""
    return str(record["link"]).partition(" @ ")[0]


def _most(records: Sequence[Record], loads: Sequence[str], wanted: Sequence[float]) -> tuple[str, float]:
    """Return name and size of the highest load up to which every load holds."""
    found = "none of them", 0.0
    for load in loads:
        own = [record for record in records if record["load"] == load]
        if not own or verdict(own, wanted) != "holds":
            break
        found = load, float(own[0]["load_size"])
    return found


def _unsettled(records: Sequence[Record]) -> tuple[str, ...]:
    """Return a line for each engine whose figures are of no service that could go on."""
    lines = []
    for engine in sorted({record["engine"] for record in records}, key=engine_place):
        own = [record for record in records if record["engine"] == engine]
        why = [record["why_unstable"] for record in own if record["why_unstable"]]
        if why:
            lines.append(f"NOT SETTLED, {engine} (in {len(why)} of {len(own)} repetitions): {why[0]}.")
    return tuple(lines)


def _notes(records: Sequence[Record]) -> tuple[str, ...]:
    """Return what the reader of the tables must know."""
    lines = [
        "Predicted by a simulation (docs/SIMULATION.md): vLLM's scheduler, measured tool times, fitted step times."
    ]
    short = sum(record["too_long"] for record in records)
    if short:
        lines.append(f"{short} sessions ended early: the model or its memory is too small for what they say next.")
    return tuple(lines)


def _sum(record: Record, metric: str) -> float:
    found = record["metrics"][metric]
    return float(found["count"] * (found["mean"] or 0.0))


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None
