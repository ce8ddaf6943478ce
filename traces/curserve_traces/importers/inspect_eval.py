"""inspect_ai logs: `.eval` (a zip with a JSON file a sample), and the older `.json` with all samples in one.

Tool events have the exact times of every call; a sample without events has its messages, and no times.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator

from curserve_traces.errors import MalformedTrace, TraceError
from curserve_traces.files import MAX_UNPACKED, decompress, parse_json
from curserve_traces.importers import values
from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.refusals import BY_AGENT, BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json
from curserve_traces.model import Observation
from curserve_traces.zips import METHODS, open_zip

_ZSTD = 93  # zip's number for it, which Python 3.11 cannot open


def sniff(source: Source) -> bool:
    """Whether it is a zip with an evaluation's header or journal."""
    if not source.data.startswith(b"PK"):
        record = source.record()
        return isinstance(record.get("eval"), dict) and ("samples" in record or "plan" in record)
    names = {entry.filename for entry in _zip(source).infolist()}
    return bool(names & {"header.json", "_journal/start.json"})


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every sample of the log; a damaged sample is reported and the others still come."""
    if not source.data.startswith(b"PK"):
        yield from _document(source)
        return
    archive = _zip(source)
    members = [e for e in archive.infolist() if e.filename.startswith("samples/") and e.filename.endswith(".json")]
    header: Json = {}
    for name in ("header.json", "_journal/start.json"):
        found = [entry for entry in archive.infolist() if entry.filename == name]
        if found and not header:
            header = values.an_object(
                values.an_object(parse_json(_open(source, archive, found[0]), name)).get("eval")
            )
    problems: list[str] = []
    done = 0
    for entry in sorted(members, key=lambda entry: entry.filename):
        try:
            sample = values.an_object(
                parse_json(_open(source, archive, entry), f"{source.path}: {entry.filename}")
            )
        except TraceError as error:
            problems.append(str(error))
            continue
        imported = _sample(sample, header, f"{source.path.stem}-{entry.filename[8:-5]}")
        for problem in problems:
            imported.report.drop(f"damaged sample ({problem})")
        problems = []
        done += 1
        yield imported
    if problems or not done:
        raise MalformedTrace(problems[0] if problems else f"{source.path}: the log holds no samples")


def _document(source: Source) -> Iterator[Imported]:
    document = values.an_object(source.document())
    header = values.an_object(document.get("eval"))
    samples = [values.an_object(sample) for sample in values.a_list(document.get("samples"))]
    if not samples:
        raise MalformedTrace(f"{source.path}: the log holds no samples")
    for sample in samples:
        yield _sample(sample, header, f"{source.path.stem}-{sample.get('id')}_epoch_{sample.get('epoch', 1)}")


def _zip(source: Source) -> zipfile.ZipFile:
    return open_zip(io.BytesIO(source.data), str(source.path))


def _open(source: Source, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, also where the compression is zstd."""
    where = f"{source.path}: {entry.filename}"
    if entry.file_size > MAX_UNPACKED:
        raise TraceError(f"{where}: unpacks to more than {MAX_UNPACKED >> 20} MB; unpack it by hand")
    try:
        if entry.compress_type in METHODS:
            return archive.read(entry)
        if entry.compress_type != _ZSTD:
            raise TraceError(f"{where}: packed in an unusual way; unpack it by hand")
        at = entry.header_offset
        name, extra = struct.unpack("<HH", source.data[at + 26 : at + 30])
        start = at + 30 + name + extra
        return decompress(source.data[start : start + entry.compress_size], where)
    except Exception as error:
        if isinstance(error, TraceError):
            raise
        raise MalformedTrace(f"{where}: cannot be unpacked ({type(error).__name__}: {error})") from None


def _sample(sample: Json, header: Json, name: str) -> Imported:
    builder = Builder("inspect")
    attachments = values.an_object(sample.get("attachments"))
    pool = values.a_list(sample.get("message_pool"))

    def text(value: object) -> str:
        found = builder.text(value, "a result or a message")
        if found.startswith("attachment://"):
            return text_of(attachments.get(found.removeprefix("attachment://"), found))
        return found

    first = True
    events = list(_flat(values.a_list(sample.get("events"))))
    if not any(event.get("event") in ("model", "tool") for event in events):
        _messages(builder, [values.an_object(message) for message in values.a_list(sample.get("messages"))], text)
    for event in events:
        kind = event.get("event")
        if kind == "model":
            if first:
                first = False
                given_messages = values.a_list(event.get("input")) or pool[:2]
                for message in map(values.an_object, given_messages):
                    if message.get("role") in ("system", "user"):
                        role = "system" if message["role"] == "system" else "user"
                        builder.message(role, text(message.get("content")))  # type: ignore[arg-type]
            _model(builder, event)
        elif kind == "tool":
            _tool(builder, event, text)
        else:
            builder.report.drop(f"event {kind} (no model's, no tool's)")
    return builder.finish(
        id=name,
        agent="inspect",
        model=values.a_string(header.get("model")),
        task=text_of(sample.get("input")) if isinstance(sample.get("input"), str) else None,
        extra=values.given(task_name=values.a_string(header.get("task"))),
    )


def _flat(events: list[object]) -> Iterator[Json]:
    """Yield events, and those inside of them: a tool's or a subtask's own, which older versions nested."""
    for event in map(values.an_object, events):
        yield event
        yield from _flat(values.a_list(event.get("events")))


def _messages(builder: Builder, messages: list[Json], text: Callable[[object], str]) -> None:
    builder.report.note("no events in this sample: calls and results from its messages, without times")
    for message in messages:
        role = message.get("role")
        if role == "assistant":
            builder.turn(text=text(message.get("content")), model=values.a_string(message.get("model")))
            _calls(builder, message)
        elif role == "tool":
            error = values.an_object(message.get("error"))
            shown = text(message.get("content")) or text_of(error.get("message"))
            seen = Observation(stdout=shown.encode(), merged=True, is_error=True if error else None)
            builder.result(values.a_string(message.get("tool_call_id")) or builder.waiting_call(), seen)
        else:
            builder.message("system" if role == "system" else "user", text(message.get("content")))


def _calls(builder: Builder, message: Json) -> None:
    for call in map(values.an_object, values.a_list(message.get("tool_calls"))):
        builder.call(
            values.a_string(call.get("id")), str(call.get("function")), values.arguments_of(call.get("arguments"))
        )


def _model(builder: Builder, event: Json) -> None:
    output = values.an_object(event.get("output"))
    usage = values.an_object(output.get("usage"))
    message = values.an_object(
        values.an_object(next(iter(values.a_list(output.get("choices"))), None)).get("message")
    )
    time = (
        values.seconds_ns(event.get("working_time"))
        if event.get("working_time") is not None
        else values.seconds_ns(output.get("time"))
    )
    builder.turn(
        text=text_of(message.get("content")),
        model=values.a_string(output.get("model")),
        prompt_tokens=values.an_integer(usage.get("input_tokens")),
        cached_tokens=values.an_integer(usage.get("input_tokens_cache_read")),
        output_tokens=values.an_integer(usage.get("output_tokens")),
        started_at_ns=values.iso_ns(event.get("timestamp")),
        model_ns=time,
    )
    _calls(builder, message)


def _tool(builder: Builder, event: Json, text: Callable[[object], str]) -> None:
    identity = values.a_string(event.get("id"))
    if identity is None or builder.recorded(identity) is None:
        builder.call(identity, str(event.get("function")), values.arguments_of(event.get("arguments")))
        identity = builder.newest_call()
    started = values.iso_ns(event.get("timestamp"))
    took = values.seconds_ns(event.get("working_time"))
    took = took if took is not None else values.elapsed(started, values.iso_ns(event.get("completed")))
    error = values.an_object(event.get("error"))
    shown = text(event.get("result")) or text_of(error.get("message"))
    seen = Observation(
        stdout=shown.encode(),
        merged=True,
        started_at_ns=started,
        duration_ns=took,
        is_error=True if error else None,
    )
    if took is not None:
        builder.report.note("tool time: as inspect recorded it (working_time)")
    refused = {"approval": BY_USER, "parsing": BY_AGENT}.get(str(error.get("type")))
    builder.result(identity, seen, refused=refused)
