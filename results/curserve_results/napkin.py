"""The napkin model: the end-to-end time that theory predicts, beside the one that was measured. Main: `predict`.

    client-placed  sum over turns of (RTT + windows up and down + TTFT + tokens x TPOT) + tools
    server-placed  one RTT                + sum over turns of (TTFT + tokens x TPOT) + tools

TTFT and decode are what the model's profile asks for, and of a served model what was measured; tools are the
measured time from the first call started to the last done (spawn included), so that the residual is link, TCP and
harness. Where theory and measurement part is a finding, not an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curserve_results.store import scan
from curserve_results.summary import engine_place
from curserve_results.table import Column, Table, Value
from curserve_results.windows import INITIAL_WINDOW, MSS, Window

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.summary import Summary


@dataclass(frozen=True, slots=True)
class Prediction:
    """The parts of one cell's predicted end-to-end time, and what was measured, all in ns."""

    link_ns: int
    upload_ns: int
    download_ns: int
    model_ns: int
    tools_ns: int
    measured_ns: int
    turns: int

    @property
    def predicted_ns(self) -> int:
        """The sum of the parts."""
        return self.link_ns + self.upload_ns + self.download_ns + self.model_ns + self.tools_ns


def predict(
    turns: pl.DataFrame,
    *,
    measured_ns: int,
    placement: str,
    rtt_ns: int,
    idle_restart: bool,
    streamed: bool = True,
) -> Prediction:
    """Predict one cell from its turn rows (sorted by turn)."""
    import polars as pl

    model = int((turns["ttft_ns"].fill_null(0) + turns["decode_ns"].fill_null(0)).sum())
    tools = int((turns["tools_done_ns"] - turns["tools_started_ns"]).fill_null(0).sum())
    if placement != "client":
        return Prediction(rtt_ns, 0, 0, model, tools, measured_ns, turns.height)
    up, down = Window(rtt_ns, idle_restart), Window(rtt_ns, idle_restart)
    idle = turns.select(
        up=pl.col("sent_ns").diff(),
        down=pl.col("first_token_ns") - pl.col("last_token_ns").shift(1),
    ).fill_null(0)
    rounds, waits = 0, 0
    for turn, rest_up, rest_down in zip(turns.iter_rows(named=True), idle["up"], idle["down"], strict=True):
        up.rest(rest_up)
        rounds += up.upload_rounds(turn["bytes_up"] or 0)
        down.rest(rest_down)
        tokens = (turn["output_tokens"] or 1) if streamed else 1
        step_ns = (turn["decode_ns"] or 0) // (tokens - 1) if tokens > 1 else 0
        waits += down.stream_wait_ns(tokens, step_ns, turn["bytes_down"] or 0)
    return Prediction(turns.height * rtt_ns, rounds * rtt_ns, waits, model, tools, measured_ns, turns.height)


_NEEDED = (
    *("ttft_ns", "decode_ns", "tools_started_ns", "tools_done_ns", "sent_ns", "prompt_read_ns"),
    *("first_token_ns", "last_token_ns", "output_tokens", "bytes_up", "bytes_down"),
)

_COLUMNS = (
    Column("engine", "engine"),
    Column("turns", "turns", "count", "model steps in a replay of all traces"),
    Column("link", "RTTs", "seconds", "turns x RTT if the tools run at the client, else one RTT"),
    Column("upload", "windows up", "seconds", "extra round trips of prompts in slow start, or after idling"),
    Column("download", "windows down", "seconds", "last tokens that wait for acknowledgements of earlier ones"),
    Column("model", "model", "seconds", "TTFT + tokens x TPOT as the profile asks for, or as a served model took"),
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
                streamed=bool(summary.manifest.extra.get("stream", True)),
            )
            for cell in own.iter_rows(named=True)
            if (cell["block"], cell["cell"]) in turns
        ]
        if found:
            rows.append(_row(engine, found, repetitions=own.height / own["trace"].n_unique()))
    return Table(
        name=f"napkin/{link}/{model}/{api}",
        title=f"Napkin model and measurement: {summary.named(link)}, {model}",
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
        "download": total("download_ns"),
        "model": total("model_ns"),
        "tools": total("tools_ns"),
        "predicted": total("predicted_ns"),
        "measured": total("measured_ns"),
        "residual": Value(residual / turns if turns else None, n=turns),
    }
