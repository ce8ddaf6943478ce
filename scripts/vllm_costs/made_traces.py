"""Small traces and load for probing a vLLM server: `make_trace`, `words`, `load`."""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from curserve_harness.vllm.process import VllmServer
from curserve_traces import codec
from curserve_traces.model import Message, RecordedCall, ToolCall, Trace, Turn, Workspace

_WORDS = ("return", "self", "import", "value", "error", "path", "name", "list", "read", "write", "open", "index")


def make_trace(folder: Path, name: str, commands: Sequence[str], *, opening: str = "Look around.") -> Path:
    """Write a trace of bash calls, one a turn, and a last turn that calls nothing; return its file."""
    before = (Message("system", "You are an agent."), Message("user", opening))
    turns = [
        Turn(
            text=f"Step {number}.",
            calls=(RecordedCall(ToolCall(f"call_{number}", "bash", {"command": command})),),
            before=before if number == 0 else (),
        )
        for number, command in enumerate(commands)
    ]
    path = folder / f"{name}.json"
    codec.save(Trace(name, Workspace("path", str(folder)), (*turns, Turn(text="All seen."))), path)
    return path


def words(tokens: int, seed: int = 0) -> str:
    """Return a text of about `tokens` tokens of the tiny model, another for every seed."""
    random_ = random.Random(seed)
    return " ".join(f"{random_.choice(_WORDS)} {random_.randrange(10)}" for _ in range(tokens // 2))


def load(server: VllmServer, prompts: int, tokens: int, seed: int) -> None:
    """Run `prompts` other requests, each of `tokens` random tokens, to their end, one after another."""
    random_ = random.Random(seed)
    for _ in range(prompts):
        body = {"model": "tiny", "max_tokens": 2, "prompt": [random_.randrange(300, 4000) for _ in range(tokens)]}
        request = urllib.request.Request(  # noqa: S310 - our own URL
            server.url + "/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=240) as answer:  # noqa: S310
            answer.read()
