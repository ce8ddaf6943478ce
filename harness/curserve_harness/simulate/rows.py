"""Samples of a simulated cell: the same rows as those of `load`. Main name: `frame`.

Half a round trip lies between a user and the server. Whoever runs the tools asks for the next turn: the user
where tools are on the client, the loop beside the model where they are on the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curserve_harness.simulate.cells import Cell
from curserve_harness.simulate.samples import RECORDED
from curserve_harness.simulate.talk import Talk
from curserve_results.schema import COLUMNS, polars_schema

if TYPE_CHECKING:
    import polars as pl

BACKEND = "simulated"


def frame(cell: Cell, found: Mapping[str, Any], talks: Sequence[Talk], run: str, block: int) -> pl.DataFrame:
    """Return the rows of a cell in the order cells, turns, calls."""
    import polars as pl

    script = np.asarray(found["script"])
    names = np.asarray([talk.name for talk in talks], dtype=object)
    sessions, turns = (
        pl.DataFrame({name: np.frombuffer(column, "<i8") for name, column in found[kind].items()})
        for kind in ("sessions", "turns")
    )
    client = found["placement"] == "client"
    first, end = found["range"]
    turns = turns.sort("session", "turn").join(sessions.select("session", "half_ns"), on="session", how="inner")
    constant = {
        "run": run,
        "block": block,
        "repetition": cell.repetition,
        "engine": cell.engine,
        "placement": found["placement"],
        "model": cell.served.name,
        "api": "chat",
        "link": cell.place.name,
        "backend": BACKEND,
        "rtt_ns": found["rtt_ns"],
        "order": cell.order,
    }
    number = pl.col("session")
    place = {
        "cell": number + cell.order * found["number"],
        "trace": pl.Series("trace", names[script], dtype=pl.String).gather,
    }

    def whole(rows: pl.DataFrame, kind: str, **columns: pl.Expr) -> pl.DataFrame:
        named = rows.with_columns(trace=place["trace"](rows["session"]), cell=place["cell"])
        more = [pl.lit(value).alias(name) for name, value in {**constant, "kind": kind}.items()]
        filled = named.select("cell", "trace", *more, **columns)
        empty = [pl.lit(None).alias(name) for name in COLUMNS if name not in filled.columns]
        return filled.with_columns(*empty).select(*COLUMNS).cast(pl.Schema(polars_schema()))

    start = pl.col("started_ns") - pl.col("half_ns")
    cells = whole(
        sessions.sort("session"),
        "cell",
        session=number,
        started_ns=start,
        began_ns=start,
        done_ns=pl.when(pl.col("finished") == 1).then(pl.col("ended_ns") + pl.col("half_ns")),
        phase=pl.when(number < first)
        .then(pl.lit("warm-up"))
        .when(number >= end)
        .then(pl.lit("cool-down"))
        .otherwise(pl.lit("measured")),
    )
    way = pl.col("half_ns") if client else pl.lit(0)
    asked = pl.when(pl.col("turn") == 0).then("half_ns").otherwise(way)
    intended, heard = pl.col("arrived_ns") - asked, pl.col("last_ns") + way
    again = pl.when(pl.col("tool_ns") > 0).then(pl.col("last_ns") + pl.col("tool_ns") - way)
    of_turns = whole(
        turns,
        "turn",
        turn=pl.col("turn"),
        intended_ns=intended,
        sent_ns=intended,
        prompt_read_ns=pl.col("arrived_ns"),
        first_token_ns=pl.col("first_ns"),
        last_token_ns=pl.col("last_ns"),
        first_byte_ns=pl.col("first_ns") + way,
        received_ns=heard,
        tools_started_ns=pl.when(again.is_not_null()).then(pl.min_horizontal(heard, again)),
        tools_done_ns=again,
        ttft_ns=pl.col("first_ns") - pl.col("arrived_ns"),
        decode_ns=pl.col("last_ns") - pl.col("first_ns"),
        prompt_tokens=pl.col("prompt"),
        output_tokens=pl.col("reply"),
        queued_ns=pl.col("admitted_ns") - pl.col("arrived_ns"),
        cached_tokens=pl.col("cached"),
        computed_tokens=pl.col("prompt") - pl.col("cached"),
        preemptions=pl.col("preemptions"),
    )
    called = turns.filter(pl.col("tool_ns") > 0)
    kind = [talks[script[s]].turns[t].kind for s, t in called.select("session", "turn").iter_rows()]
    named = pl.Series("kind_of_tool", kind, dtype=pl.String)
    ran = pl.min_horizontal(heard, again)
    of_calls = whole(
        called.with_columns(named),
        "call",
        turn=pl.col("turn"),
        call=pl.lit(0),
        started_ns=ran,
        done_ns=again,
        wall_ns=again - ran,
        tool=pl.col("kind_of_tool"),
        label=pl.when(pl.col("kind_of_tool") == RECORDED).then(pl.lit("recorded")).otherwise(pl.lit("executed")),
        answer=pl.lit("unchecked"),
        reason=pl.lit("simulated"),
    )
    return pl.concat([cells, of_turns, of_calls])
