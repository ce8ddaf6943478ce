"""Reading native files back: `from_document`, the inverse of what `native` writes.

Values move to where the model has them, and msgspec then says whether each is of its field's type.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from curserve_traces import fields
from curserve_traces.errors import MalformedTrace, UnknownSchema
from curserve_traces.fields import Json
from curserve_traces.model import Message, RecordedCall, Trace, Turn
from curserve_traces.native import BLOCK, BLOCK_VERSION

ATIF_KNOWN = tuple(f"ATIF-v1.{minor}" for minor in range(9))
SOURCES = Literal["system", "user", "agent"]


def check_version(document: Mapping[str, Any], where: str) -> None:
    """Raise UnknownSchema for an ATIF version, or a version of our block, that this program does not know."""
    version = document.get("schema_version")
    if version not in ATIF_KNOWN:
        known = f"{ATIF_KNOWN[0]} to {ATIF_KNOWN[-1]}"
        raise UnknownSchema(
            f"{where}: schema version {version!r} is not known ({known} are); upgrade curserve-bench"
        )
    extra = document.get("extra")
    block = extra.get(BLOCK) if isinstance(extra, dict) else None
    if isinstance(block, dict) and block.get("version") != BLOCK_VERSION:
        raise UnknownSchema(
            f"{where}: version {block.get('version')!r} of the {BLOCK} block is not known "
            f"(version {BLOCK_VERSION} is); upgrade curserve-bench"
        )


def from_document(document: Json, where: str) -> Trace:
    """Return the trace of a native document; raises MalformedTrace or UnknownSchema, naming the field."""
    check_version(document, where)
    at = f"{where}: extra.{BLOCK}"
    block = _given(fields.read(document["extra"][BLOCK], dict, at))
    agent, workspace = fields.get_object(document, "agent", where), fields.get_object(block, "workspace", at)
    turns: list[Turn] = []
    before: list[Message] = []
    for number, raw in enumerate(fields.read(document.get("steps"), list, f"{where}: steps")):
        here = f"{where}: steps[{number}]"
        step = fields.read(raw, dict, here)
        source = fields.get(step, "source", SOURCES, here)
        if _block(step, here).get("placeholder"):
            continue
        text = fields.read(step.get("message"), str, f"{here}.message")
        if source == "agent":
            turns.append(_turn(step, text, before, here))
            before = []
        else:
            before.append(Message("user" if source == "user" else "system", text))
    block |= {
        "id": fields.get(block, "id", str, at) or fields.get(document, "session_id", str, where) or "unnamed",
        "workspace": _given(workspace) | {"at": workspace.get("at") or "/testbed"},
        "turns": turns,
        "agent": fields.get(agent, "name", str, f"{where}: agent") or "unknown",
        "agent_version": fields.get(agent, "version", str, f"{where}: agent") or "unknown",
        "model": fields.get(agent, "model_name", str, f"{where}: agent"),
    }
    trace: Trace = fields.read(block, Trace, at)
    return trace


def _given(block: Json) -> Json:
    """Return a block without what is null: that is missing."""
    return {key: value for key, value in block.items() if value is not None}


def _block(holder: Json, at: str) -> Json:
    """Return our block of an object of ATIF's, an empty one where it has none."""
    return _given(fields.get_object(fields.get_object(holder, "extra", at), BLOCK, f"{at}.extra"))


def _turn(step: Json, text: str, before: list[Message], at: str) -> Turn:
    metrics, over = fields.get_object(step, "metrics", at), f"{at}.metrics"
    calls = fields.get_list(step, "tool_calls", at)
    seen: dict[int, Json] = {}
    results = fields.get_list(fields.get_object(step, "observation", at), "results", f"{at}.observation")
    for number, raw in enumerate(results):
        here = f"{at}.observation.results[{number}]"
        result = fields.read(raw, dict, here)
        block = _block(result, here)
        call = fields.read(block.get("call", number), int, f"{here}.extra.{BLOCK}.call")
        if not 0 <= call < len(calls):
            raise MalformedTrace(f"{at}: a result belongs to call {call}, but the step has {len(calls)} calls")
        content = fields.read(result.get("content"), str, f"{here}.content")
        seen[call] = _observation(content, block, f"{here}.extra.{BLOCK}")
    block = _block(step, at) | {
        "text": text,
        "calls": [_call(raw, seen.get(n), f"{at}.tool_calls[{n}]") for n, raw in enumerate(calls)],
        "before": before,
        "reasoning": fields.get(step, "reasoning_content", str, at),
        "model": fields.get(step, "model_name", str, at),
        "prompt_tokens": fields.get(metrics, "prompt_tokens", int, over),
        "cached_tokens": fields.get(metrics, "cached_tokens", int, over),
        "output_tokens": fields.get(metrics, "completion_tokens", int, over),
    }
    turn: Turn = fields.read(block, Turn, at)
    return turn


def _call(raw: object, seen: Json | None, at: str) -> RecordedCall:
    call = fields.read(raw, dict, at)
    block = _block(call, at)
    shown = fields.read(call.get("arguments"), dict, f"{at}.arguments")
    changes = fields.get_list(block, "delta", at)
    block |= {
        "call": block
        | {
            "id": call.get("tool_call_id"),
            "arguments": block.get("arguments", shown),
            "original_arguments": shown if "arguments" in block else None,
        },
        "observation": seen,
        "delta": {"changes": [_change(c, f"{at}.delta[{n}]") for n, c in enumerate(changes)]}
        if "delta" in block
        else None,
    }
    recorded: RecordedCall = fields.read(block, RecordedCall, at)
    return recorded


def _observation(content: str, block: Json, at: str) -> Json:
    shown = fields.get(block, "text", bool, at)
    streams = {key: _bytes(block, key) for key in ("stdout", "stderr") if key in block or f"{key}_b64" in block}
    if not shown and not streams:
        streams = {"stdout": _bytes({"stdout": content}, "stdout")}
    return block | streams | {"text": content if shown else None}


def _change(raw: object, at: str) -> Json:
    change = fields.read(raw, dict, at)
    path = fields.read(change.get("path"), str, f"{at}.path")
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\0" in path:
        raise MalformedTrace(f"{at}.path: {path[:80]!r} leaves the workspace; such a delta is not applied")
    return {"before": None, "after": None} | _given(change) | {"content": _bytes(change, "content")}


def _bytes(block: Json, key: str) -> object:
    """Return the bytes of a text, or what stands in its place as base64."""
    text = block.get(key)
    return text.encode("utf-8", errors="surrogatepass") if isinstance(text, str) else block.get(f"{key}_b64", text)
