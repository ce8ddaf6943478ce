"""OpenTelemetry GenAI spans (OTLP JSON, one or in lines): `chat` spans are turns, `execute_tool` spans calls.

Both kinds of span have exact begin and end: model and tool times are recorded apart, nothing is to be separated.
The attributes changed their names: those of the conventions since 1.37 are read, the older ones, OpenLLMetry's and
OpenInference's. A call that an answer asks for and no span executes is a call without a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from curserve_traces.errors import TooLarge
from curserve_traces.files import loads
from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object, arguments_of, elapsed
from curserve_traces.model import Observation

_CHAT = {"chat", "text_completion", "generate_content", "completion", "LLM"}
_TOOL = {"execute_tool", "tool", "TOOL"}
_OPERATION = ("gen_ai.operation.name", "traceloop.span.kind", "llm.request.type", "openinference.span.kind")
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
_PROMPT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
_CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_NAME = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name")
_ARGUMENTS = ("gen_ai.tool.call.arguments", "gen_ai.tool.arguments", "input.value", "traceloop.entity.input")
_RESULT = ("gen_ai.tool.call.result", "gen_ai.tool.result", "output.value", "traceloop.entity.output")
_IDENTITY = ("gen_ai.tool.call.id", "tool_call.id")
_FLAT = re.compile(
    r"(?:gen_ai\.completion|llm\.output_messages)\.\d+\.(?:message\.)?(?:tool_calls\.(\d+)\.)?"
    r"(?:tool_call\.)?(?:function\.)?(content|id|name|arguments)"
)


def sniff(source: Source) -> bool:
    """Whether it has resource spans."""
    return any(_either(record, "resourceSpans") for record in [source.record(), *source.head(2)])


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every trace id."""
    documents = [source.record()] if source.record() else [record for _, record in source.records()]
    spans: dict[str, list[Json]] = {}
    for document in documents:
        for resource in _either(document, "resourceSpans"):
            for scope in _either(resource, "scopeSpans") or _either(resource, "instrumentationLibrarySpans"):
                for span in map(an_object, a_list(scope.get("spans"))):
                    identity = span.get("traceId") or span.get("trace_id")
                    spans.setdefault(str(identity), []).append(span)
    for identity, members in spans.items():
        yield _trace(identity, members)


def _either(record: Json, key: str) -> list[Json]:
    """Return a list under its name in JSON, or in the snake case that some exporters write."""
    snake = re.sub("([A-Z])", lambda match: "_" + match[1].lower(), key)
    return [an_object(item) for item in a_list(record.get(key) or record.get(snake))]


def _trace(identity: str, spans: list[Json]) -> Imported:
    builder = Builder("otel")
    model = agent = None
    for span in sorted(spans, key=_start):
        attributes = {str(item.get("key")): _value(item.get("value")) for item in _either(span, "attributes")}
        for event in _either(span, "events"):  # before 1.37 contents were events of the span
            attributes |= {
                str(item.get("key")): _value(item.get("value")) for item in _either(event, "attributes")
            }
        operations = {str(attributes.get(key)) for key in _OPERATION}
        agent = a_string(attributes.get("gen_ai.agent.name")) or agent
        if operations & _TOOL:
            _tool(builder, span, attributes)
        elif operations & _CHAT:
            model = a_string(_first(attributes, _MODEL)) or model
            _chat(builder, span, attributes, model)
        else:
            shown = attributes.get("gen_ai.operation.name") or span.get("name")
            builder.report.drop(f"span {shown} (neither chat nor execute_tool)")
    return builder.finish(id=identity, agent=agent or "unknown", model=model)


def _heard(builder: Builder, attributes: Json) -> None:
    """Give calls that no span executes the results that a later request tells the model."""
    for message in map(an_object, a_list(_parsed(attributes.get("gen_ai.input.messages")))):
        for part in map(an_object, a_list(message.get("parts"))):
            identity = a_string(part.get("id"))
            known = builder.recorded(identity) if identity else None
            if part.get("type") == "tool_call_response" and known is not None and known.observation is None:
                response = part.get("response", part.get("result"))
                text = response if isinstance(response, str) else orjson.dumps(response).decode()
                builder.result(identity, Observation(stdout=text_of(text).encode(), merged=True))


def _chat(builder: Builder, span: Json, attributes: Json, model: str | None) -> None:
    _heard(builder, attributes)
    text, calls = _answer(attributes)
    builder.turn(
        text=text,
        model=model,
        prompt_tokens=an_integer(_first(attributes, _PROMPT)),
        cached_tokens=an_integer(_first(attributes, _CACHED)),
        output_tokens=an_integer(_first(attributes, _OUTPUT)),
        started_at_ns=_start(span) or None,
        model_ns=elapsed(_start(span), _time(span, "endTimeUnixNano")),
    )
    for call in calls:
        if a_string(call.get("id")):
            builder.call(call["id"], a_string(call.get("name")) or "unknown", arguments_of(call.get("arguments")))
        else:
            builder.report.drop("call without an id in an answer (a span may execute it: then that one counts)")


def _answer(attributes: Json) -> tuple[str, list[Json]]:
    """Return the text and the calls of an answer, from whichever attributes hold them."""
    words, calls = [], []
    for message in map(an_object, a_list(_parsed(attributes.get("gen_ai.output.messages")))):
        for part in map(an_object, a_list(message.get("parts"))):
            if part.get("type") == "tool_call":
                calls.append(part)
            elif part.get("type") == "text":
                words.append(text_of(part.get("content")))
    flat: dict[str, Json] = {}
    for key, value in attributes.items():
        if (match := _FLAT.fullmatch(key)) and isinstance(value, str):
            if match[1] is not None:
                flat.setdefault(match[1], {})[match[2]] = value
            elif match[2] == "content":
                words.append(value)
    return "\n".join(words), calls + [flat[number] for number in sorted(flat, key=int)]


def _tool(builder: Builder, span: Json, attributes: Json) -> None:
    identity = a_string(_first(attributes, _IDENTITY))
    start = _start(span) or None
    known = builder.recorded(identity) if identity else None
    if known is None or known.observation is not None:
        name = a_string(_first(attributes, _NAME)) or "unknown"
        builder.call(identity, name, arguments_of(_first(attributes, _ARGUMENTS)))
        identity = builder.newest_call()
    result = _first(attributes, _RESULT)
    failed = an_object(span.get("status")).get("code") in (2, "STATUS_CODE_ERROR")
    shown = result if isinstance(result, str) else orjson.dumps(result).decode() if result is not None else ""
    seen = Observation(
        stdout=text_of(shown).encode(),
        merged=True,
        started_at_ns=start,
        duration_ns=elapsed(start, _time(span, "endTimeUnixNano")),
        is_error=True if failed else None,
    )
    builder.result(identity, seen)


def _first(attributes: Json, names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _parsed(value: object) -> object:
    if isinstance(value, str):
        try:
            return loads(value)
        except (ValueError, TooLarge):
            return None
    return value


def _start(span: Json) -> int:
    return _time(span, "startTimeUnixNano") or 0


def _time(span: Json, key: str) -> int | None:
    snake = re.sub("([A-Z])", lambda match: "_" + match[1].lower(), key)
    return _number(span.get(key, span.get(snake)))


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    return an_integer(value)


def _value(raw: object) -> Any:
    """Return an OTLP attribute value as a plain one."""
    value = an_object(raw)
    for key in ("stringValue", "boolValue", "doubleValue", "string_value", "bool_value", "double_value"):
        if key in value:
            return value[key]
    if "intValue" in value or "int_value" in value:
        return _number(str(value.get("intValue", value.get("int_value"))))
    if "arrayValue" in value:
        return [_value(item) for item in a_list(an_object(value["arrayValue"]).get("values"))]
    if "kvlistValue" in value:
        pairs = map(an_object, a_list(an_object(value["kvlistValue"]).get("values")))
        return {str(pair.get("key")): _value(pair.get("value")) for pair in pairs}
    return None
