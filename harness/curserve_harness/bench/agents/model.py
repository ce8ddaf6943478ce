"""The model that a real agent talks to: a script of tool calls, at a model's pace, and a log of all exchanges.

Run as `python -m curserve_harness.bench.agents.model SCRIPT HOST LOG`: it prints its port, and writes a
line of JSON for each exchange. A process of its own, since it stands on another host than the agent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curserve_engines.cell.spoken import SpokenCall
from curserve_harness.llm.paced_server import Exchange
from curserve_harness.llm.script import Script, ScriptTurn, tokens
from curserve_harness.llm.standalone import serve_script

TTFT_NS = 20_000_000
"""To the first token: short, so that a task of many calls takes seconds; it is the same in every run."""
TPOT_NS = 350_000
"""From one token to the next: 2,858 tokens/s."""


def turns(said: dict[str, Any]) -> Script:
    """Return what the server says: one call a turn."""
    spoken = [
        (SpokenCall(f"call_{number:04}", call["name"], json.dumps(call["arguments"])),)
        for number, call in enumerate(said["calls"])
    ]
    made = [_turn("", calls) for calls in spoken]
    opened = [_turn("", ())] * said["opening"]
    return Script("scripted", (*opened, *made, _turn(said["farewell"], ())))


def _turn(text: str, calls: tuple[SpokenCall, ...]) -> ScriptTurn:
    output = tokens(len(text) + sum(len(call.name) + len(call.arguments) for call in calls))
    return ScriptTurn("", text, calls, 1000, 1000, output, True, TTFT_NS, TPOT_NS)


def main(words: Sequence[str]) -> None:
    """Serve until a signal."""
    source, host, log = words
    said = json.loads(Path(source).read_text())

    def ready(url: str) -> None:
        print(url.rpartition(":")[2], flush=True)

    with Path(log).open("a") as out:

        def observe(exchange: Exchange) -> None:
            row = {
                "path": exchange.path,
                "read_ns": exchange.read_ns,
                "done_ns": exchange.done_ns,
                "body": base64.b64encode(exchange.body).decode(),
            }
            out.write(json.dumps(row) + "\n")
            out.flush()

        asyncio.run(serve_script(turns(said), host, 0, ready, observe=observe))


if __name__ == "__main__":
    main(sys.argv[1:])
