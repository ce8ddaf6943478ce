"""pi sessions: JSON lines of `session`, `message` and settings; results have times, and exit codes in words.

OpenClaw is built on pi and writes the same lines; its tools, folders and records tell it apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curserve_traces.importers import values
from curserve_traces.importers.branches import left
from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json
from curserve_traces.model import Observation, Workspace

_EXIT = re.compile(r"(?:\A|\n\n)Command exited with code (\d+)\Z")
_OPENCLAW = frozenset("exec process gateway cron canvas nodes memory_search memory_get session_status".split())


def sniff(source: Source) -> bool:
    """Whether it begins with a session of pi and has its messages."""
    head = source.head(8)
    sessions = any(record.get("type") == "session" and "cwd" in record for record in head)
    return sessions and all("sessionId" not in record for record in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    builder = Builder("pi", unique="everywhere")
    state: Json = {}
    lines: list[tuple[str, str | None]] = []
    turns: dict[str, int] = {}
    for _, record in source.records():
        kind, identity = record.get("type"), values.a_string(record.get("id"))
        if identity is not None and kind != "session":
            if builder.copied(record, identity):
                continue
            lines.append((identity, values.a_string(record.get("parentId"))))
        if kind == "session":
            builder.cwd = values.a_string(record.get("cwd")) or builder.cwd
            state.setdefault("session", record)
        elif kind == "message":
            message = values.an_object(record.get("message"))
            _message(builder, message, values.iso_ns(record.get("timestamp")), state, identity)
            if identity is not None and message.get("role") == "assistant":
                turns[identity] = builder.place
        else:
            if str(record.get("customType", "")).startswith(("openclaw", "clawdbot", "moltbot")):
                state["openclaw"] = True
            builder.report.drop(f"record {kind} (a setting or a summary)")
    builder.leave(left(lines, turns))
    session = values.an_object(state.get("session"))
    claw = state.get("openclaw") or re.search(r"\.(openclaw|clawdbot|moltbot)\b", f"{builder.cwd} {source.path}")
    yield builder.finish(
        id=values.a_string(session.get("id")) or source.path.stem,
        workspace=Workspace(at=values.a_string(session.get("cwd")) or "/testbed"),
        agent="openclaw" if claw else "pi",
        model=values.a_string(state.get("model")) or values.a_string(session.get("modelId")),
        task=values.a_string(state.get("task")),
    )


def _message(builder: Builder, message: Json, at: int | None, state: Json, name: str | None) -> None:
    role = message.get("role")
    if role == "assistant":
        _assistant(builder, message, at, state, name)
    elif role == "toolResult":
        _result(builder, message, at)
    elif role == "user":
        text = builder.text(message.get("content"), "a message")
        builder.message("user", text)
        state.setdefault("task", text)
    else:
        builder.report.drop(f"message of role {role} (not the model's: for example the user's own shell command)")


def _result(builder: Builder, message: Json, at: int | None) -> None:
    identity = values.a_string(message.get("toolCallId"))
    recorded = builder.recorded(identity) if identity else None
    started = values.an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
    text = builder.text(message.get("content"), "a result")
    details = values.an_object(message.get("details"))
    code, took, out = (
        values.an_integer(details.get("exitCode")),
        values.milliseconds(details.get("durationMs")),
        text,
    )
    shell = recorded is not None and recorded.call.tool == "bash"
    if shell and values.a_flag(message.get("isError")) and (match := _EXIT.search(text)):
        code, out = int(match[1]), text[: match.start()]
    if shell and out == "(no output)":
        out = ""
    seen = Observation(
        exit_code=code,
        stdout=out.encode(),
        merged=True,
        text=None if out == text else text,
        duration_ns=took,
        is_error=values.a_flag(message.get("isError")),
    )
    if builder.result(identity, seen, values.given(interval_ns=values.elapsed(started, at))):
        builder.report.note("tool time: message → result (interval_ns), dispatch and earlier calls included")


def _assistant(builder: Builder, message: Json, at: int | None, state: Json, name: str | None) -> None:
    usage = values.an_object(message.get("usage"))
    state["model"] = values.a_string(message.get("model")) or state.get("model")
    parts = [values.an_object(part) for part in values.a_list(message.get("content"))]
    thoughts = [clean(part["thinking"]) for part in parts if isinstance(part.get("thinking"), str)]
    builder.turn(
        name,
        text=text_of([part for part in parts if part.get("type") == "text"]),
        reasoning="\n".join(thoughts) or None,
        model=values.a_string(message.get("model")),
        prompt_tokens=values.total(usage, "input", "cacheRead", "cacheWrite"),
        cached_tokens=values.an_integer(usage.get("cacheRead")),
        output_tokens=values.an_integer(usage.get("output")),
        extra=values.given(answered_at_ns=at),
    )
    for part in parts:
        if part.get("type") == "toolCall":
            name = values.a_string(part.get("name")) or "unknown"
            if name in _OPENCLAW or name.startswith("sessions_"):
                state["openclaw"] = True
            arguments = values.an_object(part.get("arguments"))
            builder.call(values.a_string(part.get("id")), name, arguments, extra=values.given(asked_at_ns=at))
        elif part.get("type") not in ("text", "thinking"):
            builder.report.drop(f"content {part.get('type')} of the model (not text)")
