"""Cline, Roo Code and Kilo Code tasks: `api_conversation_history.json`, Anthropic's messages with a time each.

Where the model has no tools of its server, calls are tags in its text, and results are the user's words; newer
versions have `tool_use` blocks. `ui_messages.json` beside it shows the same to a person and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curserve_traces.importers.blocks import heard, said
from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.markup import between
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_flag,
    a_list,
    a_string,
    an_integer,
    an_object,
    given,
    milliseconds,
    total,
)
from curserve_traces.model import Observation, Workspace

_TOOLS = (
    "execute_command read_file write_to_file replace_in_file apply_diff insert_content search_and_replace "
    "search_files list_files list_code_definition_names browser_action use_mcp_tool access_mcp_resource "
    "ask_followup_question attempt_completion plan_mode_respond switch_mode new_task fetch_instructions "
    "update_todo_list codebase_search edit_file web_fetch load_mcp_documentation condense new_rule report_bug"
)
_CALL = re.compile(rf"<({'|'.join(_TOOLS.split())})>")
_PARAMETER = re.compile(r"<(\w+)>")
_RESULT = re.compile(r"\[(\w+)[^\n]*\] Result:\n?")
_FRAME = re.compile(
    r"\A(?:Command executed[^\n]*\.|Command executed in terminal[^\n]*(?:\nExit code: (-?\d+))?)[^\n]*\nOutput:\n"
)
_CODE = re.compile(r"Exit code: (-?\d+)")
_FOLDER = re.compile(r"# Current (?:Working|Workspace) Directory \((.+?)\) Files")


def sniff(source: Source) -> bool:
    """Whether it is a list of messages with times, as these agents keep them."""
    messages = [an_object(message) for message in source.array()[:3]]
    if not messages or not all(m.get("role") in ("user", "assistant") for m in messages):
        return False
    named = "api_conversation_history" in source.path.name
    first = text_of(messages[0].get("content"))
    return named or (all("ts" in m for m in messages) and ("<task>" in first or "environment_details" in first))


def read(source: Source) -> Iterator[Imported]:
    """Yield the one task of the file."""
    builder = Builder("cline")
    state: Json = {}
    for message in map(an_object, source.array()):
        at = milliseconds(message.get("ts"))
        if message.get("role") == "assistant":
            _answer(builder, message, at)
        else:
            _heard(builder, message, at, state)
    path = str(source.path).lower()
    yield builder.finish(
        id=source.path.parent.name if "api_conversation_history" in source.path.name else source.path.stem,
        workspace=Workspace(at=a_string(state.get("cwd")) or "/testbed"),
        agent="roo-code" if "roo" in path else "kilo-code" if "kilo" in path else "cline",
        model=a_string(state.get("model")),
        task=a_string(state.get("task")),
    )


def _answer(builder: Builder, message: Json, at: int | None) -> None:
    tokens = an_object(an_object(message.get("metrics")).get("tokens"))
    info = an_object(message.get("modelInfo"))
    builder.turn(
        model=a_string(info.get("modelId")),
        prompt_tokens=total(tokens, "prompt", "cached"),
        cached_tokens=an_integer(tokens.get("cached")),
        output_tokens=an_integer(tokens.get("completion")),
        reasoning=a_string(message.get("reasoning_content")),
        extra=given(answered_at_ns=at),
    )
    said(builder, message.get("content"), at)
    turn = builder.current
    if builder.newest_call() is None and turn is not None:
        for name, inner in between(turn.text, _CALL):
            given_ = {key: value.strip("\n") for key, value in between(inner, _PARAMETER)}
            builder.call(None, name, given_, extra=given(asked_at_ns=at))


def _heard(builder: Builder, message: Json, at: int | None, state: Json) -> None:
    content = message.get("content")
    for part in a_list(content):
        if match := _FOLDER.search(str(an_object(part).get("text") or "")):
            builder.cwd = match[1]
            state.setdefault("cwd", match[1])
    words: list[object] = []
    for part in [content] if isinstance(content, str) else a_list(content):
        text = part if isinstance(part, str) else str(an_object(part).get("text") or "")
        if (match := _RESULT.match(text)) and builder.waits_for_words():
            if rest := text[match.end() :].strip():  # else the next part is the result
                builder.result(builder.waiting_call(), _seen(builder, rest, {}))
        else:
            words.append(part)
    spoken = heard(builder, words, at, lambda block, _: _seen(builder, text_of(block.get("content")), block))
    if waiting := builder.waits_for_words() and spoken and not spoken.startswith("<environment_details>"):
        builder.result(builder.waiting_call(), _seen(builder, spoken, {}))
    if spoken and not waiting:
        builder.message("user", spoken)
        task = re.search(r"<(?:task|user_message)>\s*(.*?)\s*</(?:task|user_message)>", spoken, re.DOTALL)
        state.setdefault("task", task[1] if task else spoken)


def _seen(builder: Builder, text: str, block: Json) -> Observation:
    for part in a_list(block.get("content")):
        if "text" not in an_object(part):
            builder.report.drop(f"{an_object(part).get('type')} in a result (not text)")
    match = _FRAME.match(text)
    code = _CODE.search(match[0]) if match else None
    out = text[match.end() :] if match else text
    return Observation(
        exit_code=int(code[1]) if code else None,
        stdout=out.encode(),
        merged=True,
        text=None if out == text else text,
        is_error=a_flag(block.get("is_error")),
    )
