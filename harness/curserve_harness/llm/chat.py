"""A scripted turn as `/v1/chat/completions` answers it: streamed in chunks, or whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from curserve_engines.cell.spoken import SpokenCall
from curserve_harness.llm import framing
from curserve_harness.llm.script import ScriptTurn


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every chunk of one completion repeats."""

    id: str
    created: int
    model: str

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """Return the event of one delta."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return framing.event(self._chunk([choice]))

    def usage(self, usage: dict[str, Any]) -> bytes:
        """Return the event that carries the usage."""
        return framing.event({**self._chunk([]), "usage": usage})

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


@dataclass(frozen=True, slots=True)
class _Text:
    envelope: Envelope
    field: str
    text: str

    def opening(self) -> bytes:
        return b""

    def delta(self, text: str) -> bytes:
        return self.envelope.chunk({self.field: text})

    def closing(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class _Call:
    envelope: Envelope
    index: int
    call: SpokenCall

    @property
    def text(self) -> str:
        return self.call.arguments

    def opening(self) -> bytes:
        function = {"name": self.call.name, "arguments": ""}
        return self._chunk({"id": self.call.id, "type": "function", "function": function})

    def delta(self, text: str) -> bytes:
        return self._chunk({"function": {"arguments": text}})

    def closing(self) -> bytes:
        return b""

    def _chunk(self, call: dict[str, Any]) -> bytes:
        return self.envelope.chunk({"tool_calls": [{"index": self.index, **call}]})


def streamed(turn: ScriptTurn, envelope: Envelope, *, with_usage: bool) -> framing.Slots:
    """Return the turn as chunks, one slot a token."""
    slots = framing.slots(list(_pieces(turn, envelope)), turn.output_tokens)
    slots[0] = envelope.chunk({"role": "assistant", "content": ""}) + slots[0]
    slots[-1] += envelope.chunk({}, _finish(turn))
    if with_usage:
        slots[-1] += envelope.usage(usage(turn))
    slots[-1] += b"data: [DONE]\n\n"
    return framing.frame(slots, first=framing.STREAM_HEAD)


def complete(turn: ScriptTurn, envelope: Envelope) -> framing.Slots:
    """Return the turn as one JSON response."""
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, "refusal": None}
    if turn.reasoning:
        message["reasoning_content"] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in turn.calls
        ]
    body = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(turn)}],
        "usage": usage(turn),
    }
    return framing.whole(orjson.dumps(body))


def usage(turn: ScriptTurn) -> dict[str, Any]:
    """Return the usage object of a turn."""
    prompt, cached, output = turn.usage()
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _finish(turn: ScriptTurn) -> str:
    return "tool_calls" if turn.calls else "stop"


def _pieces(turn: ScriptTurn, envelope: Envelope) -> Iterator[framing.Piece]:
    if turn.reasoning:
        yield _Text(envelope, "reasoning_content", turn.reasoning)
    if turn.text:
        yield _Text(envelope, "content", turn.text)
    for index, call in enumerate(turn.calls):
        yield _Call(envelope, index, call)
