"""OpenHands v0: `output.jsonl` of the evaluation harness (an instance a line), and event streams (a JSON list).

The harness of v1 writes the same lines with v1's events in them; those are read as `openhands_v1` reads them.

Model latencies are recorded by response id (`metrics.response_latencies`): they are the turn's `model_ns`.
Action and observation have times; what lies between is dispatch and tool together, kept as `interval_ns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from curserve_traces.importers import openhands_v1, values
from curserve_traces.importers.builder import Builder, identity_of, text_of
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json
from curserve_traces.model import Observation, Workspace

_NO_CALLS = {
    "message",
    "system",
    "recall",
    "change_agent_state",
    "null",
    "condensation",
    "condensation_request",
    "",
}
_NO_RESULTS = {"null", "agent_state_changed", "recall", "user_message"}


def sniff(source: Source) -> bool:
    """Whether it has a `history` of events, or is a list of them."""
    first = source.head(1) or [values.an_object(source.record())]
    if isinstance(first[0].get("history"), list) and ("instruction" in first[0] or "instance_id" in first[0]):
        return True
    wrapped = values.a_list(source.record().get("trajectory") or source.record().get("events"))
    events = [event for event in (wrapped or source.array())[:8] if isinstance(event, dict)] or source.head(4)
    return (
        bool(events)
        and all("action" in event or "observation" in event for event in events)
        and any("args" in event or "extras" in event for event in events)
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every instance."""
    events = source.array() or values.a_list(source.record().get("trajectory") or source.record().get("events"))
    if events:
        yield _trace({"history": events}, source.path.name.split(".")[0])
        return
    head = source.head(1)
    records = (record for _, record in source.records())
    if head and "history" not in head[0]:
        yield _trace({"history": list(records)}, source.path.parent.name)
        return
    for number, record in enumerate(records):
        imported = _trace(record, f"{source.path.stem}-{number}")
        yield imported


def _trace(record: Json, name: str) -> Imported:
    builder = Builder("openhands-v0")
    history = values.a_list(record.get("history"))
    flat = chain.from_iterable(item if isinstance(item, list) else [item] for item in history)
    events = [event for event in flat if isinstance(event, dict)]
    latencies = {
        identity_of(item.get("response_id")): values.seconds_ns(item.get("latency"))
        for item in map(
            values.an_object, values.a_list(values.an_object(record.get("metrics")).get("response_latencies"))
        )
    }
    state: Json = {"latencies": latencies, "places": {}}
    if events and "kind" in events[0]:
        builder = openhands_v1.build(events, state)
    else:
        for event in events:
            _event(builder, event, state)
    instance, metadata = values.an_object(record.get("instance")), values.an_object(record.get("metadata"))
    repo, commit = values.a_string(instance.get("repo")), values.a_string(instance.get("base_commit"))
    at = values.a_string(state.get("first_cwd")) or "/testbed"
    workspace = Workspace(at=at)
    if repo and commit and "/" in repo:
        workspace = Workspace("git", f"https://github.com/{repo}", commit, at=at)
    return builder.finish(
        id=str(record.get("instance_id") or name),
        workspace=workspace,
        agent="openhands",
        agent_version=values.a_string(state.get("version")) or "unknown",
        model=values.a_string(values.an_object(metadata.get("llm_config")).get("model")),
        task=values.a_string(record.get("instruction")) or values.a_string(state.get("task")),
        shell="persistent",
        extra={key: record[key] for key in ("test_result", "issue", "error") if record.get(key) is not None},
    )


def _event(builder: Builder, event: Json, state: Json) -> None:
    action, observation = values.a_string(event.get("action")), values.a_string(event.get("observation"))
    arguments = values.an_object(event.get("args"))
    metadata = values.an_object(event.get("tool_call_metadata"))
    if observation is not None and action is None:
        _observation(builder, event, observation, state)
    elif action == "system":
        builder.message("system", text_of(arguments.get("content") or event.get("content")))
        state["version"] = arguments.get("openhands_version")
    elif action == "message" and event.get("source") != "agent" and (event.get("source") or not state.get("task")):
        text = text_of(arguments.get("content") or event.get("content"))
        builder.message("user", text)
        state.setdefault("task", text)
    elif action == "message" or (action == "finish" and not metadata):
        words = [
            arguments.get("content"),
            event.get("content"),
            arguments.get("final_thought"),
            event.get("thought"),
        ]
        _turn(builder, event, next((text_of(word) for word in words if word), ""), state)
        if action == "finish":
            builder.report.drop("finish without a tool call (the end of the run)")
    elif action is not None and action not in _NO_CALLS and event.get("source") in ("agent", None):
        _call(builder, event, action, metadata, state)
    else:
        builder.report.drop(f"event {action or 'without action'} of {event.get('source')} (no call of the model)")


def _turn(builder: Builder, event: Json, text: str, state: Json) -> None:
    response = values.an_object(values.an_object(event.get("tool_call_metadata")).get("model_response"))
    usage = values.an_object(response.get("usage"))
    identity = identity_of(response.get("id"))
    builder.turn(
        text=text,
        model=values.a_string(response.get("model")),
        prompt_tokens=values.an_integer(usage.get("prompt_tokens")),
        cached_tokens=values.an_integer(values.an_object(usage.get("prompt_tokens_details")).get("cached_tokens")),
        output_tokens=values.an_integer(usage.get("completion_tokens")),
        model_ns=state["latencies"].get(identity),
        extra=values.given(answered_at_ns=values.iso_ns(event.get("timestamp"))),
    )


def _call(builder: Builder, event: Json, action: str, metadata: Json, state: Json) -> None:
    arguments = values.an_object(event.get("args")) or {
        key: value for key, value in event.items() if key not in ("action", "thought", "timestamp", "id", "source")
    }
    response = values.an_object(metadata.get("model_response"))
    identity = values.a_string(metadata.get("tool_call_id"))
    message = values.an_object(
        values.an_object(next(iter(values.a_list(response.get("choices"))), None)).get("message")
    )
    if response.get("id") is None or response.get("id") != state.get("response"):
        text = (
            text_of(message.get("content")) or text_of(arguments.get("thought")) or text_of(event.get("thought"))
        )
        _turn(builder, event, text, state)
    state["response"] = response.get("id")
    name = values.a_string(metadata.get("function_name")) or action
    for call in map(values.an_object, values.a_list(message.get("tool_calls"))):
        if call.get("id") == identity:
            arguments = values.arguments_of(values.an_object(call.get("function")).get("arguments"))
    asked = values.iso_ns(event.get("timestamp"))
    cwd = values.a_string(state.get("cwd"))
    if identity is None or builder.recorded(identity) is not None:
        identity = f"event-{event.get('id')}" if event.get("id") is not None else None  # ids repeat in some logs
    added = builder.call(identity, name, arguments, cwd=cwd, extra=values.given(asked_at_ns=asked))
    if added and values.an_object(event.get("args")).get("confirmation_state") == "rejected":
        builder.refuse(builder.newest_call(), BY_USER)
    if added:
        state["places"][identity_of(event.get("id"))] = builder.newest_call()
        state["waiting"] = builder.newest_call()


def _observation(builder: Builder, event: Json, kind: str, state: Json) -> None:
    if kind in _NO_RESULTS:
        builder.report.drop(f"observation {kind} (no tool's)")
        return
    cause = identity_of(event.get("cause"))
    call = state["places"].get(cause) if cause is not None else state.pop("waiting", None)
    extras = values.an_object(event.get("extras"))
    metadata = values.an_object(extras.get("metadata"))
    code = values.an_integer(metadata.get("exit_code", extras.get("exit_code", event.get("exit_code"))))
    recorded = builder.recorded(call) if call else None
    started = values.an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
    seen = Observation(
        exit_code=code if code is not None and code >= 0 else None,
        stdout=builder.text(event.get("content"), "a result").encode(),
        merged=True,
        started_at_ns=started,
        is_error=True if kind == "error" else None,
    )
    interval = values.elapsed(started, values.iso_ns(event.get("timestamp")))
    builder.result(call, seen, values.given(interval_ns=interval), BY_USER if kind == "user_rejected" else None)
    if interval is not None:
        builder.report.note("tool time: only action → observation (interval_ns), dispatch included")
    if cwd := values.a_string(metadata.get("working_dir")):
        state["cwd"] = cwd
        state.setdefault("first_cwd", cwd)
