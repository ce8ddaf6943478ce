"""What is derived from raw samples, row by row: tool round trips, parts of a turn, one line per cell.

Main names: `cells`, `round_trips`, `calls`. All are lazy, and need nothing beyond the rows of one block, so
that a run of any size can be derived block by block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.schema import ORDER_UNDEFINED

if TYPE_CHECKING:
    import polars as pl

GROUP = ("link", "model", "api", "engine")
"""One row of a table: everything but trace, block and repetition."""

PAIR = ("block", "trace", "link", "model", "api")
"""What two cells share when they may be compared within a block."""


def round_trips(samples: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row per turn that called tools and was followed by another, with `round_trip_ns`.

    The tool round trip of turn t is `prompt_read_ns[t+1] - last_token_ns[t]`: from the last token written to
    the last byte of the next prompt read, both at the model.
    """
    import polars as pl

    keys = ["block", "cell"]
    following = [pl.col(name).shift(-1) for name in (*keys, "turn", "prompt_read_ns")]
    follows = (
        (following[0] == pl.col("block")) & (following[1] == pl.col("cell")) & (following[2] == pl.col("turn") + 1)
    )
    needed = (*PAIR, "cell", "engine", "turn", "prompt_read_ns", "last_token_ns", "tools_started_ns")
    return (
        samples.filter(pl.col("kind") == "turn")
        .select(*needed, "output_tokens", "decode_ns")
        .sort(*keys, "turn")
        .with_columns(
            round_trip_ns=pl.when(follows & pl.col("tools_started_ns").is_not_null()).then(
                following[3] - pl.col("last_token_ns")
            )
        )
        .filter(pl.col("round_trip_ns").is_not_null())
        .select(*PAIR, "cell", "engine", "turn", "round_trip_ns", "output_tokens", "decode_ns")
    )


def cells(samples: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row per cell: `end_to_end_ns` = done - started, and its place in the plan."""
    import polars as pl

    return samples.filter(pl.col("kind") == "cell").select(
        *PAIR,
        "cell",
        "engine",
        "placement",
        "backend",
        "rtt_ns",
        "repetition",
        "order",
        "started_ns",
        end_to_end_ns=pl.col("done_ns") - pl.col("started_ns"),
    )


def is_right() -> pl.Expr:
    """Whether an answer is right: identical, or reordered where the real program's own order is undefined."""
    import polars as pl

    undefined = pl.col("reason").fill_null("").str.starts_with(ORDER_UNDEFINED)
    return (pl.col("answer") == "identical") | ((pl.col("answer") == "reordered") & undefined)


def is_judged() -> pl.Expr:
    """Whether a call counts in the correctness share: compared with the reference, or failed.

    Calls answered from the recording say nothing about an engine, and what could not be checked is not counted.
    Controls have no answers of their own; whoever counts leaves them out.
    """
    import polars as pl

    checked = pl.col("answer").is_in(["identical", "reordered", "different"])
    return (pl.col("label").is_in(["executed", "refused"]) & checked) | (pl.col("label") == "failed")


def call_counts(samples: pl.LazyFrame) -> pl.LazyFrame:
    """Return per cell the number of calls by label, of those judged, and of those right."""
    import polars as pl

    label = pl.col("label")
    return (
        samples.filter(pl.col("kind") == "call")
        .group_by("block", "cell")
        .agg(
            calls=pl.len(),
            executed=(label == "executed").sum(),
            recorded=(label == "recorded").sum(),
            refused=(label == "refused").sum(),
            failed=(label == "failed").sum(),
            judged=is_judged().sum(),
            right=(is_judged() & is_right()).sum(),
        )
    )
