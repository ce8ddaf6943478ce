"""A conversation as tokens, grown piece by piece: Chat renders with the served model's own chat template.

A session keeps its KV blocks only if nothing before the new piece changes, so pieces are appended, never rendered
anew: the assistant's text is what the model wrote, and what follows it is cut out of a rendering of a short
conversation. `request` mode sends the same tokens, so the modes differ in nothing but where the KV cache stays.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from curserve_engines.cell.spoken import SpokenCall, spoken
from curserve_traces.model import Turn
from curserve_traces.text import valid


class Tokenizer(Protocol):
    """What is needed of a Hugging Face tokenizer."""

    eos_token: str
    eos_token_id: int

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> Any:
        """Render a conversation; text, with `tokenize=False`."""

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return the tokens of a text."""

    def decode(self, token_ids: Sequence[int], **options: Any) -> str:
        """Return the text of tokens."""


class TemplateError(Exception):
    """Raised when the model's chat template cannot render or continue a conversation; says why."""


class Plain:
    """A Hugging Face tokenizer whose backend is asked directly, by a copy of our own.

    vLLM's is a pool of copies for several threads; borrowing from it, and the layers above the backend, cost
    time between a tool's answer and the next prefill. Tokenizers without such a backend are asked as they are.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.eos_token, self.eos_token_id = tokenizer.eos_token, tokenizer.eos_token_id
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._backend = copy.deepcopy(backend) if backend is not None else None
        if self._backend is not None:
            self._backend.no_truncation()
            self._backend.no_padding()

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> Any:
        """Render a conversation."""
        return self._tokenizer.apply_chat_template(conversation, **options)

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return the tokens of a text."""
        asked = self._backend or self._tokenizer
        found = asked.encode(text, **options)
        return list(found if self._backend is None else found.ids)

    def decode(self, token_ids: Sequence[int], **options: Any) -> str:
        """Return the text of tokens."""
        asked = self._backend or self._tokenizer
        return str(asked.decode(list(token_ids), **options))


PROBES = ("  \n<{}>\"&'\\\t observation \n ", "{}")
"""Contents that a template must leave as they are for its frame to be used."""


class Chat:
    """Renders the pieces of one conversation. `tools` are OpenAI function definitions."""

    def __init__(
        self, tokenizer: Tokenizer, tools: Sequence[Mapping[str, Any]] = (), template: str | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._tools = [{"type": "function", "function": dict(tool)} for tool in tools]
        self._options: dict[str, Any] = {"tokenize": False}
        if template is not None:
            self._options["chat_template"] = template
        self._bases: dict[int, tuple[list[dict[str, Any]], str, str]] = {}
        self._frames: dict[int, list[str] | None] = {}

    def opening(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the prompt of the first turn, the tools' definitions in it."""
        return self._encode(self._render(messages, generation=True, tools=self._tools or None))

    def following(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return what stands between the end of the model's turn (its end token included) and its next one."""
        contents = [str(m["content"]) for m in messages if m["role"] == "tool"]
        frame = self.frame(len(contents)) if contents and len(contents) == len(messages) else None
        if frame is None:
            return self._encode(self._following(messages))
        return self._encode(
            frame[0] + "".join(text + part for text, part in zip(contents, frame[1:], strict=True))
        )

    def frame(self, calls: int) -> list[str] | None:
        """Return the text around the observations of `calls` calls, None where the template changes them.

        It is the same for every turn, so it is rendered once; a session's turns then render nothing.
        """
        if calls not in self._frames:
            self._frames[calls] = self._find_frame(calls)
        return self._frames[calls]

    def _find_frame(self, calls: int) -> list[str] | None:
        frames = []
        for number, probe in enumerate(PROBES):
            marks = [probe.format(f"mark-{number}-{call}") for call in range(calls)]
            asked = [{"role": "tool", "tool_call_id": f"id-{number}", "content": mark} for mark in marks]
            parts, rest = [], self._following(asked)
            for mark in marks:
                part, found, rest = rest.partition(mark)
                if not found:
                    return None
                parts.append(part)
            frames.append([*parts, rest])
        return frames[0] if all(frame == frames[0] for frame in frames) else None

    def _following(self, messages: Sequence[Mapping[str, Any]]) -> str:
        base, before, tail = self._base(sum(message["role"] == "tool" for message in messages))
        after = self._render([*base, *messages], generation=True)
        if not after.startswith(before):
            raise TemplateError(
                "vllm: the model's chat template changes earlier messages when one is added, so a session cannot "
                "keep its KV cache; use --vllm-args with another --chat-template"
            )
        return tail + after[len(before) :]

    def _base(self, calls: int) -> tuple[list[dict[str, Any]], str, str]:
        """Return a short conversation that ends with `calls` calls, its rendering, what follows its end token."""
        if calls not in self._bases:
            asked = [SpokenCall(f"call_{i}", "bash", "{}") for i in range(calls)]
            base = [{"role": "user", "content": "."}, _assistant(".", asked)]
            before = self._render(base)
            end = before.rfind(self._tokenizer.eos_token)
            tail = before[end + len(self._tokenizer.eos_token) :] if end >= 0 else ""
            self._bases[calls] = base, before, tail
        return self._bases[calls]

    def spoken(self, turn: Turn, number: int) -> list[int]:
        """Return the tokens of a recorded turn as this model would have written it, its end token included."""
        base = [{"role": "user", "content": "."}]
        message = _assistant(turn.text, [spoken(call, number, index) for index, call in enumerate(turn.calls)])
        if turn.reasoning:
            message["reasoning_content"] = turn.reasoning
        before, after = self._render(base, generation=True), self._render([*base, message])
        if not after.startswith(before):
            raise TemplateError("vllm: the model's chat template does not begin a turn as it renders one")
        text = after[len(before) :]
        end = text.rfind(self._tokenizer.eos_token)
        return [*self._encode(text[:end] if end >= 0 else text), self._tokenizer.eos_token_id]

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of a turn, without its end token, special tokens kept (tool parsers read them)."""
        if tokens and tokens[-1] == self._tokenizer.eos_token_id:
            tokens = tokens[:-1]
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _render(
        self, messages: Sequence[Mapping[str, Any]], *, generation: bool = False, tools: Any = None
    ) -> str:
        try:
            given = [dict(message) for message in messages]
            options = self._options | {"add_generation_prompt": generation, "tools": tools}
            return str(self._tokenizer.apply_chat_template(given, **options))
        except Exception as error:  # Jinja raises anything
            raise TemplateError(
                f"vllm: the model's chat template failed: {type(error).__name__}: {error}"
            ) from error


def _assistant(text: str, calls: Sequence[SpokenCall]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": valid(text)}
    if calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.loads(c.arguments)}}
            for c in calls
        ]
    return message
