"""LangSmith exports: runs with their type, inputs and outputs, as a list, in lines, or nested by `child_runs`."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.observed import ObservedStep, result_of, trace_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object, iso_ns

_KINDS = {"llm": "model", "tool": "tool"}


def sniff(source: Source) -> bool:
    """Whether its first records are runs."""
    head = source.head(2) or [an_object(run) for run in source.array()[:2]]
    return bool(head) and all("run_type" in run and "start_time" in run for run in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every trace id."""
    listed = [an_object(run) for run in source.array()] or [record for _, record in source.records()]
    traces: dict[str, list[Json]] = {}
    stack = list(reversed(listed))
    while stack:
        run = stack.pop()
        identity = str(run.get("trace_id") or run.get("session_id") or run.get("id"))
        traces.setdefault(identity, []).append(run)
        stack += [{"trace_id": identity, **an_object(child)} for child in reversed(a_list(run.get("child_runs")))]
    for identity, members in traces.items():
        yield trace_of("langsmith", identity, map(_step, members))


def _step(run: Json) -> ObservedStep:
    inputs, outputs = an_object(run.get("inputs")), an_object(run.get("outputs"))
    metadata = an_object(an_object(run.get("extra")).get("metadata"))
    usage = an_object(outputs.get("usage_metadata"))
    kind = _KINDS.get(str(run.get("run_type")), "other")
    fields = {
        "model": a_string(metadata.get("ls_model_name")),
        "prompt_tokens": an_integer(run.get("prompt_tokens", usage.get("input_tokens"))),
        "output_tokens": an_integer(run.get("completion_tokens", usage.get("output_tokens"))),
    }
    message = an_object(an_object(outputs.get("output")).get("kwargs")) or an_object(outputs.get("output"))
    return ObservedStep(
        kind=kind,  # type: ignore[arg-type]
        name=str(run.get("name")),
        started_at_ns=iso_ns(run.get("start_time")),
        ended_at_ns=iso_ns(run.get("end_time")),
        call_id=a_string(message.get("tool_call_id")),
        said=outputs,
        given=inputs.get("input", inputs) if set(inputs) == {"input"} else inputs,
        result=result_of(outputs) if outputs else run.get("error"),
        failed=True if run.get("error") else None,
        fields=fields if kind == "model" else {},
    )
