"""What a model is given besides answers, wherever its tools run: `tool_definitions`, messages `before` a turn."""

from __future__ import annotations

from typing import Any

from curserve_traces.model import Message, Trace
from curserve_traces.text import valid

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


def before(trace: Trace, turn: int) -> list[dict[str, str]]:
    """Return the messages before a turn. A recording that begins with the model gets its task as the first one."""
    messages = trace.turns[turn].before
    if not messages and turn == 0:
        messages = (Message("user", trace.task or "The task was not recorded."),)
    return [{"role": message.role, "content": valid(message.text)} for message in messages]


def tool_definitions(trace: Trace) -> list[dict[str, Any]]:
    """Return the recorded tool definitions, or else what the recorded calls show of them.

    They travel with every request, as an agent's do. Each is `{name, description, parameters}`.
    """
    recorded = trace.extra.get("tool_definitions")
    if isinstance(recorded, list) and recorded and all(isinstance(d, dict) for d in recorded):
        return [d.get("function", d) for d in recorded]
    found: dict[str, dict[str, Any]] = {}
    for _, _, item in trace.calls():
        name, asked = item.call.as_asked()
        properties = found.setdefault(valid(name), {})
        for key, value in asked.items():
            properties[valid(str(key))] = {"type": _TYPES.get(type(value), "string")}
    return [
        {
            "name": name,
            "description": f"The agent's tool {name}.",
            "parameters": {"type": "object", "properties": properties},
        }
        for name, properties in found.items()
    ]
