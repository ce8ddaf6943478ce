"""Tool calls out of a turn's text, by the served model's own parser (vLLM's `--tool-call-parser`): CallParser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curserve_engines.cell.spoken import spoken
from curserve_traces.model import RecordedCall


class NoToolParser(Exception):
    """Raised when the server has no tool parser for its model; says how to give it one."""


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A call as the parser read it."""

    name: str
    arguments: Mapping[str, Any]


class CallParser:
    """vLLM's tool parser `name`, for conversations that offer `tools` (OpenAI function definitions)."""

    def __init__(self, name: str | None, tokenizer: Any, tools: Sequence[Mapping[str, Any]]) -> None:
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.tool_parsers import ToolParserManager

        if not name:
            raise NoToolParser(
                "vllm: the server has no tool parser; start it with "
                "--enable-auto-tool-choice --tool-call-parser NAME"
            )
        try:
            self._kind = ToolParserManager.get_tool_parser(name)
        except KeyError as error:
            raise NoToolParser(f"vllm: no tool parser {name!r} for this model; see --tool-call-parser") from error
        self.name = name
        self._tokenizer = tokenizer
        offered = [{"type": "function", "function": dict(tool)} for tool in tools] or None
        self._request = ChatCompletionRequest(messages=[{"role": "user", "content": "."}], model="", tools=offered)
        self._ready: Any = None

    def prepare(self) -> None:
        """Make the parser of a turn while the model still decodes it: each turn has a new one, as in vLLM."""
        self._ready = self._kind(self._tokenizer, self._request.tools)

    def parse(self, text: str) -> list[ParsedCall] | None:
        """Return the calls in a turn's text; `None` where it begins one that cannot be read."""
        parser, self._ready = self._ready or self._kind(self._tokenizer, self._request.tools), None
        found = parser.extract_tool_calls(text, self._request)
        try:
            calls = [ParsedCall(c.function.name, json.loads(c.function.arguments)) for c in found.tool_calls]
        except ValueError:
            return None
        begins = getattr(parser, "tool_call_start_token", None)
        return None if not calls and isinstance(begins, str) and begins in text else calls


def difference(parsed: Sequence[ParsedCall] | None, recorded: Sequence[RecordedCall], turn: int) -> str | None:
    """Return how the parsed calls differ from the recorded ones of a turn, `None` if they do not."""
    if parsed is None:
        return "text that begins a tool call and cannot be read as one"
    if len(parsed) != len(recorded):
        return f"{len(parsed)} tool calls where {len(recorded)} were recorded"
    for number, (got, item) in enumerate(zip(parsed, recorded, strict=True)):
        wanted = spoken(item, turn, number)
        if got.name != wanted.name:
            return f"call {number} to {got.name!r} where {wanted.name!r} was recorded"
        if dict(got.arguments) != json.loads(wanted.arguments):
            return f"call {number} with other arguments than recorded"
    return None
