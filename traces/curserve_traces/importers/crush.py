"""Crush sessions: `.crush/crush.db`, an SQLite database with messages whose parts are JSON."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.sqlite import is_database, rows
from curserve_traces.importers.values import Json
from curserve_traces.model import Observation


def sniff(source: Source) -> bool:
    """Whether it is a database with sessions, and messages of parts."""
    if not is_database(source.data):
        return False
    tables = {row["name"]: str(row["sql"]) for row in rows(source, "SELECT name, sql FROM sqlite_master")}
    return "sessions" in tables and "parts" in tables.get("messages", "")


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every session."""
    for session in rows(source, "SELECT * FROM sessions ORDER BY created_at, id"):
        builder = Builder("crush", unique="session")
        model = task = None
        query = "SELECT * FROM messages WHERE session_id = ? ORDER BY created_at, rowid"
        for message in rows(source, query, session["id"]):
            model = values.a_string(message.get("model")) or model
            text = _message(builder, message)
            task = task or text
        yield builder.finish(
            id=str(session["id"]),
            agent="crush",
            model=model,
            task=task,
            extra=values.given(parent=values.a_string(session.get("parent_session_id"))),
        )


def _message(builder: Builder, message: Json) -> str | None:
    """Add a message; returns the text of a user's."""
    role, at = message.get("role"), _moment(message.get("created_at"))
    if role == "assistant":
        builder.turn(
            values.a_string(message.get("id")), model=values.a_string(message.get("model")), started_at_ns=at
        )
    words = []
    for part in map(values.an_object, values.json_list(message.get("parts"))):
        kind, data, turn = part.get("type"), values.an_object(part.get("data")), builder.current
        if kind == "text" and role == "assistant" and turn is not None:
            builder.amend(text="\n".join(filter(None, (turn.text, clean(str(data.get("text") or ""))))))
        elif kind == "text":
            words.append(clean(str(data.get("text") or "")))
        elif kind == "reasoning" and role == "assistant":
            builder.amend(reasoning=clean(str(data.get("thinking") or "")) or None)
        elif kind == "tool_call":
            builder.call(
                values.a_string(data.get("id")),
                values.a_string(data.get("name")) or "unknown",
                values.arguments_of(data.get("input")),
            )
        elif kind == "tool_result":
            _result(builder, data)
        elif kind != "finish":
            builder.report.drop(f"part {kind} (no text, no call)")
    if words:
        builder.message("system" if role == "system" else "user", "\n".join(words))
        return "\n".join(words) if role == "user" else None
    return None


def _result(builder: Builder, data: Json) -> None:
    """Give a call its result; the shell tool's metadata has the times and the output."""
    metadata = values.json_object(data.get("metadata")) or {}
    text = builder.text(data.get("content"), "a result")
    out = metadata.get("output") if isinstance(metadata.get("output"), str) else text
    started, ended = values.milliseconds(metadata.get("start_time")), values.milliseconds(metadata.get("end_time"))
    seen = Observation(
        stdout=clean(str(out)).encode(),
        merged=True,
        text=None if out == text else text,
        started_at_ns=started,
        duration_ns=values.elapsed(started, ended),
        is_error=values.a_flag(data.get("is_error")),
    )
    builder.result(values.a_string(data.get("tool_call_id")), seen)


def _moment(value: object) -> int | None:
    """Return a moment in seconds or, as older versions wrote, milliseconds."""
    return values.seconds_ns(value) if isinstance(value, int) and value < 10**11 else values.milliseconds(value)
