"""The native file format: an ATIF trajectory whose `extra.curserve` blocks hold what ATIF has no field for.

Any reader of ATIF (Harbor among them) reads such a file; this module also reads back the rest: exit codes,
durations, bytes, directories, the workspace, deltas. `around` with `steps`, and `from_document`, are inverse.
docs/FORMAT.md tells every field.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal, cast

from curserve_traces import fields
from curserve_traces.errors import MalformedTrace, UnknownSchema
from curserve_traces.fields import Json
from curserve_traces.model import (
    TOOLS,
    FileChange,
    Message,
    Observation,
    RecordedCall,
    Tool,
    ToolCall,
    Trace,
    Turn,
    Workspace,
    WorkspaceDelta,
)

BLOCK = "curserve"
BLOCK_VERSION = 1
ATIF_WRITTEN = "ATIF-v1.7"
ATIF_KNOWN = tuple(f"ATIF-v1.{minor}" for minor in range(9))


def is_native(document: object) -> bool:
    """Whether a parsed JSON document is ATIF with our block at its root."""
    if not isinstance(document, dict) or not str(document.get("schema_version", "")).startswith("ATIF-"):
        return False
    extra = document.get("extra")
    return isinstance(extra, dict) and BLOCK in extra


# ------------------------------------------------------------------ writing


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


# ------------------------------------------------------------------ reading


def check_version(document: Mapping[str, Any], where: str) -> None:
    """Raise UnknownSchema for an ATIF version, or a version of our block, that this program does not know."""
    version = document.get("schema_version")
    if version not in ATIF_KNOWN:
        known = f"{ATIF_KNOWN[0]} to {ATIF_KNOWN[-1]}"
        raise UnknownSchema(
            f"{where}: schema version {version!r} is not known ({known} are); upgrade curserve-bench"
        )
    extra = document.get("extra")
    block = extra.get(BLOCK) if isinstance(extra, dict) else None
    if isinstance(block, dict) and block.get("version") != BLOCK_VERSION:
        raise UnknownSchema(
            f"{where}: version {block.get('version')!r} of the {BLOCK} block is not known "
            f"(version {BLOCK_VERSION} is); upgrade curserve-bench"
        )


def from_document(document: Json, where: str) -> Trace:
    """Return the trace of a native document; raises MalformedTrace or UnknownSchema, naming the field."""
    check_version(document, where)
    block = fields.an_object(document["extra"][BLOCK], f"{where}: extra.{BLOCK}")
    agent = fields.get_object(document, "agent", where)
    turns: list[Turn] = []
    before: list[Message] = []
    for number, raw in enumerate(fields.a_list(document.get("steps"), f"{where}: steps")):
        at = f"{where}: steps[{number}]"
        step = fields.an_object(raw, at)
        source = fields.get_choice(step, "source", ("system", "user", "agent"), at)
        if fields.get_object(fields.get_object(step, "extra", at), BLOCK, at).get("placeholder"):
            continue
        if source == "agent":
            turns.append(_read_turn(step, tuple(before), at))
            before = []
        else:
            role: Literal["system", "user"] = "user" if source == "user" else "system"
            before.append(Message(role, fields.a_string(step.get("message"), f"{at}.message")))
    at = f"{where}: extra.{BLOCK}"
    shell = fields.get_choice(block, "shell", ("fresh", "persistent"), at) or "fresh"
    return Trace(
        id=fields.get_string(block, "id", at) or fields.get_string(document, "session_id", where) or "unnamed",
        workspace=_read_workspace(fields.get_object(block, "workspace", at), f"{at}.workspace"),
        turns=tuple(turns),
        agent=fields.get_string(agent, "name", f"{where}: agent") or "unknown",
        agent_version=fields.get_string(agent, "version", f"{where}: agent") or "unknown",
        model=fields.get_string(agent, "model_name", f"{where}: agent"),
        task=fields.get_string(block, "task", at),
        origin=fields.get_string(block, "origin", at),
        licence=fields.get_string(block, "licence", at),
        shell="persistent" if shell == "persistent" else "fresh",
        truncate_chars=fields.get_integer(block, "truncate_chars", at),
        extra=fields.get_object(block, "extra", at),
    )


def _read_workspace(raw: Json, at: str) -> Workspace:
    kinds = ("path", "wheel", "sdist", "git", "none")
    return Workspace(
        kind=cast("Any", fields.get_choice(raw, "kind", kinds, at) or "none"),
        source=fields.get_string(raw, "source", at),
        version=fields.get_string(raw, "version", at),
        sha256=fields.get_string(raw, "sha256", at),
        at=fields.get_string(raw, "at", at) or "/testbed",
        digest=fields.get_string(raw, "digest", at),
        licence=fields.get_string(raw, "licence", at),
    )


def _read_turn(step: Json, before: tuple[Message, ...], at: str) -> Turn:
    block = fields.get_object(fields.get_object(step, "extra", at), BLOCK, f"{at}.extra")
    metrics = fields.get_object(step, "metrics", at)
    seen: dict[int, Observation] = {}
    results = fields.get_list(fields.get_object(step, "observation", at), "results", f"{at}.observation")
    for number, raw in enumerate(results):
        here = f"{at}.observation.results[{number}]"
        result = fields.an_object(raw, here)
        own = fields.get_object(fields.get_object(result, "extra", here), BLOCK, f"{here}.extra")
        call = fields.get_integer(own, "call", here)
        seen[number if call is None else call] = _read_observation(result, own, here)
    raws = fields.get_list(step, "tool_calls", at)
    for call in seen:
        if not 0 <= call < len(raws):
            raise MalformedTrace(f"{at}: a result belongs to call {call}, but the step has {len(raws)} calls")
    return Turn(
        text=fields.a_string(step.get("message"), f"{at}.message"),
        calls=tuple(_read_call(raw, seen.get(n), f"{at}.tool_calls[{n}]") for n, raw in enumerate(raws)),
        before=before,
        reasoning=fields.get_string(step, "reasoning_content", at),
        model=fields.get_string(step, "model_name", at),
        prompt_tokens=fields.get_integer(metrics, "prompt_tokens", f"{at}.metrics"),
        cached_tokens=fields.get_integer(metrics, "cached_tokens", f"{at}.metrics"),
        output_tokens=fields.get_integer(metrics, "completion_tokens", f"{at}.metrics"),
        started_at_ns=fields.get_integer(block, "started_at_ns", at),
        model_ns=fields.get_integer(block, "model_ns", at),
        extra=fields.get_object(block, "extra", at),
    )


def _read_call(raw: object, seen: Observation | None, at: str) -> RecordedCall:
    call = fields.an_object(raw, at)
    block = fields.get_object(fields.get_object(call, "extra", at), BLOCK, f"{at}.extra")
    shown = fields.an_object(call.get("arguments"), f"{at}.arguments")
    tool = fields.get_choice(block, "tool", TOOLS, at)
    if tool is None:
        raise MalformedTrace(f"{at}: extra.{BLOCK}.tool is missing")
    has_original = "arguments" in block
    delta = None
    if block.get("delta") is not None:
        changes = fields.a_list(block["delta"], f"{at}.delta")
        delta = WorkspaceDelta(tuple(_read_change(c, f"{at}.delta[{n}]") for n, c in enumerate(changes)))
    return RecordedCall(
        ToolCall(
            id=fields.a_string(call.get("tool_call_id"), f"{at}.tool_call_id"),
            tool=cast("Tool", tool),
            arguments=fields.get_object(block, "arguments", at) if has_original else shown,
            cwd=fields.get_string(block, "cwd", at),
            original_name=fields.get_string(block, "original_name", at),
            original_arguments=shown if has_original else None,
        ),
        observation=seen,
        delta=delta,
        not_executed=fields.get_string(block, "not_executed", at),
        extra=fields.get_object(block, "extra", at),
    )


def _read_observation(result: Json, block: Json, at: str) -> Observation:
    content = fields.a_string(result.get("content"), f"{at}.content")
    has_text = fields.get_flag(block, "text", at) or False
    split = has_text or any(key in block for key in ("stdout", "stdout_b64", "stderr", "stderr_b64"))
    return Observation(
        exit_code=fields.get_integer(block, "exit_code", at),
        stdout=_read_bytes(block, "stdout", at) if split else content.encode("utf-8", errors="surrogatepass"),
        stderr=_read_bytes(block, "stderr", at) if split else b"",
        merged=fields.get_flag(block, "merged", at) or False,
        text=content if has_text else None,
        started_at_ns=fields.get_integer(block, "started_at_ns", at),
        duration_ns=fields.get_integer(block, "duration_ns", at),
        is_error=fields.get_flag(block, "is_error", at),
    )


def _read_change(raw: object, at: str) -> FileChange:
    change = fields.an_object(raw, at)
    path = fields.a_string(change.get("path"), f"{at}.path")
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\0" in path:
        raise MalformedTrace(f"{at}.path: {path[:80]!r} leaves the workspace; such a delta is not applied")
    kind = fields.get_choice(change, "kind", _KINDS, at) or "file"
    has_content = "content" in change or "content_b64" in change
    return FileChange(
        path=path,
        before=fields.get_string(change, "before", at),
        after=fields.get_string(change, "after", at),
        kind=cast("Any", kind),
        mode=fields.get_integer(change, "mode", at),
        content=_read_bytes(change, "content", at) if has_content else None,
    )


_KINDS = ("file", "link", "folder")


def _read_bytes(block: Json, key: str, at: str) -> bytes:
    text = fields.get_string(block, key, at)
    if text is not None:
        return text.encode("utf-8", errors="surrogatepass")
    coded = fields.get_string(block, f"{key}_b64", at)
    try:
        return base64.b64decode(coded, validate=True) if coded else b""
    except (binascii.Error, ValueError) as error:
        raise MalformedTrace(f"{at}.{key}_b64: not base64 ({error})") from None
