"""A sweep on this machine, a cell after the other: nothing else may run beside what is timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from curserve_harness.sweep.cells import Done, run_cell
from curserve_harness.sweep.plan import SweepPlan


def run_local(plan: SweepPlan, sweep: Path, more: Sequence[str]) -> Iterator[Done]:
    """Run all cells; yield each as it is done."""
    for cell in plan.cells:
        yield run_cell(cell, sweep, more)
