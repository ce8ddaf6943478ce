"""goose sessions: JSON lines with a head, `goose session export` as JSON, and its database (`sessions.db`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.sqlite import is_database, rows
from curserve_traces.importers.values import Json
from curserve_traces.model import Observation, Workspace


def sniff(source: Source) -> bool:
    """Whether it is a session of goose in one of its three forms."""
    if is_database(source.data):
        tables = {row["name"]: str(row["sql"]) for row in rows(source, "SELECT name, sql FROM sqlite_master")}
        return "content_json" in tables.get("messages", "")
    record = source.record()
    if "working_dir" in record and isinstance(record.get("conversation", record.get("messages")), list):
        return True
    head = source.head(3)
    return bool(head) and "working_dir" in head[0] and "role" not in head[0]


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every session."""
    if is_database(source.data):
        for session in rows(source, "SELECT * FROM sessions ORDER BY id"):
            query = "SELECT * FROM messages WHERE session_id = ? ORDER BY id"
            found = rows(source, query, session["id"])
            messages = [
                {
                    **row,
                    "content": values.json_list(row.get("content_json")),
                    "created": row.get("created_timestamp"),
                }
                for row in found
            ]
            yield _trace(session, messages, str(session["id"]))
        return
    record = source.record()
    if record and ("conversation" in record or "messages" in record):
        messages = values.a_list(record.get("conversation", record.get("messages")))
        yield _trace(record, [values.an_object(message) for message in messages], source.path.stem)
        return
    records = (record for _, record in source.records())
    yield _trace(next(records, {}), records, source.path.stem)


def _trace(head: Json, messages: Iterable[Json], name: str) -> Imported:
    builder = Builder("goose", unique="session", cwd=values.a_string(head.get("working_dir")))
    task = None
    for message in messages:
        at = values.seconds_ns(message.get("created"))
        parts = [values.an_object(part) for part in values.a_list(message.get("content"))]
        if message.get("role") == "assistant":
            _answer(builder, message, parts, at)
            continue
        words = [part for part in parts if part.get("type") != "toolResponse"]
        for part in parts:
            if part.get("type") == "toolResponse":
                _result(builder, part, at)
        if words:
            text = builder.text(words, "a message")
            builder.message("user", text)
            task = task or text
    config = values.arguments_of(head.get("model_config") or head.get("model_config_json"))
    return builder.finish(
        id=values.a_string(head.get("id")) or name,
        workspace=Workspace(at=builder.cwd or "/testbed"),
        agent="goose",
        model=values.a_string(config.get("model_name")),
        task=task,
    )


def _answer(builder: Builder, message: Json, parts: list[Json], at: int | None) -> None:
    thoughts = "\n".join(clean(str(p.get("thinking") or "")) for p in parts if p.get("type") == "thinking")
    text = "\n".join(
        clean(part["text"]) for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)
    )
    builder.turn(
        values.a_string(message.get("id")),
        text=text,
        reasoning=thoughts or None,
        extra=values.given(answered_at_ns=at),
    )
    for part in parts:
        kind = part.get("type")
        if kind in ("toolRequest", "frontendToolRequest"):
            value = values.an_object(values.an_object(part.get("toolCall")).get("value"))
            name = values.a_string(value.get("name")) or "unknown"
            builder.call(
                values.a_string(part.get("id")),
                name,
                values.an_object(value.get("arguments")),
                extra=values.given(asked_at_ns=at),
            )
        elif kind not in ("text", "thinking", "reasoning", "redactedThinking"):
            builder.report.drop(f"content {kind} of the model (not text)")


def _result(builder: Builder, part: Json, at: int | None) -> None:
    identity = values.a_string(part.get("id"))
    result = values.an_object(part.get("toolResult"))
    value = result.get("value")
    content = values.an_object(value).get("content", []) if isinstance(value, dict) else values.a_list(value)
    shown = [item for item in map(values.an_object, values.a_list(content)) if _audience(item) != ["user"]]
    text = builder.text(shown, "a result") or clean(str(result.get("error") or ""))
    failed = result.get("status") == "error" or values.an_object(value).get("isError") is True
    recorded = builder.recorded(identity) if identity else None
    started = values.an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
    seen = Observation(stdout=text.encode(), merged=True, is_error=True if failed else None)
    if builder.result(identity, seen, values.given(interval_ns=values.elapsed(started, at))):
        builder.report.note("tool time: message → result (interval_ns), to 1 s, dispatch included")


def _audience(item: Json) -> list[object]:
    return values.a_list(values.an_object(item.get("annotations")).get("audience"))
