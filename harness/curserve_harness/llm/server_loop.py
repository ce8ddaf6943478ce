"""The server-side tool loop: model → tools → model beside the engine, every item streamed to the client.

It runs on one thread that writes the tokens (the GIL released) and calls the tools itself, so that nothing stands
between the last token and the first tool but the engine. The tool round trip ends when the observation stands in
the conversation; its event goes to the client after that, while the model thinks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curserve_core.pacer import Pacer, Written

from curserve_engines.cell.tools import Tools
from curserve_harness.llm import framing, responses
from curserve_harness.llm.batching import Batch
from curserve_harness.llm.opened import PacedCell, due
from curserve_harness.samples.rows import Row

if TYPE_CHECKING:
    from curserve_core.batch import Served


@dataclass(frozen=True, slots=True)
class _Prepared:
    slots: framing.Slots
    outputs: responses.Reserved


class ServerLoop:
    """The loop of one cell, its bytes made beforehand."""

    def __init__(self, cell: PacedCell, tools: Tools) -> None:
        self._cell, self._tools = cell, tools
        self._conversation: list[str] = []  # where a tool round trip ends; nobody reads it
        self._measured: list[tuple[int, Written | Served, int | None, int | None]] = []
        response = responses.Response(f"resp_{cell.spec.cell}", int(time.time()), cell.script.model, repeats=False)
        self._prepared: list[_Prepared] = []
        turns = cell.script.turns
        for number, turn in enumerate(turns):
            last = number == len(turns) - 1
            slots = responses.streamed(turn, response, first=number == 0, last=last and not turn.calls)
            kept = response.reserve(len(turn.calls))
            self._prepared.append(_Prepared(slots, kept))
        # A recording may end with calls whose observation nobody read: the response closes after them.
        self._end = b""
        if turns and turns[-1].calls:
            self._end = framing.chunk(response.end(responses.usage(turns[-1]))) + framing.END

    def run(self, pacer: Pacer, fd: int, read_ns: int, batch: Batch | None = None) -> bool:
        """Play every turn to the socket `fd`; return whether all was written. Called on a thread of its own.

        With a `batch`, tokens come when that has computed them.
        """
        deadline_ns = read_ns + round(self._cell.spec.deadline_s * 1e9)
        prompt_ns, lead = read_ns, b""
        for number, turn in enumerate(self._cell.script.turns):
            slots = self._prepared[number].slots
            first_ns, step_ns = due(self._cell.real, turn, prompt_ns)
            self._tools.settle()
            written: Written | Served
            if batch is None:
                written = pacer.write(fd, slots.data, slots.cuts, first_ns, step_ns, lead)
            else:
                written = batch.write(fd, slots, self._cell, number, lead)
            if not turn.calls or written.error is not None:
                self._measured.append((prompt_ns, written, None, None))
                if written.error is not None:
                    return False
                continue
            started_ns = time.monotonic_ns()
            shown = self._tools.run(number)
            done_ns = time.monotonic_ns()
            self._conversation += shown
            self._measured.append((prompt_ns, written, started_ns, done_ns))
            prompt_ns = time.monotonic_ns()
            outputs = [(call.id, text) for call, text in zip(turn.calls, shown, strict=True)]
            lead = framing.chunk(self._prepared[number].outputs.events(outputs))
            if prompt_ns > deadline_ns:
                self._cell.error = f"turn {number}: the deadline of the cell passed"
                return False
        if self._end:
            closing = lead + self._end
            return pacer.write(fd, closing, [len(closing)], 0, 0).error is None
        return True

    def rows(self) -> list[Row]:
        """Return the rows of turns and calls."""
        for number, (prompt_ns, written, started_ns, done_ns) in enumerate(self._measured):
            self._cell.record(number, prompt_ns, written)
            self._cell.turns[number] |= {
                "intended_ns": prompt_ns,
                "received_ns": written.done_ns,
                "tools_started_ns": started_ns,
                "tools_done_ns": done_ns,
                "bytes_down": written.bytes,
            }
        return self._cell.rows() + self._tools.rows()

    def close(self) -> None:
        """End the threads of the tools."""
        self._tools.close()
