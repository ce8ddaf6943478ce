"""The native file format: an ATIF trajectory whose `extra.curserve` blocks hold what ATIF has no field for.

Any reader of ATIF (Harbor among them) reads such a file. It is written here; `native_reader` reads the rest too:
exit codes, durations, bytes, directories, the workspace, deltas. docs/FORMAT.md describes every field.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from curserve_traces.fields import Json
from curserve_traces.model import FileChange, Observation, RecordedCall, Trace, Turn, Workspace

BLOCK = "curserve"
BLOCK_VERSION = 1
ATIF_WRITTEN = "ATIF-v1.7"


def is_native(document: object) -> bool:
    """Whether a parsed JSON document is ATIF with our block at its root."""
    if not isinstance(document, dict) or not str(document.get("schema_version", "")).startswith("ATIF-"):
        return False
    extra = document.get("extra")
    return isinstance(extra, dict) and BLOCK in extra


def steps(trace: Trace) -> Iterator[Json]:
    """Yield the steps of a trace's document."""
    number = 0
    for turn in trace.turns:
        messages: list[Json] = [{"source": message.role, "message": message.text} for message in turn.before]
        for step in (*messages, _step(turn)):
            number += 1
            yield {"step_id": number, **step}
    if not number:  # ATIF wants one step at least
        yield {"step_id": 1, "source": "system", "message": "", "extra": {BLOCK: {"placeholder": True}}}


def around(trace: Trace) -> Json:
    """Return the document of a trace without its steps."""
    block: Json = {
        "version": BLOCK_VERSION,
        "id": trace.id,
        "workspace": _workspace(trace.workspace),
        "shell": trace.shell,
    }
    block |= _given(
        task=trace.task, origin=trace.origin, licence=trace.licence, truncate_chars=trace.truncate_chars
    )
    if trace.extra:
        block["extra"] = dict(trace.extra)
    return {
        "schema_version": ATIF_WRITTEN,
        "session_id": trace.id,
        "trajectory_id": trace.id,
        "agent": {"name": trace.agent, "version": trace.agent_version, **_given(model_name=trace.model)},
        "steps": [],
        "extra": {BLOCK: block},
    }


def _given(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _workspace(workspace: Workspace) -> Json:
    w = workspace
    return {"kind": w.kind, "at": w.at} | _given(
        source=w.source, version=w.version, sha256=w.sha256, digest=w.digest, licence=w.licence
    )


def _step(turn: Turn) -> Json:
    step: Json = {"source": "agent", "message": turn.text}
    if (stamp := _iso(turn.started_at_ns)) is not None:
        step["timestamp"] = stamp
    step |= _given(reasoning_content=turn.reasoning, model_name=turn.model)
    if turn.calls:
        step["tool_calls"] = [_call(recorded) for recorded in turn.calls]
        results = [
            _result(n, r.call.id, r.observation) for n, r in enumerate(turn.calls) if r.observation is not None
        ]
        if results:
            step["observation"] = {"results": results}
    metrics = _given(
        prompt_tokens=turn.prompt_tokens,
        completion_tokens=turn.output_tokens,
        cached_tokens=turn.cached_tokens,
    )
    if metrics:
        step["metrics"] = metrics
    block = _given(started_at_ns=turn.started_at_ns, model_ns=turn.model_ns)
    if turn.extra:
        block["extra"] = dict(turn.extra)
    if block:
        step["extra"] = {BLOCK: block}
    return step


def _iso(ns: int | None) -> str | None:
    if ns is None or not 0 <= ns < 4_102_444_800_000_000_000:  # until 2100: what every reader's clock can hold
        return None
    return datetime.fromtimestamp(ns // 1000 / 1e6, UTC).isoformat().replace("+00:00", "Z")


def _call(recorded: RecordedCall) -> Json:
    call = recorded.call
    block: Json = {"tool": call.tool} | _given(cwd=call.cwd, original_name=call.original_name)
    shown = call.arguments
    if call.original_arguments is not None:
        shown, block["arguments"] = call.original_arguments, dict(call.arguments)
    if recorded.delta is not None:
        block["delta"] = [_change(change) for change in recorded.delta.changes]
    if recorded.not_executed is not None:
        block["not_executed"] = recorded.not_executed
    if recorded.extra:
        block["extra"] = dict(recorded.extra)
    return {
        "tool_call_id": call.id,
        "function_name": call.original_name if call.original_name is not None else call.tool,
        "arguments": dict(shown),
        "extra": {BLOCK: block},
    }


def _result(number: int, call_id: str, seen: Observation) -> Json:
    block: Json = {"call": number, "merged": seen.merged} | _given(
        exit_code=seen.exit_code,
        started_at_ns=seen.started_at_ns,
        duration_ns=seen.duration_ns,
        is_error=seen.is_error,
        text=True if seen.text is not None else None,
    )
    if seen.text is not None or seen.stderr or not _is_text(seen.stdout):
        block |= _bytes("stdout", seen.stdout) | _bytes("stderr", seen.stderr)
    return {"source_call_id": call_id, "content": seen.shown(), "extra": {BLOCK: block}}


def _change(change: FileChange) -> Json:
    block: Json = {"path": change.path, "kind": change.kind} | _given(
        before=change.before, after=change.after, mode=change.mode
    )
    return block | (_bytes("content", change.content, keep_empty=True) if change.content is not None else {})


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bytes(key: str, data: bytes, *, keep_empty: bool = False) -> Json:
    if not data and not keep_empty:
        return {}
    if _is_text(data):
        return {key: data.decode()}
    return {f"{key}_b64": base64.b64encode(data).decode("ascii")}
