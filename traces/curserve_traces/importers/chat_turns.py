"""Chat messages in the shapes of OpenAI (chat and Responses), Anthropic and LangChain, as turns (`add`)."""

from __future__ import annotations

import re
from typing import Any

from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.markup import calls_in
from curserve_traces.importers.values import Json, a_flag, a_list, a_string, an_object, arguments_of
from curserve_traces.model import Observation

_ROLES = {
    **dict.fromkeys(("ai", "gpt", "agent", "model"), "assistant"),
    "human": "user",
    "developer": "system",
    **dict.fromkeys(("environment", "function", "ipython", "tool_response", "observation"), "tool"),
}
_USES = ("tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "tool-call", "toolCall")
_RESULTS = ("tool_result", "web_search_tool_result", "mcp_tool_result", "tool-result")
_FRAMES = re.compile(r"EXECUTION RESULT of \[[^\]\n]*\]:\n|OBSERVATION:\n")
_OPENHANDS = re.compile(
    r"\n?\[The command completed with exit code (-?\d+)\.[^\n]*\](?:\n\[Current working directory: ([^\n]*)\])?"
    r"(?:\n\[Python interpreter: [^\n]*\])?(?:\n\[Command finished with exit code -?\d+\])?\s*\Z"
)


def add(builder: Builder, message: Json) -> None:
    """Add a message, or an item of the Responses API, to the trace."""
    role = str(message.get("role") or message.get("from") or message.get("src") or message.get("source") or "")
    role = _ROLES.get(role, role)
    kind = a_string(message.get("type")) or ""
    if not role and kind:
        _item(builder, message, kind)
    elif role == "assistant":
        _answer(builder, message)
    elif role == "system":
        builder.message(
            "system", a_string(message.get("system_prompt")) or builder.text(_content(message), "a message")
        )
    elif role in ("user", "tool"):
        _heard(builder, message, role)
    else:
        builder.report.drop(f"message of role {role or 'nobody'} (neither the model's nor the user's)")


def _content(message: Json) -> Any:
    return next((message[k] for k in ("content", "text", "value", "msg", "message") if message.get(k)), "")


def _answer(builder: Builder, message: Json) -> None:
    content = _content(message)
    parts = [an_object(part) for part in content] if isinstance(content, list) else []
    uses = [part for part in parts if part.get("type") in _USES]
    thoughts = [part for part in parts if part.get("type") in ("thinking", "reasoning", "redacted_thinking")]
    words = [part for part in parts if part not in uses and part not in thoughts] if parts else content
    text = builder.text(words, "a message")
    thought = "\n".join(text_of(part.get("thinking") or part.get("text")) for part in thoughts)
    reasoning = a_string(message.get("reasoning_content")) or a_string(message.get("reasoning")) or thought or None
    builder.turn(text=text, reasoning=reasoning, model=a_string(message.get("model")))
    more = an_object(message.get("additional_kwargs"))
    calls = uses or a_list(message.get("tool_calls") or message.get("tools") or more.get("tool_calls"))
    if not calls and (legacy := message.get("function_call") or more.get("function_call")):
        calls = [legacy]
    for call in map(an_object, calls):
        _call(builder, call)
    if not calls:
        for name, arguments in calls_in(text):
            builder.call(None, name, arguments)
    seen = message.get("observation", message.get("obs"))
    if seen is not None:
        _result(builder, None, builder.text(seen, "a result"))


def _call(builder: Builder, call: Json) -> None:
    function = an_object(call.get("function")) or call
    names = (function.get("name"), call.get("fn"), call.get("function_name"), call.get("toolName"))
    keys = ("arguments", "input", "args", "cmd", "parameters")
    raw = next((function[key] for key in keys if function.get(key) is not None), None)
    identity = next(
        (call[k] for k in ("id", "call_id", "toolCallId", "tool_call_id") if a_string(call.get(k))), None
    )
    builder.call(identity, next((name for name in map(a_string, names) if name), "unknown"), arguments_of(raw))


def _heard(builder: Builder, message: Json, role: str) -> None:
    content = _content(message)
    words: list[Any] = []
    for part in content if isinstance(content, list) else [content]:
        block = an_object(part)
        if block.get("type") in _RESULTS:
            inner = block.get("content", block.get("output", block.get("result")))
            identity = block.get("tool_use_id", block.get("toolCallId"))
            failed = a_flag(block.get("is_error", block.get("isError")))
            _result(builder, a_string(identity), builder.text(inner, "a result"), failed)
        else:
            words.append(part)
    if not words or (words == [""] and role == "user"):
        return
    identity = a_string(message.get("tool_call_id")) or a_string(message.get("toolCallId"))
    text = builder.text(words if isinstance(content, list) else content, "a message")
    if role == "tool" or _FRAMES.match(text) or builder.waits_for_words():
        failed = True if message.get("status") == "error" else a_flag(message.get("is_error"))
        _result(builder, identity, text, failed)
    else:
        builder.message("user", text)


def _item(builder: Builder, item: Json, kind: str) -> None:
    """Add an item of the Responses API that is no message."""
    if kind == "reasoning":
        _open(builder)
        words = text_of(item.get("summary")) or text_of(item.get("content"))
        builder.amend(
            reasoning="\n".join(filter(None, (builder.current.reasoning if builder.current else "", words)))
            or None
        )
    elif kind.endswith("_output"):
        _result(builder, a_string(item.get("call_id")), builder.text(item.get("output"), "a result"))
    elif kind.endswith("_call"):
        _open(builder)
        name = a_string(item.get("name")) or kind.removesuffix("_call")
        raw = item.get("arguments", item.get("input", item.get("action")))
        builder.call(a_string(item.get("call_id")) or a_string(item.get("id")), name, arguments_of(raw))
    else:
        builder.report.drop(f"item {kind} (no message, no call)")


def _open(builder: Builder) -> None:
    """Begin a turn, where the open one has been answered or there is none."""
    if builder.place < 0 or (builder.newest_call() is not None and builder.waiting_call() is None):
        builder.turn()


def _result(builder: Builder, identity: str | None, text: str, failed: bool | None = None) -> None:
    identity = identity or builder.waiting_call()
    recorded = builder.recorded(identity) if identity else None
    frame = _FRAMES.match(text)
    out, code = text[frame.end() :] if frame else text, None
    if recorded is not None and recorded.call.tool == "bash" and (match := _OPENHANDS.search(out)):
        code, out = int(match[1]), out[: match.start()]
        builder.cwd = match[2] or builder.cwd
    seen = Observation(
        exit_code=code if code is not None and code >= 0 else None,
        stdout=out.encode(),
        merged=True,
        text=None if out == text else text,
        is_error=failed,
    )
    builder.result(identity, seen)
