"""pi sessions: JSON lines of `session`, `message` and settings; results have times, no exit codes."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_flag,
    a_list,
    a_string,
    an_integer,
    an_object,
    elapsed,
    given,
    iso_ns,
)
from curserve_traces.model import Observation, Workspace


def sniff(source: Source) -> bool:
    """Whether it begins with a session of pi and has its messages."""
    head = source.head(8)
    sessions = any(record.get("type") == "session" and "cwd" in record for record in head)
    return sessions and all("sessionId" not in record for record in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    builder = Builder("pi")
    state: Json = {}
    for _, record in source.records():
        kind = record.get("type")
        if kind == "session":
            builder.cwd = a_string(record.get("cwd")) or builder.cwd
            state.setdefault("session", record)
        elif kind == "message":
            _message(builder, an_object(record.get("message")), iso_ns(record.get("timestamp")), state)
        else:
            builder.report.drop(f"record {kind} (a setting or a summary)")
    session = an_object(state.get("session"))
    yield builder.finish(
        id=a_string(session.get("id")) or source.path.stem,
        workspace=Workspace(at=a_string(session.get("cwd")) or "/testbed"),
        agent="pi",
        agent_version=str(session.get("version") or "unknown"),
        model=a_string(state.get("model")) or a_string(session.get("modelId")),
        task=a_string(state.get("task")),
    )


def _message(builder: Builder, message: Json, at: int | None, state: Json) -> None:
    role = message.get("role")
    if role == "assistant":
        _assistant(builder, message, at, state)
    elif role == "toolResult":
        identity = a_string(message.get("toolCallId"))
        recorded = builder.recorded(identity) if identity else None
        started = an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
        seen = Observation(
            stdout=text_of(message.get("content")).encode(), merged=True, is_error=a_flag(message.get("isError"))
        )
        if builder.result(identity, seen, given(interval_ns=elapsed(started, at))):
            builder.report.note("tool time: message → result (interval_ns), dispatch and earlier calls included")
    elif role == "user":
        text = text_of(message.get("content"))
        builder.message("user", text)
        state.setdefault("task", text)
    else:
        builder.report.drop(f"message of role {role} (not the model's: for example the user's own shell command)")


def _assistant(builder: Builder, message: Json, at: int | None, state: Json) -> None:
    usage = an_object(message.get("usage"))
    known = [an_integer(usage.get(key)) for key in ("input", "cacheRead", "cacheWrite")]
    state["model"] = a_string(message.get("model")) or state.get("model")
    parts = [an_object(part) for part in a_list(message.get("content"))]
    thoughts = [clean(part["thinking"]) for part in parts if isinstance(part.get("thinking"), str)]
    builder.turn(
        text=text_of([part for part in parts if part.get("type") == "text"]),
        reasoning="\n".join(thoughts) or None,
        model=a_string(message.get("model")),
        prompt_tokens=sum(filter(None, known)) if any(part is not None for part in known) else None,
        cached_tokens=known[1],
        output_tokens=an_integer(usage.get("output")),
        extra=given(answered_at_ns=at),
    )
    for part in parts:
        if part.get("type") == "toolCall":
            name = a_string(part.get("name")) or "unknown"
            builder.call(
                a_string(part.get("id")), name, an_object(part.get("arguments")), extra=given(asked_at_ns=at)
            )
