"""What a server with a scheduler did in each step: RUN/server/block-000003-daemon.parquet.

Main names: `write_timeline`, `read_timeline`, `block_seconds`.

A row a step: when it began and how long it took, requests that run and wait, sessions between turns, tokens
computed, blocks of KV memory held (by requests and by sessions in a tool call) and free but still found by
the prefix cache.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_results.errors import CannotWrite, NotARun
from curserve_results.files import write_atomically

if TYPE_CHECKING:
    import polars as pl

FOLDER = "server"
COLUMNS = (
    *("begin_ns", "step_ns", "running", "waiting", "paused", "prefill_tokens", "decodes", "kv_tokens"),
    *("held_blocks", "paused_blocks", "idle_blocks", "evicted", "preempted", "hit_tokens"),
)


def write_timeline(run: Path, block: int, engine: str, ticks: Mapping[str, Sequence[int]]) -> Path | None:
    """Write the steps of one engine's load in a block; nothing, where the server has no scheduler."""
    import polars as pl

    if not ticks:
        return None
    frame = pl.DataFrame({name: ticks[name] for name in COLUMNS}, schema=dict.fromkeys(COLUMNS, pl.Int64()))
    path = run / FOLDER / f"block-{block:06d}-{''.join(c if c.isalnum() else '-' for c in engine)}.parquet"
    if path.parent.is_symlink():
        raise CannotWrite(f"{path.parent}: a link, and nothing is written through one; choose another folder")
    path.parent.mkdir(exist_ok=True)
    encoded = io.BytesIO()
    frame.with_columns(engine=pl.lit(engine), block=pl.lit(block)).write_parquet(encoded, compression="zstd")
    write_atomically(path, encoded.getvalue(), links=False)
    return path


def read_timeline(run: Path) -> pl.DataFrame:
    """Read the steps of all engines and blocks; an empty frame where there are none."""
    import polars as pl

    files = sorted((run / FOLDER).glob("block-*.parquet"))
    if not files:
        return pl.DataFrame(
            schema={**dict.fromkeys(COLUMNS, pl.Int64()), "engine": pl.String(), "block": pl.Int32()}
        )
    try:
        return pl.concat(pl.read_parquet(path) for path in files)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NotARun(
            f"{run / FOLDER}: a file that is no timeline of ours ({error}); delete it, or repeat"
        ) from None


def block_seconds(steps: pl.DataFrame) -> pl.DataFrame:
    """Return by engine the KV-block-seconds: `working`, `held` through a tool call, `evictable`, and the `steps`.

    A step's state lasts until the next one begins.
    """
    import polars as pl

    lasting = (pl.col("begin_ns").shift(-1).over("engine", "block") - pl.col("begin_ns")).fill_null(
        pl.col("step_ns")
    )
    working = pl.col("held_blocks") - pl.col("paused_blocks")
    seconds = lasting / 1e9
    return (
        steps.sort("engine", "block", "begin_ns")
        .group_by("engine", maintain_order=True)
        .agg(
            working=(working * seconds).sum(),
            held=(pl.col("paused_blocks") * seconds).sum(),
            evictable=(pl.col("idle_blocks") * seconds).sum(),
            steps=pl.len(),
            evicted=pl.col("evicted").sum(),
            preempted=pl.col("preempted").sum(),
        )
    )
