"""What a model answered, read back from the bytes that went to the agent: an Answer.

Chat completions and responses, both streamed and whole. Nothing is added: no counts where the server sent none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object

CHAT, RESPONSES = "/chat/completions", "/responses"


@dataclass(slots=True)
class AskedCall:
    """A call in an answer: `arguments` is JSON text as the model wrote it."""

    id: str | None = None
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class ModelAnswer:
    """One answer of the model."""

    id: str | None = None
    model: str | None = None
    text: str = ""
    reasoning: str = ""
    calls: list[AskedCall] = field(default_factory=list)
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None


def read(path: str, body: bytes) -> ModelAnswer | None:
    """Return the answer in a response's body; `None` where it is none (an error, or another format)."""
    if path.endswith(RESPONSES):
        final = next((an_object(e["response"]) for e in _events(body) if "response" in e and _is_last(e)), None)
        return _response(final if final is not None else _object(body))
    events = list(_events(body))
    if events:
        return _streamed(events)
    return _whole(_object(body))


def _is_last(event: Json) -> bool:
    return event.get("type") in ("response.completed", "response.incomplete")


def _object(body: bytes) -> Json:
    try:
        return an_object(orjson.loads(body))
    except orjson.JSONDecodeError:
        return {}


def _events(body: bytes) -> Iterator[Json]:
    """Yield the JSON objects of a stream of server-sent events."""
    for line in body.splitlines():
        if line.startswith(b"data:") and (found := _object(line[5:].strip())):
            yield found


def _streamed(events: list[Json]) -> ModelAnswer | None:
    answer = ModelAnswer()
    calls: dict[int, AskedCall] = {}
    spoken = False
    for event in events:
        answer.id = answer.id or a_string(event.get("id"))
        answer.model = answer.model or a_string(event.get("model"))
        _usage(answer, an_object(event.get("usage")))
        for choice in map(an_object, a_list(event.get("choices"))[:1]):
            spoken = True
            delta = an_object(choice.get("delta"))
            answer.text += a_string(delta.get("content")) or ""
            answer.reasoning += a_string(delta.get("reasoning_content")) or a_string(delta.get("reasoning")) or ""
            for part in map(an_object, a_list(delta.get("tool_calls"))):
                call = calls.setdefault(an_integer(part.get("index")) or 0, AskedCall())
                function = an_object(part.get("function"))
                call.id = call.id or a_string(part.get("id"))
                call.name += a_string(function.get("name")) or ""
                call.arguments += a_string(function.get("arguments")) or ""
    answer.calls = [calls[index] for index in sorted(calls)]
    return answer if spoken else None


def _whole(body: Json) -> ModelAnswer | None:
    choices = a_list(body.get("choices"))
    if not choices:
        return None
    message = an_object(an_object(choices[0]).get("message"))
    answer = ModelAnswer(
        a_string(body.get("id")), a_string(body.get("model")), a_string(message.get("content")) or ""
    )
    answer.reasoning = a_string(message.get("reasoning_content")) or a_string(message.get("reasoning")) or ""
    for call in map(an_object, a_list(message.get("tool_calls"))):
        function = an_object(call.get("function"))
        answer.calls.append(
            AskedCall(
                a_string(call.get("id")),
                a_string(function.get("name")) or "",
                a_string(function.get("arguments")) or "",
            )
        )
    _usage(answer, an_object(body.get("usage")))
    return answer


def _response(body: Json) -> ModelAnswer | None:
    if body.get("object") != "response":
        return None
    answer = ModelAnswer(a_string(body.get("id")), a_string(body.get("model")))
    for item in map(an_object, a_list(body.get("output"))):
        parts = [
            a_string(an_object(p).get("text")) or "" for p in a_list(item.get("content") or item.get("summary"))
        ]
        if item.get("type") == "message":
            answer.text += "".join(parts)
        elif item.get("type") == "reasoning":
            answer.reasoning += "".join(parts)
        elif item.get("type") in ("function_call", "custom_tool_call"):
            arguments = a_string(item.get("arguments")) or a_string(item.get("input")) or ""
            answer.calls.append(
                AskedCall(a_string(item.get("call_id")), a_string(item.get("name")) or "", arguments)
            )
    _usage(answer, an_object(body.get("usage")))
    return answer


def _usage(answer: ModelAnswer, usage: Json) -> None:
    if not usage:
        return
    details: Any = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    answer.prompt_tokens = an_integer(usage.get("prompt_tokens", usage.get("input_tokens")))
    answer.cached_tokens = an_integer(an_object(details).get("cached_tokens"))
    answer.output_tokens = an_integer(usage.get("completion_tokens", usage.get("output_tokens")))
