"""Grok Build sessions: `~/.grok/sessions/<folder>/<id>/chat_history.jsonl`, a message a line, without times."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers import chat_turns
from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source

_TYPES = {"system", "user", "assistant", "reasoning", "tool_result"}


def sniff(source: Source) -> bool:
    """Whether its first records are such messages."""
    head = source.head(4)
    known = bool(head) and all(
        r.get("type") in _TYPES and not r.keys() & {"message", "role", "sessionId"} for r in head
    )
    return known and any(r.get("type") in ("user", "assistant", "system") and "content" in r for r in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    builder = Builder("grok", unique="session")
    thought: str | None = None
    task = None
    for _, record in source.records():
        kind = record.get("type")
        if kind == "reasoning":
            thought = text_of(record.get("summary")) or text_of(record.get("content")) or None
            continue
        role = "tool" if kind == "tool_result" else kind
        message = {key: value for key, value in record.items() if key != "type"}
        chat_turns.add(
            builder, {**message, "role": role, **({"reasoning_content": thought} if kind == "assistant" else {})}
        )
        if kind == "assistant":
            thought = None
        elif kind == "user":
            task = task or text_of(record.get("content"))
    name = source.path.parent.name if source.path.stem == "chat_history" else source.path.stem
    yield builder.finish(id=name, agent="grok", task=task)
