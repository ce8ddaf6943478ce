"""Runs as tracing services export them (Langfuse, LangSmith, Phoenix): model and tool steps with their times.

An importer brings each step into the shape of `ObservedStep`; `trace_of` makes turns and calls of them, in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from curserve_traces.importers import chat_turns
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.report import Imported
from curserve_traces.importers.values import Json, a_string, an_object, arguments_of, elapsed
from curserve_traces.model import Observation


@dataclass(frozen=True, slots=True)
class ObservedStep:
    """A step: `said` is what the model answered, `given` and `result` are a tool's; times are since the epoch."""

    kind: Literal["model", "tool", "other"]
    name: str
    started_at_ns: int | None
    ended_at_ns: int | None
    call_id: str | None = None
    said: object = None
    given: object = None
    result: object = None
    failed: bool | None = None
    fields: Json = field(default_factory=dict)


def trace_of(format_name: str, identity: str, steps: Iterable[ObservedStep]) -> Imported:
    """Return the trace of the steps; a tool step runs the call of its id, else the first one of its tool."""
    builder = Builder(format_name, ids_repeat=True)
    model = None
    for step in sorted(steps, key=lambda step: step.started_at_ns or 0):
        if step.kind == "model":
            model = model or a_string(step.fields.get("model"))
            _model(builder, step)
        elif step.kind == "tool":
            _tool(builder, step)
        else:
            builder.report.drop(f"step {step.name} (neither a model's nor a tool's)")
    return builder.finish(id=identity, model=model)


def _model(builder: Builder, step: ObservedStep) -> None:
    message = message_of(step.said)
    chat_turns.add(builder, {**message, "role": "assistant"})
    took = elapsed(step.started_at_ns, step.ended_at_ns)
    builder.amend(started_at_ns=step.started_at_ns, model_ns=took, **step.fields)


def _tool(builder: Builder, step: ObservedStep) -> None:
    identity = step.call_id if step.call_id and builder.recorded(step.call_id) else None
    if identity is None:
        waiting = [builder.recorded(known) for known in builder.waiting_calls()]
        names = (recorded.call.id for recorded in waiting if recorded and recorded.call.original_name == step.name)
        identity = next(names, None)
    if identity is None:
        builder.call(step.call_id, step.name, arguments_of(step.given))
        identity = builder.newest_call()
    told = step.result
    text = clean(told) if isinstance(told, str) else "" if told is None else clean(orjson.dumps(told).decode())
    seen = Observation(
        stdout=text.encode(),
        merged=True,
        started_at_ns=step.started_at_ns,
        duration_ns=elapsed(step.started_at_ns, step.ended_at_ns),
        is_error=step.failed,
    )
    builder.result(identity, seen)


def message_of(said: object) -> Json:
    """Return the model's message in an answer, out of the choices, generations or `kwargs` that libraries wrap."""
    at: Any = said
    for _ in range(12):
        if isinstance(at, str):
            return {"content": at}
        if isinstance(at, list):
            at = at[-1] if at else {}
            continue
        record = an_object(at)
        inner = next(
            (record[key] for key in _WRAPPERS if isinstance(record.get(key), dict | list) and record[key]), None
        )
        if inner is None or (record.keys() & {"role", "tool_calls"} and "content" in record):
            return record
        at = inner
    return an_object(at)


_WRAPPERS = ("choices", "generations", "message", "kwargs", "messages", "output")


def result_of(value: object) -> object:
    """Return a tool's result, out of the message or the object that it may stand in."""
    record = an_object(value)
    for key in ("output", "content", "result", "kwargs"):
        if key in record:
            return result_of(record[key]) if isinstance(record[key], dict) else record[key]
    return value
