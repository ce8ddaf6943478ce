"""Tools answered in this very process: InProcessSession asks the Rust core through its binding, with no socket.

The core reads the workspace and nothing else, and never writes; it shows owners as the sandbox would. Whatever it
does not understand exactly, and everything that is no `bash`, goes to the worker in its sandbox, as the daemon's
refusals do, inside the same wall time. As root the core reads files whose mode forbids it to their owner.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from curserve_core import Corpus, Refused

from curserve_engines import sandbox
from curserve_engines.closing import Closing
from curserve_engines.protocol import EngineError, Result, World
from curserve_engines.subprocesses import SubprocessEngine
from curserve_traces.model import Observation, ToolCall

NAME = "in-process"


class InProcessSession(Closing):
    """One workspace in the memory of this process, and the worker that stands behind it."""

    def __init__(self, world: World) -> None:
        self._fresh = world.shell == "fresh"
        self._settled = False  # nothing may have changed since the core was last asked
        self._worker = SubprocessEngine(NAME, "server").open(world)
        try:
            user = sandbox.owner() or (os.geteuid(), os.getegid())
            self._corpus = Corpus(world.root, world.at, owner=user)
        except OSError as error:
            self._worker.close()
            raise EngineError(f"{NAME}: cannot read {world.root}: {error}") from error

    def at_once(self, call: ToolCall) -> Result | None:
        """Return the answer if it takes the core some 0.1 ms, less than it takes to hand the call to a thread.

        None where that is not known: the command may search, the worker may have changed files, the core refuses.
        """
        if not self._settled or self._why_not(call) is not None:
            return None
        if not Corpus.is_quick(call.arguments["command"]):
            return None
        return self._ask_core(call, time.monotonic_ns())[0]

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:  # noqa: ARG002
        """Execute `call`; a worker that is gone or too slow is a failed Result."""
        started = time.monotonic_ns()
        refused = self._why_not(call)
        if refused is None:
            result, refused = self._ask_core(call, started)
            if result is not None:
                self._settled = True
                return result
        self._settled = False
        refusal_ns = time.monotonic_ns() - started
        real = self._worker.call(call)
        wall_ns = time.monotonic_ns() - started
        return replace(real, wall_ns=wall_ns, service_ns=(real.service_ns or 0) + refusal_ns, refused=refused)

    def _ask_core(self, call: ToolCall, started: int) -> tuple[Result | None, str | None]:
        """Return the core's answer, or why it has none."""
        try:
            exit_code, stdout, stderr = self._corpus.shell(call.arguments["command"], call.cwd)
        except (Refused, OSError) as error:
            return None, str(error)
        took = time.monotonic_ns() - started
        return Result(Observation(exit_code, stdout, stderr), took, took), None

    def _why_not(self, call: ToolCall) -> str | None:
        if call.tool != "bash" or not isinstance(call.arguments.get("command"), str) or "argv" in call.arguments:
            return f"the core in process answers bash commands, not {call.tool}"
        return None if self._fresh else "the core in process does not follow a shell that lasts"

    def close(self) -> None:
        """End the worker and everything that it started."""
        self._worker.close()
