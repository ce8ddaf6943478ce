"""How one call of a cell was answered, and the row that is kept of it: the same in the harness and inside vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curserve_engines.cell.spec import CallPolicy
from curserve_engines.protocol import Result
from curserve_traces.model import RecordedCall


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered call, and when it was asked for and answered (CLOCK_MONOTONIC)."""

    turn: int
    call: int
    recorded: RecordedCall
    policy: CallPolicy
    result: Result
    started_ns: int
    done_ns: int

    def _recorded_ns(self) -> int | None:
        """Return how long the call took in the recording, where the plan has it answered from there."""
        observed = self.recorded.observation
        return observed.duration_ns if observed is not None and self.policy.label == "recorded" else None

    def row(self, cell: int) -> dict[str, Any]:
        """Return the call's row, with the digests that are compared with the reference."""
        observation, reason = self.result.observation, self.policy.reason
        label: str = self.policy.label
        if self.policy.sampled_ns is not None:
            label = "sampled"
        if label == "executed" and self.result.failed is not None:
            label, reason = "failed", self.result.failed
        elif label == "executed" and self.result.refused is not None:
            label, reason = "refused", self.result.refused
        return {
            "cell": cell,
            "kind": "call",
            "turn": self.turn,
            "call": self.call,
            "started_ns": self.started_ns,
            "done_ns": self.done_ns,
            "tool": self.recorded.call.tool,
            "program": self.policy.program,
            "wall_ns": self.result.wall_ns,
            "service_ns": self.result.service_ns,
            "recorded_ns": self._recorded_ns(),
            "exit_code": observation.exit_code,
            "output_bytes": len(observation.stdout) + len(observation.stderr),
            "label": label,
            "refusal": self.result.refusal if label == "refused" else None,
            "reason": reason,
            "barrier_ns": self.result.barrier_ns,
            "wire_bytes": self.result.wire_bytes,
            "digest": observation.digest(),
            "lines_digest": observation.lines_digest(),
        }
