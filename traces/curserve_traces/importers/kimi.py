"""Kimi CLI sessions: `wire.jsonl`, events with times, or `context.jsonl`, the messages of the same session."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers import chat_turns, values
from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, total
from curserve_traces.model import Observation

_MARKS = ("_checkpoint", "_usage", "_system_prompt")


def sniff(source: Source) -> bool:
    """Whether it is a wire file, or a context file with its own marks."""
    head = source.head(8)
    if head and head[0].get("type") == "metadata" and "protocol_version" in head[0]:
        return True
    return bool(head) and all("role" in r for r in head) and any(r.get("role") in _MARKS for r in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    name = source.path.parent.name if source.path.stem in ("wire", "context") else source.path.stem
    builder = Builder("kimi", unique="session")
    if source.head(1)[0].get("type") != "metadata":
        for _, record in source.records():
            if record.get("role") in _MARKS:
                builder.report.drop(f"record {record.get('role')} (no message)")
            else:
                chat_turns.add(builder, record)
        yield builder.finish(id=name, agent="kimi-cli")
        return
    state: Json = {"closed": True, "pieces": {}}
    for _, record in source.records():
        message = values.an_object(record.get("message"))
        if message:
            _event(
                builder,
                str(message.get("type")),
                values.an_object(message.get("payload")),
                _moment(record.get("timestamp")),
                state,
            )
    yield builder.finish(id=name or "kimi", agent="kimi-cli", task=values.a_string(state.get("task")))


def _event(builder: Builder, kind: str, payload: Json, at: int | None, state: Json) -> None:
    if kind == "TurnBegin":
        text = text_of(payload.get("user_input"))
        builder.message("user", text)
        state.setdefault("task", text)
        state["closed"] = True
    elif kind == "StepBegin":
        state["closed"] = True
    elif kind == "ContentPart":
        _open(builder, state, at)
        turn = builder.current
        assert turn is not None
        if payload.get("type") == "think":
            builder.amend(reasoning=(turn.reasoning or "") + clean(str(payload.get("think") or "")))
        elif isinstance(payload.get("text"), str):
            builder.amend(text=turn.text + clean(payload["text"]))
        else:
            builder.report.drop(f"content {payload.get('type')} of the model (not text)")
    elif kind == "ToolCall":
        _open(builder, state, at)
        function = values.an_object(payload.get("function"))
        name = values.a_string(function.get("name")) or "unknown"
        builder.call(
            values.a_string(payload.get("id")),
            name,
            values.arguments_of(function.get("arguments")),
            extra=values.given(asked_at_ns=at),
        )
        state["last"] = (builder.newest_call(), name, str(function.get("arguments") or ""))
    elif kind == "ToolCallPart" and state.get("last"):
        identity, name, text = state["last"]
        text += str(payload.get("arguments_part") or "")
        state["last"] = (identity, name, text)
        builder.rewrite_call(identity, name, values.arguments_of(text))
    elif kind == "ToolResult":
        _result(builder, payload, at)
        state["closed"] = True
    elif kind == "ApprovalResponse" and payload.get("response") == "reject":
        builder.refuse_waiting(BY_USER)
    elif kind == "StatusUpdate" and builder.current is not None and isinstance(payload.get("token_usage"), dict):
        usage = payload["token_usage"]
        builder.amend(
            prompt_tokens=total(usage, "input_other", "input_cache_read", "input_cache_creation"),
            cached_tokens=values.an_integer(usage.get("input_cache_read")),
            output_tokens=values.an_integer(usage.get("output")),
        )
    else:
        inner = f" {values.an_object(payload.get('event')).get('type')}" if kind == "SubagentEvent" else ""
        call = "call of a sub-agent, in a " if inner == " ToolCall" else ""
        builder.report.drop(f"{call}event {kind}{inner} (no message of this agent)")


def _open(builder: Builder, state: Json, at: int | None) -> None:
    if state["closed"]:
        builder.turn(extra=values.given(answered_at_ns=at))
        state["closed"] = False


def _result(builder: Builder, payload: Json, at: int | None) -> None:
    identity = values.a_string(payload.get("tool_call_id"))
    value = values.an_object(payload.get("return_value") or payload.get("result"))
    text = builder.text(value.get("output"), "a result")
    message = clean(str(value.get("message") or ""))
    failed = values.a_flag(value.get("is_error"))
    if failed and not text:
        text = message
    recorded = builder.recorded(identity) if identity else None
    started = values.an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
    refused = BY_USER if failed and message.startswith("The tool call is rejected by the user") else None
    seen = Observation(stdout=text.encode(), merged=True, is_error=failed)
    if builder.result(identity, seen, values.given(interval_ns=values.elapsed(started, at)), refused):
        builder.report.note("tool time: call → result (interval_ns), asking for approval included")


def _moment(value: object) -> int | None:
    return values.iso_ns(value) if isinstance(value, str) else values.seconds_ns(value)
