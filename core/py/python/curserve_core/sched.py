"""One replica's scheduler as vLLM's, without a clock: plan a step, let it last, let it be over (`core/sched`)."""

from curserve_core._core import Scheduler, Step, StepTime

__all__ = ["Scheduler", "Step", "StepTime"]
