"""What is derived from raw samples, row by row: tool round trips, parts of a turn, one line per cell.

Main names: `cells`, `round_trips`, `call_counts`. None needs anything beyond the rows of one block, so that a run
of any size can be derived block by block.
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


TURN_COLUMNS = (
    *("block", "cell", "turn", "sent_ns", "prompt_read_ns", "first_token_ns", "last_token_ns"),
    *("tools_started_ns", "tools_done_ns", "ttft_ns", "decode_ns", "output_tokens"),
)
"""What is read of a turn: what round trips are made of, and what `checks` looks at."""


def cell_key() -> pl.Expr:
    """Return block and cell as one whole number, which is faster to compare than two."""
    import polars as pl

    return pl.col("block").cast(pl.Int64) * 2**32 + pl.col("cell")


def round_trips(turns: pl.DataFrame) -> pl.DataFrame:
    """Return one row per turn that called tools and was followed by another: block, cell, turn, `round_trip_ns`.

    The tool round trip of turn t is `prompt_read_ns[t+1] - last_token_ns[t]`: from the last token written to
    the last byte of the next prompt read, both at the model. `output_tokens` and `decode_ns` are those of turn t.
    """
    import polars as pl

    following = (pl.col("key").shift(-1) == pl.col("key")) & (pl.col("turn").shift(-1) == pl.col("turn") + 1)
    return (
        _in_order(turns.with_columns(key=cell_key()))
        .lazy()
        .select(
            *("block", "cell", "turn", "output_tokens", "decode_ns"),
            round_trip_ns=pl.when(following & pl.col("tools_started_ns").is_not_null()).then(
                pl.col("prompt_read_ns").shift(-1) - pl.col("last_token_ns")
            ),
        )
        .filter(pl.col("round_trip_ns").is_not_null())
        .collect()
    )


def _in_order(turns: pl.DataFrame) -> pl.DataFrame:
    """Return turns sorted by cell and number; as a run writes them they are, and sorting is costly."""
    import polars as pl

    later = pl.col("key").diff()
    ordered = turns.select(((later > 0) | ((later == 0) & (pl.col("turn").diff() > 0))).all()).item()
    return turns if ordered else turns.sort("key", "turn")


def cells(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per cell: `end_to_end_ns` = done - started, and its place in the plan."""
    import polars as pl

    return rows.select(
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
    """Whether an answer is right: identical, or reordered where the real program's own order is undefined.

    Files without the column `right` say the latter in their reason.
    """
    import polars as pl

    undefined = pl.col("reason").fill_null("").str.starts_with(ORDER_UNDEFINED)
    told = (pl.col("answer") == "identical") | ((pl.col("answer") == "reordered") & undefined)
    return pl.col("right").fill_null(told)


def is_judged() -> pl.Expr:
    """Whether a call counts in the correctness share: compared with the reference, or failed.

    Calls answered from the recording say nothing about an engine, and what could not be checked is not counted.
    Controls have no answers of their own; whoever counts leaves them out.
    """
    import polars as pl

    return (_is_compared() & _is_known()) | (pl.col("label") == "failed")


def is_apart() -> pl.Expr:
    """Whether an answer was compared with the reference on a workspace that may not be the recorded one."""
    return _is_compared() & ~_is_known()


def _is_compared() -> pl.Expr:
    import polars as pl

    checked = pl.col("answer").is_in(["identical", "reordered", "different"])
    return pl.col("label").is_in(["executed", "refused"]) & checked


def _is_known() -> pl.Expr:
    """Whether the workspace was known; in files without the column only answers on a known one were compared."""
    import polars as pl

    return pl.col("workspace").fill_null("known") == "known"


def call_counts(calls: pl.DataFrame) -> pl.DataFrame:
    """Return per cell the number of calls by label, of those `judged`, and of those right.

    `recorded_ns` is what the calls answered from the recording took there, `timed` the number of those of which
    that is known. `apart` are those compared on a workspace that may not be the recorded one, `equal` those of
    them that are right.
    """
    import polars as pl

    label = pl.col("label")
    return (
        calls.lazy()
        .group_by("block", "cell")
        .agg(
            calls=pl.len(),
            executed=(label == "executed").sum(),
            recorded=(label == "recorded").sum(),
            refused=(label == "refused").sum(),
            timed=pl.col("recorded_ns").is_not_null().sum(),
            recorded_ns=pl.col("recorded_ns").sum(),
            failed=(label == "failed").sum(),
            judged=is_judged().sum(),
            right=(is_judged() & is_right()).sum(),
            apart=is_apart().sum(),
            equal=(is_apart() & is_right()).sum(),
        )
        .collect()
    )
