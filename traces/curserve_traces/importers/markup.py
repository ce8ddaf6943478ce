"""Calls that a model wrote as text, as prompts teach it where the server has no tools of its own: `calls_in`.

Three spellings: `<function=NAME><parameter=KEY>…` (OpenHands, SWE-Gym, R2E), `<tool_call>{JSON}</tool_call>`
(Hermes, Qwen), `<invoke name="NAME"><parameter name="KEY">…` (Anthropic). Else the one fenced block of a message
is its command.
"""

from __future__ import annotations

import re

from curserve_traces.importers.swe_agent import parse_action
from curserve_traces.importers.values import Json, an_object, arguments_of, json_object

_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_INVOKE = re.compile(r'<invoke name="([^"]+)">(.*?)</invoke>', re.DOTALL)
_NAMED = re.compile(r'<parameter name="([^"]+)"[^>]*>(.*?)</parameter>', re.DOTALL)
_JSON = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_TAG = re.compile(r"<(execute_bash|execute_ipython)>(.*?)</\1>", re.DOTALL)
_FENCE = re.compile(r"```(?:bash|sh)?\n(.*?)\n?```", re.DOTALL)


def calls_in(text: str) -> list[tuple[str, Json]]:
    """Return names and arguments of the calls in a model's text, in order; empty where it makes none."""
    if "<function=" in text:
        return [(name, dict(_PARAMETER.findall(inner))) for name, inner in _FUNCTION.findall(text)]
    if "<invoke name=" in text:
        return [(name, dict(_NAMED.findall(inner))) for name, inner in _INVOKE.findall(text)]
    if "<tool_call>" in text:
        found = [an_object(json_object(raw)) for raw in _JSON.findall(text)]
        return [(str(call["name"]), arguments_of(call.get("arguments"))) for call in found if "name" in call]
    if tagged := _TAG.findall(text):
        return [(tag, {"command" if tag == "execute_bash" else "code": inner.strip()}) for tag, inner in tagged]
    fences = _FENCE.findall(text)
    if len(fences) == 1 and (action := fences[0].strip()):
        name, arguments, _ = parse_action(action)
        return [(name, arguments)]
    return []
