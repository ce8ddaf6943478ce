"""Cursor's agent: its transcripts (`agent-transcripts/*.jsonl`, no results) and `cursor-agent … stream-json`.

The stream tells a call when it begins and when it has ended, with arguments and result under the tool's name.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from curserve_traces.importers.blocks import heard, said
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_string,
    an_integer,
    an_object,
    arguments_of,
    elapsed,
    given,
    milliseconds,
)
from curserve_traces.model import Observation, Workspace

_TYPES = ("system", "user", "assistant", "thinking", "tool_call", "result")


def sniff(source: Source) -> bool:
    """Whether it is a transcript, or a stream of Cursor's."""
    head = source.head(8)
    if not head or "sessionId" in head[0]:
        return False
    if all(r.get("role") in ("user", "assistant") and isinstance(r.get("message"), dict) for r in head):
        return "type" not in head[0]
    return all(r.get("type") in _TYPES for r in head) and any(
        r.get("type") == "tool_call"
        or "model_call_id" in r
        or (r.get("subtype") == "init" and "apiKeySource" in r and "tools" not in r)
        for r in head
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    builder = Builder("cursor")
    start: Json = {}
    state: Json = {"closed": True}
    for _, record in source.records():
        kind = a_string(record.get("type")) or a_string(record.get("role"))
        content = an_object(record.get("message")).get("content")
        at = milliseconds(record.get("timestamp_ms"))
        if kind == "assistant":
            _open(builder, state, at)
            said(builder, content, at)
            state["closed"] = "role" in record  # a transcript's record is a turn
        elif kind == "user":
            text = heard(builder, content, at)
            builder.message("user", text)
            state["closed"] = True
            state.setdefault("task", text)
        elif kind == "tool_call":
            _call(builder, record, at, state)
        elif kind == "system":
            start = start or record
            builder.cwd = a_string(record.get("cwd")) or builder.cwd
        elif kind == "thinking" and isinstance(record.get("text"), str):
            _open(builder, state, at)
            turn = builder.current
            builder.amend(reasoning=((turn.reasoning if turn else None) or "") + clean(record["text"]))
        elif kind not in ("thinking", "result"):
            builder.report.drop(f"record {kind} (no message, no call)")
    yield builder.finish(
        id=a_string(start.get("session_id")) or source.path.stem,
        workspace=Workspace(at=builder.cwd or "/testbed"),
        agent="cursor",
        model=a_string(start.get("model")),
        task=a_string(state.get("task")),
    )


def _open(builder: Builder, state: Json, at: int | None) -> None:
    if state["closed"]:
        builder.turn(extra=given(answered_at_ns=at))
        state["closed"] = False


def _call(builder: Builder, record: Json, at: int | None, state: Json) -> None:
    kind, inner = next(iter(an_object(record.get("tool_call")).items()), ("unknown", {}))
    inner, identity = an_object(inner), a_string(record.get("call_id"))
    known = builder.recorded(identity) if identity else None
    ended = record.get("subtype") == "completed"
    if known is None and (identity or not ended or builder.waiting_call() is None):
        _open(builder, state, at)
        name, arguments = kind.removesuffix("ToolCall"), an_object(inner.get("args"))
        if kind == "function":
            name, arguments = str(inner.get("name")), arguments_of(inner.get("arguments"))
        builder.call(identity, name, arguments, extra=given(asked_at_ns=at))
        known = builder.recorded(builder.newest_call() or "")
    if ended:
        state["closed"] = True
        identity = identity or builder.waiting_call()
        known = builder.recorded(identity) if identity else known
        started = an_integer(known.extra.get("asked_at_ns")) if known else None
        result = an_object(inner.get("result"))
        refused = BY_USER if "rejected" in result else None
        interval = given(interval_ns=None if refused else elapsed(started, at))
        builder.result(identity, _seen(result), interval, refused)


def _seen(result: Json) -> Observation:
    outcome = next(iter(result), "")
    told = an_object(result.get(outcome))
    out = next(
        (told[k] for k in ("stdout", "content", "output", "message", "error", "reason") if a_string(told.get(k))),
        None,
    )
    split = isinstance(told.get("stderr"), str) and bool(told["stderr"])
    if out is None and not split and told and "exitCode" not in told:
        out = orjson.dumps(told).decode()
    took = milliseconds(told.get("executionTime", told.get("localExecutionTimeMs")))
    return Observation(
        exit_code=an_integer(told.get("exitCode")),
        stdout=clean(str(out or "")).encode(),
        stderr=clean(told["stderr"]).encode() if split else b"",
        merged=not split,
        duration_ns=took,
        is_error=True if outcome in ("failure", "error", "rejected") else None,
    )
