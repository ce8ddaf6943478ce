"""inspect_ai: the sandbox environment `curserve`, its `local` one with the daemon asked first.

from curserve_engines.adapters import inspect_ai  # registers it
Task(dataset, solver=…, sandbox="curserve")
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from inspect_ai.util import ExecResult, SandboxEnvironment, sandboxenv
from inspect_ai.util._sandbox.local import LocalSandboxEnvironment

from curserve_engines.resident import Caller, Done, Resident

_SHELLS = ("bash", "sh")


@sandboxenv(name="curserve")
class CurserveSandboxEnvironment(LocalSandboxEnvironment):  # type: ignore[misc]  # not installed with us
    """Executes as the local sandbox does; what the daemon knows exactly comes from memory."""

    def __init__(self) -> None:
        super().__init__()
        self._resident = Resident(self.directory.name)
        self.counts = {"answered": 0, "left": 0}

    @classmethod
    async def sample_init(
        cls,
        task_name: str,  # noqa: ARG003 - the harness's own names
        config: Any,  # noqa: ARG003
        metadata: dict[str, str],  # noqa: ARG003
    ) -> dict[str, SandboxEnvironment]:
        """Give one sandbox, of a temporary folder of its own."""
        return {"default": cls()}

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,  # noqa: A002 - the harness's own name
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Execute a program, as the base class does."""
        done = self._from_memory(cmd, cwd, env, timeout) if input is None and user is None else None
        if done is None:
            self.counts["left"] += 1
            return await super().exec(cmd, input, cwd, env, user, timeout, timeout_retry, concurrency)
        self.counts["answered"] += 1
        return ExecResult(
            success=done.exit_code == 0,
            returncode=done.exit_code,
            stdout=done.stdout.decode(errors="replace"),
            stderr=done.stderr.decode(errors="replace"),
        )

    def _from_memory(
        self, cmd: list[str], cwd: str | None, env: dict[str, str] | None, timeout: int | None
    ) -> Done | None:
        where = os.path.realpath(Path(self.directory.name) / (cwd or ""))
        environment = {**os.environ, **(env or {})}
        match cmd:
            case [shell, "-c", line] if Path(shell).name in _SHELLS:
                return self._resident.ask(line, Caller(environment, shell=shell), cwd=where, timeout_s=timeout)
            case [program, *_] if "/" not in program:
                return self._resident.ask(cmd, Caller(environment, shell=None), cwd=where, timeout_s=timeout)
        return None
