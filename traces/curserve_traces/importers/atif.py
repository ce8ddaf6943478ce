"""ATIF (Harbor's Agent Trajectory Interchange Format) v1.0 to v1.8, written by anyone.

ATIF has no field for exit codes, durations and directories; what producers put into `extra` is read where it is
known: Harbor's Claude converter appends `[metadata] {…}` to the text and keeps the raw result in `extra`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from curserve_traces import fields, native, native_reader
from curserve_traces.importers.builder import Builder, clean, identity_of, text_of
from curserve_traces.importers.report import Imported, Report
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import iso_ns
from curserve_traces.model import Observation, Whole, Workspace

_METADATA = "\n\n[metadata] {"
_EXIT = re.compile(r"^Exit code (\d+)\n")


def sniff(source: Source) -> bool:
    """Whether it is an ATIF document."""
    return str(source.record().get("schema_version", "")).startswith("ATIF-")


def read(source: Source) -> Iterator[Imported]:
    """Yield the trajectory of the file and those of its sub-agents."""
    document = fields.read(source.document(), dict, str(source.path))
    yield from read_document(document, str(source.path), source.path.name.split(".")[0])


def read_document(document: dict[str, Any], where: str, name: str, depth: int = 0) -> Iterator[Imported]:
    """Yield the trajectory of an ATIF document and those of its sub-agents."""
    native_reader.check_version(document, where)
    if native.is_native(document):
        trace = native_reader.from_document(document, where)
        calls = [recorded for _, _, recorded in trace.calls()]
        answered = sum(recorded.observation is not None for recorded in calls)
        yield Imported(trace, Report("curserve", len(calls), answered, len(trace.turns)))
        return
    agent = fields.get_object(document, "agent", where)
    builder = Builder("atif", agent=str(agent.get("name") or "").lower(), ids_repeat=True)
    steps = fields.read(document.get("steps"), list, f"{where}: steps")
    for number, raw in enumerate(steps):
        at = f"{where}: steps[{number}]"
        step = fields.read(raw, dict, at)
        _step(builder, step, at)
    identity = fields.get(document, "trajectory_id", str, where) or fields.get(document, "session_id", str, where)
    kept = ("notes", "final_metrics", "continued_trajectory_ref", "extra")
    cwds = fields.get_object(agent, "extra", where).get("cwds")
    yield builder.finish(
        id=identity or name,
        workspace=Workspace(at=cwds[0]) if isinstance(cwds, list) and cwds and isinstance(cwds[0], str) else None,
        agent=fields.get(agent, "name", str, f"{where}: agent") or "unknown",
        agent_version=fields.get(agent, "version", str, f"{where}: agent") or "unknown",
        model=fields.get(agent, "model_name", str, f"{where}: agent"),
        task=next(
            (text_of(s.get("message")) for s in steps if isinstance(s, dict) and s.get("source") == "user"),
            None,
        ),
        extra={"atif": {key: document[key] for key in kept if document.get(key) is not None} | {"agent": agent}},
    )
    if depth < 8:
        for number, below in enumerate(fields.get_list(document, "subagent_trajectories", where)):
            at = f"{where}: subagent_trajectories[{number}]"
            yield from read_document(fields.read(below, dict, at), at, f"{name}-{number}", depth + 1)


def _step(builder: Builder, step: dict[str, Any], at: str) -> None:
    source = fields.get(step, "source", native_reader.SOURCES, at)
    calls = fields.get_list(step, "tool_calls", at)
    results = fields.get_list(fields.get_object(step, "observation", at), "results", at)
    if source != "agent" and not calls:
        builder.message("user" if source == "user" else "system", text_of(step.get("message")))
        if results:
            builder.report.drop("result on a step without calls", len(results))
        return
    extra = fields.get_object(step, "extra", at)
    metrics = fields.get_object(step, "metrics", at)
    cwd = extra.get("cwd")
    stamp = iso_ns(step.get("timestamp"))
    builder.turn(
        text=text_of(step.get("message")),
        reasoning=fields.get(step, "reasoning_content", str, at),
        model=fields.get(step, "model_name", str, at),
        prompt_tokens=fields.get(metrics, "prompt_tokens", Whole, at),
        cached_tokens=fields.get(metrics, "cached_tokens", Whole, at),
        output_tokens=fields.get(metrics, "completion_tokens", Whole, at),
        extra=({"timestamp_ns": stamp} if stamp else {})
        | ({"atif": extra} if extra else {})
        | ({"copied_context": True} if step.get("is_copied_context") else {}),
    )
    ids: list[str] = []
    for number, raw in enumerate(calls):
        here = f"{at}.tool_calls[{number}]"
        call = fields.read(raw, dict, here)
        arguments = fields.get_object(call, "arguments", here)
        where = next((d for d in (arguments.get("workdir"), cwd) if isinstance(d, str)), None)
        own = fields.get_object(call, "extra", here)
        identity = fields.get(call, "tool_call_id", str, here)
        name = fields.get(call, "function_name", str, here) or ""
        builder.call(identity, name, arguments, cwd=where, extra={"atif": own} if own else None)
        ids.append(builder.newest_call() or "")
    found = [fields.read(raw, dict, f"{at}.observation.results[{number}]") for number, raw in enumerate(results)]
    named = {identity_of(result.get("source_call_id")) for result in found}
    waiting = [call for call in ids if call not in named]
    nameless = [result for result in found if result.get("source_call_id") is None]
    if waiting and 0 < len(nameless) != len(waiting):  # Terminus-2: what the screen showed after all of them
        builder.report.note("results without a call of their own stand on the last call of their step")
        content = "\n".join(builder.text(result.get("content"), "a result") for result in nameless)
        found = [result for result in found if result not in nameless] + [{**nameless[-1], "content": content}]
        waiting = waiting[-1:]
    for result in found:
        call_id = result.get("source_call_id")
        if call_id is None and waiting:
            call_id = waiting.pop(0)
        own = result["extra"] if isinstance(result.get("extra"), dict) else {}
        below = result.get("subagent_trajectory_ref")
        kept = ({"atif_result": own} if own else {}) | ({"sub_agents": below} if below else {})
        builder.result(call_id, _observation(builder, result.get("content"), own), kept)


def _observation(builder: Builder, content: object, extra: dict[str, Any]) -> Observation:
    text = builder.text(content, "a result")
    metadata = extra.get("tool_result_metadata")
    structured = extra.get("metadata", metadata)
    raw = metadata.get("raw_tool_result") if isinstance(metadata, dict) else None
    out = text
    if isinstance(raw, dict) and isinstance(raw.get("content"), str | list):
        out = text_of(raw["content"])
    elif _METADATA in text:
        out = text[: text.index(_METADATA)]
        builder.report.note("text behind [metadata] is the converter's, not the tool's: taken off")
    error = raw.get("is_error") if isinstance(raw, dict) else None
    code = structured.get("exit_code") if isinstance(structured, dict) else extra.get("exit_code")
    if code is None and (match := _EXIT.match(out)):
        code = int(match[1])
    data = clean(out).encode()
    return Observation(
        exit_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        stdout=data,
        merged=True,
        text=None if out == text else text,
        is_error=error if isinstance(error, bool) else None,
    )
