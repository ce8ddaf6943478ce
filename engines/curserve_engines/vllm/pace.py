"""How long a step of the engine takes by a ModelProfile: what a tiny model on a CPU is stretched to.

A step decodes one token of every running request at once (TPOT, whatever their number: decode is bound by memory
bandwidth at these batch sizes) and prefills the scheduled part of the prompts (their tokens over the prefill rate;
cached tokens are not scheduled, so they are free). The first step of a prompt adds the profile's fixed TTFT.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pace:
    """The parts of a ModelProfile that a step needs: nanoseconds, and prompt tokens per second."""

    tpot_ns: int
    ttft_ns: int = 0
    prefill_tokens_per_s: float = 0.0

    def step_ns(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Return the length of a step in ns; `rows` as `stamps.step_rows` gives them."""
        decode = begin = prefilled = 0
        for row in rows:
            if row["prefill"]:
                prefilled += row["tokens"]
                begin = begin or bool(row["begin"])
            else:
                decode = 1
        total = self.ttft_ns if begin else 0
        if prefilled and self.prefill_tokens_per_s > 0:
            total += round(prefilled / self.prefill_tokens_per_s * 1e9)
        return max(total, self.tpot_ns) if decode else total


class StepClock:
    """When steps must end.

    A step that goes on with a request counts from the end of the one before: what vLLM does between two steps is
    part of the TPOT, not on top of it.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._ended_ns = 0
        self._requests: set[str] = set()

    def end_ns(self, started_ns: int, rows: Sequence[Mapping[str, Any]]) -> int:
        """Return when a step that started at `started_ns` must end."""
        length = self._pace.step_ns(rows)
        goes_on = any(not row["prefill"] and row["id"] in self._requests for row in rows)
        self._requests = {row["id"] for row in rows}
        begun = self._ended_ns if goes_on and started_ns - self._ended_ns < length else started_ns
        return begun + length

    def ended(self, planned_ns: int, now_ns: int) -> None:
        """Note when a step ended: as planned if the timer was a little late, else when it did."""
        self._ended_ns = planned_ns if now_ns - planned_ns < LATE_NS else now_ns


LATE_NS = 500_000
"""What a timer may be late without the next step being planned from then."""


def pace_from_json(text: str) -> Pace:
    """Read `{"tpot_ns": …, "ttft_ns": …, "prefill_tokens_per_s": …}`; raises ValueError."""
    try:
        pace = Pace(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise ValueError(f"CURSERVE_VLLM_PACE: {error}; give tpot_ns, ttft_ns, prefill_tokens_per_s") from error
    if pace.tpot_ns < 0 or pace.ttft_ns < 0 or pace.prefill_tokens_per_s < 0:
        raise ValueError("CURSERVE_VLLM_PACE: times and rates are not negative")
    return pace
