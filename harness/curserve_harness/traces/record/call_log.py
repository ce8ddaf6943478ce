"""What the shims tell: CallLog listens on their socket and keeps an Execution for each call.

The frames are those of `core/cli/src/record/log.rs`. A shim waits before and after its program runs until it is
answered, so that the workspace can be looked at; that time lies outside the call's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curserve_harness.traces.record.changes import Changes
from curserve_traces.classify import effect
from curserve_traces.model import Observation, ToolCall, WorkspaceDelta, digest


@dataclass(slots=True)
class Execution:
    """One program run through a shim. Times are CLOCK_MONOTONIC; `signal` ended it where that is set.

    `terminal`: its output went to a terminal (and programs may have coloured it). It has no end where its shim was
    killed.
    """

    name: str
    arguments: list[str]
    cwd: str
    command: str | None
    merged: bool
    terminal: bool
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    started_ns: int | None = None
    ended_ns: int | None = None
    code: int | None = None
    signal: int | None = None
    delta: WorkspaceDelta | None = None

    @property
    def exit_code(self) -> int | None:
        """The shell's exit code: 128 + n where signal n ended it."""
        return 128 + self.signal if self.signal is not None else self.code

    @property
    def call(self) -> ToolCall:
        """The execution as a `bash` call."""
        asked = {"command": self.command} if self.command is not None else {"argv": [self.name, *self.arguments]}
        return ToolCall("", "bash", asked, cwd=self.cwd)

    @property
    def reads(self) -> bool:
        """Whether it leaves the workspace as it was: searches, and shell commands that only read."""
        return self.command is None or effect(self.call) == "read"

    def observation(self, epoch_ns: int) -> Observation:
        """Return what came back; `epoch_ns` is the wall clock's time at monotonic 0."""
        known = self.started_ns is not None and self.ended_ns is not None
        return Observation(
            exit_code=self.exit_code,
            stdout=bytes(self.out),
            stderr=bytes(self.err),
            merged=self.merged,
            started_at_ns=epoch_ns + self.started_ns if self.started_ns is not None else None,
            duration_ns=(self.ended_ns or 0) - (self.started_ns or 0) if known else None,
        )

    def facts(self) -> dict[str, Any]:
        """Return times, directory, exit code, digest and size of the output: all but the output itself."""
        return {
            "program": self.name,
            "arguments": self.arguments,
            "cwd": self.cwd,
            "started_monotonic_ns": self.started_ns,
            "ended_monotonic_ns": self.ended_ns,
            "exit_code": self.exit_code,
            "output_bytes": len(self.out) + len(self.err),
            "output_digest": digest(bytes(self.out) + bytes(self.err)),
            "terminal": self.terminal,
        }


class CallLog:
    """Listens for shims; `executions` are in the order in which they began."""

    def __init__(self, changes: Changes) -> None:
        self.executions: list[Execution] = []
        self.sessions = 0
        self._changes = changes
        self._running = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, socket: Path) -> None:
        """Listen on a Unix socket."""
        self._server = await asyncio.start_unix_server(self._serve, socket)

    async def stop(self) -> None:
        """Listen no more; what is still running is kept as it stands."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        execution: Execution | None = None
        alone = False
        try:
            while True:
                kind, payload = await _frame(reader)
                if kind == b"S":
                    fields = json.loads(payload)
                    if fields.get("session"):
                        self.sessions += 1
                        return
                    execution = _execution(fields)
                    self.executions.append(execution)
                    self._running += 1
                    alone = self._running == 1
                    if not execution.reads:
                        await self._changes.look()
                    writer.write(b"G")
                elif kind == b"X" and execution is not None:
                    _end(execution, json.loads(payload))
                    alone = alone and self._running == 1
                    if not execution.reads:
                        execution.delta = await self._changes.of_call(known=alone)
                    writer.write(b"G")
                elif execution is not None:
                    (execution.out if kind == b"O" else execution.err).extend(payload)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, KeyError):
            return  # the shim has ended, or was killed: what came so far is kept
        finally:
            self._tasks.discard(task)
            if execution is not None:
                self._running -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(int.from_bytes(head[1:], "little"))


def _execution(fields: dict[str, Any]) -> Execution:
    return Execution(
        name=fields["name"],
        arguments=fields["arguments"],
        cwd=fields["cwd"],
        command=fields["command"],
        merged=fields["merged"],
        terminal=fields["terminal"],
    )


def _end(execution: Execution, fields: dict[str, Any]) -> None:
    execution.started_ns, execution.ended_ns = fields["started_ns"], fields["ended_ns"]
    execution.code, execution.signal = fields["code"], fields["signal"]
