"""The player: the agent's loop on the client host, over real HTTP.

With the tools on the client it sends the conversation, reads the model's turn, runs the tools, and sends again.
With the tools on the server it sends one request and reads the items as they come.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import orjson

from curserve_engines.cell.prompts import before, tool_definitions
from curserve_engines.cell.spec import CellSpec
from curserve_engines.cell.tools import Tools
from curserve_harness.play.connection import Connection, Events, Exchange
from curserve_harness.play.conversation import (
    ChatConversation,
    Conversation,
    ItemConversation,
)
from curserve_harness.play.replies import BadReply, ChatReply, ItemReply, ModelReply
from curserve_harness.samples.rows import Row
from curserve_traces.model import Trace
from curserve_traces.text import valid


@dataclass(slots=True)
class PlayedTurn:
    """What a turn measured; rows are made of it after the cell, so that no turn pays for them."""

    intended_ns: int
    exchange: Exchange | None = None
    tools_started_ns: int | None = None
    tools_done_ns: int | None = None


@dataclass(slots=True)
class Played:
    """What the player measured; it grows while the cell runs, so that a stopped cell keeps its turns."""

    cell: int
    turns: list[PlayedTurn] = field(default_factory=list)
    more: list[Row] = field(default_factory=list)

    def rows(self) -> list[Row]:
        """Return the rows of cell and turns."""
        return self.more + [
            {
                "cell": self.cell,
                "kind": "turn",
                "turn": number,
                "intended_ns": turn.intended_ns,
                "sent_ns": turn.exchange.sent_ns,
                "first_byte_ns": turn.exchange.first_byte_ns,
                "received_ns": turn.exchange.received_ns,
                "tools_started_ns": turn.tools_started_ns,
                "tools_done_ns": turn.tools_done_ns,
                "bytes_up": turn.exchange.bytes_up,
                "bytes_down": turn.exchange.bytes_down,
            }
            for number, turn in enumerate(self.turns)
            if turn.exchange is not None
        ]


def play(cell: CellSpec, trace: Trace, connection: Connection, tools: Tools, played: Played) -> None:
    """Play every turn of `trace` with the tools here; raises WireError or BadReply."""
    form = ChatConversation if cell.api == "chat" else ItemConversation
    conversation: Conversation = form(cell.model.name, trace, stream=cell.stream)
    heads = [
        connection.request_head(conversation.path, _place(cell, number)) for number in range(len(trace.turns))
    ]
    said = [valid(turn.text) for turn in trace.turns]
    ready_ns = started_ns = time.monotonic_ns()
    for number, turn in enumerate(trace.turns):
        row = PlayedTurn(ready_ns)
        played.turns.append(row)
        conversation.messages(before(trace, number))
        reply, row.exchange = _turn(cell, connection, heads[number], conversation, tools)
        if len(reply.calls) != len(turn.calls) or reply.text != said[number]:
            raise BadReply(
                f"turn {number}: the model server said another turn ({len(reply.calls)} calls, "
                f"{len(turn.calls)} recorded); do server and player read the same trace?"
            )
        row.tools_started_ns = time.monotonic_ns()
        shown = tools.run(number) if turn.calls else []
        ready_ns = row.tools_done_ns = time.monotonic_ns()
        conversation.reply(reply)
        for call, text in zip(reply.calls, shown, strict=True):
            conversation.output(call.id, text)
    played.more.append(_cell_row(cell, started_ns, ready_ns))


def follow(cell: CellSpec, trace: Trace, connection: Connection, played: Played) -> None:
    """Send the task once and read what the server's loop streams; raises WireError or BadReply."""
    tools = [{"type": "function", **tool} for tool in tool_definitions(trace)]
    body = orjson.dumps({"model": cell.model.name, "stream": True, "tools": tools, "input": before(trace, 0)})
    head = connection.request_head("/v1/responses", _place(cell, 0))
    watch = _LoopWatch()
    started_ns = time.monotonic_ns()
    events = Events(watch.event)
    exchange = connection.post(head, [body], events)
    done_ns = time.monotonic_ns()
    if exchange.status != 200 or not watch.completed:
        said = events.rest[:300].decode(errors="replace") or "the loop did not end"
        raise BadReply(f"the model server answered with status {exchange.status}: {said}")
    for number in range(len(trace.turns)):
        row: Row = {"cell": cell.cell, "kind": "turn", "turn": number}
        if number == 0:
            row |= {"sent_ns": exchange.sent_ns, "bytes_up": exchange.bytes_up}
        if number < len(watch.first_ns):
            row["first_byte_ns"] = watch.first_ns[number]
        played.more.append(row)
    played.more.append(_cell_row(cell, started_ns, done_ns))


class _LoopWatch:
    """Notes when the first item of each turn came: the first one, and each that follows a tool's output."""

    def __init__(self) -> None:
        self.first_ns: list[int] = []
        self.completed = False
        self._new_turn = True

    def event(self, data: bytes) -> None:
        if b'"response.output_item.added"' in data[:60]:
            if orjson.loads(data)["item"]["type"] == "function_call_output":
                self._new_turn = True
            elif self._new_turn:
                self.first_ns.append(time.monotonic_ns())
                self._new_turn = False
        elif b'"response.completed"' in data[:60]:
            self.completed = True
        elif b'"response.failed"' in data[:60]:
            said = (orjson.loads(data)["response"].get("error") or {}).get("message", "the loop failed")
            raise BadReply(f"the model server: {said}")
        elif b'"error":{' in data[:60]:
            raise BadReply(f"the model server answered: {data[:300].decode(errors='replace')}")


def _turn(
    cell: CellSpec, connection: Connection, head: bytes, conversation: Conversation, tools: Tools
) -> tuple[ModelReply, Exchange]:
    reader = ChatReply() if cell.api == "chat" else ItemReply()
    if cell.stream:
        events = Events(reader.event)
        exchange = connection.post(head, conversation.body(), events, tools.settle)
        return _finished(reader.end(), exchange, events.rest), exchange
    pieces: list[bytes] = []
    exchange = connection.post(head, conversation.body(), pieces.append, tools.settle)
    return _finished(reader.whole(b"".join(pieces)), exchange, b""), exchange


def _finished(reply: ModelReply, exchange: Exchange, rest: bytes) -> ModelReply:
    if exchange.status != 200 or not reply.finished:
        said = rest[:300].decode(errors="replace") or "no finished turn"
        raise BadReply(f"the model server answered with status {exchange.status}: {said}")
    return reply


def _place(cell: CellSpec, turn: int) -> list[tuple[str, str]]:
    return [("x-curserve-cell", str(cell.cell)), ("x-curserve-turn", str(turn))]


def _cell_row(cell: CellSpec, started_ns: int, done_ns: int) -> Row:
    return {"cell": cell.cell, "kind": "cell", "started_ns": started_ns, "done_ns": done_ns}
