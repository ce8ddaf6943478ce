"""`sweep` as one paragraph: read the plan, run what is left, merge what came, say how each cell ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from curserve_harness.console.exits import BadInput, ExecutionFailed
from curserve_harness.console.interrupt import terminable
from curserve_harness.console.progress import progress
from curserve_harness.sweep.cells import DONE, Done, read_done, sweep_parts
from curserve_harness.sweep.local import run_local
from curserve_harness.sweep.merged import merge, sweep_table
from curserve_harness.sweep.on_ray import run_on_ray
from curserve_harness.sweep.plan import SweepPlan, read_plan
from curserve_results.files import write_atomically
from curserve_results.render import render_tables

PLAN = "plan.toml"


def sweep(path: Path, *, on: str, address: str, out: Path, more: Sequence[str], form: str) -> str:
    """Run the cells of a plan that are not there yet; return the table of all of them.

    A sweep that was interrupted goes on in the same folder. Raises ExecutionFailed where no cell is whole.
    """
    plan = read_plan(path)
    out.mkdir(parents=True, exist_ok=True)
    text = path.read_bytes()
    kept = out / PLAN
    if kept.exists() and kept.read_bytes() != text:
        raise BadInput(f"--out {out}: it holds another sweep; choose another folder")
    write_atomically(kept, text)
    write_atomically(out / "cells", f"{len(plan.cells)}\n".encode())  # for `top`
    done: list[Done] = [read_done(out / cell.name) for cell in plan.cells if (out / cell.name / DONE).is_file()]
    there = {one.number for one in done}
    left = SweepPlan(tuple(cell for cell in plan.cells if cell.number not in there))
    with terminable(), progress(len(left.cells)) as tell:
        try:
            for one in _running(left, on, address, out.resolve(), more):
                done.append(one)
                tell(f"{one.folder}: {'whole' if one.code == 0 else one.said}", 1)
        finally:
            sweep_parts(out)
            samples = merge(out, done)
    table = sweep_table(done, samples)
    write_atomically(out / "table.md", render_tables([table], "markdown").encode())
    if not any(one.code == 0 for one in done):
        raise ExecutionFailed(f"no cell is whole; the first: {done[0].said if done else 'none began'}")
    return render_tables([table], form)


def _running(plan: SweepPlan, on: str, address: str, out: Path, more: Sequence[str]) -> Iterator[Done]:
    if not plan.cells:
        return iter(())
    return run_local(plan, out, more) if on == "local" else run_on_ray(plan, out, more, address)
