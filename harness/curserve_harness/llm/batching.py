"""The model server's batch: turns of opened cells go through one scheduler, and get slow with those of others.

Main type: Batch. The scheduler and the writing are the core's (`core/batch`); here a cell's turn becomes what
that asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from curserve_engines.cell.spec import CellSpec
from curserve_harness.llm.framing import Slots
from curserve_harness.llm.script import Script

if TYPE_CHECKING:
    from curserve_core.batch import BatchServer, Served


class Opened(Protocol):
    """A cell as far as a batch needs it."""

    spec: CellSpec
    script: Script
    stream: int
    """The name of its text: no other cell that this server opened begins alike."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch; with `keep`, conversations whose tools run here keep their KV blocks between turns."""

    server: BatchServer
    keep: bool = False

    @classmethod
    def of(cls, declared: str) -> Batch:
        """Start the batch that a role's command line declares (plan.serving.Serving as JSON)."""
        from curserve_core.batch import BatchServer  # only a shared server needs it

        asked = orjson.loads(declared)
        server = BatchServer(
            asked["blocks"],
            asked["step_ps"],
            max_num_seqs=asked["max_num_seqs"],
            max_num_batched_tokens=asked["max_num_batched_tokens"],
        )
        return cls(server, asked["keep"])

    def submit(self, fd: int, slots: Slots, cell: Opened, number: int) -> int:
        """Ask for a turn of a cell; return the number of its stream. Raises OSError where it could never run."""
        stream: int = self.server.submit(fd, slots.data, slots.cuts, *_turn(cell, number))
        return stream

    def write(self, fd: int, slots: Slots, cell: Opened, number: int, lead: bytes) -> Served:
        """Ask for a turn of a cell whose tools run here, and wait for its end."""
        return self.server.write(fd, slots.data, slots.cuts, *_turn(cell, number), lead, self.keep)

    def forget(self, cell: Opened) -> None:
        """End a cell's conversation."""
        self.server.forget(cell.stream)

    def ticks(self) -> dict[str, list[int]]:
        """Return what it did in each step since the last call, by column."""
        return dict(self.server.ticks())


def _turn(cell: Opened, number: int) -> tuple[int, int, int]:
    """Return stream, prompt tokens and output tokens of a turn."""
    turn = cell.script.turns[number]
    return cell.stream, max(1, turn.prompt_tokens), max(1, turn.output_tokens)


def columns(served: Served, prompt_read_ns: int) -> dict[str, Any]:
    """Return what a turn's row says of the batch; the model's times are those at which its tokens were due."""
    first_ns, last_ns = served.due_ns
    return {
        "ttft_ns": max(0, first_ns - prompt_read_ns),
        "decode_ns": last_ns - first_ns,
        "queued_ns": served.queued_ns,
        "cached_tokens": served.cached_tokens,
        "computed_tokens": served.computed_tokens,
        "preemptions": served.preemptions,
    }
