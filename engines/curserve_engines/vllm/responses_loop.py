"""vLLM's own Responses loop with our tools as its tool server: the third point of comparison, mode `responses`.

vLLM renders, tokenises and submits the whole conversation anew every turn, and calls a built-in tool through its
ToolServer; here that is the engine's session. It wants `VLLM_USE_EXPERIMENTAL_PARSER_CONTEXT=1`. vLLM runs one
call a turn and names it itself, so recorded calls travel as its calls and are executed as what they were. The
tokens of the next turn are put where `forced` reads them just before vLLM asks for it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from curserve_engines.cell.prompts import before
from curserve_engines.vllm.chat import Chat
from curserve_engines.vllm.execution import LoopTools
from curserve_traces.model import RecordedCall, Trace, Turn


class ResponsesLoop:
    """One cell in this mode: its forced tokens, its tools, its rows."""

    def __init__(self, cell: int, trace: Trace, chat: Chat, tools: LoopTools, forced: Path) -> None:
        self.cell, self.trace, self.name = cell, trace, f"{cell}-loop"
        self._tools, self._path = tools, forced / f"{self.name}.json"
        self._tokens = [chat.spoken(_renamed(turn), number) for number, turn in enumerate(trace.turns)]
        self._turn = 0
        self.rows: list[dict[str, Any]] = [
            {"cell": cell, "kind": "turn", "turn": number} for number in range(len(trace.turns))
        ]
        self._force()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files to remove when the cell is closed."""
        return (self._path,)

    def body(self, prefix: str) -> bytes:
        """Return the request that vLLM's Responses endpoint plays this cell by."""
        fields = {
            "model": prefix,
            "input": before(self.trace, 0),
            "request_id": f"resp_curserve-{self.cell}-loop",
            "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
            "temperature": 0,
            "skip_special_tokens": False,
            "store": False,
            "stream": False,
            "vllm_xargs": {"curserve_forced": self.name},
        }
        return json.dumps(fields).encode()

    def _force(self) -> None:
        if self._turn < len(self._tokens):
            partial = self._path.with_suffix(".new")
            partial.write_text(json.dumps(self._tokens[self._turn]))
            partial.replace(self._path)

    async def call_tool(self, name: str, arguments: Any) -> Any:  # noqa: ARG002 - the recording says what was asked
        """Execute the calls of the turn that just ended; vLLM's view of an MCP session."""
        if name == "cleanup_session":
            return None
        row = self.rows[self._turn]
        row["tools_started_ns"] = time.monotonic_ns()
        answers = await self._tools.answer(self._turn)
        row["tools_done_ns"] = time.monotonic_ns()
        self._turn += 1
        self._force()
        shown = "\n".join(self._tools.shown(answers))
        self._tools.settle()
        return SimpleNamespace(content=[SimpleNamespace(text=shown)])

    _client_info = "curserve"

    def result(self) -> dict[str, Any]:
        """Return the rows of turns and calls."""
        return {"rows": self.rows + self._tools.rows(), "details": []}


class ReplayToolServer:
    """vLLM's ToolServer: gives each response the session of its cell. `loops` by cell number."""

    def __init__(self, loops: dict[int, ResponsesLoop]) -> None:
        self._loops = loops

    def has_tool(self, tool_name: str) -> bool:
        """Say that there is one tool, `python`."""
        return tool_name == "python"

    def get_tool_description(self, tool_name: str, allowed_tools: list[str] | None = None) -> None:
        """Describe nothing: what the model says is forced."""

    @asynccontextmanager
    async def new_session(
        self,
        tool_name: str,  # noqa: ARG002
        session_id: str,
        headers: dict[str, str] | None = None,  # noqa: ARG002
    ) -> AsyncIterator[ResponsesLoop]:
        """Give the session of the cell that `session_id` names."""
        number = session_id.removeprefix("resp_curserve-").partition("-")[0]
        if not number.isdigit() or int(number) not in self._loops:
            raise KeyError(f"vllm: response {session_id!r} belongs to no open cell")
        yield self._loops[int(number)]


def _renamed(turn: Turn) -> Turn:
    """Return the turn with its calls as one call of vLLM's built-in `code_interpreter`."""
    if not turn.calls:
        return turn
    code = json.dumps([dict(item.call.arguments) for item in turn.calls])
    call = replace(turn.calls[0].call, original_name="code_interpreter", original_arguments={"code": code})
    return replace(turn, calls=(RecordedCall(call),))
