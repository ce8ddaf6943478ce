"""Langfuse exports: a trace with its observations, or a list of observations."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.observed import ObservedStep, result_of, trace_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object, iso_ns

_KINDS = {"GENERATION": "model", "TOOL": "tool"}


def sniff(source: Source) -> bool:
    """Whether it has observations with Langfuse's types."""
    return any("startTime" in o and "type" in o and "traceId" in o for o in _observations(source)[:2])


def _observations(source: Source) -> list[Json]:
    record = source.record()
    listed = record.get("observations", record.get("data")) if record else source.array() or source.head(8)
    return [an_object(item) for item in a_list(listed)]


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every trace id."""
    found = _observations(source)
    if not source.record() and not source.array():
        found = [record for _, record in source.records()]
    traces: dict[str, list[Json]] = {}
    for observation in found:
        traces.setdefault(str(observation.get("traceId")), []).append(observation)
    for identity, members in traces.items():
        yield trace_of("langfuse", identity, map(_step, members))


def _step(observation: Json) -> ObservedStep:
    usage = an_object(observation.get("usageDetails")) or an_object(observation.get("usage"))
    kind = _KINDS.get(str(observation.get("type")), "other")
    fields = {
        "model": a_string(observation.get("model")),
        "prompt_tokens": an_integer(usage.get("input", usage.get("promptTokens"))),
        "output_tokens": an_integer(usage.get("output", usage.get("completionTokens"))),
    }
    return ObservedStep(
        kind=kind,  # type: ignore[arg-type]
        name=str(observation.get("name")),
        started_at_ns=iso_ns(observation.get("startTime")),
        ended_at_ns=iso_ns(observation.get("endTime")),
        call_id=a_string(an_object(observation.get("metadata")).get("tool_call_id")),
        said=observation.get("output"),
        given=observation.get("input"),
        result=result_of(observation.get("output")),
        failed=True if observation.get("level") == "ERROR" else None,
        fields=fields if kind == "model" else {},
    )
