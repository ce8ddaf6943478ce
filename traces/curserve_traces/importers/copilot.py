"""Copilot CLI sessions: `~/.copilot/session-state/<id>/events.jsonl`, an event a line.

A message of the model names the calls that it asks for; execution has events of its own at both ends. What a
sub-agent does names the call that began it, and becomes a trace of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, total
from curserve_traces.model import Observation, Workspace

_EXIT = re.compile(r"\n?<exited with exit code (-?\d+)>\s*\Z")
_KNOWN = ("session.", "user.", "assistant.", "tool.", "subagent.", "hook.", "abort", "system.")


def sniff(source: Source) -> bool:
    """Whether its first records are events of a session."""
    head = source.head(4)
    return bool(head) and all(
        isinstance(record.get("data"), dict)
        and str(record.get("type")).startswith(_KNOWN)
        and "sessionID" not in record
        for record in head
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the session, then its sub-agents."""
    streams: dict[str | None, Builder] = {None: Builder("copilot", unique="session")}
    state: Json = {"start": {}, "at": {}}
    for _, record in source.records():
        data = values.an_object(record.get("data"))
        parent = values.a_string(data.get("parentToolCallId"))
        builder = streams.setdefault(parent, Builder("copilot", unique="session", cwd=streams[None].cwd))
        if builder.copied(data, values.a_string(record.get("id")), str(record.get("type"))):
            continue
        _event(builder, str(record.get("type")), data, values.iso_ns(record.get("timestamp")), state)
    start = state["start"]
    session = values.a_string(start.get("sessionId")) or source.path.parent.name
    for parent, builder in streams.items():
        yield builder.finish(
            id=f"{session}-{parent}" if parent else session,
            workspace=Workspace(
                at=values.a_string(values.an_object(start.get("context")).get("cwd")) or "/testbed"
            ),
            agent="copilot-cli",
            agent_version=values.a_string(start.get("copilotVersion")) or "unknown",
            model=values.a_string(state.get("model")),
            task=values.a_string(state.get("task")) if parent is None else None,
            extra=values.given(sub_agent=parent),
        )


def _event(builder: Builder, kind: str, data: Json, at: int | None, state: Json) -> None:
    if kind in ("session.start", "session.resume"):
        state["start"] = state["start"] or data
        builder.cwd = values.a_string(values.an_object(data.get("context")).get("cwd")) or builder.cwd
        state["model"] = state.get("model") or values.a_string(data.get("selectedModel"))
    elif kind == "session.model_change":
        state["model"] = values.a_string(data.get("newModel")) or state.get("model")
    elif kind == "user.message":
        text = builder.text(data.get("content"), "a message")
        builder.message("user", text)
        state.setdefault("task", text)
    elif kind == "system.message":
        builder.message("system", builder.text(data.get("content"), "a message"))
    elif kind == "assistant.message":
        _answer(builder, data, at, state)
    elif kind == "assistant.usage" and builder.current is not None:
        builder.amend(
            prompt_tokens=values.an_integer(data.get("inputTokens")),
            cached_tokens=values.an_integer(data.get("cacheReadTokens")),
            output_tokens=total(data, "outputTokens"),
        )
    elif kind == "tool.execution_start":
        identity = values.a_string(data.get("toolCallId"))
        if identity is not None:
            state["at"][identity] = at
        if identity is None or builder.recorded(identity) is None:
            builder.call(
                identity,
                values.a_string(data.get("toolName")) or "unknown",
                values.arguments_of(data.get("arguments")),
            )
    elif kind == "tool.execution_complete":
        _result(builder, data, at, state)
    else:
        builder.report.drop(f"event {kind} (no message, no call)")


def _answer(builder: Builder, data: Json, at: int | None, state: Json) -> None:
    model = values.a_string(data.get("model")) or values.a_string(state.get("model"))
    name = values.a_string(data.get("messageId"))
    text, thought = clean(str(data.get("content") or "")), values.a_string(data.get("reasoningText"))
    if name is None or not builder.enter(name):
        builder.turn(name, text=text, reasoning=thought, model=model, extra=values.given(answered_at_ns=at))
    if (output := values.an_integer(data.get("outputTokens"))) is not None:
        builder.amend(output_tokens=output)
    for asked in map(values.an_object, values.a_list(data.get("toolRequests"))):
        called = values.a_string(asked.get("name")) or "unknown"
        builder.call(
            values.a_string(asked.get("toolCallId")),
            called,
            values.arguments_of(asked.get("arguments")),
            extra=values.given(asked_at_ns=at),
        )


def _result(builder: Builder, data: Json, at: int | None, state: Json) -> None:
    identity = values.a_string(data.get("toolCallId"))
    result, error = values.an_object(data.get("result")), values.an_object(data.get("error"))
    text = builder.text(result.get("content"), "a result") or clean(str(error.get("message") or ""))
    match = _EXIT.search(text)
    out = text[: match.start()] if match else text
    started = state["at"].get(identity)
    refused = BY_USER if error.get("code") in ("rejected", "denied") else None
    seen = Observation(
        exit_code=int(match[1]) if match else None,
        stdout=out.encode(),
        merged=True,
        text=None if out == text else text,
        started_at_ns=started,
        duration_ns=None if refused else values.elapsed(started, at),
        is_error=True if data.get("success") is False else None,
    )
    if builder.result(identity, seen, refused=refused) and seen.duration_ns is not None:
        builder.report.note(
            "tool time: execution_start → execution_complete, to 1 ms; asking for permission is in it"
        )
