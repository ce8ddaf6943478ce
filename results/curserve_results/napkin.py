"""The napkin model: the end-to-end time that theory predicts, beside the one that was measured. Main: `predict`.

    client-placed  sum over turns of (RTT + upload windows + TTFT + tokens x TPOT) + tools
    server-placed  one RTT                + sum over turns of (TTFT + tokens x TPOT) + tools

TTFT and decode are what the model's profile asks for; tools are the measured time from the first call started
to the last done (spawn included), so that the residual is link, TCP and harness. Where theory and measurement
part is a finding, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curserve_results.store import scan
from curserve_results.summary import engine_place
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.summary import Summary

MSS = 1448
"""Payload of a segment at an MTU of 1500 with timestamps."""

INITIAL_WINDOW = 10
"""Segments sent before the first acknowledgement (RFC 6928)."""

MIN_RTO_NS = 200_000_000
"""Linux' smallest retransmission time-out, added to the round-trip time."""


def upload_rounds(sizes: Iterable[int], idle_ns: Iterable[int], rtt_ns: int, *, idle_restart: bool) -> list[int]:
    """Return, for each upload of a connection in turn, the extra round trips that slow start costs it.

    The window grows by a segment for each one acknowledged (RFC 5681 §3.1). After idling, Linux halves it once
    per retransmission time-out, not below the initial window (RFC 2861, tcp_cwnd_restart), if `idle_restart`.
    No loss is assumed, so there is no threshold.
    """
    window, rounds = INITIAL_WINDOW, []
    for size, idle in zip(sizes, idle_ns, strict=True):
        if idle_restart:
            halvings = min(40, max(0, idle) // (rtt_ns + MIN_RTO_NS))
            window = max(INITIAL_WINDOW, window >> halvings)
        segments, extra = -(-size // MSS), 0
        while segments > window:
            segments -= window
            window *= 2
            extra += 1
        window += max(0, segments)
        rounds.append(extra)
    return rounds


@dataclass(frozen=True, slots=True)
class Prediction:
    """The parts of one cell's predicted end-to-end time, and what was measured, all in ns."""

    link_ns: int
    upload_ns: int
    model_ns: int
    tools_ns: int
    measured_ns: int
    turns: int

    @property
    def predicted_ns(self) -> int:
        """The sum of the parts."""
        return self.link_ns + self.upload_ns + self.model_ns + self.tools_ns


def predict(
    turns: pl.DataFrame, *, measured_ns: int, placement: str, rtt_ns: int, idle_restart: bool
) -> Prediction:
    """Predict one cell from its turn rows (sorted by turn)."""
    import polars as pl

    model = int((turns["ttft_ns"].fill_null(0) + turns["decode_ns"].fill_null(0)).sum())
    tools = int((turns["tools_done_ns"] - turns["tools_started_ns"]).fill_null(0).sum())
    if placement != "client":
        return Prediction(rtt_ns, 0, model, tools, measured_ns, turns.height)
    idle = (turns["sent_ns"] - turns["prompt_read_ns"].shift(1)).fill_null(0).cast(pl.Int64)
    rounds = upload_rounds(
        turns["bytes_up"].fill_null(0).to_list(), idle.to_list(), rtt_ns, idle_restart=idle_restart
    )
    return Prediction(turns.height * rtt_ns, sum(rounds) * rtt_ns, model, tools, measured_ns, turns.height)


_NEEDED = ("ttft_ns", "decode_ns", "tools_started_ns", "tools_done_ns", "sent_ns", "prompt_read_ns", "bytes_up")

_COLUMNS = (
    Column("engine", "engine"),
    Column("turns", "turns", "count", "model steps in a replay of all traces"),
    Column("link", "RTTs", "seconds", "turns x RTT if the tools run at the client, else one RTT"),
    Column("upload", "upload windows", "seconds", "extra round trips of slow start and idle restart"),
    Column("model", "model", "seconds", "TTFT + tokens x TPOT as the profile asks for"),
    Column("tools", "spawn + tools", "seconds", "first call started to last call done, as measured"),
    Column("predicted", "predicted", "seconds", "the sum"),
    Column("measured", "measured", "seconds", "end-to-end, mean over repetitions, summed over traces"),
    Column("residual", "residual a turn", "duration", "(measured - predicted) / turns"),
)


def napkin_tables(summary: Summary) -> tuple[Table, ...]:
    """Return, for every tier and model, the prediction beside the measurement by engine."""
    import polars as pl

    turns = (
        scan(summary.folder)
        .filter(pl.col("kind") == "turn")
        .select("block", "cell", "turn", *_NEEDED)
        .sort("block", "cell", "turn")
        .collect()
        .partition_by("block", "cell", as_dict=True)
    )
    return tuple(_table(summary, turns, *group) for group in summary.groups())


def _table(
    summary: Summary, turns: Mapping[tuple[Any, ...], pl.DataFrame], link: str, model: str, api: str
) -> Table:
    cells = summary.cells.filter(link=link, model=model, api=api)
    record = summary.manifest.link(link)
    rtt = (record.achieved_before_ns or record.requested_rtt_ns) if record else int(cells["rtt_ns"][0] or 0)
    restart = bool(record.tcp.get("idle_restart", True)) if record else True
    rows = []
    for engine in sorted(cells["engine"].unique().to_list(), key=engine_place):
        own = cells.filter(engine=engine)
        found = [
            predict(
                turns[(cell["block"], cell["cell"])],
                measured_ns=cell["end_to_end_ns"],
                placement=cell["placement"],
                rtt_ns=rtt,
                idle_restart=restart,
            )
            for cell in own.iter_rows(named=True)
            if (cell["block"], cell["cell"]) in turns
        ]
        if found:
            rows.append(_row(engine, found, repetitions=own.height / own["trace"].n_unique()))
    return Table(
        name=f"napkin/{link}/{model}/{api}",
        title=f"Napkin model and measurement: {link}, {model}",
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=(
            f"RTT {rtt / 1e6:.2f} ms as achieved; initial window {INITIAL_WINDOW} segments of {MSS} bytes, "
            f"idle restart {'on' if restart else 'off'}; no loss. The residual is what the theory leaves out.",
        ),
    )


def _row(engine: str, found: list[Prediction], repetitions: float) -> dict[str, Value]:
    """Return one engine's row; sums are over the traces of one repetition."""

    def total(part: str) -> Value:
        return Value(sum(getattr(p, part) for p in found) / repetitions, n=len(found))

    turns = sum(p.turns for p in found)
    residual = sum(p.measured_ns - p.predicted_ns for p in found)
    return {
        "engine": Value(engine),
        "turns": total("turns"),
        "link": total("link_ns"),
        "upload": total("upload_ns"),
        "model": total("model_ns"),
        "tools": total("tools_ns"),
        "predicted": total("predicted_ns"),
        "measured": total("measured_ns"),
        "residual": Value(residual / turns if turns else None, n=turns),
    }
