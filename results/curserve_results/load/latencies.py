"""What a load's sessions, turns and calls took, from when each was meant to begin. Main name: `read`, Latencies.

Latencies count from the intended start (`started_ns` of a cell, `intended_ns` of a turn), so that a server which
makes its clients wait, or wait to ask, cannot hide it (coordinated omission).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_results.checks import check
from curserve_results.store import scan

if TYPE_CHECKING:
    import polars as pl

KEY = ("block", "cell")
PLACE = ("link", "model", "engine", "repetition")
_CELL = (
    *(*KEY, *PLACE, "trace", "session", "placement", "started_ns", "began_ns", "done_ns"),
    *("client_cpu_ns", "client_wait_ns", "server_cpu_ns", "server_wait_ns"),
)
_TURN = (
    *(*KEY, "turn", "intended_ns", "prompt_read_ns", "first_token_ns", "last_token_ns", "first_byte_ns"),
    *("received_ns", "tools_done_ns", "ttft_ns", "decode_ns", "output_tokens"),
    *("queued_ns", "cached_tokens", "computed_tokens", "preemptions"),
)
_CALL = (*KEY, "started_ns", "done_ns", "answer", "right", "label", "reason", "workspace")


@dataclass(frozen=True, slots=True)
class Latencies:
    """The measured sessions of a run (no warm-up, no cool-down), one frame a kind; times in ns.

    `sessions`: KEY, PLACE, `task` (null where it did not finish), processor times. `turns`: KEY, PLACE, `ttft`,
    `tpot`, `turn`, `late` (the last token after it was due), queueing and cache. `calls`: KEY, PLACE, `tool`, and
    what was judged.
    """

    sessions: pl.DataFrame
    turns: pl.DataFrame
    calls: pl.DataFrame
    left_out: pl.DataFrame | None = None
    """Sessions that are not measured: `phase`, `engine`, `link`, `model`, `reason`."""

    def where(self, **place: object) -> Latencies:
        """Return those of a place (columns of PLACE)."""
        import polars as pl

        own = [pl.col(name) == value for name, value in place.items()]
        return Latencies(*(frame.filter(*own) for frame in (self.sessions, self.turns, self.calls)))

    def samples(self, metric: str) -> pl.DataFrame:
        """Return the samples of a metric of an SLO: KEY, PLACE, `value`; what never ended is infinite."""
        import polars as pl

        frame = self.sessions if metric == "task" else self.calls if metric == "tool" else self.turns
        value = pl.col(metric).cast(pl.Float64)
        if metric == "task":
            value = value.fill_null(float("inf"))
        return frame.select(*KEY, *PLACE, value=value).drop_nulls("value")


def read(folder: Path, void: frozenset[str] = frozenset()) -> Latencies:
    """Read the samples of a run folder, but for those of void links."""
    import polars as pl

    rows = scan(folder)
    counts = pl.col("phase").fill_null("measured") == "measured"
    cells = rows.filter((pl.col("kind") == "cell") & ~pl.col("link").is_in(list(void)))
    sessions = cells.filter(counts).select(_CELL).collect(engine="streaming")
    left_out = cells.filter(~counts).select("phase", "engine", "link", "model", "reason").collect()
    check(sessions)
    sessions = sessions.with_columns(task=pl.col("done_ns") - pl.col("started_ns"))
    place = sessions.select(*KEY, *PLACE, meant_ns="started_ns")

    def of(kind: str, columns: tuple[str, ...]) -> pl.DataFrame:
        found = rows.filter(pl.col("kind") == kind).select(columns).collect(engine="streaming")
        check(found)
        return found.join(place, on=list(KEY), how="inner")

    turns = of("turn", _TURN).with_columns(
        intended_ns=pl.when(pl.col("turn") == 0).then("meant_ns").otherwise("intended_ns")
    )
    model_ns = pl.col("last_token_ns") - pl.col("first_token_ns")
    ready_ns = pl.coalesce("tools_done_ns", "received_ns")
    turns = turns.with_columns(
        ttft=pl.col("first_byte_ns") - pl.col("intended_ns"),
        tpot=pl.when(pl.col("output_tokens") > 1).then(model_ns / (pl.col("output_tokens") - 1)),
        turn_ns=ready_ns - pl.col("intended_ns"),
        late=pl.col("last_token_ns") - pl.col("prompt_read_ns") - pl.col("ttft_ns") - pl.col("decode_ns"),
    )
    calls = of("call", _CALL).with_columns(tool=pl.col("done_ns") - pl.col("started_ns"))
    return Latencies(sessions, turns.drop("turn").rename({"turn_ns": "turn"}), calls, left_out)
