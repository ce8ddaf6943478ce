"""mini-swe-agent `*.traj.json`: v1.1 (actions and raw outputs in `extra`) and the older bare list of messages.

Times: a tool message's timestamp is when its call returned, an assistant message's when the model had answered.
For the first call of a turn the difference is an upper bound of the tool time: dispatch (a `docker exec`) is in
it, so it is kept as an `extra`, not as `duration_ns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.refusals import BY_USER, refusal
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import a_list, a_string, an_integer, an_object, given, seconds_ns
from curserve_traces.model import Observation, Workspace

_BLOCK = re.compile(r"```(?:bash|mswea_bash_command)\s*\n(.*?)\n```", re.DOTALL)
_CODE = re.compile(r"<returncode>\s*(-?\d+)\s*</returncode>")
_OUTPUT = re.compile(r"<output>\n?(.*?)</output>", re.DOTALL)
_STREAMS = re.compile(r"<stderr>\n?(.*?)</stderr>\s*<stdout>\n?(.*?)</stdout>", re.DOTALL)


def sniff(source: Source) -> bool:
    """Whether it is a trajectory of mini-swe-agent."""
    record = source.record()
    if str(record.get("trajectory_format", "")).startswith("mini-swe-agent"):
        return True
    if isinstance(record.get("messages"), list) and isinstance(record.get("info"), dict):
        return "mini_version" in record["info"] or ("exit_status" in record["info"] and "trajectory" not in record)
    messages = source.array()
    roles = [m.get("role") for m in messages[:3] if isinstance(m, dict) and isinstance(m.get("content"), str)]
    return roles[:3] == ["system", "user", "assistant"] and (
        len(messages) < 4
        or any(
            "returncode" in (text := str(m.get("content", ""))) or refusal(text) == BY_USER
            for m in messages[3:]
            if isinstance(m, dict)
        )
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the one trace of the file."""
    document = source.document()
    record = document if isinstance(document, dict) else {}
    messages = [m for m in a_list(record.get("messages") if record else document) if isinstance(m, dict)]
    info = an_object(record.get("info"))
    config = an_object(info.get("config"))
    cwd = a_string(an_object(config.get("environment")).get("cwd"))
    builder = Builder("mini-swe-agent", cwd=cwd, ids_repeat=True)
    for message in messages:
        _message(builder, message)
    instance = record.get("instance_id")
    yield builder.finish(
        id=str(instance or source.path.name.split(".traj")[0]),
        workspace=Workspace(at=cwd or "/testbed"),
        agent="mini-swe-agent",
        agent_version=str(info.get("mini_version") or "unknown"),
        model=a_string(an_object(config.get("model")).get("model_name")),
        task=next((text_of(m.get("content")) for m in messages if m.get("role") == "user"), None),
        extra={key: info[key] for key in ("exit_status", "submission", "model_stats", "config") if key in info},
    )


def _message(builder: Builder, message: dict[str, Any]) -> None:
    message = _like_chat(message)
    role, text = message.get("role"), text_of(message.get("content"))
    extra = an_object(message.get("extra"))
    if role == "assistant":
        _turn(builder, message, text, extra)
    elif role == "tool" or (
        role == "user"
        and builder.waiting_call() is not None
        and ("returncode" in extra or _is_result(text) or refusal(text) is not None)
    ):
        call = message.get("tool_call_id") or builder.waiting_call()
        builder.result(call, _observation(text, extra), _times(builder, extra))
    elif role in ("system", "user"):
        builder.message("system" if role == "system" else "user", text)
    elif role == "exit":
        builder.report.drop("exit message (the submission is kept in extra)")


def _like_chat(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the Responses API (which v2 can speak) in the shape of the others."""
    if message.get("type") == "function_call_output":
        return {
            **message,
            "role": "tool",
            "content": message.get("output"),
            "tool_call_id": message.get("call_id"),
        }
    if message.get("object") == "response":
        items = [item for item in a_list(message.get("output")) if isinstance(item, dict)]
        words = [text_of(item.get("content")) for item in items if item.get("type") == "message"]
        extra = {"response": message, **an_object(message.get("extra"))}
        return {**message, "role": "assistant", "content": "\n".join(words), "extra": extra}
    return message


def _is_result(text: str) -> bool:
    """Whether a user's message is a result: with an exit code, or of a command that was killed after its time."""
    return _CODE.search(text) is not None or "timed out and has been killed" in text


def _turn(builder: Builder, message: dict[str, Any], text: str, extra: dict[str, Any]) -> None:
    response = an_object(extra.get("response"))
    usage = an_object(response.get("usage"))
    details = an_object(usage.get("prompt_tokens_details"))
    builder.turn(
        text=text,
        reasoning=a_string(message.get("reasoning_content")),
        model=a_string(response.get("model")),
        prompt_tokens=an_integer(usage.get("prompt_tokens", usage.get("input_tokens"))),
        cached_tokens=an_integer(details.get("cached_tokens")),
        output_tokens=an_integer(usage.get("completion_tokens", usage.get("output_tokens"))),
        extra=given(answered_at_ns=seconds_ns(extra.get("timestamp"))),
    )
    actions = extra.get("actions")
    if isinstance(actions, list):
        for action in actions:
            if isinstance(action, dict) and isinstance(action.get("command"), str):
                builder.call(action.get("tool_call_id"), "bash", {"command": clean(action["command"])})
        return
    for found in _BLOCK.findall(text)[:1]:  # the agent runs a message with exactly one block
        if len(_BLOCK.findall(text)) == 1:
            builder.call(None, "bash", {"command": found.strip()})
        else:
            builder.report.drop("message with several bash blocks (the agent rejected it)")


def _observation(text: str, extra: dict[str, Any]) -> Observation:
    code = an_integer(extra.get("returncode"))
    raw = extra.get("raw_output", extra.get("output"))
    if isinstance(raw, str):
        out, err, merged = clean(raw), "", True
    elif match := _STREAMS.search(text):
        out, err, merged = match[2], match[1], False
    else:
        found = _OUTPUT.search(text)
        out, err, merged = (found[1] if found else text), "", True
    if code is None and (match := _CODE.search(text)):
        code = int(match[1])
    shown = None if text == out + err else text
    return Observation(
        exit_code=code,
        stdout=out.encode("utf-8", "replace"),
        stderr=err.encode("utf-8", "replace"),
        merged=merged,
        text=shown,
    )


def _times(builder: Builder, extra: dict[str, Any]) -> dict[str, Any]:
    """Return what the recording says of time: when the result was there, and how long after the model."""
    at = seconds_ns(extra.get("timestamp"))
    turn = builder.current
    if at is None or turn is None:
        return {}
    found: dict[str, Any] = {"returned_at_ns": at}
    answered = turn.extra.get("answered_at_ns")
    if answered is not None and at >= answered:
        builder.report.note("tool time: only an upper bound (model answered → result), dispatch included")
        found["since_model_ns"] = at - answered
    return found
