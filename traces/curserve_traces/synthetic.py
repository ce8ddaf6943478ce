"""Synthetic rows for scale: calls with the measured distributions, from a seed, in batches, never all at once.

These are rows of `statistics.COLUMNS`, not files: a million traces are sixty million calls. The distributions are
those of real sessions (576 trajectories of mini-swe-agent, OpenHands, Claude Code and pi); nothing of it is
executed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_traces.errors import TraceError
from curserve_traces.files import write_atomic

if TYPE_CHECKING:
    import polars as pl

SHAPES: tuple[tuple[str, str, str, float], ...] = (
    # shape, first program, effect, share of bash calls
    ("grep", "grep", "read", 0.135),
    ("grep|head", "grep", "read", 0.043),
    ("grep|grep", "grep", "read", 0.012),
    ("cat", "cat", "read", 0.088),
    ("cat|sed -n", "cat", "read", 0.012),
    ("sed -n", "sed", "read", 0.065),
    ("find", "find", "read", 0.020),
    ("find|head", "find", "read", 0.018),
    ("ls", "ls", "read", 0.012),
    ("git", "git", "read", 0.040),
    ("echo", "echo", "read", 0.030),
    ("cat", "cat", "edit", 0.080),
    ("sed", "sed", "edit", 0.025),
    ("rm", "rm", "edit", 0.020),
    ("python", "python", "other", 0.150),
    ("git", "git", "other", 0.060),
    ("npm", "npm", "other", 0.070),
    ("make", "make", "other", 0.060),
    ("pip", "pip", "other", 0.060),
)
CALLS_A_TURN = ((1, 0.86), (2, 0.07), (3, 0.04), (4, 0.015), (5, 0.008), (6, 0.004), (8, 0.003))
TURNS_MEAN = 50
OUTPUT_BYTES = (900, 1.55)  # median, sigma of a log-normal: p95 is 11 kB
OUTPUT_TOKENS = (100, 1.28)  # median, sigma: p95 is 820
DURATION_MS = (40, 1.1)
FLAGS = {"grep": "-n", "sed": "-n", "find": "-name -type", "ls": "-la", "head": "-N"}


def batches(count: int, seed: int, size: int = 4_000) -> Iterator[pl.DataFrame]:
    """Yield the calls of `count` traces in frames of `size` traces; the same seed gives the same rows."""
    if count < 1:
        raise TraceError(f"synthetic: {count} traces cannot be made; ask for 1 to 1,000,000 or more")
    for start in range(0, count, size):
        yield _batch(start, min(size, count - start), seed)


def _batch(start: int, count: int, seed: int) -> pl.DataFrame:
    """Return the calls of traces `start` to `start + count`; depends on nothing but its arguments."""
    import numpy as np
    import polars as pl

    from curserve_traces.statistics import schema

    chance = np.random.default_rng([seed, start])
    turns = np.maximum(1, chance.gamma(3.0, TURNS_MEAN / 3.0, count).astype(np.int32))
    sizes, weights = (np.array(column) for column in zip(*CALLS_A_TURN, strict=True))
    total_turns = int(turns.sum())
    in_turn = chance.choice(sizes, total_turns, p=weights / weights.sum()).astype(np.int32)
    trace_of_turn = np.repeat(np.arange(start, start + count, dtype=np.int32), turns)
    turn_number = (np.arange(total_turns) - np.repeat(np.cumsum(turns) - turns, turns)).astype(np.int32)
    calls = int(in_turn.sum())
    call_number = (np.arange(calls) - np.repeat(np.cumsum(in_turn) - in_turn, in_turn)).astype(np.int32)
    share = np.array([row[3] for row in SHAPES])
    kind = chance.choice(len(SHAPES), calls, p=share / share.sum()).astype(np.uint8)

    def normal(of: tuple[float, float], many: int) -> np.ndarray:
        drawn: np.ndarray = np.exp(np.log(of[0]) + of[1] * chance.standard_normal(many)).astype(np.int64)
        return drawn

    trace_of_call = np.repeat(trace_of_turn, in_turn)
    edits = np.array([row[2] == "edit" for row in SHAPES])[kind].astype(np.int32)
    edited = np.cumsum(edits) - edits
    first_of_trace = np.searchsorted(trace_of_call, np.arange(start, start + count))
    after = edited - np.repeat(edited[first_of_trace], np.diff(np.append(first_of_trace, calls))) > 0

    def table(column: int) -> pl.Expr:
        values = pl.Series([row[column] for row in SHAPES])
        return pl.lit(values).gather(pl.col("kind").cast(pl.UInt32))

    tokens = normal(OUTPUT_TOKENS, total_turns)
    frame = pl.DataFrame(
        {
            "number": trace_of_call,
            "turn": np.repeat(turn_number, in_turn),
            "call": call_number,
            "calls_in_turn": np.repeat(in_turn, in_turn),
            "kind": kind,
            "after_edit": after,
            "output_bytes": normal(OUTPUT_BYTES, calls),
            "duration_ns": normal(DURATION_MS, calls) * 1_000_000,
            "output_tokens": np.repeat(tokens, in_turn),
        }
    )
    frame = frame.with_columns(
        pl.format("synthetic-{}", pl.col("number")).alias("trace"),
        pl.lit("synthetic").alias("agent"),
        pl.lit("bash").alias("tool"),
        table(0).alias("shape"),
        table(1).alias("program"),
        table(2).alias("effect"),
        pl.lit(0, pl.Int32).alias("exit_code"),
    ).with_columns(pl.col("program").replace_strict(FLAGS, default="").alias("flags"))
    empty = {name: None for name in schema() if name not in frame.columns}
    return frame.with_columns(**{name: pl.lit(None) for name in empty}).select(*schema()).cast(pl.Schema(schema()))


def write(out: Path, count: int, seed: int, size: int = 4_000) -> int:
    """Stream the calls of `count` synthetic traces to Parquet files in the folder `out`; returns the calls."""
    calls = 0
    for number, frame in enumerate(batches(count, seed, size)):
        encoded = io.BytesIO()
        frame.write_parquet(encoded, compression="zstd", compression_level=1, statistics=False)
        write_atomic(out / f"part-{number:05}.parquet", encoded.getvalue(), durable=False)
        calls += frame.height
    return calls
