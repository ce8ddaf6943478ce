"""Calls that a model wrote as text, as prompts teach it where the server has no tools of its own: `calls_in`.

Three spellings: `<function=NAME><parameter=KEY>…` (OpenHands, SWE-Gym, R2E), `<tool_call>{JSON}</tool_call>`
(Hermes, Qwen), `<invoke name="NAME"><parameter name="KEY">…` (Anthropic). Else the one fenced block of a message
is its command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curserve_traces.importers.swe_agent import parse_action
from curserve_traces.importers.values import Json, an_object, arguments_of, json_object

_FUNCTION = re.compile(r"<function=([^>\s]+)>")
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>")
_INVOKE = re.compile(r'<invoke name="([^"]+)">')
_NAMED = re.compile(r'<parameter name="([^"]+)"[^>]*>')
_JSON = re.compile(r"<(tool_call)>")
_TAG = re.compile(r"<(execute_bash|execute_ipython)>")
_FENCE = re.compile(r"```(?:bash|sh)?\n(.*?)\n?```", re.DOTALL)


def between(text: str, begin: re.Pattern[str], end: str = "") -> Iterator[tuple[str, str]]:
    """Yield the first group of each beginning and what stands before its end; in one pass, however many begin.

    `end` is `</NAME>` where it is not given; what has no end is left out.
    """
    at, missing = 0, set[str]()
    while (match := begin.search(text, at)) and len(missing) < 64:
        at = match.end()
        closing = end or f"</{match[1]}>"
        found = -1 if closing in missing else text.find(closing, at)
        if found < 0:
            missing.add(closing)  # nor will it be found further on
        else:
            yield match[1], text[at:found]
            at = found + len(closing)


def calls_in(text: str) -> list[tuple[str, Json]]:
    """Return names and arguments of the calls in a model's text, in order; empty where it makes none."""
    if "<function=" in text:
        whole = text if text.rstrip().endswith("</function>") else text + "</function>"  # a stop word was cut off
        functions = between(whole, _FUNCTION, "</function>")
        return [(name, _parameters(inner, _PARAMETER)) for name, inner in functions]
    if "<invoke name=" in text:
        return [(name, _parameters(inner, _NAMED)) for name, inner in between(text, _INVOKE, "</invoke>")]
    if "<tool_call>" in text:
        found = [an_object(json_object(inner.strip())) for _, inner in between(text, _JSON)]
        return [(str(call["name"]), arguments_of(call.get("arguments"))) for call in found if "name" in call]
    if tagged := list(between(text, _TAG)):
        return [(tag, {"command" if tag == "execute_bash" else "code": inner.strip()}) for tag, inner in tagged]
    fences = _FENCE.findall(text)
    if len(fences) == 1 and (action := fences[0].strip()):
        name, arguments, _ = parse_action(action)
        return [(name, arguments)]
    return []


def _parameters(text: str, begin: re.Pattern[str]) -> Json:
    """Return parameters; the line breaks that only set a value off are none of it."""
    values = between(text, begin, "</parameter>")
    return {name: value.removeprefix("\n").removesuffix("\n") for name, value in values}
