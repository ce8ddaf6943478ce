"""opencode sessions: an export, its storage folder, its database, and the events of `opencode run --format json`.

A message of the model is a turn; older versions put several steps into one, each begun by `step-start`. Tools have
their begin and end in milliseconds, the shell its exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.sqlite import is_database, rows
from curserve_traces.importers.values import Json, milliseconds, total
from curserve_traces.model import Observation, Workspace

_FILE = re.compile(r"(?:<path>[^\n]*</path>\n<type>file</type>\n<(content)>|<(file)>)\n")
_LAST = re.compile(r"\((?:End of file|Output|File has more|Showing lines)[^\n]*\)")
_NUMBER = re.compile(r"^ *\d+(?:: |\| )", re.MULTILINE)
_EVENTS = {"step_start", "step_finish", "tool_use", "text", "reasoning"}


def sniff(source: Source) -> bool:
    """Whether it is an export, a database with opencode's tables, or events of a run."""
    if is_database(source.data):
        return {"session", "message", "part"} <= {
            row["name"] for row in rows(source, "SELECT name FROM sqlite_master")
        }
    record = source.record()
    messages = [values.an_object(message) for message in values.a_list(record.get("messages"))]
    if isinstance(record.get("info"), dict) and any("parts" in m and "info" in m for m in messages):
        return True
    head = source.head(4)
    return bool(head) and all(r.get("type") in {*_EVENTS, "error"} and "sessionID" in r for r in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every session."""
    if is_database(source.data):
        yield from map(_trace, _of_database(source))
    elif source.record():
        yield _trace(source.record())
    else:
        yield _trace(_of_events(source))


def _of_database(source: Source) -> Iterator[Json]:
    """Yield the sessions of `opencode.db` in the shape of an export."""
    for session in rows(source, "SELECT * FROM session ORDER BY id"):
        messages = []
        for message in rows(source, "SELECT * FROM message WHERE session_id = ? ORDER BY id", session["id"]):
            parts = rows(source, "SELECT * FROM part WHERE message_id = ? ORDER BY id", message["id"])
            info = {**values.arguments_of(message.get("data")), "id": message["id"]}
            messages.append({"info": info, "parts": [values.arguments_of(part.get("data")) for part in parts]})
        yield {"info": session, "messages": messages}


def _of_events(source: Source) -> Json:
    """Return the events of a run in the shape of an export: each step is a message."""
    messages: list[Json] = []
    session = None
    for _, record in source.records():
        session = session or values.a_string(record.get("sessionID"))
        part = {**values.an_object(record.get("part"))}
        if record.get("type") == "step_start" or not messages:
            messages.append({"info": {"role": "assistant", "id": part.get("messageID")}, "parts": []})
        messages[-1]["parts"].append(part)
    return {"info": {"id": session}, "messages": messages}


def _trace(document: Json) -> Imported:
    info = values.an_object(document.get("info"))
    builder = Builder("opencode", unique="session", cwd=values.a_string(info.get("directory")))
    first = builder.cwd
    model = task = None
    for message in map(values.an_object, values.a_list(document.get("messages"))):
        about = values.an_object(message.get("info"))
        parts = [values.an_object(part) for part in values.a_list(message.get("parts"))]
        if about.get("role") == "assistant":
            builder.cwd = values.a_string(values.an_object(about.get("path")).get("cwd")) or builder.cwd
            first = first or builder.cwd
            model = model or values.a_string(about.get("modelID"))
            _answer(builder, about, parts)
        else:
            text = "\n".join(clean(part["text"]) for part in parts if isinstance(part.get("text"), str))
            builder.message("user", text)
            task = task or text
    return builder.finish(
        id=values.a_string(info.get("id")) or "session",
        workspace=Workspace(at=first or "/testbed"),
        agent="opencode",
        agent_version=values.a_string(info.get("version")) or "unknown",
        model=model,
        task=task,
        extra=values.given(parent=values.a_string(info.get("parentID"))),
    )


def _answer(builder: Builder, about: Json, parts: list[Json]) -> None:
    time = values.an_object(about.get("time"))
    started = milliseconds(time.get("created"))
    name = values.a_string(about.get("id"))
    builder.turn(name, model=values.a_string(about.get("modelID")), started_at_ns=started, extra=values.given())
    _usage(builder, values.an_object(about.get("tokens")))
    begun = sum(part.get("type") == "step-start" for part in parts) > 1
    fresh = True
    for part in parts:
        kind, turn = part.get("type"), builder.current
        assert turn is not None
        if kind == "step-start":
            if begun and not fresh:
                builder.turn(model=values.a_string(about.get("modelID")))
        elif kind == "step-finish":
            _usage(builder, values.an_object(part.get("tokens")))
        elif kind == "text":
            builder.amend(text="\n".join(filter(None, (turn.text, clean(str(part.get("text") or ""))))))
        elif kind == "reasoning":
            builder.amend(
                reasoning="\n".join(filter(None, (turn.reasoning, clean(str(part.get("text") or ""))))) or None
            )
        elif kind == "tool":
            _tool(builder, part)
        else:
            builder.report.drop(f"part {kind} (no text, no call)")
        fresh = False


def _usage(builder: Builder, tokens: Json) -> None:
    cache = values.an_object(tokens.get("cache"))
    prompt = total({**tokens, **cache}, "input", "read", "write")
    if prompt is not None or values.an_integer(tokens.get("output")) is not None:
        builder.amend(
            prompt_tokens=prompt,
            cached_tokens=values.an_integer(cache.get("read")),
            output_tokens=total(tokens, "output", "reasoning"),
        )


def _tool(builder: Builder, part: Json) -> None:
    state = values.an_object(part.get("state"))
    status, identity = state.get("status"), values.a_string(part.get("callID"))
    builder.call(identity, values.a_string(part.get("tool")) or "unknown", values.arguments_of(state.get("input")))
    if status not in ("completed", "error"):
        return
    metadata, time = values.an_object(state.get("metadata")), values.an_object(state.get("time"))
    started, ended = milliseconds(time.get("start")), milliseconds(time.get("end"))
    shown = state.get("output") if status == "completed" else state.get("error")
    text = clean(shown) if isinstance(shown, str) else clean(orjson.dumps(shown).decode()) if shown else ""
    for attachment in map(values.an_object, values.a_list(state.get("attachments"))):
        builder.report.drop(f"attachment {attachment.get('mime')} of a result (not text)")
    out = _lines(text) if part.get("tool") == "read" else text
    seen = Observation(
        exit_code=values.an_integer(metadata.get("exit")),
        stdout=out.encode(),
        merged=True,
        text=None if out == text else text,
        started_at_ns=started,
        duration_ns=values.elapsed(started, ended),
        is_error=True if status == "error" else None,
    )
    if seen.duration_ns is not None:
        builder.report.note("tool time: as opencode recorded it, to 1 ms; asking for permission is in it")
    builder.result(identity or builder.newest_call(), seen, {"trimmed": True} if out != text else None)


def _lines(text: str) -> str:
    """Return a file's lines out of what `read` shows: a frame, a number before each line, a word on the end."""
    match = _FILE.match(text)
    end = text.rfind(f"</{match[1] or match[2]}>") if match else -1
    if match is None or end < 0:
        return text
    body, _, last = text[match.end() : end].rstrip("\n").rpartition("\n")
    shown = body.rstrip("\n") if _LAST.fullmatch(last) else f"{body}\n{last}" if body else last
    return _NUMBER.sub("", shown)
