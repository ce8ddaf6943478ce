"""Logs of the Agent Client Protocol: JSON-RPC messages of `session/update` (Grok's `updates.jsonl`, Zed's)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    elapsed,
    given,
    iso_ns,
    milliseconds,
    seconds_ns,
)
from curserve_traces.model import Observation, Workspace


def sniff(source: Source) -> bool:
    """Whether messages of the protocol stand among its first records."""
    return any(
        "sessionUpdate" in an_object(_params(r).get("update"))
        or str(r.get("method")) in ("session/new", "session/prompt", "session/update")
        for r in source.head(8)
    )


def _params(record: Json) -> Json:
    inner = an_object(record.get("message")) or record  # some logs wrap the message
    return an_object(inner.get("params"))


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every session of the log."""
    builders: dict[str, Builder] = {}
    states: dict[str, Json] = {}
    cwd, asked = None, dict[object, str]()
    for _, record in source.records():
        inner = an_object(record.get("message")) or record
        method, params = str(inner.get("method")), _params(record)
        cwd = a_string(params.get("cwd")) or cwd
        session = a_string(params.get("sessionId"))
        if method == "session/request_permission":
            asked[inner.get("id")] = str(an_object(params.get("toolCall")).get("toolCallId"))
        elif (outcome := an_object(an_object(inner.get("result")).get("outcome"))) and inner.get("id") in asked:
            chosen = f"{outcome.get('outcome')} {outcome.get('optionId')}"
            if "cancelled" in chosen or "reject" in chosen or "deny" in chosen:
                for builder in builders.values():
                    builder.refuse(asked[inner.get("id")], BY_USER)
        if session is None:
            continue
        builder = builders.setdefault(session, Builder("acp", cwd=cwd))
        state = states.setdefault(session, {"closed": True, "said": ""})
        if method == "session/prompt":
            text = builder.text(params.get("prompt"), "a message")
            builder.message("user", text)
            state.setdefault("task", text)
            state["closed"] = True
        elif update := an_object(params.get("update")):
            _update(builder, update, _moment(record.get("timestamp")), state)
    for session, builder in builders.items():
        yield builder.finish(
            id=session,
            workspace=Workspace(at=cwd or "/testbed"),
            agent="acp",
            task=a_string(states[session].get("task")),
        )


def _moment(value: object) -> int | None:
    if isinstance(value, str):
        return iso_ns(value)
    return seconds_ns(value) if isinstance(value, int | float) and value < 10**11 else milliseconds(value)


def _update(builder: Builder, update: Json, at: int | None, state: Json) -> None:
    kind = update.get("sessionUpdate")
    if kind in ("agent_message_chunk", "agent_thought_chunk"):
        _open(builder, state)
        turn = builder.current
        words = builder.text(update.get("content"), "a message")
        if kind == "agent_message_chunk":
            builder.amend(text=(turn.text if turn else "") + words)
        else:
            builder.amend(reasoning=((turn.reasoning if turn else None) or "") + words)
    elif kind == "user_message_chunk":
        builder.message("user", builder.text(update.get("content"), "a message"))
        state["closed"] = True
    elif kind in ("tool_call", "tool_call_update"):
        _call(builder, update, at, state)
    else:
        builder.report.drop(f"update {kind} (no message, no call)")


def _open(builder: Builder, state: Json) -> None:
    if state["closed"]:
        builder.turn()
        state["closed"] = False


def _call(builder: Builder, update: Json, at: int | None, state: Json) -> None:
    identity = a_string(update.get("toolCallId"))
    known = builder.recorded(identity) if identity else None
    raw = update.get("rawInput")
    arguments = raw if isinstance(raw, dict) else {"input": raw} if raw is not None else {}
    meta = next((an_object(m) for m in an_object(update.get("_meta")).values() if "toolName" in an_object(m)), {})
    name = (
        a_string(meta.get("toolName"))
        or a_string(update.get("kind"))
        or a_string(update.get("title"))
        or "unknown"
    )
    if known is None:
        _open(builder, state)
        builder.call(identity, name, arguments, extra=given(asked_at_ns=at, title=a_string(update.get("title"))))
        known = builder.recorded(builder.newest_call() or "")
    elif arguments and known.observation is None:
        builder.rewrite_call(known.call.id, known.call.original_name or name, arguments)
    status = update.get("status")
    if status not in ("completed", "failed") or known is None:
        return
    state["closed"] = True
    started = an_integer(known.extra.get("asked_at_ns"))
    text, code = _shown(builder, update)
    seen = Observation(
        exit_code=code, stdout=text.encode(), merged=True, is_error=True if status == "failed" else None
    )
    builder.result(known.call.id, seen, given(interval_ns=elapsed(started, at)))


def _shown(builder: Builder, update: Json) -> tuple[str, int | None]:
    """Return the text of a result, and the exit code where the agent's raw output has one."""
    raw = update.get("rawOutput")
    known = an_object(raw)
    code = an_integer(known.get("exitCode", known.get("exit_code")))
    words = []
    for item in map(an_object, a_list(update.get("content"))):
        if item.get("type") == "content":
            words.append(builder.text(item.get("content"), "a result"))
        else:
            builder.report.drop(f"{item.get('type')} in a result (not text)")
    text = "\n".join(words)
    if not text and raw is not None:
        told = known.get("output", known.get("stdout", raw))
        text = told if isinstance(told, str) else orjson.dumps(told).decode()
    return clean(text), code
