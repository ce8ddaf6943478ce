"""One recording from end to end: `record` runs an agent in a workspace and returns what came of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curserve_harness.console.exits import BadInput
from curserve_harness.traces.record import shims
from curserve_harness.traces.record.call_log import CallLog, Execution
from curserve_harness.traces.record.changes import Changes
from curserve_harness.traces.record.proxy import ProxiedExchange, Proxy, environment
from curserve_traces import scratch
from curserve_traces.model import WorkspaceDelta


@dataclass(frozen=True, slots=True)
class Recording:
    """What shims and proxy saw. `epoch_ns` is the wall clock's time at CLOCK_MONOTONIC 0."""

    executions: tuple[Execution, ...]
    exchanges: tuple[ProxiedExchange, ...]
    rest: tuple[WorkspaceDelta | None, ...]
    sessions: int
    covers_absolute_paths: bool
    epoch_ns: int
    ended_ns: int
    exit_code: int


def record(command: Sequence[str], workspace: Path, upstream: str) -> Recording:
    """Run an agent in `workspace` until it ends; `{base_url}` in its words is the proxy's address.

    Raises BadInput where the agent's program is not found, SetupFailed where a shim is missing.
    """
    if not workspace.is_dir():
        raise BadInput(f"trace record: {workspace} is no folder; name the agent's workspace with --workspace")
    with scratch.folder("record") as folder:
        return asyncio.run(_record(command, workspace.resolve(), upstream, folder))


async def _record(command: Sequence[str], workspace: Path, upstream: str, folder: Path) -> Recording:
    changes = Changes(workspace)
    log, proxy = CallLog(changes), Proxy(upstream, changes)
    laid = shims.lay_out(folder, folder / "socket", workspace)
    words = laid.command(command)
    epoch_ns = time.time_ns() - time.monotonic_ns()
    await log.start(folder / "socket")
    try:
        base_url = await proxy.start()
        given = environment(base_url, dict(os.environ))
        given["PATH"] = f"{laid.bin}:{given.get('PATH', os.defpath)}"
        process = await asyncio.create_subprocess_exec(
            *(word.replace("{base_url}", base_url) for word in words), cwd=workspace, env=given
        )
        try:
            code = await _ended(process)
        finally:
            if process.returncode is None:
                process.kill()
        rest = await changes.rest()
    finally:
        await proxy.stop()
        await log.stop()
    return Recording(
        executions=tuple(log.executions),
        exchanges=tuple(proxy.exchanges),
        rest=tuple(rest),
        sessions=log.sessions,
        covers_absolute_paths=laid.covers_absolute_paths,
        epoch_ns=epoch_ns,
        ended_ns=time.monotonic_ns(),
        exit_code=code,
    )


async def _ended(process: asyncio.subprocess.Process) -> int:
    """Wait for the agent. Ctrl-C reaches it by itself, a TERM is passed on; what was recorded is kept."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGTERM, os.kill, process.pid, signal.SIGTERM)  # terminate() would reap it too
    try:
        return await process.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
