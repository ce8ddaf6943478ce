"""Contents made of blocks as Anthropic's API has them, which many agents keep: what the model said, and heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.values import Json, a_flag, a_list, a_string, an_integer, an_object, elapsed, given
from curserve_traces.model import Observation

Reader = Callable[[Json, str], Observation]
"""From a `tool_result` and the name of the tool to the observation."""


def said(builder: Builder, content: object, at: int | None = None) -> None:
    """Add what the model said to the open turn: text, thoughts, and a call for each `tool_use`."""
    for part in [content] if isinstance(content, str) else a_list(content):
        block = {"type": "text", "text": part} if isinstance(part, str) else an_object(part)
        kind, turn = block.get("type"), builder.current
        assert turn is not None
        if kind == "text" and isinstance(block.get("text"), str):
            builder.amend(text="\n".join(filter(None, (turn.text, clean(block["text"])))))
        elif kind in ("thinking", "reasoning") and isinstance(
            words := block.get("thinking", block.get("text")), str
        ):
            builder.amend(reasoning="\n".join(filter(None, (turn.reasoning, clean(words)))) or None)
        elif kind in ("tool_use", "server_tool_use"):
            name = a_string(block.get("name")) or "unknown"
            builder.call(
                a_string(block.get("id")), name, an_object(block.get("input")), extra=given(asked_at_ns=at)
            )
        elif kind == "tool_result":  # of a tool that the model's server ran, or of an agent that answers in place
            heard(builder, [block], at)
        else:
            builder.report.drop(f"content {kind} of the model (not text)")


def heard(builder: Builder, content: object, at: int | None = None, read: Reader | None = None) -> str:
    """Give calls the results among a user's blocks; returns what else the user said."""
    words: list[Any] = []
    for part in [content] if isinstance(content, str) else a_list(content):
        block = an_object(part)
        if block.get("type") == "tool_result":
            identity = a_string(block.get("tool_use_id")) or a_string(block.get("toolUseID"))
            recorded = builder.recorded(identity) if identity else None
            name = (recorded.call.original_name or "") if recorded else ""
            seen = read(block, name) if read is not None else observation(builder, block)
            started = an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
            if builder.result(identity, seen, given(interval_ns=elapsed(started, at))) and started and at:
                builder.report.note("tool time: message → result (interval_ns), dispatch included")
        else:
            words.append(part)
    return builder.text(words, "a message")


def observation(builder: Builder, block: Json) -> Observation:
    """Return the observation of a `tool_result` whose content is what the tool printed."""
    text = builder.text(block.get("content"), "a result")
    return Observation(stdout=text.encode(), merged=True, is_error=a_flag(block.get("is_error")))
