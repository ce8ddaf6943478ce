"""vLLM's worker, stamped and optionally paced: `--worker-cls curserve_engines.vllm.worker.Worker`.

Stamped: one line of JSON per engine step and request (`stamps.Stamp`) in `CURSERVE_VLLM_STAMPS`, so that "last
sampled token to next prefill start" and "tokens prefilled again" are read where they happen, in vLLM's own worker,
for any client. Paced (`CURSERVE_VLLM_PACE`, JSON, see `pace.Pace`): a step that the profile's model would take
longer for is stretched to that length; vLLM's scheduler, prefix cache and KV manager stay the real ones.
"""

from __future__ import annotations

import os
import time
from typing import Any

from vllm.platforms import current_platform

from curserve_engines.vllm.pace import StepClock, pace_from_json
from curserve_engines.vllm.stamps import StampWriter, step_rows

if current_platform.is_cpu():
    from vllm.v1.worker.cpu_worker import CPUWorker as Base
else:
    from vllm.v1.worker.gpu_worker import Worker as Base

CLOCK = time.CLOCK_MONOTONIC


class Worker(Base):  # type: ignore[misc]  # vLLM is not typed here
    """The platform's worker, with its steps stamped and paced."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        path = os.environ.get("CURSERVE_VLLM_STAMPS")
        self._stamps = StampWriter(path) if path and self.rank == 0 else None
        pace = os.environ.get("CURSERVE_VLLM_PACE")
        self._clock = StepClock(pace_from_json(pace)) if pace else None
        self._prompts: dict[str, int] = {}
        self._open: tuple[int, list[dict[str, Any]]] | None = None

    def execute_model(self, scheduler_output: Any) -> Any:
        """Run one step; where sampling is a call of its own, the step ends there."""
        started = time.clock_gettime_ns(CLOCK)
        rows = step_rows(scheduler_output, self._prompts)
        self._open = (started, rows)
        output = super().execute_model(scheduler_output)
        if output is not None:
            self._end()
        return output

    def sample_tokens(self, grammar_output: Any) -> Any:
        """Sample the step's tokens: its end."""
        output = super().sample_tokens(grammar_output)
        self._end()
        return output

    def _end(self) -> None:
        if self._open is None:
            return
        (started, rows), self._open = self._open, None
        if not rows:
            return
        if self._clock is not None:
            planned = self._clock.end_ns(started, rows)
            wait = planned - time.clock_gettime_ns(CLOCK)
            if wait > 0:
                time.sleep(wait / 1e9)
            self._clock.ended(planned, time.clock_gettime_ns(CLOCK))
        if self._stamps is not None:
            self._stamps.write(started, time.clock_gettime_ns(CLOCK), rows)
