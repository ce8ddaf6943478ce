"""Phoenix exports: spans in OpenInference's words as JSON, with nested or dotted attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curserve_traces.importers.observed import ObservedStep, trace_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object, iso_ns

_KINDS = {"LLM": "model", "TOOL": "tool"}


def sniff(source: Source) -> bool:
    """Whether its first records are such spans."""
    head = source.head(2) or [an_object(span) for span in source.array()[:2]]
    return bool(head) and all("span_kind" in span and "attributes" in span and "context" in span for span in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every trace id."""
    spans = [an_object(span) for span in source.array()] or [record for _, record in source.records()]
    traces: dict[str, list[Json]] = {}
    for span in spans:
        traces.setdefault(str(an_object(span.get("context")).get("trace_id")), []).append(span)
    for identity, members in traces.items():
        yield trace_of("phoenix", identity, map(_step, members))


def _step(span: Json) -> ObservedStep:
    attributes = _nested(an_object(span.get("attributes")))
    llm, counts = an_object(attributes.get("llm")), an_object(an_object(attributes.get("llm")).get("token_count"))
    kind = _KINDS.get(str(span.get("span_kind")), "other")
    fields = {
        "model": a_string(llm.get("model_name")),
        "prompt_tokens": an_integer(counts.get("prompt")),
        "output_tokens": an_integer(counts.get("completion")),
    }
    tool = an_object(attributes.get("tool"))
    outputs, wanted = an_object(attributes.get("output")), an_object(attributes.get("input"))
    return ObservedStep(
        kind=kind,  # type: ignore[arg-type]
        name=a_string(tool.get("name")) or str(span.get("name")),
        started_at_ns=iso_ns(span.get("start_time")),
        ended_at_ns=iso_ns(span.get("end_time")),
        call_id=a_string(an_object(attributes.get("tool_call")).get("id")),
        said=_message(llm) or outputs.get("value"),
        given=tool.get("parameters") or wanted.get("value"),
        result=outputs.get("value"),
        failed=True if span.get("status_code") == "ERROR" else None,
        fields=fields if kind == "model" else {},
    )


def _message(llm: Json) -> Json:
    """Return the last message of an answer in the shape of OpenAI's."""
    said = an_object(next(iter(reversed(_items(llm.get("output_messages")))), None))
    message = an_object(said.get("message"))
    calls = [an_object(an_object(item).get("tool_call")) for item in _items(message.get("tool_calls"))]
    return {**message, "tool_calls": calls} if calls else message


def _items(value: object) -> list[Any]:
    """Return a list, which dotted names give as an object of numbers."""
    numbered = an_object(value)
    return [numbered[key] for key in sorted(numbered, key=lambda key: (len(key), key))] or a_list(value)


def _nested(flat: Json) -> Json:
    """Return attributes as objects within objects, where their names have dots."""
    made: Json = {}
    for name, value in flat.items():
        at, keys = made, name.split(".")
        for key in keys[:-1]:
            inner = at.setdefault(key, {})
            at = inner if isinstance(inner, dict) else {}
        at[keys[-1]] = value
    return made
