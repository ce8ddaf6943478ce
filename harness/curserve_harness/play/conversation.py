"""What the player sends: the conversation, kept as the JSON bytes that the next request will carry.

Each turn appends its own messages, so that a long conversation is not written anew every turn; all its bytes
travel all the same. `ChatConversation` carries everything each time; `ItemConversation` only what is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from curserve_engines.cell.prompts import tool_definitions
from curserve_harness.play.replies import ModelReply
from curserve_traces.model import Trace


class Conversation(Protocol):
    """A conversation in one API's form."""

    path: str

    def messages(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Append the messages that stand before a turn."""
        ...

    def reply(self, reply: ModelReply) -> None:
        """Append what the model said."""
        ...

    def output(self, call_id: str, text: str) -> None:
        """Append what a tool answered."""
        ...

    def body(self) -> list[bytes | bytearray]:
        """Return the body of the next request, in parts."""
        ...


class ChatConversation:
    """The whole conversation, for `/v1/chat/completions`."""

    path = "/v1/chat/completions"

    def __init__(self, model: str, trace: Trace, *, stream: bool) -> None:
        options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {"stream": False}
        tools = [{"type": "function", "function": tool} for tool in tool_definitions(trace)]
        fields = {"model": model, **options, **({"tools": tools} if tools else {})}
        self._start = orjson.dumps(fields)[:-1] + b',"messages":['
        self._said = bytearray()

    def messages(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Append the messages that stand before a turn."""
        for message in messages:
            self._add(message)

    def reply(self, reply: ModelReply) -> None:
        """Append what the model said."""
        message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                for c in reply.calls
            ]
        self._add(message)

    def output(self, call_id: str, text: str) -> None:
        """Append what a tool answered."""
        self._add({"role": "tool", "tool_call_id": call_id, "content": text})

    def body(self) -> list[bytes | bytearray]:
        """Return the body of the next request, in parts."""
        return [self._start, self._said, b"]}"]

    def _add(self, message: Mapping[str, Any]) -> None:
        if self._said:
            self._said += b","
        self._said += orjson.dumps(message)


class ItemConversation:
    """Only the new items, for `/v1/responses`: the server keeps the rest under the previous response's id."""

    path = "/v1/responses"

    def __init__(self, model: str, trace: Trace, *, stream: bool) -> None:
        self._fields: dict[str, Any] = {"model": model, "stream": stream, "store": True}
        if tools := [{"type": "function", **tool} for tool in tool_definitions(trace)]:
            self._fields["tools"] = tools
        self._new: list[Mapping[str, Any]] = []

    def messages(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Append the messages that stand before a turn."""
        self._new += messages

    def reply(self, reply: ModelReply) -> None:
        """Remember what the next request follows; the model's words stay on the server."""
        self._fields["previous_response_id"] = reply.id

    def output(self, call_id: str, text: str) -> None:
        """Append what a tool answered."""
        self._new.append({"type": "function_call_output", "call_id": call_id, "output": text})

    def body(self) -> list[bytes | bytearray]:
        """Return the body of the next request, and begin the next one's."""
        new, self._new = self._new, []
        return [orjson.dumps({**self._fields, "input": new})]
