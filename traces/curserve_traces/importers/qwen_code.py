"""Qwen Code chats: `~/.qwen/projects/<folder>/chats/<id>.jsonl`, a record a line, contents as Gemini's.

Its own telemetry stands between them: how long each answer took (`model_ns`), and each tool as the agent saw it,
dispatch, terminal and process group included: kept as `agent_ns` in the call's extra, not as the tool's time.
"""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.gemini import respond
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    given,
    iso_ns,
    milliseconds,
)
from curserve_traces.model import Workspace

_TOLD = {"qwen-code.api_response": "model_ns", "qwen-code.tool_call": "agent_ns"}


def sniff(source: Source) -> bool:
    """Whether its records have a session, a type, and a message with parts."""
    head = source.head(8)
    return any(
        "sessionId" in record
        and record.get("type") in ("user", "assistant", "tool_result")
        and isinstance(an_object(record.get("message")).get("parts"), list)
        for record in head
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the one chat of the file."""
    builder = Builder("qwen-code", unique="session")
    waiting: dict[str, list[str]] = {}
    first: Json = {}
    model = task = None
    told: Json = {}
    for _, record in source.records():
        first = first or record
        if builder.copied(record, a_string(record.get("uuid")), str(record.get("type"))):
            continue
        builder.cwd = a_string(record.get("cwd")) or builder.cwd
        kind, message = record.get("type"), an_object(record.get("message"))
        parts = [an_object(part) for part in a_list(message.get("parts"))]
        if kind == "assistant":
            model = a_string(record.get("model")) or model
            _assistant(builder, record, parts, waiting, told.pop("model_ns", None))
        elif kind == "tool_result":
            for part in parts:
                if answer := an_object(part.get("functionResponse")):
                    respond(builder, answer, waiting, given(agent_ns=told.pop("agent_ns", None)))
        elif kind == "user":
            text = text_of(parts)
            task = task or text
            builder.message("user", text)
        elif event := an_object(an_object(record.get("systemPayload")).get("uiEvent")):
            took = milliseconds(event.get("duration_ms"))
            if (name := _TOLD.get(str(event.get("event.name")))) and took is not None:
                told[name] = took
        else:
            builder.report.drop(f"record {kind} (no message)")
    yield builder.finish(
        id=a_string(first.get("sessionId")) or source.path.stem,
        workspace=Workspace(at=a_string(first.get("cwd")) or "/testbed"),
        agent="qwen-code",
        agent_version=a_string(first.get("version")) or "unknown",
        model=model,
        task=task,
    )


def _assistant(
    builder: Builder, record: Json, parts: list[Json], waiting: dict[str, list[str]], took: int | None
) -> None:
    usage = an_object(record.get("usageMetadata"))
    thoughts = [clean(part["text"]) for part in parts if isinstance(part.get("text"), str) and part.get("thought")]
    output, thinking = an_integer(usage.get("candidatesTokenCount")), an_integer(usage.get("thoughtsTokenCount"))
    at = iso_ns(record.get("timestamp"))
    builder.turn(
        a_string(record.get("uuid")),
        text=text_of([part for part in parts if isinstance(part.get("text"), str) and not part.get("thought")]),
        reasoning="\n".join(thoughts) or None,
        model=a_string(record.get("model")),
        prompt_tokens=an_integer(usage.get("promptTokenCount")),
        cached_tokens=an_integer(usage.get("cachedContentTokenCount")),
        output_tokens=output + (thinking or 0) if output is not None else None,
        model_ns=took,
        extra=given(answered_at_ns=at),
    )
    for part in parts:
        if call := an_object(part.get("functionCall")):
            name = a_string(call.get("name")) or "unknown"
            builder.call(a_string(call.get("id")), name, an_object(call.get("args")), extra=given(asked_at_ns=at))
            waiting.setdefault(name, []).append(builder.newest_call() or "")
        elif not isinstance(part.get("text"), str):
            builder.report.drop(f"{next(iter(part), 'part')} of the model (not text)")
