"""What agents do, from any set of traces: calls by kind, programs, shapes of commands, flags, sizes, times.

`frame` makes one row a call; `tables` are pure functions of that frame, so that the same tables come from three
traces or from Parquet files with millions of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_traces.classify import effect, first_program
from curserve_traces.model import Trace
from curserve_traces.shell import parse

if TYPE_CHECKING:
    import polars as pl

COLUMNS: dict[str, str] = {
    "trace": "String",
    "agent": "String",
    "model": "String",
    "turn": "Int32",
    "call": "Int32",
    "calls_in_turn": "Int32",
    "tool": "String",
    "effect": "String",
    "program": "String",  # first program of a bash call
    "shape": "String",  # programs and operators of a bash call: `grep|head`
    "flags": "String",  # of the first program, space-separated
    "after_edit": "Boolean",  # an earlier call of the trace changed files
    "exit_code": "Int32",
    "output_bytes": "Int64",
    "duration_ns": "Int64",
    "interval_ns": "Int64",  # call → result where the recording cannot tell the tool from its dispatch
    "output_tokens": "Int64",  # of the turn
    "prompt_tokens": "Int64",
    "model_ns": "Int64",
}


def schema() -> dict[str, pl.DataType]:
    """Return the columns as polars types."""
    import polars as pl

    types = {"String": pl.String(), "Int32": pl.Int32(), "Int64": pl.Int64(), "Boolean": pl.Boolean()}
    return {name: types[kind] for name, kind in COLUMNS.items()}


def rows(trace: Trace) -> Iterator[dict[str, Any]]:
    """Yield one row a call."""
    edited = False
    for t, turn in enumerate(trace.turns):
        for c, recorded in enumerate(turn.calls):
            call, seen = recorded.call, recorded.observation
            command = call.arguments.get("command") if call.tool == "bash" else None
            kind = effect(call)
            interval = recorded.extra.get("interval_ns", recorded.extra.get("since_model_ns"))
            yield {
                "trace": trace.id,
                "agent": trace.agent,
                "model": turn.model or trace.model,
                "turn": t,
                "call": c,
                "calls_in_turn": len(turn.calls),
                "tool": call.tool,
                "effect": kind,
                "program": first_program(command) if isinstance(command, str) else None,
                "shape": shape(command) if isinstance(command, str) else None,
                "flags": flags(command) if isinstance(command, str) else None,
                "after_edit": edited,
                "exit_code": seen.exit_code if seen else None,
                "output_bytes": len(seen.stdout) + len(seen.stderr) if seen else None,
                "duration_ns": seen.duration_ns if seen else None,
                "interval_ns": interval if isinstance(interval, int) else None,
                "output_tokens": turn.output_tokens,
                "prompt_tokens": turn.prompt_tokens,
                "model_ns": turn.model_ns,
            }
            edited = edited or kind == "edit"


def frame(traces: Iterable[Trace]) -> pl.DataFrame:
    """Return one row a call of all traces."""
    import polars as pl

    return pl.DataFrame([row for trace in traces for row in rows(trace)], schema=schema())


def shape(command: str) -> str:
    """Return a command's programs joined by its operators, without `cd`: `grep|head`, `find|xargs`, `echo;cat`."""
    script = parse(command)
    names = [item for item in script.commands if item.words and item.name != "cd"]
    parts: list[str] = []
    for item in names[:6]:
        if parts:
            parts.append("|" if item.piped else ";")
        name = item.name.rsplit("/", 1)[-1][:20]
        parts.append(f"{name} -n" if name == "sed" and "-n" in item.words else name)
    return "".join(parts)


def flags(command: str) -> str:
    """Return the option words of the first program that is not `cd`; numbers and values are cut off."""
    for item in parse(command).commands:
        if item.words and item.name != "cd":
            found = [word.partition("=")[0] for word in item.words[1:] if word.startswith("-") and len(word) > 1]
            return " ".join(word if not word[1:].isdigit() else "-N" for word in found[:12])
    return ""


def scan(parquet: Path) -> pl.LazyFrame:
    """Return the rows of Parquet files (a file, or a folder of them), not yet read."""
    import polars as pl

    return pl.scan_parquet(parquet / "*.parquet" if parquet.is_dir() else parquet)


def tables(calls: pl.LazyFrame) -> dict[str, pl.DataFrame]:
    """Return the tables, by name; each streams, so that memory does not grow with the calls."""
    import polars as pl

    def share(column: str, of: pl.LazyFrame, top: int = 15) -> pl.LazyFrame:
        counted = of.group_by(column).len("calls").sort("calls", column, descending=[True, False])
        return counted.with_columns((pl.col("calls") / pl.col("calls").sum() * 100).round(1).alias("%")).head(top)

    bash = calls.filter(pl.col("program").is_not_null())
    reads = bash.filter(pl.col("effect") == "read")
    plans = {
        "calls by tool": share("tool", calls),
        "calls by effect": share("effect", calls),
        "programs of bash calls": share("program", bash),
        "shapes of reading bash calls": share("shape", reads, 20),
        "calls a turn": share("calls_in_turn", calls.filter(pl.col("call") == 0)),
        "reads before and after the first edit": share("after_edit", calls.filter(pl.col("effect") == "read")),
    }
    done = {name: plan.collect(engine="streaming") for name, plan in plans.items()}  # one by one: memory
    words = reads.select("program", pl.col("flags").str.split(" ")).explode("flags").filter(pl.col("flags") != "")
    top = words.group_by("program", "flags").len("calls").sort("calls", descending=True).head(20)
    done["flags of reading programs"] = top.collect(engine="streaming")
    turns = calls.filter(pl.col("call") == 0)  # a turn's tokens stand in the row of each of its calls
    done["sizes and times"] = pl.DataFrame(
        [_quantiles(turns if what[1] == "output_tokens" else calls, *what) for what in _SIZED]
    )
    return done


_SIZED = (
    ("output_bytes", "output_bytes", 1),
    ("output_tokens", "output_tokens", 1),
    ("duration_ms", "duration_ns", 1_000_000),
    ("interval_ms", "interval_ns", 1_000_000),
)


def _quantiles(calls: pl.LazyFrame, name: str, column: str, unit: int) -> dict[str, Any]:
    """Return quantiles of a column, from counts of its values to three significant digits (0.5 % at most off)."""
    import polars as pl

    value = pl.col(column).cast(pl.Float64)
    step = 10 ** (value.clip(1).log10().floor() - 2).clip(0)
    counted = (
        calls.filter(pl.col(column).is_not_null())
        .select(((value / step).round() * step).alias("value"))
        .group_by("value")
        .len("count")
        .collect(engine="streaming")
        .sort("value")
        .with_columns(pl.col("count").cum_sum().alias("below"))
    )
    row: dict[str, Any] = {"what": name}
    total = int(counted["count"].sum())
    for label, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        at = counted.filter(pl.col("below") >= q * total)
        row[label] = float(at["value"][0]) / unit if at.height else None
    return row


def summary(calls: pl.LazyFrame) -> dict[str, int]:
    """Return the number of traces and of turns that have calls, and of calls; what has none has no row."""
    import polars as pl

    row = calls.select(
        pl.col("trace").n_unique().alias("traces"),
        (pl.col("call") == 0).sum().alias("turns"),
        pl.len().alias("calls"),
    ).collect(engine="streaming")
    return dict(zip(row.columns, (int(value or 0) for value in row.row(0)), strict=True))
