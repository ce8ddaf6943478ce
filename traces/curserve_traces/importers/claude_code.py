"""Claude Code sessions: `<session>.jsonl`, sub-agents' `agent-*.jsonl`, and Entire checkpoints (`full.jsonl`).

One answer of the model spreads over several lines with one message id; its token count there is a streaming
placeholder: the largest is taken and marked. Calls copied by forks and checkpoints are told by their tool-use id.
Sub-agents inside a session's file become traces of their own, unless their own file lies beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_flag,
    a_list,
    a_string,
    an_integer,
    an_object,
    elapsed,
    given,
    iso_ns,
)
from curserve_traces.model import Observation, Workspace

_TYPES = {
    "assistant",
    "user",
    "system",
    "progress",
    "summary",
    "file-history-snapshot",
    "queue-operation",
    "pr-link",
    "attachment",
    "permission-mode",
    "custom-title",
    "agent-name",
    "last-prompt",
}
_EXIT = re.compile(r"^(?:Error: )?Exit code (\d+)\b")


def sniff(source: Source) -> bool:
    """Whether its first records are Claude Code's."""
    head = source.head(8)
    if any("parts" in an_object(record.get("message")) for record in head):
        return False  # Qwen Code's records look alike from outside
    return any(r.get("type") in _TYPES and ("sessionId" in r or "leafUuid" in r or "messageId" in r) for r in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the session, then the sub-agents that its file holds."""
    streams: dict[str | None, list[Json]] = {}
    dropped: dict[str, int] = {}
    records = [record for _, record in source.records()]
    sides = {
        record.get("isSidechain") is True for record in records if record.get("type") in ("user", "assistant")
    }
    for record in records:
        kind = record.get("type")
        data = an_object(record.get("data"))
        if kind == "progress" and data.get("type") == "agent_progress":
            agent = str(data.get("agentId"))
            if _own_file(source, agent):
                dropped["progress of a sub-agent whose own file has it"] = (
                    dropped.get("progress of a sub-agent whose own file has it", 0) + 1
                )
            else:
                streams.setdefault(agent, []).append({**record, **an_object(data.get("message"))})
        elif kind in ("user", "assistant"):
            side = (
                str(record.get("agentId") or "sidechain") if record.get("isSidechain") and len(sides) > 1 else None
            )
            streams.setdefault(side, []).append(record)
        else:
            reason = f"record {kind} (no message)"
            dropped[reason] = dropped.get(reason, 0) + 1
    streams.setdefault(None, [])
    for side, lines in sorted(streams.items(), key=lambda item: (item[0] is not None, item[0] or "")):
        imported = _trace(lines, source.path.name.split(".")[0], side)
        if side is None:
            imported.report.dropped.update(dropped)
            for damage in source.damaged:
                imported.report.drop(f"damaged line ({damage})")
        yield imported


def _own_file(source: Source, agent: str) -> bool:
    folder = source.path.with_suffix("") / "subagents"
    return re.fullmatch(r"[\w-]+", agent) is not None and (folder / f"agent-{agent}.jsonl").is_file()


def _trace(lines: list[Json], name: str, side: str | None) -> Imported:
    builder = Builder("claude-code")
    state: Json = {}
    for line in lines:
        builder.cwd = a_string(line.get("cwd")) or builder.cwd
        state.setdefault("cwd", builder.cwd)
        if line.get("type") == "assistant":
            _assistant(builder, line, state)
        else:
            _user(builder, line, state)
    first = an_object(next((line for line in lines if line.get("sessionId")), None))
    agent = a_string(first.get("agentId")) or side
    session = a_string(first.get("sessionId")) or name
    return builder.finish(
        id=f"{session}-{agent}" if agent else session,
        workspace=Workspace(at=str(state.get("cwd") or "/testbed")),
        agent="claude-code",
        agent_version=next((str(line["version"]) for line in lines if line.get("version")), "unknown"),
        model=a_string(state.get("model")),
        task=a_string(state.get("task")),
        shell="persistent",
        extra=given(git_branch=a_string(first.get("gitBranch")), sub_agent=agent),
    )


def _assistant(builder: Builder, line: Json, state: Json) -> None:
    message = an_object(line.get("message"))
    at = iso_ns(line.get("timestamp"))
    if message.get("id") is None or message.get("id") != state.get("message"):
        waited = elapsed(an_integer(state.get("last_ns")), at)
        builder.turn(model=a_string(message.get("model")), extra=given(answered_at_ns=at, first_block_ns=waited))
    state["message"] = message.get("id")
    state["model"] = state.get("model") or message.get("model")
    turn = builder.current
    assert turn is not None
    _usage(builder, an_object(message.get("usage")))
    content = message.get("content")
    for part in (
        [{"type": "text", "text": content}] if isinstance(content, str) else map(an_object, a_list(content))
    ):
        kind = part.get("type")
        turn = builder.current or turn
        if kind == "text":
            builder.amend(text="\n".join(filter(None, (turn.text, clean(str(part.get("text", "")))))))
        elif kind == "thinking":
            thought = clean(str(part.get("thinking") or ""))
            builder.amend(reasoning="\n".join(filter(None, (turn.reasoning, thought))) or None)
        elif kind == "tool_use":
            name = a_string(part.get("name")) or "unknown"
            extra = given(asked_at_ns=at)
            builder.call(a_string(part.get("id")), name, an_object(part.get("input")), extra=extra)
        else:
            builder.report.drop(f"content {kind} of the model (signature or media)")


def _usage(builder: Builder, usage: Json) -> None:
    turn = builder.current
    output = an_integer(usage.get("output_tokens"))
    parts = [
        an_integer(usage.get(key))
        for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    ]
    if turn is None or not usage:
        return
    known = [part for part in parts if part is not None]
    builder.amend(
        prompt_tokens=sum(known) if known else turn.prompt_tokens,
        cached_tokens=parts[2] if parts[2] is not None else turn.cached_tokens,
        output_tokens=max(filter(None, (output, turn.output_tokens)), default=output),
        extra={**turn.extra, "output_tokens": "largest of the streaming placeholders: a lower bound"},
    )


def _user(builder: Builder, line: Json, state: Json) -> None:
    message = an_object(line.get("message"))
    content, at = message.get("content"), iso_ns(line.get("timestamp"))
    state["message"], state["last_ns"] = None, at
    words: list[Any] = []
    for part in [content] if isinstance(content, str) else a_list(content):
        block = an_object(part)
        if block.get("type") == "tool_result":
            _result(builder, block, line.get("toolUseResult"), at)
        elif isinstance(part, str) or block.get("type") == "text":
            words.append(part)
        else:
            builder.report.drop(f"content {block.get('type')} of the user (media)")
    if words:
        text = text_of(words)
        builder.message("user", text)
        if not line.get("isMeta"):
            state.setdefault("task", text)


def _result(builder: Builder, block: Json, structured: object, at: int | None) -> None:
    identity = a_string(block.get("tool_use_id"))
    recorded = builder.recorded(identity) if identity else None
    text = text_of(block.get("content"))
    error = a_flag(block.get("is_error"))
    known = an_object(structured)
    out, err, merged = text, "", True
    if isinstance(known.get("stdout"), str) and isinstance(known.get("stderr"), str):
        out, err, merged = clean(known["stdout"]), clean(known["stderr"]), False
    code = int(match[1]) if error and (match := _EXIT.match(text)) else None
    took = an_integer(known.get("durationMs"))
    started = an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
    seen = Observation(
        exit_code=code,
        stdout=out.encode(),
        stderr=err.encode(),
        merged=merged,
        text=None if text == out + err else text,
        duration_ns=took * 1_000_000 if took is not None and took >= 0 else None,
        is_error=error,
    )
    interval = elapsed(started, at)
    if builder.result(identity, seen, given(interval_ns=interval)) and interval is not None:
        builder.report.note("tool time: call line → result line (interval_ns), permission and dispatch included")
