"""OpenTelemetry GenAI spans (OTLP JSON, one or in lines): `chat` spans are turns, `execute_tool` spans calls.

Both kinds of span have exact begin and end: model and tool times are recorded apart, nothing is to be separated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    arguments_of,
    elapsed,
    given,
)
from curserve_traces.model import Observation


def sniff(source: Source) -> bool:
    """Whether it has resource spans."""
    return any("resourceSpans" in record for record in [source.record(), *source.head(2)])


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every trace id."""
    documents = [source.record()] if source.record() else [record for _, record in source.records()]
    spans: dict[str, list[Json]] = {}
    for document in documents:
        for resource in map(an_object, a_list(document.get("resourceSpans"))):
            for scope in map(an_object, a_list(resource.get("scopeSpans"))):
                for span in map(an_object, a_list(scope.get("spans"))):
                    spans.setdefault(str(span.get("traceId")), []).append(span)
    for identity, members in spans.items():
        yield _trace(identity, members)


def _trace(identity: str, spans: list[Json]) -> Imported:
    builder = Builder("otel")
    model = agent = None
    for span in sorted(spans, key=lambda span: _time(span.get("startTimeUnixNano")) or 0):
        attributes = {
            str(item.get("key")): _value(item.get("value"))
            for item in map(an_object, a_list(span.get("attributes")))
        }
        start, end = _time(span.get("startTimeUnixNano")), _time(span.get("endTimeUnixNano"))
        operation = attributes.get("gen_ai.operation.name")
        agent = a_string(attributes.get("gen_ai.agent.name")) or agent
        if operation in ("chat", "text_completion", "generate_content"):
            model = (
                a_string(attributes.get("gen_ai.response.model", attributes.get("gen_ai.request.model"))) or model
            )
            builder.turn(
                text=text_of(attributes.get("gen_ai.output.messages")),
                model=model,
                prompt_tokens=an_integer(attributes.get("gen_ai.usage.input_tokens")),
                output_tokens=an_integer(attributes.get("gen_ai.usage.output_tokens")),
                started_at_ns=start,
                model_ns=elapsed(start, end),
            )
        elif operation == "execute_tool":
            name = a_string(attributes.get("gen_ai.tool.name")) or "unknown"
            arguments = arguments_of(attributes.get("gen_ai.tool.call.arguments"))
            builder.call(a_string(attributes.get("gen_ai.tool.call.id")), name, arguments)
            result = attributes.get("gen_ai.tool.call.result")
            failed = an_object(span.get("status")).get("code") in (2, "STATUS_CODE_ERROR")
            seen = Observation(
                stdout=text_of(result).encode(),
                merged=True,
                started_at_ns=start,
                duration_ns=elapsed(start, end),
                is_error=True if failed else None,
            )
            builder.result(builder.newest_call(), seen)
        else:
            builder.report.drop(f"span {operation or span.get('name')} (neither chat nor execute_tool)")
    return builder.finish(id=identity, agent=agent or "unknown", model=model, extra=given())


def _time(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    return an_integer(value)


def _value(raw: object) -> Any:
    """Return an OTLP attribute value as a plain one."""
    value = an_object(raw)
    for key in ("stringValue", "boolValue", "doubleValue"):
        if key in value:
            return value[key]
    if "intValue" in value:
        return _time(str(value["intValue"]))
    return None
