"""A sweep over the machines of a Ray cluster: a task a cell, a machine a cell at a time. Main name: `run_on_ray`.

Each machine offers one resource `bench` (`ray start --resources '{"bench": 1}'`), so that timed cells never
share one. A task writes below the sweep's folder, which all machines must see (a shared file system), and
returns what came of it. A machine that is lost takes its task with it; Ray runs that again elsewhere, as a
new sample. docs/LOAD.md says what each machine needs.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curserve_harness.console.exits import BadInput, ExecutionFailed, SetupFailed
from curserve_harness.sweep.cells import Done, run_cell
from curserve_harness.sweep.plan import Cell, SweepPlan

RESOURCE = "bench"
RETRIES = 5
PROGRAMS = ("bwrap", "rg", "curserve")


def run_on_ray(plan: SweepPlan, sweep: Path, more: Sequence[str], address: str) -> Iterator[Done]:
    """Run all cells; yield each as it is done. Raises SetupFailed where there is no cluster that fits."""
    ray = _ray()
    try:
        _reach(address)
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError) as error:
        raise SetupFailed(
            f"--on ray: no cluster at {address!r} ({_line(error)}); start one with `ray start --head "
            f"--resources '{{\"{RESOURCE}\": 1}}'`, or sweep with --on local"
        ) from None
    except RuntimeError as error:
        raise SetupFailed(
            f"--on ray: the cluster at {address!r} is of another Python or Ray ({_line(error)}); "
            "use the same versions on all machines"
        ) from None
    try:
        _demand(ray, sweep)
        task = ray.remote(num_cpus=0, resources={RESOURCE: 1}, max_retries=RETRIES)(_run)
        left = {task.remote(cell, str(sweep), tuple(more)): cell for cell in plan.cells}
        while left:
            ready, _ = ray.wait(list(left), num_returns=1)
            for reference in ready:
                cell = left.pop(reference)
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayError as error:
                    raise ExecutionFailed(
                        f"{cell.name}: lost {RETRIES + 1} times ({type(error).__name__}); what was finished is "
                        "kept: sweep again into the same --out when the machines are back"
                    ) from None
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError where nobody listens at an address: Ray itself would ask again and again for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise BadInput(
            "--on ray: Ray is not installed; pip install 'curserve-bench[ray]', or use --on local"
        ) from None
    return ray


def _run(cell: Cell, sweep: str, more: tuple[str, ...]) -> Done:
    return run_cell(cell, Path(sweep), more)


def _demand(ray: Any, sweep: Path) -> None:
    """Raise SetupFailed where no machine offers the resource, or one that does lacks what a run needs."""
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(RESOURCE)]
    if not nodes:
        raise SetupFailed(
            f"--on ray: no machine of the cluster offers the resource {RESOURCE!r}; start each with "
            f"`ray start --resources '{{\"{RESOURCE}\": 1}}'`"
        )
    check = ray.remote(num_cpus=0, resources={RESOURCE: 0.01})(_lacks)
    asked = [
        check.options(
            scheduling_strategy=ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                node["NodeID"], soft=False
            )
        ).remote(str(sweep), sys.version_info[:2])
        for node in nodes
    ]
    for node, lacks in zip(nodes, ray.get(asked), strict=True):
        if lacks:
            raise SetupFailed(f"--on ray: {node['NodeManagerHostname']}: {lacks}")


def _lacks(sweep: str, python: tuple[int, int]) -> str | None:
    """Return what this machine lacks for a cell, None where it has all."""
    import os
    import shutil

    mine = sys.version_info[:2]
    if mine != python:
        return f"Python {mine[0]}.{mine[1]}, not {python[0]}.{python[1]}; use one on all machines"
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    missing = ", ".join(name for name in PROGRAMS if shutil.which(name, path=beside) is None)
    if missing:
        return f"{missing} not found; install bubblewrap, and curserve-bench with its programs, there"
    if not Path(sweep).is_dir():
        return f"{sweep} is not there; --out must be on a file system that all machines share"
    return None
