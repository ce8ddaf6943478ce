"""Pieces of a conversation: what stands around an observation is rendered once, where the template allows it."""

from __future__ import annotations

from typing import Any

import pytest

from curserve_engines.vllm.chat import Chat

PLAIN = "{tool}"
ODD = ["", " ", "x\n", "<tool_response>", "{}", "mark-0-0", 'é"\\', "a\n\nb"]


class Letters:
    """A tokenizer of letters whose template is Python's; `tool` says how an observation is written."""

    eos_token, eos_token_id = "\0", 0

    def __init__(self, tool: Any) -> None:
        self.tool, self.rendered = tool, 0

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> str:
        self.rendered += 1
        text = "".join(self._message(message) for message in conversation)
        return text + ("<assistant>" if options["add_generation_prompt"] else "")

    def _message(self, message: dict[str, Any]) -> str:
        if message["role"] == "tool":
            return f"<tool>{self.tool(message)}\0\n"
        return f"<{message['role']}>{message['content']}{message.get('tool_calls', '')}\0\n"

    def encode(self, text: str, **_: Any) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, token_ids: list[int], **_: Any) -> str:
        return "".join(map(chr, token_ids))


def answers(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "tool", "tool_call_id": f"c{n}", "content": text} for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("tool", "framed"),
    [
        (lambda m: m["content"], True),
        (lambda m: m["content"].strip(), False),
        (lambda m: repr(m["content"]), False),
        (lambda m: f"{m['tool_call_id']}: {m['content']}", False),
    ],
    ids=["as it is", "trimmed", "quoted", "with the call's id"],
)
def test_a_frame_gives_what_rendering_gives(tool: Any, *, framed: bool) -> None:
    tokenizer = Letters(tool)
    chat = Chat(tokenizer)  # type: ignore[arg-type]
    for messages in [answers(text) for text in ODD] + [answers(*ODD), answers("one", "two")]:
        expected = tokenizer.encode(chat._following(messages))
        assert chat.following(messages) == expected
    assert (chat.frame(1) is not None) is framed
    before = tokenizer.rendered
    chat.following(answers("again"))
    assert (tokenizer.rendered == before) is framed
    user = {"role": "user", "content": "Go on."}
    assert "Go on." in tokenizer.decode(chat.following([*answers("x"), user]))
