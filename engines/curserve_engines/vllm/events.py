"""The agent loop's events as the Responses API streams them: text as deltas, calls and outputs as items."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from curserve_engines.cell.spoken import spoken
from curserve_engines.vllm.agent import Event
from curserve_traces.model import Trace
from curserve_traces.text import valid


class ResponseEvents:
    """Turns the events of one loop into server-sent events, numbered in order; `text` decodes tokens."""

    def __init__(self, response: str, trace: Trace, text: Callable[[Sequence[int]], str]) -> None:
        self._response, self._trace, self._text = response, trace, text
        self._sequence = self._place = 0
        self._turn: int | None = None

    def begin(self) -> bytes:
        """Return the first event."""
        return self._event("response.created", response=self._object("in_progress"))

    def event(self, event: Event) -> bytes:
        """Return what the client is told of one event."""
        if event.kind == "text":
            opened = b""
            if self._turn != event.turn:
                opened = self._close_turn()
                self._turn = event.turn
                message = {"type": "message", "role": "assistant", "status": "in_progress", "content": []}
                opened += self._event("response.output_item.added", output_index=self._place, item=message)
            return opened + self._event(
                "response.output_text.delta",
                item_id=f"msg_{event.turn}",
                output_index=self._place,
                delta=self._text(event.tokens),
            )
        if event.kind == "output":
            item = {"type": "function_call_output", "call_id": event.call_id, "output": event.text}
            closed = self._close_turn()
            added = self._event("response.output_item.added", output_index=self._place, item=item)
            return closed + added + self._item(item)
        return b""

    def end(self) -> bytes:
        """Return the last event of a loop that came to its end."""
        return self._close_turn() + self._event("response.completed", response=self._object("completed"))

    def failed(self, error: str) -> bytes:
        """Return the last event of a loop that could not go on."""
        response = self._object("failed") | {"error": {"code": "server_error", "message": error}}
        return self._event("response.failed", response=response)

    def _close_turn(self) -> bytes:
        if self._turn is None:
            return b""
        number, self._turn = self._turn, None
        turn = self._trace.turns[number]
        content = [{"type": "output_text", "text": valid(turn.text), "annotations": []}]
        data = self._item({"type": "message", "role": "assistant", "status": "completed", "content": content})
        for index, recorded in enumerate(turn.calls):
            call = spoken(recorded, number, index)
            item = {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
            data += self._item(item)
        return data

    def _item(self, item: dict[str, Any]) -> bytes:
        place, self._place = self._place, self._place + 1
        return self._event("response.output_item.done", output_index=place, item=item)

    def _object(self, status: str) -> dict[str, Any]:
        return {"id": self._response, "object": "response", "status": status, "output": [], "usage": None}

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._sequence = self._sequence, self._sequence + 1
        body = json.dumps({"type": kind, "sequence_number": number, **fields}, ensure_ascii=False)
        return f"event: {kind}\ndata: {body}\n\n".encode()
