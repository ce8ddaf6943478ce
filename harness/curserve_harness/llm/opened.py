"""A cell as the model server holds it: its script, the bytes of its turns, and when they were written.

All bytes of a cell are made when it is opened, so that no turn pays for them.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curserve_core.pacer import Written

from curserve_engines.cell.spec import CellSpec
from curserve_harness.llm import batching, chat, responses
from curserve_harness.llm.framing import Slots
from curserve_harness.llm.pacing import Pacing
from curserve_harness.llm.script import Script, ScriptTurn
from curserve_harness.samples.rows import Row

if TYPE_CHECKING:
    from curserve_core.batch import Served


def due(real: bool, turn: ScriptTurn, read_ns: int, *, stream: bool = True) -> tuple[int, int]:
    """Return when the first token of a turn is due, for a prompt read at `read_ns`, and the step to the next.

    A turn that is not streamed is due with its last token. In `virtual` pace (`real` false) nothing is waited for.
    """
    if not real:
        return read_ns, 0
    if not stream:
        return read_ns + turn.ttft_ns + turn.decode_ns, 0
    return read_ns + turn.ttft_ns, turn.tpot_ns


_STREAMS = itertools.count(1)


class PacedCell:
    """One cell, opened on the model server."""

    def __init__(self, spec: CellSpec, script: Script) -> None:
        self.spec, self.script = spec, script
        self.real = spec.pace == "real"
        self.stream = next(_STREAMS)
        self.turns: dict[int, Row] = {}
        self.streams: list[tuple[int, int, int]] = []
        """(turn, when its prompt was read, number of the stream) of the turns begun."""
        self.error: str | None = None
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        created = int(time.time())
        envelope = chat.Envelope(f"chatcmpl-{spec.cell}", created, script.model)
        self._answers: list[Slots] = []
        if spec.placement != "client":
            return  # the loop prepares its own bytes
        for number, turn in enumerate(script.turns):
            if spec.api == "chat":
                answer = (
                    chat.streamed(turn, envelope, with_usage=True)
                    if spec.stream
                    else chat.complete(turn, envelope)
                )
            else:
                previous = f"resp_{spec.cell}_{number - 1}" if number else None
                response = responses.Response(f"resp_{spec.cell}_{number}", created, script.model, previous)
                answer = responses.streamed(turn, response) if spec.stream else responses.complete(turn, response)
            self._answers.append(answer)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark a request of this cell as being answered, on the event loop."""
        self._busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def settle(self, pacing: Pacing, timeout_s: float = 5.0) -> None:
        """Wait until all is written (a client may know the end before this process does), and record it."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
                while self.streams:
                    number, read_ns, stream = self.streams[0]
                    written = await pacing.written(stream)
                    self.record(number, read_ns, written)
                    del self.streams[0]
        except TimeoutError:
            self.error = self.error or "closed in the middle of a turn"

    def answer(self, turn: int) -> Slots:
        """Return the bytes of a turn."""
        return self._answers[turn]

    def record(self, number: int, prompt_read_ns: int, written: Written | Served) -> None:
        """Keep what a turn measured at the model."""
        turn = self.script.turns[number]
        if written.error is not None:
            self.error = f"turn {number}: {written.error}"
        self.turns[number] = {
            "cell": self.spec.cell,
            "kind": "turn",
            "turn": number,
            "prompt_read_ns": prompt_read_ns,
            "first_token_ns": written.first_ns,
            "last_token_ns": written.last_ns,
            "ttft_ns": turn.ttft_ns,
            "decode_ns": turn.decode_ns,
            "prompt_tokens": turn.prompt_tokens,
            "output_tokens": turn.output_tokens,
        }
        if not isinstance(written, Written):
            self.turns[number] |= batching.columns(written, prompt_read_ns)

    def rows(self) -> list[Row]:
        """Return the turn rows, in order."""
        return [self.turns[number] for number in sorted(self.turns)]
