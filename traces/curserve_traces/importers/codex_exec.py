"""The stream of `codex exec --json`: items that begin and end, without times; one usage for a turn's steps."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import orjson

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_string, an_integer, an_object, arguments_of
from curserve_traces.model import Observation

_TYPES = {"thread.started", "turn.started", "turn.completed", "turn.failed", "item.started", "item.updated"} | {
    "item.completed"
}
_CALLS = ("command_execution", "mcp_tool_call", "file_change", "web_search")


def sniff(source: Source) -> bool:
    """Whether its first records are of such a stream."""
    head = source.head(4)
    return bool(head) and all(a_string(record.get("type")) in _TYPES for record in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one thread of the stream."""
    builder = Builder("codex-exec", agent="codex")
    thread = None
    state: Json = {"closed": True, "first": 0}
    for _, record in source.records():
        kind = record.get("type")
        if kind == "thread.started":
            thread = a_string(record.get("thread_id")) or thread
        elif kind == "turn.started":
            state.update(closed=True, first=builder.place + 1)
        elif kind in ("item.started", "item.completed"):
            _item(builder, an_object(record.get("item")), kind == "item.completed", state)
        elif kind == "turn.completed":
            _usage(builder, an_object(record.get("usage")), state["first"])
        elif kind == "turn.failed":
            builder.report.note(f"a turn failed: {an_object(record.get('error')).get('message')}"[:160])
    yield builder.finish(id=thread or source.path.stem, agent="codex")


def _item(builder: Builder, item: Json, ended: bool, state: Json) -> None:
    kind, identity = str(item.get("type")), a_string(item.get("id"))
    known = builder.recorded(identity) if identity else None
    if kind in _CALLS and known is None:
        _open(builder, state)
        name, arguments = _asked(kind, item)
        builder.call(identity, name, arguments)
    elif kind in ("agent_message", "assistant_message", "reasoning") and ended:
        _open(builder, state)
        turn = builder.current
        field = "reasoning" if kind == "reasoning" else "text"
        before = (turn.reasoning if field == "reasoning" else turn.text) if turn else None
        builder.amend(**{field: "\n".join(filter(None, (before, clean(str(item.get("text") or "")))))})
    elif kind not in _CALLS and ended:
        builder.report.drop(f"item {kind} (no message, no call)")
    if kind in _CALLS and ended:
        refused = BY_USER if item.get("status") == "declined" else None
        builder.result(identity or builder.newest_call(), _seen(kind, item), refused=refused)
        state["closed"] = True


def _open(builder: Builder, state: Json) -> None:
    if state["closed"]:
        builder.turn()
        state["closed"] = False


def _asked(kind: str, item: Json) -> tuple[str, Json]:
    if kind == "mcp_tool_call":
        return f"{item.get('server')}__{item.get('tool')}", arguments_of(item.get("arguments"))
    if kind == "file_change":
        return kind, {"changes": item.get("changes")}
    if kind == "web_search":
        return kind, {"query": item.get("query")}
    line = str(item.get("command") or "")
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    wrapped = (
        len(words) == 3 and words[1] in ("-lc", "-c") and words[0].rsplit("/", 1)[-1] in ("bash", "sh", "zsh")
    )
    return "shell", {"command": words if wrapped else line}


def _seen(kind: str, item: Json) -> Observation:
    result = an_object(item.get("result"))
    output = item.get("aggregated_output")
    if kind == "mcp_tool_call":
        output = an_object(item.get("error")).get("message") or (orjson.dumps(result).decode() if result else "")
    return Observation(
        exit_code=an_integer(item.get("exit_code")),
        stdout=clean(str(output or "")).encode(),
        merged=True,
        is_error=True if item.get("status") == "failed" and kind != "command_execution" else None,
    )


def _usage(builder: Builder, usage: Json, first: int) -> None:
    if builder.place == first:
        builder.amend(
            prompt_tokens=an_integer(usage.get("input_tokens")),
            cached_tokens=an_integer(usage.get("cached_input_tokens")),
            output_tokens=an_integer(usage.get("output_tokens")),
        )
    elif usage:
        builder.report.note("token counts are given for several steps together: left out")
