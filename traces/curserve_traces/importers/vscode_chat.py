"""VS Code chat sessions: `chatSessions/<id>.json`, or `.jsonl` with the changes of such a document line by line.

A request holds the rounds of its agent: what the model said, the calls it made, and their results by id. Where the
rounds were not kept, the invocations among the response's parts are all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curserve_traces.importers.blocks import milliseconds
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_object, arguments_of
from curserve_traces.model import Observation


def sniff(source: Source) -> bool:
    """Whether it is a chat's document, or its changes."""
    first = source.record() or an_object(next(iter(source.head(1)), None))
    document = an_object(first.get("v")) if first.get("kind") == 0 else first
    return isinstance(document.get("requests"), list) and (
        "sessionId" in document or "responderUsername" in document
    )


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
    invoked = [part for part in parts if str(part.get("kind")).startswith("toolInvocation")]
    started = milliseconds(request.get("timestamp"))
    refused = {str(part.get("toolCallId")) for part in invoked if _denied(part)}
    results = an_object(metadata.get("toolCallResults"))
    for item in rounds:
        thought = an_object(item.get("thinking")).get("text")
        text = clean(str(item.get("response") or ""))
        builder.turn(text=text, reasoning=a_string(thought), model=model, started_at_ns=started)
        started = None  # only the first round begins with the request
        for call in map(an_object, a_list(item.get("toolCalls"))):
            identity = a_string(call.get("id"))
            builder.call(identity, a_string(call.get("name")) or "unknown", arguments_of(call.get("arguments")))
            if identity in results:
                shown = _shown(builder, an_object(results[identity]).get("content"))
                denied = BY_USER if identity is not None and identity.split("__vscode")[0] in refused else None
                builder.result(identity, Observation(stdout=shown.encode(), merged=True), refused=denied)
    if not rounds:
        words = [part["value"] for part in parts if isinstance(part.get("value"), str) and "kind" not in part]
        builder.turn(text=clean("".join(words)), model=model, started_at_ns=started)
        for part in invoked:
            _invocation(builder, part)


def _denied(part: Json) -> bool:
    confirmed = part.get("isConfirmed")
    return confirmed is False or an_object(confirmed).get("type") == 0


def _invocation(builder: Builder, part: Json) -> None:
    """Add a call that is told by what the editor showed of it."""
    special, details = an_object(part.get("toolSpecificData")), an_object(part.get("resultDetails"))
    line = an_object(special.get("commandLine"))
    command = (
        a_string(line.get("original")) or a_string(special.get("command")) or a_string(line.get("toolEdited"))
    )
    name = a_string(part.get("toolId")) or "unknown"
    arguments = {"command": command} if command else arguments_of(details.get("input"))
    builder.call(a_string(part.get("toolCallId")), name, arguments, cwd=_folder(special))
    shown = _shown(builder, details.get("output")) if details else None
    terminal = an_object(special.get("terminalCommandOutput"))
    shown = a_string(terminal.get("text")) or shown
    code = an_object(special.get("terminalCommandState")).get("exitCode")
    if shown is not None or isinstance(code, int):
        seen = Observation(
            exit_code=code if isinstance(code, int) else None, stdout=(shown or "").encode(), merged=True
        )
        builder.result(builder.newest_call(), seen)
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
