"""Factory's Droid sessions: `~/.factory/sessions/<folder>/<id>.jsonl`, Anthropic's messages with a time each."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.blocks import heard, said
from curserve_traces.importers.builder import Builder
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_string, an_object, given, iso_ns
from curserve_traces.model import Workspace


def sniff(source: Source) -> bool:
    """Whether it begins with a session's start and has messages."""
    head = source.head(4)
    if not head or head[0].get("type") != "session_start" or "cwd" not in head[0]:
        return False
    return len(head) == 1 or any(record.get("type") == "message" for record in head[1:])


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    builder = Builder("droid", unique="session")
    start: Json = {}
    task = None
    for _, record in source.records():
        message, at = an_object(record.get("message")), iso_ns(record.get("timestamp"))
        if record.get("type") == "session_start":
            start = start or record
            builder.cwd = a_string(record.get("cwd")) or builder.cwd
        elif builder.copied(message, a_string(record.get("id"))):
            continue
        elif record.get("type") != "message":
            builder.report.drop(f"record {record.get('type')} (no message)")
        elif message.get("role") == "assistant":
            builder.turn(
                a_string(record.get("id")), model=a_string(message.get("model")), extra=given(answered_at_ns=at)
            )
            said(builder, message.get("content"), at)
        else:
            if text := heard(builder, message.get("content"), at):
                builder.message("user", text)
                task = task or text
    yield builder.finish(
        id=a_string(start.get("id")) or source.path.stem,
        workspace=Workspace(at=a_string(start.get("cwd")) or "/testbed"),
        agent="droid",
        task=task,
    )
