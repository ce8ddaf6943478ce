"""From exchanges to conversations: which requests continue which, and what each of them added.

Agents hold several conversations at once (a sub-agent, a title, a summary). A chat request repeats its
conversation from the start, so the messages before the model's first word tell it; a response names the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from curserve_harness.traces.record.model_answers import RESPONSES, ModelAnswer, read
from curserve_harness.traces.record.proxy import ProxiedExchange
from curserve_traces.importers.builder import text_of
from curserve_traces.importers.values import Json, a_list, a_string, an_object


@dataclass(frozen=True, slots=True)
class Said:
    """A message that a request added: `call` is the id of the call that it answers."""

    role: str
    text: str
    call: str | None = None


@dataclass(slots=True)
class ConversationStep:
    """One answered request of a conversation: what it added, and what the model said."""

    exchange: ProxiedExchange
    added: list[Said]
    answer: ModelAnswer
    spoken: int
    """How often the model has spoken in the request; the same again: the answer before was not used."""


@dataclass(slots=True)
class RecordedConversation:
    """Requests that continue each other."""

    steps: list[ConversationStep] = field(default_factory=list)
    unused: int = 0


def conversations(exchanges: tuple[ProxiedExchange, ...]) -> tuple[list[RecordedConversation], int]:
    """Return the conversations in the order of their beginnings, and how many requests got no answer."""
    found: dict[object, RecordedConversation] = {}
    names: dict[str, object] = {}
    failed = 0
    for exchange in exchanges:
        answer = read(exchange.path, bytes(exchange.answer)) if exchange.status == 200 else None
        if answer is None:
            failed += 1
            continue
        key, added, spoken = _request(exchange, names)
        if answer.id is not None:
            names[answer.id] = key
        conversation = found.setdefault(key, RecordedConversation())
        if conversation.steps and spoken >= 0 and conversation.steps[-1].spoken == spoken:
            conversation.steps.pop()
            conversation.unused += 1
        conversation.steps.append(ConversationStep(exchange, added, answer, spoken))
    return list(found.values()), failed


def _request(exchange: ProxiedExchange, names: dict[str, object]) -> tuple[object, list[Said], int]:
    """Return a request's conversation, the messages after the model's last word, and how often it has spoken."""
    try:
        body = an_object(orjson.loads(exchange.request))
    except orjson.JSONDecodeError:
        body = {}
    if exchange.path.endswith(RESPONSES):
        given = body.get("input")
        items = (
            [{"role": "user", "content": given}] if isinstance(given, str) else list(map(an_object, a_list(given)))
        )
        if instructions := a_string(body.get("instructions")):
            items = [{"role": "system", "content": instructions}, *items]
        previous = a_string(body.get("previous_response_id"))
        if previous in names:
            return names[previous], [s for s in map(_said, items) if s.role != "system"], -1
    else:
        items = list(map(an_object, a_list(body.get("messages"))))
    said = [_said(item) for item in items]
    spoken = [number for number, one in enumerate(said) if one.role == "assistant"]
    opening = said[: spoken[0]] if spoken else said
    turns = sum(1 for n in spoken if n - 1 not in spoken)
    key = tuple((one.role, one.text) for one in opening)
    return key, said[spoken[-1] + 1 :] if spoken else said, turns


def _said(item: Json) -> Said:
    kind = item.get("type")
    if kind in ("function_call", "reasoning", "custom_tool_call"):
        return Said("assistant", "")
    if kind in ("function_call_output", "custom_tool_call_output"):
        return Said("tool", text_of(item.get("output")), a_string(item.get("call_id")))
    role = str(item.get("role"))
    role = "system" if role == "developer" else role
    return Said(role, text_of(item.get("content")), a_string(item.get("tool_call_id")))
