"""What the model said, put together from the events of a stream or from one JSON answer: `ModelReply`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson


class BadReply(Exception):
    """Raised when a model server answers with an error, or with what is no answer."""


@dataclass(slots=True)
class ReplyCall:
    """A tool call as it was received; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class ModelReply:
    """A turn as it was received; it grows while a stream is read. `output_tokens` as the server counts them."""

    id: str | None = None
    text: str = ""
    calls: list[ReplyCall] = field(default_factory=list)
    output_tokens: int | None = None
    finished: bool = False


_SHAPE = (KeyError, TypeError, IndexError, AttributeError, ValueError)
"""What happens when JSON has another shape than it should."""


def _nonsense(data: bytes, error: Exception) -> BadReply:
    said = data[:200].decode(errors="replace")
    return BadReply(f"not an answer of OpenAI's API: {said} ({error!r})")


class ChatReply:
    """Reads `/v1/chat/completions`."""

    def __init__(self) -> None:
        self.reply = ModelReply()
        self._text: list[str] = []
        self._arguments: list[list[str]] = []

    def event(self, data: bytes) -> None:
        """Take one event of a stream."""
        try:
            self._take(_object(data))
        except _SHAPE as error:
            raise _nonsense(data, error) from error

    def _take(self, chunk: dict[str, Any]) -> None:
        reply = self.reply
        if chunk.get("usage"):
            reply.output_tokens = chunk["usage"].get("completion_tokens")
        for choice in chunk["choices"]:
            delta = choice["delta"]
            if content := delta.get("content"):
                self._text.append(content)
            for call in delta.get("tool_calls") or ():
                function = call.get("function") or {}
                if call["index"] >= len(reply.calls):
                    reply.id = chunk.get("id")
                    reply.calls.append(ReplyCall(call["id"], function["name"], ""))
                    self._arguments.append([])
                self._arguments[call["index"]].append(function.get("arguments") or "")
            if choice.get("finish_reason"):
                reply.finished = True

    def end(self) -> ModelReply:
        """Return what was said in the stream."""
        self.reply.text = "".join(self._text)
        for call, parts in zip(self.reply.calls, self._arguments, strict=True):
            call.arguments = "".join(parts)
        return self.reply

    @staticmethod
    def whole(data: bytes) -> ModelReply:
        """Return what was said in one JSON answer."""
        try:
            answer = _object(data)
            message = answer["choices"][0]["message"]
            calls = [
                ReplyCall(c["id"], c["function"]["name"], c["function"]["arguments"])
                for c in message.get("tool_calls") or ()
            ]
            tokens = (answer.get("usage") or {}).get("completion_tokens")
            return ModelReply(answer.get("id"), message.get("content") or "", calls, tokens, finished=True)
        except _SHAPE as error:
            raise _nonsense(data, error) from error


class ItemReply:
    """Reads `/v1/responses`, by its finished items."""

    def __init__(self) -> None:
        self.reply = ModelReply()

    def event(self, data: bytes) -> None:
        """Take one event of a stream."""
        if b'.delta"' in data[:80]:
            return  # its item comes again, whole, when it is done
        try:
            self._take(_object(data))
        except _SHAPE as error:
            raise _nonsense(data, error) from error

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "response.output_item.done":
            _item(self.reply, event["item"])
        elif kind in ("response.created", "response.completed"):
            _response(self.reply, event["response"])
        elif kind == "response.failed":
            raise BadReply(f"the model server failed: {event['response'].get('error')}")

    def end(self) -> ModelReply:
        """Return what was said in the stream."""
        return self.reply

    @staticmethod
    def whole(data: bytes) -> ModelReply:
        """Return what was said in one JSON answer."""
        reply = ModelReply()
        try:
            answer = _object(data)
            for item in answer["output"]:
                _item(reply, item)
            _response(reply, answer)
        except _SHAPE as error:
            raise _nonsense(data, error) from error
        return reply


def _item(reply: ModelReply, item: dict[str, Any]) -> None:
    if item["type"] == "message":
        reply.text += "".join(part.get("text", "") for part in item["content"])
    elif item["type"] == "function_call":
        reply.calls.append(ReplyCall(item["call_id"], item["name"], item["arguments"]))


def _response(reply: ModelReply, response: dict[str, Any]) -> None:
    reply.id = response["id"]
    reply.finished = response["status"] == "completed"
    if response.get("usage"):
        reply.output_tokens = response["usage"].get("output_tokens")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadReply(f"not JSON: {data[:80]!r} ({error})") from error
    if not isinstance(value, dict) or ("error" in value and value["error"] is not None):
        raise BadReply(f"the model server answered: {data[:300].decode(errors='replace')}")
    return value
