"""Continue sessions: `~/.continue/sessions/<id>.json`, a history whose items hold the states of their calls."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.builder import Builder
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_object, arguments_of
from curserve_traces.model import Observation, Workspace


def sniff(source: Source) -> bool:
    """Whether it is a session with a history of messages."""
    record = source.record()
    history = [an_object(item) for item in a_list(record.get("history"))[:2]]
    return (
        "sessionId" in record and bool(history) and all(isinstance(item.get("message"), dict) for item in history)
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    document = source.record()
    at = (a_string(document.get("workspaceDirectory")) or "").removeprefix("file://") or None
    builder = Builder("continue", unique="session", cwd=at)
    model = task = None
    for item in map(an_object, a_list(document.get("history"))):
        message = an_object(item.get("message"))
        role, text = message.get("role"), builder.text(message.get("content") or "", "a message")
        if role in ("assistant", "thinking"):
            logs = [an_object(log) for log in a_list(item.get("promptLogs"))]
            model = model or next((name for log in logs if (name := a_string(log.get("modelTitle")))), None)
            _answer(builder, item, message, text)
        elif role == "tool":
            builder.result(a_string(message.get("toolCallId")), Observation(stdout=text.encode(), merged=True))
        else:
            builder.message("system" if role == "system" else "user", text)
            task = task or (text if role == "user" else None)
    yield builder.finish(
        id=a_string(document.get("sessionId")) or source.path.stem,
        workspace=Workspace(at=at or "/testbed"),
        agent="continue",
        model=model,
        task=task,
    )


def _answer(builder: Builder, item: Json, message: Json, text: str) -> None:
    if message.get("role") == "thinking":
        builder.turn(reasoning=text or None)
        return
    builder.turn(text=text, reasoning=a_string(an_object(item.get("reasoning")).get("text")))
    for call in map(an_object, a_list(message.get("toolCalls"))):
        function = an_object(call.get("function"))
        name = a_string(function.get("name")) or "unknown"
        builder.call(a_string(call.get("id")), name, arguments_of(function.get("arguments")))
    states = a_list(item.get("toolCallStates")) or [item.get("toolCallState")]
    for state in map(an_object, states):
        identity, status = a_string(state.get("toolCallId")), state.get("status")
        shown = builder.text(state.get("output"), "a result")
        if identity is not None and builder.recorded(identity) and (shown or status in ("done", "errored")):
            failed = True if status == "errored" else None
            builder.result(identity, Observation(stdout=shown.encode(), merged=True, is_error=failed))
        elif status == "canceled":
            builder.refuse(identity, BY_USER)
