"""Codex rollouts: `rollout-*.jsonl`, with exit codes and durations (to 0.1 s) inside the outputs.

Before September 2025 the items stood in the file bare, behind a head with id and instructions; the first versions
wrote one document `{session, items}`. What the outputs look like has changed as often.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.codex_results import ENDS, Ends
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json
from curserve_traces.model import Workspace

_TYPES = {"session_meta", "response_item", "event_msg", "turn_context", "compacted"}
_CALLS = {"function_call", "custom_tool_call", "local_shell_call"}
_ITEMS = {
    "message",
    "reasoning",
    "function_call_output",
    "custom_tool_call_output",
    "local_shell_call_output",
    "web_search_call",
} | _CALLS
_AGENTS = re.compile(r"\b(trae)", re.IGNORECASE)


def sniff(source: Source) -> bool:
    """Whether its first records are of a rollout."""
    record = source.record()
    if isinstance(record.get("session"), dict) and isinstance(record.get("items"), list):
        return True
    head = source.head(4)
    if any(
        values.a_string(record.get("type")) in _TYPES and isinstance(record.get("payload"), dict)
        for record in head
    ):
        return True
    bare = bool(head) and {"id", "timestamp"} <= head[0].keys() and "type" not in head[0] and "role" not in head[0]
    if not bare or (len(head) == 1 and "instructions" not in head[0]):
        return False
    return all(values.a_string(record.get("type")) in _ITEMS or "record_type" in record for record in head[1:])


def _records(source: Source) -> Iterator[Json]:
    """Yield the records in today's shape, whatever the file's."""
    document = source.record()
    if isinstance(document.get("items"), list):
        yield {"type": "session_meta", "payload": values.an_object(document.get("session"))}
        for item in map(values.an_object, document["items"]):
            yield {"type": "response_item", "payload": item}
        return
    for number, (_, record) in enumerate(source.records()):
        if isinstance(record.get("payload"), dict):
            yield record
        elif values.a_string(record.get("type")) in _ITEMS:
            yield {"type": "response_item", "payload": record, "timestamp": record.get("timestamp")}
        elif number == 0:
            yield {"type": "session_meta", "payload": record}
        else:
            yield record


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    builder = Builder("codex", unique="everywhere")
    ends = Ends(builder)
    state: Json = {"meta": {}, "closed": True}
    for record in _records(source):
        payload = values.an_object(record.get("payload"))
        kind = record.get("type")
        stamp = values.a_string(record.get("timestamp"))
        if kind in ("response_item", "event_msg") and builder.copied(payload, stamp, repr(payload)):
            continue
        if kind == "session_meta":
            state["meta"] = state["meta"] or payload
            builder.cwd = values.a_string(payload.get("cwd"))
        elif kind == "turn_context":
            builder.cwd = values.a_string(payload.get("cwd")) or builder.cwd
            state["model"] = values.a_string(payload.get("model")) or state.get("model")
        elif kind == "response_item":
            _item(builder, ends, payload, values.iso_ns(record.get("timestamp")), state)
        elif kind == "event_msg" and payload.get("type") == "token_count":
            _usage(builder, values.an_object(values.an_object(payload.get("info")).get("last_token_usage")))
        elif kind == "event_msg" and payload.get("type") in ENDS:
            ends.add(payload)
        else:
            builder.report.drop(
                f"record {kind} {payload.get('type') or ''} (a copy, or no message)".replace("  ", " ")
            )
    ends.finish()
    meta, git = state["meta"], values.an_object(state["meta"].get("git"))
    url, commit, at = (
        values.a_string(git.get("repository_url")),
        values.a_string(git.get("commit_hash")),
        values.a_string(meta.get("cwd")),
    )
    known = url is not None and commit is not None
    said = [
        meta.get("originator"),
        values.an_object(meta.get("base_instructions")).get("text"),
        meta.get("instructions"),
    ]
    if match := _AGENTS.search(" ".join(str(words)[:200] for words in [*said, source.path] if words)):
        builder.agent = match[1].lower()
    yield builder.finish(
        id=values.a_string(meta.get("id")) or source.path.stem,
        workspace=Workspace("git", url, commit, at=at or "/testbed") if known else Workspace(at=at or "/testbed"),
        agent=builder.agent or "codex",
        agent_version=values.a_string(meta.get("cli_version")) or "unknown",
        model=values.a_string(state.get("model")),
        task=values.a_string(state.get("task")),
    )


def _item(builder: Builder, ends: Ends, item: Json, at: int | None, state: Json) -> None:
    kind = values.a_string(item.get("type")) or ""
    if kind == "message" and item.get("role") != "assistant":
        text = builder.text(item.get("content"), "a message")
        builder.message("user" if item.get("role") == "user" else "system", text)
        if not text.startswith("<"):
            state.setdefault("task", text)
        state["closed"] = True
    elif kind in ("message", "reasoning") or kind.endswith("_call"):
        if state["closed"]:
            builder.turn(model=values.a_string(state.get("model")), extra=values.given(answered_at_ns=at))
            state["closed"] = False
        turn = builder.current
        assert turn is not None
        if kind == "message":
            builder.amend(text="\n".join(filter(None, (turn.text, text_of(item.get("content"))))))
        elif kind == "reasoning":
            words = text_of(item.get("summary")) or text_of(item.get("content"))
            builder.amend(reasoning="\n".join(filter(None, (turn.reasoning, words))) or None)
        else:
            _call(builder, item, at)
    elif kind.endswith("_output"):
        ends.result(values.a_string(item.get("call_id")), item.get("output"))
        state["closed"] = True
    else:
        builder.report.drop(f"item {kind} (no message)")


def _call(builder: Builder, item: Json, at: int | None) -> None:
    kind = str(item.get("type"))
    arguments = values.arguments_of(item.get("arguments", item.get("input", item.get("action"))))
    if kind not in ("function_call", "custom_tool_call"):  # one that the model's server knows, named by its type
        arguments = {key: value for key, value in arguments.items() if key != "type"}
    server = "unknown" if kind in ("function_call", "custom_tool_call") else kind.removesuffix("_call")
    name = values.a_string(item.get("name")) or server
    cwd = values.a_string(arguments.get("workdir")) or values.a_string(arguments.get("working_directory"))
    builder.call(
        values.a_string(item.get("call_id")) or values.a_string(item.get("id")),
        name,
        arguments,
        cwd=cwd,
        extra=values.given(asked_at_ns=at),
    )


def _usage(builder: Builder, usage: Json) -> None:
    if builder.current is not None and usage:
        builder.amend(
            prompt_tokens=values.an_integer(usage.get("input_tokens")),
            cached_tokens=values.an_integer(usage.get("cached_input_tokens")),
            output_tokens=values.an_integer(usage.get("output_tokens")),
        )
