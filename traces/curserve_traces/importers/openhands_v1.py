"""OpenHands v1 SDK events: `events.jsonl`, or a conversation's folder of `event-NNNNN-<id>.json` files.

Every action and observation has a time to the microsecond. Action → observation is dispatch and tool together;
`think`, which runs nothing, gives the dispatch floor, which is taken off. Observation → next action is model and
network together and is kept apart, in the turn's `extra`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, not_text, text_of
from curserve_traces.importers.refusals import BY_AGENT, BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json
from curserve_traces.model import Observation, Workspace

_KINDS = {"SystemPromptEvent", "MessageEvent", "ActionEvent", "ObservationEvent", "AgentErrorEvent"}


def sniff(source: Source) -> bool:
    """Whether its first records are SDK events."""
    head = source.head(4) or [values.an_object(event) for event in source.array()[:4]]
    return bool(head) and any(record.get("kind") in _KINDS for record in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one conversation of the file."""
    state: dict[str, object] = {}
    listed = [values.an_object(event) for event in source.array()]
    builder = build(listed or (event for _, event in source.records()), state)
    name = source.path.parent.name if source.path.name == "events.jsonl" else source.path.name.split(".")[0]
    yield builder.finish(
        id=name,
        workspace=Workspace(at=str(state.get("first_cwd") or "/testbed")),
        agent="openhands-sdk",
        task=values.a_string(state.get("task")),
        shell="persistent",
    )


def build(events: Iterable[Json], state: dict[str, object]) -> Builder:
    """Return the builder of a conversation's events; `state` gets `task` and `first_cwd`."""
    builder = Builder("openhands-v1")
    for event in events:
        if not builder.copied(event, values.a_string(event.get("id")), str(event.get("kind"))):
            _event(builder, event, state)
    builder.take_off_dispatch(lambda call: call.original_name == "think")
    return builder


def _event(builder: Builder, event: Json, state: dict[str, object]) -> None:
    kind, at = event.get("kind"), values.iso_ns(event.get("timestamp"))
    if kind == "SystemPromptEvent":
        builder.message("system", text_of([event.get("system_prompt")]))
    elif kind == "MessageEvent":
        text = text_of(values.an_object(event.get("llm_message")).get("content"))
        if event.get("source") == "agent":
            builder.turn(text=text, extra=values.given(answered_at_ns=at))
        else:
            builder.message("user", text)
            state.setdefault("task", text)
        state["last_ns"] = at
    elif kind == "ActionEvent":
        _action(builder, event, at, state)
    elif kind in ("ObservationEvent", "AgentErrorEvent", "UserRejectObservation"):
        _observation(builder, event, at, state)
    else:
        builder.report.drop(f"event {kind} (no call, no message)")


def _action(builder: Builder, event: Json, at: int | None, state: dict[str, object]) -> None:
    response = event.get("llm_response_id")
    if response is None or response != state.get("response"):
        waited = values.elapsed(values.an_integer(state.get("last_ns")), at)
        reasoning = values.a_string(event.get("reasoning_content"))
        extra = values.given(answered_at_ns=at, model_interval_ns=waited)
        builder.turn(text=text_of(event.get("thought")), reasoning=reasoning, extra=extra)
    state["response"] = response
    function = values.an_object(values.an_object(event.get("tool_call")).get("function"))
    raw = function.get("arguments", values.an_object(event.get("tool_call")).get("arguments"))
    arguments = values.json_object(raw)
    if arguments is None:
        arguments = {key: value for key, value in values.an_object(event.get("action")).items() if key != "kind"}
    name = values.a_string(event.get("tool_name")) or values.a_string(function.get("name")) or "unknown"
    identity = values.a_string(event.get("tool_call_id")) or values.a_string(event.get("id"))
    cwd = values.a_string(state.get("cwd"))
    builder.call(identity, name, values.arguments_of(arguments), cwd=cwd, extra=values.given(asked_at_ns=at))


def _observation(builder: Builder, event: Json, at: int | None, state: dict[str, object]) -> None:
    state["last_ns"], state["response"] = at, None
    seen = values.an_object(event.get("observation"))
    metadata = values.an_object(seen.get("metadata"))
    identity = values.a_string(event.get("tool_call_id"))
    asked = builder.recorded(identity) if identity else None
    told = (seen.get("output"), seen.get("content"), event.get("error"), seen.get("error"))
    text = next((words for value in told if (words := text_of(value))), "") or text_of(
        event.get("rejection_reason")
    )
    for kind, count in not_text(seen.get("content")).items():
        builder.report.drop(f"{kind} in a result (not text)", count)
    error = seen.get("error") if isinstance(seen.get("error"), bool) else (True if seen.get("error") else None)
    code = metadata.get("exit_code", seen.get("exit_code"))
    started = values.an_integer(asked.extra.get("asked_at_ns")) if asked else None
    observation = Observation(
        exit_code=code if (code := values.an_integer(code)) is not None and code >= 0 else None,
        stdout=text.encode(),
        merged=True,
        started_at_ns=started,
        is_error=True if event.get("kind") == "AgentErrorEvent" else error if isinstance(error, bool) else None,
    )
    refused = None
    if event.get("kind") == "UserRejectObservation":
        refused = BY_USER
    elif event.get("kind") == "AgentErrorEvent" and not text.startswith("A restart occurred"):
        refused = BY_AGENT  # it could not make an action of the call
    builder.result(identity, observation, values.given(interval_ns=values.elapsed(started, at)), refused)
    if cwd := values.a_string(metadata.get("working_dir")):
        state["cwd"] = cwd
        state.setdefault("first_cwd", cwd)
