"""What one cell cost a real vLLM server, turn by turn: `play_inside`, `play_client`, and TurnCost.

`overhead_ns` is what a tool call costs the model beside the tool: from the end of the step that sampled a turn's
last token to the start of the step that begins the next prefill, both stamped in vLLM's worker, less the time that
the tools' engine tells. Handing a call to a thread and back is overhead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from curserve_engines.cell.spec import CellSpec, Model
from curserve_engines.cell.tools import Tools
from curserve_engines.protocol import Result, Session
from curserve_harness.play.connection import Connection, Events
from curserve_harness.play.player import Played, play
from curserve_harness.samples.rows import Row
from curserve_harness.vllm.process import VllmServer
from curserve_traces import codec
from curserve_traces.model import ToolCall


@dataclass(frozen=True, slots=True)
class TurnCost:
    """One turn; the first has no tool call before it, so its `overhead_ns` is None. Times in ns.

    `prompt` tokens were asked for, `new` of them are new since the last turn (None: tools on the client), `reused`
    were in the KV cache, `prefilled` were computed. `queued_ns` passed between reading the prompt and its prefill.
    """

    turn: int
    prompt: int
    new: int | None
    reused: int
    prefilled: int
    ttft_ns: int | None
    queued_ns: int | None
    overhead_ns: int | None
    tool_ns: int
    prefill_ns: int
    decode_ns: int
    steps: int
    preemptions: int


@dataclass(frozen=True, slots=True)
class CellCost:
    """One cell: its turns, its call rows, whether every forced token came out, and what went wrong."""

    turns: tuple[TurnCost, ...]
    calls: tuple[Row, ...]
    exact: bool
    error: str | None


def cell_spec(number: int, trace: Path, placement: str, root: Path | None, **fields: Any) -> CellSpec:
    """Return a cell for probing."""
    model = Model("tiny", 0, 0, 1.0)
    return CellSpec(
        run="probe",
        block=0,
        cell=number,
        trace=str(trace),
        engine=fields.pop("engine", "vllm"),
        placement=placement,  # type: ignore[arg-type]  # one of the three, by our callers
        model=model,
        root=str(root) if root is not None else None,
        **fields,
    )


def play_inside(server: VllmServer, cell: CellSpec) -> CellCost:
    """Play a cell whose tools run in the serving process."""
    server.open(cell.to_json())
    follow_stream(server.url, cell.cell, cell.deadline_s)
    return cost(server.close(cell.cell))


def follow_stream(url: str, cell: int, deadline_s: float) -> list[dict[str, Any]]:
    """Ask for a cell and return the events of its loop."""
    seen: list[dict[str, Any]] = []
    events = Events(lambda data: seen.append(json.loads(data)))
    deadline_ns = time.monotonic_ns() + round(deadline_s * 1e9)
    with closing(Connection(url, deadline_ns)) as connection:
        head = connection.request_head("/v1/responses", [("x-curserve-cell", str(cell)), ("x-curserve-turn", "0")])
        connection.post(head, [b'{"model":"tiny","input":"","stream":true}'], events)
    return seen


def play_client(server: VllmServer, cell: CellSpec, session: Session, *, rtt_s: float = 0.0) -> CellCost:
    """Play a cell with the tools here, by `session`.

    `rtt_s` adds a round trip to every tool call where no link is at hand: what the server sees of a longer way is
    a longer gap. (A real link costs more: congestion windows, which `curserve-bench replay` has.)
    """
    trace = codec.load(cell.trace)
    server.open(cell.to_json())
    tools = Tools(cell, trace, _Far(session, rtt_s))
    played, error = Played(cell.cell), None
    try:
        deadline_ns = time.monotonic_ns() + round(cell.deadline_s * 1e9)
        with closing(Connection(server.url, deadline_ns)) as connection:
            play(cell, trace, connection, tools, played)
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    finally:
        tools.close()
    closed = server.close(cell.cell)
    spans = {row["turn"]: row for row in played.rows() if row["kind"] == "turn"}
    closed["rows"] = [row | spans.get(row["turn"], {}) for row in closed["rows"]] + tools.rows()
    closed["error"] = closed["error"] or error
    return cost(closed)


class _Far:
    """A session that is `rtt_s` away."""

    def __init__(self, session: Session, rtt_s: float) -> None:
        self._session, self._rtt_s = session, rtt_s
        self.close = session.close

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:
        if self._rtt_s:
            time.sleep(self._rtt_s)
        return self._session.call(call, turn=turn, index=index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def cost(closed: Mapping[str, Any]) -> CellCost:
    """Return what a closed cell cost."""
    rows = {row["turn"]: row for row in closed["rows"] if row["kind"] == "turn"}
    calls = tuple(row for row in closed["rows"] if row["kind"] == "call")
    steps = closed["steps"]
    new = {detail["turn"]: detail["new_tokens"] for detail in closed["details"]}
    turns: list[TurnCost] = []
    for number, step in enumerate(steps):
        row = rows.get(number, {})
        spent = [call["wall_ns"] for call in calls if call["turn"] == number]
        tool = spent[0] if len(spent) == 1 else row.get("tools_done_ns", 0) - row.get("tools_started_ns", 0)
        read, first = row.get("prompt_read_ns"), row.get("first_token_ns")
        overhead = None
        if number and turns[-1].tool_ns:
            overhead = step["prefill_started_ns"] - steps[number - 1]["decoded_ns"] - turns[-1].tool_ns
        turns.append(
            TurnCost(
                turn=number,
                prompt=step["prompt"],
                new=new.get(number),
                reused=step["reused"],
                prefilled=step["prefilled"],
                ttft_ns=None if read is None or first is None else first - read,
                queued_ns=None if read is None else step["prefill_started_ns"] - read,
                overhead_ns=overhead,
                tool_ns=tool,
                prefill_ns=step["first_token_ns"] - step["prefill_started_ns"],
                decode_ns=step["decoded_ns"] - step["first_token_ns"],
                steps=step["steps"],
                preemptions=step["preemptions"],
            )
        )
    exact = bool(closed["details"]) and all(detail["exact"] for detail in closed["details"])
    return CellCost(tuple(turns), calls, exact, closed["error"])
