"""Scripted turns as `/v1/responses` answers them: items, each opened, filled by deltas, and closed.

One response may hold one turn (the client runs the tools) or all turns of a trace (the server's own loop does).
`Response` counts what runs through a whole response: sequence numbers, output places, finished items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from curserve_engines.cell.spoken import SpokenCall
from curserve_harness.llm import framing
from curserve_harness.llm.script import ScriptTurn

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reserved:
    """The sequence number and the output place from which the outputs of a turn's calls go on."""

    sequence: int
    place: int

    def events(self, outputs: Sequence[tuple[str, str]]) -> bytes:
        """Return the events of the tools' outputs, given as (call id, text)."""
        written = []
        for index, (call_id, text) in enumerate(outputs):
            place = self.place + index
            item = output_item(call_id, text) | {"id": f"fco_{place}", "status": "completed"}
            for step, kind in enumerate(("response.output_item.added", "response.output_item.done")):
                number = self.sequence + 2 * index + step
                fields = {"type": kind, "sequence_number": number, "output_index": place, "item": item}
                written.append(framing.event(fields, kind))
        return b"".join(written)


@dataclass(slots=True)
class Response:
    """A response as it grows; mutable, since its numbers run on from turn to turn."""

    id: str
    created: int
    model: str
    previous: str | None = None
    items: list[Item] = field(default_factory=list)
    sequence: int = 0
    repeats: bool = True
    """Whether the closing event repeats all items. In the server's own loop it does not: they would cross the
    link twice, and the second crossing would be charged to the last turn."""

    def event(self, kind: str, **fields: Any) -> bytes:
        """Return the next event of this response."""
        number, self.sequence = self.sequence, self.sequence + 1
        return framing.event({"type": kind, "sequence_number": number, **fields}, kind)

    def begin(self) -> bytes:
        """Return the events that open the response."""
        state = self.state("in_progress")
        return self.event("response.created", response=state) + self.event("response.in_progress", response=state)

    def end(self, usage: dict[str, Any]) -> bytes:
        """Return the event that closes the response."""
        return self.event("response.completed", response=self.state("completed", usage))

    def reserve(self, calls: int) -> Reserved:
        """Keep the numbers of the events that will carry the outputs of `calls` tool calls, not known yet."""
        kept = Reserved(self.sequence, len(self.items))
        self.sequence += 2 * calls
        self.items += [{} for _ in range(calls)]
        return kept

    def state(self, status: str, usage: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the response object."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "model": self.model,
            "output": list(self.items) if self.repeats else [],
            "previous_response_id": self.previous,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "usage": usage,
        }


@dataclass(frozen=True, slots=True)
class _Message:
    response: Response
    text: str
    place: int

    @property
    def _id(self) -> str:
        return f"msg_{self.place}"

    @property
    def _at(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self.place, "content_index": 0}

    def opening(self) -> bytes:
        item = {"type": "message", "id": self._id, "status": "in_progress", "role": "assistant", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        return self.response.event(
            "response.output_item.added", output_index=self.place, item=item
        ) + self.response.event("response.content_part.added", **self._at, part=part)

    def delta(self, text: str) -> bytes:
        return self.response.event("response.output_text.delta", **self._at, delta=text, logprobs=[])

    def closing(self) -> bytes:
        item = self.item()
        return (
            self.response.event("response.output_text.done", **self._at, text=self.text, logprobs=[])
            + self.response.event("response.content_part.done", **self._at, part=item["content"][0])
            + self.response.event("response.output_item.done", output_index=self.place, item=item)
        )

    def item(self) -> Item:
        part = {"type": "output_text", "text": self.text, "annotations": []}
        return {
            "type": "message",
            "id": self._id,
            "status": "completed",
            "role": "assistant",
            "content": [part],
        }


@dataclass(frozen=True, slots=True)
class _Call:
    response: Response
    call: SpokenCall
    place: int

    @property
    def text(self) -> str:
        return self.call.arguments

    def opening(self) -> bytes:
        item = self.item() | {"status": "in_progress", "arguments": ""}
        return self.response.event("response.output_item.added", output_index=self.place, item=item)

    def delta(self, text: str) -> bytes:
        return self.response.event(
            "response.function_call_arguments.delta",
            item_id=f"fc_{self.place}",
            output_index=self.place,
            delta=text,
        )

    def closing(self) -> bytes:
        return self.response.event(
            "response.function_call_arguments.done",
            item_id=f"fc_{self.place}",
            output_index=self.place,
            name=self.call.name,
            arguments=self.call.arguments,
        ) + self.response.event("response.output_item.done", output_index=self.place, item=self.item())

    def item(self) -> Item:
        return {
            "type": "function_call",
            "id": f"fc_{self.place}",
            "call_id": self.call.id,
            "name": self.call.name,
            "arguments": self.call.arguments,
            "status": "completed",
        }


def output_item(call_id: str, text: str) -> Item:
    """Return a tool's output as an input item."""
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def streamed(turn: ScriptTurn, response: Response, *, first: bool = True, last: bool = True) -> framing.Slots:
    """Return one turn as events, one slot a token; `first` and `last`: of this response."""
    start = response.begin() if first else b""  # before the pieces: sequence numbers follow the wire
    slots = framing.slots(_pieces(turn, response), turn.output_tokens)
    slots[0] = start + slots[0]
    if last:
        slots[-1] += response.end(usage(turn))
    return framing.frame(slots, first=framing.STREAM_HEAD if first else b"", last=framing.END if last else b"")


def complete(turn: ScriptTurn, response: Response) -> framing.Slots:
    """Return one turn as one JSON response."""
    _pieces(turn, response)
    return framing.whole(orjson.dumps(response.state("completed", usage(turn))))


def usage(turn: ScriptTurn) -> dict[str, Any]:
    """Return the usage object of a turn."""
    prompt, cached, output = turn.usage()
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + output,
    }


def _pieces(turn: ScriptTurn, response: Response) -> list[framing.Piece]:
    """Return the pieces of a turn, their items appended to the response. Reasoning is not shown by this API."""
    pieces: list[_Message | _Call] = []
    at = len(response.items)
    if turn.text or not turn.calls:
        pieces.append(_Message(response, turn.text, at))
    pieces += [_Call(response, call, at + len(pieces) + i) for i, call in enumerate(turn.calls)]
    response.items.extend(piece.item() for piece in pieces)
    return list(pieces)
