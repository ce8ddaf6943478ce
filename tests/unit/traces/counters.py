"""Counts of the tool calls in a recording, by other means than the importers': plain walks over the parsed JSON.

Each counter gives every place in the file where a call stands, copies too; a format's report must account for all.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import zstandard


def parsed(data: bytes) -> list[Any]:
    """Return the JSON values of a file: one, or one a line, without the lines that are none."""
    text = data.decode("utf-8-sig", "replace")
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    found = []
    for line in text.split("\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def every(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside of a JSON value."""
    stack = [value]
    while stack:
        at = stack.pop()
        if isinstance(at, dict):
            yield at
            stack += at.values()
        elif isinstance(at, list):
            stack += at


def _typed(*types: str) -> Callable[[list[Any]], int]:
    return lambda values: sum(item.get("type") in types for item in every(values))


def _keyed(*keys: str) -> Callable[[list[Any]], int]:
    return lambda values: sum(isinstance(item.get(key), dict) for item in every(values) for key in keys)


def _claude(values: list[Any]) -> int:
    """Blocks in what the model said: those of results may quote others."""
    found = 0
    for record in values:
        inner = record.get("data", {}).get("message") if record.get("type") == "progress" else record
        if isinstance(inner, dict) and inner.get("type") == "assistant":
            content = inner["message"].get("content")
            found += sum(block.get("type") == "tool_use" for block in content) if isinstance(content, list) else 0
    return found


def _codex(values: list[Any]) -> int:
    items = [v.get("payload", v) for v in values if v.get("type") not in ("event_msg", "compacted")]
    if len(values) == 1 and "items" in values[0]:
        items = values[0]["items"]
    return sum(str(item.get("type")).endswith("_call") for item in items if isinstance(item, dict))


def _atif(values: list[Any]) -> int:
    return sum(
        len(step["tool_calls"] or ()) for step in every(values) if "source" in step and "tool_calls" in step
    )


def _swe(values: list[Any]) -> int:
    return sum(bool(str(step.get("action") or "").strip()) for step in values[0]["trajectory"])


def _mini(values: list[Any]) -> int:
    (document,) = values
    found = 0
    for message in document["messages"] if isinstance(document, dict) else document:
        actions = message.get("extra", {}).get("actions") if isinstance(message.get("extra"), dict) else None
        if actions is not None:
            found += len(actions)
        elif message.get("role") == "assistant":
            text = message["content"] if isinstance(message["content"], str) else message["content"][0]["text"]
            found += len(re.findall(r"```(?:bash|mswea_bash_command)\s*\n.*?\n```", text, re.DOTALL)) == 1
    return found


def _v0(values: list[Any]) -> int:
    quiet = {
        "message",
        "system",
        "recall",
        "change_agent_state",
        "null",
        "condensation",
        "condensation_request",
        "",
    }
    found = 0
    for event in every([v.get("history", v) if isinstance(v, dict) else v for v in values]):
        called = isinstance(event.get("action"), str) and event["action"] not in quiet
        done = event.get("action") == "finish" and not event.get("tool_call_metadata")
        outer = bool(event.keys() & {"args", "timestamp", "source", "id", "thought"})
        found += (
            called and not done and outer and event.get("source") in ("agent", None) and "observation" not in event
        )
    return found + _v1(values)


def _v1(values: list[Any]) -> int:
    return sum(event.get("kind") == "ActionEvent" for event in every(values))


def _inspect(values: list[Any]) -> int:
    """Ids that an answer asks for or an event executes, in each sample."""
    found = 0
    for document in values:
        for sample in document.get("samples", [document]):
            events = [event for event in every(sample.get("events", [])) if "event" in event]
            ids = {event["id"] for event in events if event["event"] == "tool"}
            said = [
                e["output"]["choices"][0]["message"]
                for e in events
                if e["event"] == "model" and e["output"]["choices"]
            ]
            if not any(event["event"] in ("tool", "model") for event in events):
                said = sample.get("messages", [])
            ids |= {call["id"] for message in said for call in message.get("tool_calls") or ()}
            found += len(ids)
    return found


def _chat(values: list[Any]) -> int:
    return sum(len(item["tool_calls"] or ()) for item in every(values) if isinstance(item.get("tool_calls"), list))


def _otel(values: list[Any]) -> int:
    return sum(
        "execute_tool" in json.dumps(span.get("attributes")) for span in every(values) if "attributes" in span
    )


COUNTERS: dict[str, Callable[[list[Any]], int]] = {
    "claude-code": _claude,
    "codex": _codex,
    "pi": _typed("toolCall"),
    "gemini": lambda values: (
        _keyed("functionCall")(values)
        + sum(len(item["toolCalls"]) for item in every(values) if isinstance(item.get("toolCalls"), list))
    ),
    "qwen-code": _keyed("functionCall"),
    "atif": _atif,
    "swe-agent": _swe,
    "mini-swe-agent": _mini,
    "openhands-v0": _v0,
    "openhands-v1": _v1,
    "inspect": _inspect,
    "chat-messages": _chat,
    "acp": lambda values: len(
        {u["toolCallId"] for u in every(values) if "toolCallId" in u and "sessionUpdate" in u}
    ),
    "amp": _typed("tool_use"),
    "claude-stream": _typed("tool_use"),
    "cline": lambda values: _typed("tool_use")(values) + json.dumps(values).count("<execute_command>"),
    "codex-exec": lambda values: sum(
        record["type"] == "item.started" and record["item"]["type"] == "command_execution" for record in values
    ),
    "continue": lambda values: sum(len(item.get("toolCalls", ())) for item in every(values)),
    "copilot": lambda values: sum(len(item.get("toolRequests", ())) for item in every(values)),
    "cursor": lambda values: sum(record.get("subtype") == "started" for record in values),
    "droid": _typed("tool_use"),
    "goose": _typed("toolRequest"),
    "grok": _chat,
    "kimi": lambda values: _typed("ToolCall")(values) + _chat(values),
    "opencode": _typed("tool"),
    "r2e": lambda values: sum(len(v["trajectory_steps"]) for v in values),
    "vscode-chat": lambda values: sum(len(item.get("toolCalls", ())) for item in every(values)),
}
"""By format; those that are left out hold their calls as text or in many shapes, and have tests of their own."""


def count(name: str, data: bytes) -> int:
    """Return how many calls stand in a file of this format."""
    if not data.startswith(b"PK"):
        return COUNTERS[name](parsed(data))
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = [entry for entry in archive.infolist() if entry.filename.startswith("samples/")]
    values = []
    for entry in members:
        if entry.compress_type == 93:
            at = entry.header_offset
            start = (
                at
                + 30
                + int.from_bytes(data[at + 26 : at + 28], "little")
                + int.from_bytes(data[at + 28 : at + 30], "little")
            )
            raw = (
                zstandard.ZstdDecompressor().decompressobj().decompress(data[start : start + entry.compress_size])
            )
        else:
            raw = archive.read(entry)
        values.append(json.loads(raw))
    return COUNTERS[name](values)
