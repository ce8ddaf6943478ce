"""Gemini CLI: a dump of its contents (`[{role, parts}]`, no times), and recorded chats (`session-*.json[l]`).

A chat in lines begins with its head; `$set` and the like change that head. Early Qwen Code wrote the like.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.gemini_results import observation
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object, given, iso_ns


def sniff(source: Source) -> bool:
    """Whether it is a list of contents with parts, or a recorded chat."""
    head = source.head(4)
    if head and "projectHash" in head[0] and "messages" not in head[0]:
        return True
    record = source.record()
    if "sessionId" in record and isinstance(record.get("messages"), list) and "projectHash" in record:
        return True
    contents = record.get("contents", record.get("history")) if record else source.array()
    first = [item for item in a_list(contents)[:3] if isinstance(item, dict)]
    return bool(first) and all(isinstance(item.get("parts"), list) and "role" in item for item in first)


def read(source: Source) -> Iterator[Imported]:
    """Yield the one session of the file."""
    head = source.head(1)
    document = (
        _of_lines(source) if head and "messages" not in head[0] and "projectHash" in head[0] else source.document()
    )
    record = an_object(document)
    builder = Builder("gemini", unique="session" if isinstance(record.get("messages"), list) else "")
    if isinstance(record.get("messages"), list):
        _chat(builder, record)
    else:
        contents = document if isinstance(document, list) else record.get("contents", record.get("history"))
        add_contents(builder, [an_object(item) for item in a_list(contents)])
        builder.report.note("no times, no token counts: this format has none")
    yield builder.finish(
        id=a_string(record.get("sessionId")) or source.path.name.split(".")[0],
        agent="gemini-cli",
        model=next(
            (a_string(m.get("model")) for m in map(an_object, a_list(record.get("messages"))) if m.get("model")),
            None,
        ),
    )


def _of_lines(source: Source) -> Json:
    """Return the document of a chat in lines; a message that is written again replaces the one before."""
    records = [record for _, record in source.records()]
    messages: dict[str, Json] = {}
    for record in records[1:]:
        if (back := a_string(record.get("$rewindTo"))) in messages:
            for identity in list(messages)[list(messages).index(str(back)) + 1 :]:
                messages[identity]["left"] = True
        elif "id" in record and "type" in record:
            messages[str(record["id"])] = record
    return {**records[0], "messages": list(messages.values())}


def add_contents(builder: Builder, contents: list[Json]) -> None:
    """Add a list of contents: function calls and responses are paired by id, else in order by name."""
    waiting: dict[str, list[str]] = {}
    for content in contents:
        parts = [an_object(part) for part in a_list(content.get("parts"))]
        if content.get("role") == "model":
            words = [part for part in parts if isinstance(part.get("text"), str) and not part.get("thought")]
            thoughts = [
                clean(part["text"]) for part in parts if isinstance(part.get("text"), str) and part.get("thought")
            ]
            builder.turn(text=text_of(words), reasoning="\n".join(thoughts) or None)
            for part in parts:
                if call := an_object(part.get("functionCall")):
                    name = a_string(call.get("name")) or "unknown"
                    builder.call(a_string(call.get("id")), name, an_object(call.get("args")))
                    waiting.setdefault(name, []).append(builder.newest_call() or "")
                elif not isinstance(part.get("text"), str):
                    builder.report.drop(f"{next(iter(part), 'part')} of the model (not text)")
            continue
        words = [part for part in parts if isinstance(part.get("text"), str)]
        for part in parts:
            if answer := an_object(part.get("functionResponse")):
                respond(builder, answer, waiting)
            elif not isinstance(part.get("text"), str):
                builder.report.drop(f"{next(iter(part), 'part')} in a message (not text)")
        if words:
            builder.message("user" if content.get("role") == "user" else "system", text_of(words))


def respond(builder: Builder, answer: Json, waiting: dict[str, list[str]], extra: Json | None = None) -> None:
    """Give a function response to its call."""
    name, identity = a_string(answer.get("name")) or "unknown", a_string(answer.get("id"))
    queue = waiting.get(name, [])
    if identity is None or builder.recorded(identity) is None:
        identity = queue[0] if queue else identity
    if identity in queue:
        queue.remove(identity)
    response = an_object(answer.get("response"))
    told = next((response[key] for key in ("output", "error", "content") if response.get(key)), None)
    text = builder.text(told, "a result")
    if told is None and response.keys() - {"output", "error", "content"}:
        text = clean(orjson.dumps(response).decode())  # a tool of an MCP server
    for part in map(an_object, a_list(answer.get("parts"))):
        builder.report.drop(f"{next(iter(part), 'part')} in a result (not text)")
    failed = True if "error" in response and "output" not in response else None
    builder.result(identity, observation(text, failed), extra)


def _chat(builder: Builder, record: Json) -> None:
    left: list[int] = []
    for message in map(an_object, a_list(record.get("messages"))):
        if message.get("type") not in ("gemini", "qwen", "assistant"):
            builder.message("user" if message.get("type") == "user" else "system", text_of(message.get("content")))
            continue
        tokens = an_object(message.get("tokens"))
        thoughts = [text_of(an_object(t).get("description")) for t in a_list(message.get("thoughts"))]
        output, thinking = an_integer(tokens.get("output")), an_integer(tokens.get("thoughts"))
        builder.turn(
            a_string(message.get("id")),
            text=text_of(message.get("content")),
            reasoning="\n".join(thoughts) or None,
            model=a_string(message.get("model")),
            prompt_tokens=an_integer(tokens.get("input")),
            cached_tokens=an_integer(tokens.get("cached")),
            output_tokens=output + (thinking or 0) if output is not None else None,
            extra=given(answered_at_ns=iso_ns(message.get("timestamp"))),
        )
        if message.get("left"):
            left.append(builder.place)
        for call in map(an_object, a_list(message.get("toolCalls"))):
            done = iso_ns(call.get("timestamp"))
            identity, name = a_string(call.get("id")), a_string(call.get("name")) or "unknown"
            builder.call(identity, name, an_object(call.get("args")), extra=given(returned_at_ns=done))
            results = a_list(call.get("result"))
            if call.get("status") == "cancelled" and not results:
                builder.refuse(builder.newest_call(), BY_USER)
            for result in map(an_object, results):
                if answer := an_object(result.get("functionResponse")):
                    respond(builder, {**answer, "id": builder.newest_call()}, {})
    builder.leave(left)
