"""Amp threads: `amp/threads/T-<id>.json`, Anthropic's blocks with the run of each call in its result."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from curserve_traces.importers.blocks import heard, said
from curserve_traces.importers.builder import Builder, clean, text_of
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    given,
    iso_ns,
    milliseconds,
    total,
)
from curserve_traces.model import Observation, Workspace


def sniff(source: Source) -> bool:
    """Whether it is a thread."""
    record = source.record()
    messages = [an_object(message) for message in a_list(record.get("messages"))[:2]]
    return (
        "v" in record
        and bool(messages)
        and all("messageId" in message and "role" in message for message in messages)
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the one thread of the file."""
    document = source.record()
    trees = a_list(an_object(an_object(document.get("env")).get("initial")).get("trees"))
    at = a_string(an_object(next(iter(trees), None)).get("uri"))
    builder = Builder("amp", unique="session", cwd=at.removeprefix("file://") if at else None)
    model = task = None
    for message in map(an_object, a_list(document.get("messages"))):
        if message.get("role") == "assistant":
            model = model or a_string(an_object(message.get("usage")).get("model"))
            _answer(builder, message)
            continue
        moment = milliseconds(an_object(message.get("meta")).get("sentAt"))
        text = heard(builder, message.get("content"), moment, lambda block, _: _seen(block))
        for block in map(an_object, a_list(message.get("content"))):
            if an_object(block.get("run")).get("status") == "rejected-by-user":
                builder.refuse(a_string(block.get("toolUseID")), BY_USER)
        if text:
            builder.message("user", text)
            task = task or text
    yield builder.finish(
        id=a_string(document.get("id")) or source.path.stem,
        workspace=Workspace(at=builder.cwd or "/testbed"),
        agent="amp",
        model=model,
        task=task,
    )


def _answer(builder: Builder, message: Json) -> None:
    usage = an_object(message.get("usage"))
    at = iso_ns(usage.get("timestamp"))
    builder.turn(
        None,
        model=a_string(usage.get("model")),
        prompt_tokens=total(usage, "inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"),
        cached_tokens=an_integer(usage.get("cacheReadInputTokens")),
        output_tokens=an_integer(usage.get("outputTokens")),
        extra=given(answered_at_ns=at),
    )
    said(builder, message.get("content"), at)


def _seen(block: Json) -> Observation:
    """Return what a run gave: the shell's output and exit code, or whatever its tool has for a result."""
    run = an_object(block.get("run"))
    result, error, status = run.get("result"), run.get("error"), run.get("status")
    known = an_object(result)
    answer = next(
        (known[key] for key in ("output", "content", "text", "summary") if isinstance(known.get(key), str)), None
    )
    if answer is None and isinstance(known.get("content"), list):
        answer = text_of(known["content"])
    if status == "rejected-by-user" or (status in ("error", "cancelled") and result is None):
        answer = run.get("reason") or an_object(error).get("message") or error or status
    if answer is None:
        answer = (
            text_of(result) if isinstance(result, str | list) else orjson.dumps(result).decode() if result else ""
        )
    return Observation(
        exit_code=an_integer(known.get("exitCode")),
        stdout=clean(str(answer)).encode(),
        merged=True,
        is_error=True if status in ("error", "rejected-by-user", "cancelled") else None,
    )
