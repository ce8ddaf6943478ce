"""What a request asks for, validated at the edge: ChatRequest and ResponsesRequest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from curserve_harness.llm.errors import ApiError

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion: `spoken` assistant messages stand in its conversation."""

    model: str
    stream: bool
    with_usage: bool
    spoken: int


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A response: `spoken` turns of the model stand in its input (consecutive items of one turn count once)."""

    model: str
    stream: bool
    previous: str | None
    spoken: int


def read_json(raw: bytes) -> dict[str, Any]:
    """Return the object in a request's body."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ApiError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(f"the body must be a JSON object, not {_kind(body)}")
    return body


def read_chat(body: dict[str, Any]) -> ChatRequest:
    """Read the body of POST /v1/chat/completions."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError("messages must be an array with at least one message", param="messages")
    spoken = 0
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            raise ApiError(f"{where} must be an object, not {_kind(message)}", param=where)
        role = message.get("role")
        if role not in _ROLES:
            raise ApiError(f"{where}.role must be one of {', '.join(_ROLES)}", param=f"{where}.role")
        if not isinstance(message.get("content"), (str, list, type(None))):
            raise ApiError(f"{where}.content must be a string, an array or null", param=f"{where}.content")
        spoken += role == "assistant"
    if body.get("n") not in (None, 1):
        raise ApiError("n must be 1: a recorded turn is one answer", param="n")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise ApiError("stream_options must be an object", param="stream_options")
    with_usage = bool(options and options.get("include_usage"))
    return ChatRequest(_model(body), _flag(body, "stream"), with_usage, spoken)


def read_responses(body: dict[str, Any]) -> ResponsesRequest:
    """Read the body of POST /v1/responses."""
    given = body.get("input")
    if not isinstance(given, (str, list)):
        raise ApiError("input must be a string or an array of items", param="input")
    previous = body.get("previous_response_id")
    if not isinstance(previous, (str, type(None))):
        raise ApiError("previous_response_id must be a string", param="previous_response_id")
    spoken, was_model = 0, False
    for index, item in enumerate(given if isinstance(given, list) else ()):
        if not isinstance(item, dict):
            raise ApiError(f"input[{index}] must be an object, not {_kind(item)}", param=f"input[{index}]")
        is_model = item.get("role") == "assistant" or item.get("type") in ("function_call", "reasoning")
        spoken += is_model and not was_model
        was_model = is_model
    return ResponsesRequest(_model(body), _flag(body, "stream"), previous, spoken)


def _model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError("model must be given, as a string", param="model")
    return model


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, (bool, type(None))):
        raise ApiError(f"{name} must be true or false", param=name)
    return bool(value)


def _kind(value: object) -> str:
    return {list: "an array", str: "a string", type(None): "null"}.get(type(value), type(value).__name__)
