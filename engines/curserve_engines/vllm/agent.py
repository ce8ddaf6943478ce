"""The agent loop inside the serving process: model, tool, model, on tokens; AgentLoop plays one recorded trace.

Nothing is rendered or tokenised between a tool's answer and the next prefill but the answer itself. What a turn
measures goes into rows of the harness's shape, and what only this process knows into `TurnDetail`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from curserve_engines.cell.prompts import before
from curserve_engines.cell.spec import CellSpec
from curserve_engines.cell.spoken import spoken
from curserve_engines.vllm.chat import Chat
from curserve_engines.vllm.execution import LoopTools
from curserve_engines.vllm.generation import Ask, Turns, sampling
from curserve_engines.vllm.ledger import ContextOverflow, KvLedger
from curserve_engines.vllm.parsing import CallParser, difference
from curserve_traces.model import Trace, Turn


class CellError(Exception):
    """Raised when a cell cannot go on; the rows measured until then are kept."""


@dataclass(frozen=True, slots=True)
class TurnDetail:
    """One turn in tokens: `exact` if every forced token came out, `recorded_tokens` as the recording counts."""

    turn: int
    prompt_tokens: int
    new_tokens: int
    output_tokens: int
    recorded_tokens: int | None
    exact: bool
    waited_ns: int


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the client is told: tokens that were decoded, or a call's observation."""

    kind: Literal["text", "output"]
    turn: int
    text: str = ""
    tokens: Sequence[int] = ()
    call_id: str = ""


class AgentLoop:
    """Plays one trace: forced tokens, real tools. `longest` is the model's context in tokens."""

    def __init__(
        self,
        cell: CellSpec,
        trace: Trace,
        chat: Chat,
        parser: CallParser | None,
        turns: Turns,
        tools: LoopTools,
        ledger: KvLedger,
        *,
        longest: int,
        trace_replay: bool = False,
    ) -> None:
        self.cell, self.trace, self.rows, self.details = (
            cell.cell,
            trace,
            list[dict[str, Any]](),
            list[TurnDetail](),
        )
        self._chat, self._parser, self._turns, self._tools, self._ledger = chat, parser, turns, tools, ledger
        self._longest, self._deadline_s = longest, cell.deadline_s
        self._name = f"cell-{self.cell}-{id(self)}"
        self._held = 0
        # Encoded before the clock starts: what is forced is known from the recording.
        self._forced = [chat.spoken(turn, number) for number, turn in enumerate(trace.turns)]
        self._params = [sampling(forced, trace_replay=trace_replay) for forced in self._forced]
        for calls in {len(turn.calls) for turn in trace.turns} - {0}:
            chat.frame(calls)

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of decoded tokens."""
        return self._chat.text(tokens)

    async def run(self, read_ns: int) -> AsyncGenerator[Event]:
        """Play every turn, telling what happens as it happens; raises CellError."""
        deadline = read_ns + round(self._deadline_s * 1e9)
        intended, shown = read_ns, list[dict[str, str]]()
        self._ledger.add(self._name, self._turns.evict)
        try:
            for number, turn in enumerate(self.trace.turns):
                new = self._piece(number, shown)
                async for event in self._generate(number, turn, new, intended):
                    yield event
                if not turn.calls:
                    shown = []
                    intended = time.monotonic_ns()
                    continue
                shown = await self._use_tools(number)
                intended = time.monotonic_ns()
                for message in shown:
                    yield Event("output", number, text=message["content"], call_id=message["tool_call_id"])
                if time.monotonic_ns() > deadline:
                    raise CellError(f"turn {number}: the deadline of the cell passed")
        finally:
            await self._turns.close()
            await self._ledger.release(self._name)

    def _piece(self, number: int, shown: Sequence[Mapping[str, Any]]) -> list[int]:
        messages = [*shown, *before(self.trace, number)]
        return self._chat.opening(messages) if number == 0 else self._chat.following(messages)

    async def _generate(self, number: int, turn: Turn, new: list[int], intended: int) -> AsyncIterator[Event]:
        forced = self._forced[number]
        prompt = self._held + len(new)
        if prompt + len(forced) > self._longest:
            raise CellError(
                f"turn {number}: context overflow: {prompt} prompt tokens ({len(new)} of them new) and "
                f"{len(forced)} output tokens, and the model reads {self._longest}; shorten the trace "
                "or raise --max-model-len"
            )
        asked = time.monotonic_ns()
        try:
            await self._ledger.acquire(self._name, prompt + len(forced))
        except ContextOverflow as error:
            raise CellError(f"turn {number}: {error}") from error
        ready = time.monotonic_ns()
        out: list[int] = []
        first = last = ready
        try:
            async for tokens in self._turns.turn(Ask(new, self._params[number])):
                last = time.monotonic_ns()
                if not out:
                    first = last
                    self._tools.settle()  # here, while the model decodes, it lengthens no tool round trip
                    if self._parser is not None:
                        self._parser.prepare()
                out += tokens
                yield Event("text", number, tokens=tokens)
        finally:
            self._held = prompt + len(out)
            self._ledger.park(self._name, self._held if self._turns.holds else 0)
        if self._ledger.waiting:
            await self._ledger.settle()
        exact = out == forced
        self.details.append(
            TurnDetail(number, prompt, len(new), len(out), turn.output_tokens, exact, ready - asked)
        )
        self.rows.append(
            {
                "cell": self.cell,
                "kind": "turn",
                "turn": number,
                "intended_ns": intended,
                "prompt_read_ns": asked,
                "first_token_ns": first,
                "last_token_ns": last,
                "received_ns": last,
                "prompt_tokens": prompt,
                "output_tokens": len(out),
            }
        )
        if not exact:
            raise CellError(
                f"turn {number}: vLLM gave {len(out)} tokens that are not the {len(forced)} forced ones"
            )
        if turn.calls:
            self._check(number, turn, out)

    def _check(self, number: int, turn: Turn, out: list[int]) -> None:
        """Read the calls with the model's own parser: what it cannot read, no engine would be asked to run."""
        if self._parser is None:
            raise CellError(
                f"turn {number}: it calls tools, and the server has no tool parser; see --tool-call-parser"
            )
        if wrong := difference(self._parser.parse(self._chat.text(out)), turn.calls, number):
            raise CellError(f"turn {number}: the tool parser {self._parser.name!r} read {wrong}")

    async def _use_tools(self, number: int) -> list[dict[str, str]]:
        """Answer the calls of a turn; return the messages that the model reads next."""
        row = self.rows[-1]
        row["tools_started_ns"] = time.monotonic_ns()
        answers = await self._tools.answer(number)
        row["tools_done_ns"] = time.monotonic_ns()
        return [
            {"role": "tool", "tool_call_id": spoken(answer.recorded, number, answer.call).id, "content": text}
            for answer, text in zip(answers, self._tools.shown(answers), strict=True)
        ]

    def result(self) -> dict[str, Any]:
        """Return the rows of turns and calls, and the details."""
        return {"rows": self.rows + self._tools.rows(), "details": [asdict(detail) for detail in self.details]}
