"""VS Code chat sessions: `chatSessions/<id>.json`, or `.jsonl` with the changes of such a document line by line.

A request holds the rounds of its agent: what the model said, the calls it made, and their results by id. Where the
rounds were not kept, the invocations among the response's parts are all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    arguments_of,
    milliseconds,
)
from curserve_traces.model import Observation


def sniff(source: Source) -> bool:
    """Whether it is a chat's document, or its changes."""
    first = source.record() or an_object(next(iter(source.head(1)), None))
    if first.get("kind") == 0:
        return isinstance(an_object(first.get("v")).get("requests"), list)
    return isinstance(first.get("requests"), list) and ("sessionId" in first or "responderUsername" in first)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one chat of the file."""
    document = source.record()
    if not isinstance(document.get("requests"), list):
        document = _changed(source)
    builder = Builder("vscode-chat")
    model = task = None
    for request in map(an_object, a_list(document.get("requests"))):
        message = request.get("message")
        text = clean(str(an_object(message).get("text") or message or "")) if not isinstance(message, list) else ""
        builder.message("user", text)
        task = task or text
        model = a_string(request.get("modelId")) or model
        _request(builder, request)
    yield builder.finish(
        id=a_string(document.get("sessionId")) or source.path.stem,
        agent="vscode-copilot-chat",
        model=model,
        task=task,
    )


def _changed(source: Source) -> Json:
    """Return the document that a file of changes ends with: 0 the whole, 1 a value set, 2 a list grown."""
    document: Any = {}
    for _, record in source.records():
        kind, keys, value = record.get("kind"), a_list(record.get("k")), record.get("v")
        if kind == 0:
            document = value
            continue
        at = document
        try:
            for key in keys[:-1]:
                at = at[key]
            if kind == 1:
                at[keys[-1]] = value
            elif kind == 2:
                grown = at[keys[-1]]
                del grown[record.get("i", len(grown)) :]
                grown.extend(a_list(value))
        except (KeyError, IndexError, TypeError):
            source.damaged.append(f"a change of {'/'.join(map(str, keys))[:80]} that does not fit")
    return an_object(document)


def _request(builder: Builder, request: Json) -> None:
    model, metadata = a_string(request.get("modelId")), an_object(an_object(request.get("result")).get("metadata"))
    rounds = [an_object(item) for item in a_list(metadata.get("toolCallRounds"))]
    parts = [an_object(part) for part in a_list(request.get("response"))]
    invoked = {
        str(p.get("toolCallId") or n): p for n, p in enumerate(parts) if _is_invocation(p)
    }  # the last one counts
    started = milliseconds(request.get("timestamp"))
    results = an_object(metadata.get("toolCallResults"))
    for item in rounds:
        thought = an_object(item.get("thinking")).get("text")
        text = clean(str(item.get("response") or ""))
        builder.turn(text=text, reasoning=a_string(thought), model=model, started_at_ns=started)
        started = None  # only the first round begins with the request
        for call in map(an_object, a_list(item.get("toolCalls"))):
            identity = a_string(call.get("id"))
            builder.call(identity, a_string(call.get("name")) or "unknown", arguments_of(call.get("arguments")))
            part = invoked.get((identity or "").split("__vscode")[0], {})
            if identity in results:
                shown = _shown(builder, an_object(results[identity]).get("content"))
                builder.result(identity, _seen(part, shown), refused=BY_USER if _denied(part) else None)
            elif _denied(part):
                builder.refuse(identity, BY_USER)
    if not rounds:
        words = [part["value"] for part in parts if isinstance(part.get("value"), str) and "kind" not in part]
        thoughts = [
            part["value"]
            for part in parts
            if isinstance(part.get("value"), str) and part.get("kind") == "thinking"
        ]
        reasoning = clean("".join(thoughts)) or None
        builder.turn(text=clean("".join(words)), reasoning=reasoning, model=model, started_at_ns=started)
        for part in invoked.values():
            _invocation(builder, part)


def _is_invocation(part: Json) -> bool:
    return str(part.get("kind")).startswith("toolInvocation")


def _denied(part: Json) -> bool:
    """Whether the user denied a call (0) or skipped it (5)."""
    confirmed = part.get("isConfirmed")
    return confirmed is False or an_object(confirmed).get("type") in (0, 5)


def _seen(part: Json, shown: str) -> Observation:
    """Return the observation of a call; its invocation tells how a command in the terminal ended."""
    state = an_object(an_object(part.get("toolSpecificData")).get("terminalCommandState"))
    return Observation(
        exit_code=an_integer(state.get("exitCode")),
        stdout=shown.encode(),
        merged=True,
        duration_ns=milliseconds(state.get("duration")),
    )


def _invocation(builder: Builder, part: Json) -> None:
    """Add a call that is known by what the editor showed of it."""
    special, details = an_object(part.get("toolSpecificData")), an_object(part.get("resultDetails"))
    line = an_object(special.get("commandLine"))
    command = next((words for k in ("original", "toolEdited") if (words := a_string(line.get(k)))), None)
    command = command or a_string(special.get("command"))
    name = a_string(part.get("toolId")) or "unknown"
    arguments = {"command": command} if command else arguments_of(details.get("input"))
    builder.call(a_string(part.get("toolCallId")), name, arguments, cwd=_folder(special))
    terminal = a_string(an_object(special.get("terminalCommandOutput")).get("text"))
    shown = terminal if terminal is not None else _shown(builder, details.get("output")) if details else None
    if shown is not None or "terminalCommandState" in special:
        builder.result(builder.newest_call(), _seen(part, shown or ""))
    if _denied(part):
        builder.refuse(builder.newest_call(), BY_USER)


def _folder(special: Json) -> str | None:
    return a_string(an_object(special.get("cwd")).get("path")) or a_string(special.get("cwd"))


def _shown(builder: Builder, content: object) -> str:
    """Return the text of a result: parts with a value, which may be a tree of nodes with text."""
    words = []
    for part in a_list(content) if isinstance(content, list) else [content]:
        value = part if isinstance(part, str) else an_object(part).get("value", an_object(part).get("text"))
        if isinstance(value, str):
            words.append(value)
        elif isinstance(value, dict):
            words.append(_text(value.get("node", value)))
        elif part is not None:
            builder.report.drop("part in a result (not text)")
    return clean("\n".join(words))


def _text(node: object) -> str:
    """Return the text of a tree of prompt nodes, in its order."""
    found, stack = [], [node]
    while stack:
        at = an_object(stack.pop())
        if isinstance(at.get("text"), str):
            found.append(at["text"])
        stack += reversed(a_list(at.get("children")))
    return "".join(found)
